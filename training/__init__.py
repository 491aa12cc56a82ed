"""Training: PPO on many worlds."""
