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
from numpy.typing import NDArray
from scipy import stats

from grek.envs.robots import Robot
from grek.envs.robots.robot import CONTROL_STEP
from grek.envs.vectors import Array
from grek.errors import InputError
from grek.identify.model import Measured, Model, columns
from grek.identify.parameters import PHYSICS_STEP, Parameter, parameters

SETTLED = 25  # control steps at the beginning that do not count
CLUSTER = 10  # control steps whose errors may depend on one another
WEIGHED = 0.05  # standard deviation of a weighed mass [kg]
UNEXPLAINED = 0.9  # share of the residuals' variance beyond noise at which a log is refused
_ROUGH, _CHOICE, _FINE = 6, 1, 4  # most iterations: delay free, each of two whole delays, the best
_DAMPINGS = (0.0, 1e-2, 0.1, 1.0, 10.0)
_STEP = 0.1  # of finite differences [spreads]
_NOISE = {"gyro": 0.1, "gravity": 0.02, "joint_position": 0.007, "joint_velocity": 0.4}


@dataclass(frozen=True)
class Estimate:
    """A number of a body with its 95 % interval."""

    parameter: Parameter
    value: float
    """Unit of the parameter, as are `low` and `high`, the ends of the interval."""
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
    """Standard deviation of the noise of each field that counted, units as the field's."""
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
    problem = _Problem(robot, logs, mass, threads)
    steps = _ROUGH + 2 * _CHOICE + _FINE
    done = 0

    def descend(z: Array, most: int, enough: float, fixed: bool) -> tuple[Array, float]:
        nonlocal done
        cost = np.inf
        for iteration in range(most):
            progress(done + iteration, steps + 1)
            z, before, cost = _improved(problem, z, fixed)
            if before - cost < enough * cost:
                break
        done += most
        return z, cost

    z, _ = descend(np.zeros(len(problem.parameters)), _ROUGH, 0.02, False)
    problem.weigh(z)
    z, _ = min((descend(start, _CHOICE, 1e-3, True) for start in problem.rounded(z)), key=_cost)
    problem.weigh(z)
    z, _ = descend(z, _FINE, 3e-5, True)
    problem.weigh(z)
    progress(steps, steps + 1)
    return problem.result(z)


def _cost(found: tuple[Array, float]) -> float:
    return found[1]


def _improved(problem: "_Problem", z: Array, fixed: bool) -> tuple[Array, float, float]:
    """Parameters after a step of Levenberg and Marquardt, and the cost before and after it.

    Steps of all dampings are tried at once, each in a world of its own. The delay is left as it is
    where it is `fixed`.
    """
    jacobian, residuals = problem.jacobian(z)
    gradient, hessian = jacobian.T @ residuals, jacobian.T @ jacobian
    low, high = problem.bounds
    free = ~(((z <= low) & (gradient > 0)) | ((z >= high) & (gradient < 0)))
    if fixed:
        free[problem.delay] = False
    tried = np.tile(z, (len(_DAMPINGS), 1))
    for row, damping in zip(tried, _DAMPINGS, strict=True):
        damped = hessian + damping * np.diag(np.diag(hessian))
        row[free] -= np.linalg.solve(damped[np.ix_(free, free)], gradient[free])
    tried = np.clip(tried, low, high)
    costs = 0.5 * (problem.residuals(tried) ** 2).sum(1)
    best, before = int(np.argmin(costs)), float(0.5 * (residuals**2).sum())
    if costs[best] >= before:
        return z, before, before
    return tried[best], before, float(costs[best])


class _Problem:
    """Residuals of `logs` over parameters in spreads from their nominal values."""

    def __init__(
        self,
        robot: Robot,
        logs: Sequence[Measured],
        mass: float | None,
        threads: int,
    ) -> None:
        self.robot, self._logs, self._mass = robot, logs, mass
        self.parameters = parameters(robot)
        self._model = Model(robot, threads)
        self._nominal = np.array([p.nominal for p in self.parameters])
        self._spread = np.array([p.spread for p in self.parameters])
        ends = np.array([(p.low, p.high) for p in self.parameters]).T
        names = [p.name for p in self.parameters]
        self.delay, self.latency = names.index("motors.delay"), names.index("sensors.latency")
        self.bounds = [(end - self._nominal) / self._spread for end in ends]
        self._columns = columns(robot)
        self._noise = dict(_NOISE)

    def residuals(self, z: Array) -> Array:
        """Residuals (k, rows) at `z` (k, parameters): of readings, then of what was known."""
        parts, masses = self._errors(z)
        weighted = [self._weighted(e, log).reshape(len(e), -1) for e, log in self._pairs(parts)]
        return np.concatenate([*weighted, self._before(z, masses)], 1)

    def jacobian(self, z: Array) -> tuple[Array, Array]:
        """Jacobian (rows, parameters) by finite differences at `z`, and residuals (rows,).

        Of the differences to either side the smaller one, or 0 where they differ in sign (minmod,
        Roe 1986): contacts and limits make jumps, which tell nothing of small changes.
        """
        step = _STEP * np.eye(len(z))
        sides = []
        for sign in (1, -1):
            ends = np.clip(z + sign * step, *self.bounds)
            moved = np.diag(ends - z)
            found = self.residuals(np.concatenate([z[None], ends]))
            sides.append((found[1:] - found[0]).T / np.where(moved, moved, np.inf))
            outside = moved == 0
            if outside.any():  # at a bound: the other side alone
                sides[-1][:, outside] = np.nan
        above, below = (
            np.where(np.isnan(side), other, side) for side, other in (sides, sides[::-1])
        )
        smaller = np.where(np.abs(above) < np.abs(below), above, below)
        return np.where(above * below > 0, smaller, 0.0), found[0]

    def rounded(self, z: Array) -> list[Array]:
        """`z` with the delay of a whole number of physics steps, below and above its own.

        The latency is such that their sum, which logs tell better than either, is as before.
        """
        found = []
        for nearest in (np.floor, np.ceil):
            values = self._nominal + z * self._spread
            delay = max(nearest(values[self.delay] / PHYSICS_STEP), 1) * PHYSICS_STEP
            values[self.latency] += (values[self.delay] - delay) / CONTROL_STEP
            values[self.delay] = delay
            found.append(np.clip((values - self._nominal) / self._spread, *self.bounds))
        return found

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
            low, high = max(value - quantile * sd, p.low), min(value + quantile * sd, p.high)
            if p.name == "motors.delay":  # what acts as this many physics steps
                low, high = value - PHYSICS_STEP, value
            learned = float(np.clip(1 - (sd / p.spread) ** 2, 0, 1))
            estimates[p.name] = Estimate(p, float(value), float(low), float(high), learned)
        return Identified(self.robot, estimates, self._sensors(values), max(unexplained))

    def _sensors(self, values: Array) -> dict[str, float]:
        """Noise of each field that counted, which residuals show as latency mixes two readings."""
        share = values[self.latency] % 1
        counted = [
            n for n in self._columns if n != "gravity" or not all(x.hung for x in self._logs)
        ]
        return {name: self._noise[name] / float(np.hypot(1 - share, share)) for name in counted}

    def _deviations(self, z: Array) -> Array:
        """Standard deviation of each parameter [spreads]; that of whole steps for the delay."""
        jacobian, residuals = self.jacobian(z)
        jacobian = np.delete(jacobian, self.delay, 1)
        known = len(z) + (self._mass is not None)  # rows
        scores = jacobian[:-known] * residuals[:-known, None]
        summed = np.add.reduceat(scores, self._clusters(), 0)
        summed -= summed.mean(0)
        before = jacobian[-known:].T @ jacobian[-known:]
        meat = summed.T @ summed * len(summed) / (len(summed) - 1) + before
        inverse = np.linalg.inv(jacobian.T @ jacobian)
        alike = np.diag(inverse) * (1 + 2 * self._carried(residuals[:-known]))
        variance = np.maximum(alike, np.diag(inverse @ meat @ inverse))
        step = PHYSICS_STEP / np.sqrt(12) / self._spread[self.delay]  # of a uniform distribution
        return np.insert(np.sqrt(variance), self.delay, step)

    def _carried(self, residuals: Array) -> float:
        """Correlation of residuals (rows,) with those a control step later, in [0, 0.5].

        Latency between two steps makes it up to 0.5, where a reading is the mean of two.
        """
        width = len(self._scales())
        found = np.vdot(residuals[width:], residuals[:-width]) / np.vdot(residuals, residuals)
        return float(np.clip(found, 0, 0.5))

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
