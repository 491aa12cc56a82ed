"""Stable-Baselines3 vector environment, with actor and privileged observations in one vector."""

from typing import Any

import numpy as np
from gymnasium import spaces
from stable_baselines3.common.vec_env import VecEnv

from grek.envs.episodes import EpisodeConfig, Episodes
from grek.envs.tasks import Outcome, StepData
from grek.envs.tasks.rewards import linear
from grek.envs.tasks.stage import joints


class GrekVecEnv(VecEnv):
    """SB3 `VecEnv` of `worlds` worlds, simulated by `threads` threads in this process.

    `outcome` is the result of the last control step, with each reward term; `ended` has the worlds
    whose episode ended in it, with the materials of their ground; `axes` are the axes of the
    scenarios' contexts in it, and `follows` (worlds,) in [0, 1] tells how well they followed.
    """

    def __init__(self, worlds: int, threads: int = 1, config: EpisodeConfig | None = None) -> None:
        self.render_mode = None
        self.episodes = Episodes(worlds, threads, config)
        task = self.episodes.task
        limit = task.action_limit
        super().__init__(
            worlds,
            spaces.Box(-np.inf, np.inf, (task.size(privileged=True),), np.float32),
            spaces.Box(-limit, limit, (task.actions,), np.float32),
        )
        self.outcome: Outcome | None = None
        self.ended: dict[int, tuple[str, ...]] = {}
        self.axes: list[str] = []  # of the contexts of the last step
        self.follows = np.zeros(worlds)  # reference in it, in [0, 1]
        self._actions = np.zeros((worlds, task.actions))

    def reset(self) -> np.ndarray:
        """Begin an episode in every world; return observations (worlds, observation)."""
        if self._seeds[0] is not None:
            self.episodes.seed(self._seeds[0])
            self._reset_seeds()
        self.episodes.start(np.arange(self.num_envs))
        return self.episodes.batch.observe(True)

    def step_async(self, actions: np.ndarray) -> None:
        """Store the actions (worlds, actions) for `step_wait`."""
        self._actions = actions

    def step_wait(self) -> tuple[np.ndarray, np.ndarray, np.ndarray, list[dict[str, Any]]]:
        """Simulate one control step of 20 ms; worlds whose episode has ended are reset.

        Returns observations (worlds, observation), rewards (worlds,), dones (worlds,) and infos.
        """
        self.axes = [scenario.context.axis for scenario in self.episodes.scenarios]
        self.outcome = outcome = self.episodes.step(self._actions)
        self.follows = _follows(self.episodes.batch.data)
        observation = self.episodes.batch.observe(True)
        infos: list[dict[str, Any]] = [{} for _ in range(self.num_envs)]
        ended = outcome.terminated | outcome.truncated
        scenarios = self.episodes.scenarios
        self.ended = {w: scenarios[w].surface.materials for w in np.flatnonzero(ended).tolist()}
        if self.ended:
            for world in self.ended:
                infos[world] = {
                    "terminal_observation": observation[world],
                    "TimeLimit.truncated": bool(outcome.truncated[world]),
                }
            self.episodes.restart(outcome)
            observation = self.episodes.batch.observe(True)
        return observation, outcome.reward.astype(np.float32), ended, infos

    def close(self) -> None:
        """Do nothing: no resources are held."""

    def get_attr(self, attr_name: str, indices: Any = None) -> list[Any]:
        """Return the attribute of this object, repeated for each of `indices`."""
        return [getattr(self, attr_name)] * len(list(self._get_indices(indices)))

    def set_attr(self, attr_name: str, value: Any, indices: Any = None) -> None:
        """Set an attribute of this object, for all worlds."""
        setattr(self, attr_name, value)

    def env_method(
        self, method_name: str, *args: Any, indices: Any = None, **kwargs: Any
    ) -> list[Any]:
        """Call a method of this object once; return its result, repeated for each of `indices`."""
        result = getattr(self, method_name)(*args, **kwargs)
        return [result] * len(list(self._get_indices(indices)))

    def env_is_wrapped(self, wrapper_class: Any, indices: Any = None) -> list[bool]:
        """Return False for each of `indices`: there are no wrappers."""
        return [False] * len(list(self._get_indices(indices)))


def _follows(data: StepData) -> np.ndarray:
    """exp(-|e|^2 / 0.3) exp(-|v|^2 / 0.08) (n,) of the errors e of the joints [rad] and v of the
    planar velocity [m/s]."""
    acting = data.reference.joints.shape[1]
    near = joints(data.reference.joints, data.state.joint_position[:, :acting])
    return near * linear(data.reference.velocity[:, :2], data.stride_velocity[:, :2])
