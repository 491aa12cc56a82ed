"""Footprints: what is written is read, worlds apart, memory bounded."""

import numpy as np
import pytest

from grek.envs.ground.footprints import CELL, WORLD_BYTES, Footprints


def write(
    prints: Footprints, worlds: list[int], xy, depth, where=None, time=0.0, recovery=0.0
) -> None:
    where = np.ones(xy.shape[:2], bool) if where is None else where
    depth, recovery = (np.broadcast_to(v, xy.shape[:2]) for v in (depth, recovery))
    prints.write(np.array(worlds), xy, depth, where, np.full(len(worlds), time), recovery)


def read(prints: Footprints, worlds: list[int], xy, time=0.0, recovery=0.0) -> np.ndarray:
    recovery = np.broadcast_to(recovery, xy.shape[:2])
    return prints.read(np.array(worlds), xy, np.full(len(worlds), time), recovery)


def test_what_is_pressed_is_read_in_its_own_world_only():
    prints = Footprints(3)
    xy = np.array([[[0.10, -0.30], [-5.0, 7.0]]])
    write(prints, [1], xy, [[0.010, 0.020]])
    found = read(prints, [0, 1, 2], np.repeat(xy, 3, 0))
    assert found[1] == pytest.approx([0.010, 0.020])
    assert not found[[0, 2]].any()


def test_only_where_asked():
    prints = Footprints(1)
    xy = np.array([[[0.0, 0.0], [1.0, 0.0]]])
    write(prints, [0], xy, 0.01, np.array([[True, False]]))
    assert read(prints, [0], xy)[0] == pytest.approx([0.01, 0.0])


def test_a_cell_is_one_depth():
    prints = Footprints(1)
    corner = np.floor(np.array([0.4, 0.4]) / CELL) * CELL
    inside = corner + np.array([[0.1, 0.1], [0.9, 0.9], [1.1, 0.1]]) * CELL
    write(prints, [0], inside[None, :1], 0.005)
    assert read(prints, [0], inside[None])[0] == pytest.approx([0.005, 0.005, 0.0])


def test_prints_only_deepen():
    prints, xy = Footprints(1), np.zeros((1, 1, 2))
    for depth, found in ((0.0128, 0.0128), (0.0054, 0.0128), (0.02, 0.02)):
        write(prints, [0], xy, depth)
        assert read(prints, [0], xy)[0, 0] == pytest.approx(found)


def test_a_print_that_rose_again_is_pressed_anew():
    """In two recovery times 0.02 m fade to 0.0027 m: 0.002 m leaves that, 0.01 m does not."""
    prints, xy = Footprints(1), np.zeros((1, 1, 2))
    write(prints, [0], xy, 0.02, recovery=0.5)
    write(prints, [0], xy, 0.002, time=1.0, recovery=0.5)
    assert read(prints, [0], xy, 1.0, 0.5)[0, 0] == pytest.approx(0.02 * np.exp(-2))
    write(prints, [0], xy, 0.01, time=1.0, recovery=0.5)
    assert read(prints, [0], xy, 1.5, 0.5)[0, 0] == pytest.approx(0.01 * np.exp(-1))


def test_a_print_in_a_pile_fades():
    """depth exp(-age / recovery) since it was last written; recovery 0 is never."""
    prints = Footprints(2)
    xy = np.array([[[0.0, 0.0], [1.0, 0.0], [2.0, 0.0]]] * 2)
    write(prints, [0, 1], xy, 0.02, time=1.0)
    write(prints, [1], xy[:1], 0.01, time=3.0, recovery=[0.0, 0.5, 0.2])
    found = read(prints, [0, 1], xy, 3.5, [0.0, 0.5, 5.0])
    assert found[0] == pytest.approx([0.02, 0.02 * np.exp(-5), 0.02 * np.exp(-0.5)])
    assert found[1] == pytest.approx([0.02, 0.01 * np.exp(-1), 0.01 * np.exp(-0.1)])


def test_a_snapshot_has_prints_and_their_age():
    prints, again = Footprints(2), Footprints(2)
    xy = np.random.default_rng(0).uniform(-1, 1, (2, 400, 2))
    write(prints, [0, 1], xy, 0.02, time=1.1)
    write(again, [0, 1], 1 - xy, 0.01, time=2.2)
    again.restore(prints.snapshot())
    for recovery in (0.0, 0.7):
        found, expected = (read(p, [0, 1], xy, 2.5, recovery) for p in (again, prints))
        assert (found == expected).all()
    assert not read(again, [0, 1], xy + 5).any()


def test_reset_smooths_the_ground():
    prints = Footprints(2)
    xy = np.zeros((2, 1, 2))
    write(prints, [0, 1], xy, 0.01)
    prints.reset(np.array([0]))
    assert read(prints, [0, 1], xy)[:, 0] == pytest.approx([0.0, 0.01])


def test_an_episodes_walk_is_remembered():
    """Two soles every 0.12 m over 12 m: at least 97 % of the cells are still there at the end."""
    prints = Footprints(1)
    steps = np.arange(0, 12, 0.12)
    x, y = np.meshgrid(np.arange(-0.08, 0.08, CELL), np.arange(-0.04, 0.04, CELL))
    sole = np.stack([x.ravel(), y.ravel()], 1)
    soles = [sole + np.array([s, side]) for s in steps for side in (-0.11, 0.11)]
    for place in soles:
        write(prints, [0], place[None], 0.01)
    walked = np.concatenate(soles)[None]
    kept = read(prints, [0], walked) > 0
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
        write(prints, [0], part, 0.01)
    kept = read(prints, [0], xy)[0] > 0
    assert kept[-4000:].mean() > 0.8
    assert kept[:4000].mean() < 0.05


def test_memory_is_bounded():
    prints = Footprints(10)
    held = sum(a.nbytes for a in vars(prints).values() if a.base is None)  # not views
    assert held == 10 * WORLD_BYTES
    assert WORLD_BYTES <= 256 * 1024
