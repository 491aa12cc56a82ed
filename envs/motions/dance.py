"""Choreographies as reference motions: a policy adds residuals to the planned joints.

A dance begins when the episode does, and is danced again, from its first beat, when it is over. The
parameters in a policy's contract are the choreographies' names.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from grek.envs.motions.choreography import choreography
from grek.envs.motions.clip import Clip, clip_of, joined
from grek.envs.motions.feasibility import check
from grek.envs.motions.motion import Motion, Reference
from grek.envs.motions.planner import plan
from grek.envs.robots import Robot
from grek.envs.robots.robot import CONTROL_STEP
from grek.envs.vectors import Array
from grek.errors import InputError


@dataclass(frozen=True)
class Dance:
    """Dances one of `names` in each world, chosen by the scenario's seed."""

    names: tuple[str, ...]
    """Shipped choreographies or .toml files."""

    def start(self, robot: Robot, worlds: int) -> Motion:
        """State for `worlds` worlds; raises InputError for a dance that `robot` cannot do."""
        plans = [plan(choreography(name), robot, CONTROL_STEP) for name in self.names]
        clips = [clip_of(each, check(each, robot).lead, robot) for each in plans]
        return DanceMotion(clips, worlds)

    def describe(self) -> dict[str, Any]:
        """Parameters by name, for a policy's contract."""
        return {"dances": list(self.names)}

    def from_description(self, values: Any) -> "Dance":
        """Inverse of `describe`; raises InputError for other values."""
        names = values.get("dances") if isinstance(values, dict) else None
        if not isinstance(names, list | tuple) or not all(isinstance(n, str) for n in names):
            raise InputError(f"a dance has names, got {str(values)[:200]}")
        return Dance(tuple(names))


class DanceMotion:
    """State of dances in n worlds: which one, and the control step of it."""

    def __init__(self, clips: list[Clip], worlds: int) -> None:
        self._clips = clips
        lengths = np.array([len(each.beat) for each in clips])
        self._first = np.cumsum(lengths) - lengths  # row of each dance's beginning
        self._length = lengths
        self._rows = joined([each.rows for each in clips])
        self._which = np.zeros(worlds, int)
        self._step = np.zeros(worlds, int)
        self.now = self._reference()

    def reset(self, worlds: NDArray, seeds: NDArray[np.uint64], command: Array) -> None:
        """Begin a dance in `worlds` (m,), chosen by `seeds` (m,)."""
        self._which[worlds] = seeds % np.uint64(len(self._clips))
        self._step[worlds] = 0
        self.now = self._reference()

    def advance(self, command: Array, gyro: Array, gravity: Array, rate: Array) -> None:
        """Advance by a control step; dances keep their tempo, whatever the command and `rate`."""
        self._step = (self._step + 1) % self._length[self._which]
        self.now = self._reference()

    def caption(self, world: int) -> str:
        """Name of the dance of `world` and the beat that it is at."""
        of = self._clips[self._which[world]]
        return f"{of.name}, beat {of.beat[self._step[world]]:4.1f}"

    def _reference(self) -> Reference:
        return self._rows.rows(self._first[self._which] + self._step)

    def snapshot(self) -> dict[str, Array]:
        """State for `restore`."""
        return {"which": self._which.copy(), "step": self._step.copy()}

    def restore(self, saved: dict[str, Array], command: Array) -> None:
        """Continue from a snapshot."""
        self._which, self._step = saved["which"].copy(), saved["step"].copy()
        self.now = self._reference()
