"""Choreography: what a robot does on which beat, as plain data read from TOML (docs/motions.md).

A key at a beat sets how the torso is held, and may begin a step, a lift, a hop or a spin. Between
two keys that set it, a quantity moves smoothly from the one value to the other. A choreography
begins and ends in the home pose.
"""

import math
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from grek.assets import asset_path
from grek.errors import InputError
from grek.sanitize import printable

Side = Literal["left", "right"]
Beats = Annotated[float, Meta(gt=0, le=64)]


class _Strict(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Base of the entries of a file: unknown words are errors."""


class Step(_Strict, frozen=True):
    """A foot is put down elsewhere."""

    foot: Side
    to: tuple[float, float] = (0.0, 0.0)
    """Displacement forward and left, in the frame of the feet's mean heading [m]."""
    turn: float = 0.0
    """Turn of the foot to the left [rad]."""
    height: Annotated[float, Meta(gt=0, le=0.12)] = 0.04
    """Largest height of the sole on the way [m]."""
    beats: Beats = 1.0
    """Duration."""


class Lift(_Strict, frozen=True):
    """A foot is lifted, held, and put down where it was."""

    foot: Side
    height: Annotated[float, Meta(gt=0, le=0.12)] = 0.05
    """Height of the sole [m]."""
    beats: Beats = 1.0
    """Duration, rise and descent included."""


class Hop(_Strict, frozen=True):
    """Both feet leave the ground on the beat, after a crouch before it."""

    height: Annotated[float, Meta(gt=0, le=0.15)] = 0.05
    """Largest clearance of the soles [m]."""
    forward: float = 0.0
    """Displacement forward [m]."""
    turn: float = 0.0
    """Turn to the left [rad]."""


class Spin(_Strict, frozen=True):
    """A turn on the spot in steps of both feet in turn."""

    turn: float
    """Turn to the left [rad]."""
    steps: Annotated[int, Meta(ge=2, le=64)] = 4
    """Number of steps, of half a beat each."""
    height: Annotated[float, Meta(gt=0, le=0.12)] = 0.04
    """Largest height of the sole [m]."""


class Key(_Strict, frozen=True):
    """Pose of the torso at a beat, and the movements that begin there."""

    beat: Annotated[float, Meta(ge=0)]
    height: float | None = None
    """Height of the torso above the soles [m]."""
    lean: float | None = None
    """Pitch of the torso, forward [rad]."""
    tilt: float | None = None
    """Roll of the torso, to the right [rad]."""
    twist: float | None = None
    """Yaw of the torso over the feet, to the left [rad]."""
    sway: float | None = None
    """Displacement of the torso over the feet, to the left [m]."""
    look_pitch: float | None = None
    """Pitch of the head, downward [rad]."""
    look_yaw: float | None = None
    """Yaw of the head, to the left [rad]."""
    step: Step | None = None
    lift: Lift | None = None
    hop: Hop | None = None
    spin: Spin | None = None


class _File(_Strict, frozen=True):
    title: str
    tempo: Annotated[float, Meta(ge=20, le=300)]
    beats: Annotated[float, Meta(gt=0, le=1024)]
    key: Annotated[tuple[Key, ...], Meta(min_length=1)]


@dataclass(frozen=True)
class Choreography:
    """Keys on the beats of a tempo; raises InputError, naming the beat, for keys out of order."""

    name: str
    title: str
    tempo: float
    """[beats per minute]"""
    beats: float
    """Length."""
    keys: tuple[Key, ...]

    def __post_init__(self) -> None:
        last = 0.0
        for key in self.keys:
            if not last < key.beat < self.beats:
                raise InputError(
                    f"motion {self.name}: beat {key.beat:g} is not after beat {last:g} and before"
                    f" the end, beat {self.beats:g}"
                )
            last = key.beat

    @property
    def seconds(self) -> float:
        """Length [s]."""
        return self.time(self.beats)

    def time(self, beat: float) -> float:
        """Time of a beat [s]."""
        return beat * 60 / self.tempo


def read(path: Path) -> Choreography:
    """Choreography in a TOML file; raises InputError naming the line or the entry at fault."""
    name = f"motion {printable(path)}"
    try:
        content: Any = tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise InputError(f"{name} cannot be read: {error.strerror or error}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InputError(f"{name} is not TOML: {error}") from None
    try:
        _check_finite(content, "")
        found = msgspec.convert(content, _File)
    except (ValueError, RecursionError) as error:
        raise InputError(f"{name}: {error}") from None
    return Choreography(path.stem, found.title, found.tempo, found.beats, found.key)


def _check_finite(value: Any, place: str) -> None:
    """Raise ValueError for a number in `value` that is not finite; TOML has "nan" and "inf"."""
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError(f"{place.removeprefix('.')} is {value}")
    if isinstance(value, dict):
        for key, item in value.items():
            _check_finite(item, f"{place}.{key}")
    if isinstance(value, list):
        for i, item in enumerate(value):
            _check_finite(item, f"{place}[{i}]")


def shipped() -> tuple[str, ...]:
    """Names of the choreographies that come with grek."""
    return tuple(sorted(path.stem for path in asset_path("motions").glob("*.toml")))


def choreography(text: str) -> Choreography:
    """Choreography named by `text`, a shipped name or a file; raises InputError for another."""
    if text in shipped():
        return read(asset_path("motions") / f"{text}.toml")
    path = Path(text)
    if path.suffix != ".toml" or not path.is_file():
        raise InputError(
            f"unknown motion {text!r}; give a .toml file or one of: {', '.join(shipped())}"
        )
    return read(path)
