"""The spaces: what is drawn for training, what is held out, and other numerics.

Every entry is a distribution, so a range is read, printed and widened here and nowhere else. A
space is a list of contexts (the rows of a scorecard) over common ranges; a context changes one
axis only, so that a row says what that axis does.
"""

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from grek.envs.ground.materials import MATERIALS
from grek.envs.scenarios.distributions import Distribution, Signed, Uniform

Context = tuple[str, str]
"""An axis and a value on it, for example ("material", "ice") or ("slope", "far")."""

Change = Callable[[Any], Mapping[str, Any]]
"""What a distribution on one axis changes in the ranges of training."""

TRAINED = tuple(name for name, material in MATERIALS.items() if material.trained)
HELD_OUT = tuple(name for name, material in MATERIALS.items() if not material.trained)


def _frozen(**items: Any) -> Any:
    return field(default_factory=lambda: MappingProxyType(items))


@dataclass(frozen=True)
class Ranges:
    """What a scenario is drawn from."""

    contexts: tuple[Context, ...] = tuple(("material", name) for name in TRAINED)
    changes: Mapping[Context, Mapping[str, Any]] = _frozen()
    """What a context changes in these ranges."""
    materials: tuple[str, ...] = TRAINED
    friction: Distribution | None = None
    """Coulomb friction, if not the materials' own."""
    mixed: float = 0.25
    """Share of worlds with a second material."""
    kinds: Mapping[str, float] = _frozen(
        flat=0.3, slope=0.15, waves=0.15, rough=0.2, steps=0.1, mixed=0.1
    )
    """Share of each kind of shape."""
    shape: Mapping[str, Distribution] = _frozen(
        slope=Uniform(0.0, 0.10),
        wave_height=Uniform(0.0, 0.04),
        wave_length=Uniform(0.7, 2.0),
        roughness=Uniform(0.0, 0.008),
        roughness_length=Uniform(0.15, 0.4),
        step_height=Uniform(0.0, 0.025),
        step_length=Uniform(0.3, 0.8),
    )
    mass_scale: Distribution = Uniform(0.9, 1.1)
    payload: Distribution = Uniform(-0.5, 0.5)
    torso_com: Distribution = Uniform(-0.015, 0.015)
    head_scale: Distribution = Uniform(0.9, 1.1)
    motors: Mapping[str, Distribution] = _frozen(
        strength=Uniform(0.85, 1.0),
        stiffness=Uniform(0.85, 1.15),
        damping=Uniform(0.8, 1.2),
        armature=Uniform(0.8, 1.2),
        friction=Uniform(0.5, 1.5),
        delay=Uniform(0.0, 0.015),
    )
    sensors: Mapping[str, Distribution] = _frozen(
        gyro_noise=Uniform(0.0, 0.15),
        gyro_bias=Uniform(-0.05, 0.05),
        gravity_noise=Uniform(0.0, 0.03),
        tilt=Uniform(-0.02, 0.02),
        joint_noise=Uniform(0.0, 0.01),
        joint_offset=Uniform(-0.02, 0.02),
        velocity_noise=Uniform(0.0, 0.6),
    )
    late_sensors: float = 0.3
    """Share of worlds whose sensors are a control step late."""
    forward: Distribution = Uniform(-0.35, 0.6)
    sideways: Distribution = Uniform(-0.2, 0.2)
    yaw_rate: Distribution = Uniform(-0.8, 0.8)
    push: Distribution = Uniform(0.0, 0.35)
    numerics: Mapping[str, Any] = _frozen()
    same_worlds: bool = False
    """Whether all contexts meet the same worlds."""

    def at(self, axis: str, value: str) -> "Ranges":
        """These ranges as the context (axis, value) has them."""
        changes = self.changes.get((axis, value))
        return dataclasses.replace(self, **changes) if changes else self


TRAIN = Ranges()


def _entry(group: str, part: str) -> Change:
    """One entry of a mapping of the ranges is drawn from elsewhere."""
    return lambda d: {group: {**getattr(TRAIN, group), part: d}}


def _kind(kind: str, part: str) -> Change:
    """Only this kind of shape, and its size drawn from elsewhere."""
    return lambda d: {"kinds": {kind: 1.0}, **_entry("shape", part)(d)}


def _sensors(factor: Uniform) -> dict[str, Any]:
    """All errors of the sensors `factor` times the largest of training."""
    return {
        "sensors": {
            name: (Signed if d.low < 0 else Uniform)(factor.low * d.high, factor.high * d.high)
            for name, d in TRAIN.sensors.items()
            if isinstance(d, Uniform)
        }
    }


_AXES: dict[str, tuple[Change, Distribution, Distribution]] = {  # just outside of training, far
    "slope": (_kind("slope", "slope"), Uniform(0.10, 0.15), Uniform(0.15, 0.20)),
    "waves": (_kind("waves", "wave_height"), Uniform(0.04, 0.06), Uniform(0.06, 0.09)),
    "roughness": (_kind("rough", "roughness"), Uniform(0.008, 0.012), Uniform(0.012, 0.018)),
    "steps": (_kind("steps", "step_height"), Uniform(0.025, 0.035), Uniform(0.035, 0.05)),
    "friction": (
        lambda d: {"materials": ("dry_concrete",), "friction": d},
        Uniform(0.25, 0.38),
        Uniform(0.12, 0.25),
    ),
    "payload": (lambda d: {"payload": d}, Uniform(0.5, 1.0), Uniform(1.0, 2.5)),
    "mass_centre": (lambda d: {"torso_com": d}, Signed(0.015, 0.025), Signed(0.025, 0.04)),
    "head": (lambda d: {"head_scale": d}, Uniform(1.1, 1.3), Uniform(1.3, 1.7)),
    "strength": (_entry("motors", "strength"), Uniform(0.75, 0.85), Uniform(0.6, 0.75)),
    "stiffness": (_entry("motors", "stiffness"), Uniform(0.75, 0.85), Uniform(0.65, 0.75)),
    "delay": (_entry("motors", "delay"), Uniform(0.015, 0.020), Uniform(0.020, 0.025)),
    "sensors": (_sensors, Uniform(1.0, 1.5), Uniform(1.5, 2.5)),
    "pushes": (lambda d: {"push": d}, Uniform(0.35, 0.5), Uniform(0.5, 0.7)),
    "speed": (lambda d: {"forward": d}, Uniform(0.6, 0.75), Uniform(0.75, 0.9)),
}
_outside: dict[Context, Mapping[str, Any]] = {
    (axis, zone): change(distribution)
    for axis, (change, *both) in _AXES.items()
    for zone, distribution in zip(("near", "far"), both, strict=True)
}
_numerics: dict[Context, Mapping[str, Any]] = {
    ("numerics", "as_trained"): {},
    ("numerics", "half_timestep"): {"numerics": {"timestep": 0.0025}},
    ("numerics", "euler"): {"numerics": {"integrator": "Euler", "timestep": 0.0025}},
    ("numerics", "implicit"): {"numerics": {"integrator": "implicit"}},
    ("numerics", "pyramidal"): {"numerics": {"cone": "pyramidal", "impratio": 1.0}},
    ("numerics", "stiff_contact"): {"numerics": {"contact_time": 0.01}},
    ("numerics", "soft_contact"): {"numerics": {"contact_time": 0.04}},
    ("numerics", "exact_solver"): {"numerics": {"iterations": 50}},
}

SPACES: dict[str, Ranges] = {
    "train": TRAIN,
    "heldout": Ranges(
        contexts=(*(("material", name) for name in HELD_OUT), *_outside),
        changes={**_outside, **{("material", name): {"mixed": 0.0} for name in HELD_OUT}},
    ),
    "numerics": Ranges(contexts=tuple(_numerics), changes=_numerics, same_worlds=True),
}

_FAR = ("ice", "snow", "mud", "wet_leaves", "soft_contact", "pyramidal")


def zone(space: str, axis: str, context: str) -> str | None:
    """How far from training a row is: "inside" its ranges, "near" (just outside) or "far".

    The friction of wood and rubber lies mostly inside that of concrete; training met no more.
    """
    if space == "train" or context == "as_trained":
        return "inside"
    if space == "numerics" and axis != "numerics":
        return None  # a material solved in every way
    return "far" if context in (*_FAR, "far") else "near"
