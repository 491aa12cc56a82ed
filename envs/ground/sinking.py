"""Soles on ground that gives: where each element is, what the soil does to it, the wrench.

A sole is a grid of ALONG x ACROSS elements. Once per control step the ground under every element is
looked up (height, normal, material, grains, old prints); within the physics steps it goes on along
its tangent, and the law of `grek.envs.ground.soil` turns sinkage and velocity into stress. The sum
goes to the engine as a wrench on the foot. Poses must be current when that happens: forces from
poses one step old make a foot tumble.

Worlds hold their elements in rows (worlds, feet * ELEMENTS), as they are looked up and reset. The
law works on soles in columns, (ELEMENTS, soles), s = feet * m soles of m worlds: a quantity of all
soles is then contiguous.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from grek.envs.ground import materials, soil
from grek.envs.ground.footprints import Footprints
from grek.envs.ground.soil import Single, SoilState
from grek.envs.ground.stones import loose_stones
from grek.envs.ground.stones import relief as stones_relief
from grek.envs.ground.surface import Ground, Surface
from grek.envs.robots import Foot, Robot
from grek.envs.vectors import Array

ALONG, ACROSS = 4, 3  # elements of a sole
ELEMENTS = ALONG * ACROSS
LOADED = 5.0  # a foot counts as on the ground above this force [N]
PRINT = 0.01  # an element leaves its print this far before and behind its centre [m]
_DEPTH, _RECOVERY, _GRAIN, _RELIEF, _LOOSE = (
    materials.index(name)
    for name in ("depth", "recovery_time", "grain", "relief", "collapse_share")
)


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


def sole_elements(foot: Foot) -> tuple[Array, Array]:
    """Places of the rows (ALONG,) and columns (ACROSS,) of elements in the foot frame [m]."""
    (length, width), (x, y, _) = foot.sole_size, foot.sole_centre
    along = x + length * ((np.arange(ALONG) + 0.5) / ALONG - 0.5)
    across = y + width * ((np.arange(ACROSS) + 0.5) / ACROSS - 0.5)
    return along, across


@dataclass
class Footing:
    """The ground under the soles of m worlds for a control step; s soles, e elements."""

    worlds: NDArray[np.int64]
    """(m,)"""
    frame: Array
    """Of the ground under each foot, rows x, y and the normal (3, 3, s)."""
    origin: Array
    """Of each foot when it looked (3, s) [m]."""
    gap: Single
    """How far the ground under each element lay above the foot's origin then (e, s) [m]."""
    law: Single
    """`soil.coefficients` of the ground under each element (C, e or 1, s)."""
    state: SoilState
    """Of the elements (e, s)."""
    timestep: Single
    """(s,) [s]"""


class Sinking:
    """The soles of all worlds on the ground that gives; rigid worlds never come here."""

    def __init__(self, robot: Robot, ground: Ground, feet: Feet) -> None:
        worlds, count = len(ground.wet), len(robot.feet)
        self.ground = ground
        self.prints = Footprints(worlds)
        self.load = np.zeros((worlds, count))  # force along the normal on each foot [N]
        self.soft = np.zeros(worlds, bool)
        self._stony = np.zeros(worlds, bool)
        self._seed = np.zeros((worlds, 1), np.int64)  # of the stones
        self._feet, self._count, self._mass = feet, count, robot.sole_mass
        along, across = zip(*(sole_elements(foot) for foot in robot.feet), strict=True)
        self._along, self._across = np.stack(along, 1), np.stack(across, 1)  # (elements, feet)
        self._below = np.array([foot.sole_centre[2] for foot in robot.feet])
        areas = [foot.sole_size[0] * foot.sole_size[1] / ELEMENTS for foot in robot.feet]
        self._area = np.array(areas, np.float32)  # of an element (feet,) [m^2]
        self._state = SoilState.untouched(worlds, count * ELEMENTS)
        law = soil.coefficients(ground.parameters[0], 0.005, self._mass)  # (C, slots)
        self._slots = np.zeros((worlds, *law.shape), np.float32)
        self._timestep = np.zeros(worlds, np.float32)

    def set(self, worlds: NDArray, surfaces: Sequence[Surface], timesteps: Sequence[float]) -> None:
        """Lay `surfaces` in `worlds` (m,), untouched, for physics steps of `timesteps` [s]."""
        rows = self.ground.parameters[worlds]  # (m, slots, P)
        self.load[worlds] = 0
        self.soft[worlds] = soft = (rows[..., _DEPTH] > 0).any(1)
        if not soft.any():
            return
        self._stony[worlds] = (rows[..., _RELIEF] > 0).any(1)
        self._seed[worlds, 0] = [surface.seed for surface in surfaces]
        self._timestep[worlds] = timesteps
        law = soil.coefficients(rows, np.array(timesteps)[:, None], self._mass)
        self._slots[worlds] = np.moveaxis(law, 0, 1)
        self._state.forget(worlds)
        self.prints.reset(worlds[soft])

    def look(self, worlds: NDArray) -> Footing:
        """Look up the ground under the elements of `worlds` (m,), and remember prints."""
        m, ground = len(worlds), self.ground
        origin, rotation = (_columns(v) for v in self._feet.foot_pose(worlds))  # (3, s), (3, 3, s)
        points = origin[:, None] + _spread(*self._place(rotation))  # (3, e, s)
        xy = np.stack([self._by_world(points[0]), self._by_world(points[1])], 2)  # (m, elements, 2)
        slot = ground.slot(xy, worlds)
        height, normal = ground.terrain.height_and_normal(xy, worlds)
        stony = np.flatnonzero(self._stony[worlds])
        if len(stony):
            stones = worlds[stony], xy[stony], slot[stony]
            height[stony] += self._stones(stones_relief, _RELIEF, *stones)
        mean = np.einsum("sek->sk", normal.reshape(-1, ELEMENTS, 3))
        frame = frames(mean).transpose(1, 2, 0).copy()  # (3, 3, s)
        rise = _by_sole(height) - points[2]
        away = points - origin[:, None]
        away[2] += rise  # from the foot to the ground under the element
        gap = (frame[2, :, None] * away).sum(0)
        # A sole that is down carries its print along; one in the air meets what others left.
        down = self._by_world(rise > 0)
        ahead = np.repeat(PRINT * rotation[:2, 0].T.reshape(m, -1, 2), ELEMENTS, 1)
        depth = self._state.pressed[worlds] + self._state.drop[worlds]
        ends = np.concatenate([xy - ahead, xy + ahead], 1)
        time = self._feet.time[worlds]
        self.prints.write(worlds, ends, np.tile(depth, 2), np.tile(down, 2), time)
        row, element = np.nonzero(~down)
        which = worlds[row]
        self._state.forget(which, element)
        if len(stony):
            loose = self._stones(loose_stones, _LOOSE, *stones)
            self._state.loose[stones[0]] = np.where(
                down[stony], self._state.loose[stones[0]], loose
            )
        old = self.print_depth(which, xy[row, element, None], slot[row, element, None])
        self._state.pressed[which, element] = old[:, 0]
        law = self._of_soles(self._slots[worlds].transpose(1, 2, 0))  # (C, slots, s)
        second = _by_sole(slot) > 0
        return Footing(
            worlds,
            frame,
            origin,
            gap.astype(np.float32),
            np.where(second, law[:, 1, None], law[:, 0, None]) if second.any() else law[:, 0, None],
            SoilState(*(_by_sole(v[..., worlds, :]) for v in self._state.arrays())),
            self._of_soles(self._timestep[worlds]),
        )

    def print_depth(self, worlds: NDArray, xy: Array, slot: NDArray) -> NDArray[np.float32]:
        """How deep old prints are now (m, k) [m], at xy (m, k, 2) of `worlds` (m,).

        `slot` (m, k) is from `Ground.slot`: a print in a pile fades.
        """
        recovery = self.ground.parameter(_RECOVERY, slot, worlds)
        return self.prints.read(worlds, xy, self._feet.time[worlds], recovery)

    def leave(self, footing: Footing) -> None:
        """Remember what the soles did to the ground of `footing`."""
        for kept, now in zip(self._state.arrays(), footing.state.arrays(), strict=True):
            kept[..., footing.worlds, :] = self._by_world(now)

    def _stones(
        self,
        question: Callable[..., NDArray],
        parameter: int,
        worlds: NDArray,
        xy: Array,
        slot: NDArray,
    ) -> NDArray:
        """What `question` of grek.envs.ground.stones says at xy (m, e, 2) of `worlds` (m,)."""
        grain, value = (self.ground.parameter(p, slot, worlds) for p in (_GRAIN, parameter))
        return question(xy, grain, value, self._seed[worlds])

    def push(self, footing: Footing) -> None:
        """Write the wrench of the ground on the feet for the next physics step.

        All in the frame of the ground under each foot, relative to the foot's origin. Elements lie
        in a grid, and place and velocity are linear in it: rows and columns are turned, not points.
        """
        worlds, frame = footing.worlds, footing.frame
        where, rotation = self._feet.foot_pose(worlds)
        origin = _columns(where)
        spin, linear = (
            _turn(frame, _columns(v)).astype(np.float32)[:, None]
            for v in self._feet.foot_twist(worlds, where)
        )
        turned = np.einsum("ijs,jks->iks", frame, _columns(rotation))
        rows, columns = self._place(turned.astype(np.float32))
        place = _spread(rows, columns)  # (3, e, s)
        velocity = _spread(_cross(spin, rows), _cross(spin, columns) + linear)
        lift = (frame[2] * (origin - footing.origin)).sum(0).astype(np.float32)
        traction = soil.soil_traction(
            footing.law,
            (footing.gap - lift) - place[2],
            np.moveaxis(velocity, 0, -1),
            footing.state,
            footing.timestep,
            self._mass,
        )
        force = np.moveaxis(traction, -1, 0) * np.tile(self._area, len(worlds))  # (3, e, s)
        total, moment = force.sum(1), _cross(place, force).sum(1)  # (3, s)
        self.load[worlds] = total[2].reshape(-1, self._count)
        back = frame.swapaxes(0, 1)
        total, moment = (_turn(back, v).T.reshape(-1, self._count, 3) for v in (total, moment))
        self._feet.push_feet(worlds, where, total, moment)

    def snapshot(self) -> dict[str, Any]:
        """What `restore` needs to go on from here, given the same surfaces."""
        soil_state = {f.name: getattr(self._state, f.name).copy() for f in fields(SoilState)}
        return {"soil": soil_state, "prints": self.prints.snapshot(), "load": self.load.copy()}

    def restore(self, saved: dict[str, Any]) -> None:
        """Go on from a snapshot; `set` to the same surfaces comes first."""
        for name, values in saved["soil"].items():
            getattr(self._state, name)[:] = values
        self.prints.restore(saved["prints"])
        self.load[:] = saved["load"]

    def _place(self, rotation: NDArray) -> tuple[NDArray, NDArray]:
        """Rows (3, ALONG, s) and columns (3, ACROSS, s) of elements, feet turned by `rotation` [m].

        `rotation` (3, 3, s) is foot to frame; a place is the sum of a row and a column.
        """
        x, y, z = rotation.swapaxes(0, 1)[:, :, None]
        m = rotation.shape[-1] // self._count
        along, across, below = (
            np.tile(v.astype(rotation.dtype), m) for v in (self._along, self._across, self._below)
        )
        return x * along, y * across + z * below

    def _of_soles(self, values: NDArray) -> NDArray:
        """Values of worlds (..., m), for each of their soles (..., s)."""
        return np.repeat(values, self._count, -1)

    def _by_world(self, values: NDArray) -> NDArray:
        """(..., ELEMENTS, s) of soles as (..., m, feet * ELEMENTS) of worlds."""
        turned = values.swapaxes(-1, -2)
        return turned.reshape(*turned.shape[:-2], -1, self._count * ELEMENTS)


def _columns(values: Array) -> Array:
    """(m, feet, ...) of worlds as (..., s) of soles."""
    return np.moveaxis(values.reshape(-1, *values.shape[2:]), 0, -1).copy()


def _by_sole(values: NDArray) -> NDArray:
    """(..., m, feet * ELEMENTS) of worlds as (..., ELEMENTS, s) of soles."""
    return values.reshape(*values.shape[:-2], -1, ELEMENTS).swapaxes(-1, -2).copy()


def _spread(rows: NDArray, columns: NDArray) -> NDArray:
    """Sum of a vector for each row (3, ALONG, s) and column (3, ACROSS, s): (3, e, s)."""
    return (rows[:, :, None] + columns[:, None]).reshape(3, ELEMENTS, -1)


def _turn(matrix: Array, vector: Array) -> Array:
    """Matrix (3, 3, s) times vector (3, s)."""
    return np.einsum("ijs,js->is", matrix, vector)


def _cross(a: NDArray, b: NDArray) -> NDArray:
    """Cross product over the first axis (3, ...)."""
    out = np.empty(np.broadcast_shapes(a.shape, b.shape), a.dtype)
    for i, j, k in ((0, 1, 2), (1, 2, 0), (2, 0, 1)):
        np.multiply(a[j], b[k], out=out[i])
        out[i] -= a[k] * b[j]
    return out


def frames(normal: Array) -> Array:
    """Rotations (..., 3, 3): rows are two tangents, x ahead, and the unit `normal` (..., 3)."""
    normal = normal / np.sqrt((normal**2).sum(-1, keepdims=True))
    x = np.zeros_like(normal)
    x[..., 0], x[..., 2] = normal[..., 2], -normal[..., 0]
    x /= np.sqrt((x**2).sum(-1, keepdims=True))
    return np.stack([x, np.cross(normal, x), normal], -2)
