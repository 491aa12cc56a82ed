"""Markdown tables of stored scorecards: policies side by side, or the rows of one."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from grek.errors import InputError
from grek.eval.report import wording

Card = Mapping[str, Any]

_COLUMNS = (
    ("train: survival", "train", "survival"),
    ("train: traversal", "train", "traversal"),
    ("held out: survival", "heldout", "survival"),
    ("held out: traversal", "heldout", "traversal"),
    ("numerics: traversal", "numerics", "traversal"),
    ("gap", "gap", None),
)
_SAME = ("name", "seed", "episodes", "sha256")


def policies(cards: Sequence[Card]) -> str:
    """One line for each policy: mean and interval of the spaces that its suite has, and the gap.

    Raises InputError unless all ran in the same worlds.
    """
    for card in cards[1:]:
        for key in _SAME:
            first, other = cards[0]["suite"].get(key), card["suite"].get(key)
            if first != other:
                raise InputError(
                    f"scorecards of different suites make no table: {key} is {str(first)[:40]!r}"
                    f" of {wording.name(cards[0])} and {str(other)[:40]!r} of {wording.name(card)}"
                )
    shown = [column for column in _COLUMNS if column[1] in cards[0]["summary"]]
    lines = [["policy", *(title for title, *_ in shown)]]
    for card in cards:
        parts = [(card["summary"].get(space, {}), score) for _, space, score in shown]
        scores = [_interval(part.get(score) if score else part) for part, score in parts]
        lines.append([f"`{_cell(wording.name(card))}`", *scores])
    return _markdown(lines)


def rows(card: Card) -> str:
    """One line for each row of `card`; its space and axis are left out where all have the same."""
    parts = [
        key
        for key in ("space", "axis", "context")
        if key == "context" or len({row[key] for row in card["rows"]}) > 1
    ]
    head = [*parts, "episodes", "survival", "traversal", "velocity error [m/s]"]
    lines = [
        [
            *(_cell(row[key]) for key in parts),
            str(row["episodes"]),
            *(_interval(row[key]) for key in ("survival", "traversal", "velocity_error")),
        ]
        for row in card["rows"]
    ]
    return _markdown([head, *lines])


def _interval(value: Any) -> str:
    """ "0.85 (0.76 to 0.91)"."""
    found = wording.interval(value)
    if math.isnan(found.mean):
        return wording.UNKNOWN
    return f"{found.mean:z.2f} ({found.low:z.2f} to {found.high:z.2f})"


def _cell(text: str) -> str:
    """Text that does not end its cell, whatever a file says."""
    return "".join(c for c in text if c.isprintable() and c not in "|`<>")


def _markdown(lines: Sequence[Sequence[str]]) -> str:
    head, *body = ("| " + " | ".join(line) + " |" for line in lines)
    return "\n".join([head, "|" + " --- |" * len(lines[0]), *body])
