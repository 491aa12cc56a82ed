"""Plot of the materials: sinkage, shear and friction under a sole.

Lines are nominal materials (dashed: held out), bands the 10th to 90th percentile of drawn ones,
diamonds published measurements.
"""

from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import hsv_to_rgb, rgb_to_hsv
from matplotlib.figure import Figure

from grek import files
from grek.envs.ground.materials import MATERIALS, Material, index
from grek.envs.ground.soil import coefficients, soil_traction, untouched
from grek.envs.robots.robot import Array

SOLE = 11.5  # pressure of standing on one foot: 147 N on 0.0128 m^2 [kPa]
LOADS = {"two feet": SOLE / 2, "one foot": SOLE, "twice the weight": 2 * SOLE}  # [kPa]
DRAWS = 200  # of each material, for its band
# Published measurements, their sources in the table of materials.
PLATES = ((10, 13.1), (10, 14.2))  # lowest and highest trial in fine sand [mm], [kPa]
SHEAR = {"sand": (0.136 / 0.375,)}  # level slide in resistive force theory
FRICTION = {"dry_concrete": (0.75,), "wet_concrete": (0.60,), "ice": (0.07, 0.10, 0.15)}
STYLE: dict[Any, Any] = {
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": "0.6",
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "scatter.marker": "D",
}


def plot(path: Path) -> None:
    """Plot the materials to `path`; its suffix selects the format."""
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(13, 4.4), layout="constrained")
        sinkage, shear, friction = figure.subplots(1, 3)
        _sinkage(sinkage)
        _shear(shear)
        _friction(friction)
        with files.written(path) as part:
            figure.savefig(part, dpi=150, facecolor="white")


def _sinkage(axes: Axes) -> None:
    """Plot pressure over sinkage: loading to twice the weight of the droid, and unloading."""
    for name, level in LOADS.items():
        axes.axhline(level, color="0.8", lw=0.8, zorder=0)
        axes.text(49.5, level, name, color="0.5", ha="right", va="top", fontsize=7.5)
    levels, depths = np.linspace(0, 2 * SOLE, 100), np.linspace(0, 0.07, 1401)
    for row in _materials(soft=True):
        colour = _colour(row)
        pressure = _pressure(_drawn(row), depths) / 1e3  # (m, 1 + DRAWS) [kPa]
        reached = np.array([np.interp(levels, p, depths * 1e3) for p in pressure.T])  # [mm]
        low, high = np.percentile(reached[1:], [10, 90], axis=0)
        axes.fill_betweenx(levels, low, high, color=colour, alpha=0.15, lw=0)
        axes.plot(reached[0], levels, color=colour, lw=2, ls=_dashes(row))
        back = np.linspace(reached[0, -1], 0, 300)  # [mm]
        release = _pressure(row.nominal()[None], back / 1e3)[:, 0] / 1e3
        axes.plot(back[release > 0], release[release > 0], color=colour, lw=0.8)
        end = min(reached[0, -1], 43)
        above = np.interp(end, reached[0], levels) + 0.3
        axes.text(end, above, row.title, color=colour, rotation=35, fontsize=8.5)
    sand, (depth, load) = _colour(MATERIALS["sand"]), np.transpose(PLATES)
    axes.scatter(depth, load, s=22, c="white", edgecolors=[sand], zorder=5)
    axes.set(title="Sinkage: first loading and unloading", xlim=(0, 50), ylim=(0, 27))
    axes.set(xlabel="sinkage [mm]", ylabel="pressure [kPa]")


def _shear(axes: Axes) -> None:
    """Plot shear stress over slip under one foot (Janosi and Hanamoto 1961)."""
    slip, label = np.linspace(0, 0.06, 200), 0.0
    for row in sorted(_materials(soft=True), key=lambda row: _strength(row.nominal())):
        drawn, colour = _drawn(row), _colour(row)
        rise = 1 - np.exp(-slip / drawn[:, index("shear_length"), None])
        stress = _strength(drawn)[:, None] * rise  # (1 + DRAWS, k)
        low, high = np.percentile(stress[1:], [10, 90], axis=0)
        axes.fill_between(slip * 1e3, low, high, color=colour, alpha=0.15, lw=0)
        axes.plot(slip * 1e3, stress[0], color=colour, lw=2, ls=_dashes(row))
        label = max(label + 0.04, stress[0, -1])  # keeps labels apart
        axes.text(61, label, row.title, color=colour, va="center", fontsize=8.5)
        for published in SHEAR.get(row.name, ()):
            axes.scatter(58, published, s=22, c="white", edgecolors=[colour], zorder=5)
    axes.set(title="Shear under one foot", xlim=(0, 60), ylim=(0, 1.1))
    axes.set(xlabel="slip [mm]", ylabel="shear stress over pressure [-]")


def _friction(axes: Axes) -> None:
    """Plot friction of rigid ground, dry and on a water film at low and high slip speed."""
    rigid = _materials(soft=False)[::-1]
    for y, row in enumerate(rigid):
        colour = _colour(row)
        columns = [index(name) for name in ("friction", "wet_ratio_low", "wet_ratio_high")]
        dry, low, high = _drawn(row)[:, columns].T
        wet = (low < 1).any()
        for friction, aside, faint in ((dry, 0.16 * wet, 0.9), (dry * low, -0.08, 0.6))[: 1 + wet]:
            band = np.percentile(friction[1:], [10, 90])
            axes.hlines(y + aside, *band, color=[colour], lw=7, alpha=0.35 * faint)
            axes.plot(friction[0], y + aside, "o", color=colour, alpha=faint)
        if wet:
            fast, still = (((dry * ratio)[0], y - 0.08) for ratio in (high, low))
            arrow = {"arrowstyle": "->", "color": colour, "lw": 1.4}
            axes.annotate("", fast, still, arrowprops=arrow)
        for published in FRICTION.get(row.name, ()):
            axes.scatter(published, y - 0.3, s=22, c="white", edgecolors=[colour], zorder=5)
    note = "arrow: on the water film,\nfrom low to high slip speed"
    axes.annotate(note, (0.02, 0.02), xycoords="axes fraction", color="0.5", fontsize=7.5)
    axes.set_yticks(range(len(rigid)), [row.title for row in rigid])
    for tick, row in zip(axes.get_yticklabels(), rigid, strict=True):
        tick.set_color(_colour(row))
    axes.tick_params(axis="y", length=0)
    axes.set(title="Friction of rigid ground", xlabel="friction [-]", xlim=(0, 1.2))
    axes.set(ylim=(-0.6, len(rigid) - 0.4))


def _materials(soft: bool) -> list[Material]:
    return [row for row in MATERIALS.values() if row.soft is soft]


def _colour(row: Material) -> Any:
    """Colour of a material in films, more saturated and darkened to be seen on white."""
    hue, saturation, value = rgb_to_hsv(row.look.rgb)
    return tuple(hsv_to_rgb((hue, saturation**0.5, min(value, 0.7))))


def _dashes(row: Material) -> str | tuple[int, tuple[float, float]]:
    return "-" if row.trained else (0, (4, 1.5))


def _strength(parameters: Array) -> Array:
    """Shear strength over pressure under one foot that slides (...) of materials (..., P)."""
    cohesion, angle, h0, support = (
        parameters[..., index(name)]
        for name in ("cohesion", "friction_angle", "horizontal_capacity", "slide_support")
    )
    alone = np.asarray(cohesion / (SOLE * 1e3) + np.tan(np.radians(angle)))
    return np.where(h0 > 0, np.minimum(alone, 4 * h0 * (1 - support)), alone)


def _drawn(row: Material) -> Array:
    """Parameters of the nominal material, then of DRAWS drawn ones (1 + DRAWS, P)."""
    rng = np.random.default_rng(0)
    return np.array([row.nominal(), *(row.draw(lambda _: rng.random()) for _ in range(DRAWS))])


def _pressure(parameters: Array, sinkage: Array) -> Array:
    """Pressure (k, m) [Pa] of the soil law of materials (m, P) along `sinkage` (k,) [m]."""
    dt, mass = 0.001, 5000.0  # so that the stability limit on stiffness has no effect
    law, state = coefficients(parameters, dt, mass), untouched(len(parameters))
    return np.array([soil_traction(law, z, np.zeros(3), state)[:, 2] for z in sinkage])
