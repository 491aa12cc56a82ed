"""Ground of all worlds: shape, material and friction at any point.

A world has one material, or two in strips or patches. Wet materials carry a water film on part of
their area, on which friction falls with slip speed.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from grek.envs.ground import materials
from grek.envs.ground.kernels import kernel
from grek.envs.ground.shapes import (
    FourierField,
    Shape,
    fourier_value,
    normal_quantile,
    normal_share,
)
from grek.envs.ground.terrain import Terrain
from grek.envs.hashing import combine, uniform
from grek.envs.vectors import Array
from grek.errors import InputError

SLOTS = 2  # largest number of materials in a world
LAYOUTS = ("single", "strips", "patches")
_STRIPS, _PATCHES = 1, 2  # of LAYOUTS
FILM_EDGE = 0.2  # width of the film's edge, in standard deviations of its field

_FRICTION, _LOW, _HIGH, _SPEED, _AREA, _PATCH = (
    materials.index(name)
    for name in (
        *("friction", "wet_ratio_low", "wet_ratio_high"),
        *("slip_speed", "wet_area", "patch_length"),
    )
)


def _default_parameters() -> tuple[tuple[float, ...], ...]:
    return (tuple(materials.material("dry_concrete").nominal().tolist()),)


@dataclass(frozen=True)
class Surface:
    """Materials of one world and their layout; raises InputError for values that do not fit."""

    materials: tuple[str, ...] = ("dry_concrete",)
    parameters: tuple[tuple[float, ...], ...] = field(default_factory=_default_parameters)
    """One row of `materials.PARAMETERS` for each material."""
    layout: str = "single"
    """One of LAYOUTS."""
    length: float = 1.0
    """Width of a strip or correlation length of the patches [m]."""
    heading: float = 0.0
    """Direction across the strips [rad]."""
    seed: int = 0
    """Seed of patches, strip offset and wet film, in [0, 2^31)."""

    def __post_init__(self) -> None:
        if not 1 <= len(self.materials) == len(self.parameters) <= SLOTS:
            raise InputError(
                f"a world has 1 to {SLOTS} materials, each with its parameters; got"
                f" {len(self.materials)} and {len(self.parameters)}"
            )
        count = len(materials.PARAMETERS)
        if any(len(row) != count for row in self.parameters):
            raise InputError(f"a material has {count} parameters, as `grek materials` lists them")
        for name in self.materials:
            materials.material(name)
        if self.layout not in LAYOUTS:
            raise InputError(f"unknown layout {self.layout!r}; there are: {', '.join(LAYOUTS)}")
        if not 0 <= self.seed < 2**31:
            raise InputError(f"a surface has a seed in [0, 2^31), got {self.seed}")
        if not 0 < self.length < math.inf:
            raise InputError(f"strips or patches of length {self.length} m; it must be positive")


class Cover(NamedTuple):
    """Materials of n worlds for compiled functions."""

    parameters: Array
    """Rows of `materials.PARAMETERS` (n, SLOTS, P)."""
    layout: NDArray[np.int64]
    """Index into LAYOUTS (n,)."""
    strip: Array
    """Heading x, y over period [1/m] and offset [-] of strips (n, 3)."""
    patch_waves: Array
    """Field whose level set bounds patches: wave vectors (n, FEATURES, 2) [rad/m]."""
    patch_phases: Array
    """(n, FEATURES) [rad]"""
    film_waves: Array
    """Field of the water film, alike."""
    film_phases: Array
    """(n, FEATURES) [rad]"""
    film_above: Array
    """Value of the film's field above which a material is wet (n, SLOTS) [-]."""


@kernel
def slot_at(cover: Cover, w: int, x: float, y: float) -> int:
    """Index in [0, SLOTS) of the material of world w at x, y [m]."""
    share = 0.0
    if cover.layout[w] == _STRIPS:
        along = x * cover.strip[w, 0] + y * cover.strip[w, 1] + cover.strip[w, 2]
        share = along - math.floor(along)
    elif cover.layout[w] == _PATCHES:
        share = normal_share(fourier_value(cover.patch_waves[w], cover.patch_phases[w], x, y))
    return 1 if share >= 0.5 else 0  # of SLOTS = 2; 0 for a place that is not a number


@kernel
def wetness_at(cover: Cover, w: int, slot: int, x: float, y: float) -> float:
    """Film thickness over full thickness in [0, 1] of world w at x, y [m]."""
    above = cover.film_above[w, slot]
    if math.isinf(above):
        return 0.0
    value = fourier_value(cover.film_waves[w], cover.film_phases[w], x, y)
    return min(max((value - above) / FILM_EDGE + 0.5, 0.0), 1.0)


@kernel
def friction_at(cover: Cover, w: int, slot: int, x: float, y: float, slip: float) -> float:
    """Friction coefficient of world w at x, y [m] under a sole that slides at `slip` [m/s]."""
    row = cover.parameters[w, slot]
    wetness = wetness_at(cover, w, slot, x, y)
    if wetness == 0.0:
        return row[_FRICTION]
    factor = film_factor(slip, row[_LOW], row[_HIGH], row[_SPEED], wetness)
    return row[_FRICTION] * factor


@kernel
def film_factor(slip: float, low: float, high: float, speed: float, wetness: float) -> float:
    """Friction over dry friction [-] at speed `slip` [m/s] and film thickness `wetness` in [0, 1].

    On a full film mu(v) / mu_dry = high + (low - high) exp(-v / speed); linear in wetness; the
    form is an estimate. Measured for rubber: 20-30 % below dry at low speed (sealing, Persson et
    al. 2005), a fast drop above a critical slip speed (water and glycerol, Soft Matter 2024,
    D4SM00843J).
    """
    film = high + (low - high) * math.exp(-slip / max(speed, 1e-6))
    return 1.0 + wetness * (film - 1.0)


class Ground:
    """Shape and materials of all worlds."""

    def __init__(self, worlds: int) -> None:
        self.terrain = Terrain(worlds)
        self.parameters = np.zeros((worlds, SLOTS, len(materials.PARAMETERS)))
        self.wet = np.zeros(worlds, bool)
        self.varies = np.zeros(worlds, bool)  # friction depends on place or slip
        self._patches = FourierField(worlds)
        self._film = FourierField(worlds)
        self.cover = Cover(
            self.parameters,
            np.zeros(worlds, np.int64),
            np.zeros((worlds, 3)),
            self._patches.wave_vectors,
            self._patches.phases,
            self._film.wave_vectors,
            self._film.phases,
            np.full((worlds, SLOTS), np.inf),
        )
        self._index = np.arange(worlds)

    def set(self, worlds: NDArray, shapes: Sequence[Shape], surfaces: Sequence[Surface]) -> None:
        """Set shape and surface of each of `worlds` (m,)."""
        for world, shape, surface in zip(worlds, shapes, surfaces, strict=True):
            self.terrain.set(world, shape)
            self._set_surface(world, surface)

    def _set_surface(self, world: int, surface: Surface) -> None:
        rows, cover = np.array(surface.parameters), self.cover
        self.parameters[world, : len(rows)], self.parameters[world, len(rows) :] = rows, rows[-1]
        cover.layout[world] = LAYOUTS.index(surface.layout)
        wet = rows[:, _AREA] > 0
        self.wet[world] = wet.any()
        self.varies[world] = wet.any() or len(rows) > 1
        cover.film_above[world] = np.inf
        if surface.layout == "strips":
            across = np.array([np.cos(surface.heading), np.sin(surface.heading)])
            offset = uniform(surface.seed, 0).item()
            cover.strip[world] = *across / (SLOTS * surface.length), offset
        elif surface.layout == "patches":
            self._patches.set(world, surface.length, combine(surface.seed, 1))
        if wet.any():
            # One film field for all materials, with the correlation length of the first wet one.
            self._film.set(world, rows[wet.argmax(), _PATCH], combine(surface.seed, 2))
            areas = self.parameters[world, :, _AREA]
            cover.film_above[world] = [normal_quantile(1 - area) for area in areas]

    def slot(self, xy: Array, worlds: NDArray | slice = slice(None)) -> NDArray[np.int64]:
        """Index in [0, SLOTS) of the material at xy (m, points, 2) [m]: (m, points)."""
        slot = np.empty(xy.shape[:2], np.int64)
        _slots(self.cover, self._index[worlds], xy, slot)
        return slot

    def wetness(self, xy: Array, slot: NDArray, worlds: NDArray | slice = slice(None)) -> Array:
        """Film thickness over full thickness at xy (m, points, 2) [m]: (m, points) in [0, 1].

        `slot` (m, points) is from `Ground.slot`.
        """
        wetness = np.empty(xy.shape[:2])
        _wetness(self.cover, self._index[worlds], xy, slot, wetness)
        return wetness

    def parameter(self, column: int, slot: NDArray, worlds: NDArray | slice) -> Array:
        """Value (m, points) of `materials.PARAMETERS[column]` for the materials in `slot`."""
        return self.parameters[self._index[worlds][:, None], slot, column]


@kernel
def _slots(cover: Cover, worlds: Any, xy: Any, slot: Any) -> None:
    for i in range(slot.shape[0]):
        for j in range(slot.shape[1]):
            slot[i, j] = slot_at(cover, worlds[i], xy[i, j, 0], xy[i, j, 1])


@kernel
def _wetness(cover: Cover, worlds: Any, xy: Any, slot: Any, wetness: Any) -> None:
    for i in range(slot.shape[0]):
        for j in range(slot.shape[1]):
            x, y = xy[i, j, 0], xy[i, j, 1]
            wetness[i, j] = wetness_at(cover, worlds[i], slot[i, j], x, y)
