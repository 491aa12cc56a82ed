"""Every wrapper of Gymnasium works with the environments, or is listed with the reason why not."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import gymnasium
import imageio.v3 as iio
import numpy as np
import pytest
import torch
from gymnasium import wrappers
from gymnasium.vector import AutoresetMode, SyncVectorEnv
from gymnasium.wrappers import vector

from .rendering.drawing import needs_opengl

STEPS = 6
LIMIT = 4  # time limit of an episode [control steps]: the steps go through an end
WORLDS = 2
SIZE = {"width": 64, "height": 48}


def plain(**settings: Any) -> gymnasium.Env:
    """The environment as it is made, with its observation of numbers."""
    settings = {"materials": "dry_concrete", "max_episode_steps": LIMIT, **settings}
    return gymnasium.make("grek/Walk-v0", **settings)


def drawn() -> gymnasium.Env:
    """One that renders."""
    return plain(render_mode="rgb_array", **SIZE)


def pixels() -> gymnasium.Env:
    """One whose observation is an image."""
    return wrappers.AddRenderObservation(drawn(), render_only=True)


def bounded() -> gymnasium.Env:
    """One whose observation is bounded: its phase."""
    env = plain()
    start, end = env.unwrapped.episodes.task.slices()["phase"]
    space = gymnasium.spaces.Box(-1, 1, (end - start,), np.float32)
    return wrappers.TransformObservation(env, lambda seen: seen[start:end], space)


def structured() -> gymnasium.Env:
    """One whose observation is a dictionary."""
    return wrappers.AddRenderObservation(drawn(), render_only=False)


def batch(**settings: Any) -> gymnasium.vector.VectorEnv:
    """The vector environment."""
    settings = {
        "materials": "dry_concrete",
        "max_episode_steps": LIMIT,
        "autoreset_mode": AutoresetMode.NEXT_STEP,  # which observation wrappers demand
        **settings,
    }
    return gymnasium.make_vec("grek/Walk-v0", WORLDS, "vector_entry_point", **settings)


def drawn_batch() -> gymnasium.vector.VectorEnv:
    """The vector environment with images."""
    return batch(render_mode="rgb_array", **SIZE)


def numbers() -> gymnasium.vector.VectorEnv:
    """The vector environment without text in its infos, which has no form as a tensor."""
    return batch(text_infos=False)


def several(make: Callable[[], gymnasium.Env]) -> Callable[[], gymnasium.vector.VectorEnv]:
    """Environments side by side in Gymnasium's own vector environment."""
    return lambda: SyncVectorEnv([make] * WORLDS)


class Case(NamedTuple):
    """Environment and arguments of a wrapper, and the modules that it needs."""

    make: Callable[[], Any]
    arguments: dict[str, Any] = {}  # noqa: RUF012
    needs: tuple[str, ...] = ()


def _half(values: Any) -> Any:
    return 0.5 * values


ACTIONS = gymnasium.spaces.Box(-1, 1, (10,), np.float32)
RESCALED = {"min_obs": np.zeros(4, np.float32), "max_obs": np.ones(4, np.float32)}
TORCH = ("array_api_compat",)

SINGLE = {
    "DelayObservation": Case(plain, {"delay": 2}),
    "DtypeObservation": Case(plain, {"dtype": np.float64}),
    "DiscretizeObservation": Case(bounded, {"bins": 5, "multidiscrete": True}),
    "FilterObservation": Case(structured, {"filter_keys": ["state"]}),
    "FlattenObservation": Case(structured),
    "FrameStackObservation": Case(plain, {"stack_size": 3}),
    "GrayscaleObservation": Case(pixels, {}, ("cv2",)),
    "TransformObservation": Case(plain, {"func": _half, "observation_space": None}),
    "MaxAndSkipObservation": Case(plain, {"skip": 2}),
    "NormalizeObservation": Case(plain),
    "AddRenderObservation": Case(drawn, {"render_only": True}),
    "ResizeObservation": Case(pixels, {"shape": (24, 32)}, ("cv2",)),
    "ReshapeObservation": Case(bounded, {"shape": (2, 2)}),
    "RescaleObservation": Case(bounded, RESCALED),
    "TimeAwareObservation": Case(plain, {"normalize_time": True}),
    "ClipAction": Case(plain),
    "DiscretizeAction": Case(plain, {"bins": 3, "multidiscrete": True}),
    "TransformAction": Case(plain, {"func": _half, "action_space": ACTIONS}),
    "RescaleAction": Case(plain, {"min_action": np.float32(-1), "max_action": np.float32(1)}),
    "StickyAction": Case(plain, {"repeat_action_probability": 0.5}),
    "RepeatAction": Case(plain, {"num_repeats": 2}),
    "ClipReward": Case(plain, {"min_reward": -1.0, "max_reward": 1.0}),
    "TransformReward": Case(plain, {"func": _half}),
    "NormalizeReward": Case(plain),
    "TimeLimit": Case(plain, {"max_episode_steps": 2}),
    "Autoreset": Case(plain),
    "PassiveEnvChecker": Case(plain),
    "OrderEnforcing": Case(plain),
    "RecordEpisodeStatistics": Case(plain),
    "AddWhiteNoise": Case(drawn, {"probability_of_noise_per_pixel": 0.1}),
    "ObstructView": Case(drawn, {"obstructed_pixels_ratio": 0.2, "obstruction_width": 4}),
    "RenderCollection": Case(drawn),
    "RecordVideo": Case(drawn, {"video_folder": "films"}, ("moviepy",)),
    "HumanRendering": Case(drawn, {}, ("pygame", "cv2")),
    "ArrayConversion": Case(plain, {"env_xp": np, "target_xp": torch}, TORCH),
    "NumpyToTorch": Case(plain, {}, TORCH),
    "JaxToNumpy": Case(plain, {}, ("jax", *TORCH)),
}
NOT_SINGLE = {
    "AtariPreprocessing": "asks the environment for an Atari emulator",
    "JaxToTorch": "takes an environment of JAX arrays; NumpyToTorch gives torch's",
}
BATCHED = {
    "VectorizeTransformObservation": Case(
        batch, {"wrapper": wrappers.TransformObservation, "func": _half, "observation_space": None}
    ),
    "VectorizeTransformAction": Case(
        batch, {"wrapper": wrappers.TransformAction, "func": _half, "action_space": None}
    ),
    "VectorizeTransformReward": Case(batch, {"wrapper": wrappers.TransformReward, "func": _half}),
    "DictInfoToList": Case(batch),
    "TransformObservation": Case(batch, {"func": _half}),
    "FilterObservation": Case(several(structured), {"filter_keys": ["state"]}),
    "FlattenObservation": Case(several(structured)),
    "GrayscaleObservation": Case(several(pixels), {}, ("cv2",)),
    "ResizeObservation": Case(several(pixels), {"shape": (24, 32)}, ("cv2",)),
    "ReshapeObservation": Case(several(bounded), {"shape": (2, 2)}),
    "RescaleObservation": Case(several(bounded), RESCALED),
    "DtypeObservation": Case(batch, {"dtype": np.float64}),
    "NormalizeObservation": Case(batch),
    "TransformAction": Case(batch, {"func": _half}),
    "ClipAction": Case(batch),
    "RescaleAction": Case(batch, {"min_action": np.float32(-1), "max_action": np.float32(1)}),
    "TransformReward": Case(batch, {"func": _half}),
    "ClipReward": Case(batch, {"min_reward": -1.0, "max_reward": 1.0}),
    "NormalizeReward": Case(batch),
    "RecordEpisodeStatistics": Case(batch),
    "RecordVideo": Case(drawn_batch, {"video_folder": "films"}, ("moviepy",)),
    "HumanRendering": Case(drawn_batch, {}, ("pygame", "cv2")),
    "ArrayConversion": Case(numbers, {"env_xp": np, "target_xp": torch}, TORCH),
    "NumpyToTorch": Case(numbers, {}, TORCH),
    "JaxToNumpy": Case(numbers, {}, ("jax", *TORCH)),
}
NOT_BATCHED = {"JaxToTorch": NOT_SINGLE["JaxToTorch"]}
DRAWING = (drawn, pixels, structured, drawn_batch)


def _listed(module: Any) -> set[str]:
    """Names of the wrappers of `module`."""
    return {name for name in module.__all__ if name != "vector"}


def _marked(cases: dict[str, Case]) -> list[Any]:
    """Cases by name; those that draw need OpenGL."""
    found = []
    for name, case in cases.items():
        inner = case.make.__closure__ or ()
        makes = (case.make, *(cell.cell_contents for cell in inner))
        marks = [needs_opengl] if any(make in DRAWING for make in makes) else []
        found.append(pytest.param(name, case, id=name, marks=marks))
    return found


@pytest.fixture(autouse=True)
def _place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A directory for films, and pygame without a window."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SDL_VIDEODRIVER", "dummy")


@pytest.mark.parametrize(
    ("module", "known"),
    [(wrappers, {*SINGLE, *NOT_SINGLE}), (vector, {*BATCHED, *NOT_BATCHED})],
    ids=["single", "vector"],
)
def test_all_wrappers_of_this_gymnasium_are_listed(module: Any, known: set[str]) -> None:
    assert _listed(module) == known


@pytest.mark.parametrize(("name", "case"), _marked(SINGLE))
def test_a_wrapper_of_one_environment(name: str, case: Case) -> None:
    for needed in case.needs:
        pytest.importorskip(needed)
    env = getattr(wrappers, name)(case.make(), **case.arguments)
    numpy = name not in ("ArrayConversion", "NumpyToTorch")
    env.action_space.seed(0)
    seen, _ = env.reset(seed=1)
    ends = 0
    for _ in range(STEPS):
        assert not numpy or seen in env.observation_space
        action = env.action_space.sample()
        seen, reward, terminated, truncated, _ = env.step(
            action if numpy else torch.as_tensor(action)
        )
        assert np.isfinite(float(reward))
        if (terminated or truncated) and name != "Autoreset":
            ends += 1
            seen, _ = env.reset()
    assert ends or name == "Autoreset"
    env.close()


@pytest.mark.parametrize(("name", "case"), _marked(BATCHED))
def test_a_wrapper_of_the_vector_environment(name: str, case: Case) -> None:
    for needed in case.needs:
        pytest.importorskip(needed)
    envs = getattr(vector, name)(case.make(), **case.arguments)
    numpy = name not in ("ArrayConversion", "NumpyToTorch")
    envs.action_space.seed(0)
    seen, _ = envs.reset(seed=1)
    ends = 0
    for _ in range(STEPS):
        assert not numpy or seen in envs.observation_space
        action = envs.action_space.sample()
        seen, reward, terminated, truncated, _ = envs.step(
            action if numpy else torch.as_tensor(action)
        )
        assert reward.shape == (WORLDS,)
        ends += int((terminated | truncated).sum())
    assert ends == WORLDS
    envs.close()


@pytest.mark.parametrize("mode", list(AutoresetMode)[:2], ids=lambda mode: mode.name)
def test_statistics_of_episodes_are_their_rewards(mode: AutoresetMode) -> None:
    envs = vector.RecordEpisodeStatistics(batch(autoreset_mode=mode))
    envs.reset(seed=1)
    returns, lengths, total = [], [], np.zeros(WORLDS)
    for _ in range(3 * LIMIT):
        _, reward, terminated, truncated, infos = envs.step(np.zeros((WORLDS, 10), np.float32))
        total += reward
        if (terminated | truncated).all():
            found = infos["episode"]
            returns.append((found["r"] - total).max())
            lengths += found["l"].tolist()
            total[:] = 0
    assert returns == pytest.approx([0] * len(returns), abs=1e-5) and len(returns) >= 2
    assert set(lengths) == {LIMIT}


@needs_opengl
def test_a_recorded_film_shows_the_frames_of_render(tmp_path: Path) -> None:
    pytest.importorskip("moviepy")
    inner = wrappers.RenderCollection(drawn(), pop_frames=False)
    env = wrappers.RecordVideo(drawn(), str(tmp_path / "films"))
    for each in (env, inner):
        each.reset(seed=1)
        for _ in range(LIMIT):
            each.step(np.zeros(10, np.float32))
    env.close()
    frames = iio.imread(next((tmp_path / "films").glob("*.mp4")))
    assert len(frames) == LIMIT + 1
    wanted = np.array(inner.render())
    assert frames.shape == wanted.shape
    assert np.abs(frames.astype(float) - wanted).mean() < 8  # the codec loses some
    inner.close()
