"""Dance: a choreography, shipped, of a file or drawn by its index."""

from grek.envs.distributions import Uniform
from grek.envs.motions.act import Act
from grek.envs.motions.choreography import choreography
from grek.envs.motions.clip import Clip, clip_of
from grek.envs.motions.drawn import NUMBER, drawn
from grek.envs.motions.feasibility import Demand, check
from grek.envs.motions.planner import Plan, plan
from grek.envs.robots import Robot
from grek.envs.robots.robot import CONTROL_STEP
from grek.envs.skills.skill import Skill
from grek.errors import InputError

DRAWN = "drawn:"  # then the index of a drawn choreography


def planned(name: str, robot: Robot) -> tuple[Plan, Demand]:
    """Plan of the choreography `name`; raises InputError for one unknown or not to be done."""
    if name.startswith(DRAWN):
        text = name.removeprefix(DRAWN)
        if not text.isdecimal():
            raise InputError(f"motion {name!r} is not {DRAWN}INDEX, 0 to {NUMBER - 1}")
        return drawn(int(text), robot)[1:]
    found = plan(choreography(name), robot, CONTROL_STEP)
    return found, check(found, robot)


def clip(robot: Robot, act: Act) -> Clip:
    """The dance of `act`."""
    plan, demand = planned(act.motion, robot)
    return clip_of(plan, demand.lead, robot)


DANCE = Skill(
    name="dance",
    clip=clip,
    dances=True,
    seconds=6.0,
    lasts=Uniform(4.0, 9.0),
    pause=Uniform(0.3, 1.0),
    measures=("beat_error",),
)
