"""One hash for everything random that is a function of names, places and moments.

A generator ties what is drawn to what was drawn before it; a hash does not. A scenario's factor
depends on the scenario's name and its own, a stone on its place, a sensor's noise on the world, the
step and the channel: adding one changes no other, and any order or batch gives the same bits. The
hash is SplitMix64 (Steele, Lea and Flood 2014, Fast splittable pseudorandom number generators).
"""

from functools import lru_cache
from hashlib import blake2b
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Bits = TypeVar("Bits", int, NDArray[np.uint64])

_MASK = 0xFFFFFFFFFFFFFFFF
_GOLDEN, _LANE = 0x9E3779B97F4A7C15, 0xD1B54A32D192ED03
_MIX_1, _MIX_2 = 0xBF58476D1CE4E5B9, 0x94D049BB133111EB


def mix(x: Bits) -> Bits:
    """The finaliser of SplitMix64, on an integer below 2^64 or an array of uint64."""
    x = (x ^ (x >> 30)) * _MIX_1 & _MASK  # type: ignore[assignment]
    x = (x ^ (x >> 27)) * _MIX_2 & _MASK  # type: ignore[assignment]
    return x ^ (x >> 31)  # type: ignore[return-value]


def combine(*keys: int) -> int:
    """64 bits for a sequence of integers."""
    state = 0
    for key in keys:
        state = mix((state + _GOLDEN + (key & _MASK)) & _MASK)
    return state


@lru_cache(maxsize=4096)
def name_key(name: str) -> int:
    """64 bits for a name."""
    return int.from_bytes(blake2b(name.encode(), digest_size=8).digest())


def unit(key: int, name: int, number: int = 0) -> float:
    """A value in [0, 1) for a key, a name's key and a number; 53 bits of resolution."""
    return (mix((key + name + number * _GOLDEN) & _MASK) >> 11) * 2.0**-53


def uniform(*keys: Any) -> Array:
    """Values in [0, 1) for integer arrays `keys`, which broadcast; 32 bits of resolution."""
    state = np.zeros((1,) * max(np.ndim(key) for key in keys), np.uint64)
    for key in keys:
        state = mix(state + np.asarray(key).astype(np.int64).astype(np.uint64) + np.uint64(_GOLDEN))
    return (state >> np.uint64(32)).astype(np.float64) * 2.0**-32


def normal(seeds: NDArray[np.uint64], steps: NDArray[np.uint64], channels: int) -> Array:
    """Nearly normal values (n, channels), mean 0 and variance 1, within 3.47 of zero.

    The sum of four uniform values (Irwin-Hall). `seeds` (n,) name the worlds, `steps` (n,) the
    moments.
    """
    lanes = np.arange(1, channels + 1, dtype=np.uint64) * np.uint64(_LANE)
    x = mix((seeds + steps * np.uint64(_GOLDEN))[:, None] * np.uint64(_MIX_2) + lanes)
    total = x & np.uint64(0xFFFF)
    for shift in (16, 32, 48):
        total += (x >> np.uint64(shift)) & np.uint64(0xFFFF)
    return (total.astype(np.float64) / 65535 - 2) * np.sqrt(3)
