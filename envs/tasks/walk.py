"""Walking: follow commanded velocities, look where told, stand when told, do not fall."""

import numpy as np
from numpy.typing import NDArray

from grek.envs.robots import GREK, Robot
from grek.envs.simulation.state import State
from grek.envs.tasks import gait, metrics, observations, rewards
from grek.envs.tasks.gait import Gait
from grek.envs.tasks.motion import HomePose, ReferenceMotion
from grek.envs.tasks.task import Task

NAME = "grek/Walk-v0"
STRIDE = 0.6  # time over which tracking is averaged, a period of the gait [s]


def walking(
    robot: Robot = GREK,
    name: str = NAME,
    motion: ReferenceMotion | None = None,
    history: int = 4,
    action_scale: tuple[float, ...] = (),
) -> Task:
    """The walking task for `robot`.

    `motion` is the gait by default, or the home pose of a robot without leg kinematics.
    """
    return Task(
        name=name,
        robot=robot,
        fields=(
            *observations.measured(robot),
            *observations.exact(robot),
            *observations.privileged(robot),
        ),
        terms=rewards.walking(robot),
        motion=motion or (Gait() if robot.legs else HomePose()),
        fallen=fallen,
        moving=gait.moving,
        metrics=metrics.WALKING,
        stride=STRIDE,
        history=history,
        action_scale=action_scale,
    )


def fallen(state: State, robot: Robot) -> NDArray[np.bool_]:
    """Tilted too far, or too low above the ground (n,)."""
    return (state.rotation[:, 2, 2] < robot.fall_cosine) | (state.height < robot.fall_height)
