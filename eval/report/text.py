"""What people see of a scorecard: a table on stdout, Markdown for a pull request, an HTML page."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from grek.eval.report import wording
from grek.eval.report.page import html
from grek.eval.report.wording import bounds, decimal, interval, percent

__all__ = ["html", "markdown", "table"]

Card = Mapping[str, Any]

_HEAD = (
    *("space", "axis", "context", "episodes", "survival", "traversal", "95 % interval"),
    *("velocity error [m/s]", "cost of transport", "falls/km"),
)


def table(card: Card) -> str:
    """All rows, then the spaces and the headline, for a terminal."""
    rows = [_HEAD, *(_row(row) for row in card["rows"]), *_spaces(card)]
    width = [max(len(row[i]) for row in rows) for i in range(len(_HEAD))]
    lines = [
        "  ".join(
            cell.ljust(w) if i < 3 else cell.rjust(w)
            for i, (cell, w) in enumerate(zip(row, width, strict=True))
        ).rstrip()
        for row in rows
    ]
    return "\n".join([*lines, "", *_gap(card), _printable(wording.headline(card))])


def markdown(card: Card, policy: str | None = None) -> str:
    """The scorecard for a pull request: spaces first, rows and films folded away."""
    suite = card["suite"]
    policy = policy or wording.name(card)
    films = [
        (space, axis, which, percent(wording.number(episode["traversal"])), command)
        for (space, axis), chosen in wording.picks(card).items()
        for which, episode in chosen
        for command in [wording.render_command(policy, episode["scenario"])]
    ]
    parts = [
        f"### {_escaped(wording.name(card))} on {_escaped(suite.get('name'))}",
        _escaped(wording.headline(card)),
        _markdown_table(_HEAD, _spaces(card)),
        *_gap(card),
        _folded(
            f"All {len(card['rows'])} rows",
            _markdown_table(_HEAD, [_row(row) for row in card["rows"]]),
        ),
        _folded(
            "Films: worst, median and best of each axis",
            _markdown_table(("space", "axis", "episode", "traversal", "command"), films),
        ),
        "policy "
        + _escaped(str(card["policy"].get("sha256"))[:12])
        + f", suite {_escaped(str(suite.get('sha256'))[:12])}, seed {_escaped(suite.get('seed'))}, "
        + ", ".join(f"{_escaped(k)} {_escaped(v)}" for k, v in card["versions"].items()),
    ]
    return "\n\n".join(parts) + "\n"


def _row(row: Mapping[str, Any]) -> tuple[str, ...]:
    return (
        *(_printable(row[key]) for key in ("space", "axis", "context")),
        decimal(row["episodes"], 0),
        *_scores(row),
        decimal(row.get("cost_of_transport")),
        decimal(row.get("falls_per_km"), 0),
    )


def _spaces(card: Card) -> list[tuple[str, ...]]:
    """One line for each space, in the columns of the rows."""
    lines = []
    for space in wording.spaces(card):
        episodes = sum(episode["space"] == space for episode in card["episodes"])
        scores = _scores(card["summary"].get(space, {}))
        lines.append((_printable(space), "all", "all", str(episodes), *scores, "", ""))
    return lines


def _scores(scores: Mapping[str, Any]) -> tuple[str, ...]:
    walked = interval(scores.get("traversal"))
    return (
        percent(interval(scores.get("survival")).mean),
        percent(walked.mean),
        bounds(walked),
        decimal(interval(scores.get("velocity_error")).mean, 3),
    )


def _gap(card: Card) -> list[str]:
    if "gap" not in card["summary"]:
        return []
    gap = interval(card["summary"]["gap"])
    return [
        f"Generalisation gap (train minus heldout): {wording.points(gap.mean)},"
        f" {100 * gap.low:.1f} to {100 * gap.high:.1f}."
    ]


def _printable(value: Any) -> str:
    """One line without control characters, whatever a file says."""
    return "".join(c if c.isprintable() else " " for c in str(value))


def _escaped(value: Any) -> str:
    """Text that Markdown shows as it is."""
    return re.sub(r"([\\`*_{}\[\]<>|#!&~@])", r"\\\1", _printable(value))


def _markdown_table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    lines = [head, ("---",) * len(head), *(tuple(_escaped(c) for c in row) for row in rows)]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _folded(title: str, content: str) -> str:
    return f"<details><summary>{title}</summary>\n\n{content}\n\n</details>"
