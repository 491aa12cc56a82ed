"""The report of a scorecard as one HTML file: no network, no script, light and dark, any width.

Everything that comes from the scorecard goes through `escape`: a file may have been made by others.
"""

import json
import math
from collections.abc import Mapping
from html import escape
from types import MappingProxyType
from typing import Any

from grek.eval.report import svg, wording
from grek.eval.report.style import STYLE
from grek.eval.report.wording import bounds, decimal, interval, number, percent, spoken, title
from grek.eval.scores.breakdown import DIRECTIONS, FORWARD, PASSED, PUSH_SIZES, TURN, hardest

Card = Mapping[str, Any]
Row = Mapping[str, Any]

ZONES = {"inside": "inside", **wording.BEYOND}


def html(
    card: Card, policy: str | None = None, films: Mapping[str, str] = MappingProxyType({})
) -> str:
    """The page; `policy` is what to call it in commands, if its name will not do (a path).

    `films` holds where the films of some scenarios lie, relative to the page.
    """
    heading = f"{wording.name(card)} on {card['suite'].get('name', 'a suite')}"
    sections = (
        _headline(card),
        _matrix(card),
        _difficulty(card),
        _figures(card),
        *(_table(card, space) for space in wording.spaces(card)),
        _distribution(card),
        _films(card, policy or wording.name(card), films),
        _provenance(card),
    )
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark">\n'
        f"<title>{escape(heading)}: scorecard</title>\n<style>{STYLE}</style>\n</head>\n<body>\n"
        f'<header id="top"><p>Grek scorecard</p><h1>{escape(heading)}</h1></header>\n'
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
                "training space minus held out",
                "",
                f"{100 * gap.low:.1f} to {100 * gap.high:.1f} points",
            ),
        )
    worst = wording.worst_row(card)
    walked = interval(worst["traversal"])
    tiles.append(
        _tile(
            f"Lowest of {len(card['rows'])} rows",
            spoken(worst["axis"] if worst["context"] in wording.BEYOND else worst["context"]),
            f"{wording.place(worst)}; {title(worst['space']).lower()}",
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
    """Axis by distance from training; the axes that have no row inside share one cell there."""
    axes: dict[str, dict[str, list[str]]] = {}
    for i, row in enumerate(card["rows"]):
        if row.get("zone") in ZONES and (row["space"] != "numerics" or row["axis"] == "numerics"):
            zones = axes.setdefault(row["axis"], {})
            zones.setdefault(row["zone"], []).append(_cell(row, i))
    shared = [axis for axis, zones in axes.items() if "inside" not in zones]
    lines = [_matrix_line(axis, zones) for axis, zones in axes.items() if axis not in shared]
    if shared and "train" in card["summary"]:
        first, *rest = shared
        whole = _chip(card["summary"]["train"], "all of training", "#top")
        inside = f'<div class="cells shared" style="grid-row:span {len(shared)}">{whole}</div>'
        lines.append(_matrix_line(first, axes[first], inside))
        lines += [_matrix_line(axis, axes[axis], "") for axis in rest]
    elif shared:
        lines += [_matrix_line(axis, axes[axis]) for axis in shared]
    scale = "".join(f'<i style="background:{svg.colour(t / 10)}"></i>' for t in range(11))
    head = "".join(f"<h4>{title}</h4>" for title in ("", *ZONES.values()))
    return (
        "<section><h2>Where it walks</h2><p>Traversal, the way made good over the way commanded,"
        " by what is changed and how far beyond its range in training."
        f' <span class="scale">0 {scale} 100%</span></p>'
        f'<div class="matrix">{head}{"".join(lines)}</div></section>'
    )


def _matrix_line(axis: str, zones: Mapping[str, list[str]], inside: str | None = None) -> str:
    cells = [f'<div class="cells">{"".join(zones.get(zone, ()))}</div>' for zone in ZONES]
    if inside is not None:
        cells[0] = inside
    return f"<h3>{escape(spoken(axis))}</h3>{''.join(cells)}"


def _cell(row: Row, index: int) -> str:
    name = row["context"]
    return _chip(row, "" if name in wording.BEYOND else spoken(name), f"#row-{index}")


def _chip(scores: Mapping[str, Any], name: str, link: str) -> str:
    walked, stood = interval(scores["traversal"]), interval(scores["survival"])
    return (
        f'<a class="cell" href="{link}" style="background:{svg.colour(walked.mean)}"'
        f' title="traversal {escape(bounds(walked))}"><span>{escape(name)}</span>'
        f"<b>{percent(walked.mean)}</b><small>up in {percent(stood.mean)}</small></a>"
    )


def _figures(card: Card) -> str:
    """Pushes, commands and tracking, where the scorecard has them."""
    pushes, commands = card.get("pushes", []), card.get("commands", [])
    figures = []
    if pushes:
        drawing = svg.polar(pushes, PUSH_SIZES, DIRECTIONS, "recovery from pushes by direction")
        count = sum(b["pushes"] for b in pushes)
        figures.append(
            (drawing, f"{count} pushes by direction and size [m/s]: share still up 2 s later.")
        )
    if commands:
        drawing = svg.heat_map(commands, FORWARD, TURN, 0.25, "velocity error by command")
        figures.append((drawing, "Velocity error [cm/s] by what was commanded."))
        for asked, done, unit, what in (
            ("asked", "walked", "m/s", "Forward speed"),
            ("asked_turn", "turned", "rad/s", "Yaw rate"),
        ):
            points = [(b[asked], b[done]) for b in commands]
            drawing = svg.tracking(points, unit, f"{what} tracking")
            figures.append((drawing, f"{what}, asked and done; on the line is perfect."))
    if not figures:
        return ""
    shown = "".join(
        f"<figure>{drawing}<figcaption>{caption}</figcaption></figure>"
        for drawing, caption in figures
    )
    return (
        "<section><h2>Pushes and commands</h2><p>In worlds of the training space, and of the"
        " axes that draw harder pushes and higher speeds.</p>"
        f'<div class="figures four">{shown}</div></section>'
    )


def _difficulty(card: Card) -> str:
    """Survival by size of the unevenness, and the hardest level that is passed."""
    axes: dict[str, list[Mapping[str, Any]]] = {}
    for level in card.get("difficulty", []):
        axes.setdefault(level["axis"], []).append(level)
    lines = []
    for axis, levels in axes.items():
        best = hardest(levels)
        said = f"passed up to {_size(axis, best['high'])}" if best else "not passed"
        cells = "".join(
            f'<div class="cell" style="background:{svg.colour(level["survival"]["mean"])}"'
            f' title="{bounds(interval(level["survival"]))}, {level["episodes"]} episodes">'
            f"<span>to {_size(axis, level['high'])}</span>"
            f"<b>{percent(level['survival']['mean'])}</b></div>"
            for level in levels
        )
        lines.append(
            f'<div class="axis"><h3>{escape(spoken(axis))}<small>{said}</small></h3>'
            f'<div class="cells levels">{cells}</div></div>'
        )
    if not lines:
        return ""
    return (
        "<section><h2>How hard the ground may be</h2><p>Survival by size of the unevenness, the"
        f" first two levels as in training. A level is passed at {PASSED:.0%}.</p>"
        f"{''.join(lines)}</section>"
    )


def _size(axis: str, value: float) -> str:
    """A slope in percent, everything else in millimetres."""
    return f"{100 * value:.0f}%" if axis == "slope" else f"{1000 * value:.3g} mm"


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
    shown = (spoken(row["context"]), spoken(row["axis"]))
    if row["context"] in wording.BEYOND:
        shown = (spoken(row["axis"]), wording.BEYOND[row["context"]])
    name = f"{escape(shown[0])}<small>{escape(shown[1])}</small>"
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


def _films(card: Card, policy: str, films: Mapping[str, str]) -> str:
    groups = []
    for (space, axis), chosen in wording.picks(card).items():
        lines = "".join(
            f"<tr><th>{which}</th><td>{percent(number(episode['traversal']))}</td>"
            f"<td>{'stood' if episode['survived'] else 'fell'}</td><td>{_contexts(episode)}</td>"
            f"<td><code>{escape(wording.render_command(policy, episode['scenario']))}</code>"
            f"{_video(films.get(episode['scenario']))}</td></tr>"
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


def _video(path: str | None) -> str:
    return f'<video controls preload="none" src="{escape(path)}"></video>' if path else ""


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
        " command over the distance commanded; standing still scores 0 and a fall ends it. Scores"
        " are of this one policy: another training seed gives another."
        " Velocity error is the root mean square of the speed averaged over a stride against the"
        " command, while up.</p></section>"
    )
