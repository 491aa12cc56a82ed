"""Rows and summary of a scorecard: episodes aggregated by context and by space."""

import math
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from grek.envs.scenarios.scenario import Context
from grek.envs.scenarios.spaces import GROUPS, axis_group, zone
from grek.envs.tasks.metrics import WALKING, falls_per_km
from grek.envs.tasks.performance import STAGE
from grek.eval.scores.statistics import (
    Array,
    Interval,
    Labels,
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

Episode = Mapping[str, Any]

_PER_EPISODE = (
    *("torque_saturation", "yaw_error", "heading_drift", "yaw_oscillation"),
    *("joint_limit_time", "foot_impact", "action_jerk"),
)
SKILLED = tuple(name for name in STAGE if name not in WALKING)
"""Metrics of skills, which rows have with an interval where the task measures them."""
_METRIC = {"survival": "survived", "traversal": "traversal"}  # scores in [0, 1], and their column


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
        **{
            metric: _interval(episodes, metric, name, most=math.inf)
            for metric in SKILLED
            if any(metric in episode for episode in episodes)
        },
    }


def summary(episodes: Sequence[Episode], rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Scores of each space, stratified by context, and the worst row.

    The mean of a space weights every episode equally. Its scores have a second interval, "rows":
    that of new rows of the same kind. `interquartile_mean` and `worst_decile` are of traversal,
    averaged over each world first where contexts share worlds.
    """
    summary: dict[str, Any] = {}
    for space, group in _by_space(episodes).items():
        strata = [stratum(episode) for episode in group]
        scores = _scores(group, space, strata)
        for metric, score in scores.items():
            score["worlds"] = {key: score[key] for key in ("low", "high")}
            most = math.inf if metric == "velocity_error" else 1.0
            found = row_interval(_column(group, _METRIC.get(metric, metric)), strata, _seed(space))
            bounds = _bounded(found, 0.0, most)
            score["rows"] = {key: bounds[key] for key in ("low", "high")}
        summary[space] = {
            **scores,
            "interquartile_mean": _interval(group, "traversal", space, strata, interquartile_mean),
            "worst_decile": _interval(group, "traversal", space, strata, worst_decile),
        }
    worst = min(rows, key=lambda row: np.nan_to_num(row["traversal"]["mean"], nan=math.inf))
    summary["worst"] = {key: worst[key] for key in ("space", "axis", "context")}
    return summary


def transfer(
    episodes: Sequence[Episode], there: Mapping[str, Episode] | None = None
) -> dict[str, Any]:
    """Loss of each score from train to each group of held-out axes; empty without both spaces.

    "survival" and "traversal" are train minus held out, unpaired: difficulty of the group and lack
    of transfer together. "regret" is lack of transfer alone: traversal lost against a policy that
    trained there too, in the same worlds, whose episodes by scenario are `there`; None without.
    Rows within training in effect are left out.
    """
    spaces = _by_space(episodes)
    if not {"train", "heldout"} <= set(spaces):
        return {}
    groups: dict[str, list[Episode]] = {}
    for episode in spaces["heldout"]:
        space, axis, context = stratum(episode)
        if zone(space, Context(axis, context)) != "inside":
            groups.setdefault(axis_group(axis), []).append(episode)
    train = spaces["train"]
    found: dict[str, Any] = {}
    for name in (name for name in GROUPS if name in groups):
        lost = there and regret(groups[name], there, f"regret/{name}")
        found[name] = {"episodes": len(groups[name]), "regret": lost}
        for metric, column in _METRIC.items():
            interval = gap_interval(
                _column(train, column),
                _column(groups[name], column),
                _seed(f"transfer/{name}/{metric}"),
                train_strata=[stratum(episode) for episode in train],
                heldout_strata=[stratum(episode) for episode in groups[name]],
            )
            found[name][metric] = _bounded(interval, -1.0, 1.0)
    return found


def regret(
    episodes: Sequence[Episode], there: Mapping[str, Episode], name: str
) -> dict[str, float]:
    """Interval of the traversal that `episodes` lose against `there`, episodes by scenario.

    `there` has every scenario of `episodes`; `name` seeds the bootstrap.
    """
    other = [there[episode["scenario"]] for episode in episodes]
    lost = _column(other, "traversal") - _column(episodes, "traversal")
    strata = [stratum(episode) for episode in episodes]
    return _bounded(bootstrap_interval(lost, _seed(name), strata=strata), -1.0, 1.0)


def paired(episodes: Sequence[Episode], baseline: str = "as_trained") -> dict[str, Any]:
    """Change of each score from `baseline` to each other context, in the same worlds.

    By space, of those whose contexts share their worlds and have a context `baseline`.
    """
    found: dict[str, Any] = {}
    for space, group in _by_space(episodes).items():
        worlds: dict[str, dict[object, Episode]] = {}
        for episode in group:
            worlds.setdefault(stratum(episode)[2], {})[episode.get("world")] = episode
        before = worlds.pop(baseline, None)
        if before is None:
            continue
        found[space] = {}
        for context, after in worlds.items():
            shared = [world for world in after if world in before]
            found[space][context] = {"episodes": len(shared)}
            for metric, column in _METRIC.items():
                change = _column([after[w] for w in shared], column)
                change = change - _column([before[w] for w in shared], column)
                interval = bootstrap_interval(change, _seed(f"paired/{space}/{context}/{metric}"))
                found[space][context][metric] = _bounded(interval, -1.0, 1.0)
    return found


def _by_space(episodes: Sequence[Episode]) -> dict[str, list[Episode]]:
    spaces: dict[str, list[Episode]] = {}
    for episode in episodes:
        spaces.setdefault(episode["space"], []).append(episode)
    return spaces


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
