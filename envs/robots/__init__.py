"""Robots: frozen values in a registry by name."""

from grek.envs.robots.grek import GREK
from grek.envs.robots.robot import Foot, Layout, Legs, Mirror, Robot
from grek.errors import InputError

__all__ = ["GREK", "ROBOTS", "Foot", "Layout", "Legs", "Mirror", "Robot", "register", "robot"]

ROBOTS: dict[str, Robot] = {GREK.name: GREK}


def robot(name: str) -> Robot:
    """Registered robot `name`; raises InputError naming the known ones."""
    if name not in ROBOTS:
        raise InputError(f"unknown robot {name!r}; there are: {', '.join(ROBOTS)}")
    return ROBOTS[name]


def register(new: Robot) -> Robot:
    """Add `new` to ROBOTS and return it; raises InputError for a name that exists."""
    if new.name in ROBOTS:
        raise InputError(f"robot {new.name!r} exists; there are: {', '.join(ROBOTS)}")
    ROBOTS[new.name] = new
    return new
