"""Scores: suites, metrics, statistics, scorecards and their comparison."""
