"""Small inline drawings for the report: intervals and histograms, coloured by its style sheet."""

import math
from collections.abc import Sequence
from html import escape

import numpy as np

from grek.eval.resampling import Interval

BINS = 20


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
