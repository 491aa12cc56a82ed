"""PPO for a batch of worlds: Stable-Baselines3's, with what walking needs.

What differs from `stable_baselines3.PPO` (Schulman et al. 2017), each of it optional: truncated
episodes are bootstrapped in one pass instead of one network call each; the learning rate follows
the KL divergence (Rudin et al. 2022); samples are mirrored left to right, because the droid is
symmetric and its policy should be; the normaliser inside the policy learns between updates.
"""

from typing import Any

import numpy as np
import stable_baselines3
import torch
from stable_baselines3.common.buffers import RolloutBuffer
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.vec_env import VecEnv
from torch import Tensor
from torch.nn import functional

from grek.training.config import Symmetry
from grek.training.policy import WalkPolicy

SYMMETRY_WEIGHT = 4.0  # of the asymmetry loss, whose unit is a squared action


class PPO(stable_baselines3.PPO):
    """PPO on a `WalkVecEnv`; `mirror` holds order and sign of observation and action columns."""

    policy: WalkPolicy

    def __init__(
        self,
        *args: Any,
        mirror: tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray],
        symmetry: Symmetry = "augment",
        kl_target: float | None = 0.01,
        rate_range: tuple[float, float] = (1e-4, 1e-3),
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        self.symmetry, self.kl_target, self.rate_range = symmetry, kl_target, rate_range
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
        policy, optimizer, clip = self.policy, self.policy.optimizer, float(self.clip_range(1.0))  # type: ignore[operator]
        policy.set_training_mode(True)
        for group in optimizer.param_groups:
            group["lr"] = self.rate
        observation, action, old_log_prob, advantage, returns = self._flat_buffer()
        size, losses, divergences = len(observation), [], []
        # The normaliser is still during an update: once for all epochs, the mirror image behind.
        features, flipped = policy.normaliser(observation), self.symmetry == "augment"
        if self.symmetry != "none":
            image, mirrored_action = self._mirror(features, action)
            features, action = torch.cat([features, image]), torch.cat([action, mirrored_action])
        for _ in range(self.n_epochs):
            shuffled = np.random.permutation(size)  # noqa: NPY002 - SB3's generator, and its seed
            for start in range(0, size, self.batch_size):
                pick = torch.as_tensor(shuffled[start : start + self.batch_size])
                own = torch.rand(len(pick)) < 0.5 if flipped else torch.ones(len(pick)) > 0
                row = torch.where(own, pick, pick + size)
                value, log_prob, entropy = policy.evaluate(features[row], action[row])
                gain = advantage[pick]
                if len(gain) > 1:
                    gain = (gain - gain.mean()) / (gain.std() + 1e-8)
                log_ratio = log_prob - old_log_prob[pick]
                ratio = log_ratio.exp()
                clipped = ratio.clamp(1 - clip, 1 + clip)
                policy_loss = -torch.min(gain * ratio, gain * clipped).mean()
                value_loss = functional.mse_loss(returns[pick], value)
                loss = policy_loss + self.vf_coef * value_loss - self.ent_coef * entropy
                if self.symmetry == "loss":
                    asymmetry = self._asymmetry(features[pick], features[pick + size])
                    loss = loss + SYMMETRY_WEIGHT * asymmetry
                optimizer.zero_grad()
                loss.backward()
                torch.nn.utils.clip_grad_norm_(policy.parameters(), self.max_grad_norm)
                optimizer.step()
                with torch.no_grad():
                    divergences.append(
                        ((ratio - 1 - log_ratio) * own).sum() / own.sum().clamp(min=1)
                    )
                losses.append(torch.stack([policy_loss.detach(), value_loss.detach()]))
        divergence = float(torch.stack(divergences).mean())
        self._follow(divergence)
        policy.normaliser.update(observation)
        self._n_updates += self.n_epochs
        policy_loss_mean, value_loss_mean = torch.stack(losses).mean(0).tolist()
        explained = 1 - (returns - self._values).var() / (returns.var() + 1e-8)
        self.logger.record("train/policy_loss", policy_loss_mean)
        self.logger.record("train/value_loss", value_loss_mean)
        self.logger.record("train/kl", divergence)
        self.logger.record("train/learning_rate", self.rate)
        self.logger.record("train/explained_variance", float(explained))
        self.logger.record("train/std", float(policy.log_std.detach().exp().mean()))

    def _flat_buffer(self) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
        """Observations, actions, log-probabilities, advantages, returns; one row a sample."""
        buffer = self.rollout_buffer

        def flat(x: np.ndarray) -> Tensor:  # as SB3 orders its samples: world by world
            return torch.as_tensor(buffer.swap_and_flatten(x))

        self._values = flat(buffer.values).flatten()
        return (
            flat(buffer.observations),
            flat(buffer.actions),
            flat(buffer.log_probs).flatten(),
            flat(buffer.advantages).flatten(),
            flat(buffer.returns).flatten(),
        )

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

    def _excluded_save_params(self) -> list[str]:
        return [*super()._excluded_save_params(), "_values"]
