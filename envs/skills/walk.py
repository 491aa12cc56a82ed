"""Walk: the reference gait under a velocity."""

from grek.envs.distributions import Constant, Uniform
from grek.envs.skills.skill import Parameter, Skill

_FORWARD, _LEFT, _TURN = Uniform(-0.35, 0.6), Uniform(-0.2, 0.2), Uniform(-0.8, 0.8)

WALK = Skill(
    name="walk",
    parameters=(
        Parameter("forward", "m/s", 0.4, -0.35, 0.6, "velocity"),
        Parameter("left", "m/s", 0.0, -0.2, 0.2, "velocity"),
        Parameter("turn", "rad/s", 0.0, -0.8, 0.8, "yaw rate, to the left"),
    ),
    velocity=("forward", "left", "turn"),
    seconds=3.0,
    kinds=(
        {"forward": _FORWARD},
        {"forward": _FORWARD, "left": _LEFT, "turn": _TURN},
        {"forward": Constant(0.0), "turn": _TURN},
    ),
    lasts=Uniform(4.0, 8.0),
    measures=("velocity_error",),
)
