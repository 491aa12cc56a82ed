"""Gymnasium environments of a task: `gym.make("grek/Walk-v0")` and `gym.make_vec`."""

import dataclasses
from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces
from gymnasium.vector import AutoresetMode
from numpy.typing import NDArray

from grek.envs import tasks
from grek.envs.episodes import EpisodeConfig, Episodes
from grek.envs.simulation.simulation import CONTROL_STEP
from grek.envs.tasks import Task
from grek.envs.vectors import Array
from grek.errors import InputError

_FPS = round(1 / CONTROL_STEP)


def _spaces(task: Task, privileged: bool) -> tuple[spaces.Box, spaces.Box]:
    """Observation and action space of one world."""
    limit = task.action_limit
    return (
        spaces.Box(-np.inf, np.inf, (task.size(privileged),), np.float32),
        spaces.Box(-limit, limit, (task.actions,), np.float32),
    )


def _config(
    config: EpisodeConfig | None, space: str | None, max_episode_steps: int | None = None
) -> EpisodeConfig:
    config = config or EpisodeConfig()
    if space is not None:
        config = dataclasses.replace(config, space=space)
    if max_episode_steps is not None:
        task = tasks.task(config.task) if isinstance(config.task, str) else config.task
        limited = dataclasses.replace(task, time_limit=max_episode_steps * CONTROL_STEP)
        config = dataclasses.replace(config, task=limited)
    return config


def _scenarios(options: dict[str, Any] | None) -> Any:
    """The option "scenario"; raises InputError for another one."""
    unknown = set(options or {}) - {"scenario"}
    if unknown:
        raise InputError(f"unknown option {min(unknown)!r} of reset; there is: scenario")
    return (options or {}).get("scenario")


class GrekEnv(gymnasium.Env[Any, Any]):
    """One robot at 50 Hz, in scenarios drawn from `space`, or from `config`.

    `privileged` appends the critic's fields to the observation. `config` sets task, materials and
    replay; `space` overrides its space. Raises InputError for unknown names.
    """

    metadata: dict[str, Any] = {"render_modes": [], "render_fps": _FPS}  # noqa: RUF012

    def __init__(
        self,
        space: str | None = None,
        privileged: bool = False,
        render_mode: str | None = None,
        config: EpisodeConfig | None = None,
    ) -> None:
        self.render_mode = render_mode
        self.privileged = privileged
        self.episodes = Episodes(1, 1, _config(config, space))
        self.observation_space, self.action_space = _spaces(self.episodes.task, privileged)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[NDArray[np.float32], dict[str, Any]]:
        """Start an episode in a drawn scenario, or in `options={"scenario": "train/sand:41"}`.

        `info["scenario"]` is the scenario's name. Raises InputError for an unknown one.
        """
        super().reset(seed=seed)
        if seed is not None:
            self.episodes.seed(seed)
        name = _scenarios(options)
        self.episodes.start([0], None if name is None else [name])
        return self._observation(), {"scenario": self.episodes.scenarios[0].name}

    def step(
        self, action: NDArray[np.float32]
    ) -> tuple[NDArray[np.float32], float, bool, bool, dict[str, Any]]:
        """Advance by a control step (20 ms); `action` (`Task.actions`,) is clipped to the space.

        `info` holds the weighted reward terms by name; their sum is the reward.
        """
        outcome = self.episodes.step(np.asarray(action)[None])
        info = {name: float(term[0]) for name, term in outcome.terms.items()}
        ended = bool(outcome.terminated[0]), bool(outcome.truncated[0])
        return self._observation(), float(outcome.reward[0]), *ended, info

    def _observation(self) -> NDArray[np.float32]:
        return self.episodes.batch.observe(self.privileged)[0]


class GrekVectorEnv(gymnasium.vector.VectorEnv[Any, Any, Any]):
    """`num_envs` robots in one batch on `threads` threads, autoreset mode SAME_STEP.

    Parameters as in `GrekEnv`; `max_episode_steps` replaces the time limit of the task.
    """

    metadata: dict[str, Any] = {  # noqa: RUF012
        "render_modes": [],
        "render_fps": _FPS,
        "autoreset_mode": AutoresetMode.SAME_STEP,
    }

    def __init__(
        self,
        num_envs: int = 1,
        space: str | None = None,
        threads: int = 1,
        privileged: bool = False,
        config: EpisodeConfig | None = None,
        render_mode: str | None = None,
        max_episode_steps: int | None = None,
    ) -> None:
        self.num_envs = num_envs
        self.render_mode = render_mode
        self.privileged = privileged
        self.episodes = Episodes(num_envs, threads, _config(config, space, max_episode_steps))
        single = _spaces(self.episodes.task, privileged)
        self.single_observation_space, self.single_action_space = single
        self.observation_space, self.action_space = (
            gymnasium.vector.utils.batch_space(s, num_envs) for s in single
        )

    def reset(
        self, *, seed: Any = None, options: dict[str, Any] | None = None
    ) -> tuple[NDArray[np.float32], dict[str, Any]]:
        """Start an episode in every world, world i seeded with seed + i, or with seed[i].

        `options={"scenario": [...]}` names one scenario for each world; raises InputError for an
        unknown one or another number of them. `infos["scenario"]` (n,) are their names.
        """
        names = _scenarios(options)
        if seed is not None:
            super().reset(seed=seed if isinstance(seed, int) else None)
            self.episodes.seed(seed)
        self.episodes.start(np.arange(self.num_envs), names)
        drawn = [scenario.name for scenario in self.episodes.scenarios]
        infos = {"scenario": np.array(drawn, object), "_scenario": np.ones(self.num_envs, bool)}
        return self.episodes.batch.observe(self.privileged), infos

    def step(
        self, actions: NDArray[np.float32]
    ) -> tuple[NDArray[np.float32], NDArray, NDArray, NDArray, dict[str, Any]]:
        """Advance all worlds by a control step (20 ms) and reset those whose episode ended.

        `infos` holds the weighted reward terms (n,) by name. Where `infos["_final_obs"]` (n,) is
        true, the episode ended: `infos["final_obs"]` (n, size) and `infos["final_info"]` are its
        last, and the returned observation is the first of the next one.
        """
        outcome = self.episodes.step(actions)
        observation = self.episodes.batch.observe(self.privileged)
        ended = outcome.terminated | outcome.truncated
        infos: dict[str, Any] = _with_masks(outcome.terms, np.ones(self.num_envs, bool))
        if ended.any():
            infos["final_info"] = _with_masks(outcome.terms, ended)
            infos |= {"final_obs": observation, "_final_obs": ended, "_final_info": ended}
            self.episodes.restart(outcome)
            observation = self.episodes.batch.observe(self.privileged)
        return observation, outcome.reward, outcome.terminated, outcome.truncated, infos


def _with_masks(values: dict[str, Array], mask: NDArray[np.bool_]) -> dict[str, Any]:
    """Values (n,) by name, and where they hold, as Gymnasium's vector environments give them."""
    return {**values, **{f"_{name}": mask for name in values}}
