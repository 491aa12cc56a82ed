"""The spaces: what is drawn for training, what is held out, and other numerics.

Every entry is a distribution, so a range is read, printed and widened here and nowhere else. A
space is a list of contexts (the rows of a scorecard) over common ranges; a context changes one
axis only, so that a row says what that axis does.
"""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from grek.envs.distributions import Distribution, Uniform
from grek.envs.materials import MATERIALS

Context = tuple[str, str]
"""An axis and a value on it, for example ("material", "ice")."""

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


def _only(kind: str, **shape: Distribution) -> dict[str, Any]:
    return {"kinds": {kind: 1.0}, "shape": {**Ranges().shape, **shape}}


_shapes: dict[Context, Mapping[str, Any]] = {
    ("shape", "steep_slope"): _only("slope", slope=Uniform(0.12, 0.20)),
    ("shape", "high_waves"): _only("waves", wave_height=Uniform(0.05, 0.09)),
    ("shape", "rubble"): _only("rough", roughness=Uniform(0.010, 0.018)),
    ("shape", "high_steps"): _only("steps", step_height=Uniform(0.03, 0.05)),
}
_bodies: dict[Context, Mapping[str, Any]] = {
    ("body", "payload"): {"payload": Uniform(1.0, 2.5)},
    ("body", "big_head"): {"head_scale": Uniform(1.3, 1.7)},
    ("body", "weak_motors"): {
        "motors": {**Ranges().motors, "strength": Uniform(0.6, 0.75)},
    },
    ("body", "soft_motors"): {
        "motors": {**Ranges().motors, "stiffness": Uniform(0.65, 0.8)},
    },
    ("body", "late_motors"): {
        "motors": {**Ranges().motors, "delay": Uniform(0.018, 0.025)},
    },
    ("body", "hard_pushes"): {"push": Uniform(0.45, 0.7)},
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
    "train": Ranges(),
    "heldout": Ranges(
        contexts=(*(("material", name) for name in HELD_OUT), *_shapes, *_bodies),
        changes={**_shapes, **_bodies},
        mixed=0.0,
    ),
    "numerics": Ranges(contexts=tuple(_numerics), changes=_numerics, same_worlds=True),
}
