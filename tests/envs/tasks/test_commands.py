"""Schedules of commands and pushes, by hand."""

import numpy as np
import pytest

from grek.envs.scenarios.scenario import Command, Push, Scenario
from grek.envs.tasks.commands import Schedule

SCENARIO = Scenario(
    commands=(Command(0.0, (0.4, 0.0), 0.0), Command(5.0, (0.0, 0.2), -0.6, (0.1, 0.3))),
    pushes=(Push(2.0, (0.3, 0.0)), Push(7.0, (0.0, -0.2))),
)


@pytest.mark.parametrize(
    ("time", "expected"),
    [
        (0.0, (0.0, 0.0, 0.0, 0.0, 0.0)),
        (0.25, (0.1, 0.0, 0.0, 0.0, 0.0)),
        (3.0, (0.4, 0.0, 0.0, 0.0, 0.0)),
        (5.5, (0.2, 0.1, -0.3, 0.05, 0.15)),
        (19.0, (0.0, 0.2, -0.6, 0.1, 0.3)),
    ],
)
def test_commands_go_over_into_each_other(time, expected):
    schedule = Schedule(2)
    schedule.set(1, SCENARIO)
    assert schedule.command(np.array([0.0, time]))[1] == pytest.approx(expected)


def test_a_push_gives_its_velocity_in_all():
    schedule = Schedule(1)
    schedule.set(0, SCENARIO)
    times = np.arange(0, 20, 0.02)
    total = sum(schedule.push(np.array([t]))[0] * 0.02 for t in times)
    assert total == pytest.approx([0.3, -0.2])
    assert not schedule.push(np.array([1.98])).any()
    assert schedule.push(np.array([2.0]))[0] == pytest.approx([3.0, 0.0])
    assert not schedule.push(np.array([2.1])).any()


def test_a_new_episode_forgets_the_old_one():
    schedule = Schedule(1)
    schedule.set(0, SCENARIO)
    schedule.set(0, Scenario(commands=(Command(0.0, (0.1, 0.0), 0.0),)))
    assert schedule.command(np.array([9.0]))[0, :3] == pytest.approx([0.1, 0.0, 0.0])
    assert not any(schedule.push(np.array([t])).any() for t in np.arange(0, 20, 0.02))
