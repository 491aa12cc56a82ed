"""Vector environment of a task, all worlds in one batch: `gym.make_vec("grek/Walk-v0")`."""

from typing import Any

import gymnasium
import numpy as np
from gymnasium.vector import AutoresetMode
from numpy.typing import ArrayLike, NDArray

from grek.envs.episodes import EpisodeConfig
from grek.envs.gym_env import FPS, SIZE, Worlds, spaces_of
from grek.envs.gym_keywords import autoreset_named, chosen, config_of, mode_named, reset_options
from grek.envs.rendering.renderer import Camera
from grek.envs.scenarios.scenario import Scenario
from grek.envs.vectors import Array
from grek.errors import InputError


class GrekVectorEnv(Worlds, gymnasium.vector.VectorEnv[Any, Any, Any]):
    """`num_envs` robots in one batch on `threads` threads.

    Parameters as in `GrekEnv`; `autoreset_mode` is one of Gymnasium's, SAME_STEP by default, and
    `max_episode_steps` replaces the time limit of the task. Without `text_infos`, no info names
    scenarios, as wrappers demand that turn every info into a tensor.
    """

    metadata: dict[str, Any] = {  # noqa: RUF012
        "render_modes": ["rgb_array"],
        "render_fps": FPS,
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
        autoreset_mode: AutoresetMode | str = AutoresetMode.SAME_STEP,
        width: int = SIZE[0],
        height: int = SIZE[1],
        camera: str | Camera = "front",
        text_infos: bool = True,
        **settings: Any,
    ) -> None:
        self.num_envs = num_envs
        self.text_infos = text_infos
        self.render_mode = mode_named(render_mode, type(self))
        self.privileged = privileged
        self.autoreset_mode = autoreset_named(autoreset_mode)
        self.metadata = {**type(self).metadata, "autoreset_mode": self.autoreset_mode}
        settings = {"space": space, **settings}
        config = config_of(config, settings, max_episode_steps, type(self))
        self._begin(config, num_envs, threads, (width, height, camera))
        self._ended = np.zeros(num_envs, bool)  # and are not reset yet
        single = spaces_of(self.episodes.task, privileged)
        self.single_observation_space, self.single_action_space = single
        self.observation_space, self.action_space = (
            gymnasium.vector.utils.batch_space(s, num_envs) for s in single
        )

    def reset(
        self, *, seed: Any = None, options: dict[str, Any] | None = None
    ) -> tuple[NDArray[np.float32], dict[str, Any]]:
        """Start an episode in every world, world i seeded with seed + i, or with seed[i].

        `options={"scenario": [...]}` names one scenario for each world, and
        `options={"reset_mask": mask}` (n,) resets some worlds only. Raises InputError for other
        options, an unknown scenario, another number of them, or a mask that is not boolean (n,)
        with a True. `infos["scenario"]` (n,) are the names of the worlds that were reset.
        """
        given = reset_options(options, ("scenario", "reset_mask"))
        mask = chosen(given.get("reset_mask"), self.num_envs)
        names, worlds = given.get("scenario"), np.flatnonzero(mask)
        if names is not None:
            if isinstance(names, str) or len(names) != self.num_envs:
                raise InputError(f"{self.num_envs} worlds need as many scenario names: {names!r}")
            names = [names[world] for world in worlds]
        if seed is not None:
            super().reset(seed=seed if isinstance(seed, int) else None)
            self.episodes.seed(seed, worlds)
        self._start(worlds, names, seed is not None)
        self._ended = self._ended & ~mask
        return self._observation(), _masked(self._names(), mask)

    def step(
        self, actions: NDArray[np.float32]
    ) -> tuple[NDArray[np.float32], NDArray, NDArray, NDArray, dict[str, Any]]:
        """Advance all worlds by a control step (20 ms); those whose episode ended are reset.

        `infos` holds values (n,) by name as in `GrekEnv.step`; those of a world that was reset are
        masked, but for "scenario". Mode SAME_STEP: where `infos["_final_obs"]` (n,) is true, the
        episode ended; `infos["final_obs"]` (n, size) and `infos["final_info"]` are its last, and
        the returned observation is the first of the next one. NEXT_STEP: the next call resets
        the world instead of stepping it, with reward 0. DISABLED: the world must be reset before
        the next call, which else raises InputError.
        """
        again = self._ended
        if again.any():
            if self.autoreset_mode is AutoresetMode.DISABLED:
                raise InputError(
                    f"the episodes of worlds {', '.join(map(str, np.flatnonzero(again)))} ended:"
                    ' reset them with options={"reset_mask": terminated | truncated}'
                )
            actions = np.array(actions, float)
            if len(actions) == self.num_envs:
                actions[again] = 0  # ignored: these worlds are reset
        outcome = self.episodes.step(actions)
        values = self._infos(outcome, again)
        terminated, truncated = outcome.terminated & ~again, outcome.truncated & ~again
        ended = terminated | truncated
        final: dict[str, Any] = {}
        renewed = again
        if self.autoreset_mode is AutoresetMode.SAME_STEP and ended.any():
            last = _masked(values, ended)
            final = _masked({"final_obs": self._observation(), "final_info": last}, ended)
            renewed = ended
        if renewed.any():
            self._start(np.flatnonzero(renewed))
        if self.autoreset_mode is not AutoresetMode.SAME_STEP:
            self._ended = ended
            self._pause()
        infos = {**_masked(values, ~renewed), **final}
        infos |= _masked(self._names(), np.ones(self.num_envs, bool))
        reward = np.where(again, 0.0, outcome.reward)
        return self._observation(), reward, terminated, truncated, infos

    def render(self) -> tuple[NDArray[np.uint8], ...] | None:
        """Images (height, width, 3) of all worlds in mode "rgb_array", else None.

        A world takes memory from its first image on; see `rendering.renderer.Renderer`.
        """
        if self.render_mode is None:
            self._warn_of_no_mode()
            return None
        return tuple(self._draw(world) for world in range(self.num_envs))

    def call(self, name: str, *args: Any, **kwargs: Any) -> tuple[Any, ...]:
        """Attribute or result of the method `name` for each world, as `SyncVectorEnv` has it.

        A sequence of n values is one for each world; anything else is the same for all.
        """
        value = getattr(self, name)
        value = value(*args, **kwargs) if callable(value) else value
        if isinstance(value, list | tuple) and len(value) == self.num_envs:
            return tuple(value)
        return (value,) * self.num_envs

    def get_attr(self, name: str) -> tuple[Any, ...]:
        """Attribute `name` for each world; see `call`."""
        return self.call(name)

    def close_extras(self, **_: Any) -> None:
        """Free the renderer."""
        self._renderer.close()

    @property
    def scenarios(self) -> list[Scenario]:
        """Present scenario of each world."""
        return list(self.episodes.scenarios)

    @property
    def command(self) -> Array:
        """Forward, left [m/s], yaw rate [rad/s], head pitch, head yaw [rad] (n, 5)."""
        return self.episodes.batch.command.copy()

    @property
    def contacts(self) -> NDArray[np.bool_]:
        """Feet in contact with the ground (n, F), in the order of `Robot.feet`."""
        return self.state.contact.copy()

    def height_at(self, x: ArrayLike, y: ArrayLike) -> Array:
        """Height (n, ...) [m] of the undisturbed ground at points `x`, `y` (n, ...) [m].

        Row i lies in world i; scalars are the same point in every world.
        """
        x, y = np.broadcast_arrays(np.asarray(x, float), np.asarray(y, float))
        if x.ndim == 0:
            x, y = np.full(self.num_envs, x), np.full(self.num_envs, y)
        if len(x) != self.num_envs:
            raise InputError(f"{self.num_envs} worlds take as many rows of points, got {len(x)}")
        return self._height_at(x, y)

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        self._pause()

    def _pause(self) -> None:
        """Exclude the worlds whose episode ended from stepping."""
        if self._ended.any():
            self.episodes.batch.simulation.pause(np.flatnonzero(self._ended))

    def _observation(self) -> NDArray[np.float32]:
        return self.episodes.batch.observe(self.privileged)


def _masked(values: dict[str, Any], mask: NDArray[np.bool_]) -> dict[str, Any]:
    """Values (n,) by name, and where they hold, as Gymnasium's vector environments give them."""
    return {**values, **{f"_{name}": mask.copy() for name in values}}
