"""Shape of the ground: analytic height and normal at any point of any world, unbounded in extent.

A shape is a sum of parts, at most one of each kind: slope, random relief, waves, steps. A
`ShapeKind` defines its parameters with their training ranges, a function from the parameters of one
world to coefficients, and a scalar function from coefficients to height and gradient at a place,
which is compiled. `register` adds a kind (docs/extending.md).
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from statistics import NormalDist
from typing import Any

import numpy as np

from grek.envs.distributions import Distribution, Uniform
from grek.envs.ground.kernels import kernel, uniform_pair
from grek.envs.hashing import normals, uniform
from grek.envs.registry import Registry
from grek.envs.vectors import Array
from grek.errors import InputError

FEATURES = 8  # cosines of a random Fourier field
BEVEL = 0.08  # horizontal width of the transition between treads [m]
_ANGLE = Uniform(-np.pi, np.pi)  # [rad]
SEEDS = Uniform(0, 2**31)  # truncated to an integer


@dataclass(frozen=True)
class ShapePart:
    """Part of a shape: its kind and the values of the kind's parameters, by name."""

    kind: str
    values: Mapping[str, float]


Shape = tuple[ShapePart, ...]
"""Shape of one world; empty for level ground."""

Coefficients = Callable[[Mapping[str, float]], Array]
"""Parameters of one world, by name, to coefficients (c,); c is fixed for a kind."""
Elevation = Callable[[Any, float, float, Any], None]
"""Coefficients (c,) and a place x, y [m]; writes height [m], dh/dx and dh/dy [-] into the last
argument (3,). Scalar Python that Numba compiles: functions of `math`, no NumPy arrays."""


@dataclass(frozen=True)
class Parameter:
    """Parameter of a shape kind; one named "seed" takes integers."""

    name: str
    unit: str
    range: Distribution
    """Distribution in training."""
    meaning: str
    whole: bool = False
    """A whole number, such as a seed."""


@dataclass(frozen=True)
class ShapeKind:
    """Kind of shape part, such as slope or steps."""

    name: str
    parameters: tuple[Parameter, ...]
    size: str
    """Name of the amplitude parameter: 0 is level, curriculum and score breakdown use it."""
    near: Distribution
    """Range of `size` just outside of training."""
    far: Distribution
    """Range of `size` far outside of training."""
    coefficients: Coefficients
    elevation: Elevation

    def __post_init__(self) -> None:
        if self.size not in [p.name for p in self.parameters]:
            raise InputError(f"shape {self.name!r} has no parameter {self.size!r} to be its size")

    @property
    def range(self) -> Distribution:
        """Distribution of `size` in training."""
        return next(p.range for p in self.parameters if p.name == self.size)


def part(kind: str, **values: float) -> ShapePart:
    """Part of `kind`; raises InputError for an unknown kind, or missing or extra parameters."""
    made = ShapePart(kind, values)
    check((made,))
    return made


def check(shape: Shape) -> None:
    """Raise InputError for an unknown or repeated kind, or missing or extra parameters."""
    for p in shape:
        known = [parameter.name for parameter in shape_kind(p.kind).parameters]
        if set(p.values) != set(known) or not all(map(math.isfinite, p.values.values())):
            raise InputError(
                f"shape {p.kind!r} takes finite {', '.join(known)}; got {dict(p.values)}"
            )
        size = p.values[shape_kind(p.kind).size]
        if size < 0:
            raise InputError(f"shape {p.kind!r} has a negative size, {size:g}")
    if len({p.kind for p in shape}) != len(shape):
        raise InputError(f"a shape has one part of a kind, got {[p.kind for p in shape]}")


def eased(shape: Shape, level: float) -> Shape:
    """`shape` with the size of every part scaled by `level` in [0, 1]."""
    return tuple(
        replace(p, values={**p.values, size: p.values[size] * level})
        for p in shape
        for size in (shape_kind(p.kind).size,)
    )


def sizes(shape: Shape) -> dict[str, float]:
    """Size by kind of the parts whose size is positive."""
    found = {p.kind: float(p.values[shape_kind(p.kind).size]) for p in shape}
    return {kind: size for kind, size in found.items() if size > 0}


# -- random fields -------------------------------------------------------------------------


def fourier_features(length: float, seed: int) -> tuple[Array, Array]:
    """Wave vectors (FEATURES, 2) [rad/m] and phases (FEATURES,) [rad] of a random Fourier field.

    With k ~ N(0, I / L^2) and uniform phases, sqrt(2 / K) sum cos(k . p + phase) has mean 0,
    variance 1 and covariance exp(-|d|^2 / 2 L^2), over seeds, at correlation length L (Rahimi and
    Recht 2007).
    """
    feature = np.arange(FEATURES)
    wave_vectors = normals(seed, feature[:, None], np.arange(2)) / length
    return wave_vectors, 2 * np.pi * uniform(seed, feature, 2)


@kernel
def fourier_value(wave_vectors: Any, phases: Any, x: float, y: float) -> Any:
    """Value at x, y [m] of the field of `wave_vectors` (FEATURES, 2) and `phases` (FEATURES,)."""
    total = 0.0
    for k in range(FEATURES):
        total += math.cos(wave_vectors[k, 0] * x + wave_vectors[k, 1] * y + phases[k])
    return math.sqrt(2.0 / FEATURES) * total


class FourierField:
    """Random scalar field of unit variance for each world; its level sets bound patches."""

    def __init__(self, worlds: int) -> None:
        self.wave_vectors = np.zeros((worlds, FEATURES, 2))  # [rad/m]
        self.phases = np.zeros((worlds, FEATURES))  # [rad]

    def set(self, world: int, length: float, seed: int) -> None:
        """Draw the field of `world` from `seed`, at correlation length `length` [m]."""
        self.wave_vectors[world], self.phases[world] = fourier_features(length, seed)


def normal_quantile(share: float) -> float:
    """Quantile of the standard normal distribution at `share`, clipped to [1e-6, 1 - 1e-6]."""
    return NormalDist().inv_cdf(min(max(share, 1e-6), 1 - 1e-6))


@kernel
def normal_share(value: float) -> float:
    """Standard normal cumulative distribution at `value`, error below 4e-4.

    Page 1977, Applied Statistics 26: Phi(x) ~ (1 + tanh(sqrt(2/pi)(x + 0.044715 x^3))) / 2.
    """
    cubic = value + 0.044715 * value * value * value
    return 0.5 * (1.0 + math.tanh(math.sqrt(2.0 / math.pi) * cubic))


# -- kinds ---------------------------------------------------------------------------------


def _direction(heading: float) -> Array:
    return np.array([np.cos(heading), np.sin(heading)])


def _slope(values: Mapping[str, float]) -> Array:
    return values["rise"] * _direction(values["heading"])


def _slope_elevation(c: Any, x: float, y: float, out: Any) -> None:
    """Plane through the origin with gradient (dh/dx, dh/dy)."""
    out[0], out[1], out[2] = c[0] * x + c[1] * y, c[0], c[1]


def _relief(values: Mapping[str, float]) -> Array:
    wave_vectors, phases = fourier_features(values["length"], int(values["seed"]))
    amplitude = values["deviation"] * np.sqrt(2 / FEATURES)
    return np.concatenate([wave_vectors.ravel(), phases, [amplitude]])


def _relief_elevation(c: Any, x: float, y: float, out: Any) -> None:
    """Random Fourier field scaled to its standard deviation."""
    height, grade_x, grade_y = 0.0, 0.0, 0.0
    for k in range(FEATURES):
        k_x, k_y = c[2 * k], c[2 * k + 1]
        angle = k_x * x + k_y * y + c[2 * FEATURES + k]
        sine = math.sin(angle)
        height += math.cos(angle)
        grade_x -= sine * k_x
        grade_y -= sine * k_y
    amplitude = c[3 * FEATURES]
    out[0], out[1], out[2] = amplitude * height, amplitude * grade_x, amplitude * grade_y


def _waves(values: Mapping[str, float]) -> Array:
    wave_vector = 2 * np.pi / values["length"] * _direction(values["heading"])
    return np.array([*wave_vector, values["phase"], values["height"] / 2])


def _waves_elevation(c: Any, x: float, y: float, out: Any) -> None:
    """Plane wave: amplitude sin(k . p + phase)."""
    angle = c[0] * x + c[1] * y + c[2]
    grade = c[3] * math.cos(angle)
    out[0], out[1], out[2] = c[3] * math.sin(angle), grade * c[0], grade * c[1]


def _steps(values: Mapping[str, float]) -> Array:
    length = values["length"]
    along = _direction(values["heading"]) / length
    return np.array([*along, values["height"], values["seed"], BEVEL / length])


def _steps_elevation(c: Any, x: float, y: float, out: Any) -> None:
    """Treads perpendicular to a heading, at heights hashed from their index.

    Adjacent treads are joined by 3 t^2 - 2 t^3 over BEVEL. Its smallest radius of curvature,
    BEVEL^2 / (6 rise), is 21 mm at a rise of 50 mm, above the 18 mm of a sole point, which
    therefore rolls over any edge with a single contact.
    """
    k_x, k_y, tallest, seed, bevel = c[0], c[1], c[2], int(c[3]), c[4]
    along = x * k_x + y * k_y  # in treads
    tread = math.floor(along)
    edge = min(max((along - tread - 1.0 + bevel) / bevel, 0.0), 1.0)
    here, there = uniform_pair(tread, seed) * tallest, uniform_pair(tread + 1, seed) * tallest
    rise = there - here
    grade = rise * 6.0 * edge * (1.0 - edge) / bevel
    out[0] = here + rise * edge**2 * (3.0 - 2.0 * edge)
    out[1], out[2] = grade * k_x, grade * k_y


SHAPES: Registry[ShapeKind] = Registry("shape")
"""Every registered kind by name; shapes sum in this order."""
register, shape_kind = SHAPES.register, SHAPES.named


SLOPE = register(
    ShapeKind(
        "slope",
        (
            Parameter("rise", "-", Uniform(0.0, 0.10), "rise over run"),
            Parameter("heading", "rad", _ANGLE, "direction of uphill"),
        ),
        size="rise",
        near=Uniform(0.10, 0.15),
        far=Uniform(0.15, 0.20),
        coefficients=_slope,
        elevation=_slope_elevation,
    )
)
RELIEF = register(
    ShapeKind(
        "relief",
        (
            Parameter("deviation", "m", Uniform(0.0, 0.008), "standard deviation of the height"),
            Parameter("length", "m", Uniform(0.15, 0.4), "correlation length"),
            Parameter("seed", "-", SEEDS, "seed of the field's features"),
        ),
        size="deviation",
        near=Uniform(0.008, 0.012),
        far=Uniform(0.012, 0.018),
        coefficients=_relief,
        elevation=_relief_elevation,
    )
)
WAVES = register(
    ShapeKind(
        "waves",
        (
            Parameter("height", "m", Uniform(0.0, 0.04), "crest above trough"),
            Parameter("length", "m", Uniform(0.7, 2.0), "crest to crest"),
            Parameter("heading", "rad", _ANGLE, "direction of the wave vector"),
            Parameter("phase", "rad", Uniform(0.0, 2 * np.pi), "phase at the origin"),
        ),
        size="height",
        near=Uniform(0.04, 0.06),
        far=Uniform(0.06, 0.09),
        coefficients=_waves,
        elevation=_waves_elevation,
    )
)
STEPS = register(
    ShapeKind(
        "steps",
        (
            Parameter("height", "m", Uniform(0.0, 0.025), "highest tread above the lowest"),
            Parameter("length", "m", Uniform(0.3, 0.8), "depth of a tread"),
            Parameter("heading", "rad", _ANGLE, "horizontal normal of the edges"),
            Parameter("seed", "-", SEEDS, "seed of the treads' heights"),
        ),
        size="height",
        near=Uniform(0.025, 0.035),
        far=Uniform(0.035, 0.05),
        coefficients=_steps,
        elevation=_steps_elevation,
    )
)
