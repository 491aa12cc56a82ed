"""Acts of the stage: which skills are commanded when, and the spaces of worlds to do so in.

Space `stage` is trained in: every skill, and shows of all of them, on every trained material. Space
`tour` is held out: the hand-made dances, and every skill on held-out ground. Space `transitions`
has every pair of skills.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import permutations
from typing import Any, Protocol

from grek.envs.distributions import Distribution, Uniform
from grek.envs.ground.materials import MATERIALS
from grek.envs.motions.act import Act
from grek.envs.motions.choreography import shipped
from grek.envs.motions.drawn import NUMBER
from grek.envs.scenarios.scenario import EPISODE, Command, Context, Scenario
from grek.envs.skills import SKILLS
from grek.envs.skills.dance import DRAWN
from grek.envs.skills.script import acts as script_acts

SHOW = "show"  # axis of the contexts with all of SHOWN
SHOWN = ("stand", "walk", "sit", "jump", "dance")
GUESTS = ("ice", "snow", "mud", "grass", "wet_leaves")  # held-out ground of the tour
_OPENING = Uniform(0.3, 1.5)  # time of standing at the start [s]


@dataclass(frozen=True)
class Programme:
    """Kind of a sequence of acts."""

    skills: tuple[str, ...]
    """Skills, one drawn for each act; in the order given if `once`."""
    dances: tuple[str, ...] = ()
    """Choreographies to choose from; empty for drawn ones."""
    once: bool = False
    """Each skill once; the last one is repeated until the end."""


class Draw(Protocol):
    """Random values by factor name and number."""

    def uniform(self, name: str, number: int = 0) -> float:
        """Uniform value in [0, 1)."""
        ...

    def __call__(self, name: str, distribution: Distribution, number: int = 0) -> float:
        """Sample of `distribution`."""
        ...


def drawn(programme: Programme, draw: Draw) -> tuple[Act, ...]:
    """Acts of an episode, the first one at 0 s."""
    alone = len(programme.skills) == 1
    acts: list[Act] = []
    time, k = 0.0, 0
    if not alone:
        acts.append(Act(0.0, "stand"))
        time = draw("act.opening", _OPENING)
    while time < EPISODE:
        if programme.once:
            name = programme.skills[min(k, len(programme.skills) - 1)]
        else:
            name = programme.skills[int(draw.uniform("act.skill", k) * len(programme.skills))]
        skill = SKILLS[name]
        pause = skill.pause or (_OPENING if k == 0 else None)
        if alone and pause is not None:
            acts.append(Act(time, "stand"))
            time += draw(f"act.{name}.pause", pause, k)
        kind = skill.kinds[int(draw.uniform(f"act.{name}.kind", k) * len(skill.kinds))]
        values = {of: draw(f"act.{name}.{of}", each, k) for of, each in kind.items()}
        acts.append(Act(time, name, values, _motion(programme, draw, k) if skill.dances else ""))
        time += draw(f"act.{name}.lasts", skill.lasts, k)
        k += 1
    return tuple(act for act in acts if act.time < EPISODE)


def _motion(programme: Programme, draw: Draw, number: int) -> str:
    """Choreography of act `number`."""
    u = draw.uniform("act.motion", number)
    if programme.dances:
        return programme.dances[int(u * len(programme.dances))]
    return f"{DRAWN}{int(u * NUMBER)}"


def commands(acts: tuple[Act, ...]) -> tuple[Command, ...]:
    """Velocity and look that `acts` command, at rest where they command none."""
    found = []
    for act in acts:
        skill = SKILLS[act.skill]
        forward, left, turn = (
            (skill.value(act, name) for name in skill.velocity) if skill.velocity else (0.0,) * 3
        )
        look = (act.values.get("look_pitch", 0.0), act.values.get("look_yaw", 0.0))
        found.append(Command(act.time, (forward, left), turn, look))
    return tuple(found)


def scripted(scenario: Scenario, script: str) -> Scenario:
    """`scenario` with the acts of `script`, which its name then ends in."""
    found, _ = script_acts(script)
    name = f"{scenario.name}#{script}"
    return replace(scenario, name=name, acts=found, commands=commands(found))


def walked(commands: tuple[Command, ...]) -> tuple[Act, ...]:
    """Acts of walking and standing that `commands` amount to."""
    names = SKILLS["walk"].velocity or ()
    found = []
    for command in commands:
        velocity = (*command.velocity, command.yaw_rate)
        walks = any(velocity)
        values = dict(zip(names, velocity, strict=True)) if walks else {}
        found.append(Act(command.time, "walk" if walks else "stand", values))
    return tuple(found)


Listed = dict[Context, Mapping[str, Any]]


def trained() -> Listed:
    """Contexts of the space `stage`: skill, or show of all, and material."""
    materials = [m.name for m in MATERIALS.values() if m.trained]
    programmes = {**{name: Programme((name,)) for name in SKILLS}, SHOW: Programme(SHOWN)}
    return {
        Context(axis, material): {"first": material, "acts": programme}
        for axis, programme in programmes.items()
        for material in materials
    }


def touring() -> Listed:
    """Contexts of the space `tour`: hand-made dance, or skill and held-out material."""
    names = shipped()
    found: Listed = {
        Context("dance", name): {"acts": Programme(("dance",), (name,))} for name in names
    }
    for skill in SKILLS:
        programme = Programme((skill,), names)
        for material in GUESTS:
            only = {"first": material, "mixed": 0.0, "acts": programme}
            found[Context(skill, material)] = only
    return found


def transitions() -> Listed:
    """Contexts of the space `transitions`: pairs of skills."""
    return {
        Context("transition", f"{a}_to_{b}"): {"acts": Programme((a, b), once=True)}
        for a, b in permutations(SHOWN, 2)
    }
