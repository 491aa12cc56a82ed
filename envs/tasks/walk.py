"""The walking task: follow commanded velocities, look where told, stand when told, do not fall.

`Walk` is the core of all three faces (gymnasium Env and VectorEnv, SB3 VecEnv): n worlds, no
automatic reset. Joint target = reference gait + scale * action, at 50 Hz.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from grek.envs.robots.robot import HOME, LEGS, SAG, Array
from grek.envs.scenarios.scenario import EPISODE, Scenario
from grek.envs.simulation.simulation import CONTROL_STEP, Simulation, State
from grek.envs.tasks import gait as gaits
from grek.envs.tasks import observations, rewards
from grek.envs.tasks.commands import Schedule
from grek.envs.tasks.gait import Gait
from grek.envs.tasks.observations import PRIVILEGED, READINGS, SensorErrors, actor_fields
from grek.envs.tasks.rewards import Weights

ACTION_LIMIT = 4.0
STEPS = round(EPISODE / CONTROL_STEP)
STRIDE = 0.6  # tracking is judged on averages over this time, a period of the gait [s]
_TILTED = 0.5  # cosine of the tilt at which the droid counts as fallen, 60 degrees
_DOWN = 0.17  # torso height at which it does [m]
_NOMINAL_MASS = 15.4  # [kg]


@dataclass(frozen=True)
class WalkConfig:
    """What a policy must know of the task; its contract."""

    action_scale: tuple[float, ...] = (0.2, 0.2, 0.3, 0.3, 0.3) * 2
    """Joint angle of action 1 for each leg joint [rad]; actions reach to 4."""
    history: int = 4
    """Older sensor readings in the observation, a control step apart."""
    gait: Gait = Gait()
    weights: Weights = Weights()


@dataclass(frozen=True)
class Outcome:
    """What a step of all worlds brought."""

    reward: Array
    """(n,)"""
    terminated: NDArray[np.bool_]
    """Fallen or broken (n,)."""
    truncated: NDArray[np.bool_]
    """Stood to the end of the episode (n,)."""
    terms: dict[str, Array] = field(repr=False)
    """Each reward term (n,), weighted, per step."""


class Walk:
    """n walking tasks side by side; `action` and `observation` sizes are fixed by `config`."""

    def __init__(self, worlds: int, threads: int = 1, config: WalkConfig | None = None) -> None:
        self.config = config or WalkConfig()
        self.worlds = worlds
        self.simulation = Simulation(worlds, threads)
        self.schedule = Schedule(worlds)
        self.errors = SensorErrors(worlds)
        self.actor_fields = actor_fields(self.config.history)
        self.actor_size = observations.size(self.actor_fields)
        self.privileged_size = observations.size(PRIVILEGED)
        self.age = np.zeros(worlds, int)  # control steps since the start of the episode
        self.phase = np.zeros(worlds)  # of the gait, in [0, 1)
        self.command = np.zeros((worlds, 5))
        self._catching = np.zeros(worlds)  # how high it steps because it tips, in [0, 1]
        self.state: State = self.simulation.state()
        self.stride_velocity = np.zeros((worlds, 3))  # vx, vy, yaw rate averaged over a stride
        self.action = np.zeros((worlds, LEGS))
        self.broken: list[str] = []  # names of the scenarios that ended in a simulator failure
        self._previous_action = np.zeros((worlds, LEGS))
        self._joint_velocity = np.zeros((worlds, LEGS))
        self._push = np.zeros((worlds, 3))  # [N]
        # Newest reading first; one more than the history holds, for late sensors.
        self._readings = np.zeros((worlds, self.config.history + 2, observations.size(READINGS)))
        self._motors = np.zeros((worlds, 3))  # strength, delay, payload: for the critic
        self._scale = np.array(self.config.action_scale)

    # -- reset -----------------------------------------------------------------------------

    def reset(self, worlds: Sequence[int] | NDArray, scenarios: Sequence[Scenario]) -> None:
        """Start an episode of each scenario in its world."""
        ids = np.asarray(worlds, int)
        if not len(ids):
            return
        self.simulation.reset(ids, scenarios)
        for world, scenario in zip(ids, scenarios, strict=True):
            self.schedule.set(world, scenario)
            self.errors.set(world, scenario.sensors, scenario.seed)
            motors = scenario.motors
            self._motors[world] = motors.strength, motors.delay, scenario.body.payload
            self.phase[world] = (scenario.seed % 997) / 997
        self.age[ids] = 0
        zeroed = (self.stride_velocity, self.action, self._previous_action, self._joint_velocity)
        for array in (*zeroed, self._catching):
            array[ids] = 0
        self.state = self.state.with_rows(ids, self.simulation.state(ids))
        self.command[ids] = self.schedule.command(self.age[ids] * CONTROL_STEP, ids)
        self._readings[ids] = self._read(ids)[:, None]

    # -- step ------------------------------------------------------------------------------

    def step(self, action: Array) -> Outcome:
        """Advance by a control step; `action` (n, 10) is cut to +-ACTION_LIMIT."""
        action = np.clip(np.asarray(action, float), -ACTION_LIMIT, ACTION_LIMIT)
        time = self.age * CONTROL_STEP
        self._push[:, :2] = self.schedule.push(time) * _NOMINAL_MASS
        self.state = state = self.simulation.step(self.targets(action), self._push)
        command = self.command[:, :3]
        period = gaits.period(self.config.gait, command)
        self.phase = (self.phase + (self.effort > 0) * CONTROL_STEP / period) % 1
        self.age += 1
        now = np.concatenate([state.velocity_h, state.gyro_b[:, 2:]], 1)
        self.stride_velocity += (now - self.stride_velocity) * (2 * CONTROL_STEP / STRIDE)
        fallen = (state.rotation[:, 2, 2] < _TILTED) | (state.height < _DOWN)
        terminated = fallen | state.broken
        truncated = (self.age >= STEPS) & ~terminated
        terms = self._rewards(state, action, terminated)
        for world in np.flatnonzero(state.broken):
            self.broken.append(self.simulation.scenarios[world].name)
        self._previous_action, self.action = self.action, action
        self._joint_velocity = state.joint_velocity[:, :LEGS]
        self.command = self.schedule.command(self.age * CONTROL_STEP)
        self._readings[:, 1:] = self._readings[:, :-1]
        self._readings[:, 0] = self._read()
        newest = self._seen(1)[:, 0]
        lean = gaits.lean(newest[:, 0:3], newest[:, 3:6])
        self._catching = gaits.catching(self.config.gait, self._catching, lean, CONTROL_STEP)
        return Outcome(sum(terms.values()), terminated, truncated, terms)  # type: ignore[arg-type]

    @property
    def effort(self) -> Array:
        """How high the gait steps (n,) in [0, 1]: as the command asks, or because it tips."""
        return np.maximum(gaits.effort(self.command[:, :3]), self._catching)

    def targets(self, action: Array) -> Array:
        """Joint targets (n, 14) [rad]: the gait, the carried weight, the look, the action."""
        targets = np.tile(HOME + SAG, (self.worlds, 1))
        reference = gaits.reference(self.config.gait, self.phase, self.command[:, :3], self.effort)
        targets[:, :LEGS] += reference - HOME[:LEGS] + action * self._scale
        targets[:, LEGS + 1 : LEGS + 3] += self.command[:, 3:]
        parts = self.simulation.parts
        return np.clip(targets, parts.joint_low, parts.joint_high)

    def _rewards(self, state: State, action: Array, ended: NDArray) -> dict[str, Array]:
        """Every term, weighted, per step."""
        gait, weights = self.config.gait, self.config.weights
        command, touching = self.command[:, :3], state.contact
        velocity = state.joint_velocity[:, :LEGS]
        change = action - self.action
        terms = {
            "linear": rewards.linear(command[:, :2], self.stride_velocity[:, :2]),
            "angular": rewards.angular(command[:, 2], self.stride_velocity[:, 2]),
            "alive": np.ones(self.worlds),
            "contact": rewards.contact(gaits.stance(gait, self.phase, self.effort), touching),
            "foot_height": rewards.foot_height(
                gaits.swing_height(gait, self.phase, self.effort), state.clearance
            ),
            "upright": rewards.upright(state.gravity_b),
            "base_height": rewards.base_height(state.height),
            "vertical": state.velocity_b[:, 2] ** 2,
            "tilt_rate": rewards.square(state.gyro_b[:, :2]),
            "slip": rewards.slip(state.foot_velocity_w, touching),
            "torque": rewards.square(state.torque[:, :LEGS]),
            "acceleration": rewards.square((velocity - self._joint_velocity) / CONTROL_STEP),
            "action_rate": rewards.square(change),
            "action_jerk": rewards.square(change - (self.action - self._previous_action)),
            "hips": rewards.hips(state.joint_position),
            "feet_apart": rewards.feet_apart(state.foot_w, state.heading),
            "fall": ended.astype(float),
        }
        broken = state.broken
        if broken.any():  # what a failed simulation shows is not a measurement
            for term in terms.values():
                term[broken] = 0
        return {k: term * (getattr(weights, k) * CONTROL_STEP) for k, term in terms.items()}

    # -- interruption ----------------------------------------------------------------------

    _KEPT = (
        "age",
        "phase",
        "stride_velocity",
        "action",
        "_previous_action",
        "_joint_velocity",
        "_catching",
        "_readings",
    )

    def snapshot(self) -> dict[str, Any]:
        """What `restore` needs to go on from here, given the same scenarios."""
        own = {name: getattr(self, name).copy() for name in self._KEPT}
        return {"walk": own, "simulation": self.simulation.snapshot()}

    def restore(self, saved: dict[str, Any]) -> None:
        """Go on from a snapshot; `reset` to the same scenarios comes first."""
        self.simulation.restore(saved["simulation"])
        for name in self._KEPT:
            getattr(self, name)[:] = saved["walk"][name]
        self.state = self.simulation.state()
        self.command = self.schedule.command(self.age * CONTROL_STEP)

    # -- observation -----------------------------------------------------------------------

    def _read(self, worlds: NDArray | slice = slice(None)) -> Array:
        """What the sensors of `worlds` read now (m, 26); zeros where the simulation failed."""
        state = self.state
        true = np.concatenate(
            [
                state.gyro_b,
                state.gravity_b,
                state.joint_position[:, :LEGS] - HOME[:LEGS],
                state.joint_velocity[:, :LEGS],
            ],
            1,
        )[worlds]
        read = self.errors.apply(true, self.age[worlds], worlds)
        return np.nan_to_num(read, posinf=0, neginf=0)

    def _seen(self, count: int) -> Array:
        """The newest `count` readings to arrive (n, count, 26): in some worlds they come late."""
        late = self.errors.late[:, None, None]
        return np.where(late, self._readings[:, 1 : count + 1], self._readings[:, :count])

    def observe(self, privileged: bool = False) -> NDArray[np.float32]:
        """Observation of the policy (n, actor_size), then what only the critic may see."""
        recent = self._seen(1 + self.config.history)
        angle = 2 * np.pi * self.phase
        clock = (self.effort > 0)[:, None] * np.stack(
            [np.sin(angle), np.cos(angle), np.sin(2 * angle), np.cos(2 * angle)], 1
        )
        parts = [
            recent[:, 0],
            self.command,
            self.action,
            clock,
            recent[:, 1:].reshape(self.worlds, -1),
        ]
        if privileged:
            parts.append(self._privileged())
        return np.concatenate(parts, 1).astype(np.float32)

    def _privileged(self) -> Array:
        """PRIVILEGED (n, privileged_size)."""
        state, ground = self.state, self.simulation.ground
        cos, sin = state.heading.T
        vectors = np.stack([ground.normal[:, -1, :2], self._push[:, :2] / _NOMINAL_MASS], 1)
        ahead = cos[:, None] * vectors[..., 0] + sin[:, None] * vectors[..., 1]
        left = cos[:, None] * vectors[..., 1] - sin[:, None] * vectors[..., 0]
        values = np.concatenate(
            [
                state.velocity_b,
                self.stride_velocity,
                state.height[:, None],
                state.clearance,
                state.contact,
                ground.friction.reshape(-1, 2, 4).mean(2),
                np.stack([ahead[:, 0], left[:, 0], ahead[:, 1], left[:, 1]], 1),
                self._motors,
            ],
            1,
        )
        return np.nan_to_num(values, posinf=0, neginf=0)
