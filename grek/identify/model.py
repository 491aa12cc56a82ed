"""Readings that bodies would have given under the joint targets of a log, many bodies at once."""

from dataclasses import dataclass, replace

import numpy as np

from grek.envs.motions.motion import HomePose
from grek.envs.robots import Robot
from grek.envs.simulation.mujoco_engine import MujocoEngine
from grek.envs.tasks import TaskBatch, walking
from grek.envs.vectors import Array
from grek.identify.parameters import scenario

FIELDS = ("gyro", "gravity", "joint_position", "joint_velocity")
"""Measured fields, in the order of the columns of readings."""


@dataclass(frozen=True)
class Measured:
    """Content of the log of a body."""

    name: str
    hung: bool
    """Its base was held in the air."""
    targets: Array
    """Joint targets that acted (steps, J) [rad]."""
    readings: Array
    """Readings before each of them (steps, columns), of FIELDS."""


def columns(robot: Robot) -> dict[str, slice]:
    """Columns of each of FIELDS in the readings of `robot`."""
    acting = len(robot.joints)
    return {
        "gyro": slice(0, 3),
        "gravity": slice(3, 6),
        "joint_position": slice(6, 6 + acting),
        "joint_velocity": slice(6 + acting, 6 + 2 * acting),
    }


class Model:
    """Predicts what bodies of `robot` read and weigh, each in a world of its own."""

    def __init__(self, robot: Robot, threads: int) -> None:
        task = walking(robot, motion=HomePose(), history=0)
        self._task = replace(task, terms=(), metrics={})
        self._threads = threads
        self._batches: dict[int, TaskBatch] = {}  # by number of worlds

    def readings(self, values: Array, log: Measured) -> tuple[Array, Array]:
        """Readings (k, steps, columns) and masses (k,) [kg] of bodies of `values` (k, parameters).

        They are at rest in the home pose when the log begins.
        """
        worlds, batch = len(values), self._batch(len(values))
        batch.reset(range(worlds), [scenario(row) for row in values])
        if log.hung:
            batch.simulation.hang(range(worlds))
        found = np.zeros((worlds, *log.readings.shape))
        for step, targets in enumerate(log.targets):
            found[:, step] = np.concatenate([batch.sensors.newest(name) for name in FIELDS], 1)
            batch.follow(np.tile(targets, (worlds, 1)))
        return found, batch.simulation.engine.mass

    def _batch(self, worlds: int) -> TaskBatch:
        if worlds not in self._batches:
            self._batches[worlds] = batch = TaskBatch(self._task, worlds, self._threads)
            assert isinstance(batch.simulation.engine, MujocoEngine)
            batch.simulation.engine.interpolate_delays()
        return self._batches[worlds]
