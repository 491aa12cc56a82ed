"""Suites: fixed lists of scenarios, the same for every policy.

A suite has the same number of episodes in each context of its spaces. Training draws indices below
FIRST_EVALUATED in every context, suites draw from there on, so they are disjoint.
"""

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import overload

from grek.envs.registry import Registry
from grek.envs.robots import GREK, Robot
from grek.envs.scenarios.scenario import Scenario, to_plain
from grek.envs.scenarios.spaces import FIRST_EVALUATED, space
from grek.errors import InputError

VERSION = 6  # of the suites and of what is measured in them, part of their digest
BLOCK = 10_000  # indices of a context per seed
SEEDS = 10_000  # number of seeds
MOST = 1_000_000  # episodes of a context; those beyond BLOCK have a block per seed of their own


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
    Suite("engines", ("engines",), 64),
    Suite("stage", ("stage", "tour", "transitions"), 64),
    Suite("full", ("train", "heldout", "numerics"), 64),
)


def suite(name: str) -> Suite:
    """Suite `name`, or that of the space in the file `name`, which ends in .toml.

    Raises InputError for an unknown name or a malformed file.
    """
    if name.endswith(".toml"):
        return Suite(space(name).name, (space(name).name,), 64)
    return SUITES.named(name)


@dataclass(frozen=True)
class Draws(Sequence[Scenario]):
    """Scenarios of a suite in order, drawn anew whenever they are asked for."""

    spaces: tuple[str, ...]
    seed: int
    episodes: int
    """Of each context."""
    robot: Robot = GREK

    def __len__(self) -> int:
        return self.episodes * sum(len(space(name).contexts) for name in self.spaces)

    @overload
    def __getitem__(self, i: int) -> Scenario: ...
    @overload
    def __getitem__(self, i: slice) -> list[Scenario]: ...
    def __getitem__(self, i: int | slice) -> Scenario | list[Scenario]:
        if isinstance(i, slice):
            return [self[k] for k in range(*i.indices(len(self)))]
        rest = range(len(self))[i]
        for name in self.spaces:
            drawn = space(name)
            number, context = divmod(rest, len(drawn.contexts))
            if number < self.episodes:
                return drawn.draw(drawn.contexts[context], self._index(number), self.robot)
            rest -= self.episodes * len(drawn.contexts)
        raise IndexError(i)

    def _index(self, number: int) -> int:
        """Index in its context of the episode `number` of a row."""
        if number < BLOCK:
            return FIRST_EVALUATED + self.seed * BLOCK + number
        return FIRST_EVALUATED + SEEDS * BLOCK + self.seed * MOST + number


def scenarios(
    suite: Suite, seed: int = 0, episodes: int | None = None, robot: Robot = GREK
) -> Draws:
    """Scenarios of `suite` in order; each `seed` has its own indices.

    Raises InputError for `episodes` outside [1, MOST] or `seed` outside [0, SEEDS - 1].
    """
    count = suite.episodes if episodes is None else episodes
    check_block(count, seed)
    return Draws(suite.spaces, seed, count, robot)


def check_block(episodes: int, seed: int) -> None:
    """Raise InputError for `episodes` outside [1, MOST] or `seed` outside [0, SEEDS - 1]."""
    if not 1 <= episodes <= MOST:
        raise InputError(f"episodes must be between 1 and {MOST}, got {episodes}")
    if not 0 <= seed < SEEDS:
        raise InputError(f"seed must be between 0 and {SEEDS - 1}, got {seed}")


def digest(scenarios: Iterable[Scenario]) -> str:
    """SHA-256 of VERSION and the content of all `scenarios`."""
    found = hashlib.sha256(f"[{VERSION}".encode())
    for scenario in scenarios:
        found.update(f", {json.dumps(to_plain(scenario), sort_keys=True)}".encode())
    found.update(b"]")
    return found.hexdigest()
