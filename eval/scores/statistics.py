"""How far a score can be trusted: intervals, tests and the non-inferiority gate, in NumPy.

Everything random takes a seed and is the same for ever given it. Sources: interquartile mean and
stratified bootstrap as in rliable (Agarwal et al., NeurIPS 2021), Wilson (1927), McNemar (1947),
Holm (1979).

Two labels may come with values: `strata`, inside which is resampled, and `worlds`. Episodes of one
world in several contexts go up and down together; they count as one value, their mean.
"""

import math
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import ArrayLike

from grek.eval.scores.resampling import (
    CHUNK,
    FEW,
    REPS,
    Array,
    Interval,
    Labels,
    Sample,
    Statistic,
    expanded,
    few,
)


def mean(values: Array) -> Array:
    """Over the last axis."""
    return values.mean(-1)


def interquartile_mean(values: Array) -> Array:
    """Mean of the middle half over the last axis: an outlier moves it little."""
    ordered = np.sort(values, -1)
    n = ordered.shape[-1]
    return ordered[..., n // 4 : n - n // 4].mean(-1)


def worst_decile(values: Array) -> Array:
    """Mean of the lowest tenth over the last axis (CVaR at 10 %), fractions of a value included."""
    n = values.shape[-1]
    weight = np.clip(0.1 * n - np.arange(n), 0, 1)
    return np.sort(values, -1) @ (weight / weight.sum())


def wilson(successes: float, n: int, confidence: float = 0.95) -> Interval:
    """Interval of a success rate; NaN for n = 0."""
    if n == 0:
        return Interval(math.nan, math.nan, math.nan)
    z = NormalDist().inv_cdf(0.5 + confidence / 2)
    rate = successes / n
    scale = 1 + z * z / n
    centre = (rate + z * z / (2 * n)) / scale
    half = z * math.sqrt(rate * (1 - rate) / n + z * z / (4 * n * n)) / scale
    # The bounds are exactly 0 and 1 at the ends; rounding must not say otherwise.
    return Interval(
        rate,
        0.0 if successes == 0 else max(centre - half, 0.0),
        1.0 if successes == n else min(centre + half, 1.0),
    )


def survival_interval(survived: ArrayLike, worlds: Labels = None) -> Interval:
    """Wilson's interval of a survival rate; n is the number of worlds: on the safe side."""
    stood = np.asarray(survived, float)
    n = len(stood) if worlds is None else len(set(worlds))
    return wilson(float(stood.mean()) * n if n else 0.0, n)


def bootstrap_interval(
    values: ArrayLike,
    seed: int,
    reps: int = REPS,
    strata: Labels = None,
    statistic: Statistic = mean,
    confidence: float = 0.95,
    worlds: Labels = None,
) -> Interval:
    """Interval of a statistic of `values` (n,), resampled inside each stratum.

    NaNs are left out. The bounds of a single value are NaN: nothing is known of the spread.
    """
    sample = Sample.of(values, strata, worlds)
    if not sample.size:
        return Interval(math.nan, math.nan, math.nan)
    estimate = float(statistic(sample.values))
    if sample.size < FEW and sample.strata == 1 and statistic is mean:
        return few(sample.values, (1 - confidence) / 2)
    draws = sample.resampled(statistic, reps, np.random.default_rng(seed))
    return expanded(estimate, draws, sample.size, sample.freedom, (1 - confidence) / 2)


def traversal_interval(
    traversal: ArrayLike,
    survived: ArrayLike,
    seed: int,
    reps: int = REPS,
    strata: Labels = None,
    worlds: Labels = None,
) -> Interval:
    """Interval of the mean traversal (n,) of episodes that `survived` (n,) or fell.

    A bootstrap knows only the falls it saw: in 16 episodes of a policy that falls once in 20 it
    often saw none. So the lower bound goes down to where Wilson's bound of the survival rate would
    bring the mean, a fall costing what it cost so far; if none was seen, half of a whole walk.
    Likewise up: whoever fell always may not always fall.
    """
    values, stood = np.asarray(traversal, float), np.asarray(survived, bool)
    interval = bootstrap_interval(values, seed, reps, strata, worlds=worlds)
    if math.isnan(interval.low):
        return interval
    whole = values[stood].mean() if stood.any() else 1.0
    cost = max(whole - values[~stood].mean() if not stood.all() else whole / 2, 0.0)
    rate = survival_interval(stood, worlds)
    low = interval.mean - cost * (rate.mean - rate.low)
    high = interval.mean + cost * (rate.high - rate.mean)
    return Interval(
        interval.mean, min(interval.low, float(low)), max(interval.high, float(min(high, 1.0)))
    )


def gap_interval(
    train: ArrayLike,
    heldout: ArrayLike,
    seed: int,
    reps: int = REPS,
    train_strata: Labels = None,
    heldout_strata: Labels = None,
) -> Interval:
    """Mean of `train` minus mean of `heldout`: two unpaired samples, each resampled by strata."""
    first, second = Sample.of(train, train_strata), Sample.of(heldout, heldout_strata)
    if not first.size or not second.size:
        return Interval(math.nan, math.nan, math.nan)
    rng = np.random.default_rng(seed)
    draws = first.resampled(mean, reps, rng) - second.resampled(mean, reps, rng)
    estimate = float(mean(first.values) - mean(second.values))
    if not first.freedom or not second.freedom:
        return Interval(estimate, math.nan, math.nan)
    size, freedom = first.size + second.size, first.freedom + second.freedom
    return expanded(estimate, draws, size, freedom, 0.025)


def mcnemar(baseline: ArrayLike, candidate: ArrayLike) -> float:
    """Exact two-sided p that paired successes (n,) differ: binomial on the discordant pairs."""
    first, second = np.asarray(baseline, bool), np.asarray(candidate, bool)
    lost, won = int((first & ~second).sum()), int((~first & second).sum())
    n, k = lost + won, min(lost, won)
    tail = sum(math.comb(n, i) for i in range(k + 1)) / 2**n
    return min(2 * tail, 1.0)


def sign_flip(differences: ArrayLike, seed: int, reps: int = 10_000) -> tuple[float, float]:
    """One-sided p of a loss and of a gain in paired differences (n,).

    If two policies are equally good, their names can be swapped in every world: the signs of the
    differences are coin flips. p is the share of flips (the observed one included) as extreme.
    """
    values = np.asarray(differences, float)
    rng = np.random.default_rng(seed)
    observed = values.sum()
    slack = 1e-9 * np.abs(values).sum()  # equal sums in another order count as equal
    low = high = 1
    chunk = max(CHUNK // max(len(values), 1), 1)
    for first in range(0, reps, chunk):
        flips = rng.integers(0, 2, (min(chunk, reps - first), len(values)), np.int8)
        sums = 2 * (flips @ values) - observed
        low += int((sums <= observed + slack).sum())
        high += int((sums >= observed - slack).sum())
    return low / (reps + 1), high / (reps + 1)


def holm(p_values: ArrayLike) -> Array:
    """p values (m,) adjusted for m tests: below alpha they keep the family-wise error at alpha."""
    p = np.asarray(p_values, float)
    order = np.argsort(p, kind="stable")
    stepped = np.maximum.accumulate(p[order] * (len(p) - np.arange(len(p))))
    adjusted = np.empty(len(p))
    adjusted[order] = np.minimum(stepped, 1)
    return adjusted


@dataclass(frozen=True)
class Verdict:
    """What paired differences (candidate minus baseline) say about a candidate."""

    n: int
    mean: float
    low: float
    """One-sided 95 % bounds: the true mean is above `low`, and below `high`, each with 95 %."""
    high: float
    p_loss: float
    p_gain: float
    verdict: str
    """"superior", "non-inferior", "inferior" or "inconclusive"."""


def non_inferiority(
    differences: ArrayLike,
    margin: float,
    seed: int = 0,
    strata: Labels = None,
    alpha: float = 0.05,
    worlds: Labels = None,
) -> Verdict:
    """Is the candidate no worse than `margin` below the baseline? `differences` (n,) are paired.

    Superior: low > 0. Non-inferior: low > -margin. Inferior: neither, and high < 0, so the loss is
    real. Else inconclusive: more episodes would tell. The p values are those of `sign_flip`.
    """
    sample = Sample.of(differences, strata, worlds)
    estimate = float(mean(sample.values)) if sample.size else math.nan
    low, high = -math.inf, math.inf
    if sample.freedom:
        draws = sample.resampled(mean, REPS, np.random.default_rng(seed))
        bounds = expanded(estimate, draws, sample.size, sample.freedom, alpha)
        low, high = bounds.low, bounds.high
    p_loss, p_gain = sign_flip(sample.values, seed + 1)
    return Verdict(
        sample.size, estimate, low, high, p_loss, p_gain, judge(low, margin, low > 0, high < 0)
    )


def judge(low: float, margin: float, gain: bool, loss: bool) -> str:
    """The verdict, given the lower bound and whether a gain or a loss is shown to be real."""
    if gain:
        return "superior"
    if low > -margin:
        return "non-inferior"
    return "inferior" if loss else "inconclusive"
