"""Sensor model of all worlds: white noise, bias, IMU mounting error, attitude error and latency.

Attitude comes from a complementary filter (Mahony et al. 2008), which integrates the gyro and
corrects it towards the accelerometer with a time constant T. As that measures g - a, the estimate
of the direction of gravity errs by e with de/dt = -a / |g| - e / T, hence e = (u - v) / (|g| T),
where v is the horizontal velocity of the IMU and u is v low-pass filtered with T. Gyro bias, which
the filter's integral part removes, does not enter.
"""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from grek.envs import hashing
from grek.envs.scenarios.scenario import Scenario
from grek.envs.simulation.simulation import CONTROL_STEP
from grek.envs.simulation.state import State
from grek.envs.tasks.task import Field, StepData
from grek.envs.vectors import Array
from grek.errors import InputError

GRAVITY = 9.81  # [m/s^2]
MAX_DELAY = 100  # largest latency [control steps]; bounds the buffer


class SensorSuite:
    """Readings of the measured `fields` in all worlds, buffered for latency and `history`."""

    def __init__(self, worlds: int, fields: Sequence[Field], history: int) -> None:
        self._fields = fields
        ends = np.cumsum([0, *(f.size for f in fields)])
        self._columns = {
            f.name: slice(start, end)
            for f, start, end in zip(fields, ends[:-1], ends[1:], strict=True)
        }
        self._history = history
        self._deviation = np.zeros((worlds, ends[-1]))
        self._bias = np.zeros((worlds, ends[-1]))
        self._tilt = np.zeros((worlds, 2))  # roll, pitch [rad]
        self._attitude_time = np.zeros(worlds)  # [s]
        self._slow_w = np.zeros((worlds, 2))  # low-pass filtered horizontal velocity [m/s]
        self._seed = np.zeros(worlds, np.uint64)
        self.delay = np.zeros(worlds)  # [control steps]; between two, readings are interpolated
        # Newest first; holds a latency of one step, and is extended for longer ones.
        self._readings = np.zeros((worlds, history + 2, ends[-1]))

    def set(self, worlds: NDArray, scenarios: Sequence[Scenario]) -> None:
        """Set the errors of `worlds` from their scenarios; InputError for a delay out of range."""
        for world, scenario in zip(worlds, scenarios, strict=True):
            sensors = scenario.sensors
            if not 0 <= sensors.delay <= MAX_DELAY:
                raise InputError(
                    f"{scenario.name}: sensor delay {sensors.delay:g} is not in 0 to {MAX_DELAY}"
                    " control steps"
                )
            for f in self._fields:
                assert f.sensor is not None
                columns = self._columns[f.name]
                bias = np.asarray(f.sensor.bias(sensors), float)
                self._deviation[world, columns] = f.sensor.deviation(sensors)
                self._bias[world, columns] = bias if bias.size else 0.0
            if not sensors.attitude_time >= 0:
                raise InputError(
                    f"{scenario.name}: attitude_time {sensors.attitude_time:g} s is negative"
                )
            self._tilt[world] = sensors.tilt
            self._attitude_time[world] = sensors.attitude_time
            self._seed[world] = scenario.seed
            self.delay[world] = sensors.delay
        longer = self._history + 1 + math.ceil(self.delay.max()) - self._readings.shape[1]
        if longer > 0:  # in motion, what came before counts as the oldest reading
            self._readings = np.pad(self._readings, ((0, 0), (0, longer), (0, 0)), mode="edge")

    def fill(self, worlds: NDArray, data: StepData, age: NDArray) -> None:
        """Fill the buffers of `worlds` (m,) with their present reading.

        `data` and `age` (n,) [control steps] are of all worlds.
        """
        self._slow_w[worlds] = data.state.velocity_w[worlds, :2]
        self._readings[worlds] = self._read(data, age, worlds)[:, None]

    def read(self, data: StepData, age: NDArray) -> None:
        """Append a reading at `age` (n,) [control steps], which keys the noise."""
        time = np.maximum(self._attitude_time, 1e-9)[:, None]
        share = -np.expm1(-CONTROL_STEP / time)
        self._slow_w += share * (np.nan_to_num(data.state.velocity_w[:, :2]) - self._slow_w)
        self._readings[:, 1:] = self._readings[:, :-1]
        self._readings[:, 0] = self._read(data, age, slice(None))

    def _read(self, data: StepData, age: NDArray, worlds: NDArray | slice) -> Array:
        """Readings (m, columns) with errors; 0 for values that are not finite."""
        true = np.concatenate([f.read(data) for f in self._fields], 1)[worlds]
        read = true + self._bias[worlds]
        roll, pitch = self._tilt[worlds].T
        # IMU mounting error: vectors in a frame rotated by small angles about x and y.
        for f in self._fields:
            start = self._columns[f.name].start
            if f.sensor is not None and f.sensor.estimated:
                read[:, start : start + 3] += self._attitude_error(data.state, worlds)
            if f.sensor is not None and f.sensor.mounted:
                x, y, z = true[:, start], true[:, start + 1], true[:, start + 2]
                read[:, start] -= pitch * z
                read[:, start + 1] += roll * z
                read[:, start + 2] += pitch * x - roll * y
        noise = hashing.normal(self._seed[worlds], age[worlds].astype(np.uint64), true.shape[1])
        read += self._deviation[worlds] * noise
        return np.nan_to_num(read, posinf=0, neginf=0)

    def _attitude_error(self, state: State, worlds: NDArray | slice) -> Array:
        """Error of the unit gravity vector in the base frame (m, 3)."""
        time = self._attitude_time[worlds, None]
        error_w = (self._slow_w[worlds] - state.velocity_w[worlds, :2]) / (
            GRAVITY * np.where(time > 0, time, np.inf)
        )
        return np.einsum("ni,nij->nj", error_w, state.rotation[worlds, :2])

    def arrived(self, count: int) -> Array:
        """Last `count` readings (n, count, columns), newest first, after latency."""
        return self._late(np.arange(count), slice(None))

    def newest(self, name: str) -> Array:
        """Last reading of a field after latency (n, size); zeros (n, 3) if it is not measured."""
        if name not in self._columns:
            return np.zeros((len(self.delay), 3))
        return self._late(np.zeros(1, int), self._columns[name])[:, 0]

    def _late(self, ages: NDArray[np.int64], columns: slice) -> Array:
        """Readings `ages` (k,) older than the last one that arrived (n, k, columns)."""
        readings = self._readings[..., columns]
        if not self.delay.any():
            return readings[:, ages]
        whole = self.delay.astype(int)
        share = (self.delay - whole)[:, None, None]
        rows, back = np.arange(len(whole))[:, None], whole[:, None] + ages
        if not share.any():
            return readings[rows, back]
        before = readings[rows, np.minimum(back + 1, readings.shape[1] - 1)]
        return (1 - share) * readings[rows, back] + share * before

    def snapshot(self) -> dict[str, Array]:
        """State for `restore`, which needs the same scenarios."""
        return {"readings": self._readings.copy(), "slow_w": self._slow_w.copy()}

    def restore(self, saved: dict[str, Array]) -> None:
        """Continue from a snapshot."""
        self._readings, self._slow_w = saved["readings"].copy(), saved["slow_w"].copy()
