"""Training of a policy with PPO; `train` is the function behind `grek train`."""

import contextlib
import dataclasses
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from stable_baselines3.common.logger import Logger, TensorBoardOutputFormat

from grek.envs.contract import contract_of
from grek.envs.episodes import EpisodeConfig
from grek.envs.ground.materials import MATERIALS
from grek.envs.tasks import Task
from grek.errors import InputError
from grek.progress import live
from grek.provenance import versions
from grek.training import checkpoint, run_directory
from grek.training.config import PPOConfig, TrainConfig
from grek.training.curriculum import Curriculum, Shares
from grek.training.export import export
from grek.training.log import Log, Statistics, trim
from grek.training.monitor.films import Films
from grek.training.networks import Mirror, Normaliser, PrivilegedCriticPolicy, Reflection
from grek.training.parallel import collectives
from grek.training.parallel.launcher import announce
from grek.training.ppo import PPO
from grek.training.stopping import Budget, Interruption
from grek.training.task_settings import chosen_skills, settings, staged, task_of
from grek.training.vec_env import GrekVecEnv

CHECKPOINT_EVERY = 120.0  # time between two checkpoints [s]


def train(
    config: TrainConfig,
    after_update: Callable[[PPO], None] | None = None,
    interruption: Interruption | None = None,
) -> Path:
    """Train with the settings `config`; return the run directory, which contains policy.onnx.

    `after_update` is called with the model after each update. Raises InputError for invalid
    settings, and KeyboardInterrupt after an `interruption`, by default SIGINT or SIGTERM, once
    checkpoint and policy are saved.

    In a group of processes (`grek.training.parallel`), each calls it with the same settings and
    gets its share of worlds and threads; the leader writes the run directory.
    """
    leading, processes = collectives.rank() == 0, collectives.size()
    asked = dataclasses.replace(staged(config), processes=processes)
    run, config, state = run_directory.prepare(asked)
    threads = max((config.threads or os.cpu_count() or 1) // processes, 1)
    torch.set_num_threads(1)  # PPO splits an update over `threads` of its own
    torch.manual_seed(config.seed)
    np.random.seed(config.seed)  # noqa: NPY002 - shuffles the samples in SB3
    start = None if config.start is None else checkpoint.read_learner(config.start)
    episodes = EpisodeConfig(
        space=config.space,
        scenarios=config.scenarios,
        materials=run_directory.materials(config.materials),
        replay=config.replay,
        task=task_of(config, start and start[1]),
        skills=None if config.skills == "walk" else chosen_skills(config.skills),
    )
    env = GrekVecEnv(config.worlds // processes, threads, episodes)
    model = make_model(env, config, threads)
    curriculum = Curriculum()
    if state is not None:
        resume(state, model, env, curriculum, config)
    else:
        if start is not None:
            checkpoint.load_learner(model.policy, start[0], str(config.start))
            curriculum.level = start[2]
        begin(model, env, curriculum, config)
    collectives.barrier()  # all have read what they need: the run directory may be replaced
    with contextlib.ExitStack() as stack:
        if processes == 1:  # others are locked by what starts them
            stack.enter_context(run_directory.locked(run))
        interruption = stack.enter_context(interruption or Interruption())
        if leading:
            run_directory.make(run, config, settings(env.episodes.task))
            announce(config, state)
            trim(run / "progress.csv", model.num_timesteps)
            model.set_logger(Logger(str(run), [TensorBoardOutputFormat(str(run))]))
        else:
            model.set_logger(Logger(None, []))
        if state is None:  # something to resume, however soon the run is killed
            checkpoint.save(run / "checkpoints", model, env, curriculum)
        learn(model, config, run, curriculum, interruption, after_update)
        checkpoint.save(run / "checkpoints", model, env, curriculum)
        if leading:
            contract = contract_now(model, config)
            learner = run / checkpoint.LEARNER
            checkpoint.save_learner(model.policy, contract, curriculum.level, learner)
            export(model.policy, contract, run / "policy.onnx")
        interrupted = collectives.anywhere(interruption.requested)  # and the files are written
    if interrupted:
        raise KeyboardInterrupt(f"interrupted and saved; to continue: grek train --resume {run}")
    return run


def contract_now(model: PPO, config: TrainConfig) -> dict[str, Any]:
    """Return the contract of the policy of `model` as it is, trained with the settings `config`."""
    env: GrekVecEnv = model.env  # type: ignore[assignment]
    training = {
        "space": config.space,
        "skills": config.skills,
        "materials": config.materials,
        "scenarios": config.scenarios,
        "seed": config.seed,
        "steps": model.num_timesteps,
        "versions": versions(*run_directory.DEPENDS_ON),
    }
    return contract_of(env.episodes.task, **training)


def begin(model: PPO, env: GrekVecEnv, curriculum: Curriculum, config: TrainConfig) -> None:
    """Start the worlds of this process at a random age, with seeds of its own.

    In processes other than the leader, and where a run goes on in new worlds, exploration gets a
    seed of its own too.
    """
    rank, steps = collectives.rank(), model.num_timesteps
    if rank or steps:
        seeds = np.random.SeedSequence([config.seed, rank, steps]).generate_state(2)
        torch.manual_seed(int(seeds[0]))
        np.random.seed(seeds[1])  # noqa: NPY002
    env.episodes.level = curriculum.level
    env.seed(config.seed + steps + rank * env.num_envs)
    env.reset()
    env.episodes.stagger()
    model._last_obs = env.episodes.batch.observe(True)
    model._last_episode_starts = np.ones(env.num_envs, bool)


def resume(
    state: dict[str, Any],
    model: PPO,
    env: GrekVecEnv,
    curriculum: Curriculum,
    config: TrainConfig,
) -> None:
    """Go on from the `state` of a checkpoint, in new worlds if other processes wrote it."""
    run = config.out
    try:
        same = checkpoint.restore(state, model, env, curriculum)
    except (LookupError, TypeError, AttributeError, RuntimeError, ValueError) as error:
        raise InputError(f"cannot resume {run}: its checkpoint does not fit: {error}") from None
    if collectives.leaders(model.num_timesteps) != model.num_timesteps:
        raise InputError(f"cannot resume {run}: its processes read different checkpoints")
    if not same:
        begin(model, env, curriculum, config)


def learn(
    model: PPO,
    config: TrainConfig,
    run: Path,
    curriculum: Curriculum,
    interruption: Interruption,
    after_update: Callable[[PPO], None] | None = None,
) -> None:
    """Alternate rollouts and updates until the budget is spent or `interruption` is requested.

    A group ends when one of its processes would, at the same update.
    """
    leading = collectives.rank() == 0
    budget = Budget(config, model.num_timesteps)
    env: GrekVecEnv = model.env  # type: ignore[assignment]
    axes = env.episodes.axes
    several = config.skills != "walk" and len(axes) > 1
    shares = Shares(axes, state=curriculum.skills) if several else None
    statistics = Statistics(curriculum, shares)
    model._setup_learn(0, statistics, reset_num_timesteps=False)
    saved = budget.began
    every = 60 * config.film_every if leading and config.film_every is not None else None
    trained = [row.name for row in MATERIALS.values() if row.trained]
    grounds = run_directory.materials(config.materials) or trained
    screen = live() if leading else contextlib.nullcontext()
    with screen as draw, Films(run / "films", every, grounds) as films:
        log = Log(run, budget, statistics, draw)
        while not collectives.anywhere(budget.spent(model.num_timesteps) or interruption.requested):
            fraction = collectives.leaders(budget.fraction(model.num_timesteps))
            model.gamma = model.rollout_buffer.gamma = discount(config.ppo, fraction)
            model.collect_rollouts(env, statistics, model.rollout_buffer, model.n_steps)
            fraction = collectives.leaders(budget.fraction(model.num_timesteps))
            model.ent_coef = config.ppo.entropy * (1 - fraction)
            model.train()
            check_finite(model)
            if leading:
                log.update(model, films.last)
            if collectives.leaders(time.monotonic() - saved > CHECKPOINT_EVERY):
                checkpoint.save(run / "checkpoints", model, env, curriculum)
                saved = time.monotonic()
            if films.due():
                policy = run / "films" / f"step_{model.num_timesteps:012d}.onnx"
                export(model.policy, contract_now(model, config), policy)
                films.begin(policy)
            if after_update is not None:
                after_update(model)
        if interruption.requested:
            films.stop()


def discount(ppo: PPOConfig, fraction: float) -> float:
    """Discount factor when `fraction` of a run is done."""
    if ppo.final_gamma is None:
        return ppo.gamma
    return 1 - (1 - ppo.gamma) ** (1 - fraction) * (1 - ppo.final_gamma) ** fraction


def check_finite(model: PPO) -> None:
    """Raise InputError if the last update left a weight or a loss that is not finite."""
    losses = {name: model.logger.name_to_value[f"train/{name}"] for name in ("kl", "value_loss")}
    broken = [name for name, value in losses.items() if not np.isfinite(value)]
    broken += [
        name for name, value in model.policy.state_dict().items() if not value.isfinite().all()
    ]
    if broken:
        raise InputError(
            f"training diverged at step {model.num_timesteps}: {broken[0]} is not finite; the run"
            " keeps its last checkpoint"
        )


def make_model(env: GrekVecEnv, config: TrainConfig, threads: int = 1) -> PPO:
    """Create a PPO model with new networks for `env`; its updates run on `threads` threads."""
    ppo, task = config.ppo, env.episodes.task
    mirror = mirror_of(task)
    return PPO(
        PrivilegedCriticPolicy,
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
        symmetry="none" if mirror is None else ppo.symmetry,
        mirror=mirror,
        policy_kwargs={
            "actor_size": task.size(),
            "hidden": ppo.hidden,
            "log_std_init": ppo.log_std,
            "optimizer_kwargs": {"eps": 1e-5, "fused": True},
            "features_extractor_class": Normaliser,
            "features_extractor_kwargs": {"reflection": mirror and mirror.observation},
        },
        device="cpu",
    )


def mirror_of(task: Task) -> Mirror | None:
    """Return the mirror maps of `task`, None if its robot or an observation field has none."""
    observation, action = task.mirror(privileged=True), task.action_mirror()
    if observation is None or action is None:
        return None
    return Mirror(observation=Reflection(*observation), action=Reflection(*action))
