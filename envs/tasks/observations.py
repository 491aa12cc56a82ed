"""What the policy sees, what only the critic sees, and how both look in a mirror.

The policy gets what a real droid could measure: no base velocity, no contacts, no terrain. Each
field is (name, size, how it mirrors left to right).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from grek.envs import noise
from grek.envs.robots.robot import LEGS, MIRROR, MIRROR_SIGN, Array
from grek.envs.scenarios.scenario import Sensors

_SELF = tuple(range(3))
_LEGS_MIRROR = (tuple(MIRROR[:LEGS].tolist()), tuple(MIRROR_SIGN[:LEGS].tolist()))
_SWAP = ((1, 0), (1, 1))


@dataclass(frozen=True)
class Field:
    """A named run of columns and what a mirror does to it."""

    name: str
    order: tuple[int, ...]
    """Column i of the mirrored field is column order[i] ..."""
    sign: tuple[float, ...]
    """... times sign[i]."""

    @property
    def size(self) -> int:
        """Number of columns."""
        return len(self.order)


def _signed(name: str, *sign: float) -> Field:
    return Field(name, tuple(range(len(sign))), sign)


READINGS = (  # what sensors read, noisy and possibly late
    _signed("gyro", -1, 1, -1),
    _signed("gravity", 1, -1, 1),
    Field("joint_position", *_LEGS_MIRROR),
    Field("joint_velocity", *_LEGS_MIRROR),
)
KNOWN = (  # what the droid knows exactly
    _signed("command", 1, -1, -1),
    _signed("look", 1, -1),
    Field("last_action", *_LEGS_MIRROR),
    _signed("phase", -1, -1, 1, 1),
)
PRIVILEGED = (  # for the critic alone
    _signed("velocity", 1, -1, 1),
    _signed("stride_velocity", 1, -1, -1),
    _signed("height", 1),
    Field("clearance", *_SWAP),
    Field("contact", *_SWAP),
    Field("friction", *_SWAP),
    _signed("ground_normal", 1, -1),
    _signed("push", 1, -1),
    _signed("motors", 1, 1),
    _signed("payload", 1),
)


def actor_fields(history: int = 0) -> tuple[Field, ...]:
    """Fields the policy sees, newest first; `history` older readings at the end."""
    old = tuple(
        Field(f"{f.name}_{k}", f.order, f.sign) for k in range(1, history + 1) for f in READINGS
    )
    return (*READINGS, *KNOWN, *old)


def size(fields: tuple[Field, ...]) -> int:
    """Columns of `fields` together."""
    return sum(f.size for f in fields)


def slices(fields: tuple[Field, ...]) -> dict[str, tuple[int, int]]:
    """First and one past the last column of each field."""
    ends = np.cumsum([f.size for f in fields]).tolist()
    return {f.name: (end - f.size, end) for f, end in zip(fields, ends, strict=True)}


def mirror_map(fields: tuple[Field, ...]) -> tuple[NDArray[np.int64], Array]:
    """Order and sign of all columns: mirrored = x[..., order] * sign."""
    starts = [start for start, _ in slices(fields).values()]
    order = [s + i for s, f in zip(starts, fields, strict=True) for i in f.order]
    return np.array(order), np.array([x for f in fields for x in f.sign], float)


class SensorErrors:
    """Noise, bias, mounting and zero errors of the sensors of all worlds."""

    def __init__(self, worlds: int) -> None:
        columns = size(READINGS)
        self._deviation = np.zeros((worlds, columns))
        self._bias = np.zeros((worlds, columns))
        self._tilt = np.zeros((worlds, 2))  # roll, pitch [rad]
        self._seed = np.zeros(worlds, np.uint64)
        self.late = np.zeros(worlds, bool)

    def set(self, world: int, sensors: Sensors, seed: int) -> None:
        """Take the errors of `world` from its scenario."""
        deviation = (
            (sensors.gyro_noise, 3),
            (sensors.gravity_noise, 3),
            (sensors.joint_noise, LEGS),
            (sensors.velocity_noise, LEGS),
        )
        self._deviation[world] = np.repeat([d for d, _ in deviation], [k for _, k in deviation])
        self._bias[world, :3] = sensors.gyro_bias
        self._bias[world, 6 : 6 + LEGS] = sensors.joint_offset
        self._tilt[world] = sensors.tilt
        self._seed[world] = seed
        self.late[world] = sensors.delay > 0

    def apply(
        self, true: Array, step: NDArray[np.int64], worlds: NDArray | slice = slice(None)
    ) -> Array:
        """What the sensors of `worlds` read at `step` (n,) when READINGS are `true` (n, 26)."""
        read = true + self._bias[worlds]
        roll, pitch = self._tilt[worlds].T
        # A small rotation of the IMU about x and y turns what gyro and gravity vector show.
        for start in (0, 3):
            x, y, z = true[:, start], true[:, start + 1], true[:, start + 2]
            read[:, start] -= pitch * z
            read[:, start + 1] += roll * z
            read[:, start + 2] += pitch * x - roll * y
        drawn = noise.normal(self._seed[worlds], step.astype(np.uint64), true.shape[1])
        read += self._deviation[worlds] * drawn
        return read
