"""Rates of this machine, side by side."""
