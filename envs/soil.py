"""Ground that gives: pressure-sinkage and shear under the elements of a sole, on arrays.

MuJoCo's soft contacts sink alike under any mass, so ground that gives is a force law here. Each
element of a sole, at sinkage z below the undisturbed surface, feels by turns

* first loading    p(z) = k z^n / (1 - z/z_lock)^2: Bekker's pressure-sinkage (Wong, Theory of
  Ground Vehicles), times the stiffening of a pile or of snow that packs;
* unloading and reloading on the line from the deepest point (x, p(x)) down, so steep that a cycle
  loses the share `loss` of the work of loading, and never less steep than p at x. Where the line
  meets zero the print is left: x is the memory that makes prints, second passes and dissipation;
* slip-sinkage     a sole whose shear is fully mobilised is carried by only `slide_support` p(z)
  (resistive force theory, Li et al. 2013: 0.375), so it digs in;
* viscosity        `relaxation` times the slope of the line, never beyond p(z), so that first
  loading is independent of rate; mud also holds a lifting sole back, up to its suction;
* shear            tau = (c + sigma tan phi) q with the Dahl bristle dq = v/K dt - |v| q/K dt, which
  is Janosi and Hanamoto's 1 - exp(-j/K) for one long slip and also knows how to turn round. The
  bristle keeps its stress when the ground gets stronger, and gives way when it gets weaker;
* a stone that rolls out when loaded, and a pile with friction of its own along and across.

Every branch is passive: a closed cycle never makes energy. The force of one step is a function of
the poses at its start, as MuJoCo's semi-implicit integrators want it; such a spring is stable only
up to a slope of about 2 m/dt^2, so no slope is rendered above STIFFEST m/dt^2: beyond it p goes on
as a straight line (which also bounds a locked layer). At 5 ms and 105 kg/m^2 that is 6.3 MPa/m.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from grek.envs.materials import index
from grek.envs.robot import Array

REFERENCE = 0.01  # sinkage at which a material's `bearing` is given [m]
STIFFEST = 1.5  # largest slope of the normal stress, in mass per area over dt^2
STIFFEST_SHEAR = 0.6  # the same for shear: the droid's foot gives way sooner sideways
ROLL_OUT = 5.75e3  # pressure that moves a loose stone, that of standing on two feet [Pa]
DEEPEST, FASTEST = 1.0, 100.0  # beyond these the law saturates: such a world is lost [m], [m/s]
_TINY = 1e-9


def coefficients(parameters: Array, dt: Array | float, mass: float) -> Array:
    """What `soil_traction` needs of materials: (C, ...) from parameters (..., P).

    `dt` is the physics step [s], a scalar or broadcast to (...); `mass` what a unit of sole area
    must move at least [kg/m^2]. Rigid materials (bearing 0) carry nothing.
    """
    value = {name: parameters[..., index(name)] for name in _ENTERING}
    n = value["exponent"]
    k = value["bearing"] / REFERENCE**n  # [Pa/m^n]
    thickness = value["lock"] * value["depth"]
    lock = np.divide(1, thickness, out=np.zeros_like(k), where=thickness > 0)  # [1/m]
    stiffest = np.broadcast_to(STIFFEST * mass / np.square(dt), k.shape)  # [Pa/m]
    fade = np.divide(
        dt, value["recovery_time"], out=np.zeros_like(k), where=value["recovery_time"] > 0
    )
    return np.stack(
        [
            k,
            n,
            lock,
            _where_stiffest(k, n, lock, stiffest),
            stiffest,
            2 * (1 - value["loss"]),
            value["relaxation"],
            1 - np.exp(-fade),
            value["cohesion"],
            np.tan(np.radians(value["friction_angle"])),
            value["shear_length"],
            1 - value["slide_support"],
            value["suction"],
            value["collapse_depth"],
            value["pile"] * np.cos(2 * value["pile_heading"]),
            value["pile"] * np.sin(2 * value["pile_heading"]),
        ]
    )


_ENTERING = (
    "bearing",
    "exponent",
    "lock",
    "depth",
    "loss",
    "relaxation",
    "recovery_time",
    "cohesion",
    "friction_angle",
    "shear_length",
    "slide_support",
    "suction",
    "collapse_depth",
    "pile",
    "pile_heading",
)


def _where_stiffest(k: Array, n: Array, lock: Array, stiffest: Array) -> Array:
    """Sinkage at which the slope of p reaches `stiffest`, by bisection [m]."""
    low = np.zeros_like(k)
    high = np.where(lock > 0, 0.999 / np.maximum(lock, _TINY), DEEPEST)
    for _ in range(40):
        z = 0.5 * (low + high)
        open_ = 1 - z * lock
        # The endless slope of n < 1 at the very surface is of no account.
        slope = k * np.maximum(z, 1e-3) ** (n - 1) * (n + 2 * z * lock / open_) / open_**2
        low, high = np.where(slope > stiffest, low, z), np.where(slope > stiffest, z, high)
    return np.maximum(low, _TINY)


@dataclass
class SoilState:
    """What the elements remember: arrays over (worlds, elements). Zero is untouched ground."""

    pressed: Array
    """How deep the ground under the element was ever pressed, below its surface [m]."""
    bristle: Array
    """Share of the shear strength that is mobilised, with its direction (worlds, elements, 2)."""
    strength: Array
    """Shear strength at the last step [Pa]."""
    loose: NDArray[np.bool_]
    """A loose stone lies under the element; see `loose_stones`."""
    drop: Array
    """How far the surface fell when a stone rolled out [m]."""

    @classmethod
    def untouched(cls, worlds: int, elements: int) -> "SoilState":
        """Nothing was pressed yet."""
        shape = worlds, elements
        zeros = [np.zeros(shape) for _ in range(3)]
        return cls(zeros[0], np.zeros((*shape, 2)), zeros[1], np.zeros(shape, bool), zeros[2])


def soil_traction(
    law: Array,
    sinkage: Array,
    velocity: Array,
    state: SoilState,
    dt: Array | float,
    mass: float,
    worlds: NDArray | slice = slice(None),
) -> Array:
    """Stress on each element (m, e, 3) [Pa]: shear along the ground, and the pressure up.

    `law` (C, m, e) is from `coefficients`, with the same `dt` and `mass`; `sinkage` (m, e) [m];
    `velocity` (m, e, 3) [m/s] in the frame of the ground, z along its normal. Updates `state`,
    of which the rows `worlds` (m,) are meant. NaN in gives NaN out.
    """
    (k, n, lock, limit, stiffest, returned, relaxation, fade) = law[:8]
    (cohesion, friction, shear, weakening, suction, drop, pile_cos, pile_sin) = law[8:]
    velocity = np.clip(velocity, -FASTEST, FASTEST)
    pressed, bristle = state.pressed[worlds], state.bristle[worlds]
    fallen, loose = state.drop[worlds], state.loose[worlds]
    q_x, q_y = bristle[..., 0], bristle[..., 1]

    # First loading at the deepest point x, its slope, and the slope of the line down from there.
    z = np.minimum(sinkage, DEEPEST) - fallen
    x = np.maximum(np.maximum(z, pressed), _TINY)
    bent = np.minimum(x, limit)
    locked = bent * lock
    open_ = 1 - locked
    p = k * bent**n / (open_ * open_)
    tangent = p * (n + 2 * locked / open_) / bent
    p += stiffest * (x - bent)
    work = open_ / (1 + n * open_ + 0.5 * locked * open_)  # of loading, over p x
    slope = np.minimum(np.maximum(p / (returned * work * x + _TINY), tangent), stiffest)
    slope = np.maximum(slope, 1.02 * p / x)

    # Sliding weakens the ground; what exceeds its strength presses it deeper.
    support = 1 - weakening * np.sqrt(q_x * q_x + q_y * q_y)
    lift = x - z
    strength = support * np.maximum(p - tangent * lift, 0)
    deeper = (slope * z - strength) * x / np.maximum(slope * x - p, _TINY)
    elastic = np.maximum(np.minimum(p - slope * lift, strength), 0)
    pressed = np.maximum(pressed, deeper)
    viscosity = relaxation * slope
    viscosity = viscosity / (1 + viscosity * dt / mass)  # semi-implicit
    sigma = elastic - viscosity * velocity[..., 2]
    sigma = np.minimum(sigma, strength * (elastic > 0))
    sigma = np.maximum(sigma, -suction * np.maximum(z, 0) / x)

    # Shear: a bristle that bends by v/K and slips when it is at its strength.
    top = (cohesion + friction * sigma) * (sigma > 0)
    length = np.maximum(shear, top * (dt * (dt + relaxation) / (STIFFEST_SHEAR * mass)))
    kept = np.minimum(state.strength[worlds] / np.maximum(top, _TINY), 1)
    v_x, v_y = velocity[..., 0] / length, velocity[..., 1] / length
    whole = 1 + np.sqrt(v_x * v_x + v_y * v_y) * dt
    q_x, q_y = (q_x * kept + v_x * dt) / whole, (q_y * kept + v_y * dt) / whole
    t_x, t_y = q_x + relaxation * v_x, q_y + relaxation * v_y
    scale = -top / np.maximum(np.sqrt(t_x * t_x + t_y * t_y), 1)

    traction = np.empty_like(velocity)
    traction[..., 0] = scale * (t_x + pile_cos * t_x + pile_sin * t_y)
    traction[..., 1] = scale * (t_y + pile_sin * t_x - pile_cos * t_y)
    traction[..., 2] = sigma
    if loose.any():
        rolls = loose & (sigma > ROLL_OUT)
        state.drop[worlds] = np.where(rolls, drop, fallen)
        state.loose[worlds] = loose & ~rolls
        pressed = np.where(rolls, np.maximum(pressed - drop, 0), pressed)
    if fade.any():
        pressed -= fade * np.maximum(pressed - np.maximum(z, 0), 0)
    state.pressed[worlds] = pressed
    state.strength[worlds] = top
    bristle = np.stack([q_x, q_y], -1)
    state.bristle[worlds] = bristle
    return traction
