"""Actor and critic networks with the normaliser of their observations.

The actor observes what the robot can measure, the critic also privileged simulation state
(asymmetric actor-critic, Pinto et al. 2018). An observation is one vector, the actor's columns
first. The normaliser is part of the network, so that it is saved, exported and resumed with it.
"""

import math
from dataclasses import dataclass
from typing import Any

import gymnasium
import numpy as np
import torch
from numpy.typing import NDArray
from stable_baselines3.common.policies import ActorCriticPolicy
from stable_baselines3.common.torch_layers import BaseFeaturesExtractor
from torch import Tensor, nn

from grek.training.parallel import collectives

_LOG_2_PI = math.log(2 * math.pi)
CLIP = 10.0  # normalised observations are clipped to [-CLIP, CLIP]
EPSILON = 1e-4  # added to the variance before division by its square root


class Reflection:
    """Left-right mirror image of vectors: column i of the image is `sign[i] * x[order[i]]`."""

    def __init__(self, order: NDArray, sign: NDArray) -> None:
        self.order = torch.as_tensor(order)  # (columns,)
        self.sign = torch.as_tensor(sign, dtype=torch.float32)  # (columns,)

    def __call__(self, x: Tensor) -> Tensor:
        """Mirror image of each row of `x` (n, columns)."""
        return x[..., self.order] * self.sign


@dataclass(frozen=True)
class Mirror:
    """Left-right mirror maps of the observation and the action of a task."""

    observation: Reflection
    action: Reflection


class Normaliser(BaseFeaturesExtractor):
    """Standardisation of observations by their running mean and variance, clipped to CLIP.

    With a `reflection`, mean and variance are those of the observations and their mirror images
    together.
    """

    mean: Tensor
    variance: Tensor
    count: Tensor

    def __init__(self, space: gymnasium.Space, reflection: Reflection | None = None) -> None:
        size = int(np.prod(space.shape or ()))
        super().__init__(space, size)
        self.register_buffer("mean", torch.zeros(size))
        self.register_buffer("variance", torch.ones(size))
        self.register_buffer("count", torch.tensor(1e-4, dtype=torch.float64))
        self.reflection = reflection

    def forward(self, observation: Tensor) -> Tensor:
        """Normalised observation (n, size)."""
        scaled = (observation - self.mean) * torch.rsqrt(self.variance + EPSILON)
        return scaled.clamp(-CLIP, CLIP)

    def update(self, observation: Tensor) -> None:
        """Add a batch (n, size) to mean and variance (Chan et al. 1979, parallel variance).

        Each process of a group gives a batch of its own, all of one size.
        """
        n = len(observation)
        mean = observation.mean(0)
        variance = (observation - mean).square().mean(0)  # Tensor.var takes four times as long
        if (processes := collectives.size()) > 1:
            own = torch.stack([mean, mean.square() + variance]).double()
            mean, square = collectives.total(own) / processes
            n, variance = processes * n, (square - mean.square()).clamp(min=0).float()
            mean = mean.float()
        if self.reflection is not None:  # as if the mirrored batch were concatenated
            n, mirrored = 2 * n, self.reflection(mean)
            variance = (variance + variance[self.reflection.order]) / 2
            variance = variance + ((mean - mirrored) / 2) ** 2
            mean = (mean + mirrored) / 2
        weight = float(n / (self.count + n))
        delta = mean - self.mean
        self.mean += delta * weight
        self.variance += (variance - self.variance) * weight + delta**2 * weight * (1 - weight)
        self.count += n


class _ActorCriticLayers(nn.Module):
    """Hidden layers of actor and critic; the actor gets the first `actor_size` columns only."""

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


class PrivilegedCriticPolicy(ActorCriticPolicy):
    """Gaussian policy with a state-independent standard deviation and a privileged critic."""

    def __init__(
        self, *args: Any, actor_size: int, hidden: tuple[int, ...] = (256, 128), **kwargs: Any
    ) -> None:
        self._actor_size, self._hidden = actor_size, tuple(hidden)
        super().__init__(*args, **kwargs)

    def _build_mlp_extractor(self) -> None:
        self.mlp_extractor = _ActorCriticLayers(  # type: ignore[assignment]
            self.features_dim, self._actor_size, self._hidden
        )

    def mean_action(self, features: Tensor) -> Tensor:
        """Mean of the action distribution (n, actions), given normalised observations."""
        return self.action_net(self.mlp_extractor.forward_actor(features))

    def evaluate(self, features: Tensor, action: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Value (n,), log-probability (n,) of `action` and entropy ().

        Equals `evaluate_actions`, but takes normalised observations and avoids the overhead of
        SB3's distribution objects.
        """
        log_std: Tensor = self.log_std
        error = (action - self.mean_action(features)) * torch.exp(-log_std)
        log_prob = -0.5 * (error**2).sum(1) - (log_std + 0.5 * _LOG_2_PI).sum()
        value = self.value_net(self.mlp_extractor.forward_critic(features)).flatten()
        return value, log_prob, (log_std + 0.5 + 0.5 * _LOG_2_PI).sum()

    @property
    def normaliser(self) -> Normaliser:
        """Normaliser of the observations of both networks."""
        assert isinstance(self.features_extractor, Normaliser)
        return self.features_extractor


def _layers(size: int, hidden: tuple[int, ...]) -> nn.Sequential:
    layers: list[nn.Module] = []
    for width in hidden:
        layers += [nn.Linear(size, width), nn.ELU()]
        size = width
    return nn.Sequential(*layers)
