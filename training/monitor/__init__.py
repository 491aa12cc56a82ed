"""View of a run in progress: a live table and short films."""
