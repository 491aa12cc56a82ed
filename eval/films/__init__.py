"""Films: rollouts as video."""
