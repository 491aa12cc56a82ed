"""Vectors and quaternions against NumPy, MuJoCo and hand computation."""

import mujoco
import numpy as np
import pytest

from grek.envs import vectors

RNG = np.random.default_rng(0)


def rotated(quaternion: np.ndarray, vector: list[float]) -> np.ndarray:
    """A vector turned by MuJoCo."""
    out = np.zeros(3)
    mujoco.mju_rotVecQuat(out, np.array(vector, float), quaternion)
    return out


def units(count: int) -> np.ndarray:
    """Directions (count, 3) upwards, and not."""
    v = RNG.normal(size=(count, 3))
    return v / np.linalg.norm(v, axis=1, keepdims=True)


def test_products_are_numpys():
    a, b = RNG.normal(size=(2, 5, 4, 3))
    assert vectors.dot(a, b) == pytest.approx((a * b).sum(-1))
    assert vectors.cross(a, b) == pytest.approx(np.cross(a, b))
    assert vectors.cross(a, b[:, :1]) == pytest.approx(np.cross(a, b[:, :1]))


def test_heading_frame():
    """Facing along y: what points along x is to the right, what points along y is ahead."""
    xy, heading = np.array([[1.0, 0.0], [0.0, 2.0]]), np.array([[0.0, 1.0]] * 2)
    assert vectors.heading_frame(xy, heading) == pytest.approx(np.array([[0.0, -1.0], [2.0, 0.0]]))


def test_the_shortest_rotation_to_a_normal():
    for normal in units(50):
        turn = vectors.quaternion_from_z(normal)
        assert np.linalg.norm(turn) == pytest.approx(1)
        assert rotated(turn, [0, 0, 1]) == pytest.approx(normal)
        assert turn[3] == 0  # about a horizontal axis
    assert vectors.quaternion_from_z(np.array([0.0, 0.0, 1.0])).tolist() == [1, 0, 0, 0]


def test_standing_on_a_normal_with_a_heading():
    """A yaw on the level ground, then the shortest rotation: the two one after the other."""
    normals, headings = units(50), RNG.uniform(-3, 3, 50)
    standing = vectors.quaternion_standing(headings, normals)
    for quaternion, heading, normal in zip(standing, headings, normals, strict=True):
        yaw = np.array([np.cos(heading / 2), 0, 0, np.sin(heading / 2)])
        both = np.zeros(4)
        mujoco.mju_mulQuat(both, vectors.quaternion_from_z(normal), yaw)
        assert quaternion == pytest.approx(both)
        assert rotated(quaternion, [0, 0, 1]) == pytest.approx(normal)
    level = vectors.quaternion_standing(np.array([np.pi / 2]), np.array([[0.0, 0.0, 1.0]]))[0]
    assert rotated(level, [1, 0, 0]) == pytest.approx([0, 1, 0])
