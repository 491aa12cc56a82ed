"""Robots: bodies as values."""
