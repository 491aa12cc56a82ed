"""Sensors: their errors have the stated size, and readings arrive exactly as late as stated."""

import dataclasses
import math

import numpy as np
import pytest

from grek.envs.scenarios.scenario import Command, Motors, Push, Scenario, Sensors
from grek.envs.simulation.simulation import CONTROL_STEP, Simulation
from grek.envs.tasks import Field, Sensor, StepData, TaskBatch, walking
from grek.envs.tasks import sensors as rooms
from grek.envs.tasks.commands import Schedule
from grek.errors import InputError

TASK = walking()
READINGS = 26  # gyro (3), gravity (3), joint positions (10) and velocities (10)
BATCH = TaskBatch(TASK, 1)


def data(**state: np.ndarray) -> StepData:
    """One robot upright, at home and at rest, but for `state`."""
    BATCH.reset([0], [Scenario()])
    joints = np.tile(np.array(TASK.robot.home), (1, 1))
    at_rest = {
        "rotation": np.eye(3)[None],
        "gyro_b": np.zeros((1, 3)),
        "joint_position": joints,
        "joint_velocity": 0 * joints,
    }
    present = dataclasses.replace(BATCH.state, **{**at_rest, **state})
    return dataclasses.replace(BATCH._step_data(), state=present)


def sensors(errors: Sensors, history: int = 0, seed: int = 3) -> rooms.SensorSuite:
    found = rooms.SensorSuite(1, TASK.measured, history)
    found.set(np.array([0]), [Scenario(seed=seed, sensors=errors)])
    return found


def read(errors: Sensors, true: StepData, times: int, seed: int = 3) -> np.ndarray:
    """Readings (times, 26) of the same truth, control step after control step."""
    found = sensors(errors, seed=seed)
    seen = []
    for age in range(times):
        found.read(true, np.array([age]))
        seen.append(found.arrived(1)[0, 0])
    return np.array(seen)


# -- errors --------------------------------------------------------------------------------


def test_sensor_errors_have_the_stated_size():
    errors = Sensors(gyro_noise=0.1, gyro_bias=(0.5, 0.0, 0.0), joint_offset=(0.02,) * 10)
    seen = read(errors, data(), 4000)
    assert seen[:, 0].mean() == pytest.approx(0.5, abs=0.006)
    assert seen[:, 1].std() == pytest.approx(0.1, rel=0.05)
    assert np.all(seen[:, 3:6] == (0, 0, -1))
    assert seen[:, 6:16] == pytest.approx(0.02)
    assert np.all(seen[:, 16:] == 0)


@pytest.mark.parametrize(
    ("name", "deviation", "where"),
    [
        ("gyro_noise", 0.1, slice(0, 3)),
        ("gravity_noise", 0.03, slice(3, 6)),
        ("joint_noise", 0.01, slice(6, 16)),
        ("velocity_noise", 0.6, slice(16, 26)),
    ],
)
def test_each_noise_is_of_its_own_columns(name, deviation, where):
    error = read(Sensors(**{name: deviation}), data(), 2000) - read(Sensors(), data(), 1)
    assert error[:, where].std(0) == pytest.approx(deviation, rel=0.07)
    error[:, where] = 0
    assert not error.any()


def test_attitude_follows_acceleration_as_a_complementary_filter_does():
    """At constant a from rest: a / g (1 - exp(-t / T)), against the acceleration; then it fades."""
    found, acceleration, time = sensors(Sensors(attitude_time=0.8)), 1.5, 0.0
    found.fill(np.array([0]), data(velocity_b=np.zeros((1, 3))), np.array([0]))
    for _ in range(50):
        time += CONTROL_STEP
        found.read(data(velocity_b=np.array([[acceleration * time, 0, 0]])), np.array([0]))
    expected = acceleration / 9.81 * (1 - math.exp(-time / 0.8))
    assert found.newest("gravity")[0] == pytest.approx([-expected, 0, -1], abs=0.004)
    for _ in range(40):  # one time constant at constant speed
        found.read(data(velocity_b=np.array([[acceleration * time, 0, 0]])), np.array([0]))
    assert found.newest("gravity")[0, 0] == pytest.approx(-expected * math.exp(-1), abs=0.004)


def test_attitude_error_is_along_the_world_frame_velocity():
    """Heading west and accelerating ahead, the filter sees the same as when heading east."""
    turned = np.array([[[0.0, -1, 0], [1, 0, 0], [0, 0, 1]]])
    for rotation in (np.eye(3)[None], turned):
        found = sensors(Sensors(attitude_time=1.0))
        found.fill(np.array([0]), data(velocity_b=np.zeros((1, 3))), np.array([0]))
        found.read(data(velocity_b=np.array([[0.2, 0, 0]]), rotation=rotation), np.array([0]))
        assert found.newest("gravity")[0] == pytest.approx([-0.2 / 9.81, 0, -1], abs=5e-4)


def test_a_tilted_imu_turns_gravity():
    seen = read(Sensors(tilt=(0.02, 0.05)), data(), 1)[0]
    assert seen[3:6] == pytest.approx((0.05, -0.02, -1.0))
    spinning = data(gyro_b=np.array([[0.0, 0.0, 2.0]]))
    seen = read(Sensors(tilt=(0.02, 0.05)), spinning, 1)[0]
    assert seen[:3] == pytest.approx((-0.1, 0.04, 2.0))


def test_noise_depends_on_the_worlds_seed_and_the_step_alone():
    errors = Sensors(gyro_noise=0.1)
    assert np.array_equal(read(errors, data(), 20), read(errors, data(), 20))
    assert not np.isclose(read(errors, data(), 20)[:, :3], read(errors, data(), 20, 4)[:, :3]).any()


def test_a_field_of_ones_own_has_the_errors_it_states():
    """A thermometer 2 K off in its second column, with a tenth of the gyro's noise."""
    sensor = Sensor(lambda s: 0.1 * s.gyro_noise, lambda s: (0.0, 2.0))
    field = Field("temperature", 2, lambda m: np.full((1, 2), 300.0), sensor=sensor)
    found = rooms.SensorSuite(1, (*TASK.measured, field), 1)
    found.set(np.array([0]), [Scenario(seed=9, sensors=Sensors(gyro_noise=1.0))])
    seen, true = [], data()
    for age in range(2000):
        found.read(true, np.array([age]))
        seen.append(found.newest("temperature")[0])
    assert np.mean(seen, 0) == pytest.approx([300.0, 302.0], abs=0.01)
    assert np.std(seen, 0) == pytest.approx([0.1, 0.1], rel=0.06)


def test_what_a_failed_simulation_shows_is_read_as_zero():
    speeds = np.array([[np.nan, np.inf, -np.inf, *range(11)]])
    seen = read(Sensors(), data(joint_velocity=speeds), 1)[0]
    assert seen[16:].tolist() == [0, 0, 0, *range(7)]


# -- delays --------------------------------------------------------------------------------


def told(step: int) -> StepData:
    """Step data whose readings say when they were taken."""
    return data(gyro_b=np.array([[float(step), 0.0, 0.0]]))


@pytest.mark.parametrize("delay", [0, 0.25, 1, 1.5, 2, 4, 7, rooms.MAX_DELAY])
@pytest.mark.parametrize("history", [0, 4])
def test_readings_arrive_late_by_the_delay(delay, history):
    """At step t the newest is of t - delay and the one `age` older of t - delay - age.

    Before the episode everything was as at its start.
    """
    found = sensors(Sensors(delay=delay), history)
    found.fill(np.array([0]), told(0), np.array([0]))
    for step in range(1, math.ceil(delay) + history + 4):
        found.read(told(step), np.array([step]))
        expected = [max(step - delay - age, 0) for age in range(1 + history)]
        assert found.arrived(1 + history)[0, :, 0] == pytest.approx(expected)
        assert found.newest("gyro")[0, 0] == pytest.approx(expected[0])


def test_worlds_of_different_delays_side_by_side():
    """Delays may come later and be longer than any before: the others keep what they have read."""
    delays = np.array([0, 1, 7, 3])
    found = rooms.SensorSuite(4, TASK.measured, 2)

    def tell(step: int) -> StepData:
        one = told(step)
        arrays = {k: np.repeat(v, 4, 0) for k, v in vars(one.state).items()}
        return dataclasses.replace(one, state=dataclasses.replace(one.state, **arrays))

    def begin(worlds: list[int], step: int) -> None:
        scenarios = [Scenario(sensors=Sensors(delay=int(delays[world]))) for world in worlds]
        found.set(np.array(worlds), scenarios)
        found.fill(np.array(worlds), tell(step), np.full(4, step))

    begin([0, 1], 0)
    for step in range(1, 6):
        found.read(tell(step), np.full(4, step))
    begin([2, 3], 5)
    for step in range(6, 20):
        found.read(tell(step), np.full(4, step))
        since = np.array([0, 0, 5, 5])  # the step at which each began
        expected = [np.maximum(step - delays - age, since) for age in range(3)]
        assert np.array_equal(found.arrived(3)[:, :, 0], np.stack(expected, 1))


@pytest.mark.parametrize("delay", [2, 4, 7])
def test_a_task_observes_late_readings(delay):
    """Two droids that live alike: what the late one sees now, the other saw `delay` steps ago."""
    walk = TaskBatch(TASK, 2)
    walk.reset([0, 1], [Scenario(), Scenario(sensors=Sensors(delay=delay))])
    action = np.tile(np.random.default_rng(0).normal(0, 0.2, 10), (2, 1))  # too small to step
    seen = []
    for _ in range(delay + 6):
        seen.append(walk.observe())
        walk.step(action)
    first, age = seen[0][0, :READINGS], slice(45, None)  # the history comes last
    for step, now in enumerate(seen):
        before = seen[step - delay][0] if step >= delay else seen[0][0]
        assert np.array_equal(now[1, :READINGS], before[:READINGS])
        assert np.array_equal(now[1, age], before[age])
    assert not np.allclose(seen[-1][0, :READINGS], first)


@pytest.mark.parametrize("delay", [-1, rooms.MAX_DELAY + 1])
def test_an_odd_delay_is_refused(delay):
    scenario = Scenario(name="late", sensors=Sensors(delay=delay))
    with pytest.raises(InputError, match=f"late: sensor delay {delay} is not in 0 to 100"):
        TaskBatch(TASK, 1).reset([0], [scenario])


def test_a_snapshot_keeps_what_has_not_arrived_yet():
    first, second = (sensors(Sensors(delay=7), 2) for _ in range(2))
    first.fill(np.array([0]), told(0), np.array([0]))
    for step in range(1, 10):
        first.read(told(step), np.array([step]))
    second.restore(first.snapshot())
    for step in range(10, 20):
        for found in (first, second):
            found.read(told(step), np.array([step]))
        assert np.array_equal(first.arrived(3), second.arrived(3))


# -- commands and pushes -------------------------------------------------------------------


@pytest.mark.parametrize("count", [9, 20])
def test_every_command_and_push_acts(count):
    """One a second, each of its own size: none is left out, whoever else is there."""
    commands = tuple(Command(float(k), (0.01 * (k + 1), 0.0), 0.02 * k) for k in range(count))
    pushes = tuple(Push(k + 0.5, (0.1 * (k + 1), -0.05 * k)) for k in range(count))
    schedule = Schedule(2)
    schedule.set(0, Scenario(commands=commands[:1], pushes=pushes[:1]))
    schedule.set(1, Scenario(commands=commands, pushes=pushes))
    for k in range(count):
        end = schedule.command(np.full(2, k + 0.999))
        before = 0.01 * k
        assert end[1, 0] == pytest.approx(before + 0.999 * 0.01)
        assert end[0, 0] == pytest.approx(0.01 * min(k + 0.999, 1.0))
        assert schedule.push(np.full(2, k + 0.55))[1] == pytest.approx((k + 1.0, -0.5 * k))
    total = sum(schedule.push(np.full(2, t)) * CONTROL_STEP for t in np.arange(0, count, 0.02))
    assert total[1] == pytest.approx(
        (0.1 * count * (count + 1) / 2, -0.05 * count * (count - 1) / 2)
    )
    assert total[0] == pytest.approx((0.1, 0.0))


def test_a_droid_feels_its_twentieth_push():
    """0.4 m/s at 0.5 s after nineteen of nothing: a tenth of a second later it moves so fast."""
    pushes = (*(Push(0.02 * k, (0.0, 0.0)) for k in range(19)), Push(0.5, (0.4, 0.0)))
    walk = TaskBatch(TASK, 2)
    walk.reset([0, 1], [Scenario(), Scenario(pushes=pushes)])
    for _ in range(round(0.6 / CONTROL_STEP)):
        walk.step(np.zeros((2, 10)))
    speed = walk.state.velocity_h[:, 0]
    assert speed[1] - speed[0] > 0.15  # the soles hold the feet


# -- motors --------------------------------------------------------------------------------


def response(delays: list[float], timestep: float = 0.005) -> np.ndarray:
    """Physics steps until the torque of a hip answers a step change of its target."""
    scenarios = [
        Scenario(
            motors=Motors(delay=delay),
            numerics=dataclasses.replace(Scenario().numerics, timestep=timestep),
        )
        for delay in delays
    ]
    simulation = Simulation(len(delays))
    simulation.reset(range(len(delays)), scenarios)
    engine = simulation.engine
    home = engine.targets.copy()
    engine.step(None, 20)
    torque = [engine.torque[:, 2].copy()]
    engine.targets[:] = home
    engine.targets[:, 2] += 0.1
    for _ in range(16):
        engine.step(None, 1)
        torque.append(engine.torque[:, 2].copy())
    jumps = np.abs(np.diff(np.array(torque), axis=0)) > 2.0
    assert jumps.any(0).all()
    return jumps.argmax(0)


def test_any_motor_delay_of_whole_timesteps_acts():
    """The model remembers 12 samples: from 0 to 60 ms at 5 ms."""
    steps = np.arange(13)
    assert response((steps * 0.005).tolist()).tolist() == steps.tolist()


def test_a_motor_delay_beyond_the_buffer_of_shorter_timesteps_is_refused():
    """Twelve samples a millisecond apart are 12 ms: 15 ms would act as 12."""
    assert response([0.012], timestep=0.001).tolist() == [12]
    numerics = dataclasses.replace(Scenario().numerics, timestep=0.001)
    with pytest.raises(InputError, match=r"motor delay 0\.015 s is .* the 0\.012 s"):
        Simulation(1).reset([0], [Scenario(motors=Motors(delay=0.015), numerics=numerics)])


def test_a_motor_delay_beyond_the_buffer_is_refused():
    for delay in (0.0601, 0.2):
        with pytest.raises(InputError, match=rf"motor delay {delay:g} s is .* the 0\.06 s"):
            Simulation(1).reset([0], [Scenario(motors=Motors(delay=delay))])


@pytest.mark.parametrize("delay", [-0.01, float("nan")])
def test_a_motor_delay_that_cannot_be_is_refused(delay):
    with pytest.raises(InputError, match="motor delay"):
        Simulation(1).reset([0], [Scenario(motors=Motors(delay=delay))])
