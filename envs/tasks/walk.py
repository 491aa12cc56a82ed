"""Walking task: track commanded base velocity and head direction without falling."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from grek.envs.motions import gait
from grek.envs.motions.gait import Gait
from grek.envs.motions.motion import HomePose, ReferenceMotion
from grek.envs.robots import GREK, Robot
from grek.envs.tasks import metrics, observations, rewards
from grek.envs.tasks.task import StepData, Task

NAME = "grek/Walk-v0"
STRIDE = 0.6  # averaging time of velocity tracking, the gait's period at zero speed [s]


def walking(
    robot: Robot = GREK,
    name: str = NAME,
    motion: ReferenceMotion | None = None,
    **options: Any,
) -> Task:
    """Walking task for `robot`.

    `motion` defaults to the gait, or to the home pose for a robot without `legs`; `options` are
    those of `Task`, such as `history` and `action_scale`.
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
        termination=fallen,
        moving=gait.moving,
        metrics=metrics.WALKING,
        stride=STRIDE,
        **options,
    )


def fallen(data: StepData) -> NDArray[np.bool_]:
    """Tilt beyond `robot.fall_cosine` or base below `robot.fall_height` above the ground (n,)."""
    state, robot = data.state, data.robot
    return (state.rotation[:, 2, 2] < robot.fall_cosine) | (state.height < robot.fall_height)
