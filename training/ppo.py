"""PPO for a batch of worlds: Stable-Baselines3's, with what walking needs.

What differs from `stable_baselines3.PPO` (Schulman et al. 2017), each of it optional: truncated
episodes are bootstrapped in one pass instead of one network call each; the learning rate follows
the KL divergence (Rudin et al. 2022); samples are mirrored left to right, because the droid is
symmetric and its policy should be; the normaliser inside the policy learns between updates.
"""

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
from grek.training.networks import WalkPolicy

SYMMETRY_WEIGHT = 4.0  # of the asymmetry loss, whose unit is a squared action


class Samples(NamedTuple):
    """A rollout of n samples; where mirror images are wanted, they stand behind, n to 2 n."""

    features: Tensor
    """Normalised observations (n or 2 n, observation)."""
    action: Tensor
    """(n or 2 n, action)"""
    value: Tensor
    """What the critic expected (n,)."""
    log_prob: Tensor
    """Of the action, under the policy that took it (n,)."""
    advantage: Tensor
    """(n,)"""
    returns: Tensor
    """(n,)"""


class PPO(stable_baselines3.PPO):
    """PPO on a `WalkVecEnv`; `mirror` holds order and sign of observation and action columns."""

    policy: WalkPolicy

    def __init__(
        self,
        *args: Any,
        mirror: tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray],
        symmetry: Symmetry = "augment",
        kl_target: float | None = 0.01,
        threads: int = 1,
        rate_range: tuple[float, float] = (1e-4, 1e-3),
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        self.symmetry, self.kl_target, self.rate_range = symmetry, kl_target, rate_range
        self.threads = threads  # that share an update; PyTorch's own are best left at one
        order, sign, action_order, action_sign = mirror
        self._order, self._action_order = torch.as_tensor(order), torch.as_tensor(action_order)
        self._sign = torch.as_tensor(sign, dtype=torch.float32)
        self._action_sign = torch.as_tensor(action_sign, dtype=torch.float32)
        self.rate = float(self.lr_schedule(1.0))

    # -- experience ------------------------------------------------------------------------

    def collect_rollouts(
        self,
        env: VecEnv,
        callback: BaseCallback,
        rollout_buffer: RolloutBuffer,
        n_rollout_steps: int,
    ) -> bool:
        """Fill the buffer with `n_rollout_steps` steps of every world; False: stop training."""
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
            self.num_timesteps += env.num_envs
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
        """What a truncated episode would still have earned: gamma V(last observation)."""
        extra = np.zeros(len(done), np.float32)
        late = [i for i in np.flatnonzero(done) if infos[i]["TimeLimit.truncated"]]
        if late:
            last = np.stack([infos[i]["terminal_observation"] for i in late])
            with torch.no_grad():
                extra[late] = self.gamma * self.policy.predict_values(torch.as_tensor(last))[:, 0]
        return extra

    # -- update ----------------------------------------------------------------------------

    def train(self) -> None:
        """Several epochs of clipped policy-gradient steps on the rollout buffer."""
        self.policy.set_training_mode(True)
        for group in self.policy.optimizer.param_groups:
            group["lr"] = self.rate
        samples = self._samples()
        with ThreadPoolExecutor(self.threads) as pool:
            figures = [
                self._descend(samples, pick, pool)
                for _ in range(self.n_epochs)
                for pick in _shuffled(len(samples.returns)).split(self.batch_size)
            ]
        policy_loss, value_loss, divergence = torch.stack(figures).mean(0).tolist()
        self._follow(divergence)
        seen = torch.as_tensor(self.rollout_buffer.observations)
        self.policy.normaliser.update(seen.flatten(0, 1))
        self._n_updates += self.n_epochs
        unexplained = (samples.returns - samples.value).var() / (samples.returns.var() + 1e-8)
        self.logger.record("train/policy_loss", policy_loss)
        self.logger.record("train/value_loss", value_loss)
        self.logger.record("train/kl", divergence)
        self.logger.record("train/learning_rate", self.rate)
        self.logger.record("train/explained_variance", 1 - float(unexplained))
        self.logger.record("train/std", float(self.policy.log_std.detach().exp().mean()))

    def _samples(self) -> Samples:
        """The rollout buffer, ready for every epoch: the normaliser is still during an update."""
        buffer = self.rollout_buffer

        def flat(x: np.ndarray) -> Tensor:  # as SB3 orders its samples: world by world
            return torch.as_tensor(buffer.swap_and_flatten(x))

        features, action = self.policy.normaliser(flat(buffer.observations)), flat(buffer.actions)
        if self.symmetry != "none":
            image, mirrored_action = self._mirror(features, action)
            features, action = torch.cat([features, image]), torch.cat([action, mirrored_action])
        single = (buffer.values, buffer.log_probs, buffer.advantages, buffer.returns)
        return Samples(features, action, *(flat(x).flatten() for x in single))

    def _descend(self, samples: Samples, pick: Tensor, pool: Executor) -> Tensor:
        """A step down the gradient of the samples `pick`: policy loss, value loss, divergence (3,).

        Each thread takes a part of them. OpenMP would share out every small operation instead, and
        its threads, when they wait spinning, take the cores from the simulator.
        """
        gain = samples.advantage[pick]
        if len(gain) > 1:
            gain = (gain - gain.mean()) / (gain.std() + 1e-8)
        row = pick
        if self.symmetry == "augment":  # half of them as their mirror image
            row = pick + len(samples.returns) * (torch.rand(len(pick)) < 0.5)
        parts = [x.tensor_split(min(self.threads, len(pick))) for x in (pick, row, gain)]
        gradients, figures = zip(*pool.map(partial(self._gradient, samples), *parts), strict=True)
        shares = torch.tensor([len(part) / len(pick) for part in parts[0]])
        weights = list(self.policy.parameters())
        for weight, *each in zip(weights, *gradients, strict=True):
            weight.grad = sum(
                share * gradient for share, gradient in zip(shares, each, strict=True)
            )
        torch.nn.utils.clip_grad_norm_(weights, self.max_grad_norm)
        self.policy.optimizer.step()
        return shares @ torch.stack(figures)

    def _gradient(
        self, samples: Samples, pick: Tensor, row: Tensor, gain: Tensor
    ) -> tuple[tuple[Tensor, ...], Tensor]:
        """Gradient of the mean loss of samples `pick`, for each weight; and the figures of it (3,).

        `row` is where each sample or its mirror image stands, `gain` its normalised advantage.
        """
        clip, size = float(self.clip_range(1.0)), len(samples.returns)  # type: ignore[operator]
        features, action = samples.features, samples.action
        value, log_prob, entropy = self.policy.evaluate(
            features.index_select(0, row), action.index_select(0, row)
        )
        log_ratio = log_prob - samples.log_prob[pick]
        ratio = log_ratio.exp()
        policy_loss = -torch.min(gain * ratio, gain * ratio.clamp(1 - clip, 1 + clip)).mean()
        value_loss = functional.mse_loss(samples.returns[pick], value)
        loss = policy_loss + self.vf_coef * value_loss - self.ent_coef * entropy
        if self.symmetry == "loss":
            asymmetry = self._asymmetry(features[pick], features[pick + size])
            loss = loss + SYMMETRY_WEIGHT * asymmetry
        gradient = torch.autograd.grad(loss, list(self.policy.parameters()))
        with torch.no_grad():
            own = row < size  # a mirror image was not acted out: it says nothing of the divergence
            divergence = ((ratio - 1 - log_ratio) * own).sum() / own.sum().clamp(min=1)
        return gradient, torch.stack([policy_loss.detach(), value_loss.detach(), divergence])

    def _mirror(self, observation: Tensor, action: Tensor) -> tuple[Tensor, Tensor]:
        """Samples as the mirrored droid would have lived them."""
        return (
            observation[:, self._order] * self._sign,
            action[:, self._action_order] * self._action_sign,
        )

    def _asymmetry(self, features: Tensor, image: Tensor) -> Tensor:
        """Mean squared difference between the mirrored action and the action of the mirror."""
        action, mirrored = self.policy.mean_action(features), self.policy.mean_action(image)
        return functional.mse_loss(mirrored, action[:, self._action_order] * self._action_sign)

    def _follow(self, divergence: float) -> None:
        """Slow down when an update moved the policy too far, speed up when it hardly did."""
        if self.kl_target is None:
            return
        low, high = self.rate_range
        if divergence > 2 * self.kl_target:
            self.rate = max(self.rate / 1.5, low)
        elif divergence < self.kl_target / 2:
            self.rate = min(self.rate * 1.5, high)


def _shuffled(size: int) -> Tensor:
    """Indices below `size` (size,), from the generator that SB3 seeds and uses."""
    return torch.as_tensor(np.random.permutation(size))  # noqa: NPY002
