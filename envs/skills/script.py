"""Scripts: acts in words, such as "walk 0.4 3s; jump 0.06; dance carnival; sit 4s; stand".

An act is a skill, its parameters in their order or as NAME=VALUE, the motion of a dance, and the
time that it takes from its beginning. Acts follow each other; one that must wait for the end of the
one before it takes its time after that.
"""

import math
import re

from grek.envs.motions.act import Act
from grek.envs.robots import GREK, Robot
from grek.envs.robots.robot import CONTROL_STEP
from grek.envs.skills import SKILLS
from grek.envs.skills.show import RAMP, clip_of, left
from grek.envs.skills.skill import Skill
from grek.envs.skills.transitions import phase
from grek.errors import InputError

MOST = 64  # acts of a script
_SECONDS = re.compile(r"([0-9.]+)s")


def acts(script: str, robot: Robot = GREK) -> tuple[tuple[Act, ...], float]:
    """Acts of `script` and the time at which the last one is over [s].

    Raises InputError, naming the act, for an unknown skill or motion, a parameter out of range, an
    act that cannot be read, or a motion that the motors cannot do.
    """
    parts = [part.strip() for part in script.split(";")]
    if len(parts) > MOST:
        raise InputError(f"a script has at most {MOST} acts, got {len(parts)}")
    found: list[Act] = []
    time, present = 0.0, SKILLS["stand"]
    for number, part in enumerate(parts, 1):
        try:
            act, seconds = _act(part, time, robot)
            time += seconds + _wait(robot, present, act.skill)
        except InputError as error:
            raise InputError(f"script, act {number} {part!r}: {error}") from None
        found.append(act)
        present = SKILLS[act.skill]
    return tuple(found), time


def _act(text: str, time: float, robot: Robot) -> tuple[Act, float]:
    """Act in words, and the time that it takes [s]."""
    name, *words = text.split() or [""]
    skill = SKILLS.named(name)
    values: dict[str, float] = {}
    motion, seconds = "", None
    for word in words:
        if match := _SECONDS.fullmatch(word):
            seconds = _number(match[1])
        elif skill.dances and not motion:
            motion = word
        else:
            key, _, value = word.rpartition("=")
            key = key or _unnamed(skill, values, word)
            if key in values:
                raise InputError(f"{key} is given twice")
            values[key] = _number(value)
    act = Act(time, name, values, motion)
    skill.check(act)
    clip = None if skill.clip is None else clip_of(robot, act)
    if seconds is None:
        seconds = skill.seconds
        if clip is not None and motion:
            seconds = (len(clip.beat) - 1) * CONTROL_STEP + 0.5
    if not 0 < seconds <= 600:
        raise InputError(f"{seconds:g} s is not in 0 to 600 s")
    return act, seconds


def _unnamed(skill: Skill, values: dict[str, float], word: str) -> str:
    """Name of the first parameter that has no value; raises InputError for `word` too many."""
    left_over = [p.name for p in skill.parameters if p.name not in values]
    if not left_over:
        there = ", ".join(p.name for p in skill.parameters) or "none"
        raise InputError(f"what is {word!r}? Parameters of {skill.name}: {there}; a time is 3s")
    return left_over[0]


def _number(text: str) -> float:
    """Finite number; raises InputError for anything else."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise InputError(f"{text!r} is not a number; a time is 3s, a parameter NAME=VALUE")
    return value


def _wait(robot: Robot, present: Skill, coming: str) -> float:
    """Time that `coming` waits after an act of `present` that took its time [s]."""
    needed = phase(present, coming)
    if needed == "halted":
        return RAMP
    return len(left(robot, present.name).beat) * CONTROL_STEP if needed == "seated" else 0.0
