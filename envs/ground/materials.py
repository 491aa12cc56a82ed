"""The materials of the ground: one record each, every number with its source.

A material is a distribution over each of PARAMETERS. Rigid ground (depth 0) uses the first six,
ground that gives (depth > 0) all of them; `grek.envs.ground.soil` states the law. A parameter that
a record leaves out takes its neutral value. A drawn material is a float vector in the order of
PARAMETERS, so that worlds hold arrays. `register` adds a material of one's own.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from grek.envs.distributions import Constant, Distribution, LogUniform, Signed, Uniform
from grek.envs.registry import Registry
from grek.errors import InputError


@dataclass(frozen=True)
class Parameter:
    """A coefficient of the ground's laws; `low` and `high` are its physical bounds."""

    name: str
    unit: str
    low: float
    high: float
    neutral: float
    """Value in a material that does not name this parameter."""
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
    Parameter("horizontal_capacity", "-", 0.0, 0.5, 0.0, "h0 of soils as footings; 0 for a pile"),
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
    """Nominal value and distribution of a parameter, with the source of both."""

    nominal: float
    range: Distribution
    source: str
    """Publication or data set, or "estimate"."""

    @property
    def bounds(self) -> tuple[float, float]:
        """Lowest and highest value that can be drawn."""
        low = -self.range.high if isinstance(self.range, Signed) else self.range.low
        return low, self.range.high


@dataclass(frozen=True)
class Look:
    """Appearance in films, which raise InputError for a pattern, cover or texture they lack."""

    rgb: tuple[float, float, float]
    """Mean colour, each channel in [0, 1]; tints `pattern` and `cover`."""
    pattern: str = "plain"
    """Generic texture in this colour: plain, speckle, planks, tiles, weave, blades or leaves."""
    cover: str | None = None
    """Loose objects that lie or grow on the ground: grass, stones, leaves, or None."""
    film_gloss: float = 0.48
    """Share of light that a full film of water mirrors [-]; pile and litter break the film."""
    texture: str | Path | None = None
    """Image of 2.56 m x 2.56 m used as it is in place of `pattern`; its alpha is 1 - gloss.

    A path; a relative one starts at assets/textures.
    """


@dataclass(frozen=True)
class Material:
    """A material of the ground; raises InputError naming the parameter that is out of bounds."""

    name: str
    title: str
    trained: bool
    """Part of the training space; the others are held out for evaluation."""
    look: Look
    quantities: dict[str, Quantity]
    """By parameter name; `quantity` supplies the neutral rest."""

    def __post_init__(self) -> None:
        if not re.fullmatch("[a-z][a-z0-9]*(_[a-z0-9]+)*", self.name):
            raise InputError(f"material name {self.name!r} is not in snake case")
        if not all(0 <= channel <= 1 for channel in self.look.rgb):
            raise InputError(f"{self.name}: rgb {self.look.rgb} is outside of 0 to 1")
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

    @property
    def soft(self) -> bool:
        """True if the ground gives under a sole."""
        return self.quantity("depth").nominal > 0

    def quantity(self, name: str) -> Quantity:
        """The parameter `name` of this material; raises InputError for an unknown one."""
        neutral = PARAMETERS[index(name)].neutral
        return self.quantities.get(name) or Quantity(neutral, Constant(neutral), "neutral")

    def nominal(self) -> NDArray[np.float64]:
        """Nominal values (P,)."""
        return np.array([self.quantity(p.name).nominal for p in PARAMETERS])

    @cached_property
    def ranges(self) -> tuple[Distribution, ...]:
        """Distribution of each of PARAMETERS (P,)."""
        return tuple(self.quantity(p.name).range for p in PARAMETERS)

    def draw(self, uniform: Callable[[str], float]) -> NDArray[np.float64]:
        """One sample of `ranges` (P,), given a number in [0, 1) for each parameter's name."""
        return np.array(
            [
                d.value if isinstance(d, Constant) else d.quantile(uniform(p.name))
                for p, d in zip(PARAMETERS, self.ranges, strict=True)
            ]
        )


MATERIALS: Registry[Material] = Registry("material")
"""Every registered material by name, in the order of registration."""
register, material = MATERIALS.register, MATERIALS.named


def table() -> list[list[str]]:
    """All quantities of all materials as rows of text, header first."""
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


def fixed(value: float, source: str = ESTIMATE) -> Quantity:
    """A quantity that does not vary."""
    return Quantity(value, Constant(value), source)


def uniform(nominal: float, low: float, high: float, source: str = ESTIMATE) -> Quantity:
    """A quantity evenly distributed from `low` to `high`."""
    return Quantity(nominal, Uniform(low, high), source)


def log_uniform(nominal: float, low: float, high: float, source: str = ESTIMATE) -> Quantity:
    """A quantity whose logarithm is evenly distributed, from `low` to `high`, both positive."""
    return Quantity(nominal, LogUniform(low, high), source)


def water_film(
    low: Quantity, high: Quantity, speed: Quantity, area: Quantity
) -> dict[str, Quantity]:
    """Quantities of a film: friction ratio at rest and in fast slip, slip speed, wet area."""
    return {
        "wet_ratio_low": low,
        "wet_ratio_high": high,
        "slip_speed": speed,
        "wet_area": area,
        "patch_length": uniform(0.3, 0.1, 0.5),
    }


# -- the materials ---------------------------------------------------------------------------

_NOON = "Noon 1994, friction tables"
_PERSSON = "Persson et al. 2005, Phys. Rev. B 71 035428: 20-30 % below dry at low speed"
_FILM = "estimate: trowelled to brushed, wet"
_PUDDLE = "estimate; 0.4 mm of water counts as wet: Tulloch and Stocker"
_WONG = "Wong, Theory of Ground Vehicles, as PyChrono users tabulate it"
_RFT = "RFT, Li et al. 2013, coefficients as re-implemented: sliding over straight down"
_FOOTINGS = "footings on sand 0.12, Gottardi et al. 1999 (from memory); RFT 0.136, Li et al. 2013"
_SNOW_US = f"{_WONG}: snow (US)"
_DAMPING = "estimate: damping ratio 0.04 at 2 Hz; soils 0.02-0.1"
_CARPET = "pile heights of tests, pen.ius.edu.ba 1773: 7, 11, 16 mm"


register(
    Material(
        "dry_concrete",
        "dry concrete",
        trained=True,
        look=Look((0.62, 0.62, 0.60), texture="dry_concrete.webp"),
        quantities={"friction": uniform(0.75, 0.55, 0.95, f"{_NOON}: 0.75; tyres 0.60-0.90")},
    )
)
register(
    Material(
        "wet_concrete",
        "wet concrete",
        trained=True,
        look=Look((0.42, 0.44, 0.46), texture="wet_concrete.webp"),
        quantities={
            "friction": uniform(0.75, 0.55, 0.95, f"{_NOON}: 0.75; tyres 0.60-0.90"),
            **water_film(
                uniform(0.77, 0.70, 0.80, _PERSSON),
                uniform(0.55, 0.30, 0.70, _FILM),
                log_uniform(0.2, 0.05, 0.5),
                uniform(0.6, 0.2, 1.0, _PUDDLE),
            ),
        },
    )
)
register(
    Material(
        "sand",
        "dry sand",
        trained=True,
        look=Look((0.82, 0.71, 0.50), texture="sand.webp"),
        quantities={
            "friction": uniform(0.58, 0.49, 0.73, "tangent of the friction angle"),
            "depth": uniform(0.15, 0.10, 0.20),
            "bearing": log_uniform(
                9.72e3,
                6.5e3,
                30e3,
                f"{_WONG}: LLL dry sand, for a sole 0.08 m wide; CMU plate 0.1 m 13-14 kPa",
            ),
            "exponent": uniform(1.1, 1.0, 1.4, f"{_WONG}: LLL 1.10; CMU plates 1.41"),
            "loss": uniform(
                0.76, 0.68, 0.81, "estimate: unloading 3 to 5 times as steep as loading"
            ),
            "relaxation": uniform(0.006, 0.004, 0.010, _DAMPING),
            "cohesion": uniform(
                50, 0, 100, "estimate: about 0; 1 kPa in tables is a fit's intercept"
            ),
            "friction_angle": uniform(30, 26, 36, f"{_WONG}: LLL 28, LETE 31.1; CMU sand 29"),
            "shear_length": uniform(0.015, 0.008, 0.025, "estimate: 10-25 mm in use; CMU 21 mm"),
            "slide_support": fixed(0.375, _RFT),
            "horizontal_capacity": uniform(0.135, 0.115, 0.155, _FOOTINGS),
            "grain": fixed(0.0005),
        },
    )
)
register(
    Material(
        "gravel",
        "gravel",
        trained=True,
        look=Look((0.52, 0.49, 0.45), texture="gravel.webp", cover="stones"),
        quantities={
            "friction": uniform(0.60, 0.50, 0.70, "crushed stone road, tyres 0.60-0.70"),
            "depth": uniform(0.08, 0.05, 0.12),
            "bearing": log_uniform(
                38e3,
                20e3,
                60e3,
                "3D-RFT, Agarwal et al. 2023, for 1705 kg/m^3 and 38 deg; no plate measured",
            ),
            "exponent": fixed(1.0),
            "loss": uniform(0.75, 0.6, 0.8),
            "relaxation": uniform(0.010, 0.006, 0.015, _DAMPING),
            "cohesion": uniform(200, 0, 500),
            "friction_angle": uniform(
                38, 34, 45, "NASA Ames Roverscape: crushed granite repose 38"
            ),
            "shear_length": uniform(0.010, 0.005, 0.020),
            "slide_support": fixed(0.375, _RFT),
            "horizontal_capacity": uniform(0.15, 0.12, 0.18, f"estimate: {_FOOTINGS}"),
            "grain": uniform(0.016, 0.008, 0.030),
            "relief": uniform(0.22, 0.15, 0.30),
            "collapse_share": uniform(0.10, 0.0, 0.30),
            "collapse_depth": uniform(0.004, 0.002, 0.008),
        },
    )
)
register(
    Material(
        "carpet",
        "carpet",
        trained=True,
        look=Look((0.47, 0.24, 0.27), texture="carpet.webp", film_gloss=0.3),
        quantities={
            "friction": uniform(0.75, 0.5, 1.0),
            "depth": uniform(0.011, 0.007, 0.016, _CARPET),
            "bearing": log_uniform(
                12e3,
                7e3,
                16e3,
                "estimate: 3.5 mm of 11 at 11.5 kPa; denser is beyond a step of 5 ms",
            ),
            "exponent": fixed(1.0),
            "lock": fixed(0.8),
            "loss": uniform(0.45, 0.3, 0.6),
            "relaxation": uniform(0.003, 0.002, 0.004),
            "recovery_time": log_uniform(0.6, 0.2, 2.0),
            "friction_angle": uniform(36.9, 26.6, 45, "estimate: friction 0.5 to 1.0"),
            "shear_length": uniform(0.003, 0.001, 0.006),
            "pile": uniform(0.12, 0.0, 0.20),
            "pile_heading": uniform(0.0, -np.pi, np.pi, "any"),
        },
    )
)
register(
    Material(
        "ice",
        "ice",
        trained=False,
        look=Look((0.80, 0.89, 0.94), texture="ice.webp"),
        quantities={
            "friction": uniform(0.10, 0.07, 0.15, f"{_NOON}: 0.10-0.15; tyres 0.05-0.15"),
            **water_film(
                uniform(0.45, 0.40, 0.60, "estimate; wet ice very slippery: Gronqvist 1995"),
                uniform(0.35, 0.30, 0.40),
                log_uniform(0.2, 0.05, 0.5),
                uniform(0.4, 0.0, 1.0),
            ),
        },
    )
)
register(
    Material(
        "snow",
        "fresh snow",
        trained=False,
        look=Look((0.95, 0.96, 0.98), texture="snow.webp"),
        quantities={
            "friction": uniform(0.25, 0.20, 0.35, f"{_NOON}: snow 0.20-0.25, packed 0.25-0.35"),
            "depth": uniform(0.05, 0.04, 0.06, "estimate: what a 0.66 m droid can wade"),
            "bearing": log_uniform(158.6, 100, 250, _SNOW_US),
            "exponent": uniform(1.6, 1.44, 1.6, f"{_WONG}: US and Harrison 1.60, Sweden 1.44"),
            "lock": uniform(0.8, 0.7, 0.85, "estimate: fresh snow packs to a fifth"),
            "loss": uniform(0.9, 0.85, 0.95),
            "relaxation": uniform(0.004, 0.002, 0.006),
            "cohesion": uniform(1030, 620, 1500, f"{_SNOW_US} 1.03 kPa, Harrison 0.62 kPa"),
            "friction_angle": uniform(19.7, 18, 23.2, f"{_SNOW_US} 19.7, Harrison 23.2"),
            "shear_length": uniform(0.03, 0.02, 0.04, "estimate: 30 mm in use for snow"),
            "slide_support": uniform(0.55, 0.4, 0.65),
            "horizontal_capacity": uniform(0.15, 0.12, 0.18),
        },
    )
)
register(
    Material(
        "mud",
        "mud",
        trained=False,
        look=Look((0.33, 0.25, 0.18), texture="mud.webp"),
        quantities={
            "friction": uniform(0.30, 0.15, 0.40, "tyres on mud 0.15-0.40"),
            "depth": uniform(0.07, 0.05, 0.10),
            "bearing": log_uniform(8e3, 5e3, 15e3, f"estimate: {_WONG}, Thailand clays, softened"),
            "exponent": uniform(0.6, 0.5, 0.7, f"{_WONG}: Thailand clays 0.50-0.70"),
            "loss": uniform(0.9, 0.8, 0.95),
            "relaxation": uniform(0.006, 0.004, 0.010),
            "cohesion": uniform(3e3, 2e3, 4.14e3, f"{_WONG}: Thailand clays 2.07-4.14 kPa"),
            "friction_angle": uniform(11.5, 10, 13, f"{_WONG}: Thailand clays 10-13"),
            "shear_length": uniform(0.015, 0.008, 0.025),
            "slide_support": uniform(0.5, 0.4, 0.6),
            "horizontal_capacity": uniform(
                0.127, 0.11, 0.15, "footings on clay 0.127, Martin and Houlsby 2000 (from memory)"
            ),
            "suction": uniform(2e3, 1e3, 3e3),
        },
    )
)
register(
    Material(
        "grass",
        "grass",
        trained=False,
        look=Look((0.29, 0.47, 0.19), texture="grass.webp", cover="grass", film_gloss=0.3),
        quantities={
            "friction": uniform(0.45, 0.20, 0.55, f"{_NOON}: wet grass 0.20; dry an estimate"),
            "depth": uniform(0.022, 0.015, 0.030),
            "bearing": log_uniform(4.3e3, 2e3, 9e3, "estimate: 5-12 mm at 11.5 kPa"),
            "exponent": fixed(1.0),
            "lock": fixed(0.8),
            "loss": uniform(0.6, 0.5, 0.7),
            "relaxation": uniform(0.003, 0.002, 0.004),
            "recovery_time": log_uniform(2.0, 0.5, 5.0),
            "cohesion": uniform(200, 0, 500),
            "friction_angle": uniform(
                24, 11.3, 28.8, f"{_NOON}: wet grass 0.20; dry 0.55 estimated"
            ),
            "shear_length": uniform(0.008, 0.004, 0.015),
        },
    )
)
register(
    Material(
        "wet_leaves",
        "wet leaves",
        trained=False,
        look=Look((0.48, 0.31, 0.13), texture="wet_leaves.webp", cover="leaves", film_gloss=0.3),
        quantities={
            "friction": uniform(0.60, 0.50, 0.70),
            **water_film(
                uniform(0.42, 0.30, 0.55),
                uniform(0.30, 0.20, 0.30),
                log_uniform(0.2, 0.05, 0.5),
                uniform(0.7, 0.4, 1.0),
            ),
        },
    )
)
register(
    Material(
        "wood",
        "wooden floor",
        trained=False,
        look=Look((0.60, 0.43, 0.27), texture="wood.webp"),
        quantities={"friction": uniform(0.60, 0.50, 0.80)},
    )
)
register(
    Material(
        "tile",
        "tiles, partly wet",
        trained=False,
        look=Look((0.84, 0.83, 0.79), texture="tile.webp"),
        quantities={
            "friction": uniform(0.65, 0.60, 0.90),
            **water_film(
                uniform(
                    0.50, 0.40, 0.60, "estimate; some ceramics slip wet: Coatings 2021 11:1254"
                ),
                uniform(0.30, 0.20, 0.40),
                log_uniform(0.2, 0.05, 0.5),
                uniform(0.3, 0.0, 1.0),
            ),
        },
    )
)
register(
    Material(
        "rubber",
        "rubber mat",
        trained=False,
        look=Look((0.17, 0.18, 0.19), texture="rubber.webp"),
        quantities={"friction": uniform(0.95, 0.80, 1.20)},
    )
)
