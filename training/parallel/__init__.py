"""Processes that train one policy, each with worlds of its own and a copy of the learner."""
