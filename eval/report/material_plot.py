"""A picture of the materials: how deep a sole sinks, how the ground shears, how slippery it is.

Lines are nominal materials (dashed ones are held out), bands hold four fifths of what is drawn,
diamonds are what others published.
"""

from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from grek.envs.ground.materials import MATERIALS, Material, index
from grek.envs.ground.soil import SoilState, coefficients, soil_traction
from grek.envs.robots.robot import Array

SOLE = 11.5  # pressure of standing on one foot: 147 N on 0.0128 m^2 [kPa]
DRAWS = 200  # materials in a band
COLOURS = {
    "dry_concrete": "#8c8c88",
    "wet_concrete": "#3f6f8f",
    "sand": "#c9922b",
    "gravel": "#5f5b57",
    "carpet": "#b0344d",
    "ice": "#58b4d6",
    "snow": "#7d93c8",
    "mud": "#6d4826",
    "grass": "#4f9a35",
    "wet_leaves": "#b8621b",
    "wood": "#a9794a",
    "tile": "#8d7fa8",
    "rubber": "#26282b",
}
# What others published, with its sources in the table of materials.
PLATES = ((10, 13.1), (10, 14.2))  # lowest and highest trial in fine sand [mm], [kPa]
SHEAR = {"sand": np.tan(np.radians([28, 29, 31.1])), "gravel": np.tan(np.radians([38]))}
FRICTION = {
    "dry_concrete": (0.75,),
    "wet_concrete": (0.60,),
    "ice": (0.07, 0.10, 0.15),
}
STYLE: dict[Any, Any] = {
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": "#999999",
    "axes.labelcolor": "#333333",
    "axes.titlesize": 11,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "xtick.color": "#555555",
    "ytick.color": "#555555",
}
DIAMOND: dict[str, Any] = {
    "marker": "D",
    "s": 22,
    "facecolor": "white",
    "linewidth": 1.2,
    "zorder": 5,
}


def plot(path: Path) -> None:
    """Draw the materials into the image file `path`; its suffix names the format."""
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(13, 4.4), layout="constrained")
        sinkage, shear, friction = figure.subplots(1, 3)
        _sinkage(sinkage)
        _shear(shear)
        _friction(friction)
        scratch = path.with_name(f".{path.stem}.part{path.suffix}")
        figure.savefig(scratch, dpi=150, facecolor="white")
        scratch.replace(path)


def _sinkage(axes: Axes) -> None:
    """Pressure over sinkage: loaded to twice the droid's weight, and let go."""
    axes.set_title("Sinking: first loading and release")
    for level, what in ((SOLE / 2, "two feet"), (SOLE, "one foot"), (2 * SOLE, "twice the weight")):
        axes.axhline(level, color="#cccccc", lw=0.8, zorder=0)
        axes.text(49.5, level, what, color="#888888", ha="right", va="top", fontsize=7.5)
    levels = np.linspace(0, 2 * SOLE, 100)
    for row in _soft():
        colour, depths = COLOURS[row.name], np.linspace(0, 0.07, 1401)
        pressure = _lead(_drawn(row), depths) / 1e3  # (k, 1 + DRAWS) [kPa]
        reached = np.array([np.interp(levels, p, depths * 1e3) for p in pressure.T])
        low, high = np.percentile(reached[1:], [10, 90], axis=0)
        axes.fill_betweenx(levels, low, high, color=colour, alpha=0.15, lw=0)
        axes.plot(reached[0], levels, color=colour, lw=2, ls=_dashes(row))
        path = np.linspace(1, 0, 300) * reached[0, -1] / 1e3
        release = _lead(row.nominal()[None], path)[:, 0] / 1e3
        axes.plot(path[release > 0] * 1e3, release[release > 0], color=colour, lw=0.8)
        end = min(reached[0, -1], 43)
        place = (end, np.interp(end, reached[0], levels) + 0.3)
        axes.text(*place, row.title, color=colour, rotation=35, fontsize=8.5)
    axes.scatter(*np.transpose(PLATES), edgecolor=COLOURS["sand"], **DIAMOND)
    axes.set(xlabel="sinkage [mm]", ylabel="pressure [kPa]", xlim=(0, 50), ylim=(0, 27))


def _shear(axes: Axes) -> None:
    """Janosi and Hanamoto's curves under one foot."""
    axes.set_title("Shearing under one foot")
    slip, free = np.linspace(0, 0.06, 200), 0.0
    for row in sorted(_soft(), key=_strength):
        cohesion, angle, length = (
            _drawn(row)[:, index(name), None]
            for name in ("cohesion", "friction_angle", "shear_length")
        )
        strength = cohesion / (SOLE * 1e3) + np.tan(np.radians(angle))
        stress = strength * (1 - np.exp(-slip / length))  # (1 + DRAWS, k)
        low, high = np.percentile(stress[1:], [10, 90], axis=0)
        colour = COLOURS[row.name]
        axes.fill_between(slip * 1e3, low, high, color=colour, alpha=0.15, lw=0)
        axes.plot(slip * 1e3, stress[0], color=colour, lw=2, ls=_dashes(row))
        free = max(free + 0.04, stress[0, -1])  # the labels make room for each other
        axes.text(61, free, row.title, color=colour, va="center", fontsize=8.5)
        for published in SHEAR.get(row.name, ()):
            axes.scatter(58, published, edgecolor=colour, **DIAMOND)
    axes.set(xlabel="slip [mm]", ylabel="shear stress over pressure [-]")
    axes.set(xlim=(0, 60), ylim=(0, 1.1))


def _friction(axes: Axes) -> None:
    """Range and nominal friction of rigid ground: dry, and on its film at rest and in fast slip."""
    axes.set_title("Friction of rigid ground")
    rigid = [row for row in MATERIALS.values() if not row.soft]
    for y, row in enumerate(reversed(rigid)):
        drawn, colour = _drawn(row), COLOURS[row.name]
        dry, low, high = (
            drawn[:, index(name)] for name in ("friction", "wet_ratio_low", "wet_ratio_high")
        )
        wet = (low < 1).any()
        for friction, aside, faint in ((dry, 0.16 * wet, 0.9), (dry * low, -0.08, 0.6))[: 1 + wet]:
            axes.plot(
                np.percentile(friction[1:], [10, 90]),
                [y + aside] * 2,
                color=colour,
                lw=7,
                alpha=0.35 * faint,
                solid_capstyle="butt",
            )
            axes.plot(friction[0], y + aside, "o", color=colour, ms=6, alpha=faint)
        if wet:
            axes.annotate(
                "",
                ((dry * high)[0], y - 0.08),
                ((dry * low)[0], y - 0.08),
                arrowprops={"arrowstyle": "->", "color": colour, "lw": 1.4},
            )
        for published in FRICTION.get(row.name, ()):
            axes.scatter(published, y - 0.3, edgecolor=colour, **DIAMOND)
    axes.text(
        0.99,
        0.99,
        "arrow: on the film,\nfrom rest to fast slip",
        color="#777777",
        ha="right",
        va="top",
        fontsize=7.5,
        transform=axes.transAxes,
    )
    axes.set_yticks(range(len(rigid)), [row.title for row in reversed(rigid)])
    for tick, row in zip(axes.get_yticklabels(), reversed(rigid), strict=True):
        tick.set_color(COLOURS[row.name])
    axes.tick_params(axis="y", length=0)
    axes.set(xlabel="friction [-]", xlim=(0, 1.2), ylim=(-0.6, len(rigid) - 0.4))


def _soft() -> list[Material]:
    return [row for row in MATERIALS.values() if row.soft]


def _strength(row: Material) -> float:
    """Shear strength under one foot [kPa]."""
    cohesion, angle = (row.quantity(name).nominal for name in ("cohesion", "friction_angle"))
    return cohesion / 1e3 + SOLE * float(np.tan(np.radians(angle)))


def _dashes(row: Material) -> str | tuple[int, tuple[float, float]]:
    return "-" if row.trained else (0, (4, 1.5))


def _drawn(row: Material) -> Array:
    """The nominal material, then DRAWS drawn ones (1 + DRAWS, P)."""
    rng = np.random.default_rng(0)
    return np.array([row.nominal(), *(row.draw(rng) for _ in range(DRAWS))])


def _lead(parameters: Array, sinkage: Array) -> Array:
    """Pressure (k, m) [Pa] of the soil law on materials (m, P), led along `sinkage` (k,) [m]."""
    dt, mass = 0.001, 5000.0  # so fine and heavy that no slope is cut
    law = coefficients(parameters[:, None], dt, mass)
    state = SoilState.untouched(len(parameters), 1)
    still, one = np.zeros((len(parameters), 1, 3)), np.ones((len(parameters), 1))
    return np.array([soil_traction(law, z * one, still, state, dt, mass)[:, 0, 2] for z in sinkage])
