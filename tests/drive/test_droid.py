"""The droid that is driven: other worlds in motion, falls, score, and exact repetition."""

import json
from dataclasses import replace

import numpy as np
import pytest

from grek.drive.droid import Droid, impulse
from grek.drive.recording import begun
from grek.envs.ground.shapes import part
from grek.envs.scenarios.scenario import (
    Body,
    Command,
    Scenario,
    Sensors,
    from_plain,
    to_plain,
)
from grek.envs.scenarios.spaces import parse
from grek.envs.skills import Act
from grek.envs.tasks import TaskBatch
from grek.errors import InputError
from grek.eval.films import filming
from grek.eval.scores import policies
from grek.eval.scores.rollout import rollouts

WALK = np.array([0.4, 0.0, 0.0, 0.0, 0.0])
STILL = np.zeros(2)


@pytest.fixture(scope="module")
def policy():
    return policies.load("walk")


def level(material: str) -> Scenario:
    return filming.world(None, material)


def walked(droid: Droid, steps: int, command=WALK) -> Droid:
    for _ in range(steps):
        droid.advance(command, STILL)
    return droid


@pytest.mark.parametrize("material", ["sand", "snow", "dry_concrete", "gravel"])
def test_it_walks_on_when_the_ground_changes(policy, material):
    droid = walked(Droid(policy, level("carpet")), 60)
    before, velocity = droid.qpos, droid.state.velocity_w[0]
    droid.change(level(material))
    np.testing.assert_array_equal(droid.qpos[:2], before[:2])
    np.testing.assert_array_equal(droid.qpos[3:], before[3:])
    np.testing.assert_allclose(droid.state.velocity_w[0], velocity)
    walked(droid, 100)
    assert droid.fell is None
    assert droid.qpos[0] - before[0] > 0.5  # of 0.8 m asked for


def test_a_lowest_sole_stands_on_the_new_surface(policy):
    """On a slope of 10 % a robot at x is lifted by about a tenth of x."""
    droid = walked(Droid(policy, level("dry_concrete")), 150)
    before = droid.qpos
    sloped = replace(level("dry_concrete"), shape=(part("slope", rise=0.1, heading=0.0),))
    droid.change(sloped)
    simulation = droid.batch.simulation
    gap = simulation._gap(np.array([0]))[0]
    assert 0.0004 < gap < 0.05
    assert droid.qpos[2] - before[2] == pytest.approx(0.1 * before[0], abs=0.02)
    assert droid.state.height[0] == pytest.approx(droid.qpos[2] - 0.1 * droid.qpos[0], abs=1e-9)


def test_forces_of_soft_ground_end_with_it(policy):
    """What stands on rigid ground weighs on its planes alone: it would fly off otherwise."""
    droid = walked(Droid(policy, level("mud")), 100, np.zeros(5))
    droid.change(level("dry_concrete"))
    height = [walked(droid, 1, np.zeros(5)).state.height[0] for _ in range(50)]
    assert max(height) < droid.policy.task.robot.stand_height + 0.03
    assert droid.fell is None


def test_prints_stay_where_the_ground_is_the_same(policy):
    droid = walked(Droid(policy, level("sand")), 100)
    prints = droid.batch.simulation.sinking.prints
    pressed = len(prints.cells(0)[1])
    assert pressed > 20
    droid.change(replace(level("sand"), body=Body(payload=1.0)))
    assert len(prints.cells(0)[1]) == pressed
    droid.begin(droid.scenario)
    assert len(prints.cells(0)[1]) == pressed
    assert droid.qpos[0] == 0
    droid.change(level("snow"))
    assert len(prints.cells(0)[1]) == 0


def test_a_payload_acts_at_once(policy):
    droid = Droid(policy, level("dry_concrete"))
    mass = droid.batch.simulation.engine.mass[0]
    droid.change(replace(droid.scenario, body=Body(payload=2.0)))
    assert droid.batch.simulation.engine.mass[0] == pytest.approx(mass + 2.0)


def test_late_sensors_read_what_was_before(policy):
    """From one step to the next, readings that are three steps late are those of three ago."""
    droid = walked(Droid(policy, level("dry_concrete")), 50)
    sensors = droid.batch.sensors
    known = sensors.arrived(5)[0]  # newest first
    droid.change(replace(droid.scenario, sensors=Sensors(delay=3)))
    late = sensors.arrived(3)[0]
    np.testing.assert_array_equal(late[:2], known[3:])
    assert np.abs(late).max() > 0.1


def test_a_world_that_cannot_be_leaves_the_old_one(policy):
    droid = walked(Droid(policy, level("dry_concrete")), 10)
    before, scenario = droid.qpos, droid.scenario
    with pytest.raises(InputError, match="motor delay"):
        droid.change(replace(scenario, motors=replace(scenario.motors, delay=1.0)))
    assert droid.scenario is scenario
    np.testing.assert_array_equal(droid.qpos, before)


def test_a_push_is_a_force_for_a_tenth_of_a_second(policy):
    """0.3 m/s of 15.4 kg in 0.1 s: 46.2 N; a standing droid gives way in its direction."""
    droid = walked(Droid(policy, level("dry_concrete")), 50, np.zeros(5))
    before = droid.state.velocity_w[0, 1]
    for _ in range(5):
        droid.advance(np.zeros(5), impulse(np.array([0.0, 0.3])))
        np.testing.assert_allclose(droid.batch.simulation.engine.push_w[0], [0, 46.2, 0])
    assert 0.05 < droid.state.velocity_w[0, 1] - before < 0.6  # feet hold back, the torso tilts


def test_a_fall_has_a_reason(policy):
    droid = walked(Droid(policy, level("dry_concrete")), 20, np.zeros(5))
    for _ in range(5):
        droid.advance(np.zeros(5), impulse(np.array([0.0, 3.0])))
    walked(droid, 100, np.zeros(5))
    assert droid.fell is not None
    assert "on dry concrete" in droid.fell
    assert "after a push" in droid.fell
    droid.begin(droid.scenario)
    assert droid.fell is None


def test_the_score_is_that_of_an_evaluation(policy):
    """The same commands score alike; by hand, the gait follows them a control step later."""
    asked = (Command(0.0, (0.4, 0.0), 0.0),)
    scenario = replace(level("dry_concrete"), commands=asked)
    (run,) = rollouts(policy, [scenario], steps=150)
    expected = {name: metric(run.log)[0] for name, metric in policy.task.metrics.items()}
    droid = Droid(policy, scenario)
    schedule = type(droid.batch.schedule).__mro__[1](1)
    schedule.set(0, scenario)
    for step in range(150):
        droid.advance(schedule.command(np.array([step * 0.02]))[0], STILL)
    found = droid.score()
    for name in ("distance", "velocity_error", "traversal", "cost_of_transport"):
        assert found[name] == pytest.approx(expected[name], rel=0.05), name


def test_skills_wait_for_their_turn():
    """On level concrete the references hold without feedback."""
    droid = walked(Droid(policies.load("motion"), level("dry_concrete")), 10, np.zeros(5))
    droid.perform(Act(0.0, "sit"))
    walked(droid, 120, np.zeros(5))  # 2.1 s down
    assert droid.show.caption(0) == "sit"
    assert droid.qpos[2] < 0.23
    droid.perform(Act(0.0, "jump", {"height": 0.04}))
    walked(droid, 2, np.zeros(5))
    assert droid.show.caption(0).startswith("stand up   (jump waits")
    feet = [walked(droid, 1, np.zeros(5)).state.clearance[0].min() for _ in range(200)]
    assert max(feet) > 0.02
    assert droid.fell is None
    assert set(droid.score()) >= {"traversal", "velocity_error"}


def test_what_cannot_be_performed_is_named(policy):
    droid = Droid(policies.load("motion"), level("dry_concrete"))
    with pytest.raises(InputError, match="height 1 is not in"):
        droid.perform(Act(0.0, "jump", {"height": 1.0}))
    with pytest.raises(InputError, match="unknown motion 'tango'"):
        droid.perform(Act(0.0, "dance", motion="tango"))
    with pytest.raises(InputError, match="walk has no skills"):
        Droid(policy, level("dry_concrete")).perform(Act(0.0, "sit"))


def test_skills_repeat_bit_for_bit():
    """From a recording that begins in a dance, and as the script of the world that is saved."""
    policy, still = policies.load("motion"), np.zeros(5)
    droid = walked(Droid(policy, level("dry_concrete")), 5, still)
    droid.perform(Act(0.0, "dance", motion="bow"))
    walked(droid, 20, still)
    recording = begun("motion", droid)
    for name, *arguments in [
        ("perform", Act(0.0, "walk", {"forward": 0.2})),
        *(("advance", still, STILL) for _ in range(30)),
    ]:
        recording.calls.append((name, tuple(arguments)))
        getattr(droid, name)(*arguments)
    again = recording.start()
    for name, arguments in recording.calls:
        getattr(again, name)(*arguments)
    np.testing.assert_array_equal(again.qpos, droid.qpos)
    assert again.show.caption(0) == droid.show.caption(0)

    assert [act.skill for act in droid.driven.acts] == ["stand", "dance", "walk"]
    saved = from_plain(json.loads(json.dumps(to_plain(droid.driven))))
    batch = TaskBatch(policy.task, 1)
    batch.reset([0], [saved])
    for _ in range(55):
        batch.step(np.zeros((1, policy.task.actions)))
    np.testing.assert_array_equal(batch.simulation.engine.qpos[0], droid.qpos)


def test_a_recording_repeats_what_was_driven_bit_for_bit(policy):
    droid = walked(Droid(policy, parse("heldout/snow:3")), 60)
    recording = begun("walk", droid)

    def do(name, *arguments):
        recording.calls.append((name, arguments))
        getattr(droid, name)(*arguments)

    def drive(steps, command):
        for step in range(steps):
            push = impulse(np.array([0.0, 0.2])) if step < 5 else STILL
            do("advance", np.array(command), push)

    drive(40, WALK)
    do("change", level("sand"))
    drive(40, [0.2, 0.1, 0.4, 0.1, 0.2])
    do("begin", level("sand"))
    drive(40, WALK)
    again = recording.start()
    for name, arguments in recording.calls:
        getattr(again, name)(*arguments)
    np.testing.assert_array_equal(again.qpos, droid.qpos)
    np.testing.assert_array_equal(again.action, droid.action)
    assert recording.seconds == pytest.approx(2.4)
    assert recording.materials() == ("snow", "sand")
