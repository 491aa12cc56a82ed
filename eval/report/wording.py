"""Texts of reports: formatted numbers, names of rows, the headline, and the episodes to film.

A scorecard is untrusted: whatever should be a number and is not is shown as UNKNOWN.
"""

import math
import shlex
from collections.abc import Mapping
from typing import Any

import numpy as np

from grek.eval.episodes.episodes import Episode, Episodes, Indices
from grek.eval.scores.statistics import Interval

Card = Mapping[str, Any]
Row = Mapping[str, Any]

UNKNOWN = "–"  # noqa: RUF001 - shown for a number that is not defined
BEYOND = {"near": "just outside", "far": "far outside"}  # contexts beyond the training range
TITLES = {
    "train": "Training space",
    "tune": "Tuning space",
    "heldout": "Held out",
    "numerics": "Other numerics",
    "faults": "Faulty links",
    "engines": "Both engines",
}
WORST = 100  # episodes listed in the report
LARGEST = 1e12  # larger numbers are not scores and would break the layout


def number(value: Any) -> float:
    """A number, or the mean of an interval {"mean", ...}; NaN for anything else."""
    value = value.get("mean") if isinstance(value, Mapping) else value
    known = isinstance(value, int | float) and abs(value) <= LARGEST
    return float(value) if known else math.nan


def interval(value: Any) -> Interval:
    """Interval of {"mean", "low", "high"}; NaN for what is missing or not a number."""
    found = value if isinstance(value, Mapping) else {}
    return Interval(*(number(found.get(key)) for key in ("mean", "low", "high")))


def summary(card: Card, part: str, score: str | None = None) -> Any:
    """Entry `part` of the summary, or its `score` if `part` is a space; None if missing."""
    found = card["summary"].get(part)
    return found.get(score) if score and isinstance(found, Mapping) else found


def losses(card: Card) -> dict[str, Any]:
    """Loss of traversal from training to each group of held-out axes; empty before schema 2."""
    found = card.get("transfer")
    return _scores(found, "traversal") if isinstance(found, Mapping) else {}


def regrets(card: Card) -> dict[str, Any]:
    """Traversal lost against a policy that trained there too, by group; empty where unknown."""
    found = card.get("transfer")
    every = _scores(found, "regret") if isinstance(found, Mapping) else {}
    return {group: lost for group, lost in every.items() if lost is not None}


def changes(card: Card) -> dict[str, dict[str, Any]]:
    """Change of traversal by context, in the same worlds, of each space that pairs contexts."""
    found = card.get("paired")
    found = found if isinstance(found, Mapping) else {}
    return {
        str(space): _scores(contexts, "traversal")
        for space, contexts in found.items()
        if isinstance(contexts, Mapping)
    }


def _scores(found: Mapping[Any, Any], score: str) -> dict[str, Any]:
    """`score` of each entry of `found`."""
    return {str(key): v.get(score) for key, v in found.items() if isinstance(v, Mapping)}


def decimal(value: Any, digits: int = 2, unit: str = "") -> str:
    """A number, or the mean of an interval, with `digits` decimals and `unit`."""
    return UNKNOWN if math.isnan(number(value)) else f"{number(value):z.{digits}f}{unit}"


def percent(share: Any, digits: int = 0, unit: str = "%") -> str:
    """A share, or the mean of an interval of shares, in percent: 0.873 is "87%"."""
    return decimal(100 * number(share), digits, unit)


def bounds(shares: Any, digits: int = 0, unit: str = "%") -> str:
    """Bounds of an interval of shares in percent, "81 to 94%"."""
    low, high = 100 * interval(shares).low, 100 * interval(shares).high
    return UNKNOWN if math.isnan(low + high) else f"{low:z.{digits}f} to {high:z.{digits}f}{unit}"


def spoken(name: object) -> str:
    """An identifier as words, "wet_leaves" as "wet leaves"."""
    return str(name).replace("_", " ")


def title(space: str) -> str:
    """Title of a space."""
    return TITLES.get(space, spoken(space))


def place(row: Row) -> tuple[str, str]:
    """Title and qualifier of a row: ("ice", "material"), ("slope", "far outside")."""
    axis, context = spoken(row["axis"]), spoken(row["context"])
    return (axis, BEYOND[context]) if context in BEYOND else (context, axis)


def spaces(card: Card) -> list[str]:
    """Spaces of a scorecard, in the order of its rows."""
    return list(dict.fromkeys(str(row["space"]) for row in card["rows"]))


def name(card: Card) -> str:
    """Name of the policy."""
    return str(card["policy"].get("name") or "policy")


def worst_row(card: Card) -> Row:
    """Row of lowest traversal among those with a zone; the others regroup the same episodes."""
    rows: list[Row] = [row for row in card["rows"] if row.get("zone")] or card["rows"]
    return min(rows, key=_traversal)


def headline(card: Card) -> str:
    """Result in two or three sentences."""
    said = [
        f"{start}: traversal {percent(summary(card, space, 'traversal'))},"
        f" survival {percent(summary(card, space, 'survival'))}."
        for space, start in (
            ("train", "Training space"),
            ("heldout", "Held-out ground, bodies and commands"),
        )
        if space in card["summary"]
    ]
    worst = worst_row(card)
    (what, of), score = place(worst), percent(worst["traversal"])
    return " ".join([*said, f"Lowest traversal of the rows: {what} ({of}), {score}."])


def picks(card: Card) -> dict[tuple[str, str], list[tuple[str, Episode]]]:
    """ "worst", "median" and "best" episode by traversal of each (space, axis)."""
    episodes = Episodes.of(card["episodes"])
    groups: dict[tuple[str, str], list[Indices]] = {}
    for (space, axis, _), ids in episodes.groups().items():
        groups.setdefault((space, axis), []).append(ids)
    found: dict[tuple[str, str], list[tuple[str, Episode]]] = {}
    for key, parts in groups.items():
        ids = np.unique(np.concatenate(parts))
        ordered = ids[np.argsort(episodes.column("traversal")[ids], kind="stable")]  # NaN last
        chosen = {"worst": 0, "median": (len(ids) - 1) // 2, "best": -1}
        found[key] = [(name, episodes[int(ordered[place])]) for name, place in chosen.items()]
    return found


def worst(card: Card, most: int = WORST) -> list[Episode]:
    """Episodes of the lowest traversal, at most `most`, lowest first."""
    episodes = Episodes.of(card["episodes"])
    order = np.argsort(episodes.column("traversal"), kind="stable")[:most]
    return [episodes[int(i)] for i in order]


def render_command(policy: str, scenario: str) -> str:
    """Command line that films an episode."""
    return f"grek render {shlex.quote(policy)} --scenario {shlex.quote(scenario)}"


def _traversal(scored: Mapping[str, Any]) -> float:
    """Traversal of a row; undefined ones sort last."""
    value = number(scored["traversal"])
    return math.inf if math.isnan(value) else value
