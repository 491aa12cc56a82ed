"""Jump: leave the ground with both feet, on the spot, forward or with a turn, and land."""

from grek.envs.distributions import Uniform
from grek.envs.motions.act import Act
from grek.envs.motions.choreography import Choreography, Hop, Key
from grek.envs.motions.clip import Clip, clip_of
from grek.envs.motions.feasibility import check
from grek.envs.motions.planner import plan
from grek.envs.robots import Robot
from grek.envs.robots.robot import CONTROL_STEP
from grek.envs.skills.skill import Parameter, Skill

TAKE_OFF = 0.9  # [s]
LENGTH = 2.0  # of the whole jump, both crouches included [s]
_HEIGHT = Uniform(0.03, 0.09)


def clip(robot: Robot, act: Act) -> Clip:
    """The jump of `act`; a beat is a second."""
    hop = Hop(*(JUMP.value(act, name) for name in ("height", "forward", "turn")))
    of = Choreography("jump", "Jump", 60, LENGTH, (Key(beat=TAKE_OFF, hop=hop),))
    found = plan(of, robot, CONTROL_STEP)
    return clip_of(found, check(found, robot).lead, robot)


JUMP = Skill(
    name="jump",
    parameters=(
        Parameter("height", "m", 0.06, 0.02, 0.09, "of the soles"),
        Parameter("forward", "m", 0.0, -0.1, 0.2, "length"),
        Parameter("turn", "rad", 0.0, -1.58, 1.58, "to the left"),
    ),
    clip=clip,
    seconds=LENGTH + 0.5,
    kinds=(
        {"height": _HEIGHT},
        {"height": _HEIGHT, "forward": Uniform(-0.08, 0.18)},
        {"height": _HEIGHT, "turn": Uniform(-1.58, 1.58)},
    ),
    lasts=Uniform(2.3, 4.0),
    pause=Uniform(0.2, 1.5),
    weights={"air": 3.0},
    measures=("jump_clearance", "landed", "jump_way", "jump_turn"),
)
