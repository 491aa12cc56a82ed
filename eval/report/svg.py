"""Small inline drawings for the report, coloured by its style sheet."""

import math
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

import numpy as np

from grek.eval.scores.resampling import Interval

BINS = 20
Bin = Mapping[str, Any]


def colour(share: float) -> str:
    """Colour of a share: low to middle to high, mixed by the browser in its own scheme."""
    if math.isnan(share):
        return "var(--panel)"
    first, second = ("low", "middle") if share < 0.5 else ("middle", "high")
    part = 200 * (share if share < 0.5 else share - 0.5)
    return f"color-mix(in oklab,var(--{second}) {part:.0f}%,var(--{first}))"


def interval_bar(found: Interval, label: str, most: float = 1.0) -> str:
    """A track from 0 to `most`, the interval on it and a mark at the mean."""
    if math.isnan(found.mean):
        return ""
    mean, low, high = (
        100 * min(max(found.mean if math.isnan(v) else v, 0.0) / most, 1.0)
        for v in (found.mean, found.low, found.high)
    )
    return (
        f'<svg class="bar" viewBox="-4 0 108 12" role="img" aria-label="{escape(label)}">'
        '<rect class="track" x="0" y="5" width="100" height="2" rx="1"/>'
        f'<rect class="span" x="{low:.1f}" y="3" width="{max(high - low, 1):.1f}" height="6"'
        f' rx="2"/><rect class="mark" x="{mean - 1:.1f}" y="1" width="2" height="10" rx="1"/></svg>'
    )


def histogram(values: Sequence[float], stood: Sequence[bool], label: str) -> str:
    """Shares of episodes by traversal in [0, 1]; the fallen stacked on those that stood."""
    known = [(v, up) for v, up in zip(values, stood, strict=True) if not math.isnan(v)]
    shares = [
        np.histogram([v for v, up in known if up is kind], BINS, (0.0, 1.0))[0] / max(len(known), 1)
        for kind in (True, False)
    ]
    highest = max(float((shares[0] + shares[1]).max()), 1e-9)
    parts = []
    for i in range(BINS):
        base = 60.0
        for kind, share in zip(("stood", "fell"), shares, strict=True):
            height = 54 * float(share[i]) / highest
            if height > 0:
                base -= height
                parts.append(
                    f'<rect class="{kind}" x="{10 * i + 0.6:.1f}" y="{base:.2f}" width="8.8"'
                    f' height="{height:.2f}"/>'
                )
    ticks = "".join(
        f'<text x="{200 * t:.0f}" y="70" text-anchor="{anchor}">{100 * t:.0f}%</text>'
        for t, anchor in ((0.0, "start"), (0.5, "middle"), (1.0, "end"))
    )
    return (
        f'<svg class="histogram" viewBox="0 0 200 74" role="img" aria-label="{escape(label)}">'
        f'{"".join(parts)}<rect class="track" x="0" y="60" width="200" height="0.8"/>{ticks}</svg>'
    )


def polar(bins: Sequence[Bin], sizes: Sequence[float], directions: int, label: str) -> str:
    """Shares that stood after a push, by its direction (forward is up) and size (outwards).

    A bin has "direction", "ring", "pushes" and "stood"; `sizes` are the edges of the rings [m/s].
    """
    rings = len(sizes) - 1
    found = {(b["direction"], b["ring"]): b for b in bins}
    parts = []
    for ring in range(rings):
        for direction in range(directions):
            cell = found.get((direction, ring), {"pushes": 0, "stood": 0})
            share = cell["stood"] / cell["pushes"] if cell["pushes"] else math.nan
            parts.append(
                f'<path d="{_sector(direction, directions, ring / rings, (ring + 1) / rings)}"'
                f' style="fill:{colour(share)}"><title>{sizes[ring]:g} to {sizes[ring + 1]:g} m/s:'
                f" {cell['stood']} of {cell['pushes']} pushes recovered from</title></path>"
            )
    rims = "".join(
        f'<text x="0" y="{-100 * (ring + 1) / rings + 9:.1f}" text-anchor="middle">'
        f"{sizes[ring + 1]:g}</text>"
        for ring in range(rings)
    )
    sides = "".join(
        f'<text x="{x}" y="{y}" text-anchor="{anchor}">{text}</text>'
        for x, y, anchor, text in (
            (0, -105, "middle", "forward"),
            (0, 113, "middle", "back"),
            (-104, 3, "end", "left"),
            (104, 3, "start", "right"),
        )
    )
    return (
        f'<svg class="polar" viewBox="-125 -118 250 236" role="img" aria-label="{escape(label)}">'
        f"{''.join(parts)}{rims}{sides}</svg>"
    )


def _sector(direction: int, directions: int, inner: float, outer: float) -> str:
    """Path of a piece of a ring, radii in shares of 100, centred on its direction."""
    middle = 2 * math.pi * direction / directions
    half = math.pi / directions

    def point(radius: float, angle: float) -> str:
        return f"{-100 * radius * math.sin(angle):.2f} {-100 * radius * math.cos(angle):.2f}"

    first, last = middle - half, middle + half
    return (
        f"M{point(inner, first)}L{point(outer, first)}"
        f"A{100 * outer:.2f} {100 * outer:.2f} 0 0 0 {point(outer, last)}"
        f"L{point(inner, last)}A{100 * inner:.2f} {100 * inner:.2f} 0 0 1 {point(inner, first)}Z"
    )


def heat_map(
    bins: Sequence[Bin], forward: Sequence[float], turn: Sequence[float], most: float, label: str
) -> str:
    """Velocity error by commanded forward speed (right) and yaw rate (up), `most` the worst colour.

    A bin has "forward" and "turn", which number the cells between the edges given, and
    "velocity_error" [m/s] and "stretches".
    """
    wide, high = 200 / (len(forward) - 1), 100 / (len(turn) - 1)
    cells = "".join(
        f'<rect x="{b["forward"] * wide:.2f}" y="{100 - (b["turn"] + 1) * high:.2f}"'
        f' width="{wide - 0.8:.2f}" height="{high - 0.8:.2f}" rx="1.5"'
        f' style="fill:{colour(1 - min(b["velocity_error"] / most, 1))}">'
        f"<title>forward {forward[b['forward']]:g} to {forward[b['forward'] + 1]:g} m/s, turn"
        f" {turn[b['turn']]:g} to {turn[b['turn'] + 1]:g} rad/s: error {b['velocity_error']:.3f}"
        f" m/s in {b['stretches']} stretches</title></rect>"
        f'<text class="in" x="{(b["forward"] + 0.5) * wide - 0.4:.2f}" text-anchor="middle"'
        f' y="{100 - (b["turn"] + 0.5) * high + 2:.2f}">{100 * b["velocity_error"]:.0f}</text>'
        for b in bins
    )
    ticks = "".join(
        f'<text x="{i * wide:.1f}" y="109" text-anchor="middle">{edge:g}</text>'
        for i, edge in enumerate(forward)
    ) + "".join(
        f'<text x="-3" y="{102 - i * high:.1f}" text-anchor="end">{edge:g}</text>'
        for i, edge in enumerate(turn)
    )
    return (
        f'<svg class="heat" viewBox="-24 -16 232 144" role="img" aria-label="{escape(label)}">'
        f'{cells}{ticks}<text x="100" y="122" text-anchor="middle">forward [m/s]</text>'
        '<text x="-24" y="-9">turn [rad/s]</text></svg>'
    )


def tracking(points: Sequence[tuple[float, float]], unit: str, label: str) -> str:
    """What was done over what was asked, and the diagonal where both are equal."""
    most = max([abs(v) for point in points for v in point], default=1.0) or 1.0
    low = -most if min([v for point in points for v in point], default=0.0) < 0 else 0.0

    def at(value: float) -> float:
        return 100 * (value - low) / (most - low)

    marks = "".join(
        f'<circle class="mark" cx="{at(asked):.1f}" cy="{100 - at(done):.1f}" r="2.2">'
        f"<title>asked {asked:.2f}, done {done:.2f} {unit}</title></circle>"
        for asked, done in points
    )
    return (
        f'<svg class="track-plot" viewBox="-20 -6 132 126" role="img" aria-label="{escape(label)}">'
        '<path class="line" d="M0 100L100 0"/>'
        f'<path class="axes" d="M0 0V100H100M{at(0):.1f} 0V100M0 {100 - at(0):.1f}H100"/>{marks}'
        f'<text x="0" y="109" text-anchor="middle">{low:.1f}</text>'
        f'<text x="100" y="109" text-anchor="middle">{most:.1f}</text>'
        f'<text x="50" y="118" text-anchor="middle">asked [{unit}]</text>'
        '<text x="-4" y="52" text-anchor="middle" transform="rotate(-90 -8 50)">done</text></svg>'
    )
