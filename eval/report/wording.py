"""A scorecard in words: numbers as people read them, the headline, and which episodes to film."""

import math
import shlex
from collections.abc import Mapping, Sequence
from typing import Any

from grek.eval.scores.resampling import Interval

Episode = Mapping[str, Any]

UNKNOWN = "–"  # noqa: RUF001 - what a table shows for a number that is not defined
BEYOND = {"near": "just outside", "far": "far outside"}
TITLES = {"train": "Training space", "heldout": "Held out", "numerics": "Other numerics"}


def interval(value: Any) -> Interval:
    """A {"mean", "low", "high"} of a file; NaN for what is not there."""
    found = value if isinstance(value, Mapping) else {}
    return Interval(*(number(found.get(key)) for key in ("mean", "low", "high")))


def number(value: Any) -> float:
    """A number of a file; NaN for null and for what is none."""
    return float(value) if isinstance(value, int | float) else math.nan


def percent(value: float, digits: int = 0) -> str:
    """0.873 as "87%"."""
    return UNKNOWN if math.isnan(value) else f"{100 * value:.{digits}f}%"


def points(value: float) -> str:
    """A difference of shares, 0.083 as "8.3 points"."""
    return UNKNOWN if math.isnan(value) else f"{100 * value:.1f} points"


def bounds(found: Interval) -> str:
    """Both bounds of a share, in percent."""
    if math.isnan(found.low) or math.isnan(found.high):
        return UNKNOWN
    return f"{100 * found.low:.0f} to {100 * found.high:.0f}%"


def decimal(value: Any, digits: int = 2) -> str:
    """A number of a file with so many digits after the point."""
    return UNKNOWN if math.isnan(number(value)) else f"{number(value):.{digits}f}"


def spoken(name: str) -> str:
    """ "wet_leaves" as "wet leaves"."""
    return name.replace("_", " ")


def place(row: Mapping[str, Any]) -> str:
    """What a row is about: "wet leaves (material)", or "slope, far outside"."""
    context = spoken(row["context"])
    axis = spoken(row["axis"])
    return f"{axis}, {BEYOND[context]}" if context in BEYOND else f"{context} ({axis})"


def title(space: str) -> str:
    """What a space is to a reader."""
    return TITLES.get(space, spoken(space))


def spaces(card: Mapping[str, Any]) -> list[str]:
    """The spaces of a scorecard, in its order."""
    return list(dict.fromkeys(str(row["space"]) for row in card["rows"]))


def name(card: Mapping[str, Any]) -> str:
    """What the policy is called."""
    return str(card["policy"].get("name") or "policy")


def worst_row(card: Mapping[str, Any]) -> Mapping[str, Any]:
    """The row of the lowest traversal, of those that say something of their own."""
    rows: Sequence[Mapping[str, Any]] = [row for row in card["rows"] if row.get("zone")]
    return min(rows or card["rows"], key=lambda row: _last(number(row["traversal"]["mean"])))


def headline(card: Mapping[str, Any]) -> str:
    """What came out, in two or three sentences."""
    summary, said = card["summary"], []
    for space, words in (
        ("train", "In the training space it makes good {} of the way, up in {}."),
        ("heldout", "On held-out ground, bodies and commands: {} of the way, up in {}."),
    ):
        if space in summary:
            walked = interval(summary[space].get("traversal")).mean
            stood = interval(summary[space].get("survival")).mean
            said.append(words.format(percent(walked), f"{percent(stood)} of the episodes"))
    worst = worst_row(card)
    score = percent(number(worst["traversal"]["mean"]))
    said.append(f"Lowest of {len(card['rows'])} rows: {place(worst)}, {score}.")
    return " ".join(said)


def picks(card: Mapping[str, Any]) -> dict[tuple[str, str], list[tuple[str, Episode]]]:
    """Worst, median and best episode by traversal of each (space, axis) of the scorecard."""
    groups: dict[tuple[str, str], list[Episode]] = {}
    for episode in card["episodes"]:
        for axis in episode["contexts"]:
            groups.setdefault((str(episode["space"]), str(axis)), []).append(episode)
    found = {}
    for key, group in groups.items():
        ordered = sorted(group, key=lambda episode: _last(number(episode["traversal"])))
        chosen = {
            "worst": ordered[0],
            "median": ordered[(len(ordered) - 1) // 2],
            "best": ordered[-1],
        }
        found[key] = list(chosen.items())
    return found


def render_command(policy: str, scenario: str) -> str:
    """The command that films an episode."""
    return f"grek render {shlex.quote(policy)} --scenario {shlex.quote(scenario)}"


def _last(value: float) -> float:
    """Sorts what is undefined to the end."""
    return math.inf if math.isnan(value) else value
