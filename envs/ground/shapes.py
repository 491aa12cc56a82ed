"""Shape of the ground: analytic height and normal at any point of any world, unbounded in extent.

A shape is a sum of parts, at most one of each kind: slope, random relief, waves, steps. A
`ShapeKind` defines its parameters with their training ranges, a function from the parameters of one
world to coefficients, and a vectorised function from coefficients to height and gradient.
`register` adds a kind (docs/extending.md).
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from grek.envs.distributions import Distribution, Uniform
from grek.envs.hashing import normals, uniform
from grek.envs.registry import Registry
from grek.envs.vectors import Array
from grek.errors import InputError

FEATURES = 8  # cosines of a random Fourier field
BEVEL = 0.08  # horizontal width of the transition between treads [m]
_ONES = np.ones(FEATURES, np.float32)
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
Elevation = Callable[[Array, Array, Array], tuple[Array, Array, Array]]
"""Coefficients (m, c), x (m, points), y (m, points) [m] to height [m], dh/dx and dh/dy [-], each
(m, points)."""


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


class Terrain:
    """Shapes of all worlds, evaluated in one pass."""

    def __init__(self, worlds: int) -> None:
        self.flat = np.ones(worlds, bool)
        self._coefficients: dict[str, Array] = {}  # of each kind in use (worlds, c)
        self._has: dict[str, NDArray[np.bool_]] = {}  # (worlds,)

    def set(self, world: int, shape: Shape) -> None:
        """Set the shape of `world`; raises InputError for an unknown or repeated kind."""
        check(shape)
        uneven = sizes(shape)
        self.flat[world] = not uneven
        for has in self._has.values():
            has[world] = False
        for p in shape:
            if p.kind in uneven:
                values = shape_kind(p.kind).coefficients(p.values)
                if p.kind not in self._has:
                    self._has[p.kind] = np.zeros(len(self.flat), bool)
                    self._coefficients[p.kind] = np.zeros((len(self.flat), len(values)))
                self._has[p.kind][world] = True
                self._coefficients[p.kind][world] = values

    def height_and_normal(
        self, xy: Array, worlds: NDArray | slice = slice(None)
    ) -> tuple[Array, Array]:
        """Height (m, points) [m] and unit normal (m, points, 3) at xy (m, points, 2) [m].

        Row i of xy lies in world `worlds[i]`; by default m is the number of worlds.
        """
        x, y = xy[..., 0].copy(), xy[..., 1].copy()
        height, slope_x, slope_y = np.zeros((3, *x.shape))
        for kind in SHAPES.values():  # fixed order of summation: the same bits in any batch
            if kind.name in self._has and len(rows := np.flatnonzero(self._has[kind.name][worlds])):
                which = rows if isinstance(worlds, slice) else worlds[rows]
                coefficients = self._coefficients[kind.name][which]
                rise, grade_x, grade_y = kind.elevation(coefficients, x[rows], y[rows])
                height[rows] += rise
                slope_x[rows] += grade_x
                slope_y[rows] += grade_y
        length = np.sqrt(slope_x**2 + slope_y**2 + 1)
        normal = np.empty((*height.shape, 3))
        normal[..., 0], normal[..., 1] = -slope_x / length, -slope_y / length
        normal[..., 2] = 1 / length
        return height, normal


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


def fourier_angle(xy: Array, wave_vectors: Array, phases: Array) -> NDArray[np.float32]:
    """k . p + phase of every feature (m, points, FEATURES) at xy (m, points, 2) [m].

    `wave_vectors` (m, FEATURES, 2) [rad/m], `phases` (m, FEATURES) [rad]. The result is reduced to
    [-pi, pi] and rounded to single precision, which makes sine and cosine twenty times as fast at
    an error of nanometres of relief.
    """
    turns = xy @ wave_vectors.swapaxes(1, 2) + phases[:, None]
    turns *= 1 / (2 * np.pi)
    turns -= np.rint(turns)
    return turns.astype(np.float32) * np.float32(2 * np.pi)


class FourierField:
    """Random scalar field of unit variance for each world; its level sets bound patches."""

    def __init__(self, worlds: int) -> None:
        self.wave_vectors = np.zeros((worlds, FEATURES, 2))  # [rad/m]
        self.phases = np.zeros((worlds, FEATURES))  # [rad]

    def set(self, world: int, length: float, seed: int) -> None:
        """Draw the field of `world` from `seed`, at correlation length `length` [m]."""
        self.wave_vectors[world], self.phases[world] = fourier_features(length, seed)

    def value(self, xy: Array, worlds: NDArray | slice) -> Array:
        """The field (m, points) at xy (m, points, 2) [m] of `worlds` (m,)."""
        angle = fourier_angle(xy, self.wave_vectors[worlds], self.phases[worlds])
        return np.sqrt(2 / FEATURES) * (np.cos(angle) @ _ONES)


def normal_quantile(share: float) -> float:
    """Quantile of the standard normal distribution at `share`, clipped to [1e-6, 1 - 1e-6]."""
    return NormalDist().inv_cdf(min(max(share, 1e-6), 1 - 1e-6))


def normal_share(value: Array) -> Array:
    """Standard normal cumulative distribution at `value`, error below 4e-4.

    Page 1977, Applied Statistics 26: Phi(x) ~ (1 + tanh(sqrt(2/pi)(x + 0.044715 x^3))) / 2.
    """
    return 0.5 * (1 + np.tanh(np.sqrt(2 / np.pi) * (value + 0.044715 * value**3)))


# -- kinds ---------------------------------------------------------------------------------


def _direction(heading: float) -> Array:
    return np.array([np.cos(heading), np.sin(heading)])


def _slope(values: Mapping[str, float]) -> Array:
    return values["rise"] * _direction(values["heading"])


def _slope_elevation(coefficients: Array, x: Array, y: Array) -> tuple[Array, Array, Array]:
    """Plane through the origin with gradient (dh/dx, dh/dy)."""
    ahead, aside = coefficients.T[..., None]  # (m, 1)
    return (
        x * ahead + y * aside,
        np.broadcast_to(ahead, x.shape),
        np.broadcast_to(aside, x.shape),
    )


def _relief(values: Mapping[str, float]) -> Array:
    wave_vectors, phases = fourier_features(values["length"], int(values["seed"]))
    amplitude = values["deviation"] * np.sqrt(2 / FEATURES)
    return np.concatenate([wave_vectors.ravel(), phases, [amplitude]])


def _relief_elevation(coefficients: Array, x: Array, y: Array) -> tuple[Array, Array, Array]:
    """Random Fourier field scaled to its standard deviation."""
    wave_vectors = coefficients[:, : 2 * FEATURES].copy().reshape(-1, FEATURES, 2)
    phases, amplitude = coefficients[:, 2 * FEATURES : -1].copy(), coefficients[:, -1:]
    angle = fourier_angle(np.stack([x, y], -1), wave_vectors, phases)  # (m, points, FEATURES)
    grade = np.sin(angle) @ wave_vectors
    return (
        amplitude * (np.cos(angle) @ _ONES),
        -(amplitude * grade[..., 0]),
        -(amplitude * grade[..., 1]),
    )


def _waves(values: Mapping[str, float]) -> Array:
    wave_vector = 2 * np.pi / values["length"] * _direction(values["heading"])
    return np.array([*wave_vector, values["phase"], values["height"] / 2])


def _waves_elevation(coefficients: Array, x: Array, y: Array) -> tuple[Array, Array, Array]:
    """Plane wave: amplitude sin(k . p + phase)."""
    k_x, k_y, phase, amplitude = coefficients.T[..., None]
    angle = (x * k_x + y * k_y) + phase
    grade = amplitude * np.cos(angle)
    return amplitude * np.sin(angle), grade * k_x, grade * k_y


def _steps(values: Mapping[str, float]) -> Array:
    length = values["length"]
    along = _direction(values["heading"]) / length
    return np.array([*along, values["height"], values["seed"], BEVEL / length])


def _steps_elevation(coefficients: Array, x: Array, y: Array) -> tuple[Array, Array, Array]:
    """Treads perpendicular to a heading, at heights hashed from their index.

    Adjacent treads are joined by 3 t^2 - 2 t^3 over BEVEL. Its smallest radius of curvature,
    BEVEL^2 / (6 rise), is 21 mm at a rise of 50 mm, above the 18 mm of a sole point, which
    therefore rolls over any edge with a single contact.
    """
    k_x, k_y, tallest, seed, bevel = coefficients.T[..., None]
    along = x * k_x + y * k_y  # in treads
    tread = np.floor(along)
    edge = np.clip((along - tread - 1 + bevel) / bevel, 0, 1)
    here, there = uniform(tread + np.arange(2)[:, None, None], seed) * tallest
    rise = there - here
    grade = rise * 6 * edge * (1 - edge) / bevel
    return here + rise * edge**2 * (3 - 2 * edge), grade * k_x, grade * k_y


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
