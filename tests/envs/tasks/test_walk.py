"""The walking task where its parts meet: steps on the spot, and what old policies know of them."""

import numpy as np

from grek.envs.contract import contract_of, task_of
from grek.envs.scenarios.scenario import Push, Scenario
from grek.envs.tasks import Task, TaskBatch, walking


def efforts(task: Task) -> np.ndarray:
    """Step height [0, 1] of two droids told to stand, in 0.9 s (45, 2); one is pushed at 0.5 s."""
    walk = TaskBatch(task, 2)
    walk.reset([0, 1], [Scenario(), Scenario(pushes=(Push(0.5, (0.5, 0.0)),))])
    found = []
    for _ in range(45):
        walk.step(np.zeros((2, 10)))
        found.append(walk.motion.snapshot()["recovery"])
    return np.array(found)


def test_a_droid_told_to_stand_steps_when_pushed():
    found = efforts(walking())
    assert not found[:25].any() and not found[:, 0].any()
    assert found[30:, 1].max() == 1.0


def test_policies_from_before_it_stand_as_they_learned_to():
    contract = contract_of(walking())
    del contract["gait"]["catch"]
    assert not efforts(task_of(contract, "old.onnx")).any()
