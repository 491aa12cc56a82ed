"""The hash behind all that is random, against the published generator and by statistics."""

import numpy as np
import pytest
from scipy import stats

from grek.envs import hashing

GOLDEN = 0x9E3779B97F4A7C15
# First outputs of SplitMix64 for the seed 1234567, by Vigna's reference implementation.
PUBLISHED = [
    6457827717110365317,
    3203168211198807973,
    9817491932198370423,
    4593380528125082431,
    16408922859458223821,
]


def test_it_is_splitmix64():
    seeds = [(1234567 + k * GOLDEN) % 2**64 for k in range(1, 6)]
    assert [hashing.mix(seed) for seed in seeds] == PUBLISHED
    assert hashing.mix(np.array(seeds, np.uint64)).tolist() == PUBLISHED


def test_units_of_one_key_are_its_sequence():
    """`unit` counts from the key in golden steps, 53 bits of each."""
    found = [hashing.unit(1234567, 0, k) for k in range(1, 6)]
    assert found == [bits / 2**64 for bits in [x >> 11 << 11 for x in PUBLISHED]]


def test_combining_depends_on_every_key_and_their_order():
    combined = {hashing.combine(*keys) for keys in ((1, 2, 3), (1, 3, 2), (1, 2), (1, 2, 4), (2,))}
    assert len(combined) == 5
    assert hashing.combine(1234567) == PUBLISHED[0]
    assert all(0 <= key < 2**64 for key in combined)
    assert hashing.name_key("sand") != hashing.name_key("sane")


def test_uniform_values_of_integer_arrays():
    """They broadcast, do not depend on who else asks, and fill [0, 1) evenly."""
    x, y = np.arange(-100, 100)[:, None], np.arange(150)[None]
    values = hashing.uniform(x, y, 7)
    assert values.shape == (200, 150)
    assert values[3, 4] == hashing.uniform(np.array([-97]), np.array([4]), 7)[0]
    assert values.min() >= 0 and values.max() < 1
    assert stats.kstest(values.ravel(), "uniform").pvalue > 1e-3
    pairs = (
        *((values[1:], values[:-1]), (values[:, 1:], values[:, :-1])),  # neighbours
        *((values, hashing.uniform(x, y, 8)), (values, hashing.uniform(y, x, 7))),
    )
    for one, other in pairs:
        correlation = np.corrcoef(one.ravel(), other.ravel())[0, 1]
        assert abs(correlation) < 4 / np.sqrt(one.size)


def test_noise_does_not_depend_on_who_else_is_there():
    seeds = np.arange(50, dtype=np.uint64)
    steps = np.full(50, 7, np.uint64)
    together = hashing.normal(seeds, steps, 20)
    alone = hashing.normal(seeds[13:14], steps[:1], 20)
    assert np.array_equal(together[13:14], alone)
    assert np.array_equal(together[:, :11], hashing.normal(seeds, steps, 11))  # nor what else


def test_noise_is_nearly_normal_and_uncorrelated():
    steps = np.arange(20_000, dtype=np.uint64)
    x = hashing.normal(np.full(20_000, 5, np.uint64), steps, 3)
    assert x.mean(0) == pytest.approx(np.zeros(3), abs=0.03)
    assert x.std(0) == pytest.approx(np.ones(3), abs=0.02)
    assert np.abs(np.corrcoef(np.c_[x[1:], x[:-1]].T) - np.eye(6)).max() < 0.03
    assert np.mean(np.abs(x) > 1.96) == pytest.approx(0.05, abs=0.01)
    assert np.abs(x).max() <= 2 * np.sqrt(3)  # four uniform values: 3.47 at most
