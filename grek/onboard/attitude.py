"""Attitude from raw gyro and accelerometer, for a robot without an estimator of its own.

Explicit complementary filter with bias correction (Mahony, Hamel and Pflimlin 2008, Nonlinear
complementary filters on the special orthogonal group, IEEE Trans. Automatic Control 53(5), eq. 48),
reduced to the direction of gravity: yaw is not observable from these sensors.
"""

from dataclasses import dataclass

import numpy as np

from grek.envs.vectors import Array, cross, dot

GRAVITY = 9.81  # [m/s^2]


@dataclass(frozen=True)
class Gains:
    """Gains of the filter."""

    proportional: float = 1.0
    """Inverse time constant of the correction towards the accelerometer [1/s]."""
    integral: float = 0.1
    """Rate of the gyro bias estimate [1/s^2]."""
    trust: float = 0.2
    """Relative difference of specific force from gravity up to which the accelerometer counts [-];
    beyond, as in an impact, the gyro is integrated alone."""


class AttitudeFilter:
    """Estimate of the unit vector of gravity in the base frame."""

    def __init__(self, gains: Gains | None = None) -> None:
        self._gains = gains or Gains()
        self._gravity: Array | None = None
        self.bias = np.zeros(3)  # of the gyro [rad/s]

    def update(self, gyro: Array, accelerometer: Array, time: float) -> Array:
        """Unit vector of gravity (3,) after `time` [s] at `gyro` (3,) [rad/s].

        `accelerometer` (3,) [m/s^2] is the specific force, which opposes gravity at rest; the first
        one sets the estimate.
        """
        gains, force = self._gains, float(np.sqrt(dot(accelerometer, accelerometer)))
        measured = -accelerometer / max(force, 1e-9)
        if self._gravity is None:
            self._gravity = measured if force > 0 else np.array([0.0, 0.0, -1.0])
            return self._gravity
        correction = np.zeros(3)
        if abs(force - GRAVITY) <= gains.trust * GRAVITY:
            correction = cross(measured, self._gravity)
        self.bias = self.bias - gains.integral * correction * time
        rate = gyro - self.bias + gains.proportional * correction
        self._gravity = _turned(self._gravity, -rate * time)
        return self._gravity


def _turned(vector: Array, turn: Array) -> Array:
    """Unit `vector` (3,) rotated by the rotation vector `turn` (3,) [rad] (Rodrigues)."""
    angle = float(np.sqrt(dot(turn, turn)))
    if angle < 1e-12:
        return vector
    axis = turn / angle
    turned = (
        vector * np.cos(angle)
        + cross(axis, vector) * np.sin(angle)
        + axis * dot(axis, vector) * (1 - np.cos(angle))
    )
    return turned / np.sqrt(dot(turned, turned))
