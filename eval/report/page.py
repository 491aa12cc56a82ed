"""Report of a scorecard as one HTML file: no network, no script, light and dark, any width.

This module prepares the data; the templates hold texts and drawings, and escape all content of the
scorecard, which is untrusted.
"""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template
from markupsafe import Markup

from grek.eval.episodes.episodes import Episodes
from grek.eval.report import wording
from grek.eval.report.wording import Card, Row, interval, number
from grek.eval.scores import breakdown
from grek.sanitize import printable

ZONES = {"inside": "inside", **wording.BEYOND}
BINS = 20  # of the traversal histograms


def html(
    card: Card, policy: str | None = None, films: Mapping[str, str] = MappingProxyType({})
) -> str:
    """HTML page of a scorecard.

    `policy` names the policy in commands, by default its name in the scorecard. `films` maps
    scenario names to films, as paths relative to the page.
    """
    errors = [interval(row["velocity_error"]).high for row in card["rows"]]
    return _template().render(
        card=card,
        policy=policy or wording.name(card),
        films=films,
        contract=json.dumps(card["policy"].get("contract"), indent=1),
        most_error=max((error for error in errors if error > 0), default=1.0),
        matrix=_matrix(card),
        difficulty=_difficulty(card),
        delays=_delays(card),
        falls=_falls(card),
        pushes=_bins(card, "pushes", "direction", "ring", "pushes", "stood"),
        commands=_bins(card, "commands", "forward", "turn", "velocity_error", "stretches"),
        speeds=_tracking(_bins(card, "commands", "asked", "walked")),
        turns=_tracking(_bins(card, "commands", "asked_turn", "turned")),
        histograms={space: _histogram(card, space) for space in wording.spaces(card)},
    )


@cache
def _template() -> Template:
    folder = FileSystemLoader(Path(__file__).parent / "templates")
    made = Environment(
        loader=folder,
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        finalize=_shown,
    )
    made.globals |= {"w": wording, "b": breakdown, "ZONES": ZONES, "colour": colour, "span": span}
    return made.get_template("report.html.j2")


def _shown(value: object) -> object:
    """Value of a template without unprintable characters, but for line breaks."""
    plain = isinstance(value, str) and not isinstance(value, Markup)
    return "\n".join(map(printable, str(value).split("\n"))) if plain else value


def colour(share: Any) -> str:
    """CSS colour of a share in [0, 1], mixed from the colours of the light or dark scheme."""
    part = number(share)
    if math.isnan(part):
        return "var(--panel)"
    first, second = ("low", "middle") if part < 0.5 else ("middle", "high")
    mixed = 200 * (part if part < 0.5 else part - 0.5)
    return f"color-mix(in oklab,var(--{second}) {mixed:.0f}%,var(--{first}))"


def span(score: Any, most: float = 1.0) -> tuple[float, float, float]:
    """Low, mean and high bound as positions in [0, 100] on a track from 0 to `most`."""
    found = interval(score)
    known = (found.mean if math.isnan(v) else v for v in (found.low, found.mean, found.high))
    low, mean, high = (round(100 * min(max(v / most, 0.0), 1.0), 1) for v in known)
    return low, mean, high


def _matrix(card: Card) -> dict[str, dict[str, list[tuple[int, Row]]]]:
    """Numbered rows by axis and zone; axes with rows inside the training range come first."""
    axes: dict[str, dict[str, list[tuple[int, Row]]]] = {}
    for i, row in enumerate(card["rows"]):
        if str(row.get("zone")) in ZONES:
            axes.setdefault(row["axis"], {}).setdefault(row["zone"], []).append((i, row))
    return dict(sorted(axes.items(), key=lambda item: "inside" not in item[1]))


def _difficulty(card: Card) -> dict[str, tuple[list[Row], float]]:
    """Levels of each axis, and the size up to which all are passed, NaN if none is."""
    axes: dict[str, list[Row]] = {}
    for level in _entries(card, "difficulty"):
        high, survival = number(level.get("high")), asdict(interval(level.get("survival")))
        if not math.isnan(high):
            known = {**level, "high": high, "survival": survival}
            axes.setdefault(str(level.get("axis")), []).append(known)
    passed = {axis: breakdown.hardest(levels) or {} for axis, levels in axes.items()}
    return {axis: (levels, number(passed[axis].get("high"))) for axis, levels in axes.items()}


def _delays(card: Card) -> list[tuple[float, float, dict[str, Any]]]:
    """Loop delay from and to [ms], and survival, of each bin."""
    found = [
        (1000 * number(e.get("low")), 1000 * number(e.get("high")), asdict(interval(e["survival"])))
        for e in _entries(card, "delays")
        if "survival" in e
    ]
    return [entry for entry in found if not math.isnan(entry[0] + entry[1])]


def _falls(card: Card) -> dict[str, dict[str, int]]:
    """Number of falls by command, then by time since the last push."""
    counts: dict[str, dict[float, int]] = {}  # by command, then by the start of the bin
    titles: dict[float, str] = {}
    for entry in _entries(card, "falls"):
        low, high, count = (number(entry.get(key)) for key in ("low", "high", "falls"))
        if math.isnan(count):
            continue
        start = math.inf if math.isnan(low) else low
        titles[start] = f"{low:g} to {high:g} s" if low < high else f"over {low:g} s"
        counts.setdefault(str(entry.get("command")), {})[start] = int(count)
    titles |= {start: "before any" for start in titles if math.isinf(start)}  # the last column
    return {
        command: {titles[start]: row.get(start, 0) for start in sorted(titles)}
        for command, row in counts.items()
    }


def _entries(card: Card, part: str) -> list[Row]:
    found = card.get(part)
    return [e for e in found if isinstance(e, Mapping)] if isinstance(found, list) else []


def _bins(card: Card, part: str, *keys: str) -> list[tuple[float, ...]]:
    """Values of `keys` of each entry of `part`; entries without a number for each are left out."""
    found = [tuple(number(entry.get(key)) for key in keys) for entry in _entries(card, part)]
    return [values for values in found if not any(map(math.isnan, values))]


def _tracking(points: Sequence[tuple[float, ...]]) -> dict[str, Any]:
    """Points (commanded, measured), each with its position in [0, 100] on axes "low" to "high"."""
    values = np.array([*points, (0.0, 0.0)])
    high = float(abs(values).max()) or 1.0
    low = -high if values.min() < 0 else 0.0
    *places, (zero, _) = np.round(100 * (values - low) / (high - low), 1).tolist()
    marks = list(zip(places, points, strict=True))
    return {"low": low, "high": high, "zero": zero, "points": marks}


def _histogram(card: Card, space: str) -> tuple[int, Any]:
    """Number of episodes, and bar heights (fell, survived) of each traversal bin, at most 54."""
    every = Episodes.of(card["episodes"])
    episodes = every.take(every.within(space))
    values, up = episodes.column("traversal"), episodes.survived
    counts = np.histogram2d(values, up, bins=(BINS, 2), range=((0, 1), (0, 1)))[0]
    return len(episodes), np.round(54 * counts / max(counts.sum(1).max(), 1), 2).tolist()
