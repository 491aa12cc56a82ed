"""Faults of a link: loss, delay, jitter, repetition, reordering and corruption, drawn from a seed.

`Channel` carries datagrams one way through such a link. It is told the time, so a trial with it is
the same every time.
"""

import heapq
import math

import numpy as np

from grek.envs.scenarios.links import Faults

REPEAT = 0.03  # largest delay of a datagram's second arrival [s]
HELD_BACK = 0.03  # of a datagram that others overtake: one and a half control steps [s]


class Channel:
    """One way through a link with `faults`, drawn from `seed`; times are in seconds."""

    def __init__(self, faults: Faults, seed: int) -> None:
        self._faults = faults
        self._random = np.random.default_rng(seed)
        self._flying: list[tuple[float, int, bytes]] = []
        self._count = 0

    def send(self, data: bytes, now: float) -> None:
        """Put a datagram on its way at `now`."""
        faults, random = self._faults, self._random
        # Drawn whether used or not: a rate changes no draw of the others.
        lost, twice, held, hit = random.random(4)
        wait, again = random.exponential(), random.random()
        flips = random.integers(0, 8 * max(len(data), 1), random.integers(1, 9))
        if lost < faults.loss:
            return
        if hit < faults.corruption:
            data = _flipped(data, flips)
        arrival = now + faults.delay + wait * faults.jitter + HELD_BACK * (held < faults.reordering)
        self._fly(arrival, data)
        if twice < faults.repetition:
            self._fly(arrival + again * REPEAT, data)

    def _fly(self, arrival: float, data: bytes) -> None:
        heapq.heappush(self._flying, (arrival, self._count, data))
        self._count += 1

    def next(self) -> float:
        """When the next datagram arrives; infinity for none."""
        return self._flying[0][0] if self._flying else math.inf

    def receive(self, now: float) -> bytes | None:
        """Next datagram that has arrived by `now`, None without one."""
        return heapq.heappop(self._flying)[2] if self.next() <= now else None


def _flipped(data: bytes, bits: np.ndarray) -> bytes:
    """`data` with the bits numbered `bits` flipped, each once."""
    flipped = bytearray(data)
    for bit in set(bits.tolist()):
        flipped[bit // 8] ^= 1 << bit % 8
    return bytes(flipped)
