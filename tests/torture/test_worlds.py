"""Worlds under random and hostile actions: failures are counted, memory does not grow."""

import resource

import numpy as np

from grek.envs.episodes import EpisodeConfig, Episodes
from grek.envs.ground.materials import MATERIALS
from grek.envs.scenarios.spaces import SPACES

from .attack import SECONDS, tries

WORLDS = 1024 if SECONDS else 32


def hostile(rng: np.random.Generator, step: int, worlds: int, actions: int) -> np.ndarray:
    """Noise, full deflection, full reversal every step, one joint, or rest, by world."""
    kind = (np.arange(worlds) + step // 50) % 5
    noise = rng.normal(0, 1, (worlds, actions))
    full = np.sign(noise) * 1e6
    turn = np.full((worlds, actions), 4.0 * (-1) ** step)
    one = np.where(np.arange(actions) == step // 10 % actions, 4.0, 0.0) * np.ones((worlds, 1))
    return np.choose(kind[:, None], [noise, full, turn, one, np.zeros_like(noise)])


def test_hostile_actions_on_all_materials():
    """Of every space: worlds that fail are reported as broken and begin again."""
    episodes = Episodes(WORLDS, 2, EpisodeConfig())
    names = [
        f"{space.name}/{context.slug}:{i}"
        for i in range(WORLDS)
        for space in SPACES.values()
        for context in space.contexts
        if context.axis == "material" or i % 4 == 0
    ]
    assert {name for name in MATERIALS} <= {n.split("/")[1].split(":")[0] for n in names}
    order = np.random.default_rng(0).permutation(len(names))[:WORLDS]
    episodes.start(np.arange(WORLDS), [names[i] for i in order])
    broken, peak = 0, []
    for step, rng in enumerate(tries(150, 40)):
        outcome = episodes.step(hostile(rng, step, WORLDS, episodes.task.actions))
        failed = episodes.batch.state.broken
        broken += int(failed.sum())
        assert np.isfinite(outcome.reward).all()
        assert outcome.terminated[failed].all()
        assert np.isfinite(episodes.batch.observe(True)).all()
        episodes.restart(outcome)
        peak.append(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
    assert broken == len(episodes.batch.broken)
    warm = len(peak) // 2  # every size of batch has been seen by then
    assert peak[-1] - peak[warm] < 20_000 + 0.02 * peak[warm]  # [KiB]
