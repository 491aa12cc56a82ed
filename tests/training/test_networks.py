"""Mirror maps, normaliser, and training of a robot without a mirror map."""

import dataclasses

import numpy as np
import pytest
import torch
from gymnasium import spaces

from grek.envs.episodes import EpisodeConfig
from grek.training import train as training
from grek.training.config import TrainConfig
from grek.training.networks import Normaliser, Reflection
from grek.training.ppo import PPO
from grek.training.train import make_model
from grek.training.vec_env import GrekVecEnv

from .runs import SMALL, config, weights

SPACE = spaces.Box(-np.inf, np.inf, (3,), np.float32)
SWAP = Reflection(np.array([1, 0, 2]), np.array([1, 1, -1]))  # left <-> right, lateral sign


def samples() -> torch.Tensor:
    rng = np.random.default_rng(0)
    return torch.as_tensor(rng.normal([1, 2, 3], [1, 2, 3], (5000, 3)).astype(np.float32))


def learned(normaliser: Normaliser, seen: torch.Tensor) -> None:
    """Assert that `normaliser` has mean and variance of `seen`."""
    assert torch.allclose(normaliser.mean, seen.mean(0), atol=1e-2)
    assert torch.allclose(normaliser.variance, seen.var(0), rtol=1e-2)


def test_a_reflection_permutes_and_changes_signs():
    image = SWAP(torch.tensor([[1.0, 2.0, 3.0]]))
    assert image.tolist() == [[2.0, 1.0, -3.0]]
    assert SWAP(image).tolist() == [[1.0, 2.0, 3.0]]


def test_the_normaliser_learns_mean_and_variance():
    normaliser, seen = Normaliser(SPACE), samples()
    for part in seen.split(1000):
        normaliser.update(part)
    learned(normaliser, seen)
    scaled = normaliser(torch.tensor([[1.0, 2.0, 300.0]]))
    assert scaled[0].tolist() == pytest.approx([0, 0, 10], abs=0.1)  # the last one is clipped


def test_with_a_mirror_the_normaliser_is_that_of_samples_and_images():
    normaliser, seen = Normaliser(SPACE, SWAP), samples()
    for part in seen.split(1000):
        normaliser.update(part)
    learned(normaliser, torch.cat([seen, SWAP(seen)]))
    assert torch.allclose(SWAP(normaliser.mean), normaliser.mean)


def test_the_mirror_of_the_task_is_its_own_inverse():
    env = GrekVecEnv(2, 1, EpisodeConfig())
    mirror = training.mirror_of(env.episodes.task)
    assert mirror is not None
    for reflection, space in (
        (mirror.observation, env.observation_space),
        (mirror.action, env.action_space),
    ):
        x = torch.arange(1.0, 1 + space.shape[0])[None]
        assert not torch.equal(reflection(x), x)
        assert torch.equal(reflection(reflection(x)), x)


def test_a_robot_without_a_mirror_trains(tmp_path, monkeypatch):
    symmetric = weights(training.train(config(tmp_path / "symmetric", 2)))
    monkeypatch.setattr(training, "mirror_of", lambda env: None)
    seen: list[PPO] = []
    plain = weights(training.train(config(tmp_path / "plain", 2), seen.append))
    assert seen[0].mirror is None and seen[0].symmetry == "none"
    assert plain.keys() == symmetric.keys()
    assert not torch.equal(
        plain["features_extractor.variance"], symmetric["features_extractor.variance"]
    )
    assert all(torch.isfinite(w).all() for w in plain.values())


def test_symmetry_without_a_mirror_is_refused():
    settings = TrainConfig(ppo=dataclasses.replace(SMALL, symmetry="loss"))
    env = GrekVecEnv(2, 1, EpisodeConfig())
    model = make_model(env, settings)
    assert model.symmetry == "loss"
    with pytest.raises(ValueError, match="'loss' needs a mirror"):
        PPO(model.policy_class, env, mirror=None, symmetry="loss")
