"""Images of environments: their size, what they show, windows, and what is refused."""

import copy
import os
import pickle
import shutil
import subprocess
import sys
import warnings
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium.error import ResetNeeded

from grek.envs.gym_env import GrekEnv
from grek.envs.gym_vector_env import GrekVectorEnv
from grek.envs.rendering.picture import CAMERAS, Camera
from grek.errors import InputError

from .rendering.drawing import needs_opengl

SIZE = {"width": 96, "height": 64}
STILL = np.zeros(10, np.float32)


def _env(**settings: Any) -> GrekEnv:
    return GrekEnv(render_mode="rgb_array", **{**SIZE, **settings})


@needs_opengl
def test_an_image_shows_the_present_state_and_no_other() -> None:
    env, other = _env(), _env()
    for each in (env, other):
        each.reset(seed=1, options={"scenario": "train/dry_concrete:3"})
    first = env.render()
    assert first is not None
    assert first.shape == (64, 96, 3) and first.dtype == np.uint8 and first.std() > 5
    assert np.array_equal(first, env.render()) and np.array_equal(first, other.render())
    for _ in range(15):
        env.step(np.full(10, 2.0, np.float32))
    later = env.render()
    assert later is not None and not np.array_equal(later, first)
    assert np.array_equal(first, other.render())  # neither draws into the other
    env.reset(seed=1, options={"scenario": "train/dry_concrete:3"})
    assert np.array_equal(env.render(), first)  # nothing is left of the last episode
    env.reset(options={"scenario": "train/sand:3"})
    sand = env.render()
    assert sand is not None
    env.reset(options={"scenario": "train/dry_concrete:3"})
    assert np.array_equal(env.render(), first)
    env.reset(options={"scenario": "train/carpet:3"})  # takes over the picture of concrete
    other.reset(options={"scenario": "train/sand:3"})
    other.reset(options={"scenario": "train/carpet:3"})
    assert np.array_equal(env.render(), other.render())
    other.reset(seed=1, options={"scenario": "train/dry_concrete:3"})
    red, _, blue = sand[-8:].mean((0, 1))
    assert red > 1.2 * blue  # sand is yellow, concrete is grey
    red, _, blue = first[-8:].mean((0, 1))
    assert red < 1.2 * blue
    for each in (env, other):
        each.close()
        each.close()
    assert np.array_equal(other.render(), first)  # made anew after it was closed
    other.close()


@needs_opengl
def test_cameras_differ_and_ones_own_can_be_given() -> None:
    images = []
    for camera in ("front", "side", Camera(azimuth=150.0), Camera(azimuth=150.0, distance=4.0)):
        env = _env(camera=camera)
        env.reset(options={"scenario": "train/dry_concrete:3"})
        images.append(env.render())
        env.close()
    front, side, same, far = images
    assert np.array_equal(front, same)
    assert not np.array_equal(front, side) and not np.array_equal(front, far)


@needs_opengl
def test_a_vector_environment_shows_every_world_as_its_own_environment_would() -> None:
    names = ["train/sand:3", "train/carpet:5"]
    envs = GrekVectorEnv(2, render_mode="rgb_array", max_episode_steps=2, **SIZE)
    with pytest.raises(ResetNeeded):
        envs.render()
    envs.reset(options={"scenario": names})
    images = envs.render()
    assert images is not None and len(images) == 2
    for name, image in zip(names, images, strict=True):
        env = _env()
        env.reset(options={"scenario": name})
        assert np.array_equal(env.render(), image)
        env.close()
    for _ in range(2):
        envs.step(np.zeros((2, 10)))
    shown, after = envs.render(), [scenario.name for scenario in envs.scenarios]
    env = _env()
    env.reset(options={"scenario": after[0]})  # the first state of the next episode
    assert shown is not None and np.array_equal(env.render(), shown[0])
    env.close()
    envs.close()


@needs_opengl
def test_a_world_that_failed_is_shown_as_it_was() -> None:
    env = _env()
    env.reset(options={"scenario": "train/dry_concrete:3"})
    image = env.render()
    env.episodes.batch.simulation.engine.qpos[0, :3] = np.nan
    assert np.array_equal(env.render(), image)
    env.reset(options={"scenario": "train/dry_concrete:3"})
    assert np.array_equal(env.render(), image)
    env.close()


@needs_opengl
@pytest.mark.parametrize("copied", [copy.deepcopy, lambda env: pickle.loads(pickle.dumps(env))])
def test_a_copy_of_an_environment_that_drew_draws(copied: Any) -> None:
    env = _env()
    env.reset(options={"scenario": "train/sand:3"})
    image = env.render()
    other = copied(env)
    assert np.array_equal(other.render(), image)
    env.close()
    other.close()


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"width": 8}, "width 8 is not in 16 to 4096 pixels"),
        ({"height": 9000}, "height 9000 is not in 16 to 4096 pixels"),
        ({"width": 64.5}, "width 64.5 is not a whole number"),
        ({"camera": "drone"}, "unknown camera 'drone'; there are: front, side"),
        ({"render_mode": "ansi"}, "unknown render_mode 'ansi'; there are: human, rgb_array"),
    ],
)
def test_what_cannot_be_drawn_is_refused(settings: dict[str, Any], told: str) -> None:
    with pytest.raises(InputError, match=told):
        GrekEnv(**settings)
    with pytest.raises(InputError, match=told.partition("; there are: human")[0]):
        GrekVectorEnv(2, **settings)


@pytest.mark.parametrize(
    ("place", "told"),
    [
        ({"elevation": 10.0}, r"camera elevation 10.0 is not in \[-90, 0\]"),
        ({"distance": 0.0}, r"camera distance 0.0 is not in \[0.3, 50\] m"),
        ({"height": -1.0}, r"camera height -1.0 is not in \[0, 10\] m"),
        ({"azimuth": np.nan}, "camera azimuth nan is not finite"),
    ],
)
def test_a_camera_out_of_range_is_refused(place: dict[str, float], told: str) -> None:
    with pytest.raises(InputError, match=told):
        Camera(**place)


def test_rendering_needs_a_reset_and_a_mode() -> None:
    with pytest.raises(ResetNeeded, match="reset the environment"):
        _env().render()
    for env in (GrekEnv(), GrekVectorEnv(2)):
        with pytest.warns(UserWarning, match="needs a render_mode"):
            assert env.render() is None


def test_cameras_have_their_names() -> None:
    assert all(name == camera.name for name, camera in CAMERAS.items())


# -- processes of their own: what GL finds is found once in a process -------------------------


def _python(code: str, **environment: str) -> subprocess.CompletedProcess[str]:
    names = ("MUJOCO_GL", "DISPLAY", "WAYLAND_DISPLAY", "PYOPENGL_PLATFORM")
    clean = {name: value for name, value in os.environ.items() if name not in names}
    return subprocess.run(
        [sys.executable, "-c", code],
        env=clean | environment,
        capture_output=True,
        text=True,
        check=False,
    )


STEP = """
import gymnasium, grek, numpy
from grek.errors import InputError
env = gymnasium.make("grek/Walk-v0", render_mode="{mode}", materials="wood", space="heldout",
                     disable_env_checker=True, width=200, height=120)
try:
    env.reset(seed=0)
    for _ in range(3):
        env.step(numpy.zeros(10))
    print(type(env.render()).__name__)
    window = env.unwrapped._window
    print("open" if window is not None and window.is_open else "shut")
except InputError as error:
    print("refused:", error)
env.close()
"""


@pytest.mark.skipif(sys.platform != "linux", reason="EGL is how Linux draws without a display")
def test_without_egl_one_line_names_the_package() -> None:
    done = _python(STEP.format(mode="rgb_array"), __EGL_VENDOR_LIBRARY_DIRS="/nowhere")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("refused:") and "libegl1" in done.stdout
    assert done.stdout.count("\n") == 1


@pytest.mark.skipif(sys.platform != "linux", reason="other systems always have a display")
def test_human_without_a_display_says_so_once_and_goes_on() -> None:
    done = _python(STEP.format(mode="human"))
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["NoneType", "shut"]
    assert done.stderr.count('WARN: no display: render_mode="human" shows nothing') == 1


FORK = """
import multiprocessing
from grek.envs.gym_env import GrekEnv
from grek.errors import InputError

def draw():
    env = GrekEnv(render_mode="rgb_array", width=32, height=32, materials="dry_concrete")
    env.reset(seed=0)
    try:
        print(env.render().shape, flush=True)
    except InputError as error:
        print("refused:", error, flush=True)

for _ in range(2):
    child = multiprocessing.get_context("fork").Process(target=draw)
    child.start()
    child.join()
    draw()
"""


@needs_opengl
@pytest.mark.skipif(not hasattr(os, "fork"), reason="a system without fork")
def test_a_fork_draws_only_before_its_parent_did() -> None:
    said = _python(FORK).stdout.splitlines()
    assert said[:2] + said[3:] == ["(32, 32, 3)"] * 3
    assert said[2].startswith("refused: a process forked from one that drew cannot draw")


@needs_opengl
@pytest.mark.skipif(not shutil.which("xvfb-run"), reason="a display without a screen: xvfb")
@pytest.mark.parametrize("library", [{}, {"MUJOCO_GL": "egl"}], ids=["glfw", "egl"])
def test_human_with_a_display_opens_a_window(library: dict[str, str]) -> None:
    code = STEP.format(mode="human")
    command = ["xvfb-run", "-a", "-s", "-screen 0 640x480x24", sys.executable, "-c", code]
    environment = {k: v for k, v in os.environ.items() if k not in ("MUJOCO_GL", "DISPLAY")}
    done = subprocess.run(
        command, env=environment | library, capture_output=True, text=True, check=False
    )
    assert done.stdout.split() == ["NoneType", "open"], done.stderr


def test_gymnasium_makes_it_human_without_a_wrapper() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        env = gymnasium.make("grek/Walk-v0", render_mode="human")
    assert env.unwrapped.render_mode == "human"
    assert "HumanRendering" not in str(env)
