"""The report of a scorecard as one HTML file: no network, no script, light and dark, any width.

Everything that comes from the scorecard goes through `escape`: a file may have been made by others.
"""

import json
import math
from collections.abc import Mapping
from html import escape
from typing import Any

from grek.eval import svg, wording
from grek.eval.style import STYLE
from grek.eval.wording import bounds, decimal, interval, number, percent, spoken, title

Card = Mapping[str, Any]
Row = Mapping[str, Any]


def html(card: Card, policy: str | None = None) -> str:
    """The page; `policy` is what to call it in commands, if its name will not do (a path)."""
    heading = f"{wording.name(card)} on {card['suite'].get('name', 'a suite')}"
    sections = (
        _headline(card),
        _matrix(card),
        *(_table(card, space) for space in wording.spaces(card)),
        _distribution(card),
        _films(card, policy or wording.name(card)),
        _provenance(card),
    )
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark">\n'
        f"<title>{escape(heading)}: scorecard</title>\n<style>{STYLE}</style>\n</head>\n<body>\n"
        f"<header><p>Grek scorecard</p><h1>{escape(heading)}</h1></header>\n"
        f"<main>\n{chr(10).join(sections)}\n</main>\n</body>\n</html>\n"
    )


def _headline(card: Card) -> str:
    summary = card["summary"]
    tiles = [
        _tile(
            title(space),
            percent(walked.mean),
            f"traversal, {bounds(walked)}",
            svg.interval_bar(walked, f"traversal {bounds(walked)}"),
            f"up in {percent(interval(summary[space].get('survival')).mean)}"
            f" · worst tenth {percent(interval(summary[space].get('worst_decile')).mean)}",
        )
        for space in wording.spaces(card)
        if not math.isnan((walked := interval(summary.get(space, {}).get("traversal"))).mean)
    ]
    if "gap" in summary:
        gap = interval(summary["gap"])
        tiles.insert(
            2,
            _tile(
                "Gap",
                wording.points(gap.mean),
                "trained minus never met",
                "",
                f"{100 * gap.low:.1f} to {100 * gap.high:.1f} points",
            ),
        )
    worst = wording.worst_row(card)
    walked = interval(worst["traversal"])
    tiles.append(
        _tile(
            "Hardest",
            spoken(worst["context"]),
            f"{spoken(worst['axis'])}, {title(worst['space']).lower()}",
            svg.interval_bar(walked, f"traversal {bounds(walked)}"),
            f"traversal {percent(walked.mean)}, {bounds(walked)}",
        )
    )
    return (
        f'<section><p class="lead">{escape(wording.headline(card))}</p>'
        f'<div class="tiles">{"".join(tiles)}</div></section>'
    )


def _tile(name: str, value: str, what: str, bar: str, more: str) -> str:
    return (
        f'<div class="tile"><h2>{escape(name)}</h2><b>{escape(value)}</b>'
        f"<p>{escape(what)}</p>{bar}<p>{escape(more)}</p></div>"
    )


def _matrix(card: Card) -> str:
    lines = []
    for space in wording.spaces(card):
        axes: dict[str, list[str]] = {}
        for i, row in enumerate(card["rows"]):
            if row["space"] == space:
                axes.setdefault(row["axis"], []).append(_cell(row, i))
        lines += [
            f'<div class="axis"><h3>{escape(spoken(axis))}<small>{escape(title(space))}</small>'
            f'</h3><div class="cells">{"".join(cells)}</div></div>'
            for axis, cells in axes.items()
        ]
    scale = "".join(f'<i style="{_colour(t / 10)}"></i>' for t in range(11))
    return (
        "<section><h2>Where it walks</h2><p>Traversal of each context: the way made good over the"
        f' way commanded. <span class="scale">0 {scale} 100%</span></p>{"".join(lines)}</section>'
    )


def _cell(row: Row, index: int) -> str:
    walked, stood = interval(row["traversal"]), interval(row["survival"])
    return (
        f'<a class="cell" href="#row-{index}" style="{_colour(walked.mean)}"'
        f' title="traversal {escape(bounds(walked))}"><span>{escape(spoken(row["context"]))}</span>'
        f"<b>{percent(walked.mean)}</b><small>up in {percent(stood.mean)}</small></a>"
    )


def _colour(share: float) -> str:
    """Background of a share: low to middle to high, mixed by the browser in its own scheme."""
    if math.isnan(share):
        return "background:var(--panel)"
    first, second = ("low", "middle") if share < 0.5 else ("middle", "high")
    part = 200 * (share if share < 0.5 else share - 0.5)
    return f"background:color-mix(in oklab,var(--{second}) {part:.0f}%,var(--{first}))"


def _table(card: Card, space: str) -> str:
    rows = [(i, row) for i, row in enumerate(card["rows"]) if row["space"] == space]
    errors = [interval(row["velocity_error"]) for _, row in rows]
    most = max((e.high for e in errors if not math.isnan(e.high)), default=1.0) or 1.0
    body = "".join(_table_row(row, i, most) for i, row in rows)
    return (
        f"<section><h2>{escape(title(space))}</h2>"
        '<div class="scroll"><table><thead><tr><th>context</th><th colspan="2">traversal</th>'
        '<th colspan="2">survival</th><th colspan="2">velocity error [m/s]</th>'
        '<th title="mechanical work over weight times distance">cost of transport</th>'
        "<th>falls per km</th><th>slip per metre</th>"
        '<th title="share of joints and steps at the torque limit">saturation</th>'
        f"<th>episodes</th></tr></thead><tbody>{body}</tbody></table></div></section>"
    )


def _table_row(row: Row, index: int, most: float) -> str:
    walked, stood = interval(row["traversal"]), interval(row["survival"])
    error = interval(row["velocity_error"])
    name = f"{escape(spoken(row['context']))}<small>{escape(spoken(row['axis']))}</small>"
    numbers = (
        decimal(row.get("cost_of_transport")),
        decimal(row.get("falls_per_km"), 0),
        decimal(row.get("slip_per_metre"), 3),
        percent(number(row.get("torque_saturation")), 1),
        decimal(row.get("episodes"), 0),
    )
    return (
        f'<tr id="row-{index}"><th>{name}</th>'
        f"<td>{percent(walked.mean)}</td><td>{svg.interval_bar(walked, bounds(walked))}</td>"
        f"<td>{percent(stood.mean)}</td><td>{svg.interval_bar(stood, bounds(stood))}</td>"
        f"<td>{decimal(error.mean, 3)}</td>"
        f"<td>{svg.interval_bar(error, f'up to {decimal(error.high, 3)}', most)}</td>"
        + "".join(f"<td>{value}</td>" for value in numbers)
        + "</tr>"
    )


def _distribution(card: Card) -> str:
    figures = []
    for space in wording.spaces(card):
        group = [e for e in card["episodes"] if e["space"] == space]
        drawing = svg.histogram(
            [number(e["traversal"]) for e in group],
            [bool(e["survived"]) for e in group],
            f"episodes by traversal, {space}",
        )
        caption = f"{escape(title(space))}, {len(group)} episodes"
        figures.append(f"<figure>{drawing}<figcaption>{caption}</figcaption></figure>")
    return (
        "<section><h2>Every episode</h2><p>How many episodes made good how much of their way."
        ' <span class="key stood"></span> stood to the end <span class="key fell"></span> fell</p>'
        f'<div class="figures">{"".join(figures)}</div></section>'
    )


def _films(card: Card, policy: str) -> str:
    groups = []
    for (space, axis), chosen in wording.picks(card).items():
        lines = "".join(
            f"<tr><th>{which}</th><td>{percent(number(episode['traversal']))}</td>"
            f"<td>{'stood' if episode['survived'] else 'fell'}</td><td>{_contexts(episode)}</td>"
            f"<td><code>{escape(wording.render_command(policy, episode['scenario']))}</code></td>"
            "</tr>"
            for which, episode in chosen
        )
        groups.append(
            f"<h3>{escape(spoken(axis))}<small>{escape(title(space))}</small></h3>"
            f'<table class="films">{lines}</table>'
        )
    return (
        "<section><h2>Films to watch</h2><p>The worst, the median and the best episode of each"
        f" axis, and the command that films it.</p>{''.join(groups)}</section>"
    )


def _contexts(episode: Mapping[str, Any]) -> str:
    return escape(", ".join(spoken(str(value)) for value in episode["contexts"].values()))


def _provenance(card: Card) -> str:
    policy, suite = card["policy"], card["suite"]
    facts = {
        "policy": policy.get("name"),
        "policy sha256": policy.get("sha256"),
        "suite": f"{suite.get('name')}, seed {suite.get('seed')},"
        f" {suite.get('episodes')} episodes per row",
        "suite sha256": suite.get("sha256"),
        **card["versions"],
        "digest": card["digest"],
    }
    lines = "".join(
        f"<dt>{escape(str(key))}</dt><dd>{escape(str(value))}</dd>" for key, value in facts.items()
    )
    contract = escape(json.dumps(policy.get("contract"), indent=1))
    return (
        f"<section><h2>Where this comes from</h2><dl>{lines}</dl>"
        f"<details><summary>Contract of the policy</summary><pre>{contract}</pre></details>"
        "<p>Intervals hold the truth in 95 of 100 suites: Wilson for survival, a bootstrap over"
        " episodes inside each context for the rest. Traversal is the distance made good along the"
        " command over the distance commanded; standing still scores 0 and a fall ends it."
        " Velocity error is the root mean square of the speed averaged over a stride against the"
        " command, while up.</p></section>"
    )
