"""Soles on ground that gives: where each element is, what the soil does to it, the wrench.

A sole is a grid of elements. Once per control step the ground under every element is looked up
(height, normal, material, grains, old prints); within the physics steps it goes on along its
tangent, and the law of `grek.envs.ground.soil` turns sinkage and velocity into stress. The sum goes
to MuJoCo as a wrench on the foot. Poses must be current when that happens: forces from poses one
step old make a foot tumble.

Worlds hold their elements in rows (worlds, 24), as they are asked for and reset. The law works on
soles in columns, (12, soles): a quantity of a sole is then a contiguous row, and a pass over all
elements runs over contiguous memory.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from mujoco.batch import Batch
from numpy.typing import NDArray

from grek.envs.ground import materials, soil
from grek.envs.ground.footprints import Footprints
from grek.envs.ground.soil import SOLE_MASS, Single, SoilState
from grek.envs.ground.stones import loose_stones
from grek.envs.ground.stones import relief as stones_relief
from grek.envs.ground.surface import Ground
from grek.envs.robots.robot import Array, Layout
from grek.envs.scenarios.scenario import Surface

LENGTH, WIDTH = 0.16, 0.08  # of a sole [m]
ALONG, ACROSS = 4, 3  # elements of a sole
ELEMENTS = ALONG * ACROSS
AREA = LENGTH * WIDTH / ELEMENTS  # of an element [m^2]
LOADED = 5.0  # a foot counts as on the ground above this force [N]
PRINT = 0.01  # an element leaves its print this far before and behind its centre [m]
_DEPTH, _RECOVERY, _GRAIN, _RELIEF, _LOOSE = (
    materials.index(name)
    for name in ("depth", "recovery_time", "grain", "relief", "collapse_share")
)


def sole_elements() -> Array:
    """Centres of a sole's elements in the foot frame (ELEMENTS, 3) [m]."""
    x = 0.0225 + LENGTH * ((np.arange(ALONG) + 0.5) / ALONG - 0.5)
    y = WIDTH * ((np.arange(ACROSS) + 0.5) / ACROSS - 0.5)
    grid = np.stack(np.meshgrid(x, y, [-0.070], indexing="ij"), -1)
    return grid.reshape(ELEMENTS, 3)


@dataclass
class Footing:
    """The ground under the soles of some worlds for a control step; s = 2 m soles, e elements."""

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

    def __init__(self, batch: Batch, parts: Layout, ground: Ground) -> None:
        worlds = batch.nsim
        self.ground = ground
        self.prints = Footprints(worlds)
        self.load = np.zeros((worlds, 2))  # force along the normal on each foot [N]
        self.soft = np.zeros(worlds, bool)
        self._stony = np.zeros(worlds, bool)
        self._seed = np.zeros((worlds, 1), np.int64)  # of the stones
        self._parts = parts
        x, y, z = sole_elements().reshape(ALONG, ACROSS, 3).transpose(2, 0, 1)
        self._along, self._across, self._below = x[:, :1], y[0, :, None], float(z[0, 0])
        self._xpos, self._xmat = batch.bind("xpos"), batch.bind("xmat")
        self._xipos, self._cvel = batch.bind("xipos"), batch.bind("cvel")
        self._centre, self._wrench = batch.bind("subtree_com"), batch.bind("xfrc_applied")
        self._time = batch.bind("time")
        self._state = SoilState.untouched(worlds, 2 * ELEMENTS)
        law = soil.coefficients(ground.parameters[0], 0.005, SOLE_MASS)  # (C, slots)
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
        law = soil.coefficients(rows, np.array(timesteps)[:, None], SOLE_MASS)
        self._slots[worlds] = np.moveaxis(law, 0, 1)
        self._state.forget(worlds)
        self.prints.reset(worlds[soft])

    def look(self, worlds: NDArray) -> Footing:
        """Look up the ground under the elements of `worlds` (m,), and remember prints."""
        m, ground = len(worlds), self.ground
        origin, rotation = self._origin(worlds), self._rotation(worlds)
        points = origin[:, None] + _spread(*self._place(rotation))  # (3, e, s)
        xy = np.stack([_by_world(points[0]), _by_world(points[1])], 2)  # (m, 2 * ELEMENTS, 2)
        slot = ground.slot(xy, worlds)
        height, normal = ground.terrain.height_and_normal(xy, worlds)
        stony = np.flatnonzero(self._stony[worlds])
        if len(stony):
            stones = worlds[stony], xy[stony], slot[stony]
            height[stony] += self._stones(stones_relief, _RELIEF, *stones)
        mean = np.einsum("sek->sk", normal.reshape(2 * m, ELEMENTS, 3))
        frame = frames(mean).transpose(1, 2, 0).copy()  # (3, 3, s)
        rise = _by_sole(height) - points[2]
        away = points - origin[:, None]
        away[2] += rise  # from the foot to the ground under the element
        gap = (frame[2, :, None] * away).sum(0)
        # A sole that is down carries its print along; one in the air meets what others left.
        down = _by_world(rise > 0)
        ahead = np.repeat(PRINT * rotation[:2, 0].T.reshape(m, 2, 2), ELEMENTS, 1)
        depth = self._state.pressed[worlds] + self._state.drop[worlds]
        ends = np.concatenate([xy - ahead, xy + ahead], 1)
        time = self._time[worlds]
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
        law = _of_soles(self._slots[worlds].transpose(1, 2, 0))[..., None, :]  # (C, slots, 1, s)
        second = _by_sole(slot) > 0
        return Footing(
            worlds,
            frame,
            origin,
            gap.astype(np.float32),
            np.where(second, law[:, 1], law[:, 0]) if second.any() else law[:, 0],
            SoilState(*(_by_sole(v[..., worlds, :]) for v in self._state.arrays())),
            _of_soles(self._timestep[worlds]),
        )

    def print_depth(self, worlds: NDArray, xy: Array, slot: NDArray) -> NDArray[np.float32]:
        """How deep old prints are now (m, k) [m], at xy (m, k, 2) of `worlds` (m,).

        `slot` (m, k) is from `Ground.slot`: a print in a pile fades.
        """
        recovery = self.ground.parameter(_RECOVERY, slot, worlds)
        return self.prints.read(worlds, xy, self._time[worlds], recovery)

    def leave(self, footing: Footing) -> None:
        """Remember what the soles did to the ground of `footing`."""
        for kept, now in zip(self._state.arrays(), footing.state.arrays(), strict=True):
            kept[..., footing.worlds, :] = _by_world(now)

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
        worlds, frame, torso = footing.worlds, footing.frame, self._parts.torso
        feet = worlds[:, None], self._parts.feet
        origin = self._origin(worlds)
        spin, linear = self._cvel[feet].reshape(-1, 2, 3).transpose(1, 2, 0)  # at the centre
        linear = linear + _cross(spin, origin - _of_soles(self._centre[worlds, torso].T))
        spin, linear = (_turn(frame, v).astype(np.float32)[:, None] for v in (spin, linear))
        turned = np.einsum("ijs,jks->iks", frame, self._rotation(worlds))
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
            SOLE_MASS,
        )
        force = np.moveaxis(traction, -1, 0) * np.float32(AREA)  # (3, e, s)
        total, moment = force.sum(1), _cross(place, force).sum(1)  # (3, s)
        self.load[worlds] = total[2].reshape(-1, 2)
        back = frame.swapaxes(0, 1)
        total, moment = _turn(back, total), _turn(back, moment)
        moment -= _cross(self._xipos[feet].reshape(-1, 3).T - origin, total)
        self._wrench[feet] = np.concatenate([total, moment]).T.reshape(-1, 2, 6)

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

    def _origin(self, worlds: NDArray) -> Array:
        """Where the feet are now (3, s) [m]."""
        return self._xpos[worlds[:, None], self._parts.feet].reshape(-1, 3).T.copy()

    def _rotation(self, worlds: NDArray) -> Array:
        """Of the feet now, foot to world (3, 3, s)."""
        xmat = self._xmat[worlds[:, None], self._parts.feet]
        return xmat.reshape(-1, 3, 3).transpose(1, 2, 0).copy()

    def _place(self, rotation: NDArray) -> tuple[NDArray, NDArray]:
        """Rows (3, ALONG, s) and columns (3, ACROSS, s) of the elements of feet so turned [m]."""
        x, y, z = rotation.swapaxes(0, 1)[:, :, None]
        along, across = (v.astype(rotation.dtype) for v in (self._along, self._across))
        return x * along, y * across + z * self._below


def _of_soles(values: NDArray) -> NDArray:
    """What worlds have (..., m), for each of their soles (..., 2 m)."""
    return np.repeat(values, 2, -1)


def _by_sole(values: NDArray) -> NDArray:
    """(..., m, 2 * ELEMENTS) of worlds as (..., ELEMENTS, 2 m) of soles."""
    return values.reshape(*values.shape[:-2], -1, ELEMENTS).swapaxes(-1, -2).copy()


def _by_world(values: NDArray) -> NDArray:
    """(..., ELEMENTS, 2 m) of soles as (..., m, 2 * ELEMENTS) of worlds."""
    turned = values.swapaxes(-1, -2)
    return turned.reshape(*turned.shape[:-2], -1, 2 * ELEMENTS)


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
