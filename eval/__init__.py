"""Evaluation: scores, reports and films."""
