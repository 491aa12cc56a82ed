"""Ground that gives: the law of one element of a sole, a scalar function compiled by Numba.

An element at sinkage z below the undisturbed surface meets

* first loading: p(z) = k z^n / (1 - z/z_lock)^2, Bekker's pressure-sinkage (Wong, Theory of Ground
  Vehicles) times the stiffening of a pile, or of snow that packs;
* unloading and reloading along a line from the deepest point (x, p(x)) down, so steep that a cycle
  loses the share `loss` of the work of loading, and no less steep than p at x. It meets zero at
  the depth of the print; x is the memory that makes prints, second passes and dissipation;
* shear, elastic up to a share m of its strength. m only grows with plastic slip: one long slip is
  Janosi and Hanamoto's 1 - exp(-j/K), and a load that fluctuates below m slips nothing (shakedown);
* vertical and horizontal load coupled as under footings: tau <= 4 h0 sigma (1 - sigma / p(z)), the
  yield parabola of Gottardi, Houlsby and Butterfield 1999 and of Houlsby and Cassidy 2002. The
  more of its strength a sole mobilises, the less carries it, down to `slide_support` p(z) when it
  slides level (resistive force theory, RFT, Li et al. 2013: 0.375): it digs in. Ground that it
  sinks into is fresh, and takes from m: a sole that goes in at an angle mobilises a part;
* tilt: an element that is not level yields sooner, as RFT has it for a plate pushed straight down;
* walls: an edge of the sole that moves into ground standing higher meets its passive resistance;
* viscosity: `relaxation` times the slope of that line, along and across, within the strength, so
  that first loading and sliding do not depend on rate. Mud holds a lifting sole by it, up to its
  suction;
* stones that roll out when loaded, and a pile with a friction of its own along and across.

Coupling, tilt and walls are for soils, whose grains flow; a pile (`horizontal_capacity` 0) has
none. Each part is passive: a closed path that begins and ends in the air never makes energy.

The stress of a step follows from the poses at its start, as MuJoCo's semi-implicit integrators want
it; such a spring is stable up to a slope of about 3 m/dt^2 [Pa/m], m the mass behind a unit of
area. So p goes on as a straight line from where its slope reaches STIFFEST m/dt^2, 4.6 MPa/m for
the droid at 5 ms, which bounds a locked layer too; the line down may be STIFFEST_LINE m/dt^2 steep,
so that stiff ground still loses work, and elastic shear STIFFEST_SHEAR m/dt^2.
"""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from grek.envs.ground.kernels import kernel
from grek.envs.ground.materials import index
from grek.envs.vectors import Array

SOLE_MASS = 115.0  # behind the droid's sole, 1.5 kg in the lightest pose of its leg [kg/m^2]
REFERENCE = 0.01  # sinkage at which a material's `bearing` is given [m]
STANDING = 11.5e3  # pressure of standing on one foot [Pa]
STIFFEST = 1.0  # largest slope of first loading, in mass per area over dt^2
STIFFEST_LINE = 1.8  # the same for unloading: steeper, or stiff ground would lose no energy
LIGHT = 0.55  # share of the mass that is behind the sole sideways: that leg is only 0.53 kg
STIFFEST_SHEAR = 0.44  # the same for elastic shear
SHEAR_RIGIDITY = 10.0  # elastic shear over the first slope of Janosi's curve; estimate [-]
RENEWAL = 2.0  # K over the sinkage that renews the ground; fits RFT at 45 degrees within 10 % [-]
TILT = 0.872 / 0.625  # RFT: alpha_z(b, 90) = 1 - 0.872 sin^2 b; 0.625 = 1 - slide_support of sand
WALL = 0.377  # RFT: alpha_x(90, 0), a vertical plate pushed ahead over a flat one pushed down
ROLL_OUT = 5.75e3  # pressure that moves a loose stone: that of standing on two feet [Pa]
DEEPEST, FASTEST = 1.0, 100.0  # the law saturates beyond: such a world is lost [m], [m/s]
_TINY = 1e-9

LAW = np.dtype(
    [
        (name, np.float64)
        for name in (
            "modulus",  # k [Pa/m^n]; 0 is rigid ground, which carries nothing here
            "steepening",  # n - 1 [-]
            "lock",  # 1 / z_lock [1/m]
            "straight",  # sinkage from where p is a straight line [m]
            "stiffest",  # slope of that line [Pa/m]
            "rebound",  # 1 over twice the share of the work of loading that is given back [-]
            "relaxation",  # [s]
            "fade",  # share of a print that rises again in a step [-]
            "suction",  # [Pa]
            "slide_support",  # [-]
            "capacity",  # 4 h0; 0 for a pile [-]
            "tilting",  # loss of support, over sin^2 of the tilt [-]
            "wall",  # resistance of a wall over k x^(n-1) h^2 [-]
            "cohesive_wall",  # the same over its height [Pa]
            "collapse_depth",  # [m]
            "cohesion",  # [Pa]
            "friction",  # tan(friction_angle) [-]
            "shear_length",  # K [m]
            "rigidity",  # of elastic shear [Pa/m]
            "renewal",  # 1 / sinkage that renews the ground [1/m]
            "pile_cos",
            "pile_sin",
            "dt",  # [s]
            "dt_over_mass",  # of what is behind a unit of sole area [m^2 s/kg]
        )
    ],
    align=True,
)
"""Named coefficients of the law, from `coefficients`."""

STATE = np.dtype(
    [
        ("pressed", np.float64),  # how deep the ground there was ever pressed [m]
        ("drop", np.float64),  # how far the surface fell because a stone rolled out [m]
        ("shear_x", np.float64),  # elastic shear stress in the direction of slip [Pa]
        ("shear_y", np.float64),
        ("mobilised", np.float64),  # m, largest share of the strength so far [-]
        ("share", np.float64),  # share of it mobilised at the last step [-]
        ("pressure", np.float64),  # at the last step [Pa]
        ("loose", np.bool_),  # a loose stone lies under the element
    ],
    align=True,
)
"""Memory of an element; zeros are untouched ground."""


def coefficients(parameters: Array, dt: Array | float, mass: float = SOLE_MASS) -> NDArray[np.void]:
    """Records of LAW (...) for materials (..., P).

    `dt` is the physics step [s], a scalar or an array that broadcasts to (...); `mass` is what a
    unit of sole area moves at least [kg/m^2].
    """

    def value(name: str) -> Array:
        return parameters[..., index(name)]

    n, thickness = value("exponent"), value("lock") * value("depth")
    recovery, length = value("recovery_time"), np.maximum(value("shear_length"), _TINY)
    phi, flows = np.radians(value("friction_angle")), value("horizontal_capacity") > 0
    law = np.zeros(n.shape, LAW)
    law["dt"], law["dt_over_mass"] = dt, np.divide(dt, mass)
    law["modulus"] = k = value("bearing") / REFERENCE**n
    law["steepening"] = n - 1
    law["lock"] = lock = np.divide(1, thickness, out=np.zeros_like(k), where=thickness > 0)
    law["stiffest"] = stiffest = STIFFEST * mass / law["dt"] ** 2
    law["straight"] = _where_stiffest(k, n, lock, stiffest)
    law["rebound"] = 0.5 / (1 - value("loss"))
    law["relaxation"] = value("relaxation")
    fade = np.divide(law["dt"], recovery, out=np.zeros_like(k), where=recovery > 0)
    law["fade"] = -np.expm1(-fade)
    law["suction"] = value("suction")
    law["slide_support"] = value("slide_support")
    law["capacity"] = 4 * value("horizontal_capacity")
    law["tilting"] = np.where(flows, TILT * (1 - value("slide_support")), 0)
    law["wall"] = np.where(flows, WALL / (n + 1), 0)
    rankine = 2 * value("cohesion") * np.tan(np.pi / 4 + phi / 2)  # 2 c sqrt(K_p)
    law["cohesive_wall"] = np.where(flows, rankine, 0)
    law["collapse_depth"] = value("collapse_depth")
    law["cohesion"], law["friction"] = value("cohesion"), np.tan(phi)
    law["shear_length"] = length
    firm = SHEAR_RIGIDITY * (law["cohesion"] + law["friction"] * STANDING) / length
    law["rigidity"] = np.minimum(firm, STIFFEST_SHEAR * mass / law["dt"] ** 2)
    law["renewal"] = np.where(flows, RENEWAL / length, 0)
    law["pile_cos"] = value("pile") * np.cos(2 * value("pile_heading"))
    law["pile_sin"] = value("pile") * np.sin(2 * value("pile_heading"))
    return law


def _where_stiffest(k: Array, n: Array, lock: Array, stiffest: Array) -> Array:
    """Sinkage at which the slope of p reaches `stiffest` [m]."""
    out = np.empty(k.shape)
    _bisect_slope(*(np.ravel(v) for v in (k, n, lock, stiffest)), out.ravel())
    return out


@kernel
def _bisect_slope(k: Any, n: Any, lock: Any, stiffest: Any, out: Any) -> None:
    for i in range(len(out)):
        low, high = _TINY, DEEPEST if lock[i] <= 0.0 else 0.999 / lock[i]
        for _ in range(40):
            z = 0.5 * (low + high)
            gap = 1.0 - z * lock[i]
            # At the very surface the slope has no bound for n < 1, which is of no account.
            steep = k[i] * max(z, 1e-3) ** (n[i] - 1.0) / gap**2
            slope = steep * (n[i] + 2.0 * z * lock[i] / gap)
            low, high = (low, z) if slope > stiffest[i] else (z, high)
        out[i] = low


def untouched(*shape: int) -> NDArray[np.void]:
    """Records of STATE for elements that have not met any ground."""
    return np.zeros(shape, STATE)


@kernel
def first_loading(law: Any, x: float) -> Any:
    """Slopes at sinkage x [Pa/m]: p/x, that of p, that of the line down, and k x^(n-1)."""
    x = max(x, _TINY)
    bent = min(x, law.straight)
    n, closed, opened = 1.0 + law.steepening, bent * law.lock, 1.0
    if closed > 0.0:
        opened = 1.0 / (1.0 - closed)
    loose = law.modulus * bent**law.steepening
    secant = loose * opened * opened
    tangent = min(secant * (n + 2.0 * closed * opened), law.stiffest)
    if x > bent:
        secant += (law.stiffest - secant) * (1.0 - bent / x)
    secant = min(secant, law.stiffest)
    # Loading took the work p x / inverse, by a fraction that is exact without a lock and within 2 %
    # of the integral up to closed = 0.6.
    inverse = opened + n + 0.5 * closed
    line = max(secant * inverse * law.rebound, tangent)
    line = max(min(line, STIFFEST_LINE / STIFFEST * law.stiffest), 1.02 * secant)
    return secant, tangent, line, loose


@kernel
def element_traction(
    law: Any,
    at: Any,
    sinkage: float,
    v_x: float,
    v_y: float,
    v_z: float,
    tilt: float,
    wall_x: Any,
    wall_y: Any,
) -> Any:
    """Stress of the ground on an element (x, y, pressure) [Pa]; updates its state `at`.

    `sinkage` [m]; velocity [m/s] in the frame of the ground, z along its normal; `tilt` is sin^2 of
    the angle between sole and ground. A wall is the unit vector across an edge of the element,
    outwards, the height of the ground beyond above the print there [m], and the length of the edge
    over the element's area [1/m]; 0 without an edge.
    """
    z = min(max(sinkage, -DEEPEST), DEEPEST) - at.drop
    v_x, v_y = min(max(v_x, -FASTEST), FASTEST), min(max(v_y, -FASTEST), FASTEST)
    v_z = min(max(v_z, -FASTEST), FASTEST)
    if z <= 0.0 or law.modulus <= 0.0:
        at.pressed -= law.fade * at.pressed
        at.shear_x, at.shear_y, at.mobilised, at.share, at.pressure = 0.0, 0.0, 0.0, 0.0, 0.0
        return 0.0, 0.0, 0.0

    # -- pressure --
    x = max(z, at.pressed)
    secant, tangent, line, loose = first_loading(law, x)
    p, lift = secant * x, x - z
    fresh = max(p - tangent * lift, 0.0)  # what untouched ground bears at z
    # Sliding and tilt weaken it. What exceeds its strength presses deeper, until the line meets it.
    bears = fresh * (1.0 - (1.0 - law.slide_support) * at.share) * (1.0 - law.tilting * tilt)
    elastic = max(p - line * lift, 0.0)
    yields = elastic >= bears
    if yields:
        elastic = bears
        at.pressed = max(at.pressed, (line * z - bears) / (line - secant))
    viscosity = law.relaxation * line
    sigma = elastic - viscosity / (1.0 + viscosity * law.dt_over_mass) * v_z  # semi-implicit
    sigma = min(sigma, bears) if elastic > 0.0 else min(sigma, 0.0)
    if sigma < 0.0:
        sigma = max(sigma, -law.suction * z / x)
    if at.loose and sigma > ROLL_OUT:
        at.pressed = max(at.pressed - law.collapse_depth, 0.0)
        at.drop, at.loose = law.collapse_depth, False
    if elastic == 0.0:
        at.pressed -= law.fade * at.pressed
    at.pressure = sigma

    # -- shear --
    strength = _strength(law, sigma, fresh) if sigma > 0.0 else 0.0
    s_x = at.shear_x + law.rigidity * v_x * law.dt
    s_y = at.shear_y + law.rigidity * v_y * law.dt
    size = math.sqrt(s_x * s_x + s_y * s_y)
    if size > 0.0 and law.wall > 0.0:
        strength += (
            _wall(law, loose, s_x, s_y, wall_x) + _wall(law, loose, s_x, s_y, wall_y)
        ) / size
    if strength <= 0.0:
        at.shear_x, at.shear_y, at.mobilised, at.share = 0.0, 0.0, 0.0, 0.0
        return 0.0, 0.0, sigma
    m = at.mobilised
    if yields and v_z < 0.0:
        m /= 1.0 - law.renewal * v_z * law.dt
    if size > strength * m:
        # Elastic and plastic slip together make m = 1 - exp(-j/K); backward Euler.
        free = (1.0 - m) * strength
        length = max(law.shear_length - free / law.rigidity, 0.1 * law.shear_length)
        slip = (size - strength * m) / (law.rigidity * length + free)  # over length
        m = (m + slip) / (1.0 + slip)
        kept = min(strength * m / size, 1.0)
        s_x, s_y, size = s_x * kept, s_y * kept, size * kept
    at.shear_x, at.shear_y, at.mobilised, at.share = s_x, s_y, m, size / strength
    if elastic > 0.0:
        damping = viscosity / (1.0 + viscosity * law.dt_over_mass / LIGHT)
        s_x, s_y = s_x + damping * v_x, s_y + damping * v_y
        square = s_x * s_x + s_y * s_y
        if square > strength * strength:
            within = strength / math.sqrt(square)
            s_x, s_y = s_x * within, s_y * within
    t_x = s_x + law.pile_cos * s_x + law.pile_sin * s_y
    return -t_x, -(s_y + law.pile_sin * s_x - law.pile_cos * s_y), sigma


@kernel
def _strength(law: Any, sigma: float, fresh: float) -> Any:
    """Shear strength [Pa] under `sigma`, where untouched ground bears `fresh` [Pa]."""
    strength = law.cohesion + law.friction * sigma
    if law.capacity > 0.0:
        level = min(sigma / fresh, law.slide_support)
        strength = min(strength, law.capacity * sigma * (1.0 - level))
    return strength


@kernel
def _wall(law: Any, loose: float, s_x: float, s_y: float, wall: Any) -> Any:
    """Passive resistance over the element's area [Pa] to a push (s_x, s_y), times its size.

    Over an edge of unit length: 2 c h sqrt(K_p) (Rankine) + 0.377 times the work of pressing a flat
    plate to the height h of the wall (RFT).
    """
    o_x, o_y, height, per_area = wall
    into = s_x * o_x + s_y * o_y
    if into <= 0.0 or height <= 0.0:
        return 0.0
    return into * per_area * height * (law.cohesive_wall + law.wall * loose * height)


@kernel
def bulldozed(law: Any, z: float) -> Any:
    """Depth pressed [m] whose print is at z: what an element meets that came in from the side."""
    if z <= 0.0 or law.modulus <= 0.0:
        return 0.0
    secant, _, line, _ = first_loading(law, z)
    return z / (1.0 - secant / line)


@kernel
def resting_pressure(law: Any, pressed: float, lift: float, slope: float) -> Any:
    """Pressure [Pa] at rest, `lift` above ground `pressed` [m], and the share of its strength used.

    `slope` is horizontal over vertical load.
    """
    z = pressed - lift
    if z <= 0.0 or law.modulus <= 0.0:
        return 0.0, 0.0
    secant, tangent, line, _ = first_loading(law, pressed)
    p = secant * pressed
    fresh, elastic = p - tangent * lift, p - line * lift
    if elastic <= 0.0:
        return 0.0, 0.0
    share = min(slope * elastic / _strength(law, elastic, fresh), 1.0)
    return min(elastic, fresh * (1.0 - (1.0 - law.slide_support) * share)), share


@kernel
def _resting_depths(law: Any, pressure: Any, slope: Any, out: Any) -> None:
    for i in range(len(out)):
        low, high = 0.0, DEEPEST
        for _ in range(50):
            z = 0.5 * (low + high)
            if resting_pressure(law[i], z, 0.0, slope[i])[0] > pressure[i]:
                high = z
            else:
                low = z
        out[i] = high


def resting_depth(
    law: NDArray[np.void], pressure: Array | float, slope: Array | float = 0.0
) -> Array:
    """Sinkage (...) at which untouched ground carries `pressure` [Pa] on a level sole at rest [m].

    `law` (...) is from `coefficients`; `slope` is horizontal over vertical load. DEEPEST where no
    depth carries it, as on rigid ground.
    """
    shape = np.broadcast_shapes(np.shape(law), np.shape(pressure), np.shape(slope))
    flat = (np.array(np.broadcast_to(v, shape)).reshape(-1) for v in (law, pressure, slope))
    out = np.empty(int(np.prod(shape)))
    _resting_depths(*flat, out)
    return out.reshape(shape)


_NO_WALL = (0.0, 0.0, 0.0, 0.0)


@kernel
def _tractions(law: Any, sinkage: Any, velocity: Any, state: Any, tilt: float, out: Any) -> None:
    for i in range(len(sinkage)):
        v = velocity[i]
        out[i] = element_traction(
            law[i], state[i], sinkage[i], v[0], v[1], v[2], tilt, _NO_WALL, _NO_WALL
        )


def soil_traction(
    law: NDArray[np.void],
    sinkage: Array,
    velocity: Array,
    state: NDArray[np.void],
    tilt: float = 0.0,
) -> Array:
    """Stress of the ground on elements (..., 3) [Pa]: shear along it, and pressure up; no walls.

    `law` (...) is from `coefficients`; `sinkage` (...) [m]; `velocity` (..., 3) [m/s] in the frame
    of the ground, z along its normal; `tilt` is sin^2 of the sole's. Updates `state` (...), which
    must be contiguous. Finite in, finite out; NaN in, NaN out.
    """
    shape, out = state.shape, np.empty((state.size, 3))
    _tractions(
        np.array(np.broadcast_to(law, shape)).reshape(-1),
        np.array(np.broadcast_to(sinkage, shape), float).reshape(-1),
        np.array(np.broadcast_to(velocity, (*shape, 3)), float).reshape(-1, 3),
        state.reshape(-1),
        tilt,
        out,
    )
    return out.reshape(*shape, 3)
