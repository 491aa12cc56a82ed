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

    A skill is done as well as its joints follow the reference, times m / (m + `rare`) for a mean
    time m between its falls; both are averaged over `memory` seconds of its simulated time.
    """

    names: tuple[str, ...]
    """Axes of the contexts drawn from."""
    rare: float = 8.0
    """Mean time between falls that halves the score [s]."""
    memory: float = 2000.0
    """[s]"""
    least: float = 0.15
    """Weight of a skill that is done perfectly, over that of one not done at all [-]."""
    lived: list[float] = field(default_factory=list)
    """Simulated time of each skill, forgotten with `memory` [s]."""
    followed: list[float] = field(default_factory=list)
    """Part of it, as far as joints followed [s]."""
    fallen: list[float] = field(default_factory=list)
    """Falls in it."""

    def record(
        self, axes: Sequence[str], follows: NDArray, fell: NDArray[np.bool_]
    ) -> dict[str, float]:
        """Count a control step of n worlds with contexts of `axes` (n,), in which joints follow by
        `follows` (n,) in [0, 1]; returns the shares by axis."""
        which = np.array([self.names.index(axis) for axis in axes])
        count = len(self.names)
        added = (
            np.bincount(which, w, count)
            for w in (np.full(len(which), CONTROL_STEP), follows * CONTROL_STEP, fell)
        )
        kept = [
            np.array(x) if x else np.zeros(count) for x in (self.lived, self.followed, self.fallen)
        ]
        forget = np.exp(-np.bincount(which, minlength=count) * CONTROL_STEP / self.memory)
        lived, followed, fallen = (a * forget + b for a, b in zip(kept, added, strict=True))
        self.lived, self.followed, self.fallen = lived.tolist(), followed.tolist(), fallen.tolist()
        between = lived / np.maximum(fallen, 1)
        score = followed / np.maximum(lived, CONTROL_STEP) * between / (between + self.rare)
        return dict(
            zip(self.names, (self.least + (1 - self.least) * (1 - score)).tolist(), strict=True)
        )
