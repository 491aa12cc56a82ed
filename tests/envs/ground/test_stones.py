"""Relief and loose stones: their statistics, and that place and seed alone decide."""

import numpy as np
import pytest

from grek.envs.ground.stones import loose_stones, relief

GRAIN, SPREAD = np.full((50, 1), 0.016), np.full((50, 1), 0.22)
SEEDS = np.arange(50)[:, None]
XY = np.random.default_rng(0).uniform(-5, 5, (50, 4000, 2))


def test_relief_has_the_spread_and_the_correlation_of_its_stones():
    height = relief(XY, GRAIN, SPREAD, SEEDS)[0]
    assert height.mean() == pytest.approx(0, abs=1e-5)
    assert height.std() == pytest.approx(0.22 * 0.016, rel=0.02)
    for heading in (0.0, 0.6):
        aside = XY + 0.016 * np.array([np.cos(heading), np.sin(heading)])
        product = (height * relief(aside, GRAIN, SPREAD, SEEDS)[0]).mean()
        assert product / height.var() == pytest.approx(np.exp(-1), abs=0.05)
        far, _ = relief(XY + 5 * (aside - XY), GRAIN, SPREAD, SEEDS)
        assert (height * far).mean() / height.var() == pytest.approx(0, abs=0.02)


def test_relief_is_continuous():
    here, there = (relief(XY + d, GRAIN, SPREAD, SEEDS)[0] for d in (0, 1e-6))
    assert np.abs(here - there).max() < 1e-5


def test_place_and_seed_decide():
    height = relief(XY, GRAIN, SPREAD, SEEDS)[0]
    assert (relief(XY[:, ::-1], GRAIN, SPREAD, SEEDS)[0] == height[:, ::-1]).all()
    other = relief(XY, GRAIN, SPREAD, SEEDS + 1000)[0]
    assert np.abs(np.corrcoef(height.ravel(), other.ravel())[0, 1]) < 0.01


def test_the_share_of_loose_stones():
    for share in (0.0, 0.1, 0.3, 1.0):
        loose = loose_stones(XY, GRAIN, np.full((50, 1), share), SEEDS)
        assert loose.mean() == pytest.approx(share, abs=0.01)
    in_one_stone = np.array([[[0.0161, 0.0161], [0.0319, 0.0319]]])
    loose = loose_stones(np.tile(in_one_stone, (50, 1, 1)), GRAIN, np.full((50, 1), 0.5), SEEDS)
    assert (loose[:, 0] == loose[:, 1]).all()
    assert 5 < loose[:, 0].sum() < 45


def test_no_stones_no_relief():
    none = np.zeros((50, 1))
    assert not relief(XY, none, SPREAD, SEEDS)[0].any()
    assert not relief(XY, GRAIN, none, SEEDS)[0].any()
