"""Simulation: worlds moved by an engine."""
