"""Transitions between skills: the phase in which another one may begin.

Every skill begins in the home pose with both feet on the ground, so it is the present one that
decides. `phase` is the only rule there is; a command that may not begin now waits for it.
"""

from typing import Literal

from grek.envs.skills.skill import Skill

Phase = Literal["now", "free", "halted", "seated"]

TRANSITIONS: dict[tuple[str, str], Phase] = {
    ("stand", "*"): "now",  # a pose gives way to the next one smoothly
    ("walk", "walk"): "now",  # velocities ramp
    ("walk", "*"): "halted",  # first the velocity goes to zero, and the steps with it
    ("sit", "sit"): "now",  # stays seated
    ("sit", "*"): "seated",  # down to the end, then up; what comes waits for both
    ("*", "*"): "free",  # both feet planted as at home, joints slow
}
"""Phase of the present skill in which the next one may begin; * is any skill."""

WAITS: dict[Phase, str] = {
    "now": "",
    "free": "until both feet stand",
    "halted": "until it has halted",
    "seated": "until it has stood up",
}
"""Reason that a command waits, for people."""


def phase(present: Skill, coming: str) -> Phase:
    """Phase of `present` in which the skill `coming` may begin."""
    for pair in ((present.name, coming), (present.name, "*")):
        if pair in TRANSITIONS:
            return TRANSITIONS[pair]
    if present.leave is not None:
        return "seated"
    return TRANSITIONS["*", "*"] if present.clip is not None else "halted"
