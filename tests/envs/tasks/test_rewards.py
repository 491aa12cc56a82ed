"""Every reward term against a value computed by hand."""

import dataclasses

import numpy as np
import pytest

from grek.envs.motions.gait import Gait
from grek.envs.robots import GREK, Robot
from grek.envs.scenarios.scenario import Command, Scenario
from grek.envs.tasks import StepData, TaskBatch, Term, rewards, walking

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
    assert rewards.base_height(0.295, np.array([0.295, 0.265])) == pytest.approx([1.0, E(-1.0)])


def test_square():
    assert rewards.square(np.array([[1.0, -2.0, 2.0]])).tolist() == [9.0]


def test_slip():
    velocity = np.array([[[0.3, 0.4, 9.0], [1.0, 0.0, 0.0]]])
    assert rewards.slip(velocity, np.array([[True, False]])) == pytest.approx([0.25])


def test_hips():
    now = data()
    joints = now.state.joint_position
    joints[:] = GREK.home
    joints[0, [0, 6]] += 0.1, 0.2
    joints[0, 3] += 1.0  # the knee does not count
    assert term("hips").function(now) == pytest.approx([0.05])


def test_feet_apart():
    feet = np.array([[[0.0, 0.05, 0], [0.0, -0.05, 0]], [[0.2, 0.1, 0], [0.0, -0.1, 0]]])
    ahead = np.array([[1.0, 0.0], [1.0, 0.0]])
    assert rewards.feet_apart(GREK, feet, ahead) == pytest.approx([0.05, 0.0])
    # Turned by 90 degrees, left is -x: feet 0.2 m apart in the world's x.
    turned = np.array([[[-0.1, 0.0, 0], [0.1, 0.0, 0]]])
    assert rewards.feet_apart(GREK, turned, np.array([[0.0, 1.0]])) == pytest.approx([0.0])


def test_feet_apart_of_four_feet():
    """Pairs in their order, left with right; a foot in the middle has no partner."""
    feet = tuple(dataclasses.replace(GREK.feet[0], side=side) for side in (1, 0, 1, -1, -1))
    robot = dataclasses.replace(GREK, feet=feet, mirror=None)
    y = np.array([0.1, 0.0, 0.03, 0.06, -0.03])
    places = np.stack([0 * y, y, 0 * y], 1)[None]
    # 0.1 to 0.06 and 0.03 to -0.03, of 0.15: 0.11 + 0.09.
    assert rewards.feet_apart(robot, places, np.array([[1.0, 0.0]])) == pytest.approx([0.2])


def test_every_term_of_some_weight_is_computed_and_logged():
    walk = TaskBatch(walking(), 2)
    walk.reset([0, 1], [Scenario(commands=(Command(0.0, (0.3, 0.0), 0.0),))] * 2)
    outcome = walk.step(np.zeros((2, 10)))
    assert set(outcome.terms) == {name for name, weight in WEIGHTS.items() if weight}
    assert outcome.reward == pytest.approx(sum(outcome.terms.values()))
    assert outcome.terms["alive"] == pytest.approx([0.5 * 0.02] * 2)


WEIGHTS = {
    **{"linear": 2.5, "angular": 1.5, "alive": 0.5, "contact": 0.7, "foot_height": 1.0},
    **{"upright": 1.0, "base_height": 0.5, "vertical": -0.5, "tilt_rate": -0.1, "slip": -0.25},
    **{"torque": -5e-4, "acceleration": -2.5e-7, "action_rate": -0.02, "action_jerk": -0.01},
    **{"hips": -0.5, "feet_apart": -5.0, "fall": -50.0, "heading": 0.0, "impact": 0.0},
}


def test_weights():
    assert {t.name: t.weight for t in walking().terms} == WEIGHTS


def test_a_robot_without_what_a_term_judges_goes_without_the_term():
    post = dataclasses.replace(GREK, lateral_joints=(), foot_distance=0.0)
    names = {t.name for t in rewards.walking(post)}
    assert names == WEIGHTS.keys() - {"hips", "feet_apart"}


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("alive", 1.0),
        ("linear", E(-(0.3**2 + 0.1**2) / 0.08)),  # 0.4, 0 told; 0.1, 0.1 done
        ("angular", E(-(0.25**2) / 0.25)),  # 0.5 told, 0.25 done
        ("contact", 1.0),  # the left foot as told, the right one not
        ("foot_height", E(-(0.02**2) / 0.025**2)),
        ("upright", E(-0.36 / 0.05)),
        ("base_height", E(-1.0)),
        ("vertical", 0.04),
        ("tilt_rate", 0.01 + 0.04),
        ("slip", 0.25),
        ("torque", 4.0 * 10),  # of the legs' ten joints, not of the head's four
        ("acceleration", 10 * (0.1 / 0.02) ** 2),
        ("action_rate", 10 * 0.2**2),
        ("action_jerk", 10 * 0.1**2),  # changes of 0.2, then 0.1
        ("fall", 1.0),
        ("heading", np.exp(-0.5)),
        ("impact", 0.09 / 0.02),  # once a landing, whatever the control step
    ],
)
def test_terms_read_the_moment(name, expected):
    assert term(name).function(data()) == pytest.approx([expected])


def term(name: str) -> Term:
    return next(t for t in walking().terms if t.name == name)


def data(robot: Robot = GREK) -> StepData:
    """One world with a value of its own in all that rewards read."""
    walk = TaskBatch(walking(robot), 1)
    walk.reset([0], [Scenario()])
    state, joints = walk.state, len(robot.all_joints)
    state = dataclasses.replace(
        state,
        rotation=np.array([[[0.8, 0.0, 0.6], [0.0, 1.0, 0.0], [-0.6, 0.0, 0.8]]]),
        velocity_b=np.array([[9.0, 9.0, 0.2]]),
        gyro_b=np.array([[0.1, -0.2, 9.0]]),
        joint_velocity=np.full((1, joints), 0.3),
        torque=np.full((1, joints), 2.0),
        foot_velocity_w=np.array([[[0.3, 0.4, 9.0], [1.0, 0.0, 0.0]]]),
        clearance=np.array([[-0.001, 0.03]]),
        contact=np.array([[True, False]]),
        height=np.array([0.265]),
    )
    reference = dataclasses.replace(
        walk.motion.now, contact=np.array([[True, True]]), clearance=np.array([[0.0, 0.05]])
    )
    acting = len(robot.joints)
    return StepData(
        robot=robot,
        state=state,
        command=np.array([[0.4, 0.0, 0.5, 0.0, 0.0]]),
        reference=reference,
        actions=np.array([[[0.6], [0.4], [0.3]]]) * np.ones(acting),
        rate=np.zeros(1),
        joint_velocity=np.full((1, acting), 0.2),
        stride_velocity=np.array([[0.1, 0.1, 0.25]]),
        heading_error=np.array([0.1]),
        landing_speed=np.array([[0.0, 0.3]]),
        push=np.zeros((1, 2)),
        ground_normal=np.array([[0.0, 0.0, 1.0]]),
        friction=np.ones((1, len(robot.feet))),
        strength=np.ones(1),
        motor_delay=np.zeros(1),
        payload=np.zeros(1),
        weight=np.array([151.0]),
        ended=np.array([True]),
    )


def test_standing_still_when_told_to_walk_earns_less_than_when_told_to_stand():
    told = [Scenario(commands=(Command(0.0, (v, 0.0), 0.0),)) for v in (0.0, 0.5)]
    still = Gait(lift=0.0, sway=0.0, gain=(0.0, 0.0, 0.0))
    walk = TaskBatch(walking(motion=still), 2)
    walk.reset([0, 1], told)
    total = sum(walk.step(np.zeros((2, 10))).reward for _ in range(100))
    assert total[1] < 0.8 * total[0]
