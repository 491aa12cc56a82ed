"""Reference gait: phase-driven foot trajectories and leg inverse kinematics.

The policy adds residuals to this gait (policies modulating trajectory generators, Iscen et al.
2018). In stance a foot moves back along the command, in swing it lifts and returns; the body sways
in step with them. With a zero command the gait holds the home pose, or steps in place while
the robot is tipping, since ankle torque alone cannot balance on loose ground. The gait's parameters
are part of a policy's contract.
"""

import dataclasses
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from grek.envs.motions.motion import Motion, Reference
from grek.envs.robots import Robot
from grek.envs.robots.robot import CONTROL_STEP
from grek.envs.vectors import Array, clamp
from grek.errors import InputError

STANDING = 0.05  # commands up to this |vx| + |vy| + |yaw rate| mean "stand" [m/s, rad/s]
STEPPING = 0.15  # commands from this on have full step height
FAST = 0.6  # speed of the shortest period [m/s]
TIPPING = 0.18  # time constant of the inverted pendulum, sqrt(height / g) [s]
_TURNS = np.array([2 * np.pi, 4 * np.pi])  # of the clock in a period [rad]
AIMING = 0.06  # time constant in which a foot in swing takes up the speed to land for [s]
CAUGHT = 0.8  # highest speed beyond the command's [m/s]
RISE, DECAY = 0.1, 1.0  # time of recovery amplitude from 0 to 1, and back [s]


@dataclass(frozen=True)
class Gait:
    """Parameters of the gait; raises InputError for values out of range."""

    period: float = 0.60
    """Duration of a stride (one step of each foot) at zero speed [s]."""
    quickening: float = 0.12
    """Reduction of the period at speed FAST and above [s]."""
    duty: float = 0.55
    """Duty factor: fraction of the period that a foot is in stance."""
    lift: float = 0.055
    """Peak foot height in swing [m]."""
    softness: float = 0.0
    """Share of a swing's height that is a squared sine, which lifts and lands at rest, instead of a
    sine [-]."""
    retraction: float = 0.0
    """Speed back over the body of a foot that lands or lifts off, over that of a foot in stance
    [-]; at 1 it meets the ground at the ground's speed (swing-leg retraction, Seyfarth et al.
    2003)."""
    sway: float = -0.030
    """Amplitude of the lateral motion of the body over its feet [m]; a positive one leans over the
    foot in stance, a negative one pushes off from it. The sign is chosen by what is learned from
    it: docs/learning.md."""
    gain: tuple[float, float, float] = (1.0, 1.0, 1.0)
    """Reference stride over the kinematic one, for forward, sideways and turning [-]."""
    catch: float = 0.2
    """`lean` above which a standing robot takes recovery steps [rad]; 0 for never. At 0.2 rad the
    capture point of a mass at 0.32 m is 64 mm ahead of the centre of a sole 160 mm long."""
    capture: float = 0.0
    """Speed beyond the command's for which feet land, over `tip` times standing height over TIPPING
    [-]: at 1 that of an inverted pendulum which tips likewise, so that feet land near the capture
    point (Raibert 1986; Pratt et al. 2006)."""

    def __post_init__(self) -> None:
        numbers = (*self.gain, *(v for v in vars(self).values() if v is not self.gain))
        if not all(isinstance(v, int | float) and math.isfinite(v) for v in numbers):
            raise InputError(f"a gait takes finite numbers, got {vars(self)}")
        if not (
            len(self.gain) == 3
            and 0 < self.duty < 1
            and 0 <= self.quickening < self.period
            and self.catch >= 0
        ):
            raise InputError(
                "a gait needs 0 < duty < 1, 0 <= quickening < period, catch >= 0 and three gains,"
                f" got {vars(self)}"
            )

    def start(self, robot: Robot, worlds: int) -> Motion:
        """State of the gait in `worlds` worlds; raises InputError for a robot without `legs`."""
        return GaitMotion(self, robot, worlds)

    def describe(self) -> dict[str, Any]:
        """Parameters by name, for a policy's contract."""
        return dataclasses.asdict(self)

    def from_description(self, values: Any) -> "Gait":
        """Inverse of `describe`; raises InputError for missing, unknown or malformed values."""
        names = {f.name for f in dataclasses.fields(self)}
        newer = ("catch", "softness", "retraction", "capture")
        older = dict.fromkeys(newer, 0.0)  # in contracts before these
        if not isinstance(values, dict) or {*older, *values} != names:
            raise InputError(f"a gait has {', '.join(sorted(names))}; got {str(values)[:200]}")
        gain = values["gain"]
        if not isinstance(gain, list | tuple):
            raise InputError(f"gain is {str(gain)[:60]!r}, not three numbers")
        return Gait(**{**older, **values, "gain": tuple(gain)})


def moving(command: Array) -> NDArray[np.bool_]:
    """Mask (...) of commands (..., 3) [m/s, m/s, rad/s] that ask to move; others mean "stand"."""
    return np.abs(command).sum(-1) > STANDING


def effort(command: Array) -> Array:
    """Step amplitude (n,) in [0, 1] under `command` (n, 3); 0 is standing."""
    return clamp((np.abs(command).sum(1) - STANDING) / (STEPPING - STANDING), 0, 1)


def tip(gyro: Array, gravity: Array) -> Array:
    """Tilt + TIPPING * tilt rate, forward and to the left (n, 2) [rad], from gyro [rad/s] and
    gravity (n, 3) in the base frame.

    The divergent component of motion of a linear inverted pendulum, as an angle: the direction of
    the capture point (Pratt et al. 2006).
    """
    ahead = gravity[:, 0] + TIPPING * gyro[:, 1]
    left = gravity[:, 1] - TIPPING * gyro[:, 0]
    return np.stack([ahead, left], 1)


def lean(gyro: Array, gravity: Array) -> Array:
    """Magnitude (n,) of `tip` [rad]."""
    ahead, left = tip(gyro, gravity).T
    return np.sqrt(ahead**2 + left**2)


def recovery(gait: Gait, before: Array, lean: Array, time: float) -> Array:
    """Recovery-step amplitude (n,) in [0, 1], given its value `before` (n,) a `time` [s] ago.

    Rises while `lean` (n,) [rad] exceeds `gait.catch`, otherwise decays.
    """
    tips = (lean > gait.catch) & (gait.catch > 0)
    return clamp(before + np.where(tips, time / RISE, -time / DECAY), 0, 1)


def period(gait: Gait, command: Array) -> Array:
    """Period of a stride (n,) [s] under `command` (n, 3)."""
    speed = np.sqrt(command[:, 0] ** 2 + command[:, 1] ** 2)
    return gait.period - gait.quickening * clamp(speed / FAST, 0, 1)


def foot_phase(phase: Array, robot: Robot) -> Array:
    """Phase of each foot of `robot` (n, F) in [0, 1) at gait phase `phase` (n,)."""
    return (phase[:, None] + robot.foot_phases) % 1


def stance(gait: Gait, foot_phase: Array, effort: Array) -> NDArray[np.bool_]:
    """Feet in stance (n, F); all of them where `effort` (n,) is 0."""
    return (foot_phase < gait.duty) | (effort == 0)[:, None]


def swing_height(gait: Gait, foot_phase: Array, effort: Array) -> Array:
    """Height of each foot above the ground (n, F) [m] at step amplitude `effort` (n,)."""
    return _height(gait, _swing(gait, foot_phase), effort)


def _swing(gait: Gait, foot_phase: Array) -> Array:
    """Share of the swing that each foot has done (n, F); 0 in stance."""
    return clamp((foot_phase - gait.duty) / (1 - gait.duty), 0, 1)


def _height(gait: Gait, swing: Array, effort: Array) -> Array:
    sine = np.sin(np.pi * swing)
    return gait.lift * (sine + gait.softness * (sine**2 - sine)) * effort[:, None]


def joint_angles(
    gait: Gait,
    robot: Robot,
    phase: Array,
    command: Array,
    effort: Array,
    caught: Array | None = None,
) -> Array:
    """Acting joint angles (n, A) [rad] at `phase` (n,) under `command` (n, 3) and `effort` (n,).

    Feet move at the velocity `caught` (n, F, 2) [m/s], forward and left, beyond the command's.

    In a turn, feet move tangentially about the base in addition to hip yaw, which exceeds a rigid
    turn by about half and so compensates slip.
    """
    assert robot.legs is not None
    step = period(gait, command) * gait.duty * (effort > 0)  # duration of a stance [s]
    sway = gait.sway * np.sin(2 * np.pi * phase) * effort
    p = foot_phase(phase, robot)  # (n, F)
    ankle_x, ankle_y, ankle_z = robot.legs.ankles
    vx, vy, rate = command.T[..., None]
    forward, sideways, turn = gait.gain
    swing = _swing(gait, p)
    ends = -gait.retraction * (1 - gait.duty) / gait.duty  # slope over the swing
    ahead = -0.5 * np.cos(np.pi * swing) + ends * swing * (1 - swing) * (1 - 2 * swing)
    back = np.where(p < gait.duty, 0.5 - p / gait.duty, ahead)
    along = back * step[:, None]  # [s]
    yaw = turn * rate * along
    ahead_x, ahead_y = forward * vx * along, sideways * vy * along
    if caught is not None:
        ahead_x, ahead_y = ahead_x + caught[..., 0] * along, ahead_y + caught[..., 1] * along
    angles = robot.legs.inverse(
        ankle_x + ahead_x - yaw * ankle_y,
        ankle_y + ahead_y - sway[:, None] + yaw * ankle_x,
        ankle_z + _height(gait, swing, effort),
        yaw,
        robot.foot_sides,
    )
    return angles.reshape(len(phase), -1)


class GaitMotion:
    """State of the gait in all worlds: phase and recovery-step amplitude."""

    def __init__(self, gait: Gait, robot: Robot, worlds: int) -> None:
        if robot.legs is None:
            raise InputError(f"robot {robot.name} has no leg kinematics, so no gait")
        self._gait, self._robot = gait, robot
        self.phase = np.zeros(worlds)  # in [0, 1)
        self._advance = np.zeros(worlds)  # of the phase in the control step
        self._recovery = np.zeros(worlds)  # amplitude in [0, 1]
        self._caught = np.zeros((worlds, len(robot.feet), 2))  # speed that each foot is for [m/s]
        self.now = self._reference(slice(None), np.zeros((worlds, 3)))

    def reset(self, worlds: NDArray, seeds: NDArray[np.uint64], command: Array) -> None:
        """Start `worlds` (m,) at a phase drawn from `seeds` (m,), under `command` (m, 3)."""
        self.phase[worlds] = (seeds % np.uint64(997)) / 997
        self._recovery[worlds], self._caught[worlds] = 0, 0
        self.now = self.now.with_rows(worlds, self._reference(worlds, command))

    def advance(self, command: Array, gyro: Array, gravity: Array, rate: Array) -> None:
        """Advance by a control step to `command` (n, 3), with IMU readings (n, 3) for recovery."""
        self.phase = (self.phase + self._advance * (1 + rate)) % 1
        leaning = lean(gyro, gravity)
        self._recovery = recovery(self._gait, self._recovery, leaning, CONTROL_STEP)
        if self._gait.capture:
            self._aim(tip(gyro, gravity))
        self.now = self._reference(slice(None), command)

    def _aim(self, tip: Array) -> None:
        """Let feet in swing take up the speed of an inverted pendulum of `tip` (n, 2) [rad]."""
        wanted = self._gait.capture * self._robot.stand_height / TIPPING * tip
        swings = _swing(self._gait, foot_phase(self.phase, self._robot)) > 0
        share = (swings & (self._advance > 0)[:, None]) * (CONTROL_STEP / AIMING)
        change = clamp(wanted, -CAUGHT, CAUGHT)[:, None] - self._caught
        self._caught += share[..., None] * change
        self._caught[self._advance == 0] = 0  # stands

    def _reference(self, worlds: NDArray | slice, command: Array) -> Reference:
        """Reference of `worlds` for the coming control step; also sets its advance in phase."""
        height = np.maximum(effort(command), self._recovery[worlds])
        advance = (height > 0) * CONTROL_STEP / period(self._gait, command)
        self._advance[worlds] = advance
        return self._at(self.phase[worlds], advance, command, height, self._caught[worlds])

    def ahead(self, worlds: NDArray, steps: Sequence[int], command: Array) -> Reference:
        """Reference of `worlds` (m,) at each of `steps` (k,) control steps from now, world by world
        (m k, ...), if `command` (m, 3) and amplitude stay."""
        advance = self._advance[worlds]
        phase = (self.phase[worlds, None] + advance[:, None] * np.array(steps)) % 1
        height = np.maximum(effort(command), self._recovery[worlds])
        known = (advance, command, height, self._caught[worlds])
        return self._at(phase.ravel(), *(np.repeat(each, len(steps), 0) for each in known))

    def calm(self, worlds: NDArray[np.bool_]) -> None:
        """End recovery steps in the mask `worlds` (n,)."""
        self._recovery[worlds] = 0

    def _at(
        self, phase: Array, advance: Array, command: Array, height: Array, caught: Array
    ) -> Reference:
        """Reference at `phase` (n,) and step amplitude `height` (n,), before it has advanced, of
        feet for the speed `caught` (n, F, 2) beyond the command's."""
        gait, steps = self._gait, height > 0
        after = (phase + advance) % 1
        angles = phase[:, None] * _TURNS
        clock = np.empty((len(phase), 4))
        clock[:, ::2], clock[:, 1::2] = np.sin(angles), np.cos(angles)
        end = foot_phase(after, self._robot)
        beyond = caught if gait.capture else None
        joints = joint_angles(gait, self._robot, phase, command, height, beyond)
        return Reference(
            joints=joints,
            lead=np.zeros_like(joints),
            contact=stance(gait, end, height),
            clearance=swing_height(gait, end, height),
            clock=steps[:, None] * clock,
            moving=steps,
            height=np.full(len(phase), self._robot.stand_height),
            look=np.zeros((len(phase), 2)),
            attitude=np.zeros((len(phase), 2)),
            velocity=np.array(command, float),
            rest=np.zeros(len(phase)),
            skill=np.zeros(len(phase), int),
        )

    def snapshot(self) -> dict[str, Array]:
        """State for `restore`."""
        kept = {"phase": self.phase, "recovery": self._recovery, "caught": self._caught}
        return {name: each.copy() for name, each in kept.items()}

    def restore(self, saved: dict[str, Array], command: Array) -> None:
        """Continue from a snapshot under `command` (n, 3)."""
        names = ("phase", "recovery", "caught")
        self.phase, self._recovery, self._caught = (saved[name].copy() for name in names)
        self.now = self._reference(slice(None), command)
