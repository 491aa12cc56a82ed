"""One process of a group of two that updates a policy: `python group.py RANK SIZE STORE OUT`.

Each fills its buffer with its share of the same samples, so that the group has them all.
"""

import sys

import numpy as np
import stable_baselines3
import torch
import torch.distributed as dist

from grek.envs.episodes import EpisodeConfig
from grek.training.config import PPOConfig, TrainConfig
from grek.training.parallel import collectives
from grek.training.train import make_model
from grek.training.vec_env import GrekVecEnv

WORLDS, STEPS = 8, 6


def main(rank: int, size: int, store: str, out: str) -> None:
    if size > 1:
        dist.init_process_group("gloo", f"file://{store}", rank=rank, world_size=size)
    torch.manual_seed(0)
    torch.set_num_threads(1)
    share = slice(rank * WORLDS // size, (rank + 1) * WORLDS // size)
    env = GrekVecEnv(WORLDS // size, 1, EpisodeConfig())
    ppo = PPOConfig(rollout=STEPS, minibatches=1, epochs=3, hidden=(16,), symmetry="none")
    model = make_model(env, TrainConfig(ppo=ppo))
    model.set_logger(stable_baselines3.common.logger.Logger(None, []))
    rng, buffer = np.random.default_rng(0), model.rollout_buffer
    wide, actions = env.observation_space.shape[0], env.action_space.shape[0]
    buffer.reset()
    for _ in range(STEPS):
        seen = rng.normal(1, 2, (WORLDS, wide)).astype(np.float32)[share]
        action = rng.normal(size=(WORLDS, actions)).astype(np.float32)[share]
        reward, start = rng.normal(size=WORLDS)[share], (rng.random(WORLDS) < 0.2)[share]
        with torch.no_grad():
            value, log_prob, _ = model.policy.evaluate_actions(
                torch.as_tensor(seen), torch.as_tensor(action)
            )
        buffer.add(seen, action, reward, start, value.flatten(), log_prob)
    buffer.compute_returns_and_advantage(torch.zeros(WORLDS // size), np.zeros(WORLDS // size))
    model.train()
    logged = {k: float(v) for k, v in model.logger.name_to_value.items()}
    torch.save({"weights": model.policy.state_dict(), "logged": logged}, f"{out}.{rank}")
    collectives.barrier()


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), *sys.argv[3:])
