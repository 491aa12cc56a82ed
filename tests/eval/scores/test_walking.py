"""Shipped policy on training materials: walking and footprints."""

import numpy as np
import pytest

from grek.envs.ground.materials import MATERIALS, index
from grek.envs.ground.surface import Surface
from grek.envs.robots import GREK
from grek.envs.scenarios.scenario import Command, Scenario
from grek.envs.tasks import TaskBatch
from grek.eval.scores import policies

TRAINED = [name for name, row in MATERIALS.items() if row.trained]
SPEED, SECONDS = 0.3, 4.0  # [m/s], [s]
WEIGHT = 15.4 * 9.81  # [N]
LENGTH, WIDTH = GREK.feet[0].sole_size  # [m]


def nominal(name: str) -> Scenario:
    """Level ground of the nominal material, straight ahead, no noise."""
    surface = Surface((name,), (tuple(MATERIALS[name].nominal().tolist()),))
    return Scenario(name, surface=surface, commands=(Command(0.0, (SPEED, 0.0), 0.0),))


@pytest.fixture(scope="module")
def walked() -> TaskBatch:
    """One world of each training material after a short walk, without falls."""
    policy = policies.load("walk")
    scenarios, ids = [nominal(name) for name in TRAINED], np.arange(len(TRAINED))
    walk = TaskBatch(policy.task, len(ids))
    walk.reset(ids, scenarios)
    seeds = ids.astype(np.uint64)
    for step in range(round(SECONDS / 0.02)):
        outcome = walk.step(policy.act(walk.observe(), seeds, step))
        assert not outcome.terminated.any(), np.array(TRAINED)[outcome.terminated]
    return walk


def test_it_walks_straight_ahead(walked):
    """At least half of the commanded distance from rest, heading within 0.3 rad."""
    x, y, _ = walked.state.position_w.T
    assert (x > 0.5 * SPEED * SECONDS).all()
    assert (np.abs(y) < 0.3 * x).all()
    assert (walked.state.rotation[:, 2, 2] > 0.9).all()


@pytest.mark.parametrize("name", TRAINED)
def test_it_leaves_prints_where_the_ground_gives(walked, name):
    """Along the whole path; the median print bore more than standing on two feet."""
    world, values = TRAINED.index(name), MATERIALS[name].nominal()
    xy, depth = walked.simulation.sinking.prints.cells(world)
    if not MATERIALS[name].soft:
        assert not len(xy)
        return
    steps = np.histogram(xy[:, 0], np.arange(-0.05, walked.state.position_w[world, 0], 0.1))[0]
    assert (steps > 0).all()
    z, lock = np.median(depth), values[index("lock")] * values[index("depth")]
    pressure = values[index("bearing")] * (z / 0.01) ** values[index("exponent")]
    pressure /= (1 - z / lock) ** 2 if lock else 1
    assert pressure > WEIGHT / (2 * LENGTH * WIDTH)
