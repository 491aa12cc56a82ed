"""Dances as reference motions: on their beat, and with the torque that they need."""

import numpy as np
import pytest

from grek.envs.motions.choreography import choreography
from grek.envs.motions.dance import Dance, DanceMotion
from grek.envs.motions.planner import plan
from grek.envs.robots import GREK
from grek.envs.scenarios.scenario import Scenario
from grek.envs.tasks import TaskBatch, walking
from grek.errors import InputError

NAMES = ("bow", "lullaby", "hopscotch")
STILL = np.zeros((1, 10))


def batch(*names: str, worlds: int = 1) -> TaskBatch:
    found = TaskBatch(walking(motion=Dance(names)), worlds)
    found.reset(np.arange(worlds), [Scenario(seed=i) for i in range(worlds)])
    return found


def test_each_world_dances_its_own():
    worlds = batch(*NAMES, worlds=6)
    assert isinstance(worlds.motion, DanceMotion)
    said = [worlds.motion.caption(world).split(",")[0] for world in range(6)]
    assert said == [NAMES[i % 3] for i in range(6)]


def test_the_reference_is_the_plan_of_the_step_and_begins_again():
    walk, of = batch("lullaby"), choreography("lullaby")
    found = plan(of, GREK, 0.02)
    for step in range(len(found.time) + 3):
        now, row = walk.motion.now, step % len(found.time)
        assert now.joints[0] == pytest.approx(found.joints[row])
        assert now.height[0] == pytest.approx(found.position[row, 2])
        assert now.look[0] == pytest.approx(found.look[row])
        assert now.contact[0].tolist() == found.contact[row].tolist()
        angle = 2 * np.pi * found.beat[row]
        assert now.clock[0, :2] == pytest.approx([np.sin(angle), np.cos(angle)], abs=1e-9)
        walk.step(STILL)


@pytest.mark.parametrize("name", ["bow", "lullaby"])
def test_with_the_torque_fed_forward_it_follows_in_open_loop(name):
    """Level concrete, nothing pushes: joints within 0.01 rad, torso within 3 mm, on average."""
    walk = batch(name)
    joints, height = [], []
    for _ in range(int(choreography(name).seconds / 0.02)):
        wanted = walk.motion.now
        assert not walk.step(STILL).terminated[0]
        joints.append(walk.state.joint_position[0, :10] - wanted.joints[0])
        height.append(walk.state.height[0] - wanted.height[0])
    assert np.abs(joints).mean() < 0.01
    assert np.sqrt(np.square(height).mean()) < 0.003


def test_hops_leave_the_ground_in_open_loop():
    walk, air = batch("hopscotch"), []
    for _ in range(int(choreography("hopscotch").seconds / 0.02)):
        assert not walk.step(STILL).terminated[0]
        air.append(not walk.state.contact[0].any())
    begins = np.flatnonzero(np.diff(np.array(air, int)) == 1)
    assert len(begins) >= 7
    beats = begins[np.diff(begins, prepend=-100) > 50] * 0.02 * 84 / 60
    assert beats == pytest.approx([3, 6, 9, 12, 15, 18, 21], abs=0.2)


def test_dances_go_on_from_a_snapshot():
    first, second = batch(*NAMES, worlds=3), batch(*NAMES, worlds=3)
    for _ in range(40):
        first.step(np.zeros((3, 10)))
    second.restore(first.snapshot())
    for _ in range(5):
        assert np.array_equal(first.motion.now.joints, second.motion.now.joints)
        one, two = first.step(np.zeros((3, 10))), second.step(np.zeros((3, 10)))
        assert np.array_equal(one.reward, two.reward)


def test_a_contract_names_the_dances():
    dance = Dance(NAMES)
    assert Dance(()).from_description(dance.describe()) == dance
    for values in (None, {}, {"dances": "bow"}, {"dances": [1]}):
        with pytest.raises(InputError, match="a dance has names"):
            dance.from_description(values)


def test_a_dance_that_cannot_be_done_is_refused(tmp_path):
    path = tmp_path / "leap.toml"
    path.write_text(
        'title = "Leap"\ntempo = 60\nbeats = 8\n[[key]]\nbeat = 4\nhop = {height = 0.15}'
    )
    with pytest.raises(InputError, match=r"motion leap: beat .* its motor gives"):
        Dance((str(path),)).start(GREK, 1)
