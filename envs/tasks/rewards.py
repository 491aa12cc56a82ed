"""Reward terms of walking: pure functions, logged by name.

A term returns a rate (n,), which is multiplied by its weight [1/s] and the control step. Velocity
tracking uses low-pass filtered velocity and wide kernels: with instantaneous velocity and narrow
kernels, policies learned to step in place.
"""

import numpy as np
from numpy.typing import NDArray

from grek.envs.robots import Robot
from grek.envs.simulation.simulation import CONTROL_STEP
from grek.envs.tasks.task import StepData, Term
from grek.envs.vectors import Array


def walking(robot: Robot) -> tuple[Term, ...]:
    """Reward terms of walking for `robot`."""
    acting = len(robot.joints)
    home = np.array(robot.home[:acting])
    lateral = np.array([robot.joints.index(name) for name in robot.lateral_joints], int)

    def velocity(m: StepData) -> Array:
        return m.state.joint_velocity[:, :acting]

    def change(m: StepData, age: int = 0) -> Array:
        return m.actions[:, age] - m.actions[:, age + 1]

    terms = [
        Term("linear", 2.5, lambda m: linear(m.command[:, :2], m.stride_velocity[:, :2])),
        Term("angular", 1.5, lambda m: angular(m.command[:, 2], m.stride_velocity[:, 2])),
        Term("heading", 0.0, lambda m: heading(m.heading_error)),
        Term("alive", 0.5, lambda m: np.ones(len(m.actions))),
        Term("contact", 0.7, lambda m: contact(m.reference.contact, m.state.contact)),
        Term("foot_height", 1.0, lambda m: foot_height(m.reference.clearance, m.state.clearance)),
        Term("upright", 1.0, lambda m: upright(m.state.gravity_b)),
        Term("base_height", 0.5, lambda m: base_height(m.reference.height, m.state.height)),
        Term("vertical", -0.5, lambda m: m.state.velocity_b[:, 2] ** 2),
        Term("tilt_rate", -0.1, lambda m: square(m.state.gyro_b[:, :2])),
        Term("slip", -0.25, lambda m: slip(m.state.foot_velocity_w, m.state.contact)),
        Term("impact", 0.0, lambda m: square(m.landing_speed) / CONTROL_STEP),  # once a landing
        Term("torque", -5e-4, lambda m: square(m.state.torque[:, :acting])),
        Term(
            "acceleration",
            -2.5e-7,
            lambda m: square((velocity(m) - m.joint_velocity) / CONTROL_STEP),
        ),
        Term("action_rate", -0.02, lambda m: square(change(m))),
        Term("action_jerk", -0.01, lambda m: square(change(m) - change(m, 1))),
    ]
    if len(lateral):
        terms.append(
            Term(
                "hips",
                -0.5,
                lambda m: square(np.take(m.state.joint_position[:, :acting] - home, lateral, 1)),
            )
        )
    if robot.foot_distance:
        terms.append(
            Term("feet_apart", -5.0, lambda m: feet_apart(robot, m.state.foot_w, m.state.heading))
        )
    return (*terms, Term("fall", -50.0, lambda m: m.ended.astype(float), always=True))


def linear(command: Array, velocity: Array) -> Array:
    """exp(-|e|^2 / 0.08) (n,) of the error e of planar velocity (n, 2) [m/s]."""
    return np.exp(-((command - velocity) ** 2).sum(1) / 0.08)


def angular(command: Array, rate: Array) -> Array:
    """exp(-e^2 / 0.25) (n,) of the error e of the yaw rate (n,) [rad/s]."""
    return np.exp(-((command - rate) ** 2) / 0.25)


def heading(error: Array) -> Array:
    """exp(-e^2 / 0.02) (n,) of the heading error e (n,) [rad]."""
    return np.exp(-(error**2) / 0.02)


def contact(wanted: NDArray[np.bool_], actual: NDArray[np.bool_]) -> Array:
    """Number (n,) of feet whose contact (n, F) agrees with the reference."""
    return (wanted == actual).sum(1).astype(float)


def foot_height(wanted: Array, actual: Array) -> Array:
    """exp(-sum e^2 / (25 mm)^2) (n,) of the errors e of foot clearance (n, F) [m]."""
    return np.exp(-((np.maximum(actual, 0) - wanted) ** 2).sum(1) / 0.025**2)


def upright(gravity_b: Array) -> Array:
    """exp(-|g_xy|^2 / 0.05) (n,) of the unit gravity vector g (n, 3), base frame."""
    return np.exp(-(gravity_b[:, :2] ** 2).sum(1) / 0.05)


def base_height(wanted: Array, height: Array) -> Array:
    """exp(-e^2 / (30 mm)^2) (n,) of the error e of base height above ground (n,) [m]."""
    return np.exp(-((height - wanted) ** 2) / 0.03**2)


def square(x: Array) -> Array:
    """Sum of squares (n,) over the columns of x (n, k)."""
    return (x**2).sum(1)


def slip(velocity_w: Array, loaded: NDArray[np.bool_]) -> Array:
    """Sum (n,) [m^2/s^2] over feet in contact (n, F) of squared horizontal speed."""
    return ((velocity_w[..., :2] ** 2).sum(2) * loaded).sum(1)


def feet_apart(robot: Robot, foot_w: Array, heading: Array) -> Array:
    """Shortfall (n,) [m] of the feet's lateral distance below the robot's `foot_distance`.

    From foot positions (n, F, 3) [m], perpendicular to `heading` (n, 2), summed over pairs of left
    and right feet in their order.
    """
    left, right = (
        [i for i, foot in enumerate(robot.feet) if foot.side == side] for side in (1, -1)
    )
    total = np.zeros(len(foot_w))
    for i, j in zip(left, right, strict=False):
        d = foot_w[:, i] - foot_w[:, j]
        lateral = heading[:, 0] * d[:, 1] - heading[:, 1] * d[:, 0]
        total += np.maximum(robot.foot_distance - lateral, 0)
    return total
