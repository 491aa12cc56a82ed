"""Products of vectors (..., 3) without reductions over short axes, which NumPy is slow at."""

import numpy as np

from grek.envs.robots.robot import Array


def dot(a: Array, b: Array) -> Array:
    """Sum of products over the last axis, of 3: (...)."""
    return a[..., 0] * b[..., 0] + a[..., 1] * b[..., 1] + a[..., 2] * b[..., 2]


def cross(a: Array, b: Array) -> Array:
    """Cross product over the last axis (..., 3)."""
    out = np.empty(np.broadcast_shapes(a.shape, b.shape))
    (ax, ay, az), (bx, by, bz) = ((v[..., 0], v[..., 1], v[..., 2]) for v in (a, b))
    out[..., 0] = ay * bz - az * by
    out[..., 1] = az * bx - ax * bz
    out[..., 2] = ax * by - ay * bx
    return out
