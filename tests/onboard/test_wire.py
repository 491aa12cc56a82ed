"""Datagrams: content to the last bit, refusals by hand, and many that are damaged."""

import os
import struct
import zlib

import numpy as np
import pytest

from grek.onboard.controller import Reading
from grek.onboard.wire import (
    Header,
    Kind,
    Mode,
    Receiver,
    Targets,
    encode,
    reading_payload,
    targets_payload,
)

RNG = np.random.default_rng(5)
MALFORMED = int(os.environ.get("GREK_FUZZ", "2000"))
READING = Reading(
    step=7,
    time=1.25,
    gyro=RNG.normal(size=3),
    gravity=RNG.normal(size=3),
    joint_position=RNG.normal(size=10),
    joint_velocity=RNG.normal(size=10),
    command=RNG.normal(size=5),
    accelerometer=RNG.normal(size=3),
    seed=2**40 + 1,
)
TARGETS = Targets(7, Mode.DRIVE, RNG.normal(size=14))


def receiver() -> Receiver:
    return Receiver(10, 14, lambda kind, session: session == 5)


def datagram(sequence: int = 1, kind: Kind = Kind.READING, **options: int) -> bytes:
    payload = reading_payload(READING, True) if kind is Kind.READING else targets_payload(TARGETS)
    return encode(Header(kind, options.get("session", 5), sequence, 1_250_000_000, 42), payload)


def sealed(data: bytes) -> bytes:
    """`data` with the right checksum."""
    return data[:-4] + struct.pack("<I", zlib.crc32(data[:-4]))


def test_readings_arrive_to_the_last_bit():
    found = receiver().accept(datagram())
    assert found is not None and found.reading is not None and found.lockstep
    assert (found.header.time, found.header.echo) == (1_250_000_000, 42)
    for name, value in vars(READING).items():
        assert np.array_equal(getattr(found.reading, name), value), name


def test_targets_arrive_to_the_last_bit():
    found = receiver().accept(datagram(kind=Kind.TARGETS))
    assert found is not None and found.targets is not None
    assert (found.targets.step, found.targets.mode) == (7, Mode.DRIVE)
    assert np.array_equal(found.targets.joints, TARGETS.joints)


def test_the_layout_is_the_documented_one():
    """Byte by byte, as docs/onboard.md has it."""
    data = datagram(3)
    assert len(data) == 32 + 16 + 8 * (3 + 3 + 3 + 5 + 10 + 10) + 4 == 324
    assert data[:4] == b"GREK" and data[4:6] == bytes([1, 2])
    assert struct.unpack_from("<HIIQQ", data, 6) == (324, 5, 3, 1_250_000_000, 42)
    assert struct.unpack_from("<BBHIQ", data, 32) == (10, 3, 0, 7, 2**40 + 1)
    assert struct.unpack_from("<3d", data, 48) == tuple(READING.gyro)
    assert struct.unpack_from("<10d", data, 240) == tuple(READING.joint_velocity)
    assert struct.unpack_from("<I", data, 320)[0] == zlib.crc32(data[:320])
    other = datagram(3, Kind.TARGETS)
    assert len(other) == 32 + 8 + 8 * 14 + 4 and other[5] == 3
    assert struct.unpack_from("<BBHI", other, 32) == (14, 1, 0, 7)


GOOD = datagram(2)
REFUSED = {
    "nothing": (b"", "size"),
    "short": (GOOD[:30], "size"),
    "cut": (GOOD[:-8], "size"),
    "long": (GOOD + b"x", "size"),
    "huge": (GOOD + bytes(4000), "size"),
    "other magic": (sealed(b"GRIM" + GOOD[4:]), "magic"),
    "other version": (sealed(GOOD[:4] + b"\x02" + GOOD[5:]), "version"),
    "other kind": (sealed(GOOD[:5] + b"\x09" + GOOD[6:]), "kind"),
    "checksum": (GOOD[:60] + bytes([GOOD[60] ^ 1]) + GOOD[61:], "checksum"),
    "session": (datagram(2, session=6), "session"),
    "joints": (sealed(GOOD[:32] + b"\x0b" + GOOD[33:]), "content"),
    "flags": (sealed(GOOD[:33] + b"\x80" + GOOD[34:]), "content"),
    "payload of a greeting": (encode(Header(Kind.HELLO, 5, 2, 0), b"x"), "size"),
    "payload of another robot": (encode(Header(Kind.TARGETS, 5, 2, 0), bytes(24)), "size"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_refused_datagram_is_counted_and_changes_nothing(name):
    data, reason = REFUSED[name]
    link = receiver()
    assert link.accept(datagram(1)) is not None
    assert link.accept(data) is None
    assert dict(link.dropped) == {reason: 1}
    assert link.accept(datagram(2)) is not None


def test_targets_that_are_not_finite_are_refused():
    link, bad = receiver(), np.zeros(14)
    bad[3] = np.nan
    payload = targets_payload(Targets(0, Mode.DRIVE, bad))
    assert link.accept(encode(Header(Kind.TARGETS, 5, 1, 0), payload)) is None
    assert link.dropped["content"] == 1


def test_sequence_numbers_only_rise_and_wrap():
    link = receiver()
    numbers = (10, 10, 9, 12, 11, 2**31 + 11, 2**32 - 1, 0, 2**32 - 2, 1)
    taken = [n for n in numbers if link.accept(datagram(n)) is not None]
    assert taken == [10, 12, 2**31 + 11, 2**32 - 1, 0, 1]
    assert link.dropped["sequence"] == 4


def test_malformed_datagrams_are_never_accepted():
    """2,000 of them; GREK_FUZZ sets another number."""
    random, link = np.random.default_rng(0), receiver()
    good = [datagram(kind=kind) for kind in (Kind.READING, Kind.TARGETS)]
    for _ in range(MALFORMED):
        data = bytearray(good[random.integers(2)])
        way = random.integers(5)
        if way == 0:  # flipped bits
            for bit in {int(b) for b in random.integers(0, 8 * len(data), random.integers(1, 20))}:
                data[bit // 8] ^= 1 << bit % 8
        elif way == 1:
            data = data[: random.integers(len(data))]
        elif way == 2:
            data += random.bytes(random.integers(1, 3000))
        elif way == 3:
            data = bytearray(random.bytes(random.integers(400)))
        else:  # the checksum is right, the header is not
            start = random.integers(0, 12)  # magic to session
            data[start] ^= random.integers(1, 256)
            data = bytearray(sealed(bytes(data)))
        assert link.accept(bytes(data)) is None, bytes(data)
    assert sum(link.dropped.values()) == MALFORMED
