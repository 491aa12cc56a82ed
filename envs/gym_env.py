"""Gymnasium environment of a task, one world: `gym.make("grek/Walk-v0")`."""

from typing import TYPE_CHECKING, Any

import gymnasium
import numpy as np
from gymnasium import logger, spaces
from gymnasium.error import ResetNeeded
from numpy.typing import ArrayLike, NDArray

from grek.envs.episodes import EpisodeConfig, Episodes
from grek.envs.gym_keywords import config_of, mode_named, reset_options
from grek.envs.rendering.renderer import Camera, Renderer, camera_named
from grek.envs.scenarios.scenario import Scenario
from grek.envs.simulation.simulation import CONTROL_STEP
from grek.envs.simulation.state import State
from grek.envs.tasks import Outcome, Task
from grek.envs.vectors import Array

if TYPE_CHECKING:
    from grek.envs.rendering.window import Window

FPS = round(1 / CONTROL_STEP)
SIZE = 480, 360  # of an image [px]


def spaces_of(task: Task, privileged: bool) -> tuple[spaces.Box, spaces.Box]:
    """Observation and action space of one world."""
    low, high = (side.astype(np.float32) for side in task.bounds(privileged))
    limit = task.action_limit
    return (
        spaces.Box(low, high, dtype=np.float32),
        spaces.Box(-limit, limit, (task.actions,), np.float32),
    )


class Worlds:
    """Worlds of an environment: what it offers to look at, drawing and copying."""

    episodes: Episodes
    render_mode: str | None
    text_infos = True  # infos name scenarios

    def _begin(self, config: EpisodeConfig, worlds: int, threads: int, view: tuple) -> None:
        self.episodes = Episodes(worlds, threads, config)
        width, height, camera = view
        self._view = (width, height), camera_named(camera)
        self._renderer = Renderer(self.episodes.batch.simulation, *self._view)
        self._named = np.full(worlds, Scenario.name, object)  # scenario of each world
        self._fell = np.zeros(worlds, bool)  # in the last step, and not reset since

    def _start(
        self, worlds: NDArray[np.int64], names: list[str] | None = None, seeded: bool = False
    ) -> None:
        """Start episodes in `worlds` (k,): of scenarios `names` (k,), or drawn ones.

        Where an episode ended in a fall, `EpisodeConfig.replay` may repeat it, unless `seeded`.
        """
        if names is None and not seeded:
            self.episodes.renew(worlds, self._fell)
        else:
            self.episodes.start(worlds, names)
        self._fell[worlds] = False
        self._named[worlds] = [self.episodes.scenarios[world].name for world in worlds]
        self._renderer.begin(worlds)

    @property
    def state(self) -> State:
        """State after the last control step; its arrays have worlds as their first axis."""
        return self.episodes.batch.state

    def _height_at(self, x: Array, y: Array) -> Array:
        """Height (n, ...) [m] at `x` and `y` (n, ...) [m] in each world."""
        terrain, n = self.episodes.batch.simulation.ground.terrain, len(x)
        height, _ = terrain.height_and_normal(np.stack([x.reshape(n, -1), y.reshape(n, -1)], 2))
        return height.reshape(x.shape)

    def _draw(self, world: int) -> NDArray[np.uint8]:
        """Image (height, width, 3) of `world`; raises ResetNeeded before its first episode."""
        if self._named[world] == Scenario.name:
            raise ResetNeeded("reset the environment before rendering it")
        return self._renderer.image(world, self.episodes.batch.age[world] * CONTROL_STEP)

    def _infos(self, outcome: Outcome, idle: NDArray[np.bool_] | bool = False) -> dict[str, Any]:
        """Values (n,) of a step by name, for its info; worlds in `idle` (n,) did not step."""
        state = self.episodes.batch.state
        self._fell = np.where(idle, self._fell, outcome.terminated & ~state.broken)
        velocity = state.velocity_w
        return {
            **outcome.terms,
            **self._names(),
            "fell": self._fell.copy(),
            "is_success": outcome.truncated.copy(),
            "x_position": state.position_w[:, 0].copy(),
            "y_position": state.position_w[:, 1].copy(),
            "x_velocity": velocity[:, 0],
            "y_velocity": velocity[:, 1],
        }

    def _names(self) -> dict[str, Any]:
        """Name of each world's scenario (n,), for an info."""
        return {"scenario": self._named.copy()} if self.text_infos else {}

    def _warn_of_no_mode(self) -> None:
        logger.warn('render() needs a render_mode, such as gym.make(..., render_mode="rgb_array")')

    def __getstate__(self) -> dict[str, Any]:
        """State for `pickle` and `copy.deepcopy`, without the renderer: a copy makes its own."""
        return {k: v for k, v in self.__dict__.items() if k not in ("_renderer", "_window")}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._renderer = Renderer(self.episodes.batch.simulation, *self._view)


class GrekEnv(Worlds, gymnasium.Env[Any, Any]):
    """One robot at 50 Hz, in scenarios drawn from `space`.

    `privileged` appends the critic's fields to the observation. `render_mode` is "rgb_array" or
    "human"; images have `width` and `height` [px], from a `camera` of `rendering.picture.CAMERAS`
    or one's own `Camera`. `settings` are fields of `EpisodeConfig`, and take precedence over
    `config`. Raises InputError for unknown names.
    """

    metadata: dict[str, Any] = {  # noqa: RUF012
        "render_modes": ["human", "rgb_array"],
        "render_fps": FPS,
    }

    def __init__(
        self,
        space: str | None = None,
        privileged: bool = False,
        render_mode: str | None = None,
        config: EpisodeConfig | None = None,
        max_episode_steps: int | None = None,
        width: int = SIZE[0],
        height: int = SIZE[1],
        camera: str | Camera = "front",
        **settings: Any,
    ) -> None:
        self.render_mode = mode_named(render_mode, type(self))
        self.privileged = privileged
        settings = {"space": space, **settings}
        config = config_of(config, settings, max_episode_steps, type(self))
        self._begin(config, 1, 1, (width, height, camera))
        self._window: Window | None = None
        self.observation_space, self.action_space = spaces_of(self.episodes.task, privileged)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[NDArray[np.float32], dict[str, Any]]:
        """Start an episode in a drawn scenario, or in `options={"scenario": "train/sand:41"}`.

        `info["scenario"]` is the scenario's name. Raises InputError for an unknown one.
        """
        super().reset(seed=seed)
        name = reset_options(options, ("scenario",)).get("scenario")
        if seed is not None:
            self.episodes.seed(seed)
        self._start(np.array([0]), None if name is None else [name], seed is not None)
        self._show()
        return self._observation(), {"scenario": self.scenario.name}

    def step(
        self, action: NDArray[np.float32]
    ) -> tuple[NDArray[np.float32], float, bool, bool, dict[str, Any]]:
        """Advance by a control step (20 ms); `action` (`Task.actions`,) is clipped to the space.

        `info` holds the weighted reward terms by name, whose sum is the reward; "scenario"; "fell"
        and "is_success", whether the episode ended here by a fall or at the time limit; position
        [m] and velocity [m/s] of the base, world frame.
        """
        outcome = self.episodes.step(np.asarray(action)[None])
        info = {name: value[0] for name, value in self._infos(outcome).items()}
        info = {k: v if isinstance(v, str) else v.item() for k, v in info.items()}
        ended = bool(outcome.terminated[0]), bool(outcome.truncated[0])
        self._show()
        return self._observation(), float(outcome.reward[0]), *ended, info

    def render(self) -> NDArray[np.uint8] | None:
        """Image (height, width, 3) of the present state in mode "rgb_array", else None.

        In mode "human", `reset` and `step` show it in a window, in real time at most; where there
        is no display, a warning says so and nothing is drawn. Raises InputError, on one line,
        where OpenGL does not work.
        """
        if self.render_mode == "rgb_array":
            return self._draw(0)
        if self.render_mode is None:
            self._warn_of_no_mode()
        self._show()
        return None

    def close(self) -> None:
        """Free the renderer and close the window; the environment can still be used."""
        super().close()
        self._renderer.close()
        if self._window is not None:
            self._window.close()
            self._window = None

    @property
    def scenario(self) -> Scenario:
        """Present scenario."""
        return self.episodes.scenarios[0]

    @property
    def command(self) -> Array:
        """Forward, left [m/s], yaw rate [rad/s], head pitch, head yaw [rad] (5,)."""
        return self.episodes.batch.command[0].copy()

    @property
    def contacts(self) -> NDArray[np.bool_]:
        """Feet in contact with the ground (F,), in the order of `Robot.feet`."""
        return self.state.contact[0].copy()

    def height_at(self, x: ArrayLike, y: ArrayLike) -> Array:
        """Height [m] of the undisturbed ground at points `x`, `y` [m], which broadcast."""
        x, y = np.broadcast_arrays(np.asarray(x, float), np.asarray(y, float))
        return self._height_at(x[None], y[None])[0]

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        self._window = None

    def _show(self) -> None:
        """Show the present state in mode "human"."""
        if self.render_mode != "human":
            return
        if self._window is None:
            from grek.envs.rendering.window import Window  # GLFW, which a server may lack

            self._window = Window(self._renderer.size, self.episodes.task.name)
            if not self._window.is_open:
                logger.warn('no display: render_mode="human" shows nothing; try "rgb_array"')
        if self._window.is_open:
            self._window.show(self._draw(0), CONTROL_STEP)

    def _observation(self) -> NDArray[np.float32]:
        return self.episodes.batch.observe(self.privileged)[0]
