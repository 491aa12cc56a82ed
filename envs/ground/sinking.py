"""Soles on ground that gives: where each element is, what the soil does to it, the wrench.

A sole is a grid of ALONG x ACROSS elements. Once per control step the ground under every element is
looked up (height, normal, material, stones, old prints); within the physics steps it goes on along
its tangent, and the law of `grek.envs.ground.soil` turns sinkage and velocity into stress. The sum
goes to the engine as a wrench on the foot. Poses must be current when that happens: forces from
poses one step old make a foot tumble.

Each is one compiled pass over worlds, a sole at a time; soles in the air are left early.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from grek.envs.ground import materials, soil
from grek.envs.ground.footprints import CELL, Footprints, press, print_depth
from grek.envs.ground.kernels import Workers, kernel
from grek.envs.ground.soil import bulldozed, element_traction, resting_pressure
from grek.envs.ground.stones import is_loose, stone
from grek.envs.ground.surface import Ground, Surface
from grek.envs.robots import Foot, Robot
from grek.envs.vectors import Array

ALONG, ACROSS = 4, 3  # elements of a sole
ELEMENTS = ALONG * ACROSS
LOADED = 5.0  # a foot counts as on the ground above this force [N]
PRINT = 0.01  # an element leaves its print this far before and behind its centre [m]
ALOFT = 0.02  # above this height an element meets no wall within a control step [m]
BEYOND = 0.02, 0.015  # the ground before and beside an edge is looked up this far from it [m]
_DEPTH, _RECOVERY, _GRAIN, _RELIEF, _LOOSE = (
    materials.index(name)
    for name in ("depth", "recovery_time", "grain", "relief", "collapse_share")
)

UNDER = np.dtype(
    [
        ("gap", np.float64),  # how far the ground lay above the foot's origin at the look [m]
        ("slope_x", np.float64),  # of the stones there, in the frame of the ground [-]
        ("slope_y", np.float64),
        ("x", np.float64),  # place relative to the foot's origin then, in that frame [m]
        ("y", np.float64),
        ("z", np.float64),
        ("slot", np.int64),  # of the material
    ],
    align=True,
)
"""The ground under an element for a control step."""

TREAD = np.dtype(
    [
        ("x", np.float64),  # [m]; not a number on ground that the element was put on
        ("y", np.float64),
        ("depth", np.float64),  # of the print that it left there [m]
        ("before", np.float64),  # of the print beyond the front or rear edge [m]
        ("beside", np.float64),  # of the print beyond the left or right edge [m]
    ]
)
"""Place at which an element last met the ground; half a cell of prints further it does anew."""


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


class Sole(NamedTuple):
    """Elements of all soles, each a sum of a place along and one across, in the foot frame."""

    along: Array
    """(feet, ALONG) [m]"""
    across: Array
    """(feet, ACROSS) [m]"""
    below: Array
    """Height of the sole (feet,) [m]."""


@dataclass
class Footing:
    """The ground under the soles of m worlds for a control step."""

    worlds: NDArray[np.int64]
    """(m,)"""
    frame: Array
    """Of the ground under each foot, rows x, y and the normal (m, feet, 3, 3)."""
    origin: Array
    """Of each foot when it looked (m, feet, 3) [m]."""
    under: NDArray[np.void]
    """Records of UNDER (m, feet, ELEMENTS)."""
    law: NDArray[np.void]
    """Records of `soil.LAW` (m, slots)."""
    state: NDArray[np.void]
    """Records of `soil.STATE` (m, feet, ELEMENTS)."""


class Sinking:
    """The soles of all worlds on the ground that gives; rigid worlds never come here."""

    def __init__(self, robot: Robot, ground: Ground, feet: Feet, threads: int = 1) -> None:
        worlds, count = len(ground.wet), len(robot.feet)
        self.ground = ground
        self.prints = Footprints(worlds)
        self.load = np.zeros((worlds, count))  # force along the normal on each foot [N]
        self.soft = np.zeros(worlds, bool)
        self._workers = Workers(threads)
        self._seed = np.zeros(worlds, np.int64)  # of the stones
        self._feet, self._mass = feet, robot.sole_mass
        along, across = zip(*(sole_elements(foot) for foot in robot.feet), strict=True)
        self._sole = Sole(
            np.stack(along),
            np.stack(across),
            np.array([foot.sole_centre[2] for foot in robot.feet]),
        )
        self._state = soil.untouched(worlds, count, ELEMENTS)
        self._tread = np.zeros((worlds, count, ELEMENTS), TREAD)
        self._law = soil.coefficients(ground.parameters, 0.005, self._mass)  # (worlds, slots)

    def set(self, worlds: NDArray, surfaces: Sequence[Surface], timesteps: Sequence[float]) -> None:
        """Lay `surfaces` in `worlds` (m,), untouched, for physics steps of `timesteps` [s]."""
        rows = self.ground.parameters[worlds]  # (m, slots, P)
        self.load[worlds] = 0
        self.soft[worlds] = soft = (rows[..., _DEPTH] > 0).any(1)
        if not soft.any():
            return
        self._seed[worlds] = [surface.seed for surface in surfaces]
        self._law[worlds] = soil.coefficients(rows, np.array(timesteps)[:, None], self._mass)
        self._state[worlds] = 0
        self._tread[worlds] = (np.nan, np.nan, 0, 0, 0)
        self.prints.reset(worlds[soft])

    def look(self, worlds: NDArray) -> Footing:
        """Look up the ground under the elements of `worlds` (m,), and remember prints."""
        m, feet = len(worlds), len(self._sole.below)
        origin, rotation = self._feet.foot_pose(worlds)
        points = np.empty((m, feet * ELEMENTS, 3))
        self._workers.run(_points, m, origin, rotation, self._sole, points)
        slot = self.ground.slot(points[..., :2], worlds)
        height, normal = self.ground.terrain.height_and_normal(points[..., :2], worlds)
        shape = m, feet, ELEMENTS
        footing = Footing(
            worlds,
            np.empty((m, feet, 3, 3)),
            origin,
            np.empty(shape, UNDER),
            self._law[worlds],
            self._state[worlds],
        )
        self._workers.run(
            _meet,
            m,
            worlds,
            origin,
            rotation,
            self._sole,
            points.reshape(*shape, 3),
            slot.reshape(shape),
            height.reshape(shape),
            normal.reshape(*shape, 3),
            self.ground.parameters,
            self._seed,
            self._feet.time,
            self.prints.sets,
            self.prints.oldest,
            footing.law,
            footing.frame,
            footing.under,
            footing.state,
            self._tread,
        )
        return footing

    def print_depth(self, worlds: NDArray, xy: Array, slot: NDArray) -> Array:
        """Present depth of old prints (m, k) [m], at xy (m, k, 2) of `worlds` (m,).

        `slot` (m, k) is from `Ground.slot`: a print in a pile fades.
        """
        recovery = self.ground.parameter(_RECOVERY, slot, worlds)
        return self.prints.read(worlds, xy, self._feet.time[worlds], recovery)

    def set_down(self, footing: Footing, load: Array, tread: float = 1.0) -> Array:
        """Sinkage to add along the ground's normal (m, feet) [m] for each sole to carry `load`.

        `load` (m, feet) [N] is vertical, at rest, on ground that was pressed by `tread` times as
        much before: 1 is untouched, and as soft against tilt as first loading is; above 1 soles
        stand on the steeper line. Shear is put on the elements as the slope asks for, so that soles
        moved down by this depth, then left, stay where they are. Elements on rigid ground stop a
        sole.
        """
        depth = np.empty(load.shape)
        ground = footing.frame, footing.under, footing.law, footing.state
        self._workers.run(_set_down, len(load), self._sole, *ground, load, tread, depth)
        return depth

    def leave(self, footing: Footing) -> None:
        """Remember what the soles did to the ground of `footing`."""
        self._state[footing.worlds] = footing.state

    def push(self, footing: Footing) -> None:
        """Write the wrench of the ground on the feet for the next physics step."""
        worlds = footing.worlds
        where, rotation = self._feet.foot_pose(worlds)
        spin, linear = self._feet.foot_twist(worlds, where)
        force, moment, load = np.empty_like(where), np.empty_like(where), np.empty(where.shape[:2])
        self._workers.run(
            _push,
            len(worlds),
            where,
            rotation,
            spin,
            linear,
            self._sole,
            footing.frame,
            footing.origin,
            footing.under,
            footing.law,
            footing.state,
            self._tread,
            worlds,
            force,
            moment,
            load,
        )
        self.load[worlds] = load
        self._feet.push_feet(worlds, where, force, moment)

    def snapshot(self) -> dict[str, Any]:
        """State from which `restore` goes on, given the same surfaces."""
        return {
            "soil": {name: self._state[name].copy() for name in soil.STATE.fields or ()},
            "tread": {name: self._tread[name].copy() for name in TREAD.fields or ()},
            "prints": self.prints.snapshot(),
            "load": self.load.copy(),
        }

    def restore(self, saved: dict[str, Any]) -> None:
        """Go on from a snapshot; `set` to the same surfaces comes first."""
        for name, values in saved["soil"].items():
            self._state[name] = values
        for name, values in saved["tread"].items():
            self._tread[name] = values
        self.prints.restore(saved["prints"])
        self.load[:] = saved["load"]


@kernel
def _points(start: int, stop: int, origin: Any, turn: Any, sole: Sole, points: Any) -> None:
    """Places of all elements (m, feet * ELEMENTS, 3) [m]."""
    for i in range(start, stop):
        for f in range(turn.shape[1]):
            for e in range(ELEMENTS):
                x, y = sole.along[f, e // ACROSS], sole.across[f, e % ACROSS]
                for r in range(3):
                    points[i, f * ELEMENTS + e, r] = (
                        origin[i, f, r]
                        + turn[i, f, r, 0] * x
                        + turn[i, f, r, 1] * y
                        + turn[i, f, r, 2] * sole.below[f]
                    )


@kernel
def _meet(
    start: int,
    stop: int,
    worlds: Any,
    origin: Any,
    turn: Any,
    sole: Sole,
    points: Any,
    slot: Any,
    height: Any,
    normal: Any,
    parameters: Any,
    seeds: Any,
    times: Any,
    sets: Any,
    oldest: Any,
    law: Any,
    frames: Any,
    under: Any,
    state: Any,
    treads: Any,
) -> None:
    """Fill in what a Footing says of each sole, and press the prints of those that are loaded."""
    for i in range(start, stop):
        w = worlds[i]
        time = times[w]
        for f in range(turn.shape[1]):
            frame, o = frames[i, f], origin[i, f]
            _ground_frame(normal[i, f], frame)
            for e in range(ELEMENTS):
                here, below, at = points[i, f, e], under[i, f, e], state[i, f, e]
                row = parameters[w, slot[i, f, e]]
                top, h_x, h_y = height[i, f, e], 0.0, 0.0
                if row[_RELIEF] > 0.0:
                    h, h_x, h_y = stone(here[0], here[1], row[_GRAIN], row[_RELIEF], seeds[w])
                    top += h
                below.slot = slot[i, f, e]
                below.x, below.y, below.z = _turned(
                    frame, here[0] - o[0], here[1] - o[1], here[2] - o[2]
                )
                below.gap = below.z + frame[2, 2] * (top - here[2])
                below.slope_x = frame[2, 2] * (frame[0, 0] * h_x + frame[0, 1] * h_y)
                below.slope_y = frame[2, 2] * (frame[1, 0] * h_x + frame[1, 1] * h_y)
                tread, depth = treads[w, f, e], at.pressed + at.drop
                if top > here[2] and at.pressure != 0.0:
                    moved = math.hypot(here[0] - tread.x, here[1] - tread.y) > 0.5 * CELL
                    if moved or depth > tread.depth or row[_RECOVERY] > 0.0:
                        tread.depth = depth
                        for end in (-PRINT, PRINT):
                            x = here[0] + end * turn[i, f, 0, 0]
                            y = here[1] + end * turn[i, f, 1, 0]
                            press(sets[w], oldest[w], x, y, depth, time, row[_RECOVERY])
        for f in range(turn.shape[1]):
            for e in range(ELEMENTS):
                here, below, at = points[i, f, e], under[i, f, e], state[i, f, e]
                row, tread = parameters[w, below.slot], treads[w, f, e]
                recovery = row[_RECOVERY]
                z = below.gap - below.z
                new = math.isnan(tread.x)
                moved = math.hypot(here[0] - tread.x, here[1] - tread.y) > 0.5 * CELL
                if not (new or moved or z <= 0.0):
                    continue
                there = print_depth(sets[w], here[0], here[1], time, recovery)
                tread.x, tread.y = here[0], here[1]
                if z > 0.0 and at.pressure != 0.0:  # slides on, and falls into what is deeper
                    at.pressed = max(at.pressed, there - at.drop)
                else:
                    at.shear_x, at.shear_y, at.mobilised, at.share = 0.0, 0.0, 0.0, 0.0
                    at.pressed, at.drop, at.pressure, tread.depth = there, 0.0, 0.0, 0.0
                    at.loose = row[_LOOSE] > 0.0 and is_loose(
                        here[0], here[1], row[_GRAIN], row[_LOOSE], seeds[w]
                    )
                    if z > 0.0 and not new:  # pushed in from the side, through the ground
                        at.pressed = max(there, bulldozed(law[i, below.slot], z))
                tread.before, tread.beside = 0.0, 0.0
                if z < -ALOFT:
                    continue
                a, b = e // ACROSS, e % ACROSS
                if a == 0 or a == ALONG - 1:
                    step = 0.5 * (sole.along[f, 1] - sole.along[f, 0]) + BEYOND[0]
                    step = step if a else -step
                    x, y = here[0] + step * turn[i, f, 0, 0], here[1] + step * turn[i, f, 1, 0]
                    tread.before = print_depth(sets[w], x, y, time, recovery)
                if b == 0 or b == ACROSS - 1:
                    step = 0.5 * (sole.across[f, 1] - sole.across[f, 0]) + BEYOND[1]
                    step = step if b else -step
                    x, y = here[0] + step * turn[i, f, 0, 1], here[1] + step * turn[i, f, 1, 1]
                    tread.beside = print_depth(sets[w], x, y, time, recovery)


@kernel
def _ground_frame(normals: Any, frame: Any) -> None:
    """Rows x ahead, y and the unit normal, of the mean of `normals` (ELEMENTS, 3)."""
    n_x, n_y, n_z = normals[:, 0].sum(), normals[:, 1].sum(), normals[:, 2].sum()
    size = math.sqrt(n_x * n_x + n_y * n_y + n_z * n_z)
    n_x, n_y, n_z = n_x / size, n_y / size, n_z / size
    flat = math.hypot(n_x, n_z)
    t_x, t_z = n_z / flat, -n_x / flat
    frame[0, 0], frame[0, 1], frame[0, 2] = t_x, 0.0, t_z
    frame[1, 0], frame[1, 1], frame[1, 2] = n_y * t_z, n_z * t_x - n_x * t_z, -n_y * t_x
    frame[2, 0], frame[2, 1], frame[2, 2] = n_x, n_y, n_z


@kernel
def _push(
    start: int,
    stop: int,
    where: Any,
    turn: Any,
    spin: Any,
    linear: Any,
    sole: Sole,
    frames: Any,
    origin: Any,
    under: Any,
    law: Any,
    state: Any,
    treads: Any,
    worlds: Any,
    force: Any,
    moment: Any,
    load: Any,
) -> None:
    """Force [N] on each foot and moment [N m] about its origin (m, feet, 3), world frame.

    `load` (m, feet) [N] is along the normal of the ground.
    """
    for i in range(start, stop):
        for f in range(turn.shape[1]):
            to, o = frames[i, f], where[i, f]
            # All in the frame of the ground under the foot, relative to the foot's origin.
            a_x, a_y, a_z = _turned(to, turn[i, f, 0, 0], turn[i, f, 1, 0], turn[i, f, 2, 0])
            b_x, b_y, b_z = _turned(to, turn[i, f, 0, 1], turn[i, f, 1, 1], turn[i, f, 2, 1])
            n_x, n_y, n_z = _turned(to, turn[i, f, 0, 2], turn[i, f, 1, 2], turn[i, f, 2, 2])
            w_x, w_y, w_z = _turned(to, spin[i, f, 0], spin[i, f, 1], spin[i, f, 2])
            l_x, l_y, l_z = _turned(to, linear[i, f, 0], linear[i, f, 1], linear[i, f, 2])
            before = origin[i, f]
            d_x, d_y, lift = _turned(to, o[0] - before[0], o[1] - before[1], o[2] - before[2])
            tilt = 1.0 - n_z * n_z
            pitch = sole.along[f, 1] - sole.along[f, 0]
            width = sole.across[f, 1] - sole.across[f, 0]
            area, per_pitch, per_width = pitch * width, 1.0 / pitch, 1.0 / width
            f_x, f_y, f_z, m_x, m_y, m_z = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
            for e in range(ELEMENTS):
                a, b = e // ACROSS, e % ACROSS
                x, y, z = sole.along[f, a], sole.across[f, b], sole.below[f]
                p_x, p_y = a_x * x + b_x * y + n_x * z, a_y * x + b_y * y + n_y * z
                p_z = a_z * x + b_z * y + n_z * z
                below, at, tread = under[i, f, e], state[i, f, e], treads[worlds[i], f, e]
                z = below.gap - lift - p_z
                if below.slope_x != 0.0 or below.slope_y != 0.0:
                    z += below.slope_x * (d_x + p_x - below.x)
                    z += below.slope_y * (d_y + p_y - below.y)
                if z <= 0.0 and at.pressed == 0.0 and at.pressure == 0.0:
                    continue
                front = -1.0 if a == 0 else 1.0 if a == ALONG - 1 else 0.0
                side = -1.0 if b == 0 else 1.0 if b == ACROSS - 1 else 0.0
                t_x, t_y, sigma = element_traction(
                    law[i, below.slot],
                    at,
                    z,
                    l_x + w_y * p_z - w_z * p_y,
                    l_y + w_z * p_x - w_x * p_z,
                    l_z + w_x * p_y - w_y * p_x,
                    tilt,
                    (front * a_x, front * a_y, z - tread.before, per_pitch),
                    (side * b_x, side * b_y, z - tread.beside, per_width),
                )
                # Stones are slopes: what carries a sole on them pushes it back.
                t_x, t_y = t_x - below.slope_x * sigma, t_y - below.slope_y * sigma
                f_x, f_y, f_z = f_x + t_x, f_y + t_y, f_z + sigma
                m_x += p_y * sigma - p_z * t_y
                m_y += p_z * t_x - p_x * sigma
                m_z += p_x * t_y - p_y * t_x
            load[i, f] = f_z * area
            for c in range(3):
                x, y, z = to[0, c] * area, to[1, c] * area, to[2, c] * area
                force[i, f, c] = x * f_x + y * f_y + z * f_z
                moment[i, f, c] = x * m_x + y * m_y + z * m_z


@kernel
def _set_down(
    start: int,
    stop: int,
    sole: Sole,
    frames: Any,
    under: Any,
    law: Any,
    state: Any,
    load: Any,
    tread: float,
    depth: Any,
) -> None:
    for i in range(start, stop):
        for f in range(load.shape[1]):
            frame = frames[i, f]
            area = (sole.along[f, 1] - sole.along[f, 0]) * (sole.across[f, 1] - sole.across[f, 0])
            down_x, down_y = -frame[0, 2] / frame[2, 2], -frame[1, 2] / frame[2, 2]
            slope = math.hypot(down_x, down_y)
            wanted = load[i, f] * frame[2, 2] / area
            # First as deep as it was pressed: from out of the ground to where rigid ground stops.
            low, high = 0.0, soil.DEEPEST
            for e in range(ELEMENTS):
                below = under[i, f, e]
                low = min(low, below.z - below.gap)
                if law[i, below.slot].modulus <= 0.0:
                    high = min(high, below.z - below.gap)
            touch, high = low, max(high, low)
            for _ in range(50):
                middle, carried = 0.5 * (low + high), 0.0
                for e in range(ELEMENTS):
                    below = under[i, f, e]
                    x = below.gap - below.z + middle
                    carried += resting_pressure(law[i, below.slot], x, 0.0, slope)[0]
                low, high = (low, middle) if carried > tread * wanted else (middle, high)
            pressed, low, high = high, 0.0, high - touch
            for _ in range(50):  # then up again along the lines
                middle, carried = 0.5 * (low + high), 0.0
                for e in range(ELEMENTS):
                    below = under[i, f, e]
                    x = below.gap - below.z + pressed
                    carried += resting_pressure(law[i, below.slot], x, middle, slope)[0]
                low, high = (middle, high) if carried > wanted else (low, middle)
            depth[i, f] = pressed - low
            for e in range(ELEMENTS):
                below, at = under[i, f, e], state[i, f, e]
                x = below.gap - below.z + pressed
                sigma, share = resting_pressure(law[i, below.slot], x, low, slope)
                if x > 0.0:
                    at.pressed, at.pressure, at.loose = x, sigma, False
                    at.mobilised, at.share = share, share
                    at.shear_x, at.shear_y = sigma * down_x, sigma * down_y


@kernel
def _turned(matrix: Any, x: float, y: float, z: float) -> Any:
    return (
        matrix[0, 0] * x + matrix[0, 1] * y + matrix[0, 2] * z,
        matrix[1, 0] * x + matrix[1, 1] * y + matrix[1, 2] * z,
        matrix[2, 0] * x + matrix[2, 1] * y + matrix[2, 2] * z,
    )
