"""Suites: fixed lists of scenarios, the same for every policy.

A suite takes the same number of episodes for each context of its spaces. Training draws train
indices below TRAINING_SCENARIOS, in whatever space; a suite begins there, so they never meet.
"""

import dataclasses
import hashlib
import json
from dataclasses import dataclass

from grek.envs.scenarios.scenario import TRAINING_SCENARIOS, Scenario, ScenarioSpace
from grek.errors import InputError

VERSION = 3


@dataclass(frozen=True)
class Suite:
    """A name, the spaces it covers and how many episodes each context gets."""

    name: str
    spaces: tuple[str, ...]
    episodes: int


SUITES = {
    suite.name: suite
    for suite in (
        Suite("quick", ("train", "heldout", "numerics"), 12),
        Suite("train", ("train",), 64),
        Suite("heldout", ("heldout",), 64),
        Suite("numerics", ("numerics",), 64),
        Suite("full", ("train", "heldout", "numerics"), 64),
    )
}


def suite(name: str) -> Suite:
    """The suite called `name`; raises InputError naming the valid ones."""
    if name not in SUITES:
        raise InputError(f"unknown suite {name!r}; there are: {', '.join(SUITES)}")
    return SUITES[name]


def scenarios(suite: Suite, seed: int = 0, episodes: int | None = None) -> list[Scenario]:
    """The scenarios of `suite` in order; another `seed` takes a disjoint block of indices."""
    count = suite.episodes if episodes is None else episodes
    if not 1 <= count <= 10_000:
        raise InputError(f"episodes must be between 1 and 10000, got {count}")
    if not 0 <= seed < 10_000:
        raise InputError(f"seed must be between 0 and 9999, got {seed}")
    found = []
    for name in suite.spaces:
        space = ScenarioSpace(name)
        contexts = len(space.contexts)
        block = -(-TRAINING_SCENARIOS // contexts)
        first = (block + seed * 10_000) * contexts
        found += [space.draw(first + i) for i in range(contexts * count)]
    return found


def digest(scenarios: list[Scenario]) -> str:
    """What identifies the worlds of a suite: the hash of all that was drawn for them."""
    text = json.dumps([VERSION, *(dataclasses.asdict(s) for s in scenarios)], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()
