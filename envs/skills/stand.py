"""Stand: hold a pose of the torso with both feet on the ground."""

import numpy as np

from grek.envs.distributions import Uniform
from grek.envs.motions.act import Act
from grek.envs.motions.clip import Clip, clip_of
from grek.envs.motions.feasibility import check
from grek.envs.motions.planner import posed, smooth
from grek.envs.robots import Robot
from grek.envs.robots.robot import CONTROL_STEP
from grek.envs.skills.skill import Parameter, Skill
from grek.envs.vectors import Array

MOVE = 0.8  # time from the home pose to another [s]


def clip(robot: Robot, act: Act) -> Clip:
    """From the home pose to the pose of `act`; two rows where that is the home pose."""
    height, lean = STAND.value(act, "height"), STAND.value(act, "lean")
    move = MOVE if height or lean else CONTROL_STEP
    time: Array = np.arange(round(move / CONTROL_STEP) + 1).astype(float) * CONTROL_STEP
    share = smooth(np.minimum(time / move, 1))
    position, attitude = np.zeros((len(time), 3)), np.zeros((len(time), 3))
    position[:, 2] = robot.stand_height + share * height
    attitude[:, 1] = share * lean
    plan = posed("stand", time, position, attitude, robot)
    return clip_of(plan, check(plan, robot).lead, robot)


STAND = Skill(
    name="stand",
    parameters=(
        Parameter("height", "m", 0.0, -0.06, 0.01, "above the home pose"),
        Parameter("lean", "rad", 0.0, -0.15, 0.2, "pitch, forward"),
        Parameter("look_pitch", "rad", 0.0, -0.3, 0.4, "head down"),
        Parameter("look_yaw", "rad", 0.0, -0.8, 0.8, "head to the left"),
    ),
    clip=clip,
    seconds=3.0,
    kinds=(
        {},
        {"height": Uniform(-0.05, 0.005), "lean": Uniform(-0.1, 0.15)},
        {"look_pitch": Uniform(-0.3, 0.4), "look_yaw": Uniform(-0.8, 0.8)},
    ),
    lasts=Uniform(2.0, 5.0),
    measures=("drift",),
)
