"""A task in n worlds, without automatic reset: the core of all environment interfaces.

Joint target = reference motion + action scale * action (residual action), at 50 Hz.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from grek.envs.scenarios.scenario import Scenario
from grek.envs.scenarios.stage import walked
from grek.envs.simulation.engines import MUJOCO
from grek.envs.simulation.simulation import CONTROL_STEP, GRAVITY, Simulation
from grek.envs.simulation.state import State
from grek.envs.skills.show import ShowMotion
from grek.envs.tasks.commands import Schedule
from grek.envs.tasks.sensors import SensorSuite
from grek.envs.tasks.task import HEADING_MEMORY, StepData, Task
from grek.envs.vectors import Array
from grek.errors import InputError


@dataclass(frozen=True)
class Outcome:
    """Result of a control step in all worlds."""

    reward: Array
    """(n,)"""
    terminated: NDArray[np.bool_]
    """Fallen or broken: the episode ends without bootstrapping (n,)."""
    truncated: NDArray[np.bool_]
    """Time limit reached without termination (n,)."""
    terms: dict[str, Array] = field(repr=False)
    """Weighted reward terms of this step (n,), by name; `reward` is their sum."""


class TaskBatch:
    """One task in `worlds` worlds, stepped on `threads` threads by the named engine."""

    def __init__(self, task: Task, worlds: int, threads: int = 1, engine: str = MUJOCO) -> None:
        self.task = task
        self.worlds = worlds
        self.simulation = Simulation(worlds, threads, task.robot, engine)
        self.schedule = Schedule(worlds)
        self.sensors = SensorSuite(worlds, task.measured, task.history)
        self.motion = task.motion.start(task.robot, worlds)
        self.state: State = self.simulation.state()
        self.age = np.zeros(worlds, int)  # control steps since the start of the episode
        self.command = np.zeros((worlds, 5))  # as given; observation and motion get `_followed`
        self.stride_velocity = np.zeros((worlds, 3))  # low-pass vx, vy, yaw rate
        acting = len(task.robot.joints)
        self.actions = np.zeros((worlds, max(1 + task.past_actions, 3), acting))  # newest first
        self.rate = np.zeros(worlds)  # of the motion over its own, less 1
        self.heading_error = np.zeros(worlds)  # [rad]
        self.broken: list[str] = []  # scenarios that ended in a simulator failure
        self._landing_speed = np.zeros((worlds, len(task.robot.feet)))
        self._joint_velocity = np.zeros((worlds, acting))
        self._push = np.zeros((worlds, 3))  # [N]
        self._factors = np.zeros((3, worlds))  # strength, motor delay, payload
        self._terms = [term for term in task.terms if term.weight]
        self._residual = task.residual()
        self.data = self._step_data()
        """Data of the last control step, as its rewards and termination had them."""

    # -- reset -----------------------------------------------------------------------------

    def reset(self, worlds: Sequence[int] | NDArray, scenarios: Sequence[Scenario]) -> None:
        """Start an episode of each scenario (m,) in its world of `worlds` (m,).

        Raises InputError for a scenario that the robot or the engine does not support.
        """
        ids = np.asarray(worlds, int)
        if not len(ids):
            return
        self.simulation.reset(ids, scenarios)
        self._take(ids, scenarios)
        self.age[ids] = 0
        for state in (self.stride_velocity, self.actions, self.rate, self.heading_error):
            state[ids] = 0
        self._joint_velocity[ids] = self._landing_speed[ids] = 0
        self.state = self.state.with_rows(ids, self.simulation.state(ids))
        self.command[ids] = self.schedule.command(self.age[ids] * CONTROL_STEP, ids)
        seeds = np.array([scenario.seed for scenario in scenarios], np.uint64)
        if isinstance(self.motion, ShowMotion):
            self.motion.perform(ids, [s.acts or walked(s.commands) for s in scenarios])
        self.motion.reset(ids, seeds, self._followed()[ids, :3])
        self.sensors.fill(ids, self._step_data(), self.age)

    def change(self, worlds: Sequence[int] | NDArray, scenarios: Sequence[Scenario]) -> None:
        """Go on in other scenarios (m,) in `worlds` (m,), as `Simulation.change` does.

        Commands and pushes of the new scenario count from the start of the episode.
        """
        ids = np.asarray(worlds, int)
        self.simulation.change(ids, scenarios)
        self._take(ids, scenarios)
        self.state = self.state.with_rows(ids, self.simulation.state(ids))

    def _take(self, ids: NDArray, scenarios: Sequence[Scenario]) -> None:
        """Set sensors, commands, pushes and factors of `ids` (m,) from their scenarios."""
        self.sensors.set(ids, scenarios)
        for world, scenario in zip(ids, scenarios, strict=True):
            self.schedule.set(world, scenario)
            motors = scenario.motors
            self._factors[:, world] = motors.strength, motors.delay, scenario.body.payload

    # -- step ------------------------------------------------------------------------------

    def step(self, action: Array) -> Outcome:
        """Advance all worlds by a control step; `action` (n, `Task.actions`) is clipped.

        Raises InputError for actions of another shape or that are not finite.
        """
        action = self._finite(action, "action", self.task.actions)
        joints, self.rate = self._residual.taken(action)
        return self._advance(joints, self.targets(joints))

    def follow(self, targets: Array) -> Outcome:
        """Advance all worlds under joint `targets` (n, J) [rad] that were computed elsewhere.

        As `step` does, but the reference motion has no part in it, and the action counts as 0.
        Raises InputError for targets of another shape or that are not finite.
        """
        layout = self.simulation.layout
        targets = self._finite(targets, "target", len(layout.joint_low))
        self.rate = np.zeros(self.worlds)
        targets = np.clip(targets, layout.joint_low, layout.joint_high)
        return self._advance(np.zeros((self.worlds, self.actions.shape[2])), targets)

    def _finite(self, values: Array, what: str, columns: int) -> Array:
        """`values` as (n, columns); raises InputError for another shape or if one is not finite."""
        values = np.asarray(values, float)
        if values.shape != (wanted := (self.worlds, columns)):
            raise InputError(f"{what}s have shape {values.shape}, not {wanted}")
        if not np.isfinite(values).all():
            first = int(np.flatnonzero(~np.isfinite(values).all(1))[0])
            raise InputError(f"the {what} of world {first} is not finite: {values[first]}")
        return values

    def _advance(self, action: Array, targets: Array) -> Outcome:
        """Advance all worlds under `targets` (n, J), which come of the joints' `action` (n, A)."""
        task = self.task
        self._push[:, :2] = self.schedule.push(self.age * CONTROL_STEP) * task.robot.mass
        before = self.state
        self.state = state = self.simulation.step(targets, self._push)
        self.age += 1
        self.actions[:, 1:] = self.actions[:, :-1]
        self.actions[:, 0] = action
        landed = state.contact & ~before.contact
        self._landing_speed = np.maximum(-before.foot_velocity_w[..., 2], 0) * landed
        now = np.concatenate([state.velocity_h, state.gyro_b[:, 2:]], 1)
        self.stride_velocity += (now - self.stride_velocity) * (2 * CONTROL_STEP / task.stride)
        self.heading_error *= 1 - CONTROL_STEP / HEADING_MEMORY
        self.heading_error += (state.gyro_b[:, 2] - self._followed()[:, 2]) * CONTROL_STEP
        self.data = self._step_data()
        terminated = task.termination(self.data) | state.broken
        truncated = (self.age >= task.steps) & ~terminated
        self.data = replace(self.data, ended=terminated)
        terms = self._rewards(self.data)
        for world in np.flatnonzero(state.broken):
            self.broken.append(self.simulation.scenarios[world].name)
        self._joint_velocity = state.joint_velocity[:, : action.shape[1]].copy()
        self.command = self.schedule.command(self.age * CONTROL_STEP)
        self.sensors.read(self._step_data(), self.age)
        newest = self.sensors.newest
        self.motion.advance(self._followed()[:, :3], newest("gyro"), newest("gravity"), self.rate)
        return Outcome(sum(terms.values()), terminated, truncated, terms)  # type: ignore[arg-type]

    def targets(self, action: Array) -> Array:
        """Joint targets (n, J) [rad] for `action` (n, A), clipped to the joint limits.

        Sum of reference motion, `Robot.static_offset`, look command and scaled action.
        """
        layout = self.simulation.layout
        targets = self._residual.targets(self.motion.now, action, self.command[:, 3:])
        return np.clip(targets, layout.joint_low, layout.joint_high)

    def _rewards(self, data: StepData) -> dict[str, Array]:
        """Weighted reward terms of a step (n,), by name; all 0 in broken worlds."""
        broken = data.state.broken
        terms = {}
        for term in self._terms:
            value = term.function(data)
            if broken.any() and not term.always:
                value = np.where(broken, 0, value)
            terms[term.name] = value * (term.weight * CONTROL_STEP)
        return terms

    def _followed(self) -> Array:
        """Command within the ranges of the task (n, 5)."""
        return self._residual.followed(self.command)

    def _step_data(self) -> StepData:
        """Arguments of fields and terms."""
        simulation, robot = self.simulation, self.task.robot
        friction = np.add.reduceat(simulation.planes.friction, simulation.layout.first_point, 1)
        return StepData(
            robot=robot,
            state=self.state,
            command=self._followed(),
            reference=self.motion.now,
            actions=self.actions,
            rate=self.rate,
            joint_velocity=self._joint_velocity,
            stride_velocity=self.stride_velocity,
            heading_error=self.heading_error,
            landing_speed=self._landing_speed,
            push=self._push[:, :2] / robot.mass,
            ground_normal=simulation.planes.normal[:, -1],
            friction=friction / robot.points_per_foot,
            strength=self._factors[0],
            motor_delay=self._factors[1],
            payload=self._factors[2],
            weight=simulation.engine.mass * GRAVITY,
            ended=np.zeros(self.worlds, bool),
        )

    # -- observation -----------------------------------------------------------------------

    def observe(self, privileged: bool = False) -> NDArray[np.float32]:
        """Observation (n, size), ordered as `Task.layout`; the critic's with `privileged`."""
        task, n = self.task, self.worlds
        arrived = self.sensors.arrived(1 + task.history)
        data = self._step_data()
        parts = [arrived[:, 0], *(f.read(data) for f in task.exact)]
        if task.phase_rate:
            parts.append(self.rate[:, None])
        parts.append(arrived[:, 1:].reshape(n, -1))
        parts.append(self.actions[:, 1 : 1 + task.past_actions].reshape(n, -1))
        if privileged and task.privileged:
            hidden = np.concatenate([f.read(data) for f in task.privileged], 1)
            parts.append(np.nan_to_num(hidden, posinf=0, neginf=0))
        return np.concatenate(parts, 1).astype(np.float32)

    # -- snapshots -------------------------------------------------------------------------

    _KEPT = (
        *("age", "stride_velocity", "actions", "rate", "heading_error"),
        *("_joint_velocity", "_landing_speed", "_push"),
    )

    def snapshot(self) -> dict[str, Any]:
        """State for `restore`, as plain arrays; scenarios are not included."""
        return {
            "batch": {name: getattr(self, name).copy() for name in self._KEPT},
            "sensors": self.sensors.snapshot(),
            "motion": self.motion.snapshot(),
            "simulation": self.simulation.snapshot(),
        }

    def restore(self, saved: dict[str, Any]) -> None:
        """Continue from a snapshot; call `reset` with the same scenarios first."""
        self.simulation.restore(saved["simulation"])
        for name in self._KEPT:
            getattr(self, name)[:] = saved["batch"][name]
        self.state = self.simulation.state()
        self.command = self.schedule.command(self.age * CONTROL_STEP)
        self.sensors.restore(saved["sensors"])
        self.motion.restore(saved["motion"], self._followed()[:, :3])
