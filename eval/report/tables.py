"""Tables of scorecards, for a terminal and as Markdown."""

import math
import re
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from rich.table import Table

from grek import terminal
from grek.errors import InputError
from grek.eval.report import wording
from grek.eval.report.wording import UNKNOWN, Card, Row, bounds, decimal, name, percent

if TYPE_CHECKING:
    from grek.eval.scores.compare import Comparison, Line

ROWS = (
    *("space", "axis", "context", "episodes", "survival", "traversal", "95 % interval"),
    *("velocity error [m/s]", "cost of transport", "falls/km"),
)
POLICIES = {  # column: part of the summary and its score
    "train: survival": ("train", "survival"),
    "train: traversal": ("train", "traversal"),
    "held out: survival": ("heldout", "survival"),
    "held out: traversal": ("heldout", "traversal"),
    "numerics: traversal": ("numerics", "traversal"),
    "gap": ("gap", None),
}
INTERVALS = ("survival", "traversal", "velocity_error")


def scores(card: Card) -> tuple[Table | str, ...]:
    """All rows and spaces of a scorecard, then the gap and the headline, for `terminal.show`."""
    table = terminal.table(ROWS, map(_row, [*card["rows"], *_spaces(card)]), "<<<>")
    return table, "", *_gap(card), wording.headline(card)


def comparison(found: "Comparison") -> tuple[Table | str, ...]:
    """Every line of a comparison, then falls, notes and the summary, for `terminal.show`."""
    head = ("", "worlds", "baseline", "candidate", "change", "90 % interval", "verdict")
    table = terminal.table(head, map(_compared, (*found.lines, found.overall)), "<>>>>><")
    falls = f"falls: {found.new_falls} new, {found.mended_falls} mended"
    return table, "", f"{falls} (McNemar p = {found.falls_p:.3g})", *found.notes, found.summary()


def markdown(card: Card, policy: str | None = None) -> str:
    """The scorecard for a pull request: spaces first, rows and films folded away.

    `policy` names the policy in commands, if its own name does not do.
    """
    called, suite = policy or name(card), card["suite"]
    hashes = (_escaped(str(part.get("sha256"))[:12]) for part in (card["policy"], suite))
    versions = (f"{_escaped(key)} {_escaped(value)}" for key, value in card["versions"].items())
    films = [
        (*key, which, percent(e["traversal"]), wording.render_command(called, e["scenario"]))
        for key, chosen in wording.picks(card).items()
        for which, e in chosen
    ]
    parts = (
        f"### {_escaped(name(card))} on {_escaped(suite.get('name'))}",
        _escaped(wording.headline(card)),
        _table(ROWS, map(_row, _spaces(card))),
        *_gap(card),
        f"<details><summary>All {len(card['rows'])} rows</summary>",
        _table(ROWS, map(_row, card["rows"])),
        "</details>\n\n<details><summary>Films: worst, median and best of each axis</summary>",
        _table(("space", "axis", "episode", "traversal", "command"), films),
        "</details>",
        "policy {}, suite {}, ".format(*hashes)
        + ", ".join([f"seed {_escaped(suite.get('seed'))}", *versions]),
    )
    return "\n\n".join(parts) + "\n"


def policies(cards: Sequence[Card]) -> str:
    """Markdown, one line a policy: mean and interval of each space of the suite, and the gap.

    Raises InputError unless all ran in the same worlds.
    """
    for card in cards[1:]:
        for key in ("name", "seed", "episodes", "sha256"):
            first, other = cards[0]["suite"].get(key), card["suite"].get(key)
            if first != other:
                raise InputError(
                    f"scorecards of different suites make no table: {key} is {str(first)[:40]!r}"
                    f" of {name(cards[0])} and {str(other)[:40]!r} of {name(card)}"
                )
    shown = {column: of for column, of in POLICIES.items() if of[0] in cards[0]["summary"]}
    lines = [
        [_code(name(card)), *(_estimate(wording.summary(card, *of)) for of in shown.values())]
        for card in cards
    ]
    return _table(["policy", *shown], lines, escape=False)


def rows(card: Card) -> str:
    """Markdown, one line a row of `card`; space and axis are left out where all have the same."""
    keys = [key for key in ("space", "axis") if len({row[key] for row in card["rows"]}) > 1]
    keys += ["context", "episodes"]
    lines = [
        [*(row[key] for key in keys), *(_estimate(row[key]) for key in INTERVALS)]
        for row in card["rows"]
    ]
    return _table([*keys, "survival", "traversal", "velocity error [m/s]"], lines)


def _row(row: Row) -> tuple[str, ...]:
    return (
        *(row["space"], row["axis"], row["context"], decimal(row["episodes"], 0)),
        *(percent(row["survival"]), percent(row["traversal"]), bounds(row["traversal"])),
        *(decimal(row["velocity_error"], 3), decimal(row.get("cost_of_transport"))),
        decimal(row.get("falls_per_km"), 0),
    )


def _spaces(card: Card) -> list[Row]:
    """The spaces of the summary as rows."""
    return [
        {"space": space, "axis": "all", "context": "all"}
        | {"episodes": sum(episode["space"] == space for episode in card["episodes"])}
        | {key: wording.summary(card, space, key) for key in INTERVALS}
        for space in wording.spaces(card)
    ]


def _gap(card: Card) -> list[str]:
    gap = card["summary"].get("gap")
    said = f"{percent(gap, 1, ' points')}, {bounds(gap, 1, '')}"
    return [] if gap is None else [f"Generalisation gap (train minus heldout): {said}."]


def _compared(line: "Line") -> tuple[str, ...]:
    test = line.test
    ends = f"{test.low:+.3f} {test.high:+.3f}" if math.isfinite(test.low) else ""
    means = (f"{line.baseline:.3f}", f"{line.candidate:.3f}", f"{test.mean:+.3f}")
    return line.name, str(test.n), *means, ends, test.verdict


def _estimate(value: Any) -> str:
    """An interval of a file, "0.85 (0.76 to 0.91)"."""
    found = wording.interval(value)
    if math.isnan(found.mean):
        return UNKNOWN
    return f"{found.mean:z.2f} ({found.low:z.2f} to {found.high:z.2f})"


def _table(head: Sequence[str], rows: Iterable[Iterable[object]], escape: bool = True) -> str:
    """A Markdown table, its rows escaped unless they are Markdown already."""
    body = ([_escaped(cell) if escape else str(cell) for cell in row] for row in rows)
    return "\n".join(f"| {' | '.join(line)} |" for line in (head, ["---"] * len(head), *body))


def _escaped(value: object) -> str:
    """Text that Markdown shows as it is; an underscore inside a word has no meaning there."""
    text = re.sub(r"([\\`*{}\[\]<>|#!&~@])", r"\\\1", terminal.printable(value))
    return re.sub(r"(?<![^\W_])_|_(?![^\W_])", r"\\_", text)


def _code(name: str) -> str:
    """Text as Markdown code; characters that would end it or its cell are left out."""
    return f"`{re.sub('[|`<>]', '', terminal.printable(name))}`"
