"""Noise that is a function of (seed, step, channel): the same in any batch, in any order.

A generator would tie a world's noise to how many worlds run beside it; a hash does not. The hash
is SplitMix64 (Steele, Lea and Flood 2014), the shape the sum of four uniform values (Irwin-Hall).
"""

import numpy as np
from numpy.typing import NDArray

from grek.envs.robots.robot import Array

_STEP, _CHANNEL = np.uint64(0x9E3779B97F4A7C15), np.uint64(0xD1B54A32D192ED03)
_MIX_1, _MIX_2 = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)
_SIXTEEN = np.uint64(0xFFFF)


def normal(seeds: NDArray[np.uint64], steps: NDArray[np.uint64], channels: int) -> Array:
    """Nearly normal values (n, channels), mean 0 and variance 1, within 3.47 of zero.

    `seeds` (n,) name the worlds, `steps` (n,) the moments.
    """
    lanes = np.arange(1, channels + 1, dtype=np.uint64) * _CHANNEL
    with np.errstate(over="ignore"):
        x = (seeds + steps * _STEP)[:, None] * _MIX_2 + lanes  # (n, channels)
        x = (x ^ (x >> np.uint64(30))) * _MIX_1
        x = (x ^ (x >> np.uint64(27))) * _MIX_2
        x ^= x >> np.uint64(31)
    total = x & _SIXTEEN
    for shift in (16, 32, 48):
        total += (x >> np.uint64(shift)) & _SIXTEEN
    return (total.astype(np.float64) / 65535 - 2) * np.sqrt(3)
