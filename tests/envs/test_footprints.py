"""Footprints: what is written is read, worlds apart, memory bounded."""

import numpy as np
import pytest

from grek.envs.footprints import CELL, WORLD_BYTES, Footprints

ALL = np.array([0, 1, 2])


def everywhere(shape) -> np.ndarray:
    return np.ones(shape, bool)


def test_what_is_pressed_is_read_in_its_own_world_only():
    prints = Footprints(3)
    xy = np.array([[[0.10, -0.30], [-5.0, 7.0]]])
    prints.write(np.array([1]), xy, np.array([[0.010, 0.020]]), everywhere((1, 2)))
    read = prints.read(ALL, np.repeat(xy, 3, 0))
    assert read[1] == pytest.approx([0.010, 0.020])
    assert not read[[0, 2]].any()


def test_only_where_asked():
    prints = Footprints(1)
    xy = np.array([[[0.0, 0.0], [1.0, 0.0]]])
    prints.write(np.array([0]), xy, np.full((1, 2), 0.01), np.array([[True, False]]))
    assert prints.read(np.array([0]), xy)[0] == pytest.approx([0.01, 0.0])


def test_a_cell_is_one_depth():
    prints = Footprints(1)
    corner = np.floor(np.array([0.4, 0.4]) / CELL) * CELL
    inside = corner + np.array([[0.1, 0.1], [0.9, 0.9], [1.1, 0.1]]) * CELL
    prints.write(np.array([0]), inside[None, :1], np.array([[0.005]]), everywhere((1, 1)))
    assert prints.read(np.array([0]), inside[None])[0] == pytest.approx([0.005, 0.005, 0.0])


def test_rewriting_replaces():
    prints = Footprints(1)
    for depth in (0.02, 0.01):
        prints.write(np.array([0]), np.zeros((1, 1, 2)), np.array([[depth]]), everywhere((1, 1)))
    assert prints.read(np.array([0]), np.zeros((1, 1, 2)))[0, 0] == pytest.approx(0.01)


def test_reset_smooths_the_ground():
    prints = Footprints(2)
    xy = np.zeros((2, 1, 2))
    prints.write(np.array([0, 1]), xy, np.full((2, 1), 0.01), everywhere((2, 1)))
    prints.reset(np.array([0]))
    assert prints.read(np.array([0, 1]), xy)[:, 0] == pytest.approx([0.0, 0.01])


def test_an_episodes_walk_is_remembered():
    """Two soles every 0.12 m over 12 m: at least 97 % of the cells are still there at the end."""
    prints = Footprints(1)
    steps = np.arange(0, 12, 0.12)
    x, y = np.meshgrid(np.arange(-0.08, 0.08, CELL), np.arange(-0.04, 0.04, CELL))
    sole = np.stack([x.ravel(), y.ravel()], 1)
    soles = [sole + np.array([s, side]) for s in steps for side in (-0.11, 0.11)]
    for place in soles:
        prints.write(np.array([0]), place[None], np.full((1, 18), 0.01), everywhere((1, 18)))
    walked = np.concatenate(soles)[None]
    kept = prints.read(np.array([0]), walked) > 0
    assert kept.mean() > 0.97
    xy, depth = prints.cells(0)
    pressed = len(np.unique(np.floor(walked[0] / CELL), axis=0))
    assert len(xy) == pytest.approx(pressed, rel=0.03)
    assert depth == pytest.approx(0.01)
    assert np.abs(xy).max() < 12.2


def test_the_first_print_is_forgotten_first():
    prints = Footprints(1)
    rng = np.random.default_rng(0)
    xy = rng.uniform(-100, 100, (1, 60_000, 2))
    for part in np.split(xy, 60, axis=1):
        prints.write(np.array([0]), part, np.full((1, 1000), 0.01), everywhere((1, 1000)))
    kept = prints.read(np.array([0]), xy)[0] > 0
    assert kept[-4000:].mean() > 0.8
    assert kept[:4000].mean() < 0.05


def test_memory_is_bounded():
    prints = Footprints(10)
    held = sum(a.nbytes for a in vars(prints).values() if a.base is None)  # not views
    assert held == 10 * WORLD_BYTES
    assert WORLD_BYTES <= 256 * 1024
