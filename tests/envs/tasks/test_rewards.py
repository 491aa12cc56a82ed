"""Every reward term against a value computed by hand."""

import dataclasses

import numpy as np
import pytest

from grek.envs.robots.robot import HOME
from grek.envs.scenarios.scenario import Command, Scenario
from grek.envs.tasks import rewards
from grek.envs.tasks.walk import Walk

E = np.exp


def test_linear():
    command, velocity = np.array([[0.4, 0.0], [0.4, 0.0]]), np.array([[0.4, 0.0], [0.1, 0.1]])
    assert rewards.linear(command, velocity) == pytest.approx([1.0, E(-0.1 / 0.08)])


def test_angular():
    assert rewards.angular(np.array([0.5]), np.array([0.0])) == pytest.approx([E(-1.0)])


def test_contact():
    wanted = np.array([[True, False], [True, True], [False, True]])
    actual = np.array([[True, False], [True, False], [True, False]])
    assert rewards.contact(wanted, actual).tolist() == [2.0, 1.0, 0.0]


def test_foot_height():
    wanted = np.array([[0.05, 0.0]])
    assert rewards.foot_height(wanted, np.array([[0.05, -0.003]])) == pytest.approx([1.0])
    assert rewards.foot_height(wanted, np.array([[0.025, 0.0]])) == pytest.approx([E(-1.0)])


def test_upright():
    lean = np.array([[0.0, 0.0, -1.0], [0.6, 0.0, -0.8]])
    assert rewards.upright(lean) == pytest.approx([1.0, E(-0.36 / 0.05)])


def test_base_height():
    assert rewards.base_height(np.array([0.295, 0.265])) == pytest.approx([1.0, E(-1.0)])


def test_square():
    assert rewards.square(np.array([[1.0, -2.0, 2.0]])).tolist() == [9.0]


def test_slip():
    velocity = np.array([[[0.3, 0.4, 9.0], [1.0, 0.0, 0.0]]])
    assert rewards.slip(velocity, np.array([[True, False]])) == pytest.approx([0.25])


def test_hips():
    joints = HOME[None].copy()
    joints[0, [0, 6]] += 0.1, 0.2
    joints[0, 3] += 1.0  # the knee does not count
    assert rewards.hips(joints) == pytest.approx([0.05])


def test_feet_apart():
    feet = np.array([[[0.0, 0.05, 0], [0.0, -0.05, 0]], [[0.2, 0.1, 0], [0.0, -0.1, 0]]])
    ahead = np.array([[1.0, 0.0], [1.0, 0.0]])
    assert rewards.feet_apart(feet, ahead) == pytest.approx([0.05, 0.0])
    # Turned by 90 degrees, left is -x: feet 0.2 m apart in the world's x.
    turned = np.array([[[-0.1, 0.0, 0], [0.1, 0.0, 0]]])
    assert rewards.feet_apart(turned, np.array([[0.0, 1.0]])) == pytest.approx([0.0])


def test_every_term_has_a_weight_and_is_logged():
    walk = Walk(2)
    walk.reset([0, 1], [Scenario(commands=(Command(0.0, (0.3, 0.0), 0.0),))] * 2)
    outcome = walk.step(np.zeros((2, 10)))
    assert set(outcome.terms) == {f.name for f in dataclasses.fields(rewards.Weights)}
    assert outcome.reward == pytest.approx(sum(outcome.terms.values()))
    assert outcome.terms["alive"] == pytest.approx([0.5 * 0.02] * 2)


def test_standing_still_when_told_to_walk_earns_less_than_when_told_to_stand():
    walk = Walk(2)
    told = [Scenario(commands=(Command(0.0, (v, 0.0), 0.0),)) for v in (0.0, 0.5)]
    still = dataclasses.replace(walk.config.gait, lift=0.0, sway=0.0, gain=(0.0, 0.0, 0.0))
    walk = Walk(2, config=dataclasses.replace(walk.config, gait=still))
    walk.reset([0, 1], told)
    total = sum(walk.step(np.zeros((2, 10))).reward for _ in range(100))
    assert total[1] < 0.8 * total[0]
