"""Env, VectorEnv and VecEnv are one task seen through three faces."""

import copy
import pickle
import warnings

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env
from stable_baselines3.common.env_checker import check_env as sb3_check_env

import grek
from grek.envs.episodes import EpisodeConfig, Episodes
from grek.envs.gym_env import GrekEnv
from grek.envs.gym_vector_env import GrekVectorEnv
from grek.envs.scenarios.scenario import Scenario
from grek.envs.scenarios.spaces import parse
from grek.envs.tasks import Outcome, TaskBatch, walking
from grek.errors import InputError
from grek.training.vec_env import GrekVecEnv

IDS = [i for i in gymnasium.registry if i.startswith("grek/")]


@pytest.mark.parametrize("name", IDS)
def test_gymnasium_accepts_it(name):
    assert grek.__version__
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        # Unbounded observations and actions beyond 1 are meant: SI units and radians.
        warnings.filterwarnings("ignore", message=".*Box observation space.*")
        warnings.filterwarnings("ignore", message=".*Box action space.*")
        warnings.filterwarnings("ignore", message=".*For Box action spaces.*")
        # It makes every render mode, and the machine of the tests may have no display.
        warnings.filterwarnings("ignore", message=".*no display: render_mode=.human. shows")
        env = gymnasium.make(name)
        check_env(env.unwrapped)
        env.close()


@pytest.mark.parametrize("name", IDS)
def test_stable_baselines_accepts_it(name):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.filterwarnings("ignore", message=".*symmetric and normalized Box action.*")
        sb3_check_env(gymnasium.make(name).unwrapped)


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda env: pickle.loads(pickle.dumps(env))])
@pytest.mark.parametrize("place", ["train/sand:7", "train/gravel:2"])
def test_a_copy_goes_on_as_the_environment_does(copied, place):
    """Through soft ground, a made environment with its wrappers, and the episodes drawn after."""
    env = gymnasium.make("grek/Walk-v0")
    env.reset(seed=4, options={"scenario": place})
    actions = np.random.default_rng(0).normal(0, 0.3, (30, 10)).astype(np.float32)
    for action in actions[:15]:
        env.step(action)
    other = copied(env)
    for action in actions[15:]:
        (one, reward, *ends), (two, same, *others) = env.step(action)[:4], other.step(action)[:4]
        assert np.array_equal(one, two) and reward == same and ends == others
    assert env.reset()[1] == other.reset()[1]


def test_a_copy_of_an_environment_that_has_not_begun():
    env = GrekEnv()
    env.reset(seed=3)
    fresh, same = GrekEnv(), copy.deepcopy(GrekEnv())
    for other in (fresh, same):
        assert np.array_equal(other.reset(seed=3)[0], env.reset(seed=3)[0])


@pytest.mark.parametrize("name", IDS)
def test_make_vec(name):
    envs = gymnasium.make_vec(name, num_envs=3, vectorization_mode="vector_entry_point")
    observation, _ = envs.reset(seed=1)
    assert observation.shape == envs.observation_space.shape
    assert envs.metadata["autoreset_mode"] is gymnasium.vector.AutoresetMode.SAME_STEP


def test_three_faces_agree_step_by_step():
    worlds, seed, steps = 3, 11, 120
    actions = np.random.default_rng(2).normal(size=(steps, worlds, 10)).astype(np.float32)
    config = EpisodeConfig(space="heldout")
    singles = [GrekEnv(privileged=True, config=config) for _ in range(worlds)]
    vector = GrekVectorEnv(worlds, privileged=True, config=config)
    batch = GrekVecEnv(worlds, threads=2, config=config)
    one = np.stack([env.reset(seed=seed + i)[0] for i, env in enumerate(singles)])
    two, _ = vector.reset(seed=seed)
    batch.seed(seed)
    three = batch.reset()
    assert np.array_equal(one, two) and np.array_equal(two, three)
    ends = 0
    for action in actions:
        two, reward, terminated, truncated, infos = vector.step(action)
        three, sb3_reward, done, sb3_infos = batch.step(action)
        for i, env in enumerate(singles):
            seen, single_reward, *ended, _ = env.step(action[i])
            assert single_reward == reward[i] and np.float32(single_reward) == sb3_reward[i]
            assert ended == [terminated[i], truncated[i]]
            assert any(ended) == done[i]
            if any(ended):
                ends += 1
                assert np.array_equal(infos["final_obs"][i], seen)
                assert np.array_equal(sb3_infos[i]["terminal_observation"], seen)
                assert sb3_infos[i]["TimeLimit.truncated"] == truncated[i]
                seen, _ = env.reset()
            assert np.array_equal(seen, two[i]) and np.array_equal(seen, three[i])
    assert ends >= 3  # falls were met, and the new episodes agree too


def test_returned_arrays_are_not_reused():
    vector = GrekVectorEnv(2)
    first, _ = vector.reset(seed=0)
    kept = first.copy()
    vector.step(np.ones((2, 10), np.float32))
    assert np.array_equal(first, kept)


def test_an_episode_lasts_twenty_seconds():
    env = GrekEnv()
    env.reset(seed=0, options={"scenario": "numerics:0"})
    assert env.episodes.task.steps == 1000
    env.episodes.batch.age[:] = 998
    *_, terminated, truncated, _ = env.step(np.zeros(10, np.float32))
    assert (terminated, truncated) == (False, False)
    *_, terminated, truncated, _ = env.step(np.zeros(10, np.float32))
    assert (terminated, truncated) == (False, True)


def test_scenario_by_name():
    env = GrekEnv()
    first, info = env.reset(options={"scenario": "heldout/grass:3"})
    env.reset(options={"scenario": "heldout/grass:4"})
    again, _ = env.reset(options={"scenario": "heldout/grass:3"})
    assert info["scenario"] == "heldout/grass:3"
    assert np.array_equal(first, again)
    assert env.episodes.scenarios == [parse("heldout/grass:3")]
    _, info = env.reset(options={"scenario": "heldout:3"})
    assert info["scenario"] == "heldout/grass:0"  # short names count through the contexts
    with pytest.raises(InputError, match="scenario 3 is not"):
        env.reset(options={"scenario": 3})
    with pytest.raises(InputError, match="unknown space"):
        env.reset(options={"scenario": "moon:3"})


def test_history_lengthens_the_observation_by_whole_readings():
    plain = GrekEnv(config=EpisodeConfig(task=walking(history=0))).observation_space.shape[0]
    config = EpisodeConfig(task=walking(history=2))
    longer = GrekEnv(config=config)
    observation, _ = longer.reset(seed=0)
    assert observation.shape == (plain + 2 * 26,)
    for _ in range(3):
        observation, *_ = longer.step(np.zeros(10, np.float32))
    assert not np.array_equal(observation[:26], observation[plain : plain + 26])


def test_unknown_material_is_refused():
    with pytest.raises(InputError, match="unknown material 'lava'"):
        GrekEnv(config=EpisodeConfig(materials=("lava",)))


def test_space_and_config_go_together():
    env = GrekEnv(space="heldout", config=EpisodeConfig(scenarios=1))
    assert env.reset()[1]["scenario"] == "heldout/ice:0"


@pytest.mark.parametrize("names", ["train:1", ["train:1"], ["train:1"] * 3])
def test_as_many_names_as_worlds(names):
    with pytest.raises(InputError, match="2 worlds"):
        GrekVectorEnv(2).reset(options={"scenario": names})


def test_a_world_in_which_the_droid_fell_comes_again():
    episodes = Episodes(200, config=EpisodeConfig(replay=0.5))
    episodes.seed(3)
    episodes.start(np.arange(200))
    names = [s.name for s in episodes.scenarios]
    half = np.arange(200) < 100
    episodes.restart(Outcome(np.zeros(200), terminated=half, truncated=~half, terms={}))
    same = np.array([s.name for s in episodes.scenarios]) == names
    assert 35 <= same[:100].sum() <= 65  # binomial, 99.8 %
    assert not same[100:].any()


@pytest.mark.parametrize(
    ("config", "told"),
    [
        ({"scenarios": 0}, "scenarios 0 is not in 1 to 300000"),
        ({"scenarios": 300_001}, "scenarios 300001 is not in 1 to 300000"),
        ({"replay": 1.5}, r"replay is a probability in \[0, 1\], got 1.5"),
        ({"materials": ("sand", "lava")}, "unknown material 'lava'"),
        ({"space": "moon"}, "unknown space 'moon'"),
        ({"task": "grek/Fly-v0"}, "unknown task 'grek/Fly-v0'; there are: grek/Walk-v0"),
        ({"space": "heldout", "materials": ("sand",)}, "unknown context 'sand' of heldout"),
    ],
)
def test_what_makes_no_episodes_is_refused(config, told):
    with pytest.raises(InputError, match=told):
        Episodes(1, config=EpisodeConfig(**config))


def test_actions_of_another_shape_are_refused():
    env = GrekEnv()
    env.reset(seed=0)
    with pytest.raises(InputError, match=r"actions have shape \(1, 9\), not \(1, 10\)"):
        env.step(np.zeros(9, np.float32))


def test_a_level_of_difficulty_eases_the_worlds_that_begin():
    episodes = Episodes(3)
    episodes.level = 0.25
    episodes.seed(5)
    episodes.start(range(3))
    for scenario in episodes.scenarios:
        full = parse(scenario.name)
        assert scenario == full.eased(0.25) != full


def test_episodes_go_on_from_a_snapshot():
    """Over falls and into new episodes, easier ones among them: to the bit."""
    actions = np.random.default_rng(2).normal(size=(120, 3, 10))

    def go_on(episodes: Episodes, moves: np.ndarray) -> list[np.ndarray]:
        seen = []
        for action in moves:
            episodes.restart(episodes.step(action))
            seen.append(episodes.batch.observe(True))
        return seen

    first = Episodes(3, config=EpisodeConfig(replay=0.5))
    first.level = 0.5
    first.seed(11)
    first.start(range(3))
    go_on(first, actions[:40])
    first.level = 0.75
    saved = first.snapshot()
    names = [scenario.name for scenario in first.scenarios]
    second = Episodes(3, config=EpisodeConfig(replay=0.5))
    second.restore(saved)
    assert second.scenarios == first.scenarios
    for one, two in zip(go_on(first, actions[40:]), go_on(second, actions[40:]), strict=True):
        assert np.array_equal(one, two)
    assert second.scenarios == first.scenarios
    assert [scenario.name for scenario in first.scenarios] != names


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_actions_that_are_not_finite_are_refused_by_world(bad):
    batch = TaskBatch(walking(), 3)
    batch.reset(range(3), [Scenario()] * 3)
    action = np.zeros((3, 10))
    action[1, 4] = bad
    before = batch.state
    with pytest.raises(InputError, match="the action of world 1 is not finite"):
        batch.step(action)
    assert batch.state is before and not batch.age.any()


@pytest.mark.parametrize("shape", [(), (1,), (9,), (10, 1), (2, 10)])
def test_an_action_of_another_shape_is_refused(shape):
    env = gymnasium.make("grek/Walk-v0", disable_env_checker=True)
    env.reset(seed=0)
    with pytest.raises(InputError, match="actions have shape"):
        env.step(np.zeros(shape))
