"""Suites: fixed lists of scenarios, the same for every policy.

A suite has the same number of episodes in each context of its spaces. Training draws indices below
FIRST_EVALUATED in every context, suites draw from there on, so they are disjoint.
"""

import hashlib
import json
from dataclasses import dataclass

from grek.envs.registry import Registry
from grek.envs.robots import GREK, Robot
from grek.envs.scenarios.scenario import Scenario, to_plain
from grek.envs.scenarios.spaces import FIRST_EVALUATED, space
from grek.errors import InputError

VERSION = 6  # of the suites and of what is measured in them, part of their digest
BLOCK = 10_000  # indices of a context per seed


@dataclass(frozen=True)
class Suite:
    """Name, spaces, and default number of episodes of each context."""

    name: str
    spaces: tuple[str, ...]
    episodes: int


SUITES = Registry(
    "suite",
    Suite("quick", ("train", "heldout", "numerics"), 12),
    Suite("train", ("train",), 64),
    Suite("tune", ("tune",), 64),
    Suite("heldout", ("heldout",), 64),
    Suite("numerics", ("numerics",), 64),
    Suite("faults", ("faults",), 16),
    Suite("stage", ("stage", "tour", "transitions"), 64),
    Suite("full", ("train", "heldout", "numerics"), 64),
)
suite = SUITES.named


def scenarios(
    suite: Suite, seed: int = 0, episodes: int | None = None, robot: Robot = GREK
) -> list[Scenario]:
    """Scenarios of `suite` in order; each `seed` has its own block of indices.

    Raises InputError for `episodes` outside [1, BLOCK] or `seed` outside [0, 9999].
    """
    count = suite.episodes if episodes is None else episodes
    if not 1 <= count <= BLOCK:
        raise InputError(f"episodes must be between 1 and {BLOCK}, got {count}")
    if not 0 <= seed < 10_000:
        raise InputError(f"seed must be between 0 and 9999, got {seed}")
    first = FIRST_EVALUATED + seed * BLOCK
    return [
        space(name).draw(context, first + i, robot)
        for name in suite.spaces
        for i in range(count)
        for context in space(name).contexts
    ]


def digest(scenarios: list[Scenario]) -> str:
    """SHA-256 of VERSION and the content of all `scenarios`."""
    text = json.dumps([VERSION, *(to_plain(s) for s in scenarios)], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()
