"""Rows and summary of a scorecard: episodes aggregated by context and by space."""

import math
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
from numpy.typing import NDArray

from grek.envs.scenarios.scenario import MUJOCO, Context
from grek.envs.scenarios.spaces import GROUPS, axis_group, zone
from grek.envs.tasks.metrics import WALKING, falls_per_km
from grek.envs.tasks.performance import STAGE
from grek.eval.episodes.episodes import Array, Episodes
from grek.eval.scores.statistics import (
    Interval,
    Statistic,
    bootstrap_interval,
    gap_interval,
    interquartile_mean,
    mean,
    row_interval,
    survival_interval,
    traversal_interval,
    worst_decile,
)

_PER_EPISODE = (
    *("torque_saturation", "yaw_error", "heading_drift", "yaw_oscillation"),
    *("joint_limit_time", "foot_impact", "action_jerk"),
)
BASELINES = ("as_trained", MUJOCO)  # contexts that others of their axis are paired with
SKILLED = tuple(name for name in STAGE if name not in WALKING)
"""Metrics of skills, which rows have with an interval where the task measures them."""
_METRIC = {"survival": "survived", "traversal": "traversal"}  # scores in [0, 1], and their column


def row(space: str, axis: str, context: str, episodes: Episodes) -> dict[str, Any]:
    """Row of a scorecard: scores of all `episodes` of one context, NaN where undefined."""
    name = f"{space}/{axis}/{context}"
    distance = episodes.column("distance")
    return {
        "space": space,
        "axis": axis,
        "context": context,
        "zone": zone(space, Context(axis, context)),
        "episodes": len(episodes),
        **_scores(episodes, name),
        "cost_of_transport": _weighted_mean(episodes.column("cost_of_transport"), distance),
        "falls_per_km": falls_per_km(episodes.column("survived"), np.nan_to_num(distance)),
        "slip_per_metre": _weighted_mean(episodes.column("slip_per_metre"), distance),
        "distance": float(np.nansum(distance)),
        **{metric: _mean(episodes.column(metric)) for metric in _PER_EPISODE},
        **{
            metric: _interval(episodes, metric, name, most=math.inf)
            for metric in SKILLED
            if metric in episodes.metrics
        },
    }


def summary(episodes: Episodes, rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Scores of each space, stratified by context, and the worst row.

    The mean of a space weights every episode equally. Its scores have a second interval, "rows":
    that of new rows of the same kind. `interquartile_mean` and `worst_decile` are of traversal,
    averaged over each world first where contexts share worlds.
    """
    summary: dict[str, Any] = {}
    for space in dict.fromkeys(episodes.spaces):
        group = episodes.take(episodes.within(space))
        scores = _scores(group, space, group.strata)
        for metric, score in scores.items():
            score["worlds"] = {key: score[key] for key in ("low", "high")}
            most = math.inf if metric == "velocity_error" else 1.0
            values = group.column(_METRIC.get(metric, metric))
            bounds = _bounded(row_interval(values, group.strata, _seed(space)), 0.0, most)
            score["rows"] = {key: bounds[key] for key in ("low", "high")}
        summary[space] = {
            **scores,
            "interquartile_mean": _interval(
                group, "traversal", space, group.strata, interquartile_mean
            ),
            "worst_decile": _interval(group, "traversal", space, group.strata, worst_decile),
        }
    worst = min(rows, key=lambda row: np.nan_to_num(row["traversal"]["mean"], nan=math.inf))
    summary["worst"] = {key: worst[key] for key in ("space", "axis", "context")}
    return summary


def transfer(episodes: Episodes, there: Episodes | None = None) -> dict[str, Any]:
    """Loss of each score from train to each group of held-out axes; empty without both spaces.

    "survival" and "traversal" are train minus held out, unpaired: difficulty of the group and lack
    of transfer together. "regret" is lack of transfer alone: traversal lost against a policy that
    trained there too, in the same worlds, whose episodes are `there`; None without. Rows within
    training in effect are left out.
    """
    if not {"train", "heldout"} <= set(episodes.spaces):
        return {}
    groups: dict[str, list[int]] = {}  # kinds of each
    for i, kind in enumerate(episodes.kinds):
        space, axis, context = kind.stratum
        if space == "heldout" and zone(space, Context(axis, context)) != "inside":
            groups.setdefault(axis_group(axis), []).append(i)
    train = episodes.take(episodes.within("train"))
    found: dict[str, Any] = {}
    for name in (name for name in GROUPS if name in groups):
        group = episodes.take(np.isin(episodes.kind, groups[name]))
        lost = there and regret(group, there, f"regret/{name}")
        found[name] = {"episodes": len(group), "regret": lost}
        for metric, column in _METRIC.items():
            interval = gap_interval(
                train.column(column),
                group.column(column),
                _seed(f"transfer/{name}/{metric}"),
                train_strata=train.strata,
                heldout_strata=group.strata,
            )
            found[name][metric] = _bounded(interval, -1.0, 1.0)
    return found


def regret(episodes: Episodes, there: Episodes, name: str) -> dict[str, float]:
    """Interval of the traversal that `episodes` lose against `there`, in the same scenarios.

    `there` has every scenario of `episodes`; `name` seeds the bootstrap.
    """
    places = {scenario: i for i, scenario in enumerate(there.scenario)}
    other = np.array([places[scenario] for scenario in episodes.scenario])
    lost = there.column("traversal")[other] - episodes.column("traversal")
    return _bounded(bootstrap_interval(lost, _seed(name), strata=episodes.strata), -1.0, 1.0)


def paired(episodes: Episodes) -> dict[str, Any]:
    """Change of each score from the baseline of its axis to each other context, in the same worlds.

    By space and slug of the context, of axes that have a context of BASELINES.
    """
    strata = [kind.stratum for kind in episodes.kinds]
    worlds: dict[tuple[str, Context], dict[object, int]] = {}  # episode of each world
    for i, (kind, world) in enumerate(zip(episodes.kind, episodes.world, strict=True)):
        space, axis, value = strata[kind]
        worlds.setdefault((space, Context(axis, value)), {})[world] = i
    found: dict[str, Any] = {}
    for (space, baseline), before in worlds.items():
        if baseline.value not in BASELINES:
            continue
        others = found.setdefault(space, {})
        for (other, context), after in worlds.items():
            if other != space or context.axis != baseline.axis or context == baseline:
                continue
            shared, slug = [world for world in after if world in before], context.slug
            others[slug] = {"episodes": len(shared)}
            for metric, column in _METRIC.items():
                values = episodes.column(column)
                change = values[[after[w] for w in shared]] - values[[before[w] for w in shared]]
                interval = bootstrap_interval(change, _seed(f"paired/{space}/{slug}/{metric}"))
                others[slug][metric] = _bounded(interval, -1.0, 1.0)
    return found


def _scores(
    episodes: Episodes, name: str, strata: NDArray[np.int64] | None = None
) -> dict[str, Any]:
    """Scores with an interval, the same in rows and in the summary."""
    survived, labels = episodes.column("survived"), episodes.clusters
    traversal = traversal_interval(
        episodes.column("traversal"),
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
    episodes: Episodes,
    metric: str,
    name: str,
    strata: NDArray[np.int64] | None = None,
    statistic: Statistic = mean,
    most: float = 1.0,
) -> dict[str, float]:
    """Bootstrap interval of a metric of the row or space `name`, within [0, `most`].

    Seeded by `name` and `metric`, so that a row does not depend on the other rows.
    """
    interval = bootstrap_interval(
        episodes.column(metric),
        _seed(f"{name}/{metric}"),
        strata=strata,
        statistic=statistic,
        clusters=episodes.clusters,
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
