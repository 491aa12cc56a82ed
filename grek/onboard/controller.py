"""Controller: readings of one robot in, joint targets out, one call per control step.

Reference motion, observation history, past actions and limits are those of the policy's contract.
Fed what the sensors of the gym's walking task deliver, targets are the task's to the last bit.
"""

from collections import deque
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from grek.envs.vectors import Array, clamp
from grek.onboard.policy import Policy

_WORLD = np.array([0])  # the robot is row 0 of arrays over worlds


@dataclass(frozen=True)
class Reading:
    """Sensor readings of a robot with A acting joints at one control step."""

    step: int
    """Number of the control step, from the start of the robot's body on."""
    time: float
    """When it was taken, by the clock of the body [s]."""
    gyro: Array
    """Angular velocity, base frame (3,) [rad/s]."""
    gravity: Array
    """Unit vector of gravity, base frame (3,); see `gravity_of` and `grek.onboard.attitude`."""
    joint_position: Array
    """Of the acting joints, from the home pose (A,) [rad]."""
    joint_velocity: Array
    """(A,) [rad/s]"""
    command: Array
    """vx, vy [m/s], yaw rate [rad/s], head pitch, head yaw [rad] (5,)."""
    accelerometer: Array | None = None
    """Specific force, base frame (3,) [m/s^2], for a robot that estimates no attitude."""
    seed: int = 0
    """Draws the phase at which the gait starts; of the first reading only."""


def gravity_of(quaternion: Array) -> Array:
    """Unit vector of gravity in the base frame (3,) of a base of unit attitude `quaternion` (4,).

    The quaternion is (w, x, y, z) and rotates base to world.
    """
    w, x, y, z = quaternion
    return -np.array([2 * (x * z - w * y), 2 * (y * z + w * x), w * w - x * x - y * y + z * z])


class Controller:
    """Policy and state of one robot. It checks nothing: `grek.onboard.supervisor` does."""

    def __init__(self, policy: Policy) -> None:
        self.policy = policy
        robot = policy.robot
        self._low, self._high = np.array(robot.joint_range).T
        self._motion = policy.motion.start(robot, 1)
        self._past: deque[dict[str, Array]] = deque(maxlen=1 + policy.past)  # newest first
        none = np.zeros((1, len(robot.joints)))
        self._actions = deque([none] * (1 + policy.past), 1 + policy.past)  # newest first
        self._rate = np.zeros(1)

    @property
    def stand(self) -> Array:
        """Joint targets of the home pose (J,) [rad]."""
        return np.clip(self.policy.residual.held, self._low, self._high)

    @property
    def action(self) -> Array:
        """Last action of the joints (A,) [-]."""
        return self._actions[0][0]

    def step(self, reading: Reading) -> Array:
        """Joint targets (J,) [rad] until the next reading, which is due a control step later."""
        residual, motion = self.policy.residual, self._motion
        given = np.asarray(reading.command, float)[None]
        command = residual.followed(given)
        sensed = _columns(reading)
        if not self._past:
            motion.reset(_WORLD, np.array([reading.seed], np.uint64), command[:, :3])
            self._past.extend([sensed] * (1 + self.policy.past))
        else:
            self._past.appendleft(sensed)
            motion.advance(command[:, :3], sensed["gyro"], sensed["gravity"], self._rate)
        found = self.policy.network(self._observe(command)).astype(float)
        action, self._rate = residual.taken(found)
        self._actions.appendleft(action)
        targets = residual.targets(motion.now, action, given[:, 3:])
        return clamp(targets, self._low, self._high)[0]

    def revise(self, reading: Reading, ago: int) -> None:
        """Put `reading` of `ago` control steps before the last in place of what stood in for it."""
        sensed = _columns(reading)
        for past in range(min(ago + 1, len(self._past))):
            self._past[past] = sensed

    def _observe(self, command: Array) -> NDArray[np.float32]:
        """Observation (1, size) in the order of the contract."""
        exact = {
            "command": command[:, :3],
            "look": command[:, 3:],
            "last_action": self._actions[0],
            "phase": self._motion.now.clock,
            "rate": self._rate[:, None],
        }
        parts = [
            exact[name]
            if name in exact
            else (self._actions[past] if name == "action" else self._past[past][name])
            for name, past, _ in self.policy.entries
        ]
        return np.concatenate(parts, 1).astype(np.float32)


def _columns(reading: Reading) -> dict[str, Array]:
    """Measured fields of the observation (1, columns), by name."""
    names = ("gyro", "gravity", "joint_position", "joint_velocity")
    return {name: np.asarray(getattr(reading, name), float)[None] for name in names}
