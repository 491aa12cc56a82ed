"""Inside an episode: every push, every stretch of one command, and how hard the ground was.

`details` takes them from a log, one list an episode; `gather` counts them over a suite into the
bins that reports draw. Pushes and commands are gathered from the train space and from the axis that
draws larger ones, so that nothing else about those worlds is new to the policy.
"""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from grek.envs.scenarios.scenario import Scenario
from grek.eval.scores.metrics import EpisodeLog, standing
from grek.eval.scores.statistics import wilson

Episode = Mapping[str, Any]

RECOVERY = 2.0  # who stands this long after a push has recovered from it [s]
STEADY = 1.0  # the first part of a stretch that is left out: the droid still changes over [s]
PUSH_SIZES = (0.0, 0.15, 0.35, 0.5, 0.7)  # of the impulse over the droid's mass [m/s]
DIRECTIONS = 8  # the first is a push forward, then to the left, from which the droid falls forward
FORWARD = (-0.35, -0.2, -0.05, 0.05, 0.2, 0.4, 0.6, 0.75, 0.9)  # [m/s]
TURN = (-0.8, -0.4, -0.1, 0.1, 0.4, 0.8)  # [rad/s]
DIFFICULTY = {  # shape: levels, the first two of them inside the range of training
    "slope": (0.0, 0.05, 0.10, 0.15, 0.20),
    "waves": (0.0, 0.02, 0.04, 0.06, 0.09),
    "roughness": (0.0, 0.004, 0.008, 0.012, 0.018),
    "steps": (0.0, 0.0125, 0.025, 0.035, 0.05),
}
PASSED = 0.8  # survival at which a level counts as passed
SHAPES = {
    "slope": "slope",
    "waves": "wave_height",
    "roughness": "roughness",
    "steps": "step_height",
}
KEYS = ("pushes", "stretches", "shape")
"""What `details` and `shape` add to an episode, and `gather` takes."""


def details(log: EpisodeLog) -> list[dict[str, Any]]:
    """For each episode "pushes" [forward, left, stood] and "stretches", rows of one command.

    A push [m/s] is in the heading frame at its start; one too late for its end to be seen is left
    out. A stretch is commanded and mean forward [m/s], commanded and mean yaw rate [rad/s], and the
    mean square of the velocity error, averaged over a stride [m^2/s^2].
    """
    up = standing(log)
    return [
        {"pushes": _pushes(log, up[:, i], i), "stretches": _stretches(log, up[:, i], i)}
        for i in range(up.shape[1])
    ]


def shape(scenario: Scenario) -> dict[str, float]:
    """Size of each kind of unevenness of `scenario` that it has, under the names of the axes."""
    sizes = {axis: float(getattr(scenario.shape, part)) for axis, part in SHAPES.items()}
    return {axis: size for axis, size in sizes.items() if size > 0}


def gather(episodes: Sequence[Episode]) -> dict[str, list[dict[str, Any]]]:
    """Bins "pushes", "commands" and "difficulty" of the episodes; empty ones are left out."""
    return {
        "pushes": _push_bins(_rows(episodes, "pushes", "pushes", 3)),
        "commands": _command_bins(_rows(episodes, "stretches", "speed", 5)),
        "difficulty": _difficulty(episodes),
    }


def hardest(levels: Sequence[Mapping[str, Any]]) -> Mapping[str, Any] | None:
    """The hardest of one axis' `levels`, easiest first, up to which all are passed."""
    best = None
    for level in levels:
        if not level["survival"]["mean"] >= PASSED:
            break
        best = level
    return best


def _pushes(log: EpisodeLog, up: NDArray[np.bool_], i: int) -> list[list[float]]:
    push = log.push[:, i].astype(float) * log.dt
    active = (push != 0).any(1)
    begins = np.flatnonzero(active & ~np.r_[False, active[:-1]])
    found = []
    for begin in begins:
        rest = active[begin:]
        length = len(rest) if rest.all() else int(np.argmin(rest))
        end = int(begin) + length + round(RECOVERY / log.dt)
        if end <= len(up) and (begin == 0 or up[begin - 1]):
            forward, left = push[begin : begin + length].sum(0)
            found.append([float(forward), float(left), float(up[end - 1])])
    return found


def _stretches(log: EpisodeLog, up: NDArray[np.bool_], i: int) -> list[list[float]]:
    command, window = log.command[:, i].astype(float), max(round(log.stride / log.dt), 1)
    ends = np.r_[np.flatnonzero((np.diff(command, axis=0) != 0).any(1)) + 1, len(command)]
    found, begin = [], 0
    for end in ends:
        first, last = begin + round(STEADY / log.dt), begin + int(up[begin:end].sum())
        begin = end
        if last - first < 2 * window:
            continue
        velocity = log.velocity_b[first:last, i, :2].astype(float)
        kernel = np.ones(window) / window
        error = velocity - command[first, :2]
        strides = np.stack([np.convolve(error[:, k], kernel, "valid") for k in range(2)])
        found.append(
            [
                command[first, 0],
                float(velocity[:, 0].mean()),
                command[first, 2],
                float(log.yaw_rate[first:last, i].mean()),
                float((strides**2).sum(0).mean()),
            ]
        )
    return found


def _rows(episodes: Sequence[Episode], key: str, axis: str, columns: int) -> NDArray[np.float64]:
    """Rows (k, columns) under `key` of the train space and of heldout worlds of `axis`."""
    rows = [
        row
        for e in episodes
        if e["space"] == "train" or (e["space"] == "heldout" and axis in e["contexts"])
        for row in e.get(key, ())
    ]
    return np.array(rows, float).reshape(-1, columns)


def _push_bins(rows: NDArray[np.float64]) -> list[dict[str, Any]]:
    size = np.hypot(rows[:, 0], rows[:, 1])
    sector = np.round(np.arctan2(rows[:, 1], rows[:, 0]) / (2 * np.pi / DIRECTIONS)) % DIRECTIONS
    ring = np.clip(np.digitize(size, PUSH_SIZES) - 1, 0, len(PUSH_SIZES) - 2)
    return [
        {"direction": d, "ring": r, "pushes": int(own.sum()), "stood": int(rows[own, 2].sum())}
        for d in range(DIRECTIONS)
        for r in range(len(PUSH_SIZES) - 1)
        if (own := (sector == d) & (ring == r)).any()
    ]


def _command_bins(rows: NDArray[np.float64]) -> list[dict[str, Any]]:
    column = np.clip(np.digitize(rows[:, 0], FORWARD) - 1, 0, len(FORWARD) - 2)
    line = np.clip(np.digitize(rows[:, 2], TURN) - 1, 0, len(TURN) - 2)
    return [
        {
            "forward": c,
            "turn": t,
            "stretches": int(own.sum()),
            "velocity_error": float(np.sqrt(rows[own, 4].mean())),
            "asked": float(rows[own, 0].mean()),
            "walked": float(rows[own, 1].mean()),
            "asked_turn": float(rows[own, 2].mean()),
            "turned": float(rows[own, 3].mean()),
        }
        for c in range(len(FORWARD) - 1)
        for t in range(len(TURN) - 1)
        if (own := (column == c) & (line == t)).any()
    ]


def _difficulty(episodes: Sequence[Episode]) -> list[dict[str, Any]]:
    found = []
    for axis, edges in DIFFICULTY.items():
        group = [
            (e["shape"][axis], bool(e["survived"]))
            for e in episodes
            if axis in e.get("shape", ())
            and (e["space"] == "train" or (e["space"] == "heldout" and axis in e["contexts"]))
        ]
        for low, high in pairwise(edges):
            stood = [up for size, up in group if low < size <= high]
            if stood:
                rate = wilson(sum(stood), len(stood))
                found.append(
                    {
                        "axis": axis,
                        "low": low,
                        "high": high,
                        "episodes": len(stood),
                        "survival": {"mean": rate.mean, "low": rate.low, "high": rate.high},
                    }
                )
    return found
