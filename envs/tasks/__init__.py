"""Tasks: what is observed, rewarded, commanded and measured."""
