"""Vectors, quaternions and frames over the last axis of arrays.

Written by component: NumPy sums and multiplies over a short last axis some ten times as slowly as
over a long one. Quaternions are (w, x, y, z) and unit, as MuJoCo's; they rotate body to world.
"""

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def dot(a: Array, b: Array) -> Array:
    """Dot product of vectors (..., 3): (...)."""
    return a[..., 0] * b[..., 0] + a[..., 1] * b[..., 1] + a[..., 2] * b[..., 2]


def cross(a: Array, b: Array) -> Array:
    """Cross product of vectors (..., 3)."""
    out = np.empty(np.broadcast_shapes(a.shape, b.shape))
    (ax, ay, az), (bx, by, bz) = ((v[..., 0], v[..., 1], v[..., 2]) for v in (a, b))
    out[..., 0] = ay * bz - az * by
    out[..., 1] = az * bx - ax * bz
    out[..., 2] = ax * by - ay * bx
    return out


def heading_frame(xy: Array, heading: Array) -> Array:
    """Vectors (n, 2) of the world as forward and left of a unit `heading` (n, 2)."""
    (x, y), (cos, sin) = xy.T, heading.T
    return np.stack([cos * x + sin * y, cos * y - sin * x], 1)


def quaternion_from_z(normal: Array) -> Array:
    """Shortest rotation from the z axis to unit vectors `normal` (..., 3): (..., 4).

    About the horizontal axis z x n: (1 + n_z, -n_y, n_x, 0), made a unit; n_z > -1.
    """
    n_x, n_y, cos = normal[..., 0], normal[..., 1], 1 + normal[..., 2]
    length = np.sqrt(cos**2 + n_y**2 + n_x**2)
    turn = np.zeros((*normal.shape[:-1], 4))
    turn[..., 0], turn[..., 1], turn[..., 2] = cos / length, -n_y / length, n_x / length
    return turn


def quaternion_standing(heading: Array, normal: Array) -> Array:
    """Rotation (n, 4) to an upright pose: yaw `heading` (n,) [rad], z along `normal` (n, 3).

    The yaw comes first, then the shortest rotation to the normal: (w, x, y, 0) (cos, 0, 0, sin).
    """
    cos, sin = np.cos(heading / 2), np.sin(heading / 2)
    tilt = np.stack([1 + normal[:, 2], -normal[:, 1], normal[:, 0]], 1)
    w, x, y = (tilt / np.sqrt((tilt**2).sum(1, keepdims=True))).T
    return np.stack([w * cos, x * cos + y * sin, y * cos - x * sin, w * sin], 1)
