"""Spaces in TOML files: ranges of a body, its sensors, ground and commands (docs/identify.md).

An entry is a number, which is the same in every scenario, or [lowest, highest], between which it is
uniform. What a file leaves out is as in training.
"""

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import msgspec

from grek.envs.distributions import Constant, Distribution, Uniform
from grek.envs.ground.materials import material
from grek.envs.ground.shapes import shape_kind
from grek.envs.robots import robot
from grek.envs.scenarios.ranges import TRAIN, Ranges
from grek.errors import InputError

SCHEMA = 1
LEVEL = "level"  # ground without shapes, among `[ground.shapes]`
_NAME = re.compile("[a-z][a-z0-9_]{0,39}")
_MOST = 1_000_000  # bytes of a file

Range = float | tuple[float, float]
"""Number, or lowest and highest one."""
_Ranges = dict[str, Range]


@dataclass(frozen=True)
class Bounds:
    """Unit and bounds of an entry."""

    unit: str
    low: float
    high: float


ENTRIES: Mapping[str, Mapping[str, Bounds]] = {
    "body": {
        "mass_scale": Bounds("of every link's mass and inertia [-]", 0.2, 5.0),
        "payload": Bounds("mass added to the torso [kg]", -3.0, 20.0),
        "base_com": Bounds("shift of the torso's centre of mass [m]", -0.2, 0.2),
        "head_scale": Bounds("of the head's mass and inertia [-]", 0.1, 10.0),
    },
    "motors": {
        "strength": Bounds("of peak torque and voltage [-]", 0.05, 5.0),
        "stiffness": Bounds("of the position gain [-]", 0.05, 5.0),
        "damping": Bounds("of the velocity gain [-]", 0.05, 5.0),
        "armature": Bounds("of the rotor's inertia [-]", 0.05, 5.0),
        "friction": Bounds("of dry friction [-]", 0.0, 10.0),
        "delay": Bounds("from target to motor [s], rounded up to physics steps of 5 ms", 0.0, 0.06),
    },
    "sensors": {
        "latency": Bounds("of readings [control steps of 20 ms]", 0.0, 10.0),
        "attitude_time": Bounds("of the attitude estimate [s]", 0.0, 100.0),
        "gyro_noise": Bounds("standard deviation [rad/s]", 0.0, 10.0),
        "gravity_noise": Bounds("standard deviation [-]", 0.0, 1.0),
        "joint_noise": Bounds("standard deviation [rad]", 0.0, 1.0),
        "velocity_noise": Bounds("standard deviation [rad/s]", 0.0, 10.0),
        "tilt": Bounds("mounting error of the IMU [rad]", -0.5, 0.5),
        "gyro_bias": Bounds("[rad/s]", -2.0, 2.0),
        "joint_offset": Bounds("zero errors of the encoders [rad]", -0.5, 0.5),
    },
    "commands": {
        "forward": Bounds("[m/s]", -2.0, 2.0),
        "sideways": Bounds("to the left [m/s]", -2.0, 2.0),
        "yaw_rate": Bounds("[rad/s]", -4.0, 4.0),
    },
    "disturbances": {"push": Bounds("impulse over mass [m/s]", 0.0, 5.0)},
    "ground": {"friction": Bounds("Coulomb, instead of the material's own [-]", 0.01, 2.0)},
}
"""Entries by section."""
COMPONENTS: Mapping[str, tuple[str, ...]] = {
    "base_com": ("x", "y", "z"),
    "tilt": ("roll", "pitch"),
    "gyro_bias": ("x", "y", "z"),
}
"""Entries that are tables of a range for each component; `joint_offset` is one by joint."""


class _Ground(msgspec.Struct, forbid_unknown_fields=True):
    materials: tuple[str, ...] | None = None
    friction: Range | None = None
    mixed: float | None = None
    shapes: dict[str, float] | None = None
    sizes: _Ranges | None = None


class _File(msgspec.Struct, forbid_unknown_fields=True):
    schema: Literal[1]
    name: str
    robot: str = "grek"
    body: dict[str, Range | _Ranges] = {}
    motors: _Ranges = {}
    sensors: dict[str, Range | _Ranges] = {}
    commands: _Ranges = {}
    disturbances: _Ranges = {}
    ground: _Ground = msgspec.field(default_factory=_Ground)


@dataclass(frozen=True)
class SpaceFile:
    """Content of a file."""

    name: str
    """Of the space, in the names of its scenarios."""
    robot: str
    ranges: Ranges


def read(path: Path) -> SpaceFile:
    """Content of the file `path`; raises InputError naming the first entry that does not fit."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror or error}") from None
    if len(content) > _MOST:
        raise InputError(f"{path} has {len(content)} bytes, more than {_MOST}")
    try:
        return _content(msgspec.toml.decode(content, type=_File, strict=True))
    except (ValueError, RecursionError) as error:  # msgspec's and tomllib's are ValueErrors
        raise InputError(f"{path}: {error}") from None


def _content(file: _File) -> SpaceFile:
    if not _NAME.fullmatch(file.name):
        raise InputError(f"name {file.name[:60]!r} is not of the form {_NAME.pattern}")
    joints = robot(file.robot).joints
    components = {**COMPONENTS, "joint_offset": joints}
    found: dict[str, dict[str, Any]] = {
        section: dict(_entries(section, getattr(file, section), components))
        for section in ("body", "motors", "sensors", "commands", "disturbances")
    }
    sensors: dict[str, Any] = {**TRAIN.sensors, **found["sensors"]}
    timing: dict[str, Any] = {
        name: sensors.pop(name) for name in ("latency", "attitude_time") if name in sensors
    }
    motors: dict[str, Any] = {**TRAIN.motors, **found["motors"]}
    rest: dict[str, Any] = {**found["body"], **found["commands"], **found["disturbances"], **timing}
    return SpaceFile(
        file.name, file.robot, Ranges(motors=motors, sensors=sensors, **rest, **_ground(file))
    )


def _entries(
    section: str, values: Mapping[str, Any], components: Mapping[str, tuple[str, ...]]
) -> Iterator[tuple[str, Any]]:
    """Distributions of the entries `values` of a section, by name."""
    known = ENTRIES[section]
    for name, value in values.items():
        if name not in known:
            raise InputError(f"unknown {section}.{name}; there are: {', '.join(known)}")
        where = f"{section}.{name}"
        if name not in components:
            if isinstance(value, dict):
                raise InputError(f"{where} is a table, not a number or [lowest, highest]")
            yield name, _distribution(where, value, known[name])
        elif isinstance(value, dict):
            named = components[name]
            if wrong := [part for part in value if part not in named]:
                raise InputError(f"unknown {where}.{wrong[0]}; there are: {', '.join(named)}")
            if lacking := [part for part in named if part not in value]:
                raise InputError(f"{where} lacks {', '.join(lacking)}")
            yield (
                name,
                tuple(_distribution(f"{where}.{part}", value[part], known[name]) for part in named),
            )
        else:
            yield name, _distribution(where, value, known[name])


def _distribution(where: str, value: Range, bounds: Bounds) -> Distribution:
    """Distribution of a range; raises InputError naming an entry out of bounds."""
    low, high = value if isinstance(value, tuple) else (value, value)
    for end in (low, high):
        if not bounds.low <= end <= bounds.high:  # also where it is not a number
            raise InputError(f"{where} {end:g} is outside [{bounds.low:g}, {bounds.high:g}]")
    if low > high:
        raise InputError(f"{where} [{low:g}, {high:g}] has its ends in the wrong order")
    return Constant(low) if low == high else Uniform(low, high)


def _ground(file: _File) -> dict[str, Any]:
    """Fields of `Ranges` for the ground."""
    ground, found = file.ground, dict[str, Any]()
    if ground.materials is not None:
        if not ground.materials or len(set(ground.materials)) != len(ground.materials):
            raise InputError("ground.materials names no material, or one twice")
        found["materials"] = tuple(material(name).name for name in ground.materials)
    if ground.friction is not None:
        bounds = ENTRIES["ground"]["friction"]
        found["friction"] = _distribution("ground.friction", ground.friction, bounds)
    if ground.mixed is not None:
        if not 0 <= ground.mixed <= 1:
            raise InputError(f"ground.mixed {ground.mixed:g} is outside [0, 1]")
        found["mixed"] = ground.mixed
    if ground.shapes is not None:
        shares = {_kinds(name): share for name, share in ground.shapes.items()}
        least, total = min(shares.values(), default=0.0), sum(shares.values())
        if len(shares) != len(ground.shapes) or not (least >= 0 and 0 < total < math.inf):
            raise InputError("ground.shapes takes shares of at least 0, some above, each once")
        found["shapes"] = shares
    if ground.sizes is not None:
        found["sizes"] = {
            shape_kind(name).name: _distribution(
                f"ground.sizes.{name}", size, Bounds("", 0.0, shape_kind(name).far.high)
            )
            for name, size in ground.sizes.items()
        }
    return found


def _kinds(name: str) -> tuple[str, ...]:
    """Kinds of shape in `name`, such as "slope+relief"."""
    return () if name == LEVEL else tuple(shape_kind(kind).name for kind in name.split("+"))
