"""Ground that gives: pressure-sinkage and shear under the elements of a sole, on arrays.

MuJoCo's soft contacts sink alike under any mass, so ground that gives is a force law here. An
element of a sole, at sinkage z below the undisturbed surface, meets

* first loading: p(z) = k z^n / (1 - z/z_lock)^2, Bekker's pressure-sinkage (Wong, Theory of Ground
  Vehicles) times the stiffening of a pile, or of snow that packs;
* unloading and reloading along a line from the deepest point (x, p(x)) down, so steep that a cycle
  loses the share `loss` of the work of loading, and no less steep than p at x. It meets zero at
  the depth of the print; x is the memory that makes prints, second passes and dissipation;
* slip-sinkage: the more of its shear strength a sole mobilises, the less carries it, down to
  `slide_support` p(z) when it slides (resistive force theory, Li et al. 2013: 0.375): it digs in;
* shear: tau = (c + sigma tan phi) q with the Dahl bristle dq = v/K dt - |v| q/K dt, which is
  Janosi and Hanamoto's 1 - exp(-j/K) in one long slip, and also knows how to turn back. The stress
  stays when the ground gets stronger, and gives when it gets weaker;
* viscosity: `relaxation` times the slope of that line, along and across, within the strength, so
  that first loading and sliding do not depend on rate. Mud holds a lifting sole by it, up to its
  suction;
* stones that roll out when loaded, and a pile with a friction of its own along and across.

Beside resistive force theory, for sand: a level sole that goes in at 45 degrees is carried by 0.90,
0.82 and 0.69 of what carries it straight down, at 5, 10 and 20 mm; the theory says 0.82 at any
depth. Each element bears like a level one: a sole tilted by 15, 30 or 45 degrees and pushed
straight down is carried 6, 28 or 77 % too well, and not pushed sideways (at 45 degrees the theory
says by 0.22 of a level sole's pressure). Nothing piles up before a foot, or pushes on its sides.

Each part is passive: a closed cycle on even ground never makes energy. (Stones lift a sole without
pushing it back: shuffled along gravel without shear, at 0.3 m/s, it bounces 5 mm.) The stress of a
step follows from the poses
at its start, as MuJoCo's semi-implicit integrators want it; such a spring is stable up to a slope
of about 3 m/dt^2 [Pa/m], m the mass behind a unit of area. So p goes on as a straight line from
where its slope reaches STIFFEST m/dt^2, 4.6 MPa/m for the droid at 5 ms, which bounds a locked
layer too; the line down may be STIFFEST_LINE m/dt^2 steep, so that stiff ground still loses work.

Arrays are float32: a call for 256 worlds of 24 elements takes 0.4 ms on one core, a third of what
it takes in float64, whose temporaries fall out of the cache.
"""

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from grek.envs.ground.materials import index
from grek.envs.vectors import Array

Single = NDArray[np.float32]

SOLE_MASS = 115.0  # behind the droid's sole, 1.5 kg in the lightest pose of its leg [kg/m^2]
REFERENCE = 0.01  # sinkage at which a material's `bearing` is given [m]
STIFFEST = 1.0  # largest slope of first loading, in mass per area over dt^2
STIFFEST_LINE = 1.8  # the same for unloading: steeper, or stiff ground would lose no energy
STIFFEST_SHEAR = 0.55  # the same for shear: sideways that leg is only 0.53 kg
ROLL_OUT = 5.75e3  # pressure that moves a loose stone: that of standing on two feet [Pa]
DEEPEST, FASTEST = 1.0, 100.0  # the law saturates beyond: such a world is lost [m], [m/s]
_TINY = 1e-9


def coefficients(parameters: Array, dt: Array | float, mass: float = SOLE_MASS) -> Single:
    """What `soil_traction` needs to know of materials: (C, ...) from parameters (..., P).

    `dt` is the physics step [s], a scalar or an array that broadcasts to (...); `mass` is what a
    unit of sole area moves at least [kg/m^2]. Rigid materials (bearing 0) carry nothing here.
    """

    def value(name: str) -> Array:
        return parameters[..., index(name)]

    n, thickness, recovery = (
        value("exponent"),
        value("lock") * value("depth"),
        value("recovery_time"),
    )
    k = value("bearing") / REFERENCE**n  # [Pa/m^n]
    lock = np.divide(1, thickness, out=np.zeros_like(k), where=thickness > 0)  # [1/m]
    fade = np.divide(dt, recovery, out=np.zeros_like(k), where=recovery > 0)
    stiffest = np.broadcast_to(STIFFEST * mass / np.square(dt), k.shape)  # [Pa/m]
    return np.stack(
        [
            k,
            n,
            lock,
            _where_stiffest(k, n, lock, stiffest),
            stiffest,
            1 - value("loss"),
            value("relaxation"),
            -np.expm1(-fade),
            value("suction"),
            1 - value("slide_support"),
            value("collapse_depth"),
            value("cohesion"),
            np.tan(np.radians(value("friction_angle"))),
            value("shear_length"),
            value("pile") * np.cos(2 * value("pile_heading")),
            value("pile") * np.sin(2 * value("pile_heading")),
        ],
        dtype=np.float32,
        casting="same_kind",
    )


def _where_stiffest(k: Array, n: Array, lock: Array, stiffest: Array) -> Array:
    """Sinkage at which the slope of p reaches `stiffest`, by bisection [m]."""
    low, high = np.full_like(k, _TINY), np.where(lock > 0, 0.999 / np.maximum(lock, _TINY), DEEPEST)
    power = n - 1
    for _ in range(40):
        z = 0.5 * (low + high)
        closed = z * lock
        gap = 1 - closed
        # At the very surface the slope has no bound for n < 1, which is of no account.
        slope = k * np.maximum(z, 1e-3) ** power * (n + 2 * closed / gap) / gap**2
        steep = slope > stiffest
        np.copyto(high, z, where=steep)
        np.copyto(low, z, where=~steep)
    return low


@dataclass
class SoilState:
    """What elements remember, in arrays of any shape; zeros are untouched ground."""

    pressed: Single
    """How deep the ground there was ever pressed, below its undisturbed surface [m]."""
    bristle: Single
    """Mobilised share of the shear strength, along the two axes (2, ...)."""
    strength: Single
    """Shear strength at the last step [Pa]."""
    drop: Single
    """How far the surface fell because a stone rolled out [m]."""
    loose: NDArray[np.bool_]
    """A loose stone lies under the element; see `grek.envs.ground.stones`."""

    @classmethod
    def untouched(cls, worlds: int, elements: int) -> "SoilState":
        """Elements that have not met any ground."""
        zeros = np.zeros((5, worlds, elements), np.float32)
        loose = np.zeros((worlds, elements), bool)
        return cls(zeros[0], zeros[1:3], zeros[3], zeros[4], loose)

    def arrays(self) -> list[NDArray]:
        """The arrays above, in their order; elements lie in the last two axes."""
        return [getattr(self, f.name) for f in fields(self)]

    def forget(
        self, worlds: NDArray | slice | int, elements: NDArray | slice = slice(None)
    ) -> None:
        """Put these elements on untouched ground."""
        self.bristle[:, worlds, elements] = 0
        for array in (self.pressed, self.strength, self.drop, self.loose):
            array[worlds, elements] = 0


def soil_traction(
    law: Single,
    sinkage: Array,
    velocity: Array,
    state: SoilState,
    dt: float | Single,
    mass: float = SOLE_MASS,
) -> Single:
    """Stress of the ground on each element (m, e, 3) [Pa]: shear along it, and pressure up.

    `law` (C, m, e) is from `coefficients` with the same `dt` and `mass`; `sinkage` (m, e) [m];
    `velocity` (m, e, 3) [m/s] in the frame of the ground, z along its normal. Updates `state`.
    Finite in, finite out; NaN in, NaN out.
    """
    law = np.asarray(law, np.float32)
    z = np.clip(sinkage, -DEEPEST, DEEPEST).astype(np.float32, copy=False)
    velocity = np.clip(velocity, -FASTEST, FASTEST).astype(np.float32, copy=False)
    v_x, v_y, v_z = np.moveaxis(velocity, -1, 0)
    sigma, viscosity = _pressure(law, z, v_z, state, dt, mass)
    along, across = _shear(law, sigma, viscosity, v_x, v_y, state, dt, mass)
    return np.moveaxis(np.stack([along, across, sigma]), 0, -1)


def _pressure(
    law: Single,
    z: Single,
    v_z: Single,
    state: SoilState,
    dt: float | Single,
    mass: float,
) -> tuple[Single, Single]:
    """Pressure (m, e) [Pa], negative for suction, and viscosity [Pa s/m]."""
    k, n, lock, limit, stiffest, returned, relaxation, fade, suction, weakening, depth = law[:11]
    q_x, q_y = state.bristle
    pressed, drop = state.pressed, state.drop
    z = z - drop

    # p and its slope at the deepest point x.
    x = np.maximum(np.maximum(z, pressed), _TINY)
    bent = np.minimum(x, limit)
    closed = bent * lock
    gap = 1 - closed
    p = k * bent**n / (gap * gap)
    tangent = np.minimum(p * (n + 2 * closed / gap) / bent, stiffest)
    p = np.minimum(p + stiffest * (x - bent), stiffest * x)
    secant = p / x

    # The line down from there. Loading took the work p x / inverse, by a fraction that is exact
    # without a lock and within 2 % of the integral up to closed = 0.6.
    inverse = 1 / gap + n + 0.5 * closed
    slope = np.maximum((0.5 * secant) * inverse / returned, tangent)
    slope = np.maximum(np.minimum(slope, (STIFFEST_LINE / STIFFEST) * stiffest), 1.02 * secant)

    # Sliding weakens the ground. What exceeds its strength presses deeper, until the line meets it.
    lift = x - z
    strength = (1 - weakening * np.sqrt(q_x * q_x + q_y * q_y)) * np.maximum(p - tangent * lift, 0)
    elastic = np.maximum(np.minimum(p - slope * lift, strength), 0)
    pressed = np.maximum(pressed, (slope * z - strength) / np.maximum(slope - secant, _TINY))

    viscosity = relaxation * slope
    damping = viscosity / (1 + viscosity * (dt / mass))  # semi-implicit
    sigma = np.minimum(elastic - damping * v_z, strength * (elastic > 0))
    sigma = np.maximum(sigma, -suction * np.maximum(z, 0) / x)

    loose = state.loose
    if loose.any():
        rolls = loose & (sigma > ROLL_OUT)
        pressed = np.where(rolls, np.maximum(pressed - depth, 0), pressed)
        state.drop = np.where(rolls, depth, drop)
        state.loose = loose & ~rolls
    if fade.any():
        pressed -= fade * pressed * (elastic == 0)
    state.pressed = pressed
    return sigma, viscosity


def _shear(
    law: Single,
    sigma: Single,
    viscosity: Single,
    v_x: Single,
    v_y: Single,
    state: SoilState,
    dt: float | Single,
    mass: float,
) -> tuple[Single, Single]:
    """Shear stress along x and y (m, e) [Pa] under the pressure `sigma`."""
    cohesion, friction, shear_length, pile_cos, pile_sin = law[11:]
    light = STIFFEST_SHEAR * mass
    top = (cohesion + friction * sigma) * (sigma > 0)
    kept = np.minimum(state.strength / np.maximum(top, _TINY), 1)
    per_length = dt / np.maximum(shear_length, top * (dt * dt / light))
    q_x, q_y = state.bristle * kept
    whole = 1 + per_length * np.sqrt(v_x * v_x + v_y * v_y)
    q_x, q_y = (q_x + per_length * v_x) / whole, (q_y + per_length * v_y) / whole
    state.bristle[0], state.bristle[1] = q_x, q_y
    state.strength = top
    damping = viscosity / (1 + viscosity * (dt / light))
    t_x, t_y = top * q_x + damping * v_x, top * q_y + damping * v_y
    scale = -top / np.maximum(np.sqrt(t_x * t_x + t_y * t_y), np.maximum(top, _TINY))
    along = scale * (t_x + pile_cos * t_x + pile_sin * t_y)
    return along, scale * (t_y + pile_sin * t_x - pile_cos * t_y)
