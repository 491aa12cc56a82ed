"""Rows and summary of a scorecard: episodes gathered by context and by space."""

import math
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from grek.envs.scenarios.spaces import zone
from grek.eval.scores.metrics import falls_per_km
from grek.eval.scores.resampling import Interval, Statistic
from grek.eval.scores.statistics import (
    bootstrap_interval,
    gap_interval,
    interquartile_mean,
    mean,
    survival_interval,
    traversal_interval,
    worst_decile,
)

Episode = Mapping[str, Any]

SCORES = ("survival", "traversal", "velocity_error")  # with an interval, in rows and summary
_PER_METRE = ("cost_of_transport", "slip_per_metre")
_PLAIN = ("torque_saturation", "yaw_error", "joint_limit_time", "foot_impact", "action_jerk")


def stratum(episode: Episode) -> tuple[str, str, str]:
    """What the suite drew this episode for: space, axis and context."""
    axis, context = next(iter(episode["contexts"].items()))
    return episode["space"], axis, context


def worlds(episodes: Sequence[Episode]) -> list[object]:
    """Which episodes met the same world: same space and "world"; without one each is its own."""
    return [
        (e["space"], e["world"]) if e.get("world") is not None else i
        for i, e in enumerate(episodes)
    ]


def row(space: str, axis: str, context: str, group: Sequence[Episode]) -> dict[str, Any]:
    """One row: the scores of `group`, all episodes of one context, NaN where undefined."""
    where = f"{space}/{axis}/{context}"
    walked = _column(group, "distance")
    per_metre = {name: _weighted(_column(group, name), walked) for name in _PER_METRE}
    return {
        "space": space,
        "axis": axis,
        "context": context,
        "zone": zone(space, axis, context),
        "episodes": len(group),
        "survival": _survival(group),
        "traversal": _traversal(group, where),
        "velocity_error": _interval(group, "velocity_error", where, most=math.inf),
        "cost_of_transport": per_metre["cost_of_transport"],
        "falls_per_km": falls_per_km(_column(group, "survived"), np.nan_to_num(walked)),
        "slip_per_metre": per_metre["slip_per_metre"],
        "distance": float(np.nansum(walked)),
        **{name: _mean(_column(group, name)) for name in _PLAIN},
    }


def summary(episodes: Sequence[Episode], rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Scores of each space, stratified by context; the gap from train to heldout; the worst row.

    The mean of a space counts every episode alike. `interquartile_mean` and `worst_decile` are of
    traversal (of each world's mean, where contexts share worlds). The gap is absent unless both its
    spaces are there.
    """
    spaces: dict[str, list[Episode]] = {}
    for episode in episodes:
        spaces.setdefault(episode["space"], []).append(episode)
    summary: dict[str, Any] = {}
    for space, group in spaces.items():
        strata = [stratum(episode) for episode in group]
        summary[space] = {
            "survival": _survival(group),
            "traversal": _traversal(group, space, strata),
            "velocity_error": _interval(group, "velocity_error", space, strata, most=math.inf),
            "interquartile_mean": _interval(group, "traversal", space, strata, interquartile_mean),
            "worst_decile": _interval(group, "traversal", space, strata, worst_decile),
        }
    if "train" in spaces and "heldout" in spaces:
        train, heldout = spaces["train"], spaces["heldout"]
        gap = gap_interval(
            _column(train, "traversal"),
            _column(heldout, "traversal"),
            _seed("gap"),
            train_strata=[stratum(episode) for episode in train],
            heldout_strata=[stratum(episode) for episode in heldout],
        )
        summary["gap"] = _bounded(gap, -1.0, 1.0)
    worst = min(rows, key=lambda row: _or_infinity(row["traversal"]["mean"]))
    summary["worst"] = {name: worst[name] for name in ("space", "axis", "context")}
    return summary


def _survival(group: Sequence[Episode]) -> dict[str, float]:
    return asdict(survival_interval(_column(group, "survived"), worlds(group)))


def _traversal(
    group: Sequence[Episode], where: str, strata: Sequence[object] | None = None
) -> dict[str, float]:
    survived = _column(group, "survived") > 0
    values = _column(group, "traversal")
    seed = _seed(f"{where}/traversal")
    interval = traversal_interval(values, survived, seed, strata=strata, worlds=worlds(group))
    return _bounded(interval, 0.0, 1.0)


def _interval(
    group: Sequence[Episode],
    metric: str,
    where: str,
    strata: Sequence[object] | None = None,
    statistic: Statistic = mean,
    most: float = 1.0,
) -> dict[str, float]:
    """Each interval has random numbers of its own, so that no row depends on the other rows."""
    interval = bootstrap_interval(
        _column(group, metric),
        _seed(f"{where}/{metric}"),
        strata=strata,
        statistic=statistic,
        worlds=worlds(group),
    )
    return _bounded(interval, 0.0, most)


def _bounded(interval: Interval, least: float, most: float) -> dict[str, float]:
    """Where one episode says nothing of the spread, what is left is what a score can be at all."""
    low = least if math.isnan(interval.low) else max(interval.low, least)
    high = most if math.isnan(interval.high) else min(interval.high, most)
    known = not math.isnan(interval.mean)
    return {"mean": interval.mean, "low": low, "high": high} if known else asdict(interval)


def _seed(name: str) -> int:
    return zlib.crc32(name.encode())


def _column(group: Sequence[Episode], metric: str) -> np.ndarray:
    """One metric of all episodes (n,); NaN where it is undefined or missing."""
    return np.array([math.nan if e.get(metric) is None else float(e[metric]) for e in group])


def _mean(values: np.ndarray) -> float:
    known = values[~np.isnan(values)]
    return float(known.mean()) if len(known) else math.nan


def _weighted(values: np.ndarray, weight: np.ndarray) -> float:
    """Mean weighted by distance: what the row spent over how far it went, all episodes in one."""
    known = ~np.isnan(values) & ~np.isnan(weight)
    total = weight[known].sum()
    return float((values[known] * weight[known]).sum() / total) if total > 0 else math.nan


def _or_infinity(value: float) -> float:
    return math.inf if math.isnan(value) else value
