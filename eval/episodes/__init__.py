"""Episodes of an evaluation: in memory, and in files."""
