"""Rollouts of a policy in scenarios, logged for the metrics."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import groupby

import numpy as np
from numpy.typing import NDArray

from grek.envs.robots.robot import torque_limits
from grek.envs.scenarios.scenario import Scenario
from grek.envs.scenarios.spaces import engine_of
from grek.envs.simulation.simulation import CONTROL_STEP
from grek.envs.simulation.state import State
from grek.envs.tasks import Outcome, Task, TaskBatch
from grek.envs.tasks.metrics import EpisodeLog
from grek.envs.vectors import Array, heading_frame
from grek.errors import InputError
from grek.eval.scores.policies import Policy

WORLDS = 256  # simulated in parallel
RECORD = "record."  # prefix of the task's records among the rows of a log
_TICK = 50  # control steps between two calls of `progress`

Drive = Callable[[TaskBatch, int, NDArray[np.bool_]], tuple[NDArray, Outcome]]
"""Advances all worlds by a control step, given its number and which worlds have not fallen (n,);
returns the actions to be logged (n, actions) and the outcome."""
Driver = Callable[[list[Scenario]], Drive]
"""Makes what drives the worlds of scenarios (n,)."""


@dataclass(frozen=True)
class Rollout:
    """One episode of a policy in each of `scenarios`."""

    scenarios: list[Scenario]
    log: EpisodeLog
    broken: list[str]
    """Names of the scenarios in which the simulation failed."""


def rollouts(
    policy: Policy,
    scenarios: Sequence[Scenario],
    threads: int = 1,
    worlds: int = WORLDS,
    steps: int | None = None,
    progress: Callable[[int], None] = lambda episodes: None,
    driver: Driver | None = None,
) -> Iterator[Rollout]:
    """Run `policy` once in each scenario, `worlds` in parallel, for `steps` control steps.

    `steps` is a whole episode by default. `progress` is called with the number of episodes done;
    episodes in progress count by the completed share of their steps. `driver` makes what drives
    each batch of scenarios in the policy's place. Raises InputError for invalid actions.
    """
    steps = policy.task.steps if steps is None else steps
    first = 0
    for batch in _batches(scenarios, worlds):

        def tick(share: float, first: int = first, size: int = len(batch)) -> None:
            progress(first + int(share * size))

        drive = (driver or partial(_acting, policy))(batch)
        yield driven(policy.task, batch, drive, steps, threads, tick)
        first += len(batch)


def _batches(scenarios: Sequence[Scenario], worlds: int) -> Iterator[list[Scenario]]:
    """Runs of at most `worlds` scenarios of one engine, in order."""
    for _, group in groupby(scenarios, engine_of):
        rest = list(group)
        for first in range(0, len(rest), worlds):
            yield rest[first : first + worlds]


def _acting(policy: Policy, scenarios: list[Scenario]) -> Drive:
    """Drives worlds by the actions of `policy`."""
    n, seeds = len(scenarios), np.array([s.seed for s in scenarios], np.uint64)

    def drive(batch: TaskBatch, step: int, alive: NDArray[np.bool_]) -> tuple[NDArray, Outcome]:
        action = check_action(policy, policy.act(batch.observe(), seeds, step), n)
        action = np.where(alive[:, None], action, 0)
        return action, batch.step(action)

    return drive


def driven(
    task: Task,
    scenarios: list[Scenario],
    drive: Drive,
    steps: int,
    threads: int = 1,
    tick: Callable[[float], None] = lambda share: None,
    engine: str | None = None,
) -> Rollout:
    """One episode of `task` in each of `scenarios`, advanced by `drive` for `steps` control steps.

    `tick` is called with the completed share. `engine` is that of the first scenario by default.
    """
    n = len(scenarios)
    batch = TaskBatch(task, n, threads, engine or engine_of(scenarios[0]))
    batch.reset(np.arange(n), scenarios)
    alive = np.ones(n, bool)
    log: dict[str, list[np.ndarray]] = {}
    for step in range(steps):
        if step % _TICK == 0:
            tick(step / steps)
        command, before = batch.command[:, :3].copy(), batch.state
        push = batch.schedule.push(batch.age * CONTROL_STEP)
        action, outcome = drive(batch, step, alive)
        fell = outcome.terminated & alive
        alive = alive & ~fell
        if fell.any():
            batch.simulation.pause(np.flatnonzero(fell))
        rows = logged(batch, before, command, push, action, alive)
        rows |= {RECORD + name: read(batch.data) for name, read in task.records.items()}
        for name, value in rows.items():
            kept = value.astype(np.float32) if value.dtype == float else value
            log.setdefault(name, []).append(kept)
        if not alive.any():
            break
    # All worlds have fallen: only commands and pushes, which are scheduled, are still logged.
    for step in range(len(log["command"]), steps):
        time = np.full(n, step) * CONTROL_STEP
        command = batch.schedule.command(time)[:, :3]
        push = heading_frame(batch.schedule.push(time), batch.state.heading)
        log["command"].append(command.astype(np.float32))
        log["moving"].append(task.moving(command))
        log["push"].append(push.astype(np.float32))
    arrays = {name: _extend(np.stack(values), steps) for name, values in log.items()}
    arrays["alive"][len(log["alive"]) :] = False
    records = {name: arrays.pop(RECORD + name) for name in task.records}
    episode = EpisodeLog(
        **arrays,
        records=records,
        dt=CONTROL_STEP,
        stride=task.stride,
        mass=batch.simulation.engine.mass,
    )
    return Rollout(scenarios, episode, list(batch.broken))


def logged(
    batch: TaskBatch,
    before: State,
    command: Array,
    push: Array,
    action: NDArray,
    alive: NDArray[np.bool_],
) -> dict[str, NDArray]:
    """Entries of an `EpisodeLog` for the control step that `batch` has just made.

    `before` is the state, `command` (n, 3) and `push` (n, 2) are what was asked and applied in it,
    `alive` (n,) are the worlds that have not fallen at its end.
    """
    simulation, state, acting = batch.simulation, batch.state, len(batch.task.robot.joints)
    low, high = (x[:acting] for x in (simulation.layout.joint_low, simulation.layout.joint_high))
    strength = np.array([scenario.motors.strength for scenario in simulation.scenarios])
    torque, velocity = state.torque[:, :acting], state.joint_velocity[:, :acting]
    lowest, highest = torque_limits(simulation.engine.model, velocity, strength)
    position = state.joint_position[:, :acting]
    landed = state.contact & ~before.contact
    return {
        "alive": alive.copy(),
        "position_w": state.position_w,
        "yaw": np.arctan2(state.heading[:, 1], state.heading[:, 0]),
        "velocity_h": np.concatenate([state.velocity_h, state.velocity_b[:, 2:]], 1),
        "yaw_rate": state.gyro_b[:, 2],
        "command": command,
        "moving": batch.task.moving(command),
        "torque": torque,
        "torque_limit": np.where(torque > 0, highest, -lowest),
        "joint_velocity": velocity,
        "joint_margin": np.minimum(position - low, high - position),
        "action": action,
        "foot_slip": np.sqrt((state.foot_velocity_w[..., :2] ** 2).sum(2))
        * (state.contact & before.contact)
        * CONTROL_STEP,
        "push": heading_frame(push, before.heading),
        "foot_impact": np.maximum(-before.foot_velocity_w[..., 2], 0) * landed,
    }


def check_action(policy: Policy, action: np.ndarray, worlds: int) -> np.ndarray:
    """`action` as float64 (worlds, actions).

    Raises InputError for another shape and for values that are not finite.
    """
    action = np.asarray(action, float)
    wanted = (worlds, policy.task.actions)
    if action.shape != wanted:
        raise InputError(
            f"policy {policy.name} returned an action of shape {action.shape}, not {wanted}"
        )
    if not np.isfinite(action).all():
        raise InputError(f"policy {policy.name} returned an action that is not finite")
    return action


def _extend(array: np.ndarray, steps: int) -> np.ndarray:
    """`array` (t, ...) with its last row repeated up to `steps` rows."""
    missing = steps - len(array)
    return np.concatenate([array, np.repeat(array[-1:], missing, 0)]) if missing else array
