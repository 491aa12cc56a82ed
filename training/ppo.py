"""PPO for many worlds in one process, derived from Stable-Baselines3.

Additions to `stable_baselines3.PPO` (Schulman et al. 2017): truncated episodes are bootstrapped in
one batched forward pass; after each update the learning rate is adapted to the mean KL divergence
(after Rudin et al. 2022, who adapt it after each minibatch) and the normaliser inside the policy is
updated; samples are augmented by their left-right mirror images, if the robot has a mirror map; an
update is split over threads, and over processes (`grek.training.parallel`), each of which takes an
equal part of every minibatch from its own worlds.
"""

from collections.abc import Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import stable_baselines3
import torch
from stable_baselines3.common.buffers import RolloutBuffer
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.vec_env import VecEnv
from torch import Tensor
from torch.nn import functional

from grek.training.config import Symmetry
from grek.training.networks import Mirror, PrivilegedCriticPolicy
from grek.training.parallel import collectives

SYMMETRY_WEIGHT = 4.0  # coefficient of the asymmetry loss, which has the unit of a squared action
RATE_FACTOR = 1.5  # factor on the learning rate after an update off the KL target


class Samples(NamedTuple):
    """The n samples of a rollout; rows n to 2 n, if present, are their mirror images."""

    features: Tensor
    """Normalised observations (n or 2 n, observation)."""
    action: Tensor
    """Actions (n or 2 n, action)."""
    value: Tensor
    """Value estimate during the rollout (n,)."""
    log_prob: Tensor
    """Log-probability of the action under the policy that took it (n,)."""
    advantage: Tensor
    """Generalised advantage estimate (n,)."""
    returns: Tensor
    """Value targets (n,)."""


class PPO(stable_baselines3.PPO):
    """PPO with the additions above.

    An update runs on `threads` threads; PyTorch's own should be limited to one. A `kl_target` of
    None keeps the learning rate constant. Raises ValueError for a `symmetry` without a `mirror`.
    """

    policy: PrivilegedCriticPolicy

    def __init__(
        self,
        *args: Any,
        mirror: Mirror | None = None,
        symmetry: Symmetry = "none",
        kl_target: float | None = 0.01,
        threads: int = 1,
        rate_range: tuple[float, float] = (1e-4, 1e-3),
        **kwargs: Any,
    ) -> None:
        if mirror is None and symmetry != "none":
            raise ValueError(f"symmetry {symmetry!r} needs a mirror; without one it is 'none'")
        super().__init__(*args, **kwargs)
        self.mirror, self.symmetry = mirror, symmetry
        self.kl_target, self.rate_range, self.threads = kl_target, rate_range, threads
        self.rate = float(self.lr_schedule(1.0))  # current learning rate

    # -- rollout ------------------------------------------------------------------------

    def collect_rollouts(
        self,
        env: VecEnv,
        callback: BaseCallback,
        rollout_buffer: RolloutBuffer,
        n_rollout_steps: int,
    ) -> bool:
        """Fill the buffer with `n_rollout_steps` steps of every world.

        Returns False if the callback ends training.
        """
        assert self._last_obs is not None and self._last_episode_starts is not None
        observation, starts = np.asarray(self._last_obs), self._last_episode_starts
        self.policy.set_training_mode(False)
        rollout_buffer.reset()
        callback.on_rollout_start()
        for _ in range(n_rollout_steps):
            with torch.no_grad():
                action, value, log_prob = self.policy(torch.as_tensor(observation))
            action = action.numpy()
            after, reward, done, infos = env.step(action)
            assert isinstance(after, np.ndarray)
            self.num_timesteps += env.num_envs * collectives.size()
            callback.update_locals(locals())
            if not callback.on_step():
                return False
            reward = reward + self._bootstrap(done, infos)
            rollout_buffer.add(observation, action, reward, starts, value, log_prob)
            observation, starts = after, done
        with torch.no_grad():
            last = self.policy.predict_values(torch.as_tensor(observation))
        rollout_buffer.compute_returns_and_advantage(last_values=last, dones=starts)
        self._last_obs, self._last_episode_starts = observation, starts
        callback.on_rollout_end()
        return True

    def _bootstrap(self, done: np.ndarray, infos: list[dict[str, Any]]) -> np.ndarray:
        """Discounted value of the last observation of truncated episodes, 0 elsewhere (n,)."""
        extra = np.zeros(len(done), np.float32)
        truncated = [i for i in np.flatnonzero(done) if infos[i]["TimeLimit.truncated"]]
        if truncated:
            last = np.stack([infos[i]["terminal_observation"] for i in truncated])
            with torch.no_grad():
                value = self.policy.predict_values(torch.as_tensor(last))[:, 0]
            extra[truncated] = self.gamma * value
        return extra

    # -- update ----------------------------------------------------------------------------

    def train(self) -> None:
        """Update policy and critic on the rollout buffer, then learning rate and normaliser."""
        self.policy.set_training_mode(True)
        for group in self.policy.optimizer.param_groups:
            group["lr"] = self.rate
        samples = self._samples()
        picks = [
            pick
            for _ in range(self.n_epochs)
            for pick in _shuffled(len(samples.returns)).split(self.batch_size)
        ]
        advantages = _normalised([samples.advantage[pick] for pick in picks])
        with ThreadPoolExecutor(self.threads) as pool:
            losses = [
                self._step(samples, pick, advantage, pool)
                for pick, advantage in zip(picks, advantages, strict=True)
            ]
        policy_loss, value_loss, divergence = torch.stack(losses).mean(0).tolist()
        self._adapt_rate(divergence)
        seen = torch.as_tensor(self.rollout_buffer.observations)
        self.policy.normaliser.update(seen.flatten(0, 1))
        self._n_updates += self.n_epochs
        left, whole = _variances(samples.returns - samples.value, samples.returns)
        self.logger.record("train/policy_loss", policy_loss)
        self.logger.record("train/value_loss", value_loss)
        self.logger.record("train/kl", divergence)
        self.logger.record("train/learning_rate", self.rate)
        self.logger.record("train/explained_variance", 1 - float(left / (whole + 1e-8)))
        self.logger.record("train/std", float(self.policy.log_std.detach().exp().mean()))

    def _samples(self) -> Samples:
        """Samples of the rollout buffer; the normaliser does not change during an update."""
        buffer = self.rollout_buffer

        def flat(x: np.ndarray) -> Tensor:  # in the order of SB3's samples: world by world
            return torch.as_tensor(buffer.swap_and_flatten(x))

        features, action = self.policy.normaliser(flat(buffer.observations)), flat(buffer.actions)
        if self.mirror is not None and self.symmetry != "none":
            # Mean and variance of the normaliser are symmetric, so that mirroring commutes with it.
            features = torch.cat([features, self.mirror.observation(features)])
            action = torch.cat([action, self.mirror.action(action)])
        single = (buffer.values, buffer.log_probs, buffer.advantages, buffer.returns)
        return Samples(features, action, *(flat(x).flatten() for x in single))

    def _step(self, samples: Samples, pick: Tensor, advantage: Tensor, pool: Executor) -> Tensor:
        """Take an optimiser step on the samples `pick` (minibatch,) of normalised `advantage`.

        Returns policy loss, value loss and KL divergence (3,). Each thread computes the gradient of
        a part of the minibatch: OpenMP would split every small operation instead, and its threads
        keep cores busy while they wait.
        """
        row = pick
        if self.symmetry == "augment":  # each sample is replaced by its image with probability 0.5
            row = pick + len(samples.returns) * (torch.rand(len(pick)) < 0.5)
        parts = [x.tensor_split(min(self.threads, len(pick))) for x in (pick, row, advantage)]
        gradients, losses = zip(*pool.map(partial(self._gradient, samples), *parts), strict=True)
        weights = torch.tensor([len(part) / len(pick) for part in parts[0]])  # (parts,)
        parameters = list(self.policy.parameters())
        for parameter, *each in zip(parameters, *gradients, strict=True):
            parameter.grad = sum(
                weight * gradient for weight, gradient in zip(weights, each, strict=True)
            )
        mean_losses = _averaged(parameters, weights @ torch.stack(losses))
        torch.nn.utils.clip_grad_norm_(parameters, self.max_grad_norm)
        self.policy.optimizer.step()
        return mean_losses

    def _gradient(
        self, samples: Samples, pick: Tensor, row: Tensor, advantage: Tensor
    ) -> tuple[tuple[Tensor, ...], Tensor]:
        """Gradient of the mean loss with respect to each parameter, and the losses (3,).

        `pick` (m,) are indices of samples, `row` (m,) those of the same samples or of their mirror
        images, `advantage` (m,) is normalised. The KL divergence is the mean of r - 1 - log r over
        samples that are not mirrored, r the probability ratio (Schulman 2020, k3).
        """
        clip, size = float(self.clip_range(1.0)), len(samples.returns)  # type: ignore[operator]
        features, action = samples.features, samples.action
        value, log_prob, entropy = self.policy.evaluate(
            features.index_select(0, row), action.index_select(0, row)
        )
        log_ratio = log_prob - samples.log_prob[pick]
        ratio = log_ratio.exp()
        clipped = ratio.clamp(1 - clip, 1 + clip)
        policy_loss = -torch.min(advantage * ratio, advantage * clipped).mean()
        value_loss = functional.mse_loss(samples.returns[pick], value)
        loss = policy_loss + self.vf_coef * value_loss - self.ent_coef * entropy
        if self.symmetry == "loss":
            asymmetry = self._asymmetry(features[pick], features[pick + size])
            loss = loss + SYMMETRY_WEIGHT * asymmetry
        gradient = torch.autograd.grad(loss, list(self.policy.parameters()))
        with torch.no_grad():
            own = row < size  # the rollout policy did not sample the mirror images
            divergence = ((ratio - 1 - log_ratio) * own).sum() / own.sum().clamp(min=1)
        return gradient, torch.stack([policy_loss.detach(), value_loss.detach(), divergence])

    def _asymmetry(self, features: Tensor, image: Tensor) -> Tensor:
        """Mean squared difference between the mirrored action and the action for the mirror image.

        `features` and `image` (n, observation) are normalised observations and their images.
        """
        assert self.mirror is not None
        action, mirrored = self.policy.mean_action(features), self.policy.mean_action(image)
        return functional.mse_loss(mirrored, self.mirror.action(action))

    def _adapt_rate(self, divergence: float) -> None:
        """Lower the learning rate above twice the KL target, raise it below half of the target."""
        if self.kl_target is None:
            return
        low, high = self.rate_range
        if divergence > 2 * self.kl_target:
            self.rate = max(self.rate / RATE_FACTOR, low)
        elif divergence < self.kl_target / 2:
            self.rate = min(self.rate * RATE_FACTOR, high)


def _normalised(advantages: list[Tensor]) -> list[Tensor]:
    """The advantages of each minibatch with mean 0 and standard deviation 1 over all processes.

    A minibatch of one sample stays as it is.
    """
    if collectives.size() == 1:
        return [(a - a.mean()) / (a.std() + 1e-8) if len(a) > 1 else a for a in advantages]
    moments = torch.stack([_moments(a) for a in advantages])  # (minibatches, 3)
    count, mean, square = collectives.total(moments).T
    mean, square = mean / count, square / count
    std = ((square - mean**2).clamp(min=0) * count / (count - 1)).sqrt()
    return [((a - m) / (s + 1e-8)).float() for a, m, s in zip(advantages, mean, std, strict=True)]


def _variances(*samples: Tensor) -> list[Tensor]:
    """Variance of each of `samples` (n,) over all processes."""
    if collectives.size() == 1:
        return [x.var() for x in samples]
    count, mean, square = collectives.total(torch.stack([_moments(x) for x in samples])).T
    return list((square / count - (mean / count) ** 2) * count / (count - 1))


def _moments(x: Tensor) -> Tensor:
    """Number, sum and sum of squares of `x` (3,), as float64 for differences of large sums."""
    x = x.double()
    return torch.stack([torch.tensor(float(x.numel()), dtype=torch.float64), x.sum(), x @ x])


def _averaged(parameters: Sequence[Tensor], losses: Tensor) -> Tensor:
    """Average the gradients of `parameters`, and `losses` (k,), over processes; return the latter.

    All processes have as many samples, and all values go in one message.
    """
    size = collectives.size()
    if size == 1:
        return losses
    gradients = [p.grad for p in parameters if p.grad is not None]
    flat = torch.cat([*(g.flatten() for g in gradients), losses])
    collectives.total(flat).div_(size)
    *parts, losses = flat.split([*(g.numel() for g in gradients), len(losses)])
    for gradient, part in zip(gradients, parts, strict=True):
        gradient.copy_(part.view_as(gradient))
    return losses


def _shuffled(size: int) -> Tensor:
    """Random permutation (size,) from NumPy's global generator, which SB3 uses too."""
    return torch.as_tensor(np.random.permutation(size))  # noqa: NPY002
