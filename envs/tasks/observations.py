"""Observation fields of walking: measured with sensor errors, exact, and privileged.

Base velocity, contacts and terrain are privileged: only the critic observes them.
"""

import numpy as np
from numpy.typing import NDArray

from grek.envs.robots import Robot
from grek.envs.tasks.task import (
    Columns,
    Field,
    Sensor,
    StepData,
    action_bounds,
    command_bounds,
    joint_mirror,
)
from grek.envs.vectors import Array, heading_frame


def signed(*sign: float) -> Columns:
    """Reflection that multiplies columns by `sign` and keeps their order."""
    return tuple(range(len(sign))), sign


def foot_mirror(robot: Robot) -> Columns | None:
    """Reflection of one value per foot; None for an asymmetric robot."""
    mirror = robot.mirror
    return None if mirror is None else (mirror.feet, (1.0,) * len(robot.feet))


def measured(robot: Robot) -> tuple[Field, ...]:
    """Angular velocity [rad/s], unit gravity vector, joint position from home [rad], velocity."""
    acting, home = len(robot.joints), np.array(robot.home[: len(robot.joints)])
    joints = joint_mirror(robot)
    return (
        Field(
            "gyro",
            3,
            lambda m: m.state.gyro_b,
            signed(-1, 1, -1),
            Sensor(lambda s: s.gyro_noise, lambda s: s.gyro_bias, mounted=True),
        ),
        Field(
            "gravity",
            3,
            lambda m: m.state.gravity_b,
            signed(1, -1, 1),
            Sensor(lambda s: s.gravity_noise, mounted=True, estimated=True),
        ),
        Field(
            "joint_position",
            acting,
            lambda m: m.state.joint_position[:, :acting] - home,
            joints,
            Sensor(lambda s: s.joint_noise, lambda s: s.joint_offset),
        ),
        Field(
            "joint_velocity",
            acting,
            lambda m: m.state.joint_velocity[:, :acting],
            joints,
            Sensor(lambda s: s.velocity_noise),
        ),
    )


def exact(robot: Robot) -> tuple[Field, ...]:
    """Fields without error: command, look command, last action and phase of the motion."""
    look = (Field("look", 2, lambda m: m.command[:, 3:], signed(1, -1)),) if robot.look else ()
    return (
        Field("command", 3, lambda m: m.command[:, :3], signed(1, -1, -1), bounds=command_bounds),
        *look,
        Field(
            "last_action",
            len(robot.joints),
            lambda m: m.action,
            joint_mirror(robot),
            bounds=action_bounds,
        ),
        Field(
            "phase",
            4,
            lambda m: m.reference.clock,
            signed(-1, -1, 1, 1),
            bounds=lambda task: (-1, 1),
        ),
    )


def privileged(robot: Robot) -> tuple[Field, ...]:
    """Fields of the critic; velocities are in the base frame, horizontal vectors by heading."""
    feet, mirror = len(robot.feet), foot_mirror(robot)

    def field(  # type: ignore[no-untyped-def]
        name: str,
        size: int,
        read,
        mirror: Columns | None,
        low: float = -np.inf,
        high: float = np.inf,
    ) -> Field:
        return Field(name, size, read, mirror, privileged=True, bounds=lambda task: (low, high))

    return (
        field("velocity", 3, lambda m: m.state.velocity_b, signed(1, -1, 1)),
        field("stride_velocity", 3, lambda m: m.stride_velocity, signed(1, -1, -1)),
        field("heading_error", 1, lambda m: m.heading_error[:, None], signed(-1)),
        field("height", 1, lambda m: m.state.height[:, None], signed(1)),
        field("clearance", feet, lambda m: m.state.clearance, mirror),
        field("contact", feet, lambda m: m.state.contact, mirror, 0, 1),
        field("friction", feet, lambda m: m.friction, mirror, 0),
        field(
            "ground_normal",
            2,
            lambda m: _horizontal(m, m.ground_normal[:, :2]),
            signed(1, -1),
            low=-1,
            high=1,
        ),
        field("push", 2, lambda m: _horizontal(m, m.push), signed(1, -1)),
        field("motors", 2, lambda m: np.stack([m.strength, m.motor_delay], 1), signed(1, 1), 0),
        field("payload", 1, lambda m: m.payload[:, None], signed(1)),
    )


def _horizontal(data: StepData, vector_w: Array) -> NDArray[np.float64]:
    """Horizontal world-frame vectors (n, 2) in the heading frame (n, 2)."""
    return heading_frame(vector_w, data.state.heading)
