"""Training of policies with PPO."""
