"""Rows and summary of a scorecard: episodes aggregated by context and by space."""

import math
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from grek.envs.scenarios.scenario import Context
from grek.envs.scenarios.spaces import zone
from grek.envs.tasks.metrics import falls_per_km
from grek.eval.scores.statistics import (
    Array,
    Interval,
    Labels,
    Statistic,
    bootstrap_interval,
    gap_interval,
    interquartile_mean,
    mean,
    survival_interval,
    traversal_interval,
    worst_decile,
)

Episode = Mapping[str, Any]

_PER_EPISODE = ("torque_saturation", "yaw_error", "joint_limit_time", "foot_impact", "action_jerk")


def stratum(episode: Episode) -> tuple[str, str, str]:
    """Stratum of an episode: space, axis and context that the suite drew it for."""
    axis, context = next(iter(episode["contexts"].items()))
    return episode["space"], axis, context


def clusters(episodes: Sequence[Episode]) -> list[object]:
    """Cluster labels (n,): equal for episodes with the same space and "world".

    An episode without "world" is a cluster of its own.
    """
    return [
        (e["space"], e["world"]) if e.get("world") is not None else i
        for i, e in enumerate(episodes)
    ]


def row(space: str, axis: str, context: str, episodes: Sequence[Episode]) -> dict[str, Any]:
    """Row of a scorecard: scores of all `episodes` of one context, NaN where undefined."""
    name = f"{space}/{axis}/{context}"
    distance = _column(episodes, "distance")
    return {
        "space": space,
        "axis": axis,
        "context": context,
        "zone": zone(space, Context(axis, context)),
        "episodes": len(episodes),
        **_scores(episodes, name),
        "cost_of_transport": _weighted_mean(_column(episodes, "cost_of_transport"), distance),
        "falls_per_km": falls_per_km(_column(episodes, "survived"), np.nan_to_num(distance)),
        "slip_per_metre": _weighted_mean(_column(episodes, "slip_per_metre"), distance),
        "distance": float(np.nansum(distance)),
        **{metric: _mean(_column(episodes, metric)) for metric in _PER_EPISODE},
    }


def summary(episodes: Sequence[Episode], rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Scores of each space, stratified by context; the gap from train to heldout; the worst row.

    The mean of a space weights every episode equally. `interquartile_mean` and `worst_decile` are
    of traversal, averaged over each world first where contexts share worlds. The gap is absent
    unless both its spaces are present.
    """
    spaces: dict[str, list[Episode]] = {}
    for episode in episodes:
        spaces.setdefault(episode["space"], []).append(episode)
    summary: dict[str, Any] = {}
    for space, group in spaces.items():
        strata = [stratum(episode) for episode in group]
        summary[space] = {
            **_scores(group, space, strata),
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
    worst = min(rows, key=lambda row: np.nan_to_num(row["traversal"]["mean"], nan=math.inf))
    summary["worst"] = {key: worst[key] for key in ("space", "axis", "context")}
    return summary


def _scores(episodes: Sequence[Episode], name: str, strata: Labels = None) -> dict[str, Any]:
    """Scores with an interval, the same in rows and in the summary."""
    survived, labels = _column(episodes, "survived"), clusters(episodes)
    traversal = traversal_interval(
        _column(episodes, "traversal"),
        survived > 0,
        _seed(f"{name}/traversal"),
        strata=strata,
        clusters=labels,
    )
    return {
        "survival": asdict(survival_interval(survived, labels)),
        "traversal": _bounded(traversal, 0.0, 1.0),
        "velocity_error": _interval(episodes, "velocity_error", name, strata, most=math.inf),
    }


def _interval(
    episodes: Sequence[Episode],
    metric: str,
    name: str,
    strata: Labels = None,
    statistic: Statistic = mean,
    most: float = 1.0,
) -> dict[str, float]:
    """Bootstrap interval of a metric of the row or space `name`, within [0, `most`].

    Seeded by `name` and `metric`, so that a row does not depend on the other rows.
    """
    interval = bootstrap_interval(
        _column(episodes, metric),
        _seed(f"{name}/{metric}"),
        strata=strata,
        statistic=statistic,
        clusters=clusters(episodes),
    )
    return _bounded(interval, 0.0, most)


def _bounded(interval: Interval, least: float, most: float) -> dict[str, float]:
    """Interval clipped to the range of the score; undefined bounds become its ends."""
    if math.isnan(interval.mean):
        return asdict(interval)
    low = least if math.isnan(interval.low) else max(interval.low, least)
    high = most if math.isnan(interval.high) else min(interval.high, most)
    return {"mean": interval.mean, "low": low, "high": high}


def _seed(name: str) -> int:
    return zlib.crc32(name.encode())


def _column(episodes: Sequence[Episode], metric: str) -> Array:
    """One metric of all episodes (n,), NaN where undefined or missing."""
    return np.array([math.nan if e.get(metric) is None else float(e[metric]) for e in episodes])


def _mean(values: Array) -> float:
    """Mean of `values` (n,), NaNs left out; NaN if all are."""
    return _weighted_mean(values, np.ones(len(values)))


def _weighted_mean(values: Array, weight: Array) -> float:
    """Weighted mean of `values` (n,), NaNs left out; NaN if the weights sum to 0.

    With distance as weight, quantities per metre become the row's total over its total distance.
    """
    known = ~np.isnan(values) & ~np.isnan(weight)
    total = weight[known].sum()
    return float((values[known] * weight[known]).sum() / total) if total > 0 else math.nan
