"""Keywords of `gymnasium.make` and `make_vec`, what environments offer, and their bounds."""

import dataclasses
import inspect
import re
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest

from grek.envs.episodes import EpisodeConfig
from grek.envs.gym_env import GrekEnv
from grek.envs.gym_vector_env import GrekVectorEnv
from grek.envs.robots import GREK
from grek.envs.scenarios.spaces import parse
from grek.envs.tasks import walking
from grek.errors import InputError

NAME = "grek/Walk-v0"


def _both(**settings: Any) -> list[Any]:
    """The environment of one world and of one in a batch, without wrappers."""
    return [
        gymnasium.make(NAME, **settings).unwrapped,
        gymnasium.make_vec(NAME, num_envs=1, **settings),
    ]


def test_keywords_reach_both_environments():
    settings = {
        "space": "heldout",
        "materials": "ice, wood",
        "scenarios": 1000,
        "level": 0.25,
        "weights": {"alive": 3.0, "linear": 0.0},
        "history": 1,
        "past_actions": 2,
        "robot": "grek",
        "task": NAME,
    }
    for env in _both(**settings):
        episodes = env.episodes
        assert episodes.config.materials == ("ice", "wood")
        assert (episodes.config.scenarios, episodes.level) == (1000, 0.25)
        assert (episodes.task.history, episodes.task.past_actions) == (1, 2)
        env.reset(seed=3)
        (scenario,) = episodes.scenarios
        assert scenario.surface.materials[0] in ("ice", "wood")
        assert scenario == parse(scenario.name).eased(0.25)
        *_, infos = env.step(np.zeros(env.action_space.shape))
        assert np.ravel(infos["alive"])[0] == pytest.approx(3.0 * 0.02)
        assert "linear" not in infos


def test_time_limits():
    """A limit of steps is Gymnasium's wrapper around one world; a longer one is in seconds."""
    env = gymnasium.make(NAME, max_episode_steps=3)
    envs = gymnasium.make_vec(NAME, num_envs=1, max_episode_steps=3)
    assert envs.episodes.task.steps == GrekEnv(max_episode_steps=3).episodes.task.steps == 3
    env.reset(seed=0)
    envs.reset(seed=0)
    for step in range(3):
        *_, truncated, _ = env.step(np.zeros(10, np.float32))
        *_, both, _ = envs.step(np.zeros((1, 10), np.float32))
        assert truncated == both[0] == (step == 2)
    assert gymnasium.make(NAME, time_limit=40.0).unwrapped.episodes.task.steps == 2000
    assert GrekVectorEnv(1, max_episode_steps=-1).episodes.task.steps == 1000


def test_a_keyword_overrides_the_configuration_and_none_does_not():
    config = EpisodeConfig(space="heldout", materials=("ice",), history=2)
    for env in _both(config=config, materials="wood", history=None):
        assert env.episodes.config == dataclasses.replace(config, materials=("wood",))
    for env in _both(config=config, materials="all"):
        assert env.episodes.config.materials is None


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"material": "sand"}, "unexpected keyword argument 'material'; there are: .*materials"),
        ({"materials": "sand,lava"}, "unknown material 'lava'; there are: dry_concrete"),
        ({"space": "moon"}, "unknown space 'moon'"),
        ({"scenarios": 0}, "scenarios 0 is not in 1 to 300000"),
        ({"level": 1.5}, r"level 1.5 is not in \[0, 1\]"),
        ({"weights": {"speed": 1.0}}, "unknown reward term 'speed'; there are: linear=2.5"),
        ({"weights": {"alive": "much"}}, "the weight of alive is 'much', not a number"),
        ({"weights": {"alive": np.nan}}, "the weight of alive is nan, not finite"),
        ({"history": -1}, "history -1 is not a whole number in 0 to 50"),
        ({"history": 1.5}, "history 1.5 is not a whole number"),
        ({"past_actions": 51}, "past_actions 51 is not a whole number in 0 to 50"),
        ({"robot": "wheels"}, "unknown robot 'wheels'; there are: grek"),
        ({"task": "grek/Fly-v0"}, "unknown task 'grek/Fly-v0'; there are: grek/Walk-v0"),
        ({"time_limit": 0.0}, "time_limit 0.0 is not at least a control step, 0.02 s"),
        ({"render_mode": "ansi"}, "unknown render_mode 'ansi'; there are: "),
        ({"camera": "drone"}, "unknown camera 'drone'; there are: front"),
    ],
)
@pytest.mark.filterwarnings("ignore:.*not in the possible render_modes")
def test_what_is_unknown_is_named_with_what_there_is(settings, told):
    with pytest.raises(InputError, match=told):
        gymnasium.make(NAME, **settings)
    with pytest.raises(InputError, match=told):
        gymnasium.make_vec(NAME, num_envs=2, **settings)


@pytest.mark.parametrize("steps", [0, 2.5, -2])
def test_a_number_of_steps_that_is_none_is_refused(steps):
    with pytest.raises(InputError, match="max_episode_steps"):
        gymnasium.make_vec(NAME, num_envs=2, max_episode_steps=steps)


def test_another_robot_walks_but_a_task_keeps_its_own():
    tall = dataclasses.replace(GREK, name="tall")
    assert EpisodeConfig(robot=tall).resolved_task().robot is tall
    stand = walking(name="own/Stand-v0")
    with pytest.raises(InputError, match="task own/Stand-v0 is for the robot grek, not tall"):
        EpisodeConfig(robot=tall, task=stand).resolved_task()
    with pytest.raises(InputError, match="task grek/Walk-v0 is for the robot grek, not tall"):
        EpisodeConfig(robot=tall, task=walking(history=1)).resolved_task()
    assert EpisodeConfig(robot="grek", task=stand).resolved_task().name == "own/Stand-v0"


def test_what_an_environment_offers():
    env = gymnasium.make(NAME)
    env.reset(seed=0, options={"scenario": "heldout/slope-far:3"})
    one = env.unwrapped
    assert one.scenario == parse("heldout/slope-far:3")
    feet = one.state.foot_w[0]
    assert one.height_at(feet[:, 0], feet[:, 1]) == pytest.approx(
        feet[:, 2] - one.state.clearance[0], abs=0.01
    )
    assert one.height_at(1.0, 0.0) != one.height_at(-1.0, 0.0)
    assert np.shape(one.height_at(1.0, 0.0)) == ()
    assert one.height_at(np.zeros((4, 1)), np.arange(3)).shape == (4, 3)
    for _ in range(10):
        *_, info = env.step(np.zeros(10, np.float32))
    assert one.contacts.tolist() == one.state.contact[0].tolist()
    assert one.command.tolist() == one.episodes.batch.command[0].tolist()
    assert (info["x_position"], info["y_position"]) == tuple(one.state.position_w[0, :2])
    velocity = one.state.rotation[0] @ one.state.velocity_b[0]
    assert (info["x_velocity"], info["y_velocity"]) == pytest.approx(tuple(velocity[:2]))
    assert info["scenario"] == "heldout/slope-far:3" and info["fell"] is False


def test_what_a_vector_environment_offers():
    envs = GrekVectorEnv(2)
    envs.reset(options={"scenario": ["heldout/slope-far:3", "train/dry_concrete:1"]})
    assert envs.scenarios[1] == parse("train/dry_concrete:1")
    one = GrekEnv()
    one.reset(options={"scenario": "heldout/slope-far:3"})
    x = np.array([[0.5, 1.0], [0.0, 2.0]])
    assert envs.height_at(x, 0 * x)[0].tolist() == one.height_at(x[0], 0.0).tolist()
    assert envs.height_at(1.0, 0.5)[0] == one.height_at(1.0, 0.5)
    assert envs.command.shape == (2, 5) and envs.contacts.shape == (2, 2)
    assert envs.call("scenarios") == tuple(envs.scenarios)
    assert envs.get_attr("num_envs") == (2, 2)
    with pytest.warns(UserWarning, match="needs a render_mode"):
        assert envs.call("render") == (None, None)
    with pytest.raises(InputError, match="2 worlds take as many rows of points, got 3"):
        envs.height_at(np.zeros(3), np.zeros(3))


def test_a_fall_and_a_success_are_told():
    env = GrekEnv(materials="dry_concrete")
    env.reset(seed=0)
    ended = False
    while not ended:
        *_, ended, _, info = env.step(np.full(10, 4.0, np.float32))
        assert info["fell"] is ended and info["is_success"] is False
    env = GrekEnv(max_episode_steps=1)
    env.reset(seed=0)
    *_, info = env.step(np.zeros(10, np.float32))
    assert (info["fell"], info["is_success"]) == (False, True)


def test_bounds_hold_and_are_finite_where_they_are_known():
    commands = ((-0.3, 0.6), (-0.2, 0.2), (-0.8, 0.8))
    task = walking(past_actions=1, phase_rate=0.2, history=1, commands=commands)
    env = GrekEnv(privileged=True, config=EpisodeConfig(task=task, space="heldout"))
    low, high = env.observation_space.low, env.observation_space.high
    where = task.slices()

    def bounds(name: str) -> tuple[list[float], list[float]]:
        part = slice(*where[name])
        return low[part].tolist(), high[part].tolist()

    assert bounds("phase") == ([-1] * 4, [1] * 4)
    assert bounds("last_action") == bounds("action_1") == ([-4] * 10, [4] * 10)
    assert bounds("rate") == (pytest.approx([-0.2]), pytest.approx([0.2]))
    assert bounds("command")[1] == pytest.approx([0.6, 0.2, 0.8])
    assert bounds("gyro") == bounds("gyro_1") == ([-np.inf] * 3, [np.inf] * 3)
    contact = task.size() + 3 + 3 + 1 + 1 + 2  # after velocity, stride, heading, height, clearance
    assert high[contact : contact + 2].tolist() == [1, 1]
    rng = np.random.default_rng(0)
    observation, _ = env.reset(seed=1)
    for _ in range(150):
        assert observation in env.observation_space
        observation, *ends, _ = env.step(rng.normal(0, 4, 11).astype(np.float32))
        if any(ends[1:]):
            observation, _ = env.reset()
    unlimited = GrekEnv().observation_space
    assert np.isinf(unlimited.high[slice(*walking().slices()["command"])]).all()


def _rows(heading: str) -> set[str]:
    """Names in the first column of the table under `heading` of docs/gymnasium.md."""
    page = (Path(__file__).resolve().parents[2] / "docs/gymnasium.md").read_text()
    section = page.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    columns = re.findall(r"^\| (`.*?) \|", section, re.MULTILINE)
    return {name for column in columns for name in re.findall(r"`(\w+)`", column)}


def test_the_page_names_every_keyword_and_every_info():
    own = [inspect.signature(face).parameters for face in (GrekEnv, GrekVectorEnv)]
    fields = {field.name for field in dataclasses.fields(EpisodeConfig)}
    assert _rows("Keywords") == {*own[0], *own[1], *fields} - {"config", "settings"}
    env = gymnasium.make(NAME)
    env.reset(seed=0)
    *_, info = env.step(np.zeros(10, np.float32))
    terms = {term.name for term in env.unwrapped.episodes.task.terms}
    assert set(info) - terms == _rows("Infos") - terms
