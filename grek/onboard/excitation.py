"""Excitation: joint targets that make a robot's numbers show in its log (docs/identify.md).

In the air, with the base held, joints follow sums of sines (multisines, Schroeder 1970), then steps
that take the motors to their largest torque. On the ground the feet stay where they are, and the
torso moves over them. Targets are a function of time alone: nothing is fed back.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from grek.envs.robots import GREK, Robot
from grek.envs.robots.robot import CONTROL_STEP
from grek.envs.vectors import Array
from grek.errors import InputError
from grek.onboard.controller import Reading

PREFIX = "excite:"  # of an excitation's name where a policy is asked for
SECONDS = 8.0  # length of an excitation; afterwards it holds the home pose
_EASE = 1.0  # to begin and to end [s]
_MARGIN = 0.1  # left to the end of a joint's range [rad]
_AIR_SINES = (0.4, 0.9, 1.7, 2.9, 4.7)  # [Hz]
_AIR_LIMIT = 0.45  # largest amplitude of a joint's multisine [rad]
_SWUNG = 4.0  # end of the multisines in the air [s]
_STEPS = (0.6, 0.8)  # least and largest amplitude of steps [rad]; the least saturates a motor
_STEP_TIME = 0.3  # [s]
_GROUND_SINES = (0.25, 0.55, 0.95, 1.6, 2.4)  # [Hz]
_CROUCH = 0.05  # of the torso below the home pose: the lower, the steadier [m]
_TORSO = {  # amplitudes of the torso's multisines
    "x": 0.012,  # forward [m]
    "z": 0.018,  # up [m], about a crouch
    "roll": 0.05,  # [rad]
    "pitch": 0.07,
    "yaw": 0.12,
}


@dataclass(frozen=True)
class Excitation:
    """Joint targets over time for `robot`."""

    name: str
    robot: Robot
    targets: Array
    """Joint targets of each control step (steps, J) [rad]."""


class Excited:
    """State of an excitation, in the place of a `Controller`; it makes no use of readings."""

    def __init__(self, excitation: Excitation) -> None:
        self._targets = excitation.targets
        self._step = 0
        self.action = np.zeros(len(excitation.robot.joints))

    @property
    def stand(self) -> Array:
        """Joint targets of the home pose (J,) [rad]."""
        return self._targets[-1]

    def step(self, reading: Reading) -> Array:
        """Joint targets (J,) [rad] until the next reading."""
        targets = self._targets[min(self._step, len(self._targets) - 1)]
        self._step += 1
        return targets

    def revise(self, reading: Reading, ago: int) -> None:
        """Do nothing with a late `reading`."""


def excitation(name: str, robot: Robot = GREK) -> Excitation:
    """Excitation called "air" or "ground"; raises InputError for another name, or robot."""
    if name not in EXCITATIONS:
        known = ", ".join(PREFIX + known for known in EXCITATIONS)
        raise InputError(f"unknown excitation {name!r}; there are: {known}")
    if len(robot.joint_range) != len(robot.all_joints):
        raise InputError(f"robot {robot.name} has no joint_range of each joint, which this needs")
    time: Array = np.linspace(0, SECONDS, round(SECONDS / CONTROL_STEP) + 1)
    targets: Array = np.tile(np.array(robot.home) + np.array(robot.static_offset), (len(time), 1))
    targets[:, : len(robot.joints)] += EXCITATIONS[name](robot, time)
    low, high = np.array(robot.joint_range).T
    return Excitation(f"{PREFIX}{name}", robot, np.clip(targets, low, high))


def _air(robot: Robot, time: Array) -> Array:
    """Deviations from the home pose (steps, A) [rad] for a base that is held in the air."""
    acting = len(robot.joints)
    home = np.array(robot.home[:acting])
    low, high = np.array(robot.joint_range[:acting]).T
    room = np.minimum(home - low, high - home) - _MARGIN
    swing = np.clip(room, 0.0, _AIR_LIMIT) * _eased(time, 0.0, _SWUNG)[:, None]
    moved = swing * _multisines(time, _AIR_SINES, acting)
    # Joints that have the room step, one of each side at a time, in turn.
    stepping = np.flatnonzero(room >= _STEPS[0])
    half = (len(stepping) + 1) // 2
    for turn, begin in enumerate(np.arange(_SWUNG, SECONDS - 4 * _STEP_TIME, 4 * _STEP_TIME)):
        for joint in {stepping[(turn + k * half) % len(stepping)] for k in range(2)}:
            size = min(room[joint], _STEPS[1])
            moved[_between(time, begin, _STEP_TIME), joint] = size
            moved[_between(time, begin + 2 * _STEP_TIME, _STEP_TIME), joint] = -size
    return moved


def _ground(robot: Robot, time: Array) -> Array:
    """Deviations from the home pose (steps, A) [rad] that move the torso over resting feet."""
    legs = robot.legs
    if legs is None or not legs.hips:
        raise InputError(f"robot {robot.name} has no leg kinematics, which this motion needs")
    ease = _eased(time, 0.0, SECONDS)
    waves = _multisines(time, _GROUND_SINES, len(_TORSO)).T * ease
    x, z, roll, pitch, yaw = (
        size * wave for size, wave in zip(_TORSO.values(), waves, strict=True)
    )
    z = z - _CROUCH * ease
    ankles, hips = np.array(legs.home_ankles), np.array(legs.hips)
    # Ankles in the frame of the displaced torso, for small angles.
    far = ankles[None] - np.stack([x, 0 * x, z], 1)[:, None]  # (steps, feet, 3)
    turn = -np.stack([roll, pitch, yaw], 1)[:, None]
    far = far + np.cross(turn, far)
    hip = np.concatenate([hips, np.zeros((len(hips), 1))], 1)
    before = hip + (far - hip) - np.cross(turn * [0, 0, 1], far - hip)  # as the leg is turned
    side = np.array([[float(foot.side) for foot in robot.feet]])
    yaws = np.repeat(-yaw[:, None], len(hips), 1)
    angles = legs.inverse(before[..., 0], before[..., 1], before[..., 2], yaws, side)
    ankle = angles.shape[-1] - 1
    angles[..., ankle] -= pitch[:, None]
    x, y, z = ankles.T[:, None]
    rest = legs.inverse(x, y, z, np.zeros((1, len(hips))), side)
    return (angles - rest).reshape(len(time), -1)


EXCITATIONS: dict[str, Callable[[Robot, Array], Array]] = {"air": _air, "ground": _ground}
"""Motion of each excitation: deviations from the home pose (steps, A) [rad] at times (steps,)."""


def _multisines(time: Array, frequencies: tuple[float, ...], columns: int) -> Array:
    """Sums of sines with amplitude up to 1 (steps, columns), each column with others' phases.

    Frequencies differ by a few per cent from column to column, so that no two are proportional.
    Amplitude falls with frequency: rates of all sines are alike from the second on.
    """
    size = 1 / np.maximum(frequencies, frequencies[1])
    spread = 1 + 0.12 * np.linspace(-1, 1, columns)
    angle = 2 * np.pi * np.outer(time, frequencies)[:, None] * spread[:, None]
    golden = (np.sqrt(5) - 1) / 2
    phase = 2 * np.pi * golden * np.arange(columns * len(frequencies)).reshape(columns, -1)
    return (size * np.sin(angle + phase)).sum(-1) / size.sum()


def _eased(time: Array, begin: float, end: float) -> Array:
    """1 between `begin` and `end` [s], rising and falling smoothly within _EASE of either."""
    share = np.clip(np.minimum(time - begin, end - time) / _EASE, 0, 1)
    return share**2 * (3 - 2 * share)


def _between(time: Array, begin: float, length: float) -> NDArray[np.bool_]:
    return (time >= begin - 1e-9) & (time < begin + length - 1e-9)
