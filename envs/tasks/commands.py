"""What the droid is told and how it is pushed, over time: schedules of all worlds as arrays."""

import numpy as np
from numpy.typing import NDArray

from grek.envs.robots.robot import Array
from grek.envs.scenarios.scenario import Scenario

PUSH_TIME = 0.1  # [s]
RAMP = 1.0  # a command goes over into the next one in this time: nobody walks in steps [s]
_MOST = 8  # commands or pushes in an episode


class Schedule:
    """Commands and pushes of all worlds, looked up by time."""

    def __init__(self, worlds: int) -> None:
        self._command_time = np.full((worlds, _MOST), np.inf)
        self._command = np.zeros((worlds, _MOST, 5))
        self._push_time = np.full((worlds, _MOST), np.inf)
        self._push = np.zeros((worlds, _MOST, 2))  # [m/s]

    def set(self, world: int, scenario: Scenario) -> None:
        """Take the schedule of `world` from its scenario."""
        self._command_time[world] = np.inf
        self._push_time[world] = np.inf
        for i, c in enumerate(scenario.commands[:_MOST]):
            self._command_time[world, i] = c.time
            self._command[world, i] = *c.velocity, c.yaw_rate, *c.look
        for i, p in enumerate(scenario.pushes[:_MOST]):
            self._push_time[world, i] = p.time
            self._push[world, i] = p.velocity

    def command(self, time: Array, worlds: NDArray[np.int64] | None = None) -> Array:
        """At `time` (n,) [s]: vx, vy [m/s], yaw rate [rad/s], head pitch, head yaw [rad] (n, 5).

        The first command grows from standing, each later one from the one before, in RAMP. All
        worlds, or only `worlds` (n,).
        """
        worlds = np.arange(len(time)) if worlds is None else worlds
        begun = time[:, None] >= self._command_time[worlds] - 1e-9
        current = np.maximum(begun.sum(1) - 1, 0)
        now = self._command[worlds, current]
        before = self._command[worlds, current - 1] * (current > 0)[:, None]
        share = np.clip((time - self._command_time[worlds, current]) / RAMP, 0, 1)[:, None]
        return before + (now - before) * share

    def push(self, time: Array) -> Array:
        """Velocity per second that pushes add at `time` (n,) [s]: (n, 2), world frame [m/s^2]."""
        since = time[:, None] - self._push_time + 1e-9
        active = (since >= 0) & (since < PUSH_TIME)
        return (self._push * active[..., None]).sum(1) / PUSH_TIME
