"""Least squares over rollouts: the numbers of a body that predict its logs best, with intervals.

Output-error identification (Ljung 1999, section 4.2): a whole log is predicted from its joint
targets, so that errors of readings enter as data only, never as states to start from. Parameters
are scaled by the spread of bodies as built, which is a weak prior too: what logs do not tell stays
as uncertain as it was. Intervals are of the sandwich covariance, with errors that may depend on one
another within 0.2 s (Liang and Zeger 1986), and no narrower than those of independent errors.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from mujoco import minimize
from numpy.typing import NDArray
from scipy import stats

from grek.envs.robots import Robot
from grek.envs.vectors import Array
from grek.errors import InputError
from grek.identify.model import Measured, Model, columns
from grek.identify.parameters import PHYSICS_STEP, Parameter, parameters

SETTLED = 25  # control steps at the beginning that do not count
CLUSTER = 10  # control steps whose errors may depend on one another
WEIGHED = 0.05  # standard deviation of a weighed mass [kg]
UNEXPLAINED = 0.9  # share of the residuals' variance beyond noise at which a log is refused
_ROUNDS = (4, 2, 2)  # iterations; after each round, noise is estimated from the residuals
_STEP = 0.02  # of finite differences [spreads]
_DELAY = 0.2 * PHYSICS_STEP  # least half-width of the interval of a delay, in whole steps [s]
_NOISE = {"gyro": 0.1, "gravity": 0.02, "joint_position": 0.007, "joint_velocity": 0.4}


@dataclass(frozen=True)
class Estimate:
    """A number of a body with its 95 % interval."""

    parameter: Parameter
    value: float
    low: float
    high: float
    learned: float
    """Share of the variance of bodies as built that the logs removed, in [0, 1]."""


@dataclass(frozen=True)
class Identified:
    """Result of `identify`."""

    robot: Robot
    estimates: dict[str, Estimate]
    """By name of the parameter."""
    noise: dict[str, float]
    """Standard deviation of the noise of each measured field, units as the field's."""
    unexplained: float
    """Share of the residuals' variance that is no noise, in [0, 1]: 0 for a model that is true."""


def identify(
    robot: Robot,
    logs: Sequence[Measured],
    mass: float | None = None,
    threads: int = 1,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Identified:
    """Estimate the numbers of `robot` from `logs`, and its total `mass` [kg] if it was weighed.

    Raises InputError if the best estimate does not explain a log.
    """
    problem = _Problem(robot, logs, mass, threads, progress)
    z = np.zeros(len(problem.parameters))
    for iterations in _ROUNDS:
        found, _ = minimize.least_squares(
            z,
            problem.residuals,
            bounds=problem.bounds,
            jacobian=problem.jacobian,
            max_iter=iterations,
            xtol=3e-3,
            verbose=minimize.Verbosity.SILENT,
        )
        z = found.ravel()
        problem.weigh(z)
    return problem.result(z)


class _Problem:
    """Residuals of `logs` over parameters in spreads from their nominal values."""

    def __init__(
        self,
        robot: Robot,
        logs: Sequence[Measured],
        mass: float | None,
        threads: int,
        progress: Callable[[int, int], None],
    ) -> None:
        self.robot, self._logs, self._mass, self._progress = robot, logs, mass, progress
        self.parameters = parameters(robot)
        self._model = Model(robot, threads)
        self._nominal = np.array([p.nominal for p in self.parameters])
        self._spread = np.array([p.spread for p in self.parameters])
        ends = np.array([(p.low, p.high) for p in self.parameters]).T
        self.bounds = [(end - self._nominal) / self._spread for end in ends]
        self._columns = columns(robot)
        self._noise = dict(_NOISE)
        self._passes = 0

    def residuals(self, z: Array) -> Array:
        """Residuals (rows, k) at `z` (parameters, k): of readings, then of what is known before."""
        parts, masses = self._errors(z.T)
        weighted = [self._weighted(e, log).reshape(len(e), -1) for e, log in self._pairs(parts)]
        return np.concatenate([*weighted, self._before(z.T, masses)], 1).T

    def jacobian(self, z: Array, residuals: Array) -> Array:
        """Forward differences of `residuals` (rows, 1) at `z` (parameters, 1)."""
        self._passes += 1
        self._progress(min(self._passes, sum(_ROUNDS)), sum(_ROUNDS) + 1)
        sign = np.where(z.ravel() + _STEP > self.bounds[1], -1, 1)
        moved = self.residuals(z + _STEP * np.diag(sign))
        return (moved - residuals) / (_STEP * sign)

    def weigh(self, z: Array) -> None:
        """Estimate the noise of each field from the residuals at `z`."""
        parts, _ = self._errors(z[None])
        for name, where in self._columns.items():
            used = [
                e[0, SETTLED:, where].ravel()
                for e, log in self._pairs(parts)
                if not (log.hung and name == "gravity")
            ]
            if used:
                self._noise[name] = max(float(np.sqrt(np.mean(np.concatenate(used) ** 2))), 1e-6)

    def result(self, z: Array) -> Identified:
        """Estimates at the optimum `z`."""
        unexplained = [self._unexplained(z, log) for log in self._logs]
        for log, share in zip(self._logs, unexplained, strict=True):
            if share > UNEXPLAINED:
                raise InputError(
                    f"{log.name}: {share:.0%} of what the best body leaves unexplained is no noise;"
                    " was it made with excite:air or excite:ground, on level, hard floor?"
                )
        deviation = self._deviations(z) * self._spread
        values = self._nominal + z * self._spread
        estimates = {}
        clusters = sum(len(log.targets) // CLUSTER for log in self._logs)
        quantile = float(stats.t.ppf(0.975, clusters))
        for p, value, sd in zip(self.parameters, values, deviation, strict=True):
            half = max(quantile * sd, _DELAY if p.name == "motors.delay" else 0.0)
            low, high = max(value - half, p.low), min(value + half, p.high)
            learned = float(np.clip(1 - (sd / p.spread) ** 2, 0, 1))
            estimates[p.name] = Estimate(p, float(value), float(low), float(high), learned)
        return Identified(self.robot, estimates, dict(self._noise), max(unexplained))

    def _deviations(self, z: Array) -> Array:
        """Standard deviation of each parameter [spreads]."""
        steps = _STEP * np.eye(len(z))
        steps = np.clip(np.concatenate([z + steps, z - steps]), *self.bounds)
        moved = self.residuals(steps.T)  # (rows, 2 parameters)
        n = len(z)
        jacobian = (moved[:, :n] - moved[:, n:]) / np.diag(steps[:n] - steps[n:])
        residuals = self.residuals(z[:, None])[:, 0]
        before = len(self._before(z[None], np.zeros(1))[0])  # rows
        information = jacobian.T @ jacobian
        scores = jacobian[:-before] * residuals[:-before, None]
        summed = np.add.reduceat(scores, self._clusters(), 0)
        summed -= summed.mean(0)
        known = jacobian[-before:].T @ jacobian[-before:]
        meat = summed.T @ summed * len(summed) / (len(summed) - 1) + known
        inverse = np.linalg.inv(information)
        sandwich = inverse @ meat @ inverse
        return np.sqrt(np.maximum(np.diag(inverse), np.diag(sandwich)))

    def _clusters(self) -> NDArray[np.int64]:
        """First row of each cluster of residuals."""
        starts, row = [], 0
        for log in self._logs:
            steps, width = log.readings.shape
            used = steps - SETTLED
            starts += [row + k * width for k in range(0, used - CLUSTER + 1, CLUSTER)]
            row += used * width
        return np.array(starts)

    def _unexplained(self, z: Array, log: Measured) -> float:
        """Share of the residuals' variance that is correlated over two control steps.

        Noise is not, even where latency mixes two readings.
        """
        parts, _ = self._errors(z[None], [log])
        joints = parts[0][0][SETTLED:, 6:] / self._scales()[6:]
        return float(np.clip((joints[2:] * joints[:-2]).sum() / (joints[2:] ** 2).sum(), 0, 1))

    def _errors(
        self, z: Array, logs: Sequence[Measured] | None = None
    ) -> tuple[list[Array], Array]:
        """Predicted less measured readings of each log (k, steps, columns), and masses (k,)."""
        values, masses, parts = self._nominal + z * self._spread, np.zeros(len(z)), []
        for log in self._logs if logs is None else logs:
            predicted, masses = self._model.readings(values, log)
            parts.append(predicted - log.readings)
        return parts, masses

    def _pairs(self, parts: list[Array]) -> list[tuple[Array, Measured]]:
        return list(zip(parts, self._logs, strict=True))

    def _scales(self) -> Array:
        """Noise of each column."""
        scales = np.zeros(max(where.stop for where in self._columns.values()))
        for name, where in self._columns.items():
            scales[where] = self._noise[name]
        return scales

    def _weighted(self, errors: Array, log: Measured) -> Array:
        """Errors (k, steps, columns) over their noise, of the steps that count.

        How a stand holds the base is not known, so gravity in the air tells nothing.
        """
        weighted = errors[:, SETTLED:] / self._scales()
        if log.hung:
            weighted[..., self._columns["gravity"]] = 0
        return weighted

    def _before(self, z: Array, masses: Array) -> Array:
        """Deviations (k, rows) from what is known before, over its standard deviation."""
        if self._mass is None:
            return z
        return np.concatenate([z, (masses[:, None] - self._mass) / WEIGHED], 1)
