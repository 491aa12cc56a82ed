"""The observation: what is in it, how it errs, and its mirror image."""

import dataclasses

import numpy as np
import pytest

from grek.envs import noise
from grek.envs.ground.shapes import Shape
from grek.envs.robots.robot import LEGS, mirror_joints
from grek.envs.scenarios.scenario import Command, Motors, Scenario, Sensors, Surface
from grek.envs.tasks import observations
from grek.envs.tasks.observations import PRIVILEGED, READINGS, SensorErrors, actor_fields
from grek.envs.tasks.walk import Walk, WalkConfig


def test_layout_is_named_and_complete():
    fields = actor_fields(1)
    slices = observations.slices(fields)
    assert slices["gyro"] == (0, 3)
    assert slices["joint_position"] == (6, 16)
    assert max(end for _, end in slices.values()) == observations.size(fields)
    walk = Walk(1, config=WalkConfig(history=1))
    assert walk.observe(True).shape[1] == observations.size((*fields, *PRIVILEGED))


def test_a_mirror_twice_is_no_mirror():
    order, sign = observations.mirror_map((*actor_fields(2), *PRIVILEGED))
    x = np.random.default_rng(0).normal(size=len(order))
    assert (x[order] * sign)[order] * sign == pytest.approx(x)


def test_the_mirrored_droid_lives_the_mirrored_life():
    """Mirrored world, command and actions: observation and critic's view are the mirror image."""
    shape = Shape(slope=0.05, slope_heading=0.4)
    plain = Scenario(shape=shape, commands=(Command(0.0, (0.3, 0.1), 0.4, (0.1, 0.3)),))
    turned = Scenario(
        shape=dataclasses.replace(shape, slope_heading=-0.4),
        commands=(Command(0.0, (0.3, -0.1), -0.4, (0.1, -0.3)),),
    )
    walk = Walk(2)
    walk.reset([0, 1], [plain, turned])
    walk.phase[:] = 0.1, 0.6  # half a period apart
    order, sign = observations.mirror_map((*walk.actor_fields, *PRIVILEGED))
    rng = np.random.default_rng(0)
    for _ in range(15):
        action = rng.normal(size=10) * 0.3
        walk.step(np.stack([action, mirror_joints(action)]))
        seen = walk.observe(True).astype(float)
        # Contact is chaotic: what agrees to 1e-9 now will not in a second.
        assert seen[1] == pytest.approx(seen[0][order] * sign, abs=2e-2)


def test_late_sensors_show_the_step_before():
    walk = Walk(2)
    late = Scenario(sensors=Sensors(delay=1))
    walk.reset([0, 1], [Scenario(), late])
    action = np.tile(np.random.default_rng(0).normal(0, 0.2, 10), (2, 1))  # too small to step
    readings = observations.size(READINGS)
    before = None
    for _ in range(4):
        walk.step(action)
        seen = walk.observe()[:, :readings]
        if before is not None:
            assert seen[1] == pytest.approx(before)
        before = seen[0]


def test_sensor_errors_have_the_stated_size():
    errors = SensorErrors(1)
    errors.set(
        0,
        Sensors(gyro_noise=0.1, gyro_bias=(0.5, 0.0, 0.0), joint_offset=(0.02,) * LEGS),
        seed=3,
    )
    true = np.zeros((1, observations.size(READINGS)))
    read = np.stack([errors.apply(true, np.array([k]))[0] for k in range(4000)])
    assert read[:, 0].mean() == pytest.approx(0.5, abs=0.006)
    assert read[:, 1].std() == pytest.approx(0.1, rel=0.05)
    assert np.all(read[:, 3:6] == 0)
    assert read[:, 6:16] == pytest.approx(0.02)


def test_a_tilted_imu_turns_gravity():
    errors = SensorErrors(1)
    errors.set(0, Sensors(tilt=(0.02, 0.05)), seed=0)
    true = np.zeros((1, observations.size(READINGS)))
    true[0, 5] = -1.0  # upright
    x, y, z = errors.apply(true, np.array([0]))[0, 3:6]
    assert (x, y, z) == pytest.approx((0.05, -0.02, -1.0))


def test_noise_does_not_depend_on_who_else_is_there():
    seeds = np.arange(50, dtype=np.uint64)
    steps = np.full(50, 7, np.uint64)
    together = noise.normal(seeds, steps, 20)
    alone = noise.normal(seeds[13:14], steps[:1], 20)
    assert np.array_equal(together[13:14], alone)


def test_noise_is_nearly_normal_and_uncorrelated():
    steps = np.arange(20_000, dtype=np.uint64)
    x = noise.normal(np.full(20_000, 5, np.uint64), steps, 3)
    assert x.mean(0) == pytest.approx(np.zeros(3), abs=0.03)
    assert x.std(0) == pytest.approx(np.ones(3), abs=0.02)
    assert np.abs(np.corrcoef(np.c_[x[1:], x[:-1]].T) - np.eye(6)).max() < 0.03
    assert np.mean(np.abs(x) > 1.96) == pytest.approx(0.05, abs=0.01)


def test_the_critic_sees_friction_and_motors():
    slices = observations.slices(PRIVILEGED)
    walk = Walk(1)
    parameters = list(Scenario().surface.parameters[0])
    parameters[0] = 0.33
    walk.reset(
        [0],
        [
            Scenario(
                surface=Surface(parameters=(tuple(parameters),)),
                motors=Motors(strength=0.9, delay=0.01),
            )
        ],
    )
    seen = walk.observe(True)[0, walk.actor_size :]
    assert seen[slice(*slices["friction"])] == pytest.approx([0.33, 0.33])
    assert seen[slice(*slices["motors"])] == pytest.approx([0.9, 0.01])
    assert seen[slice(*slices["height"])] == pytest.approx([0.295], abs=0.005)
