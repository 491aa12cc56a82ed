"""Stage task: what it shows, rewards and measures, and skills in open loop on level concrete."""

import dataclasses

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env
from stable_baselines3.common.env_checker import check_env as check_sb3

from grek.envs.motions.act import Act
from grek.envs.robots import GREK
from grek.envs.scenarios.scenario import Scenario
from grek.envs.tasks import TaskBatch, staging, walking
from grek.envs.tasks import performance as measures
from grek.envs.tasks.stage import attitude, seat
from grek.eval.scores import policies, rollout

WEIGHT = 15.4 * 9.81  # [N]
STILL = np.zeros((1, 10))


def batch(*acts: Act) -> TaskBatch:
    of = TaskBatch(staging(), 1)
    of.reset([0], [Scenario(acts=acts)])
    return of


@pytest.fixture(scope="module")
def performed():
    """Open-loop episodes of 9 s on level concrete: sit and jump twice each, and a slow dance."""
    shows = (
        (Act(0, "stand"), Act(1, "sit"), Act(4, "stand"), Act(6, "sit")),
        tuple(Act(1 + 3 * k, "jump", {"height": 0.06}) for k in range(3)),
        (Act(0.5, "dance", {}, "bow"),),
    )
    scenarios = [Scenario(acts=acts) for acts in shows]
    return next(rollout.rollouts(policies.load("motion"), scenarios, steps=450)).log


def test_both_checkers_accept_it():
    env = gymnasium.make("grek/Stage-v0").unwrapped
    check_env(env, skip_render_check=True)
    check_sb3(env, warn=False)
    assert env.scenario.space == "stage"


def test_faces_agree():
    one = gymnasium.make("grek/Stage-v0").unwrapped
    many = gymnasium.make_vec("grek/Stage-v0", num_envs=2, vectorization_mode="vector_entry_point")
    name = "stage/jump-sand:3"
    first, _ = one.reset(seed=0, options={"scenario": name})
    both, _ = many.reset(seed=0, options={"scenario": [name, name]})
    for _ in range(5):
        assert np.array_equal(both[0], first) and np.array_equal(both[1], first)
        first = one.step(STILL[0].astype(np.float32))[0]
        both = many.step(np.zeros((2, 10), np.float32))[0]


def test_it_does_not_see_the_name_of_the_skill():
    """A command of standing and one of jumping look alike until their references differ."""
    stands, jumps = batch(Act(0, "stand")), batch(Act(0, "jump"))
    names = [name for name, _ in staging().layout()]
    assert not {"skill", "act", "command"} & set(names)
    for of in (stands, jumps):
        of.step(STILL)
    seen = [of.observe()[0] for of in (stands, jumps)]
    begin, end = staging().slices()["phase"]  # the clock of a clip runs
    for each in seen:
        each[begin:end] = 0
    assert np.allclose(*seen)


def test_the_observation_has_the_reference_now_and_ahead():
    of, slices = batch(Act(0, "sit")), staging().slices()
    for _ in range(40):
        of.step(STILL)
    seen, now = of.observe()[0], of.motion.now
    wanted = seen[slice(*slices["reference"])]
    assert wanted[:10] == pytest.approx(now.joints[0] - np.array(GREK.home[:10]), abs=1e-6)
    assert wanted[10] == pytest.approx(now.height[0] - 0.295, abs=1e-6)
    assert wanted[11:13] == pytest.approx(now.attitude[0], abs=1e-6)
    ahead = seen[slice(*slices["reference_ahead"])].reshape(3, 15)
    for _ in range(10):
        of.step(STILL)
    later = of.motion.now
    assert ahead[1, 10] == pytest.approx(later.height[0] - 0.295, abs=1e-6)


def test_mirror_images_of_a_show():
    """A step of the left foot is one of the right in the mirror: twice is the same."""
    order, sign = staging().mirror(privileged=True)
    seen = batch(Act(0, "dance", {}, "carnival")).observe(privileged=True)[0]
    once = seen[order] * sign
    assert np.array_equal(once[order] * sign, seen)


def test_a_droid_that_sits_has_not_fallen():
    """Seated at 0.19 m by a fall height of 0.17 for standing; by the walking task it would fall
    as soon as it is lower, whatever it was told."""
    of = batch(Act(0, "sit"))
    for _ in range(150):
        outcome = of.step(STILL)
        assert not outcome.terminated[0]
    assert of.state.seat_load[0] > 0.5 * WEIGHT
    low = dataclasses.replace(of.data.state, height=np.array([0.15]))
    seated = dataclasses.replace(of.data, state=low)
    assert not staging().termination(seated)[0] and walking().termination(seated)[0]
    stood = dataclasses.replace(seated.reference, height=np.array([0.295]))
    assert staging().termination(dataclasses.replace(seated, reference=stood))[0]


def test_rewards_of_single_skills():
    assert seat(np.array([0.0, 1.0, 1.0]), np.array([0.7, 0.25, 0.7])).tolist() == [0, 0.5, 1]
    level = np.array([[0.0, 0.0, -1.0]])
    assert attitude(np.zeros((1, 2)), level) == pytest.approx(1)
    # 0.1 rad forward: gravity points forward in the base frame.
    leaning = np.array([[np.sin(0.1), 0.0, -np.cos(0.1)]])
    assert attitude(np.array([[0.0, 0.1]]), leaning) == pytest.approx(1)
    assert attitude(np.zeros((1, 2)), leaning) == pytest.approx(np.exp(-(np.sin(0.1) ** 2) / 0.05))
    # 0.1 rad to the right: gravity points to the right.
    tilted = np.array([[0.0, -np.sin(0.1), -np.cos(0.1)]])
    assert attitude(np.array([[0.1, 0.0]]), tilted) == pytest.approx(1)


def test_seated_legs_do_not_follow_the_policy():
    """A full action moves their targets before and after, and not while they rest."""
    still, pushed = batch(Act(0, "sit"), Act(4, "stand")), batch(Act(0, "sit"), Act(4, "stand"))
    moved = []
    for _ in range(350):
        moved.append(np.abs(pushed.targets(STILL + 1) - still.targets(STILL))[0].max())
        still.step(STILL)
        pushed.step(STILL)
    moved = np.array(moved)
    assert moved[:70].min() > 0.1 and moved[100:200].max() == 0 and moved[-1] > 0.1


def test_terms_of_a_skill_count_in_that_skill_only():
    of = batch(Act(0, "sit"), Act(3, "stand"))
    terms = [of.step(STILL).terms for _ in range(300)]
    seated = np.array([t["seat"][0] for t in terms])
    assert seated[:70].max() == 0 and seated[110:150].min() > 0.015  # 1 / s times 20 ms
    assert seated[-50:].max() == 0 and not any(t["air"][0] for t in terms)


# -- open loop -----------------------------------------------------------------------------


def test_it_sits_and_stands_up_in_open_loop(performed):
    assert performed.alive[:, 0].all()
    assert measures.seat_share(performed)[0] == pytest.approx(0.65, abs=0.1)
    assert measures.seat_power(performed)[0] < 0.2
    assert measures.sit_down(performed)[0] == pytest.approx(1.6, abs=0.1)  # touches at 1.45 s
    assert measures.stand_up(performed)[0] == pytest.approx(1.5, abs=0.1)  # of a motion of 1.6 s
    assert np.isnan(measures.sit_down(performed)[1]) and np.isnan(measures.stand_up(performed)[1])
    assert measures.contact_agreement(performed)[0] > 0.98


def test_it_jumps_in_open_loop(performed):
    """60 mm wanted."""
    assert performed.alive[:, 1].all()
    assert measures.jump_clearance(performed)[1] == pytest.approx(0.058, abs=0.004)
    assert measures.landed(performed)[1] == 1
    assert np.isnan(measures.jump_clearance(performed)[0])


def test_it_dances_in_open_loop_behind_the_beat(performed):
    """Motors follow a bow by position control with a lag of a few control steps."""
    assert performed.alive[:, 2].all()
    assert 0.0 < measures.beat_error(performed)[2] < 0.1
    assert measures.joint_error(performed)[2] < 0.02


# -- metrics of made-up logs ---------------------------------------------------------------


def test_lag_is_found_to_a_part_of_a_step(performed):
    """A sine of 1 Hz, 50 ms late."""
    time = np.arange(450) * 0.02
    height = np.stack([np.sin(2 * np.pi * (time - 0.05)), np.sin(2 * np.pi * time)], 1)
    log = dataclasses.replace(
        performed,
        records={
            **performed.records,
            "moves": np.repeat(height[:, None, :, None], 3, 1),
            "skill": np.full((450, 3), 4),
        },
    )
    assert measures.beat_error(log) == pytest.approx([0.05] * 3, abs=0.002)


def test_jumps_lead_where_they_should(performed):
    """Half a second of 0.2 m/s ahead and 0.4 rad/s from the first jump on, three in a row.

    A droid that turned by 0.05 rad more, and ended 30 mm to the left of its way."""
    start = np.flatnonzero(performed.records["skill"][:, 1])[0]
    speed = np.zeros((450, 3, 3))
    speed[start : start + 25, 1] = 0.2, 0, 0.4
    turned = np.arange(1, 26) * 0.008
    position, yaw = np.zeros((450, 3, 3)), np.zeros((450, 3))
    position[start:, 1, 0] = np.cos(turned).sum() * 0.004
    position[start:, 1, 1] = np.sin(turned).sum() * 0.004 + 0.03
    yaw[start:, 1] = 0.25
    records = {**performed.records, "wanted_velocity": speed}
    log = dataclasses.replace(performed, position_w=position, yaw=yaw, records=records)
    assert measures.jump_way(log)[1] == pytest.approx(0.03, abs=1e-6)
    assert measures.jump_turn(log)[1] == pytest.approx(0.05)
    assert np.isnan(measures.jump_way(log)[0])


def test_a_change_of_skill_has_succeeded_after_3_s(performed):
    """Changes at 2 s and 6 s; falls never, at 4 s, and at 8.5 s."""
    skill = np.zeros((450, 3), int)
    skill[100:], skill[300:] = 1, 2
    alive = np.ones((450, 3), bool)
    alive[200:, 1], alive[425:, 2] = False, False
    log = dataclasses.replace(performed, alive=alive, records={**performed.records, "skill": skill})
    assert measures.transition(log).tolist() == [1, 0, 0.5]


def test_drift_is_of_uninterrupted_standing(performed):
    position = performed.position_w.copy()
    position[:, :, :2] = 0
    position[225:, :, 0], position[225:, :, 1] = 0.03, 0.04
    stands = {**performed.records, "skill": np.zeros((450, 3), int)}
    log = dataclasses.replace(performed, position_w=position, records=stands)
    assert measures.drift(log) == pytest.approx([0.05] * 3)
    assert np.isnan(measures.drift(performed)[0])  # sits in between
