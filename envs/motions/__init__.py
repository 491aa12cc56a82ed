"""Choreographies: motions written on beats, planned as joint trajectories, and checked."""
