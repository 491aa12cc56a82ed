"""Synthetic scorecards for tests."""

from typing import Any

import numpy as np

from grek.eval.scores import scorecard
from grek.eval.scores.scorecard import Card

ROWS = (
    ("train", "material", "sand"),
    ("train", "material", "carpet"),
    ("heldout", "material", "ice"),
    ("heldout", "slope", "far"),
    ("numerics", "numerics", "euler"),
)


def episodes(
    n: int = 16,
    seed: int = 0,
    loss: dict[str, float] | None = None,
    noise: float = 0.08,
) -> list[dict[str, Any]]:
    """`n` episodes of each row; traversal is 0.7 + N(0, 0.08) by world + N(0, `noise`) by policy.

    `seed` selects the policy. `loss` is subtracted from traversal in the contexts that are its
    keys; the key "*" stands for all others.
    """
    worlds, policy = np.random.default_rng(99), np.random.default_rng(seed)
    lost = loss or {}
    made, index = [], {"train": 300_000, "heldout": 0, "numerics": 0}
    for _ in range(n):
        for space, axis, context in ROWS:
            base = 0.7 + worlds.normal(0, 0.08) + policy.normal(0, noise)
            name = context if axis in ("material", "numerics") else f"{axis}-{context}"
            traversal = float(np.clip(base - lost.get(context, lost.get("*", 0.0)), 0, 1))
            made.append(
                {
                    "scenario": f"{space}/{name}:{index[space]}",
                    "space": space,
                    "contexts": {axis: context},
                    "survived": traversal > 0.6,
                    "traversal": traversal,
                    "velocity_error": 0.1,
                    "yaw_error": 0.2,
                    "distance": 4 * traversal,
                    "cost_of_transport": 0.5,
                    "slip_per_metre": 0.02,
                    "torque_saturation": 0.01,
                    "joint_limit_time": 0.0,
                    "foot_impact": 0.3,
                    "action_jerk": 0.1,
                }
            )
            index[space] += 1
    return made


def card(made: list[dict[str, Any]] | None = None, suite: dict[str, Any] | None = None) -> Card:
    """Scorecard of `made`, of `episodes()` by default."""
    return scorecard.build(
        {
            "name": "walk",
            "sha256": "ab" * 32,
            "contract": {"schema": 1, "scale": [0.1, 0.123456789]},
        },
        {"name": "quick", "sha256": "cd" * 32, "seed": 0, "episodes": 16, **(suite or {})},
        {"grek": "0.1.0", "mujoco": "4.0.0", "numpy": "2.0", "python": "3.11", "commit": "f00"},
        episodes() if made is None else made,
    )
