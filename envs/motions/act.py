"""Act: command of a skill, as plain data."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Act:
    """Command of a skill at a time; it begins when it may (`grek.envs.skills.transitions`)."""

    time: float
    """[s]"""
    skill: str
    values: Mapping[str, float] = field(default_factory=dict)
    """Parameters of the skill by name; the others have their defaults."""
    motion: str = ""
    """Choreography, for a skill that does one: a shipped name, a file, or drawn:INDEX."""
