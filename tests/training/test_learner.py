"""Weights to go on training from: what is written is read, and what does not fit is refused."""

import dataclasses
import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from grek.envs.episodes import EpisodeConfig
from grek.errors import InputError
from grek.training import checkpoint
from grek.training.config import PPOConfig, TrainConfig
from grek.training.ppo import PPO
from grek.training.task_settings import task_of
from grek.training.train import make_model, train
from grek.training.vec_env import GrekVecEnv

SMALL = TrainConfig(
    steps=64,
    worlds=4,
    threads=1,
    materials="dry_concrete",
    motion=("lift=0.04",),
    past_actions=1,
    ppo=PPOConfig(rollout=8, hidden=(8,)),
)


@pytest.fixture(scope="module")
def begun(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run whose policy others start from."""
    return train(dataclasses.replace(SMALL, out=tmp_path_factory.mktemp("runs") / "begun"))


def model_of(config: TrainConfig, contract: dict | None = None) -> PPO:
    task = task_of(config, contract)
    return make_model(GrekVecEnv(2, 1, EpisodeConfig(task=task)), config)


def test_weights_of_actor_critic_and_normaliser_go_on(begun):
    tensors, contract, level = checkpoint.read_learner(str(begun))
    assert contract["gait"]["lift"] == 0.04 and contract["training"]["steps"] == 64
    assert level == 0
    model = model_of(SMALL)
    before = {name: value.clone() for name, value in model.policy.state_dict().items()}
    checkpoint.load_learner(model.policy, tensors, "begun")
    for name, value in model.policy.state_dict().items():
        assert torch.equal(value, tensors[name]), name
    changed = {name for name, value in tensors.items() if not torch.equal(value, before[name])}
    assert {"features_extractor.mean", "log_std", "value_net.bias"} <= changed


def test_a_run_starts_from_another_with_its_task(begun, tmp_path):
    plain = TrainConfig(**{**vars(SMALL), "motion": (), "past_actions": 0})
    config = dataclasses.replace(plain, out=tmp_path / "more", start=str(begun))
    run = train(config)
    written = json.loads((run / "config.json").read_text())
    assert written["task"]["motion"]["lift"] == 0.04
    _, contract, _ = checkpoint.read_learner(str(run))
    assert contract["past_actions"] == 1
    first, more = (checkpoint.read_learner(str(each))[0] for each in (begun, run))
    counts = [float(each["features_extractor.count"]) for each in (first, more)]
    assert counts[1] > counts[0]  # the normaliser went on counting


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"ppo": PPOConfig(rollout=8, hidden=(9,))}, "has shape \\(8, .*--ppo.hidden"),
        ({"past_actions": 2}, "--past-actions 2 cannot be with --from: its policy has 1"),
        ({"history": 2}, "--history 2 cannot be with --from: its policy has 4"),
        ({"start": "nowhere"}, "--from: 'nowhere' is no file or run directory"),
    ],
)
def test_what_does_not_fit_is_refused_before_a_run_is_made(begun, tmp_path, changes, told):
    config = dataclasses.replace(SMALL, out=tmp_path / "more", start=str(begun))
    with pytest.raises(InputError, match=told):
        train(dataclasses.replace(config, **changes))
    assert not (tmp_path / "more").exists()


def test_damaged_files_are_refused(begun, tmp_path):
    whole = (begun / checkpoint.LEARNER).read_bytes()
    tensors, contract, _ = checkpoint.read_learner(str(begun))
    meta = {"contract": json.dumps(contract), "level": "0.5"}
    path = tmp_path / "damaged.safetensors"

    def told(match: str) -> None:
        with pytest.raises(InputError, match=match):
            checkpoint.read_learner(str(path))

    for cut in (0, 5, len(whole) // 2):
        path.write_bytes(whole[:cut])
        told("is not a learner.safetensors")
    for wrong in ({**meta, "level": "7"}, {**meta, "contract": "[]"}, {"level": "0"}):
        save_file(tensors, path, wrong)
        told("is not a learner.safetensors")
    save_file({**tensors, "log_std": tensors["log_std"] * torch.nan}, path, meta)
    told("weights that are not finite")
