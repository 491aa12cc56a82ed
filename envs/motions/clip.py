"""Clip: a planned motion as rows of a reference, one for each control step."""

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from grek.envs.motions.motion import Reference
from grek.envs.motions.planner import Plan
from grek.envs.robots import Robot
from grek.envs.robots.robot import CONTROL_STEP
from grek.envs.vectors import Array

AVERAGED = 0.3  # time constant of the averaged velocity, half a stride [s]
STANCE = 0.005, 0.03  # distance [m] and turn [rad] of feet that stand as at home, at most
SLOW = 1.0  # largest speed of a joint in a row at which another motion may take over [rad/s]


@dataclass(frozen=True)
class Clip:
    """T rows; after the last one, it is held."""

    name: str
    rows: Reference
    """(T, ...)"""
    beat: Array
    """(T,)"""
    free: NDArray[np.bool_]
    """Rows at which another motion may take over: both feet stand as at home, joints are slow."""


def clip_of(plan: Plan, lead: Array, robot: Robot, rest: Array | None = None) -> Clip:
    """Clip of `plan`, whose targets are ahead of its joints by `lead` (T, A) [rad].

    `lead` includes the robot's static offset; `rest` (T,) is `Reference.rest`, 0 by default.
    """
    acting, steps = len(robot.joints), len(plan.time)
    angle = 2 * np.pi * plan.beat
    rows = Reference(
        joints=plan.joints,
        contact=plan.contact,
        clearance=plan.feet[..., 2],
        clock=np.stack([np.sin(angle), np.cos(angle), np.sin(2 * angle), np.cos(2 * angle)], 1),
        moving=np.ones(steps, bool),
        lead=lead - np.array(robot.static_offset[:acting]),
        height=plan.position[:, 2],
        look=plan.look,
        attitude=plan.attitude[:, :2],
        velocity=_velocity(plan),
        rest=np.zeros(steps) if rest is None else rest,
        skill=np.zeros(steps, int),
    )
    return Clip(plan.name, rows, plan.beat, _free(plan, robot))


def joined(rows: Sequence[Reference]) -> Reference:
    """All `rows`, one after the other."""
    names = [f.name for f in fields(Reference)]
    return Reference(**{name: np.concatenate([getattr(r, name) for r in rows]) for name in names})


def _velocity(plan: Plan) -> Array:
    """Averaged velocity of the torso (T, 3): forward, left [m/s] and yaw rate [rad/s]."""
    yaw = np.unwrap(plan.attitude[:, 2])
    ahead = np.diff(plan.position[:, :2], axis=0, prepend=plan.position[:1, :2]) / CONTROL_STEP
    cos, sin = np.cos(yaw), np.sin(yaw)
    now = np.stack(
        [
            cos * ahead[:, 0] + sin * ahead[:, 1],
            cos * ahead[:, 1] - sin * ahead[:, 0],
            np.diff(yaw, prepend=yaw[0]) / CONTROL_STEP,
        ],
        1,
    )
    averaged, share = np.zeros_like(now), CONTROL_STEP / AVERAGED
    for at in range(1, len(now)):
        averaged[at] = averaged[at - 1] + (now[at] - averaged[at - 1]) * share
    return averaged


def _free(plan: Plan, robot: Robot) -> NDArray[np.bool_]:
    """Rows (T,) at which another motion may take over."""
    assert robot.legs is not None
    home = np.array(robot.legs.home_ankles)[:, :2]
    yaw = plan.feet[..., 3].mean(1)
    cos, sin = np.cos(yaw)[:, None], np.sin(yaw)[:, None]
    apart = plan.feet[..., :2] - plan.feet[..., :2].mean(1, keepdims=True)
    x = cos * apart[..., 0] + sin * apart[..., 1]
    y = cos * apart[..., 1] - sin * apart[..., 0]
    moved = np.abs(np.stack([x, y], 2) - (home - home.mean(0))).max((1, 2))
    turned = np.abs(plan.feet[..., 3] - yaw[:, None]).max(1)
    speed = np.abs(np.gradient(plan.joints, CONTROL_STEP, axis=0)).max(1)
    there = (moved < STANCE[0]) & (turned < STANCE[1]) & (speed < SLOW)
    return np.asarray(there & plan.contact.all(1))
