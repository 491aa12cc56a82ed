"""Observation fields of walking: measured, known exactly, and privileged for the critic.

The policy gets no base velocity, no contacts and no terrain.
"""

import numpy as np
from numpy.typing import NDArray

from grek.envs.robots import Robot
from grek.envs.tasks.task import Columns, Field, Moment, Sensor
from grek.envs.vectors import Array, heading_frame


def signed(*sign: float) -> Columns:
    """A mirror image that changes signs and no order."""
    return tuple(range(len(sign))), sign


def joint_mirror(robot: Robot) -> Columns | None:
    """The mirror image of values of the acting joints."""
    acting, mirror = len(robot.joints), robot.mirror
    return None if mirror is None else (mirror.joints[:acting], mirror.joint_sign[:acting])


def foot_mirror(robot: Robot) -> Columns | None:
    """The mirror image of a value of each foot."""
    mirror = robot.mirror
    return None if mirror is None else (mirror.feet, (1.0,) * len(robot.feet))


def measured(robot: Robot) -> tuple[Field, ...]:
    """Gyro, gravity vector (an attitude estimate) and encoders, with the errors of a scenario."""
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
            Sensor(lambda s: s.gravity_noise, mounted=True),
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
    """Command, where to look, last action and the phase of the reference motion."""
    look = (Field("look", 2, lambda m: m.command[:, 3:], signed(1, -1)),) if robot.look else ()
    return (
        Field("command", 3, lambda m: m.command[:, :3], signed(1, -1, -1)),
        *look,
        Field("last_action", len(robot.joints), lambda m: m.action, joint_mirror(robot)),
        Field("phase", 4, lambda m: m.reference.clock, signed(-1, -1, 1, 1)),
    )


def privileged(robot: Robot) -> tuple[Field, ...]:
    """For the critic alone."""
    feet, mirror = len(robot.feet), foot_mirror(robot)

    def field(name: str, size: int, read, mirror: Columns | None) -> Field:  # type: ignore[no-untyped-def]
        return Field(name, size, read, mirror, privileged=True)

    return (
        field("velocity", 3, lambda m: m.state.velocity_b, signed(1, -1, 1)),
        field("stride_velocity", 3, lambda m: m.stride_velocity, signed(1, -1, -1)),
        field("height", 1, lambda m: m.state.height[:, None], signed(1)),
        field("clearance", feet, lambda m: m.state.clearance, mirror),
        field("contact", feet, lambda m: m.state.contact, mirror),
        field("friction", feet, lambda m: m.friction, mirror),
        field("ground_normal", 2, lambda m: _ahead(m, m.ground_normal[:, :2]), signed(1, -1)),
        field("push", 2, lambda m: _ahead(m, m.push), signed(1, -1)),
        field("motors", 2, lambda m: np.stack([m.strength, m.motor_delay], 1), signed(1, 1)),
        field("payload", 1, lambda m: m.payload[:, None], signed(1)),
    )


def _ahead(moment: Moment, vector_w: Array) -> NDArray[np.float64]:
    """Horizontal vectors (n, 2) of the world in the heading frame."""
    return heading_frame(vector_w, moment.state.heading)
