"""The shape of the ground: height and normal under any point of any world, endless and exact.

A shape is a sum: a slope, one wave, a rough relief and low steps. The relief is a random Fourier
field: for K features with wave vectors k ~ N(0, I / L^2) and uniform phases,

    g(p) = sqrt(2 / K) sum cos(k . p + phase)

has mean 0, variance 1 and covariance exp(-|d|^2 / 2 L^2) at correlation length L (Rahimi and Recht
2007). The same field, thresholded, says where a wet film or another material lies. Steps are
treads of a given length across a heading, each at a height drawn by hashing its number; their
edges are rounded over BEVEL, so wide that a sole point rolls over the highest without a jump: the
tightest radius, BEVEL^2 / (6 rise), is 21 mm at a rise of 50 mm, and a point's is 18 mm.
"""

from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from grek.envs.robots.robot import Array

FEATURES = 8  # of a random Fourier field
BEVEL = 0.08  # horizontal width of a step's edge [m]
_EACH = np.ones(FEATURES, np.float32)


@dataclass(frozen=True)
class Shape:
    """The shape of one world's ground; all zeros is a flat floor."""

    slope: float = 0.0
    """Rise over run [-]."""
    slope_heading: float = 0.0
    """Where uphill is [rad]."""
    wave_height: float = 0.0
    """Crest above trough [m]."""
    wave_length: float = 1.0
    """Crest to crest [m]."""
    wave_heading: float = 0.0
    roughness: float = 0.0
    """Standard deviation of the relief [m]."""
    roughness_length: float = 0.3
    """Correlation length of the relief [m]."""
    step_height: float = 0.0
    """Highest tread above the lowest [m]."""
    step_length: float = 0.4
    """Length of a tread [m]."""
    step_heading: float = 0.0
    seed: int = 0
    """Of the relief's features and the treads' heights."""


class FourierField:
    """One random field per world, with covariance exp(-|d|^2 / 2 L^2) and unit variance."""

    def __init__(self, worlds: int) -> None:
        self.wave_vectors = np.zeros((worlds, FEATURES, 2))  # [rad/m]
        self.phases = np.zeros((worlds, FEATURES))  # [rad]

    def set(self, world: int, length: float, seed: int) -> None:
        """Draw the field of `world` anew from `seed`, at correlation length `length` [m]."""
        rng = np.random.default_rng(seed)
        self.wave_vectors[world] = rng.standard_normal((FEATURES, 2)) / length
        self.phases[world] = rng.uniform(0, 2 * np.pi, FEATURES)

    def angle(self, xy: Array, worlds: NDArray | slice) -> NDArray[np.float32]:
        """k . p + phase of every feature: (m, points, FEATURES) at xy (m, points, 2) [m].

        Less whole turns, and then single: good for a nanometre of relief, and sine and cosine are
        twenty times as fast.
        """
        turns = xy @ self.wave_vectors[worlds].swapaxes(1, 2) + self.phases[worlds][:, None]
        turns *= 1 / (2 * np.pi)
        turns -= np.rint(turns)
        return turns.astype(np.float32) * np.float32(2 * np.pi)

    def value(self, xy: Array, worlds: NDArray | slice) -> Array:
        """The field (m, points) at xy (m, points, 2) [m] of `worlds` (m,)."""
        return np.sqrt(2 / FEATURES) * (np.cos(self.angle(xy, worlds)) @ _EACH)


class Terrain:
    """The shapes of all worlds, asked for height and normal in one pass."""

    def __init__(self, worlds: int) -> None:
        self.gradient = np.zeros((worlds, 2))  # of the slope [-]
        self.relief = FourierField(worlds)
        self.amplitude = np.zeros(worlds)  # of one feature of the relief [m]
        self.wave = np.zeros((worlds, 4))  # wave vector x, y [rad/m], phase [rad], amplitude [m]
        self.step = np.zeros((worlds, 4))  # heading x, y over tread length [1/m], height [m], seed
        self.bevel = np.ones(worlds)  # width of an edge over the tread length [-]
        self.flat = np.ones(worlds, bool)

    def set(self, world: int, shape: Shape) -> None:
        """Give `world` its shape."""
        parts = (shape.slope, shape.wave_height, shape.roughness, shape.step_height)
        self.flat[world] = not any(parts)
        rng = np.random.default_rng(shape.seed)
        self.gradient[world] = shape.slope * _heading(shape.slope_heading)
        seed = int(rng.integers(2**31))
        if shape.roughness:
            self.relief.set(world, shape.roughness_length, seed)
        self.amplitude[world] = shape.roughness * np.sqrt(2 / FEATURES)
        self.wave[world, :2] = 2 * np.pi / shape.wave_length * _heading(shape.wave_heading)
        self.wave[world, 2:] = rng.uniform(0, 2 * np.pi), shape.wave_height / 2
        self.step[world, :2] = _heading(shape.step_heading) / shape.step_length
        self.step[world, 2:] = shape.step_height, rng.uniform(0, 1000)
        self.bevel[world] = BEVEL / shape.step_length

    def height_and_normal(self, xy: Array, worlds: NDArray | slice = slice(None)) -> tuple:
        """Height (m, points) [m] and unit normal (m, points, 3) at xy (m, points, 2) [m].

        `worlds` (m,) says whose ground each row of xy asks for; all of them by default.
        """
        x, y = xy[..., 0].copy(), xy[..., 1].copy()  # (m, points)
        ahead, aside = self.gradient[worlds].T[..., None]  # dh/dx, dh/dy (m, 1)
        height = x * ahead + y * aside
        slope_x, slope_y = (np.repeat(part, xy.shape[1], 1) for part in (ahead, aside))
        # Only the rows that have a relief, a wave or steps pay for it.
        if len(rows := np.flatnonzero(self.amplitude[worlds])):
            which = _pick(worlds, rows)
            amplitude = self.amplitude[which, None]
            angle = self.relief.angle(xy[rows], which)  # (rows, points, FEATURES)
            height[rows] += amplitude * (np.cos(angle) @ _EACH)
            waves = np.sin(angle) @ self.relief.wave_vectors[which]
            slope_x[rows] -= amplitude * waves[..., 0]
            slope_y[rows] -= amplitude * waves[..., 1]
        if len(rows := np.flatnonzero(self.wave[worlds, 3])):
            k_x, k_y, phase, amplitude = self.wave[_pick(worlds, rows)].T[..., None]
            angle = (x[rows] * k_x + y[rows] * k_y) + phase
            height[rows] += amplitude * np.sin(angle)
            grade = amplitude * np.cos(angle)
            slope_x[rows] += grade * k_x
            slope_y[rows] += grade * k_y
        if len(rows := np.flatnonzero(self.step[worlds, 2])):
            which = _pick(worlds, rows)
            k_x, k_y, tallest, seed = self.step[which].T[..., None]
            bevel = self.bevel[which, None]
            rise, grade = _treads(x[rows] * k_x + y[rows] * k_y, bevel, tallest, seed)
            height[rows] += rise
            slope_x[rows] += grade * k_x
            slope_y[rows] += grade * k_y
        length = np.sqrt(slope_x**2 + slope_y**2 + 1)
        normal = np.empty((*height.shape, 3))
        normal[..., 0], normal[..., 1], normal[..., 2] = (
            -slope_x / length,
            -slope_y / length,
            1 / length,
        )
        return height, normal


def _pick(worlds: NDArray | slice, rows: NDArray) -> NDArray:
    """The worlds that `rows` of a call ask for."""
    return rows if isinstance(worlds, slice) else worlds[rows]


def _treads(along: Array, bevel: Array, tallest: Array, seed: Array) -> tuple[Array, Array]:
    """Height [m] of the treads at `along` (m, points), counted in treads, and its derivative.

    `bevel` [-], the height of the `tallest` [m] and `seed` are (m, 1).
    """
    tread = np.floor(along)
    edge = np.clip((along - tread - 1 + bevel) / bevel, 0, 1)
    here, there = (_hash(tread + i, seed) * tallest for i in (0, 1))
    rise = there - here
    return here + rise * edge**2 * (3 - 2 * edge), rise * 6 * edge * (1 - edge) / bevel


def _hash(number: Array, seed: Array) -> Array:
    """A value in [0, 1) for every whole number and seed, without pattern to the eye."""
    scrambled = np.sin(number * 12.9898 + seed) * 43758.5453
    return scrambled - np.floor(scrambled)


def _heading(angle: float) -> Array:
    return np.array([np.cos(angle), np.sin(angle)])


def normal_quantile(share: float) -> float:
    """The value a standard normal variable stays below with probability `share`."""
    return NormalDist().inv_cdf(min(max(share, 1e-6), 1 - 1e-6))


def normal_share(value: Array) -> Array:
    """Probability of a standard normal variable to stay below `value` (tanh form, within 4e-4).

    Page 1977, Applied Statistics 26: Phi(x) ~ (1 + tanh(sqrt(2/pi)(x + 0.044715 x^3))) / 2.
    """
    return 0.5 * (1 + np.tanh(np.sqrt(2 / np.pi) * (value + 0.044715 * value**3)))
