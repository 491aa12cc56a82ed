"""Run a policy through scenarios and log what the metrics need."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from grek.envs.robots.robot import LEGS, torque_limits
from grek.envs.scenarios.scenario import Scenario
from grek.envs.simulation.simulation import CONTROL_STEP
from grek.envs.tasks.walk import STEPS, STRIDE, Walk
from grek.errors import InputError
from grek.eval.scores.metrics import EpisodeLog
from grek.eval.scores.policies import Policy

WORLDS = 256  # simulated at once
_TICK = 50  # control steps between two signs of life


@dataclass(frozen=True)
class Rollout:
    """The log of some episodes, and the scenarios they ran in."""

    scenarios: list[Scenario]
    log: EpisodeLog
    broken: list[str]
    """Names of the scenarios that ended in a failure of the simulator."""


def rollouts(
    policy: Policy,
    scenarios: Sequence[Scenario],
    threads: int = 1,
    worlds: int = WORLDS,
    steps: int = STEPS,
    progress: Callable[[int], None] = lambda episodes: None,
) -> Iterator[Rollout]:
    """Run `policy` once in each scenario, `worlds` at a time; `progress` gets what is behind it."""
    for first in range(0, len(scenarios), worlds):
        batch = list(scenarios[first : first + worlds])

        def tick(share: float, first: int = first, size: int = len(batch)) -> None:
            progress(first + int(share * size))

        yield _run(policy, batch, threads, steps, tick)


def _run(
    policy: Policy,
    scenarios: list[Scenario],
    threads: int,
    steps: int,
    tick: Callable[[float], None],
) -> Rollout:
    n = len(scenarios)
    walk = Walk(n, threads, policy.config)
    walk.reset(np.arange(n), scenarios)
    simulation = walk.simulation
    seeds = np.array([s.seed for s in scenarios], np.uint64)
    strength = np.array([s.motors.strength for s in scenarios])
    low, high = simulation.parts.joint_low[:LEGS], simulation.parts.joint_high[:LEGS]
    alive = np.ones(n, bool)
    log: dict[str, list[np.ndarray]] = {name: [] for name in _LOGGED}
    for step in range(steps):
        if step % _TICK == 0:
            tick(step / steps)
        action = check_action(policy, policy.act(walk.observe(), seeds, step), n)
        action = np.where(alive[:, None], action, 0)
        command, before = walk.command[:, :3].copy(), walk.state
        push = walk.schedule.push(walk.age * CONTROL_STEP)
        outcome = walk.step(action)
        state = walk.state
        fell = outcome.terminated & alive
        alive = alive & ~fell
        if fell.any():
            simulation.pause(np.flatnonzero(fell))
        torque = state.torque[:, :LEGS]
        lowest, highest = torque_limits(simulation.model, state.joint_velocity[:, :LEGS], strength)
        position = state.joint_position[:, :LEGS]
        landed = state.contact & ~before.contact
        rows = {
            "alive": alive.copy(),
            "position_w": state.position_w,
            "yaw": np.arctan2(state.heading[:, 1], state.heading[:, 0]),
            "velocity_b": np.concatenate([state.velocity_h, state.velocity_b[:, 2:]], 1),
            "yaw_rate": state.gyro_b[:, 2],
            "command": command,
            "torque": torque,
            "torque_limit": np.where(torque > 0, highest, -lowest),
            "joint_velocity": state.joint_velocity[:, :LEGS],
            "joint_margin": np.minimum(position - low, high - position),
            "action": action,
            "foot_slip": np.sqrt((state.foot_velocity_w[..., :2] ** 2).sum(2))
            * (state.contact & before.contact)
            * CONTROL_STEP,
            "push": _ahead(push, before.heading),
            "foot_impact": np.maximum(-before.foot_velocity_w[..., 2], 0) * landed,
        }
        for name, value in rows.items():
            log[name].append(value if value.dtype == bool else value.astype(np.float32))
        if not alive.any():
            break
    # Worlds that all fell early stay down for the rest of the episode; commands and pushes go on.
    for step in range(len(log["command"]), steps):
        time = np.full(n, step) * CONTROL_STEP
        log["command"].append(walk.schedule.command(time)[:, :3].astype(np.float32))
        push = _ahead(walk.schedule.push(time), walk.state.heading)
        log["push"].append(push.astype(np.float32))
    arrays = {name: _extend(np.stack(values), steps) for name, values in log.items()}
    arrays["alive"][len(log["alive"]) :] = False
    mass = simulation.batch.expanded("body_mass").sum(1)
    episode = EpisodeLog(**arrays, dt=CONTROL_STEP, stride=STRIDE, mass=mass)
    return Rollout(scenarios, episode, list(walk.broken))


def check_action(policy: Policy, action: np.ndarray, worlds: int) -> np.ndarray:
    """`action` as float (worlds, 10); raises InputError if it is none."""
    action = np.asarray(action, float)
    if action.shape != (worlds, LEGS):
        raise InputError(
            f"policy {policy.name} returned an action of shape {action.shape}, not {(worlds, LEGS)}"
        )
    if not np.isfinite(action).all():
        raise InputError(f"policy {policy.name} returned an action that is not finite")
    return action


def _ahead(vector: np.ndarray, heading: np.ndarray) -> np.ndarray:
    """Forward and left part of `vector` (n, 2) for droids that face `heading` (n, 2)."""
    (x, y), (cos, sin) = vector.T, heading.T
    return np.stack([cos * x + sin * y, cos * y - sin * x], 1)


def _extend(array: np.ndarray, steps: int) -> np.ndarray:
    """`array` (t, ...) with its last row repeated up to `steps` rows."""
    missing = steps - len(array)
    return np.concatenate([array, np.repeat(array[-1:], missing, 0)]) if missing else array


_LOGGED = (
    "alive",
    "position_w",
    "yaw",
    "velocity_b",
    "yaw_rate",
    "command",
    "torque",
    "torque_limit",
    "joint_velocity",
    "joint_margin",
    "action",
    "foot_slip",
    "push",
    "foot_impact",
)
