"""Ranges of the scenario's factors: those of training, and the changes of held-out axes."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from grek.envs.distributions import Constant, Distribution, Signed, Uniform
from grek.envs.scenarios.stage import Programme

Each = Distribution | tuple[Distribution, ...]
"""Distribution of all components of a factor, or one of each."""
_COMMON = ("dry_concrete", "wet_concrete", "sand", "gravel", "carpet")


def _frozen(**items: Any) -> Any:
    """Dataclass field whose default is a read-only mapping of `items`."""
    return field(default_factory=lambda: MappingProxyType(items))


@dataclass(frozen=True)
class Ranges:
    """Distributions of the scenario's factors; units as in `grek.envs.scenarios.scenario`."""

    materials: tuple[str, ...] = _COMMON
    """Drawn where the context names no material, and as second material of mixed worlds."""
    friction: Distribution | None = None
    """Coulomb friction [-]; None for the material's own distribution."""
    mixed: float = 0.25
    """Probability of a second material."""
    shapes: Mapping[tuple[str, ...], float] = field(
        default_factory=lambda: MappingProxyType(
            {
                (): 0.3,
                ("slope",): 0.15,
                ("waves",): 0.15,
                ("relief",): 0.2,
                ("steps",): 0.1,
                ("slope", "relief"): 0.1,
            }
        )
    )
    """Relative frequency of each combination of shapes."""
    sizes: Mapping[str, Distribution] = _frozen()
    """Size by shape kind; the kind's training range where it is not listed."""
    mass_scale: Distribution = Uniform(0.9, 1.1)
    payload: Distribution = Uniform(-0.5, 0.5)
    base_com: Each = Uniform(-0.015, 0.015)
    head_scale: Distribution = Uniform(0.9, 1.1)
    motors: Mapping[str, Distribution] = _frozen(
        strength=Uniform(0.85, 1.0),
        stiffness=Uniform(0.85, 1.15),
        damping=Uniform(0.8, 1.2),
        armature=Uniform(0.8, 1.2),
        friction=Uniform(0.5, 1.5),
        delay=Uniform(0.0, 0.015),
    )
    sensors: Mapping[str, Each] = _frozen(
        gyro_noise=Uniform(0.0, 0.15),
        gyro_bias=Uniform(-0.05, 0.05),
        gravity_noise=Uniform(0.0, 0.03),
        tilt=Uniform(-0.02, 0.02),
        joint_noise=Uniform(0.0, 0.01),
        joint_offset=Uniform(-0.02, 0.02),
        velocity_noise=Uniform(0.0, 0.6),
    )
    latency: Distribution = Uniform(0.0, 1.0)
    """Sensor latency [control steps]; with `motors["delay"]` the delay of the control loop."""
    attitude_time: Distribution = Uniform(0.5, 2.0)
    """Time constant of the attitude estimate [s]; Mahony et al. 2008 take 1 s."""
    forward: Distribution = Uniform(-0.35, 0.6)
    """Commanded forward velocity [m/s]."""
    sideways: Distribution = Uniform(-0.2, 0.2)
    """Commanded velocity to the left [m/s]."""
    yaw_rate: Distribution = Uniform(-0.8, 0.8)
    """Commanded yaw rate [rad/s]."""
    push: Distribution = Uniform(0.0, 0.35)
    """Impulse of a push over the robot's mass [m/s]."""
    numerics: Mapping[str, Any] = _frozen()
    """Fields of `Numerics` that differ from their defaults."""
    first: str | None = None
    """Material; that of the context, or drawn, by default."""
    acts: Programme | None = None
    """Acts of tasks with skills, which command in place of velocities."""


TRAIN = Ranges()

Change = Callable[[Any], Mapping[str, Any]]
"""Distribution of an axis to the fields of `Ranges` that it replaces."""


def _entry(group: str, part: str) -> Change:
    """Change that replaces the distribution `part` in the mapping `group` of the ranges."""
    return lambda d: {group: {**getattr(TRAIN, group), part: d}}


def _sensors(factor: Uniform) -> dict[str, Any]:
    """Magnitude of every sensor error: `factor` times its largest value in training."""
    return {
        "sensors": {
            name: (Signed if d.low < 0 else Uniform)(factor.low * d.high, factor.high * d.high)
            for name, d in TRAIN.sensors.items()
            if not isinstance(d, tuple)
        }
    }


def _loop_delay(motors: Distribution) -> dict[str, Any]:
    """Motor delay `motors` [s] behind the largest sensor latency of training.

    Alone, a longer motor delay lies within the loop delays of training.
    """
    return {**_entry("motors", "delay")(motors), "latency": Constant(TRAIN.latency.high)}


AXES: dict[str, tuple[Change, Distribution, Distribution]] = {  # change, near and far range
    "friction": (
        lambda d: {"materials": ("dry_concrete",), "friction": d},
        Uniform(0.25, 0.38),
        Uniform(0.12, 0.25),
    ),
    "payload": (lambda d: {"payload": d}, Uniform(0.5, 1.0), Uniform(1.0, 2.5)),
    "mass_centre": (lambda d: {"base_com": d}, Signed(0.015, 0.025), Signed(0.025, 0.04)),
    "head": (lambda d: {"head_scale": d}, Uniform(1.1, 1.3), Uniform(1.3, 1.7)),
    "strength": (_entry("motors", "strength"), Uniform(0.75, 0.85), Uniform(0.6, 0.75)),
    "stiffness": (_entry("motors", "stiffness"), Uniform(0.75, 0.85), Uniform(0.65, 0.75)),
    "delay": (_loop_delay, Uniform(0.015, 0.020), Uniform(0.020, 0.025)),
    "sensors": (_sensors, Uniform(1.0, 1.5), Uniform(1.5, 2.5)),
    "pushes": (lambda d: {"push": d}, Uniform(0.35, 0.5), Uniform(0.5, 0.7)),
    "speed": (lambda d: {"forward": d}, Uniform(0.6, 0.75), Uniform(0.75, 0.9)),
}
NUMERICS: dict[str, Mapping[str, Any]] = {
    "as_trained": {},
    "half_timestep": {"timestep": 0.0025},
    "euler": {"integrator": "Euler", "timestep": 0.0025},
    "implicit": {"integrator": "implicit"},
    "pyramidal": {"cone": "pyramidal", "impratio": 1.0},
    "stiff_contact": {"contact_time": 0.01},
    "soft_contact": {"contact_time": 0.04},
    "exact_solver": {"iterations": 50},
}


HARD: dict[str, Mapping[str, Any]] = {  # the difficult end of single training ranges
    "late_sensors": {"latency": Uniform(0.8, 1.0)},
    "pushes": {"push": Uniform(0.25, 0.35)},
    "slope": {"shapes": {("slope",): 1.0}, "sizes": {"slope": Uniform(0.05, 0.10)}},
    "relief": {"shapes": {("relief",): 1.0}, "sizes": {"relief": Uniform(0.004, 0.008)}},
    "mixed": {"mixed": 1.0},
}

GROUNDS: dict[str, Mapping[str, Any]] = {  # of the space engines
    "flat": {"materials": ("dry_concrete",), "shapes": {(): 1.0}},
    "slope": {"materials": ("dry_concrete",), "shapes": {("slope",): 1.0}},
    "sand": {"materials": ("sand",), "shapes": {(): 1.0}},
}
