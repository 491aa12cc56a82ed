"""Train a policy: worlds, PPO, curriculum, checkpoints, export. `grek train` from Python."""

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from stable_baselines3.common.logger import Logger, TensorBoardOutputFormat

from grek.envs.contract import contract_of
from grek.envs.episodes import EpisodeConfig
from grek.envs.robots.robot import LEGS, MIRROR, MIRROR_SIGN
from grek.envs.tasks import observations
from grek.envs.tasks.observations import PRIVILEGED
from grek.envs.tasks.walk import WalkConfig
from grek.errors import InputError
from grek.provenance import versions
from grek.training import checkpoint, run_directory
from grek.training.config import TrainConfig
from grek.training.curriculum import Curriculum
from grek.training.export import export
from grek.training.networks import Normaliser, WalkPolicy
from grek.training.ppo import PPO
from grek.training.progress import Watch
from grek.training.vec_env import WalkVecEnv


def train(config: TrainConfig, after_update: Callable[[PPO], None] | None = None) -> Path:
    """Run `config` to its end; returns the run directory, with `policy.onnx` in it.

    `after_update` is called with the model after each update.

    Raises InputError for bad settings, and KeyboardInterrupt after saving when told to stop.
    """
    run, config, state = run_directory.prepare(config)
    threads = config.threads or os.cpu_count() or 1
    torch.set_num_threads(1)  # `threads` of them share an update, see PPO
    torch.manual_seed(config.seed)
    np.random.seed(config.seed)  # noqa: NPY002 - what SB3 shuffles with
    episodes = EpisodeConfig(
        scenarios=config.scenarios,
        materials=run_directory.materials(config.materials),
        again=config.again,
        walk=WalkConfig(history=config.history),
    )
    env = WalkVecEnv(config.worlds, threads, episodes)
    model = make_model(env, config, threads)
    curriculum = Curriculum()
    if state is None:
        env.episodes.level = curriculum.level
        env.seed(config.seed)
        model._last_obs = env.reset()
        model._last_episode_starts = np.ones(env.num_envs, bool)
        env.episodes.stagger()
    else:
        try:
            checkpoint.restore(state, model, env, curriculum)
        except (LookupError, TypeError, AttributeError, RuntimeError, ValueError) as error:
            raise InputError(f"cannot resume {run}: its checkpoint does not fit: {error}") from None
    run_directory.make(run, config)
    model.set_logger(Logger(str(run), [TensorBoardOutputFormat(str(run))]))
    with Watch(config, run, curriculum, model.num_timesteps) as watch:
        learn(model, watch, config.steps, after_update)
        checkpoint.save(run / "checkpoints", model, env, curriculum)
        training = {
            "materials": config.materials,
            "scenarios": config.scenarios,
            "seed": config.seed,
            "steps": model.num_timesteps,
            "versions": versions(*run_directory.DEPENDS_ON),
        }
        export(model.policy, contract_of(episodes.walk, **training), run / "policy.onnx")
    if watch.interrupted:
        raise KeyboardInterrupt
    return run


def learn(
    model: PPO,
    watch: Watch,
    steps: int | None,
    after_update: Callable[[PPO], None] | None = None,
) -> None:
    """Roll out and update in turn until `steps` more are done or `watch` says stop."""
    end = np.inf if steps is None else model.num_timesteps + steps
    model._setup_learn(0, watch, reset_num_timesteps=False)
    entropy = watch.config.ppo.entropy
    while model.num_timesteps < end and not watch.done:
        model.collect_rollouts(model.env, watch, model.rollout_buffer, model.n_steps)  # type: ignore[arg-type]
        model.ent_coef = entropy * (1 - watch.progress(model.num_timesteps))
        model.train()
        watch.after_update(model)
        if after_update is not None:
            after_update(model)


def make_model(env: WalkVecEnv, config: TrainConfig, threads: int = 1) -> PPO:
    """PPO with new networks for `env`, its updates on `threads`."""
    ppo, walk = config.ppo, env.episodes.walk
    order, sign = observations.mirror_map((*walk.actor_fields, *PRIVILEGED))
    return PPO(
        WalkPolicy,
        env,
        learning_rate=ppo.learning_rate,
        n_steps=ppo.rollout,
        batch_size=max(ppo.rollout * env.num_envs // ppo.minibatches, 2),
        n_epochs=ppo.epochs,
        gamma=ppo.gamma,
        gae_lambda=ppo.gae_lambda,
        clip_range=ppo.clip,
        ent_coef=ppo.entropy,
        vf_coef=ppo.value,
        max_grad_norm=ppo.max_gradient,
        kl_target=ppo.kl_target,
        threads=threads,
        symmetry=ppo.symmetry,
        mirror=(order, sign, MIRROR[:LEGS], MIRROR_SIGN[:LEGS]),
        policy_kwargs={
            "actor_size": walk.actor_size,
            "hidden": ppo.hidden,
            "log_std_init": ppo.log_std,
            "optimizer_kwargs": {"eps": 1e-5, "fused": True},
            "features_extractor_class": Normaliser,
            "features_extractor_kwargs": {"order": order, "sign": sign},
        },
        device="cpu",
    )
