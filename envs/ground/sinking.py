"""Ground that gives, under the soles of all worlds: what lies under them, prints, and their load.

The compiled functions of `grek.envs.ground.soles` do the work, a sole at a time. An engine calls
`soles.push` in each physics step, MuJoCo's from within its own threads; `Sinking.push` does the
same for feet that anything else moves.
"""

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from grek.envs.ground import materials, soil
from grek.envs.ground.footprints import Footprints
from grek.envs.ground.kernels import Workers, kernel
from grek.envs.ground.soles import (
    ELEMENTS,
    TREAD,
    Soles,
    element_places,
    find_prints,
    leave_prints,
    meet,
    push,
    set_down,
    soles,
)
from grek.envs.ground.surface import SLOTS, Cover, Ground, Surface
from grek.envs.ground.terrain import Heights
from grek.envs.robots import Robot
from grek.envs.vectors import Array

LOADED = 5.0  # a foot counts as on the ground above this force [N]
_DEPTH, _RECOVERY = (materials.index(name) for name in ("depth", "recovery_time"))


class Feet(Protocol):
    """The feet of all worlds, as an engine moves them; m worlds, each array (m, feet, ...)."""

    @property
    def time(self) -> Array:
        """Simulated time (worlds,) [s]."""
        ...

    def foot_pose(self, worlds: NDArray) -> tuple[Array, Array]:
        """Origin (m, feet, 3) [m] and rotation, foot to world (m, feet, 3, 3)."""
        ...

    def foot_twist(self, worlds: NDArray, origin: Array) -> tuple[Array, Array]:
        """Angular [rad/s] and linear [m/s] velocity at `origin` (m, feet, 3), world frame."""
        ...

    def push_feet(self, worlds: NDArray, origin: Array, force: Array, moment: Array) -> None:
        """Apply `force` [N] and `moment` [N m] about `origin` until the next call, world frame."""
        ...


class Sinking:
    """The soles of all worlds on ground that gives."""

    def __init__(self, robot: Robot, ground: Ground, feet: Feet, threads: int = 1) -> None:
        worlds = len(ground.wet)
        self.ground = ground
        self.prints = Footprints(worlds)
        self.soft = np.zeros(worlds, bool)
        self.soles = soles(robot.feet, worlds, SLOTS)
        self.load = self.soles.load  # force along the normal on each foot (worlds, feet) [N]
        self._workers = Workers(threads)
        self._seed = np.zeros(worlds, np.int64)  # of the stones
        self._feet, self._mass = feet, robot.sole_mass

    def set(self, worlds: NDArray, surfaces: Sequence[Surface], timesteps: Sequence[float]) -> None:
        """Lay `surfaces` in `worlds` (m,), untouched, for physics steps of `timesteps` [s]."""
        rows = self.ground.parameters[worlds]  # (m, slots, P)
        soft = (rows[..., _DEPTH] > 0).any(1)
        changed = soft | self.soft[worlds]  # worlds that stay rigid have nothing to forget
        self.load[worlds], self.soft[worlds] = 0, soft
        if not changed.any():
            return
        self._seed[worlds] = [surface.seed for surface in surfaces]
        dt = np.array(timesteps)[:, None]
        self.soles.law[worlds] = soil.coefficients(rows, dt, self._mass)
        self.soles.state[worlds] = 0
        self.soles.tread[worlds] = (np.nan, np.nan, 0, 0, 0)
        self.prints.reset(worlds[changed])

    def look(self, worlds: NDArray) -> None:
        """Look up the ground under the elements of `worlds` (m,), and press prints."""
        origin, turn = self._feet.foot_pose(worlds)
        places = np.empty((len(worlds), len(self.soles.below), ELEMENTS, 3))
        self._workers.run(
            _look,
            len(worlds),
            self.soles,
            worlds,
            origin,
            turn,
            places,
            self.ground.terrain.heights,
            self.ground.cover,
            self._seed,
            self._feet.time,
            self.prints.sets,
            self.prints.oldest,
        )

    def print_depth(self, worlds: NDArray, xy: Array, slot: NDArray) -> Array:
        """Present depth of old prints (m, k) [m], at xy (m, k, 2) of `worlds` (m,).

        `slot` (m, k) is from `Ground.slot`: a print in a pile fades.
        """
        recovery = self.ground.parameter(_RECOVERY, slot, worlds)
        return self.prints.read(worlds, xy, self._feet.time[worlds], recovery)

    def set_down(self, worlds: NDArray, load: Array, preload: float = 1.0) -> Array:
        """Depth (m,) [m] along the ground's normal by which soles carry `load` (m,) in all.

        Follows `look`. `load` [N] is vertical, at rest, on ground that was pressed by `preload`
        times as much before: 1 is untouched, and as soft against tilt as first loading is; above 1
        soles stand on the steeper line. Shear is put on the elements as the slope asks for, so that
        soles lowered by this depth stay where they are. Elements on rigid ground stop the soles.
        """
        depth = np.empty(len(worlds))
        self._workers.run(_set_down, len(worlds), self.soles, worlds, load, preload, depth)
        return depth

    def push(self, worlds: NDArray) -> None:
        """Apply the wrench of the ground to the feet of `worlds` (m,) for the next physics step."""
        origin, turn = self._feet.foot_pose(worlds)
        spin, linear = self._feet.foot_twist(worlds, origin)
        wrench = np.empty((*origin.shape[:2], 6))
        arguments = self.soles, worlds, origin, turn, spin, linear, wrench
        self._workers.run(_push, len(worlds), *arguments)
        self._feet.push_feet(worlds, origin, wrench[..., :3], wrench[..., 3:])

    def snapshot(self) -> dict[str, Any]:
        """State from which `restore` goes on, given the same surfaces."""
        state, tread = self.soles.state, self.soles.tread
        return {
            "soil": {name: state[name].copy() for name in soil.STATE.fields or ()},
            "tread": {name: tread[name].copy() for name in TREAD.fields or ()},
            "prints": self.prints.snapshot(),
            "load": self.load.copy(),
        }

    def restore(self, saved: dict[str, Any]) -> None:
        """Go on from a snapshot; `set` to the same surfaces comes first."""
        for name, values in saved["soil"].items():
            self.soles.state[name] = values
        for name, values in saved["tread"].items():
            self.soles.tread[name] = values
        self.prints.restore(saved["prints"])
        self.load[:] = saved["load"]


@kernel
def _look(
    start: int,
    stop: int,
    soles: Soles,
    worlds: Any,
    origin: Any,
    turn: Any,
    places: Any,
    heights: Heights,
    cover: Cover,
    seeds: Any,
    times: Any,
    sets: Any,
    oldest: Any,
) -> None:
    for i in range(start, stop):
        w = worlds[i]
        rows, seed, time = cover.parameters[w], seeds[w], times[w]
        for f in range(origin.shape[1]):
            element_places(soles, f, origin[i, f], turn[i, f], places[i, f])
            meet(soles, w, f, origin[i, f], places[i, f], heights, cover, seed)
            at = turn[i, f], places[i, f]
            leave_prints(soles, w, f, *at, rows, sets[w], oldest[w], time)
        for f in range(origin.shape[1]):  # what the other foot pressed just now, too
            find_prints(soles, w, f, turn[i, f], places[i, f], rows, sets[w], time, seed)


@kernel
def _push(
    start: int,
    stop: int,
    soles: Soles,
    worlds: Any,
    origin: Any,
    turn: Any,
    spin: Any,
    linear: Any,
    wrench: Any,
) -> None:
    for i in range(start, stop):
        for f in range(origin.shape[1]):
            twist = spin[i, f], linear[i, f]
            push(soles, worlds[i], f, origin[i, f], turn[i, f], *twist, wrench[i, f])


@kernel
def _set_down(
    start: int, stop: int, soles: Soles, worlds: Any, load: Any, preload: float, depth: Any
) -> None:
    for i in range(start, stop):
        depth[i] = set_down(soles, worlds[i], load[i], preload)
