"""The stratified bootstrap: values, the strata and worlds they belong to, and their resamples."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]
Labels = Sequence[object] | None
Statistic = Callable[[Array], Array]
"""Takes samples (..., n) and reduces the last axis."""

REPS = 5000  # resamples: the tail of 2.5 % is met within 0.2 %
FEW = 8  # below, resamples of the values themselves cannot reach far enough
CHUNK = 2_000_000  # numbers drawn at a time, to bound memory
_NORMAL = NormalDist()


@dataclass(frozen=True)
class Interval:
    """An estimate and the bounds of its interval; NaN where the data say nothing."""

    mean: float
    low: float
    high: float


@dataclass(frozen=True)
class Sample:
    """Values (n,) in the order of their strata, and where the stratum of each begins and ends.

    Values that have a stratum to themselves make one together: alone there is nothing to resample.
    """

    values: Array
    start: NDArray[np.int64]
    length: NDArray[np.int64]
    strata: int

    @classmethod
    def of(cls, values: ArrayLike, strata: Labels = None, worlds: Labels = None) -> "Sample":
        array = np.asarray(values, float)
        labels = list(strata) if strata is not None else [0] * len(array)
        if worlds is not None and len(set(worlds)) < len(array):
            array, labels = _by_world(array, labels, worlds)
        known = {label: i for i, label in enumerate(dict.fromkeys(labels))}
        code = np.array([known[label] for label in labels], int)
        keep = ~np.isnan(array)
        array, code = array[keep], code[keep]
        alone = np.bincount(code, minlength=len(known))[code] == 1
        code[alone] = len(known)
        _, code, count = np.unique(code, return_inverse=True, return_counts=True)
        first = np.cumsum(count) - count
        order = np.argsort(code, kind="stable")
        return cls(array[order], first[code[order]], count[code[order]], len(count))

    @property
    def size(self) -> int:
        return len(self.values)

    @property
    def freedom(self) -> int:
        """Degrees of freedom: values beyond the first of each stratum."""
        return self.size - self.strata

    def resampled(self, statistic: Statistic, reps: int, rng: np.random.Generator) -> Array:
        """The statistic of `reps` resamples with replacement inside each stratum (reps,)."""
        chunk = max(CHUNK // self.size, 1)
        draws = []
        for first in range(0, reps, chunk):
            u = rng.random((min(chunk, reps - first), self.size))
            draws.append(statistic(self.values[self.start + (u * self.length).astype(int)]))
        return np.concatenate(draws)


def _by_world(
    values: Array, strata: Sequence[object], worlds: Sequence[object]
) -> tuple[Array, list[object]]:
    """Means of each world, NaNs left out; its stratum is the set of those it was met in."""
    groups: dict[object, list[int]] = {}
    for i, world in enumerate(worlds):
        groups.setdefault(world, []).append(i)
    means, labels = [], []
    for ids in groups.values():
        known = values[ids][~np.isnan(values[ids])]
        means.append(known.mean() if len(known) else math.nan)
        labels.append(frozenset(strata[i] for i in ids))
    return np.array(means), list(labels)


def expanded(estimate: float, draws: Array, size: int, freedom: int, tail: float) -> Interval:
    """Percentiles of bootstrap draws, widened as few data ask for (Hesterberg 2015, section 4.4).

    The bootstrap divides by n, not by the degrees of freedom, and knows no t distribution: the tail
    probability is replaced by Phi(-sqrt(n / freedom) t(1 - tail, freedom)), exact for normal means.
    """
    if not freedom:
        return Interval(estimate, math.nan, math.nan)
    widened = _NORMAL.cdf(-math.sqrt(size / freedom) * t_quantile(1 - tail, freedom))
    low, high = np.quantile(draws, [widened, 1 - widened])
    return Interval(estimate, float(low), float(high))


def few(values: Array, tail: float) -> Interval:
    """Student's interval of the mean of few values (n,)."""
    n, estimate = len(values), float(values.mean())
    if n < 2:
        return Interval(estimate, math.nan, math.nan)
    half = t_quantile(1 - tail, n - 1) * float(values.std(ddof=1)) / math.sqrt(n)
    return Interval(estimate, estimate - half, estimate + half)


def t_quantile(p: float, freedom: int) -> float:
    """Quantile of Student's t: closed forms for 1 and 2, else the series in 1/freedom.

    Abramowitz and Stegun 26.7.5; within 0.2 % of the truth at p = 0.975 from 3 degrees on.
    """
    if freedom == 1:
        return math.tan(math.pi * (p - 0.5))
    if freedom == 2:
        return (2 * p - 1) / math.sqrt(2 * p * (1 - p))
    z = _NORMAL.inv_cdf(p)
    terms = (
        z,
        (z**3 + z) / 4,
        (5 * z**5 + 16 * z**3 + 3 * z) / 96,
        (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384,
        (79 * z**9 + 776 * z**7 + 1482 * z**5 - 1920 * z**3 - 945 * z) / 92160,
    )
    return sum(term / freedom**i for i, term in enumerate(terms))
