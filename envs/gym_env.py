"""The Gymnasium faces of a task: `gym.make("grek/Walk-v0")` and `gym.make_vec`."""

import dataclasses
from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces
from gymnasium.vector import AutoresetMode
from numpy.typing import NDArray

from grek.envs.episodes import EpisodeConfig, Episodes
from grek.envs.simulation.simulation import CONTROL_STEP
from grek.envs.tasks import Task

_FPS = round(1 / CONTROL_STEP)


def _spaces(task: Task, privileged: bool) -> tuple[spaces.Box, spaces.Box]:
    limit, acting = task.action_limit, len(task.robot.joints)
    return (
        spaces.Box(-np.inf, np.inf, (task.size(privileged),), np.float32),
        spaces.Box(-limit, limit, (acting,), np.float32),
    )


def _config(config: EpisodeConfig | None, space: str | None) -> EpisodeConfig:
    config = config or EpisodeConfig()
    return config if space is None else dataclasses.replace(config, space=space)


class GrekEnv(gymnasium.Env[Any, Any]):
    """One robot. `options={"scenario": "train/sand:41"}` in reset picks the world by name.

    `privileged` appends the fields for a critic to the observation. `info` of a step holds the
    reward terms by name; `info` of a reset names the scenario.
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
        """Begin an episode; raises InputError for an unknown scenario."""
        super().reset(seed=seed)
        if seed is not None:
            self.episodes.seed(seed)
        name = (options or {}).get("scenario")
        self.episodes.start([0], None if name is None else [name])
        return self._observation(), {"scenario": self.episodes.scenarios[0].name}

    def step(
        self, action: NDArray[np.float32]
    ) -> tuple[NDArray[np.float32], float, bool, bool, dict[str, Any]]:
        """Advance by 20 ms."""
        outcome = self.episodes.step(np.asarray(action)[None])
        info = {name: float(term[0]) for name, term in outcome.terms.items()}
        ended = bool(outcome.terminated[0]), bool(outcome.truncated[0])
        return self._observation(), float(outcome.reward[0]), *ended, info

    def _observation(self) -> NDArray[np.float32]:
        return self.episodes.batch.observe(self.privileged)[0]


class GrekVectorEnv(gymnasium.vector.VectorEnv[Any, Any, Any]):
    """`num_envs` robots in one batch on `threads` threads; autoreset SAME_STEP."""

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
        max_episode_steps: int | None = None,
    ) -> None:
        del max_episode_steps  # the task ends its episodes itself
        self.num_envs = num_envs
        self.privileged = privileged
        self.episodes = Episodes(num_envs, threads, _config(config, space))
        single = _spaces(self.episodes.task, privileged)
        self.single_observation_space, self.single_action_space = single
        self.observation_space, self.action_space = (
            gymnasium.vector.utils.batch_space(s, num_envs) for s in single
        )

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[NDArray[np.float32], dict[str, Any]]:
        """Begin an episode in every world; `options={"scenario": [...]}` names one for each."""
        if seed is not None:
            self.episodes.seed(seed)
        self.episodes.start(np.arange(self.num_envs), (options or {}).get("scenario"))
        return self.episodes.batch.observe(self.privileged), {}

    def step(
        self, actions: NDArray[np.float32]
    ) -> tuple[NDArray[np.float32], NDArray, NDArray, NDArray, dict[str, Any]]:
        """Advance all worlds by 20 ms; those that end begin anew at once.

        Their last observation is in `infos["final_obs"]`, rows marked by `infos["_final_obs"]`.
        """
        outcome = self.episodes.step(actions)
        observation = self.episodes.batch.observe(self.privileged)
        infos: dict[str, Any] = {}
        ended = outcome.terminated | outcome.truncated
        if ended.any():
            infos = {"final_obs": observation, "_final_obs": ended}
            self.episodes.restart(outcome)
            observation = self.episodes.batch.observe(self.privileged)
        return observation, outcome.reward, outcome.terminated, outcome.truncated, infos
