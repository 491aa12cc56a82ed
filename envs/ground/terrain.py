"""Height and normal of the ground of all worlds, in compiled functions of one place.

Each world has a shape: parts of the kinds that `grek.envs.ground.shapes` registers.
"""

import math
from typing import Any, NamedTuple

import numpy as np
from numba.core.errors import NumbaError
from numpy.typing import NDArray

from grek.envs.ground.kernels import elevate, elevation_address, kernel
from grek.envs.ground.shapes import SHAPES, Shape, ShapeKind, check, shape_kind, sizes
from grek.envs.vectors import Array
from grek.errors import InputError


class Heights(NamedTuple):
    """Shapes of n worlds for compiled functions: K kinds in use, in the order of SHAPES."""

    laws: NDArray[np.int64]
    """Addresses of the kinds' compiled elevations (K,)."""
    has: NDArray[np.bool_]
    """(K, n)"""
    coefficients: Array
    """(K, n, most coefficients of a kind)"""


@kernel
def _height_at(heights: Heights, w: int, x: float, y: float) -> Any:
    """Height [m], dh/dx and dh/dy of world w at x, y [m]."""
    h, h_x, h_y = 0.0, 0.0, 0.0
    _, worlds, size = heights.coefficients.shape
    first = heights.coefficients.ctypes.data
    for k in range(len(heights.laws)):  # fixed order of summation: the same bits in any batch
        if heights.has[k, w]:
            at = first + ((k * worlds + w) * size) * 8
            rise, grade_x, grade_y = elevate(heights.laws[k], at, x, y)
            h, h_x, h_y = h + rise, h_x + grade_x, h_y + grade_y
    return h, h_x, h_y


@kernel
def height_and_normal_at(heights: Heights, w: int, x: float, y: float) -> Any:
    """Height [m] and components of the unit normal of world w at x, y [m]."""
    h, h_x, h_y = _height_at(heights, w, x, y)
    length = math.sqrt(h_x * h_x + h_y * h_y + 1.0)
    return h, -h_x / length, -h_y / length, 1.0 / length


@kernel
def _heights(heights: Heights, worlds: Any, xy: Any, height: Any, normal: Any) -> None:
    for i in range(height.shape[0]):
        for j in range(height.shape[1]):
            height[i, j], normal[i, j, 0], normal[i, j, 1], normal[i, j, 2] = height_and_normal_at(
                heights, worlds[i], xy[i, j, 0], xy[i, j, 1]
            )


class Terrain:
    """Shapes of all worlds."""

    def __init__(self, worlds: int) -> None:
        self.flat = np.ones(worlds, bool)
        self._kinds: list[str] = []  # in use
        self.heights = Heights(
            np.zeros(0, np.int64), np.zeros((0, worlds), bool), np.zeros((0, worlds, 1))
        )

    def set(self, world: int, shape: Shape) -> None:
        """Set the shape of `world`; raises InputError for an unknown or repeated kind."""
        check(shape)
        uneven = {
            p.kind: shape_kind(p.kind).coefficients(p.values)
            for p in shape
            if p.kind in sizes(shape)
        }
        for kind, values in uneven.items():  # before anything is written
            self._prepare(kind, len(values))
        self.flat[world] = not uneven
        self.heights.has[:, world] = False
        for kind, values in uneven.items():
            row = self._kinds.index(kind)
            self.heights.has[row, world] = True
            self.heights.coefficients[row, world, : len(values)] = values

    def _prepare(self, name: str, size: int) -> None:
        """Make room for `size` coefficients of the kind `name`."""
        _, has, coefficients = self.heights
        missing = max(size - coefficients.shape[2], 0)
        if name in self._kinds and not missing:
            return
        wanted = {*self._kinds, name}
        kinds = [kind for kind in SHAPES if kind in wanted]
        more = np.zeros((len(kinds), len(self.flat), coefficients.shape[2] + missing))
        holds = np.zeros((len(kinds), len(self.flat)), bool)
        for row, kind in enumerate(self._kinds):
            at = kinds.index(kind)
            more[at, :, : coefficients.shape[2]], holds[at] = coefficients[row], has[row]
        laws = [_compiled(shape_kind(kind)) for kind in kinds]
        self._kinds, self.heights = kinds, Heights(np.array(laws, np.int64), holds, more)

    def height_and_normal(
        self, xy: Array, worlds: NDArray | slice = slice(None)
    ) -> tuple[Array, Array]:
        """Height (m, points) [m] and unit normal (m, points, 3) at xy (m, points, 2) [m].

        Row i of xy lies in world `worlds[i]`; by default m is the number of worlds.
        """
        which = np.arange(len(self.flat))[worlds]
        height, normal = np.empty(xy.shape[:2]), np.empty((*xy.shape[:2], 3))
        _heights(self.heights, which, xy, height, normal)
        return height, normal


def _compiled(kind: ShapeKind) -> int:
    """Address of the elevation of `kind`; raises InputError if Numba cannot compile it."""
    try:
        return elevation_address(kind.elevation)
    except NumbaError as error:
        reason = next((line for line in str(error).splitlines() if line.strip()), "")
        raise InputError(
            f"the elevation of shape {kind.name!r} cannot be compiled: {reason}"
        ) from None
