"""Environments: robots, ground, scenarios, simulation and tasks."""
