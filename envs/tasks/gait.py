"""The reference gait: a phase-driven foot pattern through closed-form leg inverse kinematics.

A policy corrects this gait instead of inventing one (policies modulating trajectory generators,
Iscen et al. 2018). Feet step alternately; in stance a foot goes back by a stride along the
command, in swing it lifts and returns, and the body sways towards the stance foot. With a zero
command the gait is frozen in the stand pose, unless the droid tips: then it steps on the spot,
for no ankle holds a droid on loose ground. It is also the `gait` reference of the evaluator and
part of a policy's contract.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from grek.envs.robots.robot import HOME, LEGS, Array

THIGH, SHIN = 0.120, 0.145  # link lengths [m]
HIP_OFFSET = 0.055  # from the roll axis out to the leg, and from the middle to the yaw axis [m]
ANKLE_HEIGHT = 0.070  # of the ankle axis above the sole [m]
STANDING = 0.05  # a command smaller than this, in m/s plus rad/s, means: stand
STEPPING = 0.15  # from this on steps have their full height
TIPPING = 0.18  # time constant of the droid as an inverted pendulum, sqrt(height / g) [s]
ROUSED, CALMED = 0.1, 1.0  # steps on the spot begin and end within these times [s]


@dataclass(frozen=True)
class Gait:
    """What shapes the foot pattern; part of a policy's contract."""

    period: float = 0.60
    """Of two steps at rest [s]."""
    quickening: float = 0.12
    """How much shorter the period is at FAST [s]."""
    duty: float = 0.55
    """Share of the period that a foot stands."""
    lift: float = 0.055
    """Highest point of the swing [m]."""
    sway: float = 0.030
    """Of the feet under the body, away from the stance foot's side [m]."""
    gain: tuple[float, float, float] = (1.9, 1.25, 1.0)
    """Commanded stride over the one that the speed asks for: slip and sag eat the rest. Forward,
    sideways, turning."""
    catch: float = 0.2
    """Lean from which a droid told to stand steps on the spot [rad]: its capture point nears the
    end of the sole, 80 mm ahead of a mass at 0.32 m. 0: it never does."""


FAST = 0.6  # speed at which steps are quickest [m/s]


def effort(command: Array) -> Array:
    """How high to step (n,) in [0, 1] under `command` (n, 3) [m/s, m/s, rad/s]; 0 is standing."""
    return np.clip((np.abs(command).sum(1) - STANDING) / (STEPPING - STANDING), 0, 1)


def lean(gyro: Array, gravity: Array) -> Array:
    """How far the droid is about to tip (n,) [rad], from gyro [rad/s] and gravity (n, 3) in body.

    Tilt plus TIPPING times its rate: the part of an inverted pendulum's motion that grows, where
    the capture point is (Pratt et al. 2006).
    """
    ahead = gravity[:, 0] + TIPPING * gyro[:, 1]
    left = gravity[:, 1] - TIPPING * gyro[:, 0]
    return np.sqrt(ahead**2 + left**2)


def catching(gait: Gait, before: Array, lean: Array, time: float) -> Array:
    """How high to step on the spot (n,) in [0, 1], `time` [s] after it was `before` (n,)."""
    tips = (lean > gait.catch) & (gait.catch > 0)
    return np.clip(before + np.where(tips, time / ROUSED, -time / CALMED), 0, 1)


def period(gait: Gait, command: Array) -> Array:
    """Time of two steps (n,) [s] under `command` (n, 3)."""
    speed = np.sqrt(command[:, 0] ** 2 + command[:, 1] ** 2)
    return gait.period - gait.quickening * np.clip(speed / FAST, 0, 1)


def foot_phase(phase: Array) -> Array:
    """Phase (n, 2) of the left and the right foot, half a period apart."""
    return np.stack([phase, (phase + 0.5) % 1], 1)


def stance(gait: Gait, phase: Array, effort: Array) -> NDArray[np.bool_]:
    """Which feet (n, 2) the clock wants on the ground."""
    return (foot_phase(phase) < gait.duty) | (effort == 0)[:, None]


def swing_height(gait: Gait, phase: Array, effort: Array) -> Array:
    """Height (n, 2) the clock wants under each foot [m]."""
    swing = np.clip((foot_phase(phase) - gait.duty) / (1 - gait.duty), 0, 1)
    return gait.lift * np.sin(np.pi * swing) * effort[:, None]


def reference(gait: Gait, phase: Array, command: Array, effort: Array) -> Array:
    """Joint angles (n, 10) [rad] of the legs at `phase` (n,) in [0, 1) under `command` (n, 3).

    `effort` (n,) is how high they step.
    """
    step = period(gait, command) * gait.duty * (effort > 0)  # duration of a stance [s]
    sway = gait.sway * np.sin(2 * np.pi * phase) * effort
    height = swing_height(gait, phase, effort)
    forward, sideways, turn = gait.gain
    side = np.array([[1.0, -1.0]])
    vx, vy, rate = command.T[..., None]
    p = foot_phase(phase)  # (n, 2)
    swing = np.clip((p - gait.duty) / (1 - gait.duty), 0, 1)
    back = np.where(p < gait.duty, 0.5 - p / gait.duty, -0.5 * np.cos(np.pi * swing))
    along = back * step[:, None]  # [s]
    yaw = turn * rate * along
    legs = leg_ik(
        x=_HOME_ANKLE[0] + forward * vx * along - yaw * 2 * HIP_OFFSET * side,
        y=2 * HIP_OFFSET * side + sideways * vy * along - sway[:, None] - 0.02 * yaw,
        z=_HOME_ANKLE[1] + height,
        yaw=yaw,
        side=side,
    )
    return legs.reshape(-1, LEGS)


def leg_ik(x: Array, y: Array, z: Array, yaw: Array, side: Array | float) -> Array:
    """Joint angles (..., 5) [rad] that put the ankle at x, y, z (...) [m] in the torso frame.

    With a `yaw` (...) [rad] the whole leg is turned by it about the hip's yaw axis afterwards; that
    moves the ankle along: in turns the gait oversteps a rigid turn by half, as it does forward.
    The foot is level; `side` is +1 for the left leg, -1 for the right one. Points out of reach are
    approached along the line from the hip.
    """
    lateral = y - HIP_OFFSET * side  # from the roll axis
    down = np.sqrt(np.maximum(lateral**2 + z**2 - HIP_OFFSET**2, 1e-6))
    roll = np.arctan2(lateral, -z) - np.arctan2(HIP_OFFSET * side, down)
    reach = np.clip(np.sqrt(x**2 + down**2), 0.08, THIGH + SHIN - 5e-4)
    knee = -np.arccos(np.clip((reach**2 - THIGH**2 - SHIN**2) / (2 * THIGH * SHIN), -1, 1))
    inner = np.arccos(np.clip((THIGH**2 + reach**2 - SHIN**2) / (2 * THIGH * reach), -1, 1))
    hip = np.arctan2(-x, down) + inner
    return np.stack([yaw, roll, hip, knee, -(hip + knee)], -1)


def leg_fk(joints: Array, side: float) -> Array:
    """Ankle position (n, 3) [m] in the torso frame for joint angles (n, 5), yaw taken as zero."""
    _, roll, hip, knee, _ = joints.T
    x = -THIGH * np.sin(hip) - SHIN * np.sin(hip + knee)
    down = THIGH * np.cos(hip) + SHIN * np.cos(hip + knee)
    y = HIP_OFFSET * side + HIP_OFFSET * side * np.cos(roll) + down * np.sin(roll)
    z = HIP_OFFSET * side * np.sin(roll) - down * np.cos(roll)
    return np.stack([x, y, z], 1)


_HOME_ANKLE = leg_fk(HOME[None, : LEGS // 2], 1.0)[0, [0, 2]]  # in the stand pose [m]
