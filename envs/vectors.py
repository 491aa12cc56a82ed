"""Vector and quaternion operations along the last axis of arrays.

Written out by component, as NumPy's reductions over an axis of length 3 are about ten times slower.
Quaternions are unit, (w, x, y, z) and rotate body to world, as in MuJoCo.
"""

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def clamp(values: Array, low: Array | float, high: Array | float) -> Array:
    """`values` within `low` and `high`: NumPy's `clip`, whose calls cost several times as much."""
    found: Array = np.minimum(np.maximum(values, low), high)
    return found


def dot(a: Array, b: Array) -> Array:
    """Dot product (...) of vectors (..., 3)."""
    return a[..., 0] * b[..., 0] + a[..., 1] * b[..., 1] + a[..., 2] * b[..., 2]


def cross(a: Array, b: Array) -> Array:
    """Cross product (..., 3) of vectors (..., 3), which broadcast."""
    out = np.empty(np.broadcast_shapes(a.shape, b.shape))
    (ax, ay, az), (bx, by, bz) = ((v[..., 0], v[..., 1], v[..., 2]) for v in (a, b))
    out[..., 0] = ay * bz - az * by
    out[..., 1] = az * bx - ax * bz
    out[..., 2] = ax * by - ay * bx
    return out


def heading_frame(xy: Array, heading: Array) -> Array:
    """Horizontal world-frame vectors (n, 2) in the heading frame: forward and left (n, 2).

    `heading` (n, 2) is the unit vector (cos yaw, sin yaw).
    """
    (x, y), (cos, sin) = xy.T, heading.T
    return np.stack([cos * x + sin * y, cos * y - sin * x], 1)


def quaternion_from_z(normal: Array) -> Array:
    """Quaternion (..., 4) of the shortest rotation from the z axis to unit `normal` (..., 3).

    (1 + n_z, -n_y, n_x, 0) normalised, which is a rotation about z x n; requires n_z > -1.
    """
    n_x, n_y, cos = normal[..., 0], normal[..., 1], 1 + normal[..., 2]
    length = np.sqrt(cos**2 + n_x**2 + n_y**2)
    turn = np.zeros((*normal.shape[:-1], 4))
    turn[..., 0], turn[..., 1], turn[..., 2] = cos / length, -n_y / length, n_x / length
    return turn


def quaternion_standing(heading: Array, normal: Array) -> Array:
    """Quaternion (n, 4) of a body with yaw `heading` (n,) [rad] and z axis `normal` (n, 3).

    Product (w, x, y, 0) (cos, 0, 0, sin) of the half angles: yaw first, then the shortest rotation
    of z to the normal.
    """
    cos, sin = np.cos(heading / 2), np.sin(heading / 2)
    tilt = np.stack([1 + normal[:, 2], -normal[:, 1], normal[:, 0]], 1)
    w, x, y = (tilt / np.sqrt((tilt**2).sum(1, keepdims=True))).T
    return np.stack([w * cos, x * cos + y * sin, y * cos - x * sin, w * sin], 1)
