"""Commands and pushes of all worlds as functions of time."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from grek.envs.scenarios.scenario import Scenario
from grek.envs.vectors import Array

PUSH_TIME = 0.1  # duration of a push [s]
RAMP = 1.0  # duration of the linear transition to a new command [s]


class Schedule:
    """Commands and pushes of all worlds, padded to the largest number in any."""

    def __init__(self, worlds: int) -> None:
        self._command_time = np.full((worlds, 1), np.inf)  # (worlds, most commands)
        self._command = np.zeros((worlds, 1, 5))
        self._push_time = np.full((worlds, 1), np.inf)
        self._push = np.zeros((worlds, 1, 2))  # [m/s]

    def set(self, world: int, scenario: Scenario) -> None:
        """Set commands and pushes of `world` from its scenario."""
        commands = [(*c.velocity, c.yaw_rate, *c.look) for c in scenario.commands]
        times = [c.time for c in scenario.commands]
        self._command_time, self._command = _fill(
            self._command_time, self._command, world, times, commands
        )
        pushes = [p.velocity for p in scenario.pushes]
        times = [p.time for p in scenario.pushes]
        self._push_time, self._push = _fill(self._push_time, self._push, world, times, pushes)

    def command(self, time: Array, worlds: NDArray[np.int64] | None = None) -> Array:
        """Commands (n, 5) at `time` (n,) [s], of all worlds or of `worlds` (n,).

        Columns: vx, vy [m/s], yaw rate [rad/s], head pitch, head yaw [rad]. A command is reached
        by a linear ramp of RAMP from the one before, the first one from zero.
        """
        worlds = np.arange(len(time)) if worlds is None else worlds
        begun = time[:, None] >= self._command_time[worlds] - 1e-9
        current = np.maximum(begun.sum(1) - 1, 0)
        now = self._command[worlds, current]
        before = self._command[worlds, current - 1] * (current > 0)[:, None]
        share = np.clip((time - self._command_time[worlds, current]) / RAMP, 0, 1)[:, None]
        return before + (now - before) * share

    def push(self, time: Array) -> Array:
        """Acceleration of the robot by pushes (n, 2) [m/s^2] at `time` (n,) [s], world frame."""
        since = time[:, None] - self._push_time + 1e-9
        active = (since >= 0) & (since < PUSH_TIME)
        return (self._push * active[..., None]).sum(1) / PUSH_TIME


def _fill(
    time: Array, value: Array, world: int, times: list[float], values: Sequence[tuple[float, ...]]
) -> tuple[Array, Array]:
    """`time` (n, k) and `value` (n, k, c) with new rows for `world`; k grows if needed."""
    more = max(len(times) - time.shape[1], 0)
    if more:
        time = np.pad(time, ((0, 0), (0, more)), constant_values=np.inf)
        value = np.pad(value, ((0, 0), (0, more), (0, 0)))
    time[world], value[world] = np.inf, 0
    if times:
        time[world, : len(times)], value[world, : len(times)] = times, values
    return time, value
