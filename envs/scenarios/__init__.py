"""Scenarios: all random parameters of a world, a function of the scenario's name."""
