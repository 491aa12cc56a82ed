"""Scenarios: everything random about a world, drawn from its name."""
