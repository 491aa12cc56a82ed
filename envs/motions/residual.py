"""Residual actions: from command, reference motion and action of a policy to joint targets.

Joint target = reference motion + action scale * action; legs that rest leave the action out. Shared
by the gym and by the computer of a robot, which so agree to the last bit.
"""

from typing import NamedTuple

import numpy as np

from grek.envs.motions.motion import Reference
from grek.envs.robots import Robot
from grek.envs.vectors import Array, clamp

Ranges = tuple[tuple[float, float], ...]


class Taken(NamedTuple):
    """Action after limits: of the joints (n, A) [-], and rate of the motion over its own, less 1
    (n,) [-]."""

    joints: Array
    rate: Array


class Residual:
    """Limits and scales of a policy's actions on `robot`.

    `scale` is the joint angle per unit of action (A,) [rad], `limit` that of actions [-],
    `phase_rate` the largest relative change of the motion's rate by a last action, 0 without one,
    and `commands` the range of vx, vy [m/s] and yaw rate [rad/s], None for no limit. `actions` is
    the number of actions, `held` the joint targets (J,) [rad] of the home pose.
    """

    def __init__(
        self,
        robot: Robot,
        scale: tuple[float, ...],
        limit: float,
        phase_rate: float,
        commands: Ranges | None,
    ) -> None:
        self._scale, self._limit, self._phase_rate = np.array(scale), limit, phase_rate
        self._low, self._high = np.array(commands or ((-np.inf, np.inf),) * 3, float).T
        self.actions = len(scale) + (phase_rate > 0)
        self._home = np.array(robot.home[: len(robot.joints)])
        self.held = np.array(robot.home) + np.array(robot.static_offset)
        self._look = [robot.all_joints.index(name) for name in robot.look or ()]

    def followed(self, command: Array) -> Array:
        """Command within the ranges (n, 5): vx, vy, yaw rate, head pitch, head yaw."""
        command = command.copy()
        command[:, :3] = clamp(command[:, :3], self._low, self._high)
        return command

    def taken(self, action: Array) -> Taken:
        """`action` (n, A, or A + 1 with a phase rate) within its limits, split."""
        action = clamp(action, -self._limit, self._limit)
        if not self._phase_rate:
            return Taken(action, np.zeros(len(action)))
        return Taken(action[:, :-1], self._phase_rate * clamp(action[:, -1], -1, 1))

    def targets(self, reference: Reference, action: Array, look: Array) -> Array:
        """Joint targets (n, J) [rad], before joint limits: sum of `reference`,
        `Robot.static_offset`, `look` command (n, 2) [rad] and scaled `action` (n, A) times the
        share of weight that the legs shall bear."""
        acting = action.shape[1]
        targets = np.repeat(self.held[None], len(action), 0)
        wanted = reference.joints + reference.lead - self._home
        targets[:, :acting] += wanted + action * self._scale * (1 - reference.rest)[:, None]
        if self._look:
            targets[:, self._look] += look + reference.look
        return targets
