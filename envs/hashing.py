"""Counter-based random numbers: pure functions of integer keys, without generator state.

Scenario factors are keyed by scenario and factor name, stones by grid cell and seed, sensor noise
by seed, control step and channel. A value therefore does not depend on the order of evaluation or
on the batch, and a new factor changes no other. Keys are mixed by the finaliser of SplitMix64, a
bijection on 64 bits (Steele, Lea and Flood 2014, Fast splittable pseudorandom number generators).
"""

from functools import lru_cache
from hashlib import blake2b
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from grek.envs.vectors import Array

Bits = TypeVar("Bits", int, NDArray[np.uint64])

_MASK = 0xFFFFFFFFFFFFFFFF
_GOLDEN, _LANE = 0x9E3779B97F4A7C15, 0xD1B54A32D192ED03
_MIX_1, _MIX_2 = 0xBF58476D1CE4E5B9, 0x94D049BB133111EB


def mix(x: Bits) -> Bits:
    """Finaliser of SplitMix64 for an int in [0, 2^64) or an array of uint64; 0 maps to 0."""
    x = (x ^ (x >> 30)) * _MIX_1 & _MASK  # type: ignore[assignment]
    x = (x ^ (x >> 27)) * _MIX_2 & _MASK  # type: ignore[assignment]
    return x ^ (x >> 31)  # type: ignore[return-value]


def combine(*keys: int) -> int:
    """64-bit hash of a sequence of integers, each taken modulo 2^64; order matters."""
    state = 0
    for key in keys:
        state = mix((state + _GOLDEN + (key & _MASK)) & _MASK)
    return state


@lru_cache(maxsize=4096)
def name_key(name: str) -> int:
    """64-bit hash of a name (BLAKE2b)."""
    return int.from_bytes(blake2b(name.encode(), digest_size=8).digest())


def unit(key: int, name: int, number: int = 0) -> float:
    """Uniform value in [0, 1), 53 bits: element `number` of the SplitMix64 stream at key + name.

    `key` is from `combine`, `name` from `name_key`; both spread over 64 bits, so streams of
    different factors do not overlap in practice.
    """
    return (mix((key + name + number * _GOLDEN) & _MASK) >> 11) * 2.0**-53


def uniform(*keys: Any) -> Array:
    """Uniform values in [0, 1), 32 bits, for arrays of integer `keys` broadcast together.

    At least one key has a dimension. Keys of a float type are truncated towards zero.
    """
    state = np.zeros((1,) * max(1, *(np.ndim(key) for key in keys)), np.uint64)
    for key in keys:
        state = mix(state + np.asarray(key).astype(np.int64).astype(np.uint64) + np.uint64(_GOLDEN))
    return (state >> np.uint64(32)).astype(np.float64) * 2.0**-32


def normals(*keys: Any) -> Array:
    """Standard normal values for integer arrays `keys`, which broadcast (Box and Muller 1958)."""
    radius = np.sqrt(-2 * np.log1p(-uniform(*keys, 1)))
    return radius * np.cos(2 * np.pi * uniform(*keys, 2))


def normal(seeds: NDArray[np.uint64], steps: NDArray[np.uint64], channels: int) -> Array:
    """Approximately standard normal values (n, channels) for `seeds` (n,) and `steps` (n,).

    Sum of four independent 16-bit uniforms (Irwin-Hall): mean 0, variance 1, excess kurtosis -0.3,
    bounded by 2 sqrt(3) = 3.46.
    """
    lanes = np.arange(1, channels + 1, dtype=np.uint64) * np.uint64(_LANE)
    x = mix((seeds + steps * np.uint64(_GOLDEN))[:, None] * np.uint64(_MIX_2) + lanes)
    total = x & np.uint64(0xFFFF)
    for shift in (16, 32, 48):
        total += (x >> np.uint64(shift)) & np.uint64(0xFFFF)
    return (total.astype(np.float64) / 65535 - 2) * np.sqrt(3)
