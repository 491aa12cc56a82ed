"""The autoreset modes of the vector environment are those of Gymnasium's `SyncVectorEnv`."""

import copy
import pickle
from collections.abc import Callable
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium.vector import AsyncVectorEnv, AutoresetMode, SyncVectorEnv

from grek.envs.episodes import EpisodeConfig
from grek.envs.gym_env import GrekEnv
from grek.envs.gym_vector_env import GrekVectorEnv
from grek.errors import InputError

WORLDS, STEPS, SEED = 3, 90, 11
CONFIG = EpisodeConfig(space="heldout", replay=0.5)
each_mode = pytest.mark.parametrize("mode", AutoresetMode, ids=lambda mode: mode.name)


def make() -> GrekEnv:
    """One world, in whose episodes a random policy soon falls."""
    return GrekEnv(config=CONFIG)


def assert_same_infos(one: dict[str, Any], two: dict[str, Any]) -> None:
    """The values that their masks show are equal."""
    for name, values in two.items():
        if name.startswith("_"):
            continue
        if isinstance(values, dict):
            assert_same_infos(one[name], values)
            continue
        mask = two[f"_{name}"]
        assert np.array_equal(one[f"_{name}"], mask), name
        for world in np.flatnonzero(mask):
            assert np.array_equal(one[name][world], values[world]), name


@each_mode
def test_modes_agree_with_gymnasiums_own_vector_environment(mode: AutoresetMode) -> None:
    ours = GrekVectorEnv(WORLDS, config=CONFIG, autoreset_mode=mode)
    theirs = SyncVectorEnv([make] * WORLDS, autoreset_mode=mode)
    assert ours.metadata["autoreset_mode"] is mode
    both = ours, theirs
    (seen, infos), (wanted, expected) = (envs.reset(seed=SEED) for envs in both)
    assert np.array_equal(seen, wanted)
    assert_same_infos(infos, expected)
    rng, ends = np.random.default_rng(2), 0
    for _ in range(STEPS):
        action = rng.normal(size=(WORLDS, 10)).astype(np.float32)
        (seen, *found, infos), (wanted, *others, expected) = (e.step(action) for e in both)
        assert np.array_equal(seen, wanted)
        for one, two in zip(found, others, strict=True):
            assert np.array_equal(one, two)
        assert_same_infos(infos, expected)
        ended = found[1] | found[2]
        ends += int(ended.sum())
        if mode is AutoresetMode.DISABLED and ended.any():
            (seen, infos), (wanted, expected) = (
                envs.reset(options={"reset_mask": ended.copy()}) for envs in both
            )
            assert np.array_equal(seen, wanted)
            assert_same_infos(infos, expected)
    assert ends >= WORLDS


def test_next_step_ignores_the_action_of_a_world_that_is_reset() -> None:
    envs = GrekVectorEnv(2, max_episode_steps=2, autoreset_mode="NEXT_STEP")
    envs.reset(seed=0)
    still = np.zeros((2, 10))
    envs.step(still)
    *_, truncated, infos = envs.step(still)
    assert truncated.all() and infos["is_success"].all() and not infos["fell"].any()
    _, reward, terminated, truncated, infos = envs.step(np.full((2, 10), np.nan))
    assert not reward.any() and not terminated.any() and not truncated.any()
    assert infos["_scenario"].all() and not infos["_alive"].any()
    assert not envs.episodes.batch.age.any()


def test_disabled_waits_for_a_reset() -> None:
    envs = GrekVectorEnv(2, max_episode_steps=2, autoreset_mode="Disabled")
    envs.reset(seed=0, options={"scenario": ["train/sand:1", "train/gravel:1"]})
    still = np.zeros((2, 10))
    envs.reset(options={"reset_mask": np.array([False, True])})
    names = [scenario.name for scenario in envs.scenarios]
    assert names[0] == "train/sand:1" and names[1] != "train/gravel:1"
    for _ in range(2):
        envs.step(still)
    with pytest.raises(InputError, match="the episodes of worlds 0, 1 ended: reset them with opt"):
        envs.step(still)
    options = {"reset_mask": np.array([True, False]), "scenario": ["train/sand:5", "nowhere:0"]}
    _, infos = envs.reset(options=options)
    assert infos["_scenario"].tolist() == [True, False] and infos["scenario"][0] == "train/sand:5"
    with pytest.raises(InputError, match="the episodes of worlds 1 ended"):
        envs.step(still)
    envs.reset(options={"reset_mask": np.array([False, True])})
    *_, truncated, _ = envs.step(still)
    assert not truncated.any()


@pytest.mark.parametrize(
    "mask", [[True], np.ones(3, bool), np.zeros(2, bool), np.ones(2), [[True, True]]]
)
def test_a_mask_that_chooses_nothing_is_refused(mask: Any) -> None:
    with pytest.raises(InputError, match=r"reset_mask is a boolean array \(2,\)"):
        GrekVectorEnv(2).reset(options={"reset_mask": mask})


def test_unknown_modes_and_options_are_refused() -> None:
    with pytest.raises(InputError, match="there are: NEXT_STEP, SAME_STEP, DISABLED"):
        GrekVectorEnv(2, autoreset_mode="never")
    with pytest.raises(InputError, match="unknown option 'mask' of reset; there are: scenario, re"):
        GrekVectorEnv(2).reset(options={"mask": None})


def test_seeds_of_chosen_worlds_do_not_touch_the_others() -> None:
    one, two = (GrekVectorEnv(2, autoreset_mode="DISABLED") for _ in range(2))
    for envs in (one, two):
        envs.reset(seed=5)
    one.reset(seed=9, options={"reset_mask": np.array([False, True])})
    after = [envs.reset()[1]["scenario"] for envs in (one, two)]
    assert after[0][0] == after[1][0] and after[0][1] != after[1][1]


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda envs: pickle.loads(pickle.dumps(envs))])
@each_mode
def test_a_copy_goes_on_in_every_mode(mode: AutoresetMode, copied: Callable) -> None:
    """Taken where a world has ended and is not reset."""
    envs = GrekVectorEnv(2, max_episode_steps=5, autoreset_mode=mode, weights={"alive": 2.0})
    envs.reset(seed=3)
    rng = np.random.default_rng(0)

    def step(which: GrekVectorEnv, action: np.ndarray) -> list[np.ndarray]:
        if mode is AutoresetMode.DISABLED and which._ended.any():
            which.reset(options={"reset_mask": which._ended.copy()})
        return list(which.step(action)[:4])

    for _ in range(5):
        step(envs, rng.normal(0, 0.3, (2, 10)))
    other = copied(envs)
    for _ in range(8):
        action = rng.normal(0, 0.3, (2, 10))
        for one, two in zip(step(envs, action), step(other, action), strict=True):
            assert np.array_equal(one, two)


def started() -> gymnasium.Env:
    """What a process of an `AsyncVectorEnv` makes."""
    return gymnasium.make("grek/Walk-v0", materials="dry_concrete")


@pytest.mark.parametrize("context", ["spawn", "fork"])
def test_processes_side_by_side(context: str) -> None:
    here = SyncVectorEnv([started] * 2)
    there = AsyncVectorEnv([started] * 2, context=context)
    try:
        assert np.array_equal(here.reset(seed=1)[0], there.reset(seed=1)[0])
        for _ in range(3):
            action = np.full((2, 10), 0.1, np.float32)
            for one, two in zip(here.step(action)[:4], there.step(action)[:4], strict=True):
                assert np.array_equal(one, two)
    finally:
        there.close()
        here.close()
