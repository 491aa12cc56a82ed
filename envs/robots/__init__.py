"""Robots: frozen values in a registry by name."""

from grek.envs.registry import Registry
from grek.envs.robots.grek import GREK
from grek.envs.robots.robot import Foot, Layout, Legs, Mirror, Robot

__all__ = ["GREK", "ROBOTS", "Foot", "Layout", "Legs", "Mirror", "Robot", "register", "robot"]

ROBOTS = Registry("robot", GREK)
register, robot = ROBOTS.register, ROBOTS.named
