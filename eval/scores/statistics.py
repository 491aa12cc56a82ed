"""Statistics of scores: intervals, paired tests and the non-inferiority verdict.

Every random result is a function of its seed. Interquartile mean and stratified bootstrap are those
of rliable (Agarwal et al., NeurIPS 2021).

Values may carry two kinds of labels. `strata`: the bootstrap resamples within a stratum only.
`clusters`: dependent values, such as episodes of one world in several contexts, count as one value,
their mean.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import bdtr, ndtr, ndtri, stdtrit

Array = NDArray[np.float64]
Labels = Sequence[object] | NDArray[np.int64] | None
Statistic = Callable[[Array], Array]
"""Reduction of samples (..., n) over the last axis."""

ALPHA = 0.05  # significance level: intervals are two-sided 95 %, verdicts one-sided 95 %
RESAMPLES = 5000  # standard error of a tail probability of 2.5 %: 0.2 %
SMALLEST_BOOTSTRAP = 8  # sample size below which the bootstrap has too few distinct resamples
LARGE = 10_000  # sample size above which means count as normal, with the bootstrap's variance
_GROUPS = 200  # random groups of a large sample; their spread gives a standard error within 5 %
_BATCH = 32_768  # random numbers drawn at a time, to fit the processor's cache


@dataclass(frozen=True)
class Interval:
    """An estimate and its interval; NaN where the data do not determine them."""

    mean: float
    low: float
    high: float


_UNDEFINED = Interval(math.nan, math.nan, math.nan)


def mean(values: Array) -> Array:
    """Mean over the last axis."""
    return values.mean(-1)


def interquartile_mean(values: Array) -> Array:
    """Mean of the middle half over the last axis (25 % trimmed mean)."""
    ordered = np.sort(values, -1)
    n = ordered.shape[-1]
    return ordered[..., n // 4 : n - n // 4].mean(-1)


def worst_decile(values: Array) -> Array:
    """Mean of the lowest tenth over the last axis (CVaR at 10 %), fractions of a value included."""
    n = values.shape[-1]
    weight = np.clip(0.1 * n - np.arange(n), 0, 1)
    return np.sort(values, -1) @ (weight / weight.sum())


@dataclass(frozen=True)
class Sample:
    """Values ordered by stratum, and the first index and the size of each value's stratum (n,).

    Strata of a single value, whose variance is undefined, are merged into one.
    """

    values: Array
    first: NDArray[np.int64]
    count: NDArray[np.int64]
    strata: int

    @classmethod
    def of(cls, values: ArrayLike, strata: Labels = None, clusters: Labels = None) -> "Sample":
        """Sample of `values` (n,), one value per cluster, NaNs left out."""
        array = np.asarray(values, float)
        code = np.zeros(len(array), np.int64) if strata is None else _codes(strata)
        if clusters is not None:
            cluster = _codes(clusters)
            if len(array) and cluster.max() + 1 < len(array):
                array, code = _cluster_means(array, code, cluster)
        known = ~np.isnan(array)
        array, code = array[known], code[known]
        if len(code):
            code = np.where(np.bincount(code)[code] == 1, code.max() + 1, code)
        _, code, count = np.unique(code, return_inverse=True, return_counts=True)
        first = np.cumsum(count) - count
        order = np.argsort(code, kind="stable")
        return cls(array[order], first[code[order]], count[code[order]], len(count))

    @property
    def size(self) -> int:
        return len(self.values)

    @property
    def dof(self) -> int:
        """Degrees of freedom: size minus the number of strata."""
        return self.size - self.strata

    def bootstrap(self, statistic: Statistic, resamples: int, rng: np.random.Generator) -> Array:
        """Statistics (resamples,) of samples drawn with replacement within each stratum.

        Of a sample above LARGE they are normal draws with the standard error of the statistic.
        """
        if self.size > LARGE:
            error = self._standard_error(statistic, rng)
            return statistic(self.values) + error * rng.standard_normal(resamples)
        draws = []
        for batch in _batches(resamples, self.size):
            u = rng.random((batch, self.size))
            draws.append(statistic(self.values[self.first + (u * self.count).astype(int)]))
        return np.concatenate(draws)

    def _standard_error(self, statistic: Statistic, rng: np.random.Generator) -> float:
        """Standard error of `statistic`: in closed form of a mean, else from random groups.

        Each group has its share of every stratum, so that differences between strata do not count.
        """
        if statistic is mean:
            sums = np.add.reduceat(np.stack([self.values, self.values**2]), self._strata, 1)
            variance = sums[1] / self._sizes - (sums[0] / self._sizes) ** 2
            return float(np.sqrt((variance.clip(0) * self._sizes).sum()) / self.size)
        shuffled = np.lexsort((rng.random(self.size), self.first))
        dealt = (self.values[shuffled[group::_GROUPS]] for group in range(_GROUPS))
        found = [float(statistic(values)) for values in dealt]
        return float(np.std(found, ddof=1) / math.sqrt(_GROUPS))

    @property
    def _strata(self) -> NDArray[np.int64]:
        """Index of the first value of each stratum."""
        return np.unique(self.first)

    @property
    def _sizes(self) -> NDArray[np.int64]:
        """Number of values of each stratum."""
        return self.count[self._strata]


def _codes(labels: Sequence[object] | NDArray[np.int64]) -> NDArray[np.int64]:
    """Number (n,) of each of `labels` in order of appearance."""
    if isinstance(labels, np.ndarray):
        _, first, inverse = np.unique(labels, return_index=True, return_inverse=True)
        return np.argsort(np.argsort(first))[inverse]
    codes: dict[object, int] = {}
    return np.array([codes.setdefault(label, len(codes)) for label in labels], np.int64)


def _cluster_means(
    values: Array, strata: NDArray[np.int64], clusters: NDArray[np.int64]
) -> tuple[Array, NDArray[np.int64]]:
    """Mean of each cluster, NaNs left out, and its stratum: the set of strata of its members.

    Strata and clusters are numbers (n,) in order of appearance.
    """
    known = ~np.isnan(values)
    count = np.bincount(clusters[known], minlength=clusters.max() + 1)
    total = np.bincount(clusters[known], values[known], clusters.max() + 1)
    members: list[set[int]] = [set() for _ in count]
    for cluster, stratum in zip(clusters.tolist(), strata.tolist(), strict=True):
        members[cluster].add(stratum)
    with np.errstate(invalid="ignore"):
        return total / count, _codes([frozenset(each) for each in members])


def _batches(total: int, width: int) -> Iterator[int]:
    """Batch sizes that split `total` rows of `width` random numbers each."""
    size = max(_BATCH // max(width, 1), 1)
    return (min(size, total - first) for first in range(0, total, size))


def wilson(successes: float, n: int) -> Interval:
    """Score interval of a success rate (Wilson 1927); NaN for n = 0.

    `successes` may be fractional, as a sum of cluster means is; `scipy.stats.binomtest` takes whole
    numbers only.
    """
    if n == 0:
        return _UNDEFINED
    z = float(ndtri(1 - ALPHA / 2))
    rate = successes / n
    scale = 1 + z * z / n
    centre = (rate + z * z / (2 * n)) / scale
    half = z * math.sqrt(rate * (1 - rate) / n + z * z / (4 * n * n)) / scale
    # The bounds at the ends are exactly 0 and 1, whatever rounding gives.
    return Interval(
        rate,
        0.0 if successes == 0 else max(centre - half, 0.0),
        1.0 if successes == n else min(centre + half, 1.0),
    )


def survival_interval(survived: ArrayLike, clusters: Labels = None) -> Interval:
    """Wilson interval of a survival rate, with the number of clusters as n (conservative)."""
    values = np.asarray(survived, float)
    n = len(values) if clusters is None else len(set(_codes(clusters).tolist()))
    return wilson(float(values.mean()) * n if n else 0.0, n)


def student_interval(values: Array) -> Interval:
    """Student's t interval of the mean of `values` (n,)."""
    n, estimate = len(values), float(values.mean())
    if n < 2:
        return Interval(estimate, math.nan, math.nan)
    half = float(stdtrit(n - 1, 1 - ALPHA / 2)) * float(values.std(ddof=1)) / math.sqrt(n)
    return Interval(estimate, estimate - half, estimate + half)


def expanded_percentiles(
    estimate: float, draws: Array, size: int, dof: int, tail: float = ALPHA / 2
) -> Interval:
    """Expanded percentile bootstrap interval (Hesterberg 2015, section 4.4), `tail` on each side.

    The plain percentile interval is narrow in small samples: it divides by n, not by the degrees
    of freedom, and has normal tails. The tail probability is therefore replaced by
    Phi(-sqrt(n / dof) t(1 - tail, dof)), which is exact for the mean of normal values.
    """
    if not dof:
        return Interval(estimate, math.nan, math.nan)
    expanded = float(ndtr(-math.sqrt(size / dof) * stdtrit(dof, 1 - tail)))
    low, high = np.quantile(draws, [expanded, 1 - expanded])
    return Interval(estimate, float(low), float(high))


def bootstrap_interval(
    values: ArrayLike,
    seed: int,
    resamples: int = RESAMPLES,
    strata: Labels = None,
    statistic: Statistic = mean,
    clusters: Labels = None,
) -> Interval:
    """Stratified bootstrap interval of a statistic of `values` (n,).

    NaNs are left out. The mean of fewer than SMALLEST_BOOTSTRAP unstratified values gets Student's
    interval. The bounds of a single value are NaN.
    """
    sample = Sample.of(values, strata, clusters)
    if not sample.size:
        return _UNDEFINED
    if sample.size < SMALLEST_BOOTSTRAP and sample.strata == 1 and statistic is mean:
        return student_interval(sample.values)
    draws = sample.bootstrap(statistic, resamples, np.random.default_rng(seed))
    estimate = float(statistic(sample.values))
    return expanded_percentiles(estimate, draws, sample.size, sample.dof)


def row_interval(
    values: ArrayLike,
    rows: Sequence[object] | NDArray[np.int64],
    seed: int,
    resamples: int = RESAMPLES,
) -> Interval:
    """Bootstrap interval of the mean of `values` (n,) if `rows` (n,) are a sample themselves.

    Rows are drawn with replacement, then the values within each (two-stage bootstrap, Davison and
    Hinkley 1997, section 3.8), with Student's correction for the number of rows. Covers new rows of
    the same kind; `bootstrap_interval` covers new worlds in these rows. NaNs are left out; the
    bounds are NaN for a single row.
    """
    array, label = np.asarray(values, float), _codes(rows)
    known = ~np.isnan(array)
    if not known.any():
        return _UNDEFINED
    array, label = array[known], _codes(label[known])
    order = np.argsort(label, kind="stable")
    samples = np.split(array[order], np.cumsum(np.bincount(label))[:-1])
    sizes, count = np.array([len(sample) for sample in samples]), len(samples)
    rng = np.random.default_rng(seed)
    means = np.stack(  # (rows, resamples)
        [Sample.of(sample).bootstrap(mean, resamples, rng) for sample in samples]
    )
    drawn = rng.integers(count, size=(resamples, count))
    within = means[drawn, rng.integers(resamples, size=drawn.shape)]
    draws = (within * sizes[drawn]).sum(1) / sizes[drawn].sum(1)
    estimate = float(np.concatenate(samples).mean())
    return expanded_percentiles(estimate, draws, count, count - 1)


def traversal_interval(
    traversal: ArrayLike,
    survived: ArrayLike,
    seed: int,
    resamples: int = RESAMPLES,
    strata: Labels = None,
    clusters: Labels = None,
) -> Interval:
    """Interval of the mean traversal (n,), widened for falls too rare to be in the sample.

    The bootstrap knows only observed falls: 16 episodes of a policy that falls once in 20 often
    have none. The bootstrap interval is therefore widened to include mean - cost * (survival -
    Wilson's lower bound), and likewise upwards. `cost` is the observed mean loss of traversal by a
    fall, or half of the mean traversal if none was observed (an assumption, not an estimate).
    """
    values, stayed_up = np.asarray(traversal, float), np.asarray(survived, bool)
    interval = bootstrap_interval(values, seed, resamples, strata, clusters=clusters)
    if math.isnan(interval.low):
        return interval
    full = values[stayed_up].mean() if stayed_up.any() else 1.0
    cost = full / 2 if stayed_up.all() else max(full - values[~stayed_up].mean(), 0.0)
    rate = survival_interval(stayed_up, clusters)
    low = float(interval.mean - cost * (rate.mean - rate.low))
    high = float(interval.mean + cost * (rate.high - rate.mean))
    return Interval(interval.mean, min(interval.low, low), max(interval.high, min(high, 1.0)))


def gap_interval(
    train: ArrayLike,
    heldout: ArrayLike,
    seed: int,
    resamples: int = RESAMPLES,
    train_strata: Labels = None,
    heldout_strata: Labels = None,
) -> Interval:
    """Bootstrap interval of mean(train) - mean(heldout), unpaired, each sample stratified."""
    first, second = Sample.of(train, train_strata), Sample.of(heldout, heldout_strata)
    if not first.size or not second.size:
        return _UNDEFINED
    rng = np.random.default_rng(seed)
    draws = first.bootstrap(mean, resamples, rng) - second.bootstrap(mean, resamples, rng)
    estimate = float(mean(first.values) - mean(second.values))
    dof = first.dof + second.dof if first.dof and second.dof else 0
    return expanded_percentiles(estimate, draws, first.size + second.size, dof)


def mcnemar(baseline: ArrayLike, candidate: ArrayLike) -> float:
    """Two-sided p of McNemar's exact test of paired outcomes (n,): binomial on discordant pairs."""
    first, second = np.asarray(baseline, bool), np.asarray(candidate, bool)
    lost, won = int((first & ~second).sum()), int((~first & second).sum())
    return min(2 * float(bdtr(min(lost, won), lost + won, 0.5)), 1.0)


def sign_flip(differences: ArrayLike, seed: int, flips: int = 10_000) -> tuple[float, float]:
    """One-sided p values (loss, gain) of the sign-flip permutation test of differences (n,).

    Under the null hypothesis baseline and candidate are exchangeable in each pair, so every sign
    is equally likely. p is the share of random sign vectors, the observed one included, with a sum
    at least as extreme. `scipy.stats.permutation_test` takes 10 to 30 times as long.
    """
    values = np.asarray(differences, float)
    rng = np.random.default_rng(seed)
    observed = values.sum()
    if len(values) > LARGE:  # the sum is normal
        score = float(observed / max(np.sqrt((values**2).sum()), 1e-300))
        return float(ndtr(score)), float(ndtr(-score))
    tolerance = 1e-9 * np.abs(values).sum()  # rounding of equal sums in another order
    low = high = 1
    for batch in _batches(flips, len(values)):
        signs = rng.integers(0, 2, (batch, len(values)), np.int8)
        sums = 2 * (signs @ values) - observed
        low += int((sums <= observed + tolerance).sum())
        high += int((sums >= observed - tolerance).sum())
    return low / (flips + 1), high / (flips + 1)


def holm(p_values: ArrayLike) -> Array:
    """Holm's (1979) step-down adjusted p values (m,): family-wise error control over m tests."""
    p = np.asarray(p_values, float)
    order = np.argsort(p, kind="stable")
    stepped = np.maximum.accumulate(p[order] * (len(p) - np.arange(len(p))))
    adjusted = np.empty(len(p))
    adjusted[order] = np.minimum(stepped, 1)
    return adjusted


@dataclass(frozen=True)
class Verdict:
    """Outcome of a paired test of a candidate: differences are candidate minus baseline."""

    n: int
    mean: float
    low: float
    """One-sided 95 % lower bound of the mean."""
    high: float
    """One-sided 95 % upper bound of the mean."""
    p_loss: float
    p_gain: float
    verdict: str
    """"superior", "non-inferior", "inferior" or "inconclusive"."""


def non_inferiority(
    differences: ArrayLike,
    margin: float,
    seed: int = 0,
    strata: Labels = None,
    clusters: Labels = None,
) -> Verdict:
    """Non-inferiority test of paired `differences` (n,) with a tolerated loss of `margin`.

    The bounds are one-sided 95 % bootstrap bounds, the p values those of `sign_flip`. A gain is
    significant if low > 0, a loss if high < 0; see `classify`.
    """
    sample = Sample.of(differences, strata, clusters)
    estimate = float(mean(sample.values)) if sample.size else math.nan
    bounds = Interval(estimate, -math.inf, math.inf)
    if sample.dof:
        draws = sample.bootstrap(mean, RESAMPLES, np.random.default_rng(seed))
        bounds = expanded_percentiles(estimate, draws, sample.size, sample.dof, ALPHA)
    low, high = bounds.low, bounds.high
    verdict = classify(low, margin, gain=low > 0, loss=high < 0)
    return Verdict(sample.size, estimate, low, high, *sign_flip(sample.values, seed + 1), verdict)


def classify(low: float, margin: float, gain: bool, loss: bool) -> str:
    """Verdict from the one-sided lower bound and the significance of a gain or a loss.

    In this order: "superior" for a significant gain, "non-inferior" for low > -margin, "inferior"
    for a significant loss, else "inconclusive": more episodes are needed.
    """
    if gain:
        return "superior"
    if low > -margin:
        return "non-inferior"
    return "inferior" if loss else "inconclusive"
