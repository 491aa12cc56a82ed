"""Films: rollouts rendered to video."""
