"""Faulty links: what a channel does to datagrams, and what a droid makes of it."""

import numpy as np
import pytest

from grek.__main__ import main
from grek.envs.scenarios.links import LINKS, Faults
from grek.envs.scenarios.scenario import Context
from grek.envs.scenarios.spaces import parse, space
from grek.envs.tasks import Task
from grek.errors import InputError
from grek.eval.scores import evaluate, policies
from grek.eval.scores.rollout import rollouts
from grek.onboard import load, trial
from grek.onboard.faults import HELD_BACK, REPEAT, Channel

POLICY, SCENARIO = load("walk"), parse("train/carpet:46")
COUNT = 4000


def carried(faults: Faults, seed: int = 1) -> list[tuple[float, bytes]]:
    """Arrival time [s] and content of COUNT datagrams that are sent 20 ms apart."""
    channel = Channel(faults, seed)
    for k in range(COUNT):
        channel.send(k.to_bytes(4, "little") * 8, 0.02 * k)
    arrived = []
    while (now := channel.next()) < np.inf:
        data = channel.receive(now)
        assert data is not None
        arrived.append((now, data))
    return arrived


def numbers(arrived: list[tuple[float, bytes]]) -> np.ndarray:
    return np.array([int.from_bytes(data[:4], "little") for _, data in arrived])


def test_a_good_link_changes_nothing():
    arrived = carried(Faults())
    assert [t for t, _ in arrived] == [0.02 * k for k in range(COUNT)]
    assert numbers(arrived).tolist() == list(range(COUNT))


def test_nothing_arrives_before_its_time():
    channel = Channel(Faults(delay=0.05), 1)
    channel.send(b"x", 1.0)
    assert channel.next() == 1.05 and channel.receive(1.049) is None
    assert channel.receive(1.05) == b"x" and channel.receive(9.0) is None


def test_rates_are_met_within_four_standard_deviations():
    def near(count: int, rate: float) -> bool:
        return abs(count - rate * COUNT) < 4 * np.sqrt(rate * (1 - rate) * COUNT)

    assert near(COUNT - len(carried(Faults(loss=0.2))), 0.2)
    twice = carried(Faults(repetition=0.3))
    assert near(len(twice) - COUNT, 0.3)
    times = np.array([t for t, _ in twice]) - 0.02 * numbers(twice)
    assert times.min() == 0 and 0.9 * REPEAT < times.max() < REPEAT
    held = carried(Faults(reordering=0.1))
    late = np.array([t for t, _ in held]) - 0.02 * numbers(held)
    assert near(int((late > 0.5 * HELD_BACK).sum()), 0.1)
    assert (np.diff(numbers(held)) < 0).any()
    sent = {k.to_bytes(4, "little") * 8 for k in range(COUNT)}
    assert near(sum(data not in sent for _, data in carried(Faults(corruption=0.25))), 0.25)


def test_delay_and_jitter():
    arrived = carried(Faults(delay=0.01, jitter=0.004))
    wait = np.array([t for t, _ in arrived]) - 0.02 * numbers(arrived) - 0.01
    assert wait.min() >= -1e-12
    assert wait.mean() == pytest.approx(0.004, rel=4 / np.sqrt(COUNT))  # exponential: sd = mean
    assert np.median(wait) == pytest.approx(0.004 * np.log(2), rel=0.1)


def test_a_seed_gives_the_same_faults_and_another_gives_others():
    faults = Faults(loss=0.1, repetition=0.1, reordering=0.1, corruption=0.1, jitter=0.01)
    assert carried(faults) == carried(faults)
    assert carried(faults) != carried(faults, seed=2)


@pytest.mark.parametrize("values", [{"loss": 1.5}, {"jitter": -0.1}, {"delay": np.nan}])
def test_impossible_rates_are_refused(values):
    (name,) = values
    with pytest.raises(InputError, match=name):
        Faults(**values)


# -- trials --------------------------------------------------------------------------------


def test_a_trial_is_the_same_every_time():
    faults = Faults(loss=0.2, jitter=0.004, repetition=0.1)
    first, second = (trial.run(POLICY, SCENARIO, faults, 3, 2.0) for _ in range(2))
    assert first == second
    assert first.events["missing"] > 5


def test_repeated_datagrams_change_nothing():
    good = trial.run(POLICY, SCENARIO, Faults(), 3, 2.0)
    twice = trial.run(POLICY, SCENARIO, Faults(repetition=1.0), 3, 2.0)
    assert good.survived and not good.events
    assert twice.survived and set(twice.events) == {"dropped_sequence"}


def test_corrupted_datagrams_are_as_good_as_lost():
    hit = trial.run(POLICY, SCENARIO, Faults(corruption=0.2), 3, 4.0)
    assert hit.survived
    dropped = sum(n for name, n in hit.events.items() if name.startswith("dropped"))
    assert 50 < dropped < 110 and hit.events["missing"] > 20


def test_a_droid_walks_on_with_a_fifth_of_its_datagrams_lost():
    assert trial.run(POLICY, SCENARIO, Faults(loss=0.2), 3, 6.0).survived


def test_a_link_that_breaks_down_stops_the_droid():
    broken = trial.run(POLICY, SCENARIO, Faults(loss=0.9), 3, 4.0)
    assert broken.stopped and not broken.survived
    assert broken.events["stop"] == 1


def test_over_a_good_link_scores_are_those_of_the_gym():
    scenarios = [space("faults").draw(Context("link", "as_trained"), i) for i in range(3)]
    assert len({s.surface.materials for s in scenarios}) == 3
    walk = policies.load("walk")
    (alone,) = rollouts(walk, scenarios, steps=100)
    (apart,) = rollouts(walk, scenarios, steps=100, driver=trial.driver(POLICY))
    for name in ("alive", "position_w", "torque", "action"):
        assert np.array_equal(getattr(alone.log, name), getattr(apart.log, name)), name


def test_the_suite_scores_every_link_in_the_same_worlds(capsys, monkeypatch):
    monkeypatch.setattr(Task, "steps", 5)
    assert main(["eval", "walk", "--suite", "faults", "--episodes", "1", "--threads", "1"]) == 0
    said = capsys.readouterr().out
    assert all(name in said for name in LINKS) and "in the same worlds" in said


def test_the_suite_is_refused_where_its_links_would_be_ignored(capsys):
    with pytest.raises(InputError, match="driver"):
        evaluate.score("walk", "faults", 1)
    assert main(["eval", "gait", "--suite", "faults"]) == 2
    assert "gait" in capsys.readouterr().err
