"""Replay of a body's log: the same world under the joint targets that acted, scored and filmed."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from grek import files
from grek.envs.robots import robot
from grek.envs.robots.robot import CONTROL_STEP
from grek.envs.scenarios.scenario import MUJOCO, Scenario, from_plain, to_plain
from grek.envs.simulation.engines import ENGINES
from grek.envs.tasks import Outcome, Task, TaskBatch, walking
from grek.envs.vectors import Array
from grek.errors import InputError
from grek.eval.scores import policies
from grek.eval.scores.rollout import driven
from grek.onboard import log


@dataclass(frozen=True)
class Recorded:
    """Content of a body's log."""

    scenario: Scenario
    task: Task
    targets: Array
    """Joint targets that acted (steps, J) [rad]."""
    positions: Array
    """Position of the base after each step (steps, 3) [m]."""
    held: bool
    """The base was held in the air."""
    engine: str = MUJOCO
    """Name of the engine that moved the body."""


def about(
    scenario: Scenario, robot: str, held: bool = False, engine: str = MUJOCO
) -> dict[str, str]:
    """Metadata of a body's log, from which its world can be built again.

    `held` says that its base is held in the air.
    """
    base = "held" if held else "free"
    world = json.dumps(to_plain(scenario))
    return {"robot": robot, "base": base, "engine": engine, "scenario": world}


def read(path: Path) -> Recorded:
    """Content of a body's log; raises InputError for a file that is none."""
    told, messages = log.read(path)
    if "scenario" not in told or not messages["/applied"]:
        raise InputError(f"{path} is not the log of a body: it holds no world or no targets")
    scenario = from_plain(files.json_of(told["scenario"], f"{path}: its scenario"))
    task = walking(robot(told.get("robot", "")))
    joints = len(task.robot.all_joints)
    targets = log.table(path, messages["/applied"], "joints", joints)
    positions = log.table(path, messages["/state"], "position", 3)
    if len(positions) != len(targets):
        raise InputError(f"{path}: {len(targets)} targets and {len(positions)} states")
    engine = ENGINES.named(told.get("engine", MUJOCO)).name
    held = told.get("base") == "held"
    return Recorded(scenario, task, targets, positions, held, engine)


def score(recorded: Recorded) -> dict[str, float]:
    """Metrics of the run by name, and how far the replay was from the log.

    "difference" is the largest distance along an axis between a logged and a replayed position of
    the base before a fall [m]. Metrics of actions are left out: the body was told none.
    """
    steps, apart = len(recorded.targets), 0.0

    def drive(batch: TaskBatch, step: int, alive: NDArray[np.bool_]) -> tuple[NDArray, Outcome]:
        nonlocal apart
        outcome = advance(recorded, batch, step)
        if alive[0]:
            away = batch.state.position_w[0] - recorded.positions[step]
            apart = max(apart, float(np.abs(away).max()))
        return np.zeros((1, recorded.task.actions)), outcome

    world, engine = [recorded.scenario], recorded.engine
    episode = driven(recorded.task, world, drive, steps, engine=engine).log
    metrics = {k: f for k, f in recorded.task.metrics.items() if not k.startswith("action")}
    found = {name: float(metric(episode)[0]) for name, metric in metrics.items()}
    return {"seconds": steps * episode.dt, **found, "difference": apart}


def film(recorded: Recorded, fps: int, out: Path, progress: Callable[[int, int], None]) -> str:
    """Film the run to `out`; returns a line of text about it."""
    from grek.eval.films import filming

    none = np.zeros((1, recorded.task.actions))
    stand_in = policies.from_function("log", lambda observation: none, recorded.task)
    seconds = len(recorded.targets) * CONTROL_STEP
    rest = seconds, fps, out, progress
    step, engine = partial(advance, recorded), recorded.engine
    return filming.film(stand_in, recorded.scenario, *rest, advance=step, engine=engine)


def advance(recorded: Recorded, batch: TaskBatch, step: int) -> Outcome:
    """Advance a world by the targets of control step `step`."""
    if recorded.held and step == 0:
        batch.simulation.hang([0])
    return batch.follow(recorded.targets[step][None])
