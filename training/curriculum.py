"""Curriculum: the difficulty of new scenarios follows the mean time between falls, and the shares
of skills follow how well each is done."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from grek.envs.simulation.simulation import CONTROL_STEP


@dataclass
class Curriculum:
    """Difficulty level of relief, commands and pushes, adapted to the mean time between falls.

    Each time all worlds together have simulated `window` seconds, the level rises by `step` if the
    mean time between falls is above `rare`, and sinks by `step` if it is below `often`.
    """

    level: float = 0.0
    """Current difficulty in [0, 1]."""
    step: float = 0.1
    """Change of the level after a window."""
    rare: float = 8.0
    """Mean time between falls above which the level rises [s]."""
    often: float = 4.0
    """Mean time between falls below which the level sinks [s]."""
    window: float = 640.0
    """Length of a window: simulated time summed over worlds [s]."""
    lived: float = 0.0
    """Simulated time in the current window [s]."""
    fallen: int = 0
    """Falls in the current window."""
    skills: dict[str, list[float]] = field(default_factory=dict)
    """State of `Shares`, kept here so that checkpoints have it."""

    def record(self, fallen: int, worlds: int) -> float:
        """Count a control step of `worlds` worlds with `fallen` falls; return the updated level."""
        self.lived += worlds * CONTROL_STEP
        self.fallen += fallen
        if self.lived >= self.window:
            between_falls = self.lived / max(self.fallen, 1)  # [s]
            if between_falls > self.rare:
                self.level = min(1.0, self.level + self.step)
            elif between_falls < self.often:
                self.level = max(0.0, self.level - self.step)
            self.lived, self.fallen = 0.0, 0
        return self.level


@dataclass
class Shares:
    """Shares of several skills in new episodes: those that are done worst have the largest.

    A skill is done as well as it follows its reference, times m / (m + `rare`) for a mean time m
    between its falls; both are averaged over `memory` seconds of its simulated time. Its share is
    as the square of what it lacks.
    """

    names: tuple[str, ...]
    """Axes of the contexts drawn from."""
    rare: float = 8.0
    """Mean time between falls that halves the score [s]."""
    memory: float = 2000.0
    """[s]"""
    least: float = 0.15
    """Weight of a skill that is done perfectly, over that of one not done at all [-]."""
    state: dict[str, list[float]] = field(default_factory=dict)
    """Of each skill, forgotten with `memory`: simulated time "lived", the part of it "followed" as
    far as it follows [s], and falls "fallen"."""

    def record(
        self, axes: Sequence[str], follows: NDArray, fell: NDArray[np.bool_]
    ) -> dict[str, float]:
        """Count a control step of n worlds with contexts of `axes` (n,), which follow by
        `follows` (n,) in [0, 1]; returns the shares by axis."""
        which = np.array([self.names.index(axis) for axis in axes])
        count = len(self.names)
        time = np.full(len(which), CONTROL_STEP)
        forget = np.exp(-np.bincount(which, time, count) / self.memory)
        found = []
        for name, each in (("lived", time), ("followed", follows * time), ("fallen", fell)):
            before = np.array(self.state.get(name, [0.0] * count))
            found.append(before * forget + np.bincount(which, each, count))
            self.state[name] = found[-1].tolist()
        lived, followed, fallen = found
        between = lived / np.maximum(fallen, 1)
        score = followed / np.maximum(lived, CONTROL_STEP) * between / (between + self.rare)
        shares = self.least + (1 - self.least) * (1 - score) ** 2
        return dict(zip(self.names, shares.tolist(), strict=True))
