"""Reward terms: small pure functions of the state, each logged by its name.

A term returns (n,) per second of simulated time; the task multiplies by weight and control step.
Tracking is judged on velocity averaged over a stride with a wide kernel: narrow kernels and
instantaneous velocity leave a droid marching on the spot for ever.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from grek.envs.robots.robot import HOME, LEGS, STAND_HEIGHT, Array

_YAW_AND_ROLL = np.array([0, 1, 5, 6])  # of the legs


@dataclass(frozen=True)
class Weights:
    """Weight of each term, per second."""

    linear: float = 2.5
    angular: float = 1.5
    alive: float = 0.5
    contact: float = 0.7
    foot_height: float = 1.0
    upright: float = 1.0
    base_height: float = 0.5
    vertical: float = -0.5
    tilt_rate: float = -0.1
    slip: float = -0.25
    torque: float = -5e-4
    acceleration: float = -2.5e-7
    action_rate: float = -0.02
    action_jerk: float = -0.01
    hips: float = -0.5
    feet_apart: float = -5.0
    fall: float = -50.0


def linear(command: Array, velocity: Array) -> Array:
    """exp(-e^2 / 0.08) of planar velocity (n, 2), stride average against command [m/s]."""
    return np.exp(-((command - velocity) ** 2).sum(1) / 0.08)


def angular(command: Array, rate: Array) -> Array:
    """exp(-e^2 / 0.25) of the yaw rate (n,), stride average against command [rad/s]."""
    return np.exp(-((command - rate) ** 2) / 0.25)


def contact(wanted: NDArray[np.bool_], actual: NDArray[np.bool_]) -> Array:
    """How many of the two feet (n, 2) touch the ground just when the clock wants them to."""
    return (wanted == actual).sum(1).astype(float)


def foot_height(wanted: Array, actual: Array) -> Array:
    """exp(-sum e^2 / (25 mm)^2) of the feet's heights (n, 2) against the clock's [m]."""
    return np.exp(-((np.maximum(actual, 0) - wanted) ** 2).sum(1) / 0.025**2)


def upright(gravity_b: Array) -> Array:
    """exp(-|g_xy|^2 / 0.05) of the unit gravity vector (n, 3) in the torso frame."""
    return np.exp(-(gravity_b[:, :2] ** 2).sum(1) / 0.05)


def base_height(height: Array) -> Array:
    """exp(-e^2 / (30 mm)^2) of the torso's height (n,) above the ground [m]."""
    return np.exp(-((height - STAND_HEIGHT) ** 2) / 0.03**2)


def square(x: Array) -> Array:
    """Sum of squares over the columns of x (n, k)."""
    return (x**2).sum(1)


def slip(velocity_w: Array, loaded: NDArray[np.bool_]) -> Array:
    """Sum over loaded feet (n, 2) of their squared horizontal speed (n, 2, 3) [m^2/s^2]."""
    return ((velocity_w[..., :2] ** 2).sum(2) * loaded).sum(1)


def hips(joint_position: Array) -> Array:
    """Squared deviation of hip yaw and roll (n, 10) from the stand pose [rad^2]."""
    deviation = np.take(joint_position[:, :LEGS] - HOME[:LEGS], _YAW_AND_ROLL, 1)
    return (deviation**2).sum(1)


def feet_apart(foot_w: Array, heading: Array) -> Array:
    """How much less than 0.15 m the feet (n, 2, 3) lie apart sideways to `heading` (n, 2) [m]."""
    d = foot_w[:, 0] - foot_w[:, 1]
    return np.maximum(0.15 - (heading[:, 0] * d[:, 1] - heading[:, 1] * d[:, 0]), 0)
