"""Sit: down until the tail pod carries the robot and the leg motors rest, and up again.

Both motions are quasi-static on rigid level ground: the centre of mass is over the soles until the
pod touches with the torso 17 degrees back, and over pod and soles after it. Between touch and rest
the torso rolls back about the pod, whose contact stays where it is. The seat of 23 degrees is the
one of least leg torque, 3 (N m)^2 in sum of squares, with 0.75 of the weight on the pod; the stand
pose needs 70 (N m)^2.
"""

from collections.abc import Callable

import numpy as np
from scipy.interpolate import PchipInterpolator

from grek.envs.distributions import Uniform
from grek.envs.motions.act import Act
from grek.envs.motions.clip import Clip, clip_of
from grek.envs.motions.feasibility import check
from grek.envs.motions.planner import posed
from grek.envs.robots import Robot
from grek.envs.robots.robot import CONTROL_STEP
from grek.envs.skills.skill import Skill
from grek.envs.vectors import Array

# Of Grek: time [s], torso ahead and up [m] relative to the home pose's feet, pitch [rad].
DOWN = (
    (0.0, 0.0, 0.295, 0.0),
    (0.6, -0.020, 0.230, 0.10),
    (1.05, -0.035, 0.198, 0.0),
    (1.45, -0.045, 0.184, -0.30),
    (1.75, -0.060, 0.191, -0.40),
)
UP = (
    (0.0, -0.060, 0.191, -0.40),
    (0.35, -0.045, 0.184, -0.30),
    (0.7, -0.032, 0.198, 0.05),
    (1.1, -0.020, 0.230, 0.12),
    (1.6, 0.0, 0.295, 0.0),
)
TOUCH, SETTLE = 1.45, 0.3  # pod on the ground, and time in which the legs let go after it [s]
LOAD = 0.3  # time in which the legs take the weight again [s]


def down(robot: Robot, act: Act) -> Clip:
    """From the home pose to the seat."""
    return _clip(robot, "sit", DOWN, lambda time: (time - TOUCH) / SETTLE)


def up(robot: Robot) -> Clip:
    """From the seat to the home pose."""
    return _clip(robot, "stand up", UP, lambda time: 1 - time / LOAD)


Keys = tuple[tuple[float, float, float, float], ...]


def _clip(robot: Robot, name: str, keys: Keys, rest: Callable[[Array], Array]) -> Clip:
    """Clip through `keys`; the legs bear 1 - `rest` of the torque that they need without pod."""
    knots, *columns = np.array(keys).T
    steps = int(np.ceil(knots[-1] / CONTROL_STEP))
    time: Array = np.arange(steps + 1).astype(float) * CONTROL_STEP
    at = np.minimum(time, knots[-1])
    x, z, pitch = (PchipInterpolator(knots, column)(at) for column in columns)
    zero = np.zeros(len(time))
    scale = robot.stand_height / DOWN[0][2]
    position = np.stack([x, zero, z], 1) * scale
    plan = posed(name, time, position, np.stack([zero, pitch, zero], 1), robot)
    share = np.clip(rest(time), 0, 1)
    lead = check(plan, robot).lead * (1 - share)[:, None]
    return clip_of(plan, lead, robot, share)


SIT = Skill(
    name="sit",
    clip=down,
    leave=up,
    steps=False,
    seconds=4.0,
    lasts=Uniform(3.5, 6.0),
    pause=Uniform(2.2, 3.5),
    weights={"seat": 1.0},
    measures=("seat_share", "seat_power", "sit_down", "stand_up"),
)
