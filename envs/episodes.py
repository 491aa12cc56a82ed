"""Episodes in n worlds: scenario sampling, replay and resets, shared by all environment interfaces.

The interfaces are `gymnasium.Env`, `gymnasium.vector.VectorEnv` and SB3's `VecEnv`.
"""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from grek.envs import robots, tasks
from grek.envs.contract import MOST_HISTORY
from grek.envs.ground.materials import material
from grek.envs.robots import Robot
from grek.envs.scenarios.scenario import Context, Scenario
from grek.envs.scenarios.spaces import TRAINING_SCENARIOS, parse, space
from grek.envs.scenarios.stage import SHOW
from grek.envs.simulation.simulation import CONTROL_STEP
from grek.envs.skills import SKILLS
from grek.envs.tasks import Outcome, Task, TaskBatch
from grek.envs.vectors import Array
from grek.errors import InputError

_ATTEMPTS = 1000  # limit of rejection sampling by material


@dataclass(frozen=True)
class EpisodeConfig:
    """Task and scenario distribution of episodes; raises InputError for values out of range.

    The fields from `robot` on change the task; None keeps what it has.
    """

    space: str | None = None
    """Space that scenarios are drawn from; by default the one that the task is trained in."""
    scenarios: int = TRAINING_SCENARIOS
    """Number of distinct scenarios, over all contexts of the space; at most TRAINING_SCENARIOS."""
    materials: tuple[str, ...] | None = None
    """Restrict ground to these materials; None for every context of the space."""
    skills: tuple[str, ...] | None = None
    """Restrict the space to the contexts of these skills; None for every context."""
    replay: float = 0.0
    """Replay probability, in [0, 1], of a scenario whose episode terminated (fall or failure)."""
    task: str | Task = tasks.NAME
    """Task, or the name of a registered one."""
    level: float = 1.0
    """Difficulty of drawn scenarios in [0, 1] (`Scenario.eased`), until a curriculum sets it."""
    robot: str | Robot | None = None
    """Robot that walks, or the name of a registered one; another task takes its own only."""
    weights: Mapping[str, float] | None = None
    """Weights of reward terms to change [1/s], by name."""
    history: int | None = None
    """Number of past readings of measured fields in the observation, in [0, MOST_HISTORY]."""
    past_actions: int | None = None
    """Number of actions before the last one in the observation, in [0, MOST_HISTORY]."""
    time_limit: float | None = None
    """Time at which an episode is truncated [s]."""

    def __post_init__(self) -> None:
        if not 1 <= self.scenarios <= TRAINING_SCENARIOS:  # evaluation draws beyond
            raise InputError(f"scenarios {self.scenarios} is not in 1 to {TRAINING_SCENARIOS}")
        if not 0 <= self.replay <= 1:
            raise InputError(f"replay is a probability in [0, 1], got {self.replay}")
        if not 0 <= self.level <= 1:
            raise InputError(f"level {self.level} is not in [0, 1]")
        for name in ("history", "past_actions"):
            count = getattr(self, name)
            if count is not None and not (isinstance(count, int) and 0 <= count <= MOST_HISTORY):
                raise InputError(f"{name} {count!r} is not a whole number in 0 to {MOST_HISTORY}")
        limit = self.time_limit
        if limit is not None and not CONTROL_STEP <= limit < math.inf:
            raise InputError(f"time_limit {limit} is not at least a control step, {CONTROL_STEP} s")
        for name in self.materials or ():
            material(name)

    def resolved_task(self) -> Task:
        """The task with the changes of this configuration.

        Raises InputError for an unknown task, robot or reward term, or a robot that is not that
        of its task.
        """
        found = self.task if isinstance(self.task, Task) else tasks.task(self.task)
        if self.robot is not None:
            body = self.robot if isinstance(self.robot, Robot) else robots.robot(self.robot)
            own = isinstance(self.task, Task) or found.name != tasks.NAME
            if body != found.robot and own:
                raise InputError(
                    f"task {found.name} is for the robot {found.robot.name}, not {body.name}"
                )
            if body != found.robot:
                found = tasks.walking(body)
        changes = {
            name: value
            for name in ("history", "past_actions", "time_limit")
            if (value := getattr(self, name)) is not None
        }
        return replace(found, **changes).weighted(self.weights or {})


class Episodes:
    """Consecutive episodes of a task in `worlds` worlds.

    World i draws its scenarios from a generator of its own, seeded with seed + i.
    """

    def __init__(self, worlds: int, threads: int = 1, config: EpisodeConfig | None = None) -> None:
        self.config = config or EpisodeConfig()
        self.task = self.config.resolved_task()
        self.space = space(self.config.space or self.task.space)
        self.batch = TaskBatch(self.task, worlds, threads)
        self.level = self.config.level  # difficulty of new scenarios in [0, 1], set by a curriculum
        self._levels = np.ones(worlds)  # difficulty of each world's present scenario
        self._contexts = self._chosen_contexts()
        self.shares: dict[str, float] | None = None
        """Relative frequency of contexts by their axis, set by a curriculum; None for equal."""
        self.generators = [np.random.default_rng() for _ in range(worlds)]

    def _chosen_contexts(self) -> tuple[Context, ...]:
        """Contexts to draw from: those of the configured materials, if the space has such.

        Otherwise all contexts of the space; `_new` then rejects scenarios of other materials.
        """
        contexts, materials = self.space.contexts, self.config.materials
        if self.config.skills is not None:
            contexts = tuple(c for c in contexts if c.axis in self.config.skills)
            if not contexts:
                raise InputError(
                    f"the space {self.space.name} has no context of {', '.join(self.config.skills)}"
                )
        if materials is None:
            return contexts
        if any(context.axis == "material" for context in contexts):
            return tuple(self.space.context(name) for name in materials)
        if all(context.axis in (*SKILLS, SHOW) for context in contexts):
            return tuple(context for context in contexts if context.value in materials)
        return contexts

    @property
    def axes(self) -> tuple[str, ...]:
        """Axes of the contexts drawn from."""
        return tuple(dict.fromkeys(context.axis for context in self._contexts))

    def _chances(self, shares: Mapping[str, float]) -> Array:
        """Probability of each context (contexts,)."""
        found = np.array([shares[context.axis] for context in self._contexts])
        return np.asarray(found / found.sum())

    def seed(
        self, seed: int | Sequence[int | None] | None, worlds: NDArray[np.int64] | None = None
    ) -> None:
        """Seed the generator of world i with seed + i, seed[i], or fresh entropy for None.

        Only those of `worlds` (k,), by default of all. Raises InputError for another number of
        seeds than worlds.
        """
        n = self.batch.worlds
        seeds: Sequence[int | None]
        if seed is None or isinstance(seed, int | np.integer):
            seeds = [None if seed is None else int(seed) + i for i in range(n)]
        else:
            seeds = list(seed)
        if len(seeds) != n:
            raise InputError(f"{n} worlds take a seed or {n} of them, got {len(seeds)}")
        for world in range(n) if worlds is None else worlds:
            self.generators[world] = np.random.default_rng(seeds[world])

    def start(self, worlds: Sequence[int] | NDArray, names: Sequence[str] | None = None) -> None:
        """Reset `worlds` (k,) to the scenarios `names` (k,) at full difficulty, or to drawn ones.

        Raises InputError for an unknown scenario or another number of names.
        """
        if names is None:
            self._begin(worlds, [self._draw(world) for world in worlds], self.level)
        else:
            if isinstance(names, str) or len(names) != len(worlds):
                raise InputError(f"{len(worlds)} worlds need as many scenario names, got {names!r}")
            self._begin(worlds, [parse(name, self.task.robot) for name in names], 1.0)

    def stagger(self) -> None:
        """Set each world's episode age at random, so that time limits are spread over the steps."""
        self.batch.age[:] = [rng.integers(self.task.steps) for rng in self.generators]
        self.batch.restore(self.batch.snapshot())  # command and motion of that age

    def step(self, action: NDArray) -> Outcome:
        """Advance all worlds by a control step, without resets; see `restart`."""
        return self.batch.step(action)

    def restart(self, outcome: Outcome) -> NDArray[np.int64]:
        """Reset the worlds in which `outcome` ended an episode; returns their indices (k,)."""
        ended = np.flatnonzero(outcome.terminated | outcome.truncated)
        self.renew(ended, outcome.terminated & ~self.batch.state.broken)
        return ended

    def renew(self, worlds: NDArray[np.int64], fell: NDArray[np.bool_]) -> None:
        """Reset `worlds` (k,) to drawn scenarios; those where `fell` (n,) may repeat theirs."""
        scenarios = [self._draw(world, bool(fell[world])) for world in worlds]
        self._begin(worlds, scenarios, self.level)

    @property
    def scenarios(self) -> list[Scenario]:
        """Present scenario of each world."""
        return self.batch.simulation.scenarios

    def snapshot(self) -> dict[str, Any]:
        """Complete state for `restore`: plain values and arrays."""
        return {
            "batch": self.batch.snapshot(),
            "scenarios": [scenario.name for scenario in self.scenarios],
            "levels": self._levels.copy(),
            "level": self.level,
            "shares": self.shares,
            "generators": [json.dumps(g.bit_generator.state) for g in self.generators],
        }

    def restore(self, saved: dict[str, Any]) -> None:
        """Continue from a snapshot taken with the same configuration and number of worlds."""
        scenarios = [
            parse(name, self.task.robot).eased(level)
            for name, level in zip(saved["scenarios"], saved["levels"], strict=True)
        ]
        self.batch.reset(np.arange(self.batch.worlds), scenarios)
        self.batch.restore(saved["batch"])
        self._levels[:] = saved["levels"]
        self.level = saved["level"]
        self.shares = saved.get("shares")
        for generator, state in zip(self.generators, saved["generators"], strict=True):
            generator.bit_generator.state = json.loads(state)

    def __getstate__(self) -> dict[str, Any]:
        """State for `pickle` and `copy.deepcopy`: the copy goes on as this one would.

        To pickle, `config.task` must be a name or a task of functions that pickle.
        """
        begun = all(scenario.name != Scenario.name for scenario in self.scenarios)
        return {
            "worlds": self.batch.worlds,
            "threads": self.batch.simulation.threads,
            "config": self.config,
            "level": self.level,
            "snapshot": self.snapshot() if begun else None,
            "generators": [generator.bit_generator.state for generator in self.generators],
        }

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__init__(state["worlds"], state["threads"], state["config"])  # type: ignore[misc]
        self.level = state["level"]
        if state["snapshot"] is not None:
            self.restore(state["snapshot"])
        for generator, kept in zip(self.generators, state["generators"], strict=True):
            generator.bit_generator.state = kept

    def _begin(
        self, worlds: Sequence[int] | NDArray, scenarios: Sequence[Scenario], level: float
    ) -> None:
        self.batch.reset(worlds, scenarios)
        self._levels[worlds] = level

    def _draw(self, world: int | np.int64, fell: bool = False) -> Scenario:
        """Next scenario of `world`; if it `fell`, its last one with probability `again`."""
        rng, config = self.generators[world], self.config
        if fell and config.replay and rng.random() < config.replay:
            scenario = parse(self.scenarios[world].name, self.task.robot)
        else:
            scenario = self._new(rng)
        return scenario.eased(self.level)

    def _new(self, rng: np.random.Generator) -> Scenario:
        """New scenario of the configured materials; raises InputError after too many rejections."""
        wanted = self.config.materials
        for _ in range(_ATTEMPTS):
            index, context = divmod(int(rng.integers(self.config.scenarios)), len(self._contexts))
            if self.shares is not None:
                context = int(rng.choice(len(self._contexts), p=self._chances(self.shares)))
            scenario = self.space.draw(self._contexts[context], index, self.task.robot)
            if wanted is None or set(scenario.surface.materials) <= set(wanted):
                return scenario
        raise InputError(
            f"no scenario of {', '.join(wanted or ())} among {self.config.scenarios} of the space"
            f" {self.space.name}"
        )
