"""Tables of scorecards and comparisons, for a terminal and as Markdown."""

import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np
from rich.table import Table

from grek import terminal
from grek.errors import InputError
from grek.eval.episodes.episodes import Episodes
from grek.eval.report import wording
from grek.eval.report.wording import UNKNOWN, Card, Row, bounds, decimal, name, percent
from grek.eval.scores.statistics import student_interval, wilson
from grek.sanitize import printable

if TYPE_CHECKING:
    from grek.eval.scores.compare import Comparison, Line

ROWS = (
    *("space", "axis", "context", "episodes", "survival", "traversal", "95 % interval"),
    *("velocity error [m/s]", "cost of transport", "falls/km"),
)
SKILLED = {  # column: (metric of skills, scale, digits)
    "joints [rad]": ("joint_error", 1, 3),
    "torso height [mm]": ("height_error", 1e3, 0),
    "tilt [rad]": ("tilt_error", 1, 3),
    "contacts": ("contact_agreement", 1, 2),
    "beat [ms]": ("beat_error", 1e3, 0),
    "jump [mm]": ("jump_clearance", 1e3, 0),
    "landed": ("landed", 1, 2),
    "way [mm]": ("jump_way", 1e3, 0),
    "turn [rad]": ("jump_turn", 1, 2),
    "seat": ("seat_share", 1, 2),
    "seat power": ("seat_power", 1, 2),
    "down [s]": ("sit_down", 1, 2),
    "up [s]": ("stand_up", 1, 2),
    "changes": ("transition", 1, 2),
    "drift [mm]": ("drift", 1e3, 0),
}
POLICIES = {  # column: (key of the summary, score)
    "train: survival": ("train", "survival"),
    "train: traversal": ("train", "traversal"),
    "held out: survival": ("heldout", "survival"),
    "held out: traversal": ("heldout", "traversal"),
}
LOSSES = {"loss on new materials": "materials", "on new bodies": "bodies"}  # of traversal
INTERVALS = ("survival", "traversal", "velocity_error")


def scores(card: Card) -> tuple[Table | str, ...]:
    """Rows and spaces of a scorecard, then transfer and the headline, for `terminal.show`."""
    table = terminal.table(ROWS, map(_row, [*card["rows"], *_spaces(card)]), "<<<>")
    skilled = terminal.table(("space", "axis", "context", *SKILLED), _skilled(card), "<<<>")
    tables = (table, "", skilled) if _skilled(card) else (table,)
    return *tables, "", *_transfer(card), wording.headline(card)


def world(row: Row) -> Table:
    """One row of a scorecard as a table, for `terminal.show`."""
    return terminal.table(ROWS, [_row(row)], "<<<>")


def comparison(found: "Comparison") -> tuple[Table | str, ...]:
    """Lines of a comparison, then falls, notes and the summary, for `terminal.show`."""
    head = ("", "worlds", "baseline", "candidate", "change", "90 % interval", "verdict")
    table = terminal.table(head, map(_compared, (*found.lines, found.overall)), "<>>>>><")
    falls = (
        f"falls: {found.new_falls} by the candidate only, {found.mended_falls} by the baseline only"
    )
    return table, "", f"{falls} (McNemar p = {found.falls_p:.3g})", *found.notes, found.summary()


def markdown(card: Card, policy: str | None = None) -> str:
    """Scorecard as Markdown, for a pull request: spaces first, rows and films in <details>.

    `policy` names the policy in commands, by default its name in the scorecard.
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
        *_transfer(card),
        f"<details><summary>All {len(card['rows'])} rows</summary>",
        _table(ROWS, map(_row, card["rows"])),
        *(
            [_table(("space", "axis", "context", *SKILLED), found)]
            if (found := _skilled(card))
            else []
        ),
        "</details>\n\n<details><summary>Films: worst, median and best of each axis</summary>",
        _table(("space", "axis", "episode", "traversal", "command"), films),
        "</details>",
        "policy {}, suite {}, ".format(*hashes)
        + ", ".join([f"seed {_escaped(suite.get('seed'))}", *versions]),
    )
    return "\n\n".join(parts) + "\n"


def policies(cards: Sequence[Card]) -> str:
    """Markdown, one line per policy: mean and interval of each space of the suite, and losses; of a
    suite of skills a line per space and skill.

    Raises InputError unless all scorecards are of the same worlds.
    """
    _check_worlds(cards)
    if any(_skilled(card) for card in cards):
        return _skills(cards)
    shown = {column: of for column, of in POLICIES.items() if of[0] in cards[0]["summary"]}
    lost = {c: group for c, group in LOSSES.items() if group in wording.losses(cards[0])}
    lines = [
        [
            _code(name(card)),
            *(_estimate(wording.summary(card, *of)) for of in shown.values()),
            *(_estimate(wording.losses(card).get(group)) for group in lost.values()),
        ]
        for card in cards
    ]
    return _table(["policy", *shown, *lost], lines, escape=False)


def _skills(cards: Sequence[Card]) -> str:
    """Markdown: survival over all worlds of a space and skill, else means over its rows."""
    groups = dict.fromkeys((row["space"], row["axis"]) for row in cards[0]["rows"])
    lines = []
    for space, axis in groups:
        for card in cards:
            rows = [row for row in card["rows"] if (row["space"], row["axis"]) == (space, axis)]
            count = sum(row["episodes"] for row in rows)
            up = sum(row["survival"]["mean"] * row["episodes"] for row in rows)
            survival = _estimate(asdict(wilson(up, count)))
            traversal = decimal(_mean(rows, "traversal"), 2) if axis == "walk" else UNKNOWN
            means = (
                decimal(None if value is None else value * scale, digits)
                for metric, scale, digits in SKILLED.values()
                for value in [_mean(rows, metric)]
            )
            lines.append(
                [
                    _escaped(space),
                    _escaped(axis),
                    _code(name(card)),
                    count,
                    survival,
                    traversal,
                    *means,
                ]
            )
    head = ("space", "skill", "policy", "worlds", "survival", "traversal", *SKILLED)
    empty = {k for k in range(5, len(head)) if all(line[k] == UNKNOWN for line in lines)}
    kept = [k for k in range(len(head)) if k not in empty]
    return _table([head[k] for k in kept], [[line[k] for k in kept] for line in lines], False)


def _mean(rows: Sequence[Row], metric: str) -> float | None:
    """Mean over `rows` that have `metric`; None without one."""
    found = [row[metric]["mean"] for row in rows if isinstance(row.get(metric), dict)]
    known = [value for value in found if value is not None]
    return float(np.mean(known)) if known else None


def seeds(cards: Sequence[Card]) -> str:
    """Markdown: each score of policies of one recipe and several training seeds, a line per score.

    The interval is Student's, of the mean over new training seeds, and covers the worlds drawn too.
    Raises InputError for fewer than two scorecards, or of different worlds.
    """
    if len(cards) < 2:
        raise InputError(f"--seeds takes two scorecards or more, not {len(cards)}")
    _check_worlds(cards)
    shown = {column: of for column, of in POLICIES.items() if of[0] in cards[0]["summary"]}
    lines = []
    for column, of in shown.items():
        found = np.array([wording.number(wording.summary(card, *of)) for card in cards])
        each = ", ".join(f"{value:.2f}" for value in found)
        spread = f"{np.ptp(found):.3f}"
        lines.append([column, each, spread, _estimate(asdict(student_interval(found)))])
    return _table(["score", "each seed", "largest difference", "mean over seeds"], lines)


def rows(card: Card) -> str:
    """Markdown, one line per row of `card`; space and axis are left out if all rows share them."""
    keys = [key for key in ("space", "axis") if len({row[key] for row in card["rows"]}) > 1]
    keys += ["context", "episodes"]
    lines = [
        [*(row[key] for key in keys), *(_estimate(row[key]) for key in INTERVALS)]
        for row in card["rows"]
    ]
    return _table([*keys, "survival", "traversal", "velocity error [m/s]"], lines)


def _check_worlds(cards: Sequence[Card]) -> None:
    """Raise InputError unless all scorecards are of the same worlds."""
    for card in cards[1:]:
        for key in ("name", "seed", "episodes", "sha256"):
            first, other = cards[0]["suite"].get(key), card["suite"].get(key)
            if first != other:
                raise InputError(
                    f"cannot tabulate scorecards of different suites: {key} is {str(first)[:40]!r}"
                    f" of {name(cards[0])} and {str(other)[:40]!r} of {name(card)}"
                )


def _row(row: Row) -> tuple[str, ...]:
    return (
        *(row["space"], row["axis"], row["context"], decimal(row["episodes"], 0)),
        *(percent(row["survival"]), percent(row["traversal"]), bounds(row["traversal"])),
        *(decimal(row["velocity_error"], 3), decimal(row.get("cost_of_transport"))),
        decimal(row.get("falls_per_km"), 0),
    )


def _skilled(card: Card) -> list[tuple[str, ...]]:
    """Metrics of skills, a line for each row that has them."""
    return [
        (
            *(row["space"], row["axis"], row["context"]),
            *(
                _scaled(row.get(metric), scale, digits)
                for metric, scale, digits in SKILLED.values()
            ),
        )
        for row in card["rows"]
        if "joint_error" in row
    ]


def _scaled(score: Any, scale: float, digits: int) -> str:
    """Mean of a score, times `scale`."""
    mean = score.get("mean") if isinstance(score, dict) else None
    return decimal(None if mean is None else mean * scale, digits)


def _spaces(card: Card) -> list[Row]:
    """Spaces of the summary as rows."""
    return [
        {"space": space, "axis": "all", "context": "all"}
        | {"episodes": int(Episodes.of(card["episodes"]).within(space).sum())}
        | {key: wording.summary(card, space, key) for key in INTERVALS}
        for space in wording.spaces(card)
    ]


def _transfer(card: Card) -> list[str]:
    """Losses by group of axes, and changes by solver setting, a line each."""

    def listed(found: dict[str, Any]) -> str:
        return ", ".join(
            f"{_escaped(wording.spoken(key))} {percent(value, 1, '')} ({bounds(value, 1, '')})"
            for key, value in found.items()
        )

    said = []
    if losses := wording.losses(card):
        said.append(f"Loss of traversal to new, in points: {listed(losses)}.")
    if regrets := wording.regrets(card):
        told = "Of it against a policy that trained there too, in points"
        said.append(f"{told}: {listed(regrets)}.")
    for space, changes in wording.changes(card).items():
        space = _escaped(space)
        said.append(
            f"Change of traversal in the same worlds, {space}, in points: {listed(changes)}."
        )
    gap = card["summary"].get("gap")  # in scorecards of schema 1
    if gap is not None:
        ends = f"{percent(gap, 1, ' points')}, {bounds(gap, 1, '')}"
        said.append(f"Generalisation gap (train minus heldout): {ends}.")
    return said


def _compared(line: "Line") -> tuple[str, ...]:
    test = line.test
    ends = f"{test.low:+.3f} {test.high:+.3f}" if math.isfinite(test.low) else ""
    means = (f"{line.baseline:.3f}", f"{line.candidate:.3f}", f"{test.mean:+.3f}")
    return line.name, str(test.n), *means, ends, test.verdict


def _estimate(value: Any) -> str:
    """Interval of a file as "0.85 (0.76 to 0.91)", UNKNOWN for each undefined number."""
    found = wording.interval(value)
    if math.isnan(found.mean):
        return UNKNOWN
    low, high = (UNKNOWN if math.isnan(v) else f"{v:z.2f}" for v in (found.low, found.high))
    return f"{found.mean:z.2f} ({low} to {high})"


def _table(head: Sequence[str], rows: Iterable[Iterable[object]], escape: bool = True) -> str:
    """Markdown table; cells are escaped unless `escape` is False."""
    body = ([_escaped(cell) if escape else str(cell) for cell in row] for row in rows)
    return "\n".join(f"| {' | '.join(line)} |" for line in (head, ["---"] * len(head), *body))


def _escaped(value: object) -> str:
    """`value` with Markdown escaped; underscores inside words need no escape."""
    text = re.sub(r"([\\`*{}\[\]<>|#!&~@])", r"\\\1", printable(value))
    return re.sub(r"(?<![^\W_])_|_(?![^\W_])", r"\\_", text)


def _code(name: str) -> str:
    """`name` as Markdown code; characters that would end the code or its cell are removed."""
    return f"`{re.sub('[|`<>]', '', printable(name))}`"
