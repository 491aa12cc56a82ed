"""Evaluation end to end: references, custom policies, independence of batch size."""

import numpy as np
import pytest

from grek.envs.scenarios.spaces import SPACES, TRAINING_SCENARIOS
from grek.envs.tasks import metrics, walking
from grek.errors import InputError
from grek.eval.scores import evaluate, policies, rollout, scorecard, suites
from grek.eval.scores.suites import SUITES


def measure(log: metrics.EpisodeLog) -> dict[str, np.ndarray]:
    return {name: metric(log) for name, metric in metrics.WALKING.items()}


def test_suites_never_meet_training():
    for suite in SUITES.values():
        for seed in (0, 3):
            for scenario in suites.scenarios(suite, seed, episodes=2):
                # Training draws the short numbers below TRAINING_SCENARIOS, over all contexts.
                assert int(scenario.name.partition(":")[2]) >= TRAINING_SCENARIOS, scenario.name


def test_suites_are_fixed_balanced_and_apart():
    drawn = suites.scenarios(SUITES["quick"], episodes=3)
    assert drawn == suites.scenarios(SUITES["quick"], episodes=3)
    count: dict[tuple[str, ...], int] = {}
    for scenario in drawn:
        key = (scenario.space, *scenario.context)
        count[key] = count.get(key, 0) + 1
    assert set(count.values()) == {3}
    assert {key[0] for key in count} == {"train", "heldout", "numerics"}
    other = suites.scenarios(SUITES["quick"], seed=1, episodes=3)
    assert not {s.name for s in drawn} & {s.name for s in other}
    assert suites.digest(drawn) != suites.digest(other)


def test_every_material_has_a_row():
    contexts = {c for name in ("train", "heldout") for c in SPACES[name].contexts}
    from grek.envs.ground.materials import MATERIALS

    assert {value for axis, value in contexts if axis == "material"} == set(MATERIALS)


def test_standing_is_not_walking():
    policy = policies.load("zero")
    worlds = [s.eased(0.0) for s in suites.scenarios(SUITES["train"], episodes=2)]
    (run,) = rollout.rollouts(policy, worlds)
    measured = measure(run.log)
    assert measured["survived"].mean() > 0.5
    told = np.abs(run.log.command).sum((0, 2)) > 0
    assert measured["traversal"][told].mean() <= 0.05


def test_scores_do_not_depend_on_the_batch():
    policy = policies.load("random")
    worlds = suites.scenarios(SUITES["quick"], episodes=1)[::3]
    tables = []
    for at_once, threads in ((4, 1), (64, 2)):
        found = []
        for run in rollout.rollouts(policy, worlds, threads, at_once, steps=100):
            found += scorecard.episodes_of(run.scenarios, measure(run.log))
        # A batch of one sums in another order: the last bit may differ, no digit of a scorecard.
        tables.append(scorecard.build({}, {}, {}, found))
    assert tables[0] == tables[1]


def test_scores_of_fallen_droids_do_not_depend_on_the_batch():
    # In small batches all fall early; the commanded distance must be the same.
    policy = policies.load("gait")
    worlds = suites.scenarios(SUITES["train"], episodes=1)
    found = {}
    for at_once in (1, len(worlds)):
        runs = list(rollout.rollouts(policy, worlds, worlds=at_once))
        command = np.concatenate([run.log.command for run in runs], 1)
        scores = np.concatenate([metrics.traversal(run.log) for run in runs])
        assert np.concatenate([run.log.alive for run in runs], 1).any(1).sum() < 500
        found[at_once] = command, scores
    one, all_ = found.values()
    assert (one[0] == all_[0]).all()
    assert one[1] == pytest.approx(all_[1], rel=1e-9)


def test_any_function_can_be_scored():
    seen = []

    def act(observation):
        seen.append(observation.shape)
        return np.zeros((len(observation), 10))

    card = evaluate.score(policies.from_function("mine", act), "train", episodes=1)
    assert card["policy"]["name"] == "mine"
    assert len(card["episodes"]) == len(SPACES["train"].contexts)
    assert seen[0][1] == walking().size()


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (lambda n: np.full((n, 10), np.nan), "not finite"),
        (lambda n: np.zeros((n, 3)), r"shape \(5, 3\)"),
        (lambda n: np.zeros(10), "shape"),
    ],
)
def test_policies_that_act_up_are_refused(answer, said):
    policy = policies.from_function("bad", lambda observation: answer(len(observation)))
    with pytest.raises(InputError, match=said):
        evaluate.score(policy, "train", episodes=1)


def test_references_load_and_differ():
    worlds = suites.scenarios(SUITES["train"], episodes=1)[:1]
    ends = []
    for name in policies.REFERENCES:
        (run,) = rollout.rollouts(policies.load(name), worlds, steps=30)
        ends.append(run.log.position_w[-1, 0])
    assert len({tuple(np.round(e, 5)) for e in ends}) == len(policies.REFERENCES)
