"""Stones: the relief of gravel at the scale of a grain, and where loose stones lie.

Both are functions of place and seed alone: endless, the same at every visit, nothing to store.
"""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from grek.envs.ground.kernels import kernel, uniform
from grek.envs.vectors import Array

_KNOTS = 1.3  # distance of the knots in grains: the correlation falls to 1/e at one grain
_SHARE = 26 / 35  # of the variance that interpolation keeps, in each direction
_SMALLEST = 1e-4  # [m]


@kernel
def stone(x: float, y: float, grain: float, spread: float, seed: int) -> Any:
    """Height of the stones' tops above the mean surface at x, y [m], and its slope along x and y.

    Value noise of mean 0: uniform heights at the knots of a grid, blended by 3 t^2 - 2 t^3. Its
    standard deviation is `spread` times the `grain` size [m], its correlation length one grain.
    """
    knots = _KNOTS * max(grain, _SMALLEST)
    i, j = math.floor(x / knots), math.floor(y / knots)
    s, t = x / knots - i, y / knots - j
    d_s, d_t = 6.0 * s * (1.0 - s) / knots, 6.0 * t * (1.0 - t) / knots
    s, t = s * s * (3.0 - 2.0 * s), t * t * (3.0 - 2.0 * t)
    a, b = uniform(i, j, seed), uniform(i + 1, j, seed)
    c, d = uniform(i, j + 1, seed), uniform(i + 1, j + 1, seed)
    near, far = (1.0 - s) * a + s * b, (1.0 - s) * c + s * d
    size = grain * spread * math.sqrt(12.0) / _SHARE
    slope_x = size * d_s * ((1.0 - t) * (b - a) + t * (d - c))
    return size * ((1.0 - t) * near + t * far - 0.5), slope_x, size * d_t * (far - near)


@kernel
def is_loose(x: float, y: float, grain: float, share: float, seed: int) -> Any:
    """True if the stone at x, y [m] is loose: a `share` of all grains is."""
    size = max(grain, _SMALLEST)
    return uniform(math.floor(x / size), math.floor(y / size), seed + 1) < share


@kernel
def _relief(xy: Any, grain: Any, spread: Any, seed: Any, height: Any, slope: Any) -> None:
    for i in range(height.shape[0]):
        for j in range(height.shape[1]):
            x, y = xy[i, j, 0], xy[i, j, 1]
            height[i, j], slope[i, j, 0], slope[i, j, 1] = stone(
                x, y, grain[i, j], spread[i, j], seed[i, j]
            )


@kernel
def _loose(xy: Any, grain: Any, share: Any, seed: Any, out: Any) -> None:
    for i in range(out.shape[0]):
        for j in range(out.shape[1]):
            x, y = xy[i, j, 0], xy[i, j, 1]
            out[i, j] = is_loose(x, y, grain[i, j], share[i, j], seed[i, j])


def relief(
    xy: Array, grain: Array, spread: Array, seed: NDArray[np.integer]
) -> tuple[Array, Array]:
    """Height (m, e) [m] and slope (m, e, 2) of `stone` at xy (m, e, 2) [m].

    `grain`, `spread` and `seed` broadcast to (m, e).
    """
    shape = xy.shape[:2]
    height, slope = np.empty(shape), np.empty((*shape, 2))
    grain, spread, seed = (np.broadcast_to(v, shape) for v in (grain, spread, seed))
    _relief(xy, grain, spread, seed, height, slope)
    return height, slope


def loose_stones(
    xy: Array, grain: Array, share: Array, seed: NDArray[np.integer]
) -> NDArray[np.bool_]:
    """Points xy (m, e, 2) [m] with a loose stone below (m, e); see `is_loose`."""
    out = np.empty(xy.shape[:2], bool)
    grain, share, seed = (np.broadcast_to(v, out.shape) for v in (grain, share, seed))
    _loose(xy, grain, share, seed, out)
    return out
