"""Stones: the relief of gravel at the scale of a grain, and where loose stones lie.

Both are functions of place and seed alone: endless, the same at every visit, nothing to store.
"""

import numpy as np
from numpy.typing import NDArray

from grek.envs.hashing import uniform
from grek.envs.vectors import Array

_KNOTS = 1.3  # distance of the knots in grains: the correlation falls to 1/e at one grain
_SHARE = 26 / 35  # of the variance that interpolation keeps, in each direction
_SMALLEST = 1e-4  # [m]


def relief(xy: Array, grain: Array, spread: Array, seed: NDArray[np.integer]) -> Array:
    """Height of the stones' tops above the mean surface at xy (m, e, 2) [m]: (m, e) [m].

    Value noise of mean 0: uniform heights at the knots of a grid, blended by 3 t^2 - 2 t^3. Its
    standard deviation is `spread` times the `grain` size [m], its correlation length one grain.
    `grain`, `spread` and `seed` broadcast to (m, e).
    """
    place = xy / (_KNOTS * np.maximum(grain, _SMALLEST))[..., None]
    knot = np.floor(place)
    t = place - knot
    t *= t * (3 - 2 * t)
    x, y = (knot[..., i].astype(np.int64) for i in (0, 1))
    s, t = t[..., 0], t[..., 1]
    near = (1 - s) * uniform(x, y, seed) + s * uniform(x + 1, y, seed)
    far = (1 - s) * uniform(x, y + 1, seed) + s * uniform(x + 1, y + 1, seed)
    return (grain * spread * np.sqrt(12) / _SHARE) * ((1 - t) * near + t * far - 0.5)


def loose_stones(
    xy: Array, grain: Array, share: Array, seed: NDArray[np.integer]
) -> NDArray[np.bool_]:
    """Points xy (m, e, 2) [m] with a loose stone below (m, e): a `share` of all grains."""
    cell = np.floor(xy / np.maximum(grain, _SMALLEST)[..., None]).astype(np.int64)
    return uniform(cell[..., 0], cell[..., 1], seed + 1) < share
