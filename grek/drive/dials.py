"""Dials: what a driver can change of the world, each a reading of a scenario and a change to it."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from grek.envs.ground import materials
from grek.envs.ground.materials import MATERIALS, material
from grek.envs.ground.shapes import SHAPES, ShapeKind, ShapePart
from grek.envs.ground.surface import LAYOUTS, Surface
from grek.envs.scenarios.scenario import Context, Scenario
from grek.envs.simulation.simulation import CONTROL_STEP

NAME = "driven"  # of a world that was changed
NONE = "nothing"
_FILM = ("wet_ratio_low", "wet_ratio_high", "slip_speed", "patch_length")


@dataclass(frozen=True)
class Dial:
    """A number of the world."""

    label: str
    low: float
    high: float
    step: float
    read: Callable[[Scenario], float]
    write: Callable[[Scenario, float], Scenario]
    hint: str

    def accepts(self, value: object) -> bool:
        """True for a number in range."""
        number = isinstance(value, int | float) and not isinstance(value, bool)
        return number and self.low - 1e-9 <= value <= self.high + 1e-9  # type: ignore[operator]


@dataclass(frozen=True)
class Choice:
    """One of several names."""

    label: str
    options: tuple[str, ...]
    read: Callable[[Scenario], str]
    write: Callable[[Scenario, str], Scenario]
    hint: str

    def accepts(self, value: object) -> bool:
        """True for one of the options."""
        return value in self.options


Control = Dial | Choice


def changed(scenario: Scenario, control: Control, value: Any) -> Scenario:
    """`scenario` with `control` at `value`, under another name than the one it was drawn by."""
    new: Scenario = control.write(scenario, value)
    context = Context("material", new.surface.materials[0])
    return replace(new, name=NAME, context=context)


# -- ground ----------------------------------------------------------------------------------


def _nominal(name: str) -> tuple[float, ...]:
    return tuple(material(name).nominal().tolist())


def _first(scenario: Scenario, name: str) -> Scenario:
    old = scenario.surface
    rows = (_nominal(name), *old.parameters[1:])
    return replace(
        scenario, surface=replace(old, materials=(name, *old.materials[1:]), parameters=rows)
    )


def _second(scenario: Scenario, name: str) -> Scenario:
    old, first = scenario.surface, scenario.surface.materials[:1]
    if name == NONE:
        alone = Surface(first, old.parameters[:1], seed=old.seed)
        return replace(scenario, surface=alone)
    layout = old.layout if old.layout != "single" else "patches"
    rows = (old.parameters[0], _nominal(name))
    mixed = replace(old, materials=(*first, name), parameters=rows, layout=layout)
    return replace(scenario, surface=mixed)


def _layout(scenario: Scenario, name: str) -> Scenario:
    old = scenario.surface
    if len(old.materials) < 2:
        return scenario
    return replace(scenario, surface=replace(old, layout=name))


def _parameter(name: str) -> Callable[[Scenario], float]:
    column = materials.index(name)
    return lambda scenario: scenario.surface.parameters[0][column]


def _with_parameters(scenario: Scenario, **values: float) -> Scenario:
    """`scenario` with other parameters of its first material."""
    surface = scenario.surface
    row = list(surface.parameters[0])
    for name, value in values.items():
        row[materials.index(name)] = value
    rows = (tuple(row), *surface.parameters[1:])
    return replace(scenario, surface=replace(surface, parameters=rows))


def _puddles(scenario: Scenario, share: float) -> Scenario:
    """Water on `share` of the first material, acting as on concrete if it knows no water."""
    wet = material("wet_concrete")
    film = {}
    if "wet_ratio_low" not in material(scenario.surface.materials[0]).quantities:
        film = {name: wet.quantity(name).nominal for name in _FILM}
    return _with_parameters(scenario, wet_area=share, **film)


def _size(kind: ShapeKind, scale: float) -> Callable[[Scenario], float]:
    def read(scenario: Scenario) -> float:
        return scale * sum(p.values[kind.size] for p in scenario.shape if p.kind == kind.name)

    return read


def _resize(kind: ShapeKind, scale: float) -> Callable[[Scenario, float], Scenario]:
    """Change to the size of the part of `kind`, of which there is one if the size is not 0."""

    def write(scenario: Scenario, value: float) -> Scenario:
        others = tuple(p for p in scenario.shape if p.kind != kind.name)
        old = next((p.values for p in scenario.shape if p.kind == kind.name), None)
        if old is None:  # uphill lies ahead
            old = {p.name: p.range.quantile(0.5) for p in kind.parameters}
        part = ShapePart(kind.name, {**old, kind.size: value / scale})
        return replace(scenario, shape=(*others, part) if value else others)

    return write


def _shape(kind: ShapeKind) -> Dial:
    """Dial of the size of `kind`: up to the far end of its held-out range."""
    unit = next(p.unit for p in kind.parameters if p.name == kind.size)
    scale, unit = {"m": (1000.0, "mm"), "-": (100.0, "%")}.get(unit, (1.0, unit))
    high = round(scale * kind.far.high, 6)
    return Dial(
        f"{kind.name} [{unit}]",
        0.0,
        high,
        high / 20,
        _size(kind, scale),
        _resize(kind, scale),
        f"up to {scale * kind.range.high:g} in training",
    )


# -- body ------------------------------------------------------------------------------------


def _part(
    part: str, name: str, label: str, low: float, high: float, hint: str, scale: float = 1.0
) -> Dial:
    """Dial of the field `name` in `part` of a scenario, shown times `scale`."""

    def write(scenario: Scenario, value: float) -> Scenario:
        old = getattr(scenario, part)
        return replace(scenario, **{part: replace(old, **{name: value / scale})})

    return Dial(
        label,
        low,
        high,
        (high - low) / 40,
        lambda scenario: scale * getattr(getattr(scenario, part), name),
        write,
        hint,
    )


def ground() -> tuple[Control, ...]:
    """Controls of what the ground is made of."""
    names = tuple(MATERIALS)
    bottom, top = (materials.PARAMETERS[materials.index("friction")].low, 1.2)
    return (
        Choice("Material", names, lambda s: s.surface.materials[0], _first, "nominal values"),
        Choice(
            "Mixed with",
            (NONE, *names),
            lambda s: (*s.surface.materials, NONE)[1],
            _second,
            "a second material beside the first",
        ),
        Choice(
            "Layout",
            LAYOUTS[1:],
            lambda s: s.surface.layout if s.surface.layout != "single" else "patches",
            lambda s, name: _layout(s, name),
            "of two materials",
        ),
        Dial(
            "Patch size [m]",
            0.2,
            3.0,
            0.1,
            lambda s: s.surface.length,
            lambda s, x: replace(s, surface=replace(s.surface, length=x)),
            "correlation length of patches, width of strips",
        ),
        Dial(
            "Puddles",
            0.0,
            1.0,
            0.05,
            _parameter("wet_area"),
            _puddles,
            "share of the first material under water; friction falls there with slip",
        ),
        Dial(
            "Friction",
            bottom,
            top,
            0.01,
            _parameter("friction"),
            lambda s, x: _with_parameters(s, friction=x),
            "Coulomb friction of the first material, where it is rigid",
        ),
    )


def shape() -> tuple[Control, ...]:
    """Controls of the height of the ground: one for each registered kind of shape."""
    return tuple(_shape(kind) for kind in SHAPES.values())


def body() -> tuple[Control, ...]:
    """Controls of body, motors and sensors."""
    step = 1000 * CONTROL_STEP
    sensors = _part("sensors", "delay", "Sensors late [ms]", 0, 60, "0 to 20 in training", step)
    return (
        _part("body", "payload", "Payload [kg]", -1.0, 4.0, "-0.5 to 0.5 in training"),
        _part("motors", "strength", "Motor strength", 0.4, 1.0, "0.85 to 1 in training"),
        _part("motors", "stiffness", "Motor stiffness", 0.5, 1.5, "0.85 to 1.15 in training"),
        _part("motors", "friction", "Joint friction", 0.0, 4.0, "0.5 to 1.5 in training"),
        _part("motors", "delay", "Motors late [ms]", 0, 40, "0 to 15 in training", 1000),
        sensors,
        _part("sensors", "gyro_noise", "Gyro noise [rad/s]", 0, 0.4, "0 to 0.15 in training"),
        _part("sensors", "joint_noise", "Encoder noise [rad]", 0, 0.04, "0 to 0.01 in training"),
    )
