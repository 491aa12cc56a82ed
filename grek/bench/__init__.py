"""Benchmarks of this machine: simulation, training and learning."""
