"""Shares of skills, and the settings that choose skills."""

import csv
import dataclasses
import signal

import numpy as np
import pytest
import torch

from grek.errors import InputError
from grek.training.config import TrainConfig
from grek.training.curriculum import Shares
from grek.training.ppo import PPO
from grek.training.task_settings import chosen_skills, staged
from grek.training.train import train

from .runs import PER_UPDATE, config, weights


def shares_after(follows: tuple[float, float], falls: tuple[int, int]) -> dict[str, float]:
    """100 s of 10 worlds of each of two skills, which fall `falls` times in all."""
    shares = Shares(("stand", "jump"), memory=1e9)
    axes = ["stand"] * 10 + ["jump"] * 10
    for step in range(500):
        fell = np.zeros(20, bool)
        fell[0], fell[10] = step < falls[0], step < falls[1]
        found = shares.record(axes, np.repeat(follows, 10), fell)
    return found


def test_who_does_worse_gets_more():
    """Mean time between falls m, score f m / (m + 8), share 0.15 + 0.85 (1 - score)^2."""
    found = shares_after((0.9, 0.5), (1, 50))
    assert found["stand"] == pytest.approx(0.15 + 0.85 * (1 - 0.9 * 100 / 108) ** 2)
    assert found["jump"] == pytest.approx(0.15 + 0.85 * (1 - 0.5 * 2 / 10) ** 2)


def test_a_perfect_skill_keeps_a_share():
    found = shares_after((1.0, 1.0), (0, 0))
    assert all(0.15 < share < 0.25 for share in found.values())


def test_skills_choose_task_and_space():
    walk = TrainConfig()
    assert staged(walk) is walk
    stage = staged(TrainConfig(skills="all"))
    assert (stage.task, stage.space) == ("grek/Stage-v0", "stage")
    assert chosen_skills("all") is None and chosen_skills("sit, jump") == ("sit", "jump")
    with pytest.raises(InputError, match="unknown skill 'fly'; there are: stand, walk, sit"):
        staged(TrainConfig(skills="sit,fly"))
    with pytest.raises(InputError, match="--space everywhere cannot be with --skills all"):
        staged(TrainConfig(skills="all", space="everywhere"))


def test_a_run_of_skills_goes_on_as_if_never_interrupted(tmp_path):
    """Weights, worlds with their acts, and shares; the policy names its task."""
    from grek.eval.scores import policies

    whole = train(config(tmp_path / "whole", 6, skills="sit,jump"))
    half = tmp_path / "half"

    def interrupt(model: PPO) -> None:
        if model.num_timesteps == 3 * PER_UPDATE:
            signal.raise_signal(signal.SIGTERM)

    with pytest.raises(KeyboardInterrupt):
        train(config(half, 6, skills="sit,jump"), interrupt)
    train(dataclasses.replace(config(half, 3), resume=half))
    one, two = weights(whole), weights(half)
    assert all(torch.equal(one[name], two[name]) for name in one)
    head, *rows = csv.reader((half / "progress.csv").read_text().splitlines())
    assert {"share/sit", "share/jump"} <= set(head) and len(rows) == 6
    policy = policies.load(str(half))
    assert policy.task.name == "grek/Stage-v0"
    assert policy.contract["training"]["skills"] == "sit,jump"
