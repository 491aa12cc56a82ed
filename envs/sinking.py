"""Soles on ground that gives: where each element is, what the soil does to it, the wrench.

A sole is a grid of elements. Once per control step the ground under every element is looked up
(height, normal, material, grains, old prints); within the physics steps it goes on along its
tangent, and the soil law of `grek.envs.soil` turns sinkage and velocity into stress. The sum goes
to MuJoCo as a wrench on the foot. Poses must be current when that happens: forces from poses one
step old make a foot tumble.
"""

from collections.abc import Callable
from dataclasses import fields
from typing import Any

import numpy as np
from mujoco.batch import Batch
from numpy.typing import NDArray

from grek.envs import materials, soil
from grek.envs.footprints import Footprints
from grek.envs.ground import Ground
from grek.envs.robot import Array, Layout
from grek.envs.scenario import Surface
from grek.envs.soil import SOLE_MASS, SoilState
from grek.envs.stones import loose_stones
from grek.envs.stones import relief as stones_relief

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
        self._elements = sole_elements()
        self._xpos, self._xmat = batch.bind("xpos"), batch.bind("xmat")
        self._xipos, self._cvel = batch.bind("xipos"), batch.bind("cvel")
        self._centre, self._wrench = batch.bind("subtree_com"), batch.bind("xfrc_applied")
        self._time = batch.bind("time")
        n = 2 * ELEMENTS
        self._state = SoilState.untouched(worlds, n)
        shape = soil.coefficients(ground.parameters[0], 0.005, SOLE_MASS).shape  # (C, slots)
        self._slots = np.zeros((worlds, *shape), np.float32)
        self._law = np.zeros((shape[0], worlds, n), np.float32)
        self._level = np.zeros((worlds, n))  # of the surface, along the normal of the frame [m]
        self._frame = np.zeros((worlds, 2, 3, 3))  # of the ground under each foot, rows x, y, z
        self._dt = np.zeros((worlds, 1), np.float32)

    def set(self, world: int, surface: Surface, timestep: float) -> None:
        """Lay `surface` in `world`, untouched, for physics steps of `timestep` [s]."""
        rows = self.ground.parameters[world]
        self.soft[world] = bool((rows[:, _DEPTH] > 0).any())
        self.load[world] = 0
        if not self.soft[world]:
            return
        self._stony[world] = bool((rows[:, _RELIEF] > 0).any())
        self._seed[world] = surface.seed
        self._slots[world] = soil.coefficients(rows, timestep, SOLE_MASS)
        self._dt[world] = timestep
        self._state.forget(world)
        self.prints.reset(np.array([world]))

    def look(self, worlds: NDArray) -> None:
        """Look up the ground under the elements of `worlds` (m,), and remember prints."""
        points = self._points(worlds)
        xy = points[..., :2]
        slot = self.ground.slot(xy, worlds)
        height, normal = self.ground.terrain.height_and_normal(xy, worlds)
        stony = np.flatnonzero(self._stony[worlds])
        if len(stony):
            stones = worlds[stony], xy[stony], slot[stony]
            height[stony] += self._stones(stones_relief, _RELIEF, *stones)
        self._frame[worlds] = frames(normal.reshape(len(worlds), 2, ELEMENTS, 3).mean(2))
        up = np.repeat(self._frame[worlds, :, 2], ELEMENTS, 1)  # (m, 2 * ELEMENTS, 3)
        surface = np.concatenate([xy, height[..., None]], 2)
        self._level[worlds] = level = (surface * up).sum(2)
        self._law[:, worlds] = np.moveaxis(
            np.take_along_axis(self._slots[worlds], slot[:, None], 2), 1, 0
        )
        # A sole that is down carries its print along; one in the air meets what others left.
        state, down = self._state, (points * up).sum(2) < level
        ahead = np.take(self._xmat[worlds], self._parts.feet, 1)[..., [0, 3]]  # x axes, level part
        ahead = np.repeat(ahead * PRINT, ELEMENTS, 1)
        depth, time = state.pressed[worlds] + state.drop[worlds], self._time[worlds]
        for side in (-1, 1):
            self.prints.write(worlds, xy + side * ahead, depth, down, time)
        row, element = np.nonzero(~down)
        state.forget(worlds[row], element)
        if len(stony):
            loose = self._stones(loose_stones, _LOOSE, *stones)
            state.loose[stones[0]] = np.where(down[stony], state.loose[stones[0]], loose)
        state.pressed[worlds[row], element] = self.print_depth(worlds, xy, slot)[row, element]

    def print_depth(self, worlds: NDArray, xy: Array, slot: NDArray) -> Array:
        """How deep old prints are now (m, k) [m], at xy (m, k, 2) of `worlds` (m,).

        `slot` (m, k) is from `Ground.slot`: a print in a pile fades.
        """
        recovery = self.ground.parameter(_RECOVERY, slot, worlds)
        return self.prints.read(worlds, xy, self._time[worlds], recovery)

    def _stones(
        self,
        question: Callable[..., NDArray],
        parameter: int,
        worlds: NDArray,
        xy: Array,
        slot: NDArray,
    ) -> NDArray:
        """What `question` of grek.envs.stones says at xy (m, e, 2) of `worlds` (m,)."""
        grain, value = (self.ground.parameter(p, slot, worlds) for p in (_GRAIN, parameter))
        return question(xy, grain, value, self._seed[worlds])

    def push(self, worlds: NDArray) -> None:
        """Write the wrench of the ground on the feet of `worlds` (m,) for the next physics step.

        All in the frame of the ground under each foot, relative to the foot's origin: components
        before elements, so that every pass runs over contiguous rows.
        """
        m, feet, torso = len(worlds), self._parts.feet, self._parts.torso
        frame = self._frame[worlds]  # (m, 2, 3, 3)
        origin = np.take(self._xpos[worlds], feet, 1)  # (m, 2, 3)
        rotation = np.take(self._xmat[worlds], feet, 1).reshape(m, 2, 3, 3)
        place = (frame @ rotation) @ self._elements.T  # (m, 2, 3, ELEMENTS)
        twist = np.take(self._cvel[worlds], feet, 1)  # angular, then linear at the subtree's centre
        arm = origin - self._centre[worlds, torso][:, None]
        linear = _turn(frame, twist[..., 3:] + np.cross(twist[..., :3], arm))
        velocity = linear[..., None] + _cross(_turn(frame, twist[..., :3])[..., None], place)
        height = (frame[..., 2, :] * origin).sum(-1)[..., None] + place[..., 2, :]
        traction = soil.soil_traction(
            self._law[:, worlds],
            (self._level[worlds].reshape(m, 2, ELEMENTS) - height).reshape(m, -1),
            velocity.swapaxes(2, 3).reshape(m, -1, 3),
            self._state,
            self._dt[worlds],
            SOLE_MASS,
            worlds,
        )
        force = traction.reshape(m, 2, ELEMENTS, 3).swapaxes(2, 3) * AREA  # (m, 2, 3, ELEMENTS)
        total, moment = force.sum(3), _cross(place, force).sum(3)
        self.load[worlds] = total[..., 2]
        back = frame.swapaxes(2, 3)
        total, moment = _turn(back, total), _turn(back, moment)
        moment -= np.cross(np.take(self._xipos[worlds], feet, 1) - origin, total)
        self._wrench[np.ix_(worlds, feet)] = np.concatenate([total, moment], -1)

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

    def _points(self, worlds: NDArray) -> Array:
        """Where the elements are now (m, 2 * ELEMENTS, 3) [m]."""
        feet, m = self._parts.feet, len(worlds)
        rotation = np.take(self._xmat[worlds], feet, 1).reshape(m, 2, 3, 3)
        position = np.take(self._xpos[worlds], feet, 1)[:, :, None]
        return (position + self._elements @ rotation.swapaxes(2, 3)).reshape(m, -1, 3)


def _turn(rotation: Array, vector: Array) -> Array:
    """rotation (..., 3, 3) times vector (..., 3)."""
    return (rotation @ vector[..., None])[..., 0]


def _cross(a: NDArray, b: NDArray) -> NDArray:
    """Cross product over the axis before the last, (..., 3, k)."""
    (ax, ay, az), (bx, by, bz) = ((v[..., 0, :], v[..., 1, :], v[..., 2, :]) for v in (a, b))
    return np.stack([ay * bz - az * by, az * bx - ax * bz, ax * by - ay * bx], -2)


def frames(normal: Array) -> Array:
    """Rotations (..., 3, 3): rows are two tangents, x ahead, and the unit `normal` (..., 3)."""
    normal = normal / np.sqrt((normal**2).sum(-1, keepdims=True))
    x = np.zeros_like(normal)
    x[..., 0], x[..., 2] = normal[..., 2], -normal[..., 0]
    x /= np.sqrt((x**2).sum(-1, keepdims=True))
    return np.stack([x, np.cross(normal, x), normal], -2)
