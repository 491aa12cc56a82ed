"""Scores by push, command, ground difficulty and delay, and falls, as binned counts over a suite.

`details` extracts pushes and stretches (intervals of constant command) from the log of an episode;
`bins` aggregates them over a suite. Pushes and commands are taken from the train space and from the
held-out axis that extends their range, so that nothing else in those worlds is out of distribution.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from grek.envs.ground.shapes import SHAPES, ShapeKind, sizes
from grek.envs.scenarios.scenario import Scenario
from grek.envs.simulation.simulation import CONTROL_STEP
from grek.envs.tasks.metrics import LEVER_ARM, EpisodeLog, standing
from grek.eval.episodes.episodes import Episodes
from grek.eval.scores.statistics import wilson

RECOVERY = 2.0  # time after the end of a push at which the droid must be up [s]
STEADY = 1.0  # transient at the start of a stretch that is left out [s]
PUSH_SIZES = (0.0, 0.15, 0.35, 0.5, 0.7)  # bin edges of impulse over the droid's mass [m/s]
DIRECTIONS = 8  # sectors of push direction, counter-clockwise; sector 0 is a push forward
FORWARD = (-0.35, -0.2, -0.05, 0.05, 0.2, 0.4, 0.6, 0.75, 0.9)  # bin edges [m/s]
TURN = (-0.8, -0.4, -0.1, 0.1, 0.4, 0.8)  # bin edges [rad/s]
PASSED = 0.8  # survival at which a level counts as passed
DELAYS = (0.0, 0.01, 0.02, 0.03, 0.04, 0.06, 0.1)  # bin edges of loop delay [s]
SINCE_PUSH = (0.0, 1.0, 2.0, 4.0, math.inf)  # bin edges of time since the last push [s]
DOINGS = ("stand", "turn", "walk forward", "walk backward", "walk sideways")


def details(log: EpisodeLog) -> list[dict[str, Any]]:
    """Lists "pushes" and "stretches" of each episode, and its "fall".

    A push is [forward, left, recovered]: impulse over mass [m/s] in the heading frame of each step,
    and 1 if the droid was up RECOVERY after its end, else 0. Pushes after a fall, or less than
    RECOVERY before the end of the log, are left out. A stretch is [commanded forward velocity, mean
    forward velocity [m/s], commanded yaw rate, mean yaw rate [rad/s], mean square of the planar
    velocity error averaged over a stride [m^2/s^2]]. A fall is None or [time since the last push
    began [s], infinite before the first, and index into DOINGS of what was commanded].
    """
    up = standing(log)
    return [
        {
            "pushes": _pushes(log, up[:, i], i),
            "stretches": _stretches(log, up[:, i], i),
            "fall": _fall(log, up[:, i], i),
        }
        for i in range(up.shape[1])
    ]


def shape(scenario: Scenario) -> dict[str, float]:
    """Size of each kind of unevenness present in `scenario`, by the name of its axis."""
    return sizes(scenario.shape)


def delay(scenario: Scenario) -> float:
    """Time from a sensor to a motor that acts on its reading, less the control step [s]."""
    return scenario.sensors.delay * CONTROL_STEP + scenario.motors.delay


def levels(kind: ShapeKind) -> tuple[float, ...]:
    """Bin edges of an axis: 0, half and end of the training range, ends of "near" and "far"."""
    trained = kind.range.high
    return 0.0, trained / 2, trained, kind.near.high, kind.far.high


def bins(episodes: Episodes) -> dict[str, list[dict[str, Any]]]:
    """Non-empty bins "pushes", "commands", "difficulty", "delays" and "falls" of `episodes`."""
    return {
        "delays": _delays(episodes),
        "falls": _falls(episodes.events["fall"][1]),
        "pushes": _push_bins(_events(episodes, "pushes", "pushes")),
        "commands": _command_bins(_events(episodes, "stretches", "speed")),
        "difficulty": _difficulty(episodes),
    }


def hardest(levels: Sequence[Mapping[str, Any]]) -> Mapping[str, Any] | None:
    """Last of `levels` (one axis, ascending) before the first with survival < PASSED, or None."""
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
    ends = np.flatnonzero(active & ~np.r_[active[1:], False]) + 1
    found = []
    for begin, end in zip(begins, ends, strict=True):
        recovered = end + round(RECOVERY / log.dt)
        if recovered <= len(up) and (begin == 0 or up[begin - 1]):
            forward, left = push[begin:end].sum(0)
            found.append([float(forward), float(left), float(up[recovered - 1])])
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
        velocity = log.velocity_h[first:last, i, :2].astype(float)
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


def _fall(log: EpisodeLog, up: NDArray[np.bool_], i: int) -> list[float] | None:
    if up.all():
        return None
    last = int(up.sum())  # the step of the fall
    pushed = (log.push[: last + 1, i] != 0).any(1)
    begins = np.flatnonzero(pushed & ~np.r_[False, pushed[:-1]])
    since = (last - begins[-1]) * log.dt if len(begins) else math.inf
    forward, left, turn = log.command[last, i].astype(float)
    if not log.moving[last, i]:
        doing = "stand"
    elif abs(turn) * LEVER_ARM > math.hypot(forward, left):
        doing = "turn"
    elif abs(left) > abs(forward):
        doing = "walk sideways"
    else:
        doing = "walk forward" if forward > 0 else "walk backward"
    return [float(since), float(DOINGS.index(doing))]


def _delays(episodes: Episodes) -> list[dict[str, Any]]:
    """Survival by loop delay, in worlds of the training space and of the held-out axis."""
    known = _varies_only(episodes, "delay")
    value = episodes.details.get("delay", np.full(len(episodes), math.nan))
    found = []
    for low, high in pairwise(DELAYS):
        own = known & (low <= value) & (value < high)
        if own.any():
            found.append({"low": low, "high": high, **_survival(episodes.survived[own])})
    return found


def _survival(survived: NDArray[np.bool_]) -> dict[str, Any]:
    """Number and survival of episodes, given which `survived` (n,)."""
    n, stood = len(survived), int(survived.sum())
    return {"episodes": n, "survival": asdict(wilson(stood, n))}


def _falls(falls: NDArray[np.float64]) -> list[dict[str, Any]]:
    """Number of `falls` (k, 2), as `details` has them, by time since the last push and command."""
    found = []
    for doing, name in enumerate(DOINGS):
        mine = falls[falls[:, 1] == doing, 0]
        for low, high in pairwise(SINCE_PUSH):
            if count := int(((low <= mine) & (mine < high)).sum()):
                end = None if math.isinf(high) else high
                found.append({"command": name, "low": low, "high": end, "falls": count})
        if count := int(np.isinf(mine).sum()):
            found.append({"command": name, "low": None, "high": None, "falls": count})
    return found


def _varies_only(episodes: Episodes, axis: str) -> NDArray[np.bool_]:
    """True (n,) where no axis other than `axis` leaves the training range in the world."""
    return np.array(
        [
            kind.space == "train" or (kind.space == "heldout" and axis in dict(kind.contexts))
            for kind in episodes.kinds
        ],
        bool,
    )[episodes.kind]


def _events(episodes: Episodes, key: str, axis: str) -> NDArray[np.float64]:
    """Events `key` (k, columns) of the episodes that extend `axis` only."""
    owner, values = episodes.events[key]
    return values[_varies_only(episodes, axis)[owner]]


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
    forward = np.clip(np.digitize(rows[:, 0], FORWARD) - 1, 0, len(FORWARD) - 2)
    turn = np.clip(np.digitize(rows[:, 2], TURN) - 1, 0, len(TURN) - 2)
    return [
        {
            "forward": f,
            "turn": t,
            "stretches": int(own.sum()),
            "velocity_error": float(np.sqrt(rows[own, 4].mean())),
            "asked": float(rows[own, 0].mean()),
            "walked": float(rows[own, 1].mean()),
            "asked_turn": float(rows[own, 2].mean()),
            "turned": float(rows[own, 3].mean()),
        }
        for f in range(len(FORWARD) - 1)
        for t in range(len(TURN) - 1)
        if (own := (forward == f) & (turn == t)).any()
    ]


def _difficulty(episodes: Episodes) -> list[dict[str, Any]]:
    found = []
    for axis, kind in SHAPES.items():
        size = episodes.details.get(f"shape/{axis}")
        if size is None:
            continue
        known = _varies_only(episodes, axis)
        for low, high in pairwise(levels(kind)):
            own = known & (low < size) & (size <= high)
            if own.any():
                level = {"axis": axis, "low": low, "high": high}
                found.append({**level, **_survival(episodes.survived[own])})
    return found
