"""Ground of all worlds: shape, material and friction at any point.

A world has one material, or two in strips or patches. Wet materials carry a water film on part of
their area, on which friction falls with slip speed.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from grek.envs.ground import materials
from grek.envs.ground.shapes import FourierField, Shape, Terrain, normal_quantile, normal_share
from grek.envs.hashing import combine, uniform
from grek.envs.vectors import Array
from grek.errors import InputError

SLOTS = 2  # largest number of materials in a world
LAYOUTS = ("single", "strips", "patches")
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
    """Seed of patches, strip offset and wet film."""

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


class Ground:
    """Shape and materials of all worlds."""

    def __init__(self, worlds: int) -> None:
        self.terrain = Terrain(worlds)
        self.parameters = np.zeros((worlds, SLOTS, len(materials.PARAMETERS)))
        self.wet = np.zeros(worlds, bool)
        self.varies = np.zeros(worlds, bool)  # friction depends on place or slip
        self._layout = np.zeros(worlds, int)  # index into LAYOUTS
        self._strip = np.zeros((worlds, 3))  # heading x, y over period [1/m], offset [-]
        self._patches = FourierField(worlds)
        self._film = FourierField(worlds)
        self._film_above = np.zeros((worlds, SLOTS))  # threshold of the film's field [-]
        self._index = np.arange(worlds)

    def set(self, worlds: NDArray, shapes: Sequence[Shape], surfaces: Sequence[Surface]) -> None:
        """Set shape and surface of each of `worlds` (m,)."""
        for world, shape, surface in zip(worlds, shapes, surfaces, strict=True):
            self.terrain.set(world, shape)
            self._set_surface(world, surface)

    def _set_surface(self, world: int, surface: Surface) -> None:
        rows = np.array(surface.parameters)
        self.parameters[world, : len(rows)], self.parameters[world, len(rows) :] = rows, rows[-1]
        self._layout[world] = LAYOUTS.index(surface.layout)
        wet = rows[:, _AREA] > 0
        self.wet[world] = wet.any()
        self.varies[world] = wet.any() or len(rows) > 1
        self._film_above[world] = np.inf
        if surface.layout == "strips":
            across = np.array([np.cos(surface.heading), np.sin(surface.heading)])
            self._strip[world] = *across / (SLOTS * surface.length), uniform(surface.seed, 0).item()
        elif surface.layout == "patches":
            self._patches.set(world, surface.length, combine(surface.seed, 1))
        if wet.any():
            # One film field for all materials, with the correlation length of the first wet one.
            self._film.set(world, rows[wet.argmax(), _PATCH], combine(surface.seed, 2))
            areas = self.parameters[world, :, _AREA]
            self._film_above[world] = [normal_quantile(1 - area) for area in areas]

    def slot(self, xy: Array, worlds: NDArray | slice = slice(None)) -> NDArray[np.int64]:
        """Index in [0, SLOTS) of the material at xy (m, points, 2) [m]: (m, points)."""
        slot = np.zeros(xy.shape[:2], np.int64)
        layout = self._layout[worlds]
        if len(rows := np.flatnonzero(layout == LAYOUTS.index("strips"))):
            across = self._strip[self._index[worlds][rows], None]
            along = xy[rows, :, 0] * across[..., 0] + xy[rows, :, 1] * across[..., 1]
            along += across[..., 2]
            slot[rows] = (along - np.floor(along)) * SLOTS
        if len(rows := np.flatnonzero(layout == LAYOUTS.index("patches"))):
            patch = self._patches.value(xy[rows], self._index[worlds][rows])
            slot[rows] = normal_share(patch) * SLOTS
        return np.minimum(slot, SLOTS - 1)

    def wetness(self, xy: Array, slot: NDArray, worlds: NDArray | slice = slice(None)) -> Array:
        """Film thickness over full thickness at xy (m, points, 2) [m]: (m, points) in [0, 1]."""
        above = np.take_along_axis(self._film_above[worlds], slot, 1)
        return np.clip((self._film.value(xy, worlds) - above) / FILM_EDGE + 0.5, 0, 1)

    def friction_at(
        self, xy: Array, slot: NDArray, slip: Array, worlds: NDArray | slice = slice(None)
    ) -> Array:
        """Friction coefficient (m, points) at xy (m, points, 2) [m] and slip speed `slip` [m/s].

        `slot` (m, points) is from `Ground.slot`.
        """
        friction = self.parameter(_FRICTION, slot, worlds)
        if len(rows := np.flatnonzero(self.wet[worlds])):
            xy, slot, worlds = xy[rows], slot[rows], self._index[worlds][rows]
            low, high, speed = (self.parameter(p, slot, worlds) for p in (_LOW, _HIGH, _SPEED))
            wetness = self.wetness(xy, slot, worlds)
            friction[rows] *= film_factor(slip[rows], low, high, speed, wetness)
        return friction

    def parameter(self, column: int, slot: NDArray, worlds: NDArray | slice) -> Array:
        """Value (m, points) of `materials.PARAMETERS[column]` for the materials in `slot`."""
        return self.parameters[self._index[worlds][:, None], slot, column]


def film_factor(slip: Array, low: Array, high: Array, speed: Array, wetness: Array) -> Array:
    """Friction over dry friction [-] at speed `slip` [m/s] and film thickness `wetness` in [0, 1].

    On a full film mu(v) / mu_dry = high + (low - high) exp(-v / speed); linear in wetness; the
    form is an estimate. Measured for rubber: 20-30 % below dry at low speed (sealing, Persson et
    al. 2005), a fast drop above a critical slip speed (water and glycerol, Soft Matter 2024,
    D4SM00843J). All arguments broadcast.
    """
    film = high + (low - high) * np.exp(-slip / np.maximum(speed, 1e-6))
    return 1 + wetness * (film - 1)
