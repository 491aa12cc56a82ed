"""The walking task where its parts meet: steps on the spot, and what old policies know of them."""

import numpy as np

from grek.envs.contract import config_of, contract_of
from grek.envs.robots.robot import LEGS
from grek.envs.scenarios.scenario import Push, Scenario
from grek.envs.tasks.walk import Walk, WalkConfig


def efforts(config: WalkConfig) -> np.ndarray:
    """How high two droids told to stand step, over 0.9 s (45, 2); one is pushed after 0.5 s."""
    walk = Walk(2, config=config)
    walk.reset([0, 1], [Scenario(), Scenario(pushes=(Push(0.5, (0.5, 0.0)),))])
    found = []
    for _ in range(45):
        walk.step(np.zeros((2, LEGS)))
        found.append(walk.effort.copy())
    return np.array(found)


def test_a_droid_told_to_stand_steps_when_pushed():
    found = efforts(WalkConfig())
    assert not found[:25].any() and not found[:, 0].any()
    assert found[30:, 1].max() == 1.0


def test_policies_from_before_it_stand_as_they_learned_to():
    contract = contract_of(WalkConfig())
    del contract["gait"]["catch"]
    assert not efforts(config_of(contract, "old.onnx")).any()
