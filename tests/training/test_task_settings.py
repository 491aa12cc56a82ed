"""The task of a run: changes by the command line act, are recorded, and are refused by name."""

import dataclasses
import json
from pathlib import Path

import pytest

from grek.envs.tasks import walking
from grek.errors import InputError
from grek.training.config import PPOConfig, TrainConfig
from grek.training.task_settings import settings, task_of
from grek.training.train import train

SMALL = PPOConfig(rollout=8, hidden=(8,))


def test_what_is_not_changed_is_the_registered_task():
    task, plain = task_of(TrainConfig()), walking()
    assert settings(task) == settings(plain)
    assert (task.history, task.past_actions) == (plain.history, 0)
    assert task.action_scale == plain.action_scale
    assert task.commands == ((-0.35, 0.6), (-0.2, 0.2), (-0.8, 0.8))


def test_weights_motion_scale_and_observation_are_changed():
    config = TrainConfig(
        weights=("linear=3", "impact=-0.2"),
        motion=("lift=0.04", "gain=1.2,1.1,1"),
        action_scale=0.5,
        past_actions=2,
    )
    task = task_of(config)
    changed = {"linear": 3.0, "impact": -0.2}
    assert settings(task)["weights"] == {**settings(walking())["weights"], **changed}
    motion = settings(task)["motion"]
    assert (motion["lift"], motion["gain"], motion["duty"]) == (0.04, (1.2, 1.1, 1.0), 0.55)
    assert task.action_scale[:3] == (0.1, 0.1, 0.15)
    assert task.size() == walking().size() + 20


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"weights": ("speed=1",)}, "--weights: unknown 'speed'; there are: linear=2.5, angular"),
        ({"weights": ("linear",)}, "--weights: 'linear' is not NAME=VALUE, such as linear=2.5"),
        ({"weights": ("linear=fast",)}, "--weights: 'linear=fast' is not NAME=VALUE"),
        ({"motion": ("height=1",)}, "--motion: unknown 'height'; there are: period=0.6"),
        ({"motion": ("gain=1,2",)}, "--motion: 'gain=1,2' is not NAME=VALUE, such as gain=1,1,1"),
        ({"motion": ("duty=2",)}, "a gait needs 0 < duty < 1"),
    ],
)
def test_what_cannot_be_changed_is_refused_by_name(changes, told):
    with pytest.raises(InputError, match=told):
        task_of(TrainConfig(**changes))


def test_a_run_records_the_whole_task_and_its_policy_carries_it(tmp_path: Path):
    config = TrainConfig(
        out=tmp_path / "run",
        steps=64,
        worlds=4,
        threads=1,
        materials="dry_concrete",
        weights=("impact=-0.2",),
        motion=("lift=0.04",),
        past_actions=1,
        ppo=SMALL,
    )
    run = train(config)
    written = json.loads((run / "config.json").read_text())
    assert written["task"]["weights"]["impact"] == -0.2
    assert written["task"]["weights"]["linear"] == 2.5
    assert written["task"]["motion"]["lift"] == 0.04
    from grek.eval.scores import policies

    policy = policies.load(str(run))
    assert policy.contract["gait"]["lift"] == 0.04
    assert policy.contract["past_actions"] == 1
    assert policy.contract["commands"][0] == [-0.35, 0.6]
    resumed = train(dataclasses.replace(TrainConfig(), resume=run, steps=64, threads=1))
    assert len(json.loads((resumed / "config.json").read_text())["resumed"]) == 1
