"""Actor and critic: the actor sees what a droid can measure, the critic also what it cannot.

Observations come as one vector, the actor's columns first. The normaliser is part of the network,
so that no one can forget it when the policy is saved, exported or resumed.
"""

import math
from typing import Any

import gymnasium
import numpy as np
import torch
from stable_baselines3.common.policies import ActorCriticPolicy
from stable_baselines3.common.torch_layers import BaseFeaturesExtractor
from torch import Tensor, nn

_LOG_2_PI = math.log(2 * math.pi)
CLIP = 10.0  # normalised observations are cut here


class Normaliser(BaseFeaturesExtractor):
    """Subtracts a running mean and divides by a running deviation, kept symmetric left to right."""

    mean: Tensor
    variance: Tensor
    count: Tensor

    def __init__(self, space: gymnasium.Space, order: np.ndarray, sign: np.ndarray) -> None:
        size = int(np.prod(space.shape or ()))
        super().__init__(space, size)
        self.register_buffer("mean", torch.zeros(size))
        self.register_buffer("variance", torch.ones(size))
        self.register_buffer("count", torch.tensor(1e-4, dtype=torch.float64))
        self.order, self.sign = torch.as_tensor(order), torch.as_tensor(sign, dtype=torch.float32)

    def forward(self, observation: Tensor) -> Tensor:
        """Normalised observation (n, size)."""
        scaled = (observation - self.mean) * torch.rsqrt(self.variance + 1e-4)
        return scaled.clamp(-CLIP, CLIP)

    def update(self, observation: Tensor) -> None:
        """Take in a batch (n, size) and its mirror image (Chan et al. 1979, parallel variance)."""
        mean = observation.mean(0)
        variance = (observation - mean).square().mean(0)  # Tensor.var takes four times as long
        mirrored = mean[self.order] * self.sign
        both = (mean + mirrored) / 2
        spread = (variance + variance[self.order]) / 2 + ((mean - mirrored) / 2) ** 2
        n = 2 * len(observation)
        share = float(n / (self.count + n))
        delta = both - self.mean
        self.mean += delta * share
        self.variance += (spread - self.variance) * share + delta**2 * share * (1 - share)
        self.count += n


class _Split(nn.Module):
    """Two networks side by side; the actor's reads the first columns only."""

    def __init__(self, size: int, actor_size: int, hidden: tuple[int, ...]) -> None:
        super().__init__()
        self.actor_size = actor_size
        self.policy_net = _layers(actor_size, hidden)
        self.value_net = _layers(size, hidden)
        self.latent_dim_pi = self.latent_dim_vf = hidden[-1]

    def forward(self, features: Tensor) -> tuple[Tensor, Tensor]:
        return self.forward_actor(features), self.forward_critic(features)

    def forward_actor(self, features: Tensor) -> Tensor:
        return self.policy_net(features[..., : self.actor_size])

    def forward_critic(self, features: Tensor) -> Tensor:
        return self.value_net(features)


class WalkPolicy(ActorCriticPolicy):
    """Gaussian policy with a state-independent deviation, and the privileged critic."""

    def __init__(
        self, *args: Any, actor_size: int, hidden: tuple[int, ...] = (256, 128), **kwargs: Any
    ) -> None:
        self._actor_size, self._hidden = actor_size, tuple(hidden)
        super().__init__(*args, **kwargs)

    def _build_mlp_extractor(self) -> None:
        self.mlp_extractor = _Split(self.features_dim, self._actor_size, self._hidden)  # type: ignore[assignment]

    def mean_action(self, features: Tensor) -> Tensor:
        """What the policy does without exploring (n, actions), given normalised observations."""
        return self.action_net(self.mlp_extractor.forward_actor(features))

    def evaluate(self, features: Tensor, action: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Value (n,), log-probability (n,) of `action` and entropy (), as `evaluate_actions`.

        It takes normalised observations, and does without SB3's distribution objects.
        """
        log_std: Tensor = self.log_std
        error = (action - self.mean_action(features)) * torch.exp(-log_std)
        log_prob = -0.5 * (error**2).sum(1) - (log_std + 0.5 * _LOG_2_PI).sum()
        value = self.value_net(self.mlp_extractor.forward_critic(features)).flatten()
        return value, log_prob, (log_std + 0.5 + 0.5 * _LOG_2_PI).sum()

    @property
    def normaliser(self) -> Normaliser:
        """The normaliser of both networks."""
        assert isinstance(self.features_extractor, Normaliser)
        return self.features_extractor


def _layers(size: int, hidden: tuple[int, ...]) -> nn.Sequential:
    layers: list[nn.Module] = []
    for width in hidden:
        layers += [nn.Linear(size, width), nn.ELU()]
        size = width
    return nn.Sequential(*layers)
