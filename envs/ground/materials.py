"""The materials of the ground: one table, one row a material, every number with its source.

A material is a value for each of PARAMETERS. Rigid ground (depth 0) uses the first six, soft ground
(depth > 0) all of them; `grek.envs.ground.soil` states the law. A parameter that a row
leaves out takes its neutral value. A drawn material is a float vector in the order of PARAMETERS,
so that worlds hold arrays.
"""

from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from grek.envs.scenarios.distributions import Constant, Distribution, LogUniform, Uniform
from grek.errors import InputError

Pattern = Literal["plain", "speckle", "planks", "tiles", "weave", "blades", "leaves"]


@dataclass(frozen=True)
class Parameter:
    """A column of the table; `low` and `high` bound what is physical."""

    name: str
    unit: str
    low: float
    high: float
    neutral: float
    """Value in a row that does not name this parameter."""
    meaning: str


PARAMETERS = (
    Parameter("friction", "-", 0.01, 2.0, 0.6, "Coulomb friction of the dry, rigid surface"),
    Parameter("wet_ratio_low", "-", 0.05, 1.0, 1.0, "friction on the film at rest, over dry"),
    Parameter("wet_ratio_high", "-", 0.02, 1.0, 1.0, "friction on the film in fast slip, over dry"),
    Parameter("slip_speed", "m/s", 0.001, 10.0, 1.0, "slip at which the film has mostly formed"),
    Parameter("wet_area", "-", 0.0, 1.0, 0.0, "share of the area under a film"),
    Parameter("patch_length", "m", 0.02, 10.0, 1.0, "correlation length of the film"),
    Parameter("depth", "m", 0.0, 1.0, 0.0, "thickness of the layer that gives; 0 is rigid"),
    Parameter("bearing", "Pa", 0.0, 1e7, 0.0, "pressure of first loading at 10 mm sinkage"),
    Parameter("exponent", "-", 0.1, 3.0, 1.0, "n of pressure ~ sinkage^n"),
    Parameter("lock", "-", 0.0, 1.0, 0.0, "share of the depth at which it locks; 0 is never"),
    Parameter("loss", "-", 0.0, 0.99, 0.0, "share of the work of loading that unloading keeps"),
    Parameter("relaxation", "s", 0.0, 0.1, 0.0, "viscosity over elastic stiffness"),
    Parameter("recovery_time", "s", 0.0, 1e4, 0.0, "in which a print fades; 0 is never"),
    Parameter("cohesion", "Pa", 0.0, 1e5, 0.0, "shear strength without pressure"),
    Parameter("friction_angle", "deg", 0.0, 60.0, 0.0, "of shearing under pressure"),
    Parameter("shear_length", "m", 5e-4, 0.1, 0.01, "K: slip at 63 % of the shear strength"),
    Parameter("slide_support", "-", 0.1, 1.0, 1.0, "bearing of a sliding over a still sole"),
    Parameter("suction", "Pa", 0.0, 1e4, 0.0, "tension that holds a lifting sole"),
    Parameter("grain", "m", 0.0, 0.1, 0.0, "median grain size d50"),
    Parameter("relief", "-", 0.0, 0.5, 0.0, "standard deviation of the surface over d50"),
    Parameter("collapse_share", "-", 0.0, 1.0, 0.0, "share of elements with a loose stone below"),
    Parameter("collapse_depth", "m", 0.0, 0.05, 0.0, "drop of the surface when a stone rolls out"),
    Parameter("pile", "-", 0.0, 0.5, 0.0, "friction along the pile over the mean, less 1"),
    Parameter("pile_heading", "rad", -np.pi, np.pi, 0.0, "where the pile points"),
)
_COLUMNS = {parameter.name: column for column, parameter in enumerate(PARAMETERS)}
ESTIMATE = "estimate"


def index(name: str) -> int:
    """Column of the parameter `name` in a drawn material; raises InputError for an unknown one."""
    if name not in _COLUMNS:
        raise InputError(f"unknown parameter {name!r}; there are: {', '.join(_COLUMNS)}")
    return _COLUMNS[name]


@dataclass(frozen=True)
class Quantity:
    """A number of the table: what it usually is, over what it varies, and who says so."""

    nominal: float
    range: Distribution
    source: str
    """Who says so, or "estimate"."""

    @property
    def bounds(self) -> tuple[float, float]:
        """Lowest and highest value that can be drawn."""
        if isinstance(self.range, Constant):
            return self.range.value, self.range.value
        return self.range.low, self.range.high


@dataclass(frozen=True)
class Look:
    """How films paint the material."""

    rgb: tuple[float, float, float]
    pattern: Pattern


@dataclass(frozen=True)
class Material:
    """A row of the table; raises InputError naming the parameter that cannot be."""

    name: str
    title: str
    trained: bool
    """Part of the training space; the others are held out for evaluation."""
    look: Look
    quantities: dict[str, Quantity]
    """What this row names; see `quantity` for the rest."""
    _ranges: list[Distribution] = field(init=False, repr=False)  # of all PARAMETERS

    def __post_init__(self) -> None:
        for name, quantity in self.quantities.items():
            parameter = PARAMETERS[index(name)]
            low, high = quantity.bounds
            if not quantity.source.strip():
                raise InputError(f"{self.name}: {name} names no source; give one or {ESTIMATE!r}")
            for value in (quantity.nominal, low, high):
                if not parameter.low <= value <= parameter.high:
                    raise InputError(
                        f"{self.name}: {name} {value:g} {parameter.unit} is outside of"
                        f" {parameter.low:g} to {parameter.high:g}"
                    )
            if not low <= quantity.nominal <= high:
                raise InputError(
                    f"{self.name}: nominal {name} {quantity.nominal:g} is outside of its own range"
                    f" {low:g} to {high:g}"
                )
        depth, grain = self.quantity("depth").bounds[0], self.quantity("grain").bounds[1]
        if 0 < depth < grain or depth == 0 < grain:
            raise InputError(
                f"{self.name}: depth {depth:g} m is thinner than a grain of {grain:g} m"
            )
        object.__setattr__(self, "_ranges", [self.quantity(p.name).range for p in PARAMETERS])

    @property
    def soft(self) -> bool:
        """Whether it gives under a sole."""
        return self.quantity("depth").nominal > 0

    def quantity(self, name: str) -> Quantity:
        """The parameter `name` of this row; raises InputError for an unknown one."""
        neutral = PARAMETERS[index(name)].neutral
        return self.quantities.get(name) or Quantity(neutral, Constant(neutral), "neutral")

    def nominal(self) -> NDArray[np.float64]:
        """The usual material (P,)."""
        return np.array([self.quantity(p.name).nominal for p in PARAMETERS])

    def draw(self, rng: np.random.Generator) -> NDArray[np.float64]:
        """One material of this row's ranges (P,)."""
        return np.array([distribution.sample(rng) for distribution in self._ranges])


def material(name: str) -> Material:
    """The row `name`; raises InputError naming the rows there are."""
    if name not in MATERIALS:
        raise InputError(f"unknown material {name!r}; there are: {', '.join(MATERIALS)}")
    return MATERIALS[name]


def table() -> list[list[str]]:
    """The whole table as text, header first: a line for each quantity of each material."""
    rows = [["material", "used in", "parameter", "unit", "nominal", "range", "source"]]
    for row in MATERIALS.values():
        used = "training" if row.trained else "held out"
        for parameter in PARAMETERS:
            if parameter.name not in row.quantities:
                continue
            quantity = row.quantities[parameter.name]
            low, high = quantity.bounds
            spread = "fixed" if low == high else f"{low:.3g} to {high:.3g}"
            text = [parameter.name, parameter.unit, f"{quantity.nominal:.3g}", spread]
            rows.append([row.name, used, *text, quantity.source])
    return rows


def _fixed(value: float, source: str = ESTIMATE) -> Quantity:
    return Quantity(value, Constant(value), source)


def _span(nominal: float, low: float, high: float, source: str = ESTIMATE) -> Quantity:
    return Quantity(nominal, Uniform(low, high), source)


def _scale(nominal: float, low: float, high: float, source: str = ESTIMATE) -> Quantity:
    return Quantity(nominal, LogUniform(low, high), source)


_NOON = "Noon 1994, friction tables"
_PERSSON = "Persson et al. 2005, Phys. Rev. B 71 035428: 20-30 % below dry at low speed"
_FAST = "estimate; fast drop above a critical speed: Soft Matter 2024, D4SM00843J"
_PUDDLE = "estimate; 0.4 mm of water counts as wet: Tulloch and Stocker"
_WONG = "Wong, Theory of Ground Vehicles, as PyChrono users tabulate it"
_RFT = "RFT, Li et al. 2013, coefficients as re-implemented: sliding over straight down"
_BEKKER_SNOW = f"{_WONG}: snow (US)"
_CARPET = "estimate; pile heights of tests, pen.ius.edu.ba 1773: 7, 11, 16 mm"


def _film(low: Quantity, high: Quantity, speed: Quantity, area: Quantity) -> dict[str, Quantity]:
    patch = _span(0.3, 0.1, 0.5)
    return {
        "wet_ratio_low": low,
        "wet_ratio_high": high,
        "slip_speed": speed,
        "wet_area": area,
        "patch_length": patch,
    }


_KINDS: dict[str, tuple[str, bool, Look]] = {
    "dry_concrete": ("dry concrete", True, Look((0.62, 0.62, 0.60), "speckle")),
    "wet_concrete": ("wet concrete", True, Look((0.42, 0.44, 0.46), "speckle")),
    "sand": ("dry sand", True, Look((0.82, 0.71, 0.50), "speckle")),
    "gravel": ("gravel", True, Look((0.52, 0.49, 0.45), "speckle")),
    "carpet": ("carpet", True, Look((0.47, 0.24, 0.27), "weave")),
    "ice": ("ice", False, Look((0.80, 0.89, 0.94), "plain")),
    "snow": ("fresh snow", False, Look((0.95, 0.96, 0.98), "plain")),
    "mud": ("mud", False, Look((0.33, 0.25, 0.18), "plain")),
    "grass": ("grass", False, Look((0.29, 0.47, 0.19), "blades")),
    "wet_leaves": ("wet leaves", False, Look((0.48, 0.31, 0.13), "leaves")),
    "wood": ("wooden floor", False, Look((0.60, 0.43, 0.27), "planks")),
    "tile": ("tiles, partly wet", False, Look((0.84, 0.83, 0.79), "tiles")),
    "rubber": ("rubber mat", False, Look((0.17, 0.18, 0.19), "plain")),
}
_QUANTITIES: dict[str, dict[str, Quantity]] = {
    "dry_concrete": {"friction": _span(0.75, 0.55, 0.95, f"{_NOON}: 0.75; tyres 0.60-0.90")},
    "wet_concrete": {
        "friction": _span(0.75, 0.55, 0.95, f"{_NOON}: 0.75; tyres 0.60-0.90"),
        **_film(
            _span(0.77, 0.70, 0.80, _PERSSON),
            _span(0.45, 0.25, 0.50, _FAST),
            _scale(0.2, 0.05, 0.5, _FAST),
            _span(0.6, 0.2, 1.0, _PUDDLE),
        ),
    },
    "sand": {
        "friction": _span(0.58, 0.49, 0.73, "tangent of the friction angle"),
        "depth": _span(0.15, 0.10, 0.20),
        "bearing": _scale(9.72e3, 6.5e3, 30e3, f"{_WONG}: LLL dry sand; CMU plates 13-14 kPa"),
        "exponent": _span(1.1, 1.0, 1.4, f"{_WONG}: LLL 1.10; CMU plates 1.41"),
        "loss": _span(0.76, 0.68, 0.81, "estimate: unloading 3 to 5 times as steep as loading"),
        "relaxation": _span(0.003, 0.002, 0.004),
        "cohesion": _span(500, 0, 1000, f"{_WONG}: LLL dry sand 1.04 kPa at most"),
        "friction_angle": _span(30, 26, 36, f"{_WONG}: LLL 28, LETE 31.1; CMU sand 29"),
        "shear_length": _span(0.015, 0.008, 0.025, "estimate: 10-25 mm in use; CMU 21 mm"),
        "slide_support": _fixed(0.375, _RFT),
        "grain": _fixed(0.0005),
    },
    "gravel": {
        "friction": _span(0.60, 0.50, 0.70, "crushed stone road, tyres 0.60-0.70"),
        "depth": _span(0.08, 0.05, 0.12),
        "bearing": _scale(35e3, 20e3, 60e3, "estimate: 3.3 mm at 11.5 kPa"),
        "exponent": _fixed(1.0),
        "loss": _span(0.75, 0.6, 0.8),
        "relaxation": _span(0.003, 0.002, 0.004),
        "cohesion": _span(200, 0, 500),
        "friction_angle": _span(38, 34, 45, "NASA Ames Roverscape: crushed granite repose 38"),
        "shear_length": _span(0.010, 0.005, 0.020),
        "slide_support": _fixed(0.375, _RFT),
        "grain": _span(0.016, 0.008, 0.030),
        "relief": _span(0.22, 0.15, 0.30),
        "collapse_share": _span(0.10, 0.0, 0.30),
        "collapse_depth": _span(0.004, 0.002, 0.008),
    },
    "carpet": {
        "friction": _span(0.75, 0.5, 1.0),
        "depth": _span(0.008, 0.004, 0.014, _CARPET),
        "bearing": _scale(27e3, 15e3, 60e3, "estimate: 2 mm of 8 at 11.5 kPa"),
        "exponent": _fixed(1.0),
        "lock": _fixed(0.8),
        "loss": _span(0.45, 0.3, 0.6),
        "relaxation": _span(0.003, 0.002, 0.004),
        "recovery_time": _scale(0.6, 0.2, 2.0),
        "friction_angle": _span(36.9, 26.6, 45, "estimate: friction 0.5 to 1.0"),
        "shear_length": _span(0.003, 0.001, 0.006),
        "pile": _span(0.12, 0.0, 0.20),
        "pile_heading": _span(0.0, -np.pi, np.pi, "any"),
    },
    "ice": {
        "friction": _span(0.10, 0.07, 0.15, f"{_NOON}: 0.10-0.15; tyres 0.05-0.15"),
        **_film(
            _span(0.45, 0.40, 0.60, "estimate; wet ice very slippery: Gronqvist 1995"),
            _span(0.35, 0.30, 0.40),
            _scale(0.2, 0.05, 0.5),
            _span(0.4, 0.0, 1.0),
        ),
    },
    "snow": {
        "friction": _span(0.25, 0.20, 0.35, f"{_NOON}: snow 0.20-0.25, packed 0.25-0.35"),
        "depth": _span(0.05, 0.04, 0.06, "estimate: what a 0.66 m droid can wade"),
        "bearing": _scale(158.6, 100, 250, _BEKKER_SNOW),
        "exponent": _span(1.6, 1.44, 1.6, f"{_WONG}: US and Harrison 1.60, Sweden 1.44"),
        "lock": _span(0.8, 0.7, 0.85, "estimate: fresh snow packs to a fifth"),
        "loss": _span(0.9, 0.85, 0.95),
        "relaxation": _span(0.004, 0.002, 0.006),
        "cohesion": _span(1030, 620, 1500, f"{_BEKKER_SNOW} 1.03 kPa, Harrison 0.62 kPa"),
        "friction_angle": _span(19.7, 18, 23.2, f"{_BEKKER_SNOW} 19.7, Harrison 23.2"),
        "shear_length": _span(0.03, 0.02, 0.04, "estimate: 30 mm in use for snow"),
        "slide_support": _span(0.6, 0.4, 0.8),
    },
    "mud": {
        "friction": _span(0.30, 0.15, 0.40, "tyres on mud 0.15-0.40"),
        "depth": _span(0.07, 0.05, 0.10),
        "bearing": _scale(8e3, 5e3, 15e3, f"estimate: {_WONG}, Thailand clays, softened"),
        "exponent": _span(0.6, 0.5, 0.7, f"{_WONG}: Thailand clays 0.50-0.70"),
        "loss": _span(0.9, 0.8, 0.95),
        "relaxation": _span(0.006, 0.004, 0.010),
        "cohesion": _span(3e3, 2e3, 4.14e3, f"{_WONG}: Thailand clays 2.07-4.14 kPa"),
        "friction_angle": _span(11.5, 10, 13, f"{_WONG}: Thailand clays 10-13"),
        "shear_length": _span(0.015, 0.008, 0.025),
        "slide_support": _span(0.6, 0.4, 0.8),
        "suction": _span(2e3, 1e3, 3e3),
    },
    "grass": {
        "friction": _span(0.45, 0.20, 0.55, f"{_NOON}: wet grass 0.20; dry an estimate"),
        "depth": _span(0.022, 0.015, 0.030),
        "bearing": _scale(4.3e3, 2e3, 9e3, "estimate: 5-12 mm at 11.5 kPa"),
        "exponent": _fixed(1.0),
        "lock": _fixed(0.8),
        "loss": _span(0.6, 0.5, 0.7),
        "relaxation": _span(0.003, 0.002, 0.004),
        "recovery_time": _scale(2.0, 0.5, 5.0),
        "cohesion": _span(200, 0, 500),
        "friction_angle": _span(24, 11.3, 28.8, f"{_NOON}: wet grass 0.20; dry 0.55 estimated"),
        "shear_length": _span(0.008, 0.004, 0.015),
    },
    "wet_leaves": {
        "friction": _span(0.60, 0.50, 0.70),
        **_film(
            _span(0.42, 0.30, 0.55),
            _span(0.30, 0.20, 0.30),
            _scale(0.2, 0.05, 0.5),
            _span(0.7, 0.4, 1.0),
        ),
    },
    "wood": {"friction": _span(0.60, 0.50, 0.80)},
    "tile": {
        "friction": _span(0.65, 0.60, 0.90),
        **_film(
            _span(0.50, 0.40, 0.60, "estimate; some ceramics slip wet: Coatings 2021 11:1254"),
            _span(0.30, 0.20, 0.40),
            _scale(0.2, 0.05, 0.5),
            _span(0.3, 0.0, 1.0),
        ),
    },
    "rubber": {"friction": _span(0.95, 0.80, 1.20)},
}
MATERIALS = {
    name: Material(name, title, trained, look, _QUANTITIES[name])
    for name, (title, trained, look) in _KINDS.items()
}
