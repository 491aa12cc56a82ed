"""Walk: the reference gait under a velocity."""

from grek.envs.distributions import Uniform
from grek.envs.skills.skill import Parameter, Skill

WALK = Skill(
    name="walk",
    parameters=(
        Parameter("forward", "m/s", 0.4, -0.35, 0.6, Uniform(-0.35, 0.6), "velocity"),
        Parameter("left", "m/s", 0.0, -0.2, 0.2, Uniform(-0.2, 0.2), "velocity"),
        Parameter("turn", "rad/s", 0.0, -0.8, 0.8, Uniform(-0.8, 0.8), "yaw rate, to the left"),
    ),
    velocity=("forward", "left", "turn"),
    seconds=3.0,
    measures=("velocity_error",),
)
