"""Episodes in n worlds: which scenario comes next, and SAME_STEP resets; what all faces share."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from grek.envs.ground.materials import material
from grek.envs.scenarios.scenario import TRAINING_SCENARIOS, Scenario, ScenarioSpace, parse
from grek.envs.tasks.walk import STEPS, Outcome, Walk, WalkConfig
from grek.errors import InputError


@dataclass(frozen=True)
class EpisodeConfig:
    """Where the scenarios of the episodes come from."""

    space: str = "train"
    """Space the scenarios are drawn from."""
    scenarios: int = TRAINING_SCENARIOS
    """Only indices below this are drawn."""
    materials: tuple[str, ...] | None = None
    """Only these materials; the space's own by default."""
    again: float = 0.0
    """Chance that a world in which the droid fell comes again: hard ones are met more often."""
    walk: WalkConfig = field(default_factory=WalkConfig)

    def __post_init__(self) -> None:
        if self.scenarios < 1:
            raise InputError(f"scenarios must be at least 1, got {self.scenarios}")
        if not 0 <= self.again <= 1:
            raise InputError(f"again is a chance between 0 and 1, got {self.again}")
        for name in self.materials or ():
            material(name)


class Episodes:
    """`worlds` walking tasks that begin again by themselves; world i draws from seed + i."""

    def __init__(self, worlds: int, threads: int = 1, config: EpisodeConfig | None = None) -> None:
        self.config = config or EpisodeConfig()
        self.space = ScenarioSpace(self.config.space)
        self.walk = Walk(worlds, threads, self.config.walk)
        self.level = 1.0  # difficulty in [0, 1], set by a curriculum
        self._levels = np.ones(worlds)  # at which each world's scenario was drawn
        self.seed(None)

    def seed(self, seed: int | None) -> None:
        """Let world i draw its scenarios from seed + i, or from fresh entropy."""
        n = self.walk.worlds
        seeds = [None] * n if seed is None else [seed + i for i in range(n)]
        self.generators = [np.random.default_rng(s) for s in seeds]

    def start(self, worlds: Sequence[int] | NDArray, names: Sequence[str] | None = None) -> None:
        """Begin an episode in each of `worlds`, in the scenarios `names` or in drawn ones."""
        if names is None:
            self._begin(worlds, [self._draw(world) for world in worlds], self.level)
        else:
            if isinstance(names, str) or len(names) != len(worlds):
                raise InputError(f"{len(worlds)} worlds need as many scenario names, got {names!r}")
            self._begin(worlds, [parse(name, self.config.materials) for name in names], 1.0)

    def stagger(self) -> None:
        """Let the worlds be anywhere in their episodes, so that they do not all end at once."""
        self.walk.age[:] = [rng.integers(STEPS) for rng in self.generators]

    def step(self, action: NDArray) -> Outcome:
        """Advance all worlds; those that end are left ended, see `restart`."""
        return self.walk.step(action)

    def restart(self, outcome: Outcome) -> NDArray[np.int64]:
        """Begin anew where `outcome` ended an episode; returns those worlds (k,)."""
        ended = np.flatnonzero(outcome.terminated | outcome.truncated)
        scenarios = [self._draw(world, bool(outcome.terminated[world])) for world in ended]
        self._begin(ended, scenarios, self.level)
        return ended

    def snapshot(self) -> dict[str, Any]:
        """What `restore` needs to go on from here: plain values and arrays."""
        return {
            "walk": self.walk.snapshot(),
            "scenarios": [s.name for s in self.walk.simulation.scenarios],
            "levels": self._levels.copy(),
            "level": self.level,
            "generators": [json.dumps(g.bit_generator.state) for g in self.generators],
        }

    def restore(self, saved: dict[str, Any]) -> None:
        """Go on from a snapshot of as many worlds, in the same configuration."""
        scenarios = [
            parse(name, self.config.materials).eased(level)
            for name, level in zip(saved["scenarios"], saved["levels"], strict=True)
        ]
        self.walk.reset(np.arange(self.walk.worlds), scenarios)
        self.walk.restore(saved["walk"])
        self._levels[:] = saved["levels"]
        self.level = saved["level"]
        for generator, state in zip(self.generators, saved["generators"], strict=True):
            generator.bit_generator.state = json.loads(state)

    def _begin(
        self, worlds: Sequence[int] | NDArray, scenarios: Sequence[Scenario], level: float
    ) -> None:
        self._levels[worlds] = level
        self.walk.reset(worlds, scenarios)

    def _draw(self, world: int | np.int64, fell: bool = False) -> Scenario:
        """What comes next in `world`."""
        rng, config = self.generators[world], self.config
        if fell and config.again and rng.random() < config.again:
            scenario = parse(self.walk.simulation.scenarios[world].name, config.materials)
        else:
            scenario = self.space.draw(int(rng.integers(config.scenarios)), config.materials)
        return scenario.eased(self.level)
