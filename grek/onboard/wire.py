"""Datagrams between the body of a robot and its computer, little endian (docs/onboard.md).

Header, payload, checksum. What is not exactly that is counted and dropped.
"""

import struct
import zlib
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

import numpy as np

from grek.envs.vectors import Array
from grek.onboard.controller import Reading

MAGIC: Final = b"GREK"
VERSION: Final = 1
LOCKSTEP, ACCELEROMETER = 1, 2  # flags of a reading
_HEADER = struct.Struct("<4sBBHIIQQ")
_READING = struct.Struct("<BBHIQ")  # acting joints, flags, zero, step, seed
_TARGETS = struct.Struct("<BBHI")  # joints, mode, zero, step
_CHECKSUM = struct.Struct("<I")
_LEAST = _HEADER.size + _CHECKSUM.size
MOST: Final = 2048  # bytes of a datagram
_HALF = 1 << 31  # sequence numbers are compared modulo 2^32 (RFC 1982)


class Kind(IntEnum):
    """Kind of a datagram."""

    HELLO = 1
    """The computer asks for readings."""
    READING = 2
    TARGETS = 3
    BYE = 4
    """The body has come to the end of its run."""


class Mode(IntEnum):
    """Mode of the motors."""

    LIMP = 0
    """No torque but damping."""
    DRIVE = 1
    """Follow joint targets."""


@dataclass(frozen=True)
class Header:
    """First part of every datagram."""

    kind: Kind
    session: int
    """Of the body, drawn when it starts; 0 where the computer does not know it yet."""
    sequence: int
    """Counts datagrams of a sender."""
    time: int
    """Clock of the sender when it was sent [ns]."""
    echo: int = 0
    """`time` of the last datagram that the sender accepted [ns]."""


@dataclass(frozen=True)
class Targets:
    """Joint targets for a control step."""

    step: int
    """Control step of the reading that they answer."""
    mode: Mode
    joints: Array
    """(J,) [rad]"""


@dataclass(frozen=True)
class Datagram:
    """An accepted datagram."""

    header: Header
    reading: Reading | None = None
    targets: Targets | None = None
    lockstep: bool = False


def encode(header: Header, payload: bytes = b"") -> bytes:
    """Datagram of `payload`."""
    size = _LEAST + len(payload)
    numbers = (header.session, header.sequence % (1 << 32), header.time, header.echo)
    body = _HEADER.pack(MAGIC, VERSION, header.kind, size, *numbers) + payload
    return body + _CHECKSUM.pack(zlib.crc32(body))


def reading_payload(reading: Reading, lockstep: bool = False) -> bytes:
    """Payload of a datagram READING."""
    force = reading.accelerometer
    flags = LOCKSTEP * lockstep | ACCELEROMETER * (force is not None)
    parts = [
        reading.gyro,
        reading.gravity,
        np.zeros(3) if force is None else force,
        reading.command,
        reading.joint_position,
        reading.joint_velocity,
    ]
    acting = len(reading.joint_position)
    head = _READING.pack(acting, flags, 0, reading.step, reading.seed)
    return head + np.concatenate(parts).astype("<f8").tobytes()


def targets_payload(targets: Targets) -> bytes:
    """Payload of a datagram TARGETS."""
    head = _TARGETS.pack(len(targets.joints), targets.mode, 0, targets.step)
    return head + targets.joints.astype("<f8").tobytes()


class Receiver:
    """Decodes the datagrams of one sender; `dropped` counts those refused, by reason.

    `acting` and `joints` are the numbers of joints that readings and targets must have;
    `session` says whether a datagram of a kind may have a session number.
    """

    def __init__(self, acting: int, joints: int, session: Callable[[Kind, int], bool]) -> None:
        self.dropped: Counter[str] = Counter()
        self.accepted = 0
        self._acting, self._joints, self._session = acting, joints, session
        self._sequence: int | None = None

    def forget(self) -> None:
        """Accept any sequence number next: the sender has started anew."""
        self._sequence = None

    def accept(self, data: bytes) -> Datagram | None:
        """`data` decoded, or None if it is refused."""
        found = self._decode(data)
        if isinstance(found, str):
            self.dropped[found] += 1
            return None
        self._sequence = found.header.sequence
        self.accepted += 1
        return found

    def _decode(self, data: bytes) -> Datagram | str:
        """The datagram, or the reason to refuse it."""
        if not _LEAST <= len(data) <= MOST:
            return "size"
        magic, version, kind, size, *numbers = _HEADER.unpack_from(data)
        if magic != MAGIC:
            return "magic"
        if version != VERSION:
            return "version"
        if size != len(data):
            return "size"
        if _CHECKSUM.unpack_from(data, size - 4)[0] != zlib.crc32(data[:-4]):
            return "checksum"
        if kind not in iter(Kind):
            return "kind"
        header = Header(Kind(kind), *numbers)
        if not self._session(header.kind, header.session):
            return "session"
        last = self._sequence
        if last is not None and not 0 < (header.sequence - last) % (1 << 32) < _HALF:
            return "sequence"
        payload = data[_HEADER.size : -4]
        if header.kind == Kind.READING:
            return self._reading(header, payload)
        if header.kind == Kind.TARGETS:
            return self._targets(header, payload)
        return "size" if payload else Datagram(header)

    def _reading(self, header: Header, payload: bytes) -> Datagram | str:
        if len(payload) != _READING.size + 8 * (14 + 2 * self._acting):
            return "size"
        acting, flags, zero, step, seed = _READING.unpack_from(payload)
        if acting != self._acting or zero or flags & ~(LOCKSTEP | ACCELEROMETER):
            return "content"
        values = np.frombuffer(payload, "<f8", offset=_READING.size).astype(float)
        ends = np.cumsum([3, 3, 3, 5, acting])
        gyro, gravity, force, command, position, velocity = np.split(values, ends)
        reading = Reading(
            step=step,
            time=header.time * 1e-9,
            gyro=gyro,
            gravity=gravity,
            joint_position=position,
            joint_velocity=velocity,
            command=command,
            accelerometer=force if flags & ACCELEROMETER else None,
            seed=seed,
        )
        return Datagram(header, reading=reading, lockstep=bool(flags & LOCKSTEP))

    def _targets(self, header: Header, payload: bytes) -> Datagram | str:
        if len(payload) != _TARGETS.size + 8 * self._joints:
            return "size"
        joints, mode, zero, step = _TARGETS.unpack_from(payload)
        if joints != self._joints or zero or mode not in iter(Mode):
            return "content"
        values = np.frombuffer(payload, "<f8", offset=_TARGETS.size).astype(float)
        if not np.isfinite(values).all():
            return "content"
        return Datagram(header, targets=Targets(step, Mode(mode), values))
