"""The observation: what is in it, how it errs, and its mirror image."""

import dataclasses

import numpy as np
import pytest

from grek.envs.ground.shapes import Shape, part
from grek.envs.ground.surface import Surface
from grek.envs.motions.gait import Gait
from grek.envs.robots import GREK
from grek.envs.scenarios.scenario import Body, Command, Motors, Scenario, Sensors
from grek.envs.tasks import Field, Task, TaskBatch, observations, walking
from grek.errors import InputError

READINGS = 3 + 3 + 10 + 10  # gyro, gravity, joint positions and velocities


def columns(task: Task, name: str) -> slice:
    """Columns of a field of the critic in the whole observation."""
    start = 0
    for entry, field in task.layout(privileged=True):
        if entry == name:
            return slice(start, start + field.size)
        start += field.size
    raise KeyError(name)


def test_layout_is_named_and_complete():
    task = walking(history=1)
    slices = task.slices()
    assert slices["gyro"] == (0, 3)
    assert slices["joint_position"] == (6, 16)
    assert slices["command"] == (26, 29)
    assert slices["gyro_1"] == (45, 48)  # 26 readings, then 3 + 2 + 10 + 4 known exactly
    assert max(end for _, end in slices.values()) == task.size() == 45 + 26
    privileged = 3 + 3 + 1 + 1 + 2 + 2 + 2 + 2 + 2 + 2 + 1
    assert task.size(privileged=True) == task.size() + privileged
    assert TaskBatch(task, 1).observe(True).shape[1] == task.size(privileged=True)


def test_a_mirror_twice_is_no_mirror():
    order, sign = walking(history=2).mirror(privileged=True)
    x = np.random.default_rng(0).normal(size=len(order))
    assert (x[order] * sign)[order] * sign == pytest.approx(x)


@pytest.mark.parametrize(("phase_rate", "capture"), [(0.0, 0.0), (0.3, 0.0), (0.0, 1.0)])
def test_the_mirrored_droid_lives_the_mirrored_life(phase_rate, capture):
    """Mirrored world, command and actions: observation and critic's view are the mirror image."""

    def slope(heading: float) -> Shape:
        return (part("slope", rise=0.05, heading=heading),)

    plain = Scenario(shape=slope(0.4), commands=(Command(0.0, (0.3, 0.1), 0.4, (0.1, 0.3)),))
    turned = Scenario(
        shape=slope(-0.4),
        commands=(Command(0.0, (0.3, -0.1), -0.4, (0.1, -0.3)),),
    )
    task = walking(past_actions=3, phase_rate=phase_rate, motion=Gait(capture=capture))
    walk = TaskBatch(task, 2)
    walk.reset([0, 1], [plain, turned])
    # Half a period apart.
    phase = {**walk.motion.snapshot(), "phase": np.array([0.1, 0.6])}
    walk.motion.restore(phase, walk.command[:, :3])
    order, sign = task.mirror(privileged=True)
    joints, joint_sign = task.action_mirror()
    rng = np.random.default_rng(0)
    for _ in range(15):
        action = rng.normal(size=task.actions) * 0.3
        walk.step(np.stack([action, action[joints] * joint_sign]))
        seen = walk.observe(True).astype(float)
        # Contact is chaotic: what agrees to 1e-9 now will not in a second.
        assert seen[1] == pytest.approx(seen[0][order] * sign, abs=2e-2)


def test_without_a_mirror_image_there_is_none():
    lopsided = walking(dataclasses.replace(GREK, mirror=None))
    assert lopsided.mirror() is None and lopsided.action_mirror() is None
    bare = Field("temperature", 1, lambda m: m.strength[:, None])
    task = dataclasses.replace(walking(), fields=(*walking().fields, bare))
    assert task.mirror() is None and task.action_mirror() is not None
    hidden = dataclasses.replace(bare, privileged=True)
    task = dataclasses.replace(walking(), fields=(*walking().fields, hidden))
    assert task.mirror() is not None and task.mirror(privileged=True) is None


def test_a_field_of_ones_own_lies_where_the_task_says():
    """Exact fields come after measured ones, in their order, before the history."""
    field = Field("strength", 1, lambda m: m.strength[:, None])
    task = dataclasses.replace(walking(history=1), fields=(field, *walking().fields))
    assert task.slices()["strength"] == (26, 27)
    batch = TaskBatch(task, 2)
    batch.reset([0, 1], [Scenario(), Scenario(motors=Motors(strength=0.7))])
    assert batch.observe()[:, 26] == pytest.approx([1.0, 0.7])


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"fields": observations.exact(GREK) * 2}, "two fields of grek/Walk-v0 have one name"),
        ({"terms": walking().terms * 2}, "two reward terms of grek/Walk-v0 have one name"),
        ({"action_scale": (0.3,) * 4}, "action_scale has 4 values, not 10"),
        ({"history": -1}, "history -1 is negative"),
        ({"phase_rate": 1.0}, "phase_rate 1.0 is not in"),
    ],
)
def test_a_task_that_cannot_be_is_refused(changes, told):
    with pytest.raises(InputError, match=told):
        dataclasses.replace(walking(), **changes)


def test_past_actions_are_observed_newest_first():
    task = walking(past_actions=3)
    walk = TaskBatch(task, 1)
    walk.reset([0], [Scenario()])
    for k in range(1, 6):
        walk.step(np.full((1, 10), 0.1 * k))
    seen, slices = walk.observe()[0], task.slices()
    for name, k in (("last_action", 5), ("action_1", 4), ("action_2", 3), ("action_3", 2)):
        assert seen[slice(*slices[name])] == pytest.approx(0.1 * k), name
    walk.reset([0], [Scenario()])
    assert not walk.observe()[0, slice(*slices["action_1"])].any()


def test_the_last_action_asks_for_the_rate_of_the_motion():
    """Between -1 and 1: beyond, it is cut, where the other actions go on to 4."""
    task = walking(phase_rate=0.25)
    walk = TaskBatch(task, 3)
    walk.reset([0, 1, 2], [Scenario(seed=5, commands=(Command(0.0, (0.3, 0.0), 0.0),))] * 3)
    action = np.zeros((3, 11))
    action[:, -1] = 0.0, 0.5, 3.0
    for _ in range(20):
        walk.step(action)
    seen = walk.observe()
    assert seen[:, slice(*task.slices()["rate"])].ravel() == pytest.approx([0, 0.125, 0.25])
    assert not seen[:, slice(*task.slices()["last_action"])].any()
    gone = (walk.motion.phase - walk.motion.phase[0]) / (walk.motion.phase[0] - 5 / 997)
    assert gone == pytest.approx([0, 0.125, 0.25], abs=1e-6)
    walk.reset([2], [Scenario()])
    assert walk.observe()[2, slice(*task.slices()["rate"])] == 0
    with pytest.raises(InputError, match=r"shape \(3, 10\), not \(3, 11\)"):
        walk.step(np.zeros((3, 10)))


def test_commands_are_cut_to_the_range_of_the_task():
    """Asked for 0.9 m/s, the droid observes and follows 0.6; what was asked stays on record."""
    ranges = ((-0.35, 0.6), (-0.2, 0.2), (-0.8, 0.8))
    fast, trained = (Scenario(commands=(Command(0.0, (v, 0.0), 0.0),)) for v in (0.9, 0.6))
    walk, wanted = TaskBatch(walking(commands=ranges), 1), TaskBatch(walking(), 1)
    walk.reset([0], [fast])
    wanted.reset([0], [trained])
    for _ in range(60):  # beyond the ramp
        walk.step(np.zeros((1, 10)))
        wanted.step(np.zeros((1, 10)))
    assert walk.command[0, 0] == 0.9
    assert walk.observe()[0, slice(*walk.task.slices()["command"])] == pytest.approx([0.6, 0, 0])
    assert walk.motion.now.clock != pytest.approx(0)
    assert np.ptp(walk.motion.now.joints) > 0


def test_late_sensors_show_the_step_before():
    walk = TaskBatch(walking(), 2)
    late = Scenario(sensors=Sensors(delay=1))
    walk.reset([0, 1], [Scenario(), late])
    action = np.tile(np.random.default_rng(0).normal(0, 0.2, 10), (2, 1))  # too small to step
    before = None
    for _ in range(4):
        walk.step(action)
        seen = walk.observe()[:, :READINGS]
        if before is not None:
            assert seen[1] == pytest.approx(before)
        before = seen[0]


def test_the_critic_sees_friction_and_motors():
    task = walking()
    walk = TaskBatch(task, 1)
    parameters = list(Scenario().surface.parameters[0])
    parameters[0] = 0.33
    walk.reset(
        [0],
        [
            Scenario(
                surface=Surface(parameters=(tuple(parameters),)),
                body=Body(payload=0.4),
                motors=Motors(strength=0.9, delay=0.01),
            )
        ],
    )
    seen = walk.observe(True)[0]
    assert seen[columns(task, "friction")] == pytest.approx([0.33, 0.33])
    assert seen[columns(task, "motors")] == pytest.approx([0.9, 0.01])
    assert seen[columns(task, "height")] == pytest.approx([0.295], abs=0.005)
    assert seen[columns(task, "payload")] == pytest.approx([0.4])
