"""Bins of pushes, commands and difficulty, against counts by hand."""

from typing import Any

import numpy as np
import pytest

from grek.envs.ground.shapes import part
from grek.envs.scenarios.scenario import Motors, Scenario, Sensors
from grek.envs.scenarios.spaces import SPACES
from grek.eval.episodes.episodes import Episodes
from grek.eval.scores import breakdown

from ...envs.tasks.test_metrics import make

DT = 0.02


def bins(made: list[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    return breakdown.bins(Episodes.of(made))


def pushed(at: int, push: tuple[float, float], falls: int | None = None, steps: int = 300) -> Any:
    """Log of a droid that is pushed from step `at` for 0.1 s and falls at step `falls`."""
    log = make(steps)
    log.push[at : at + 5, 0] = np.array(push) / 0.1
    if falls is not None:
        log.alive[falls:] = False
    return log


def test_a_push_is_its_impulse_and_whether_the_droid_stands_two_seconds_later():
    (found,) = breakdown.details(pushed(50, (0.3, -0.1)))
    assert found["pushes"] == [pytest.approx([0.3, -0.1, 1.0])]
    (found,) = breakdown.details(pushed(50, (0.3, -0.1), falls=154))
    assert found["pushes"] == [pytest.approx([0.3, -0.1, 0.0])]
    (found,) = breakdown.details(pushed(50, (0.3, -0.1), falls=156))
    assert found["pushes"][0][2] == 1


def test_a_push_after_the_fall_or_without_an_end_does_not_count():
    assert breakdown.details(pushed(50, (0.3, 0.0), falls=40))[0]["pushes"] == []
    assert breakdown.details(pushed(250, (0.3, 0.0)))[0]["pushes"] == []
    assert breakdown.details(pushed(250, (0.3, 0.0), falls=280))[0]["pushes"] == []  # nor so


def test_a_stretch_leaves_out_the_change_and_averages_over_a_stride():
    command = np.zeros((200, 1, 3))
    command[:, 0] = 0.4, 0.0, 0.2
    velocity = np.zeros((200, 1, 3))
    velocity[50:, 0, 0] = 0.3  # 0.1 m/s too slow once the first second is over
    velocity[50:, 0, 1] = 0.05 * np.sin(2 * np.pi * np.arange(150) * DT / 0.6)  # sway
    log = make(200, command=command, velocity_h=velocity, yaw_rate=0.15)
    (stretch,) = breakdown.details(log)[0]["stretches"]
    assert stretch == pytest.approx([0.4, 0.3, 0.2, 0.15, 0.01], abs=1e-6)


def test_stretches_end_with_the_command_and_the_fall():
    command = np.zeros((400, 1, 3))
    command[200:, 0, 0] = 0.5
    log = make(400, command=command)
    assert [s[0] for s in breakdown.details(log)[0]["stretches"]] == [0.0, 0.5]
    log.alive[290:] = False  # 40 steps after the change: less than two strides
    assert [s[0] for s in breakdown.details(log)[0]["stretches"]] == [0.0]


def episode(space: str, contexts: dict[str, str], **more: Any) -> dict[str, Any]:
    return {"space": space, "contexts": contexts, "survived": True, **more}


def test_pushes_are_binned_by_where_they_come_from_and_how_hard_they_are():
    found = bins(
        [
            episode("train", {"material": "sand"}, pushes=[[0.2, 0.0, 1.0], [0.2, 0.01, 0.0]]),
            episode("heldout", {"pushes": "far"}, pushes=[[0.0, 0.6, 1.0]]),
            episode("heldout", {"material": "ice"}, pushes=[[0.0, 0.6, 0.0]]),  # not of these axes
        ]
    )["pushes"]
    assert found == [
        {"direction": 0, "ring": 1, "pushes": 2, "stood": 1},
        {"direction": 2, "ring": 3, "pushes": 1, "stood": 1},
    ]


def test_commands_are_binned_and_errors_averaged_as_squares():
    rows = [[0.5, 0.4, 0.0, 0.0, 0.01], [0.5, 0.6, 0.0, 0.1, 0.03]]
    (found,) = bins([episode("train", {"material": "sand"}, stretches=rows)])["commands"]
    edges = breakdown.FORWARD[found["forward"]], breakdown.FORWARD[found["forward"] + 1]
    assert edges == (0.4, 0.6)
    assert found["velocity_error"] == pytest.approx(np.sqrt(0.02))
    assert (found["asked"], found["walked"]) == pytest.approx((0.5, 0.5))


def test_the_hardest_level_is_the_last_before_one_that_is_not_passed():
    made = [
        episode("train", {"material": "sand"}, shape={"slope": 0.02}, survived=i < 9)
        for i in range(10)
    ]
    made += [
        episode("train", {"material": "sand"}, shape={"slope": 0.07}, survived=i < 8)
        for i in range(10)
    ]
    made += [
        episode("heldout", {"slope": "near"}, shape={"slope": 0.12}, survived=i < 7)
        for i in range(10)
    ]
    made += [episode("heldout", {"slope": "far"}, shape={"slope": 0.18}) for _ in range(10)]
    levels = bins(made)["difficulty"]
    assert [level["survival"]["mean"] for level in levels] == [0.9, 0.8, 0.7, 1.0]
    best = breakdown.hardest(levels)
    assert best is not None and best["high"] == 0.10
    assert breakdown.hardest(levels[2:]) is None


@pytest.mark.parametrize("axis", breakdown.SHAPES)
def test_levels_are_the_ranges_that_the_spaces_draw(axis):
    edges = breakdown.levels(breakdown.SHAPES[axis])

    def drawn(space: str, slug: str, count: int) -> list[float]:
        chosen = SPACES[space]
        worlds = (chosen.draw(chosen.context(slug), i) for i in range(count))
        found = [breakdown.shape(world).get(axis) for world in worlds]
        return [size for size in found if size is not None]

    trained = drawn("train", "sand", 400)
    assert edges[1] < max(trained) <= edges[2] and min(trained) < edges[1]
    for zone, low, high in (("near", *edges[2:4]), ("far", *edges[3:5])):
        sizes = drawn("heldout", f"{axis}-{zone}", 50)
        assert len(sizes) == 50
        assert low <= min(sizes) < low + 0.2 * (high - low)
        assert high - 0.2 * (high - low) < max(sizes) <= high


def test_only_the_unevenness_that_a_world_has():
    level = part("waves", height=0.0, length=1.0, heading=0.0, phase=0.0)
    scenario = Scenario(shape=(part("slope", rise=0.05, heading=0.0), level))
    assert breakdown.shape(scenario) == {"slope": 0.05}


def test_a_fall_is_the_time_since_the_last_push_and_what_was_commanded():
    """Pushed at 1 s and 4 s, down at 4.5 s, told to walk to the left."""
    log = pushed(50, (0.3, 0.0))
    log.push[200:205, 0] = (0.0, 3.0)
    log.command[:, 0] = (0.05, 0.15, 0.1)
    log.moving[:] = True
    assert breakdown.details(log)[0]["fall"] is None
    log.alive[225:] = False
    since, doing = breakdown.details(log)[0]["fall"]
    assert since == pytest.approx(0.5)
    assert breakdown.DOINGS[int(doing)] == "walk sideways"
    for command, moving, name in (
        ((0.0, 0.0, 0.0), False, "stand"),
        ((0.1, 0.0, 0.6), True, "turn"),
        ((-0.3, 0.1, 0.0), True, "walk backward"),
        ((0.3, 0.1, 0.2), True, "walk forward"),
    ):
        log.command[:, 0], log.moving[:] = command, moving
        assert breakdown.DOINGS[int(breakdown.details(log)[0]["fall"][1])] == name
    log.push[:] = 0
    assert breakdown.details(log)[0]["fall"][0] == np.inf


def test_falls_are_counted_by_command_and_time_since_the_last_push():
    falls = [[0.5, 0], [0.7, 0], [3.0, 0], [np.inf, 2], None, [9.0, 2]]
    made = [episode("train", {"material": "sand"}, fall=fall) for fall in falls]
    assert bins(made)["falls"] == [
        {"command": "stand", "low": 0.0, "high": 1.0, "falls": 2},
        {"command": "stand", "low": 2.0, "high": 4.0, "falls": 1},
        {"command": "walk forward", "low": 4.0, "high": None, "falls": 1},
        {"command": "walk forward", "low": None, "high": None, "falls": 1},
    ]


def test_survival_by_delay_is_of_worlds_that_leave_no_other_range():
    scenario = Scenario(motors=Motors(delay=0.012), sensors=Sensors(delay=1.5))
    assert breakdown.delay(scenario) == pytest.approx(0.042)
    made = [
        episode("train", {"material": "sand"}, delay=0.005),
        episode("train", {"material": "sand"}, delay=0.042, survived=False),
        episode("heldout", {"delay": "far"}, delay=0.045),
        episode("heldout", {"slope": "far"}, delay=0.045, survived=False),  # another axis
    ]
    found = bins(made)["delays"]
    assert [(b["low"], b["high"], b["episodes"], b["survival"]["mean"]) for b in found] == [
        (0.0, 0.01, 1, 1.0),
        (0.04, 0.06, 2, 0.5),
    ]
