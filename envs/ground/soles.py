"""Soles on ground that gives: where each element is, what the soil does to it, the wrench.

A sole is a grid of ALONG x ACROSS elements. Once per control step `meet` looks up the ground under
each (height, normal, material, stones, old prints); within the physics steps the ground goes on
along its tangent, and `push` turns sinkage and velocity into stress by the law of
`grek.envs.ground.soil` and sums it to a wrench on the foot. Poses must be current when that
happens: forces from poses one step old make a foot tumble.

All functions are compiled and serve one sole of one world.
"""

import math
from typing import Any, NamedTuple

import numpy as np

from grek.envs.ground import materials, soil
from grek.envs.ground.footprints import CELL, press, print_depth
from grek.envs.ground.kernels import kernel
from grek.envs.ground.soil import bulldozed, element_traction, resting_pressure
from grek.envs.ground.stones import is_loose, stone
from grek.envs.ground.surface import Cover, slot_at
from grek.envs.ground.terrain import Heights, height_and_normal_at
from grek.envs.robots import Foot
from grek.envs.vectors import Array

ALONG, ACROSS = 4, 3  # elements of a sole
ELEMENTS = ALONG * ACROSS
PRINT = 0.01  # an element leaves its print this far before and behind its centre [m]
ALOFT = 0.02  # above this height an element meets no wall within a control step [m]
BEYOND = 0.02, 0.015  # the ground before and beside an edge is looked up this far from it [m]
_RECOVERY, _GRAIN, _RELIEF, _LOOSE = (
    materials.index(name) for name in ("recovery_time", "grain", "relief", "collapse_share")
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
        ("x", np.float64),  # [m]; NaN until the first look after a reset
        ("y", np.float64),
        ("depth", np.float64),  # of the print that it left there [m]
        ("before", np.float64),  # of the print beyond the front or rear edge [m]
        ("beside", np.float64),  # of the print beyond the left or right edge [m]
    ]
)
"""Place at which an element last met the ground; half a cell of prints further it does anew."""


def sole_elements(foot: Foot) -> tuple[Array, Array]:
    """Places of the rows (ALONG,) and columns (ACROSS,) of elements in the foot frame [m]."""
    (length, width), (x, y, _) = foot.sole_size, foot.sole_centre
    along = x + length * ((np.arange(ALONG) + 0.5) / ALONG - 0.5)
    across = y + width * ((np.arange(ACROSS) + 0.5) / ACROSS - 0.5)
    return along, across


class Soles(NamedTuple):
    """All soles and the ground under them: n worlds, F feet. An element is a place along and one
    across in the foot frame."""

    along: Array
    """(F, ALONG) [m]"""
    across: Array
    """(F, ACROSS) [m]"""
    below: Array
    """Height of the sole (F,) [m]."""
    frame: Array
    """Of the ground under each foot, rows x, y and the normal (n, F, 3, 3)."""
    origin: Array
    """Of each foot at the look (n, F, 3) [m]."""
    under: Any
    """Records of UNDER (n, F, ELEMENTS)."""
    law: Any
    """Records of `soil.LAW` (n, slots)."""
    state: Any
    """Records of `soil.STATE` (n, F, ELEMENTS)."""
    tread: Any
    """Records of TREAD (n, F, ELEMENTS)."""
    load: Array
    """Force of the ground along its normal (n, F) [N]."""


def soles(feet: tuple[Foot, ...], worlds: int, slots: int) -> Soles:
    """Soles of `feet` in `worlds` worlds of `slots` materials, on untouched ground."""
    along, across = zip(*(sole_elements(foot) for foot in feet), strict=True)
    count = worlds, len(feet)
    return Soles(
        np.stack(along),
        np.stack(across),
        np.array([foot.sole_centre[2] for foot in feet]),
        np.zeros((*count, 3, 3)),
        np.zeros((*count, 3)),
        np.zeros((*count, ELEMENTS), UNDER),
        np.zeros((worlds, slots), soil.LAW),
        soil.untouched(*count, ELEMENTS),
        np.zeros((*count, ELEMENTS), TREAD),
        np.zeros(count),
    )


@kernel
def element_places(soles: Soles, f: int, origin: Any, turn: Any, places: Any) -> None:
    """Fill in the places (ELEMENTS, 3) [m] of the elements of foot f at a pose."""
    for e in range(ELEMENTS):
        x, y = soles.along[f, e // ACROSS], soles.across[f, e % ACROSS]
        for r in range(3):
            places[e, r] = origin[r] + turn[r, 0] * x + turn[r, 1] * y + turn[r, 2] * soles.below[f]


@kernel
def meet(
    soles: Soles,
    w: int,
    f: int,
    origin: Any,
    places: Any,
    heights: Heights,
    cover: Cover,
    seed: int,
) -> None:
    """Look up the ground below the elements of foot f of world w, at `places` (ELEMENTS, 3) [m]."""
    frame, rows = soles.frame[w, f], cover.parameters[w]
    n_x, n_y, n_z = 0.0, 0.0, 0.0
    for e in range(ELEMENTS):
        below, x, y = soles.under[w, f, e], places[e, 0], places[e, 1]
        h, d_x, d_y, d_z = height_and_normal_at(heights, w, x, y)
        n_x, n_y, n_z = n_x + d_x, n_y + d_y, n_z + d_z
        below.gap, below.slot = h, slot_at(cover, w, x, y)  # the gap follows with the frame
    _ground_frame(n_x, n_y, n_z, frame)
    for r in range(3):
        soles.origin[w, f, r] = origin[r]
    for e in range(ELEMENTS):
        here, below = places[e], soles.under[w, f, e]
        row, top, h_x, h_y = rows[below.slot], below.gap, 0.0, 0.0
        if row[_RELIEF] > 0.0:
            h, h_x, h_y = stone(here[0], here[1], row[_GRAIN], row[_RELIEF], seed)
            top += h
        below.x, below.y, below.z = _turned(
            frame, here[0] - origin[0], here[1] - origin[1], here[2] - origin[2]
        )
        below.gap = below.z + frame[2, 2] * (top - here[2])
        below.slope_x = frame[2, 2] * (frame[0, 0] * h_x + frame[0, 1] * h_y)
        below.slope_y = frame[2, 2] * (frame[1, 0] * h_x + frame[1, 1] * h_y)


@kernel
def _moved(here: Any, tread: Any) -> bool:
    """True if an element is half a cell of prints away from where it last met the ground."""
    return math.hypot(here[0] - tread.x, here[1] - tread.y) > 0.5 * CELL


@kernel
def leave_prints(
    soles: Soles,
    w: int,
    f: int,
    turn: Any,
    places: Any,
    rows: Any,
    sets: Any,
    oldest: Any,
    time: Any,
) -> None:
    """Press the prints of the loaded elements of foot f of world w into its `sets`."""
    for e in range(ELEMENTS):
        here, below, at = places[e], soles.under[w, f, e], soles.state[w, f, e]
        tread, recovery = soles.tread[w, f, e], rows[below.slot, _RECOVERY]
        depth = at.pressed + at.drop
        loaded = below.gap - below.z > 0.0 and at.pressure != 0.0
        if loaded and (_moved(here, tread) or depth > tread.depth or recovery > 0.0):
            tread.depth = depth
            for end in (-PRINT, PRINT):
                x, y = here[0] + end * turn[0, 0], here[1] + end * turn[1, 0]
                press(sets, oldest, x, y, depth, time, recovery)


@kernel
def find_prints(
    soles: Soles,
    w: int,
    f: int,
    turn: Any,
    places: Any,
    rows: Any,
    sets: Any,
    time: float,
    seed: int,
) -> None:
    """Look up old prints and loose stones where elements of foot f of world w are new."""
    for e in range(ELEMENTS):
        here, below, at = places[e], soles.under[w, f, e], soles.state[w, f, e]
        row, tread = rows[below.slot], soles.tread[w, f, e]
        recovery = row[_RECOVERY]
        z = below.gap - below.z
        new = math.isnan(tread.x)
        if not (new or _moved(here, tread) or z <= 0.0):
            continue
        there = print_depth(sets, here[0], here[1], time, recovery)
        tread.x, tread.y = here[0], here[1]
        if z > 0.0 and at.pressure != 0.0:  # slides on, and falls into what is deeper
            at.pressed = max(at.pressed, there - at.drop)
        else:
            at.shear_x, at.shear_y, at.mobilised, at.share = 0.0, 0.0, 0.0, 0.0
            at.pressed, at.drop, at.pressure, tread.depth = there, 0.0, 0.0, 0.0
            at.loose = row[_LOOSE] > 0.0 and is_loose(
                here[0], here[1], row[_GRAIN], row[_LOOSE], seed
            )
            if z > 0.0 and not new:  # pushed in from the side, through the ground
                at.pressed = max(there, bulldozed(soles.law[w, below.slot], z))
        tread.before, tread.beside = 0.0, 0.0
        if z < -ALOFT:
            continue
        a, b = e // ACROSS, e % ACROSS
        if a == 0 or a == ALONG - 1:
            step = 0.5 * (soles.along[f, 1] - soles.along[f, 0]) + BEYOND[0]
            step = step if a else -step
            x, y = here[0] + step * turn[0, 0], here[1] + step * turn[1, 0]
            tread.before = print_depth(sets, x, y, time, recovery)
        if b == 0 or b == ACROSS - 1:
            step = 0.5 * (soles.across[f, 1] - soles.across[f, 0]) + BEYOND[1]
            step = step if b else -step
            x, y = here[0] + step * turn[0, 1], here[1] + step * turn[1, 1]
            tread.beside = print_depth(sets, x, y, time, recovery)


@kernel
def _ground_frame(n_x: float, n_y: float, n_z: float, frame: Any) -> None:
    """Rows x ahead, y and the unit normal, of a normal of any length."""
    size = math.sqrt(n_x * n_x + n_y * n_y + n_z * n_z)
    n_x, n_y, n_z = n_x / size, n_y / size, n_z / size
    flat = math.hypot(n_x, n_z)
    t_x, t_z = n_z / flat, -n_x / flat
    frame[0, 0], frame[0, 1], frame[0, 2] = t_x, 0.0, t_z
    frame[1, 0], frame[1, 1], frame[1, 2] = n_y * t_z, n_z * t_x - n_x * t_z, -n_y * t_x
    frame[2, 0], frame[2, 1], frame[2, 2] = n_x, n_y, n_z


@kernel
def push(
    soles: Soles, w: int, f: int, origin: Any, turn: Any, spin: Any, linear: Any, wrench: Any
) -> None:
    """Force [N] on foot f of world w and moment about its `origin` [N m], world frame (6,).

    The foot's pose is `origin` (3,) [m] and `turn` (3, 3), foot to world; its twist is `spin`
    [rad/s] and `linear` at the origin [m/s], both (3,).
    """
    to, before = soles.frame[w, f], soles.origin[w, f]
    # All in the frame of the ground under the foot, relative to the foot's origin.
    a_x, a_y, a_z = _turned(to, turn[0, 0], turn[1, 0], turn[2, 0])
    b_x, b_y, b_z = _turned(to, turn[0, 1], turn[1, 1], turn[2, 1])
    n_x, n_y, n_z = _turned(to, turn[0, 2], turn[1, 2], turn[2, 2])
    w_x, w_y, w_z = _turned(to, spin[0], spin[1], spin[2])
    l_x, l_y, l_z = _turned(to, linear[0], linear[1], linear[2])
    d_x, d_y, lift = _turned(
        to, origin[0] - before[0], origin[1] - before[1], origin[2] - before[2]
    )
    tilt = 1.0 - n_z * n_z
    pitch = soles.along[f, 1] - soles.along[f, 0]
    width = soles.across[f, 1] - soles.across[f, 0]
    area, per_pitch, per_width = pitch * width, 1.0 / pitch, 1.0 / width
    f_x, f_y, f_z, m_x, m_y, m_z = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
    for e in range(ELEMENTS):
        a, b = e // ACROSS, e % ACROSS
        x, y, z = soles.along[f, a], soles.across[f, b], soles.below[f]
        p_x, p_y = a_x * x + b_x * y + n_x * z, a_y * x + b_y * y + n_y * z
        p_z = a_z * x + b_z * y + n_z * z
        below, at, tread = soles.under[w, f, e], soles.state[w, f, e], soles.tread[w, f, e]
        z = below.gap - lift - p_z
        if below.slope_x != 0.0 or below.slope_y != 0.0:
            z += below.slope_x * (d_x + p_x - below.x)
            z += below.slope_y * (d_y + p_y - below.y)
        if z <= 0.0 and at.pressed == 0.0 and at.pressure == 0.0:
            continue
        front = -1.0 if a == 0 else 1.0 if a == ALONG - 1 else 0.0
        side = -1.0 if b == 0 else 1.0 if b == ACROSS - 1 else 0.0
        v_x, v_y = l_x + w_y * p_z - w_z * p_y, l_y + w_z * p_x - w_x * p_z
        v_z = l_z + w_x * p_y - w_y * p_x
        t_x, t_y, sigma = element_traction(
            soles.law[w, below.slot],
            at,
            z,
            v_x,
            v_y,
            v_z - below.slope_x * v_x - below.slope_y * v_y,  # sliding up a stone is sinking
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
    soles.load[w, f] = f_z * area
    for c in range(3):
        x, y, z = to[0, c] * area, to[1, c] * area, to[2, c] * area
        wrench[c] = x * f_x + y * f_y + z * f_z
        wrench[3 + c] = x * m_x + y * m_y + z * m_z


@kernel
def _carried(soles: Soles, w: int, pressed: float, lift: float) -> float:
    """Normal force [N] on all soles of world w at rest, `lift` above ground pressed by `pressed`
    more than it is now [m]."""
    total = 0.0
    for f in range(len(soles.below)):
        frame, area = soles.frame[w, f], _area(soles, f)
        slope = math.hypot(frame[0, 2], frame[1, 2]) / frame[2, 2]
        for e in range(ELEMENTS):
            below = soles.under[w, f, e]
            x = below.gap - below.z + pressed
            total += area * resting_pressure(soles.law[w, below.slot], x, lift, slope)[0]
    return total


@kernel
def _area(soles: Soles, f: int) -> float:
    """Area of an element of foot f [m^2]."""
    pitch = soles.along[f, 1] - soles.along[f, 0]
    return pitch * (soles.across[f, 1] - soles.across[f, 0])


@kernel
def set_down(soles: Soles, w: int, load: float, preload: float) -> float:
    """Depth by which to lower all soles of world w to carry `load`; see `Sinking.set_down`."""
    feet = len(soles.below)
    upright = 0.0
    for f in range(feet):
        upright += soles.frame[w, f][2, 2] / feet
    wanted = load * upright  # along the normal
    # First as deep as it was pressed: from out of the ground to where rigid ground stops.
    low, high = 0.0, soil.DEEPEST
    for f in range(feet):
        for e in range(ELEMENTS):
            below = soles.under[w, f, e]
            low = min(low, below.z - below.gap)
            if soles.law[w, below.slot].modulus <= 0.0:
                high = min(high, below.z - below.gap)
    touch, high = low, max(high, low)
    for _ in range(50):
        middle = 0.5 * (low + high)
        enough = _carried(soles, w, middle, 0.0) > preload * wanted
        low, high = (low, middle) if enough else (middle, high)
    pressed, low, high = high, 0.0, high - touch
    for _ in range(50):  # then up again along the lines
        middle = 0.5 * (low + high)
        enough = _carried(soles, w, pressed, middle) > wanted
        low, high = (middle, high) if enough else (low, middle)
    for f in range(feet):
        frame, load_f = soles.frame[w, f], 0.0
        down_x, down_y = -frame[0, 2] / frame[2, 2], -frame[1, 2] / frame[2, 2]
        slope = math.hypot(down_x, down_y)
        for e in range(ELEMENTS):
            below, at = soles.under[w, f, e], soles.state[w, f, e]
            x = below.gap - below.z + pressed
            sigma, share = resting_pressure(soles.law[w, below.slot], x, low, slope)
            load_f += sigma * _area(soles, f)
            if x > 0.0:
                at.pressed, at.pressure, at.loose = x, sigma, False
                at.mobilised, at.share = share, share
                at.shear_x, at.shear_y = sigma * down_x, sigma * down_y
        soles.load[w, f] = load_f
    return pressed - low


@kernel
def _turned(matrix: Any, x: float, y: float, z: float) -> Any:
    return (
        matrix[0, 0] * x + matrix[0, 1] * y + matrix[0, 2] * z,
        matrix[1, 0] * x + matrix[1, 1] * y + matrix[1, 2] * z,
        matrix[2, 0] * x + matrix[2, 1] * y + matrix[2, 2] * z,
    )
