"""The supervisor: what it refuses, how it fills gaps, limits and stops."""

import dataclasses

import numpy as np
import pytest

from grek.envs.robots import GREK
from grek.onboard import Controller, Reading, load
from grek.onboard.attitude import AttitudeFilter
from grek.onboard.supervisor import Limits, State, Supervisor
from grek.onboard.wire import Mode

POLICY = load("walk")
STAND = np.array(GREK.home) + np.array(GREK.static_offset)
NONE = np.zeros(10)


def at(step: int, **other: object) -> Reading:
    """A droid that stands upright and is told to walk."""
    values = {
        "step": step,
        "time": 0.02 * step,
        "gyro": np.zeros(3),
        "gravity": np.array([0.0, 0.0, -1.0]),
        "joint_position": NONE,
        "joint_velocity": NONE,
        "command": np.array([0.3, 0.0, 0.0, 0.0, 0.0]),
    }
    return Reading(**{**values, **other})  # type: ignore[arg-type]


def made(clock: float = 0.0, **limits: object) -> Supervisor:
    return Supervisor(POLICY, Limits(**limits), clock=lambda: clock)  # type: ignore[arg-type]


def test_good_readings_pass_unchanged():
    supervisor, controller = made(), Controller(POLICY)
    for step in range(100):
        answer = supervisor.offer(at(step), 0.02 * step)
        assert answer is not None and (answer.step, answer.mode) == (step, Mode.DRIVE)
        assert np.array_equal(answer.joints, controller.step(at(step)))
    assert not supervisor.events and supervisor.state is State.WALKING


BAD = {
    "gyro nan": ({"gyro": np.array([0, np.nan, 0])}, "not_finite"),
    "joint inf": ({"joint_position": np.full(10, np.inf)}, "not_finite"),
    "command nan": ({"command": np.full(5, np.nan)}, "not_finite"),
    "gyro": ({"gyro": np.array([0, 25.0, 0])}, "out_of_range"),
    "gravity": ({"gravity": np.zeros(3)}, "out_of_range"),
    "knee": ({"joint_position": np.where(np.arange(10) == 3, 1.4, 0)}, "out_of_range"),
    "speed": ({"joint_velocity": np.full(10, 40.0)}, "out_of_range"),
    "command": ({"command": np.array([9.0, 0, 0, 0, 0])}, "out_of_range"),
    "force": ({"accelerometer": np.array([0, 0, 900.0])}, "out_of_range"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_reading_that_cannot_be_is_refused_and_counted(name):
    values, kind = BAD[name]
    supervisor = made()
    supervisor.offer(at(0), 0.0)
    assert supervisor.offer(at(1, **values), 0.02) is None
    assert dict(supervisor.events) == {kind: 1}
    assert supervisor.offer(at(1), 0.02) is not None


def test_repeated_and_overtaken_readings_are_counted_and_change_nothing():
    supervisor, controller = made(), Controller(POLICY)
    for step in range(5):
        answer = supervisor.offer(at(step), None)
        wanted = controller.step(at(step))
        assert supervisor.offer(at(step), None) is None
        if step > 1:
            assert supervisor.offer(at(step - 2), None) is None
        assert answer is not None and np.array_equal(answer.joints, wanted)
    assert dict(supervisor.events) == {"repeated": 5, "out_of_order": 3}


def test_a_lost_reading_is_replaced_by_the_one_before():
    supervisor, controller = made(), Controller(POLICY)
    moved = at(1, gyro=np.array([0.1, 0.2, 0.3]))
    for reading in (at(0), moved, moved, at(3)):
        wanted = controller.step(reading)
    supervisor.offer(at(0), None)
    supervisor.offer(moved, None)
    answer = supervisor.offer(at(3), None)
    assert answer is not None and np.array_equal(answer.joints, wanted)
    assert dict(supervisor.events) == {"missing": 1}


def test_a_late_reading_goes_into_the_history_without_an_answer():
    """The gait goes on by one step for each control step, whatever comes when."""
    supervisor, controller = made(), Controller(POLICY)
    turned = at(1, gyro=np.array([0.1, 0.2, 0.3]))
    supervisor.offer(at(0), 0.0)
    assert supervisor.overdue() is not None
    assert supervisor.offer(turned, 0.03) is None
    answer = supervisor.offer(at(2), 0.04)
    controller.step(at(0))
    controller.step(at(0))
    controller.revise(turned, 0)
    assert answer is not None and np.array_equal(answer.joints, controller.step(at(2)))
    assert dict(supervisor.events) == {"missing": 1, "late": 1}


def test_silence_leads_to_the_stand_pose_within_a_second_and_then_to_limp():
    supervisor = made()
    for step in range(40):
        supervisor.offer(at(step), 0.02 * step)
    answers = [supervisor.overdue() for _ in range(60)]
    assert [a.mode for a in answers if a].index(Mode.LIMP) == 5 + 49  # patience, then 50 steps
    assert supervisor.state is State.LIMP
    assert supervisor.events["stop"] == supervisor.events["limp"] == 1
    path = np.array([a.joints for a in answers[5:55] if a])
    assert path[-1] == pytest.approx(STAND)
    assert np.diff(path, axis=0) == pytest.approx(np.tile(path[1] - path[0], (49, 1)), abs=1e-12)


def test_a_stop_is_for_good():
    supervisor = made()
    supervisor.offer(at(0), None)
    supervisor.stop("asked")
    for step in range(1, 60):
        answer = supervisor.offer(at(step), None)
    assert answer is not None and answer.mode is Mode.LIMP
    supervisor.stop("again")
    assert supervisor.events["stop"] == 1


def test_an_emergency_stop_is_limp_at_once():
    supervisor = made()
    supervisor.offer(at(0), None)
    supervisor.emergency("asked")
    answer = supervisor.offer(at(1), None)
    assert answer is not None and answer.mode is Mode.LIMP


def test_a_droid_on_its_side_goes_limp():
    supervisor, side = made(tipped=3), np.array([0.0, 1.0, 0.0])
    modes = [supervisor.offer(at(step, gravity=side), None).mode for step in range(4)]  # type: ignore[union-attr]
    assert modes == [Mode.DRIVE, Mode.DRIVE, Mode.LIMP, Mode.LIMP]
    assert supervisor.events["emergency"] == 1


def test_targets_are_slowed_to_their_limit():
    supervisor = made(target_speed=1.0)
    before = STAND
    for step in range(20):
        answer = supervisor.offer(at(step), None)
        assert answer is not None and np.abs(answer.joints - before).max() <= 0.02 + 1e-12
        before = answer.joints
    assert supervisor.events["slowed"] > 0


def test_a_policy_that_breaks_stops_the_droid():
    class Broken:
        def __call__(self, observation: np.ndarray) -> np.ndarray:
            return np.full((1, 10), np.nan, np.float32)

    policy = dataclasses.replace(POLICY, network=Broken())  # type: ignore[arg-type]
    supervisor = Supervisor(policy)
    answer = supervisor.offer(at(0), None)
    assert answer is not None and np.isfinite(answer.joints).all()
    assert supervisor.state is State.STOPPING and supervisor.events["not_finite_target"] == 1


def test_computing_that_takes_too_long_is_counted_and_stops_it():
    ticks = iter(np.arange(0, 100, 0.015))
    supervisor = Supervisor(POLICY, Limits(lapses=4), clock=lambda: float(next(ticks)))
    for step in range(4):
        supervisor.offer(at(step), 0.02 * step)
    assert supervisor.events["overrun"] == 4 and supervisor.state is State.STOPPING


def test_readings_that_come_ever_later_stop_it():
    supervisor = made(late=0.03, lapses=4)
    for step in range(10):
        supervisor.offer(at(step), 5.0 + 0.02 * step)  # the clocks of body and computer differ
    assert not supervisor.events
    for step in range(10, 14):
        supervisor.offer(at(step), 5.05 + 0.02 * step)
    assert supervisor.events["delayed"] == 4 and supervisor.state is State.STOPPING


def test_the_filter_stands_in_for_the_attitude():
    lying = np.zeros(3)  # no attitude at all
    supervisor = Supervisor(POLICY, attitude=AttitudeFilter(), clock=lambda: 0.0)
    controller, force = Controller(POLICY), np.array([0.0, 0.0, 9.81])
    for step in range(30):
        answer = supervisor.offer(at(step, gravity=lying, accelerometer=force), None)
        wanted = controller.step(at(step, gravity=np.array([0.0, 0.0, -1.0])))
        assert answer is not None and answer.joints == pytest.approx(wanted, abs=1e-6)
    assert not supervisor.events
