"""Task description: observation, reward, termination, reference motion and metrics.

Observation fields and reward terms are values, listed in tuples and computed as functions of a
`StepData`. A new task is another `Task`, most simply `dataclasses.replace` of an existing one
(docs/extending.md).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from grek.envs.motions.motion import Reference, ReferenceMotion
from grek.envs.motions.residual import Residual
from grek.envs.robots import Robot
from grek.envs.scenarios.scenario import EPISODE, Sensors
from grek.envs.simulation.simulation import CONTROL_STEP
from grek.envs.simulation.state import State
from grek.envs.tasks.metrics import Metric
from grek.envs.vectors import Array
from grek.errors import InputError

HEADING_MEMORY = 2.0  # time constant in which a heading error is forgotten [s]


@dataclass(frozen=True)
class StepData:
    """Arguments of observation fields and reward terms: n worlds, A acting joints, F feet.

    The state is that after a control step. For a reward, command, reference and action are those of
    this step; for an observation, command and reference are those of the next step.
    """

    robot: Robot
    state: State
    command: Array
    """Forward, left [m/s], yaw rate [rad/s], head pitch, head yaw [rad] (n, 5), within
    `Task.commands`."""
    reference: Reference
    actions: Array
    """Last actions of the joints, newest first (n, at least 3, A) [-]."""
    rate: Array
    """Last rate of the motion over its own, less 1 (n,) [-]; 0 without `Task.phase_rate`."""
    joint_velocity: Array
    """Velocity of the acting joints one control step before `state` (n, A) [rad/s]."""
    stride_velocity: Array
    """Forward, left [m/s] and yaw rate [rad/s], low-pass filtered (n, 3).

    First-order filter with a time constant of half of `Task.stride`."""
    heading_error: Array
    """Yaw rate less its command, integrated with a leak of HEADING_MEMORY (n,) [rad]."""
    landing_speed: Array
    """Downward speed before it touched down of each foot that did in this step, else 0 (n, F)
    [m/s]."""
    push: Array
    """Acceleration by a push in the last control step, world frame (n, 2) [m/s^2]."""
    ground_normal: Array
    """Unit normal of the ground below the base, world frame (n, 3)."""
    friction: Array
    """Mean friction coefficient under each foot (n, F) [-]."""
    strength: Array
    """Scale of motor strength (n,) [-]."""
    motor_delay: Array
    """(n,) [s]"""
    payload: Array
    """(n,) [kg]"""
    weight: Array
    """Of the robot, payload included (n,) [N]."""
    ended: NDArray[np.bool_]
    """Fallen or broken (n,)."""

    @property
    def action(self) -> Array:
        """Last action (n, A) [-]."""
        return self.actions[:, 0]


@dataclass(frozen=True)
class Sensor:
    """Error model of a measured field, as functions of the scenario's `Sensors`."""

    deviation: Callable[[Sensors], float]
    """Standard deviation of white noise [unit of the field]."""
    bias: Callable[[Sensors], ArrayLike] = lambda sensors: 0.0
    """Constant error, scalar or one value per column [unit of the field]."""
    mounted: bool = False
    """True for a vector (3,) in the IMU frame, which its mounting error rotates."""
    estimated: bool = False
    """True for the gravity vector (3,) as a complementary filter of gyro and accelerometer
    estimates it."""


Columns = tuple[tuple[int, ...], tuple[float, ...]]
"""Left-right reflection (order, sign): mirrored[i] = sign[i] * values[order[i]]."""


def joint_mirror(robot: Robot) -> Columns | None:
    """Reflection of one value per acting joint; None for an asymmetric robot."""
    acting, mirror = len(robot.joints), robot.mirror
    return None if mirror is None else (mirror.joints[:acting], mirror.joint_sign[:acting])


@dataclass(frozen=True)
class Field:
    """Observation term: a named block of columns."""

    name: str
    size: int
    """Number of columns."""
    read: Callable[[StepData], Array]
    """True value (n, size)."""
    mirror: Columns | None = None
    """Left-right reflection; None disables symmetry in learning."""
    sensor: Sensor | None = None
    """Error model of a measured field, which has latency and history; None for an exact one."""
    privileged: bool = False
    """Observed by the critic only."""
    bounds: Callable[["Task"], tuple[ArrayLike, ArrayLike]] = lambda task: (-np.inf, np.inf)
    """Lowest and highest value in a task, scalars or one value per column."""


def action_bounds(task: "Task") -> tuple[float, float]:
    """Bounds of the actions of the joints in an observation."""
    return -task.action_limit, task.action_limit


def command_bounds(task: "Task") -> tuple[ArrayLike, ArrayLike]:
    """Bounds of the velocity commands of `task`; infinite without `Task.commands`."""
    if task.commands is None:
        return -np.inf, np.inf
    low, high = zip(*task.commands, strict=True)
    return low, high


@dataclass(frozen=True)
class Term:
    """Reward term: weight times function, integrated over a control step."""

    name: str
    weight: float
    """Weight [1/s]: the reward of a step is weight * CONTROL_STEP * function. A term of weight 0 is
    not computed."""
    function: Callable[[StepData], Array]
    """Value (n,)."""
    always: bool = False
    """Counts where the simulation failed too: the function reads nothing measured."""


@dataclass(frozen=True)
class Task:
    """A task of a robot; raises InputError for inconsistent sizes or repeated names."""

    name: str
    robot: Robot
    fields: tuple[Field, ...]
    """Observation terms; columns are ordered as in `layout`."""
    terms: tuple[Term, ...]
    """Reward terms."""
    motion: ReferenceMotion
    """Reference motion; joint target = reference + action_scale * action."""
    termination: Callable[[StepData], NDArray[np.bool_]]
    """Termination condition (n,)."""
    moving: Callable[[Array], NDArray[np.bool_]]
    """Mask (...) of velocity commands (..., 3) that ask to move rather than stand."""
    metrics: Mapping[str, Metric]
    """Episode metrics by their name in a scorecard."""
    stride: float
    """Averaging time of velocity tracking, in rewards and metrics [s]."""
    history: int = 4
    """Number of past readings of measured fields in the observation, one control step apart."""
    past_actions: int = 0
    """Number of actions before the last one in the observation, newest first."""
    commands: tuple[tuple[float, float], ...] | None = None
    """Range of each velocity command (vx, vy, yaw rate) that observation and motion are given;
    commands beyond it are cut. None for no limit. Metrics judge by the command as it was given."""
    action_scale: tuple[float, ...] = ()
    """Joint angle per unit of action, for each acting joint [rad]; by default the robot's."""
    phase_rate: float = 0.0
    """Largest relative change of the motion's rate, in [0, 1), that a last action in [-1, 1] asks
    for (Iscen et al. 2018); 0 for none, where there is no such action."""
    action_limit: float = 4.0
    """Actions are clipped to [-action_limit, action_limit] [-]."""
    time_limit: float = EPISODE
    """Time limit, at which an episode is truncated [s]."""
    records: Mapping[str, Callable[[StepData], Array]] = field(default_factory=dict)
    """Values (n, ...) of each control step, by name, that metrics find in `EpisodeLog.records`."""
    space: str = "train"
    """Space that it is trained in."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "action_scale", self.action_scale or self.robot.action_scale)
        acting = len(self.robot.joints)
        if len(self.action_scale) != acting:
            raise InputError(f"action_scale has {len(self.action_scale)} values, not {acting}")
        fields, terms = [f.name for f in self.fields], [t.name for t in self.terms]
        for names, what in ((fields, "fields"), (terms, "reward terms")):
            if len(set(names)) != len(names):
                raise InputError(f"two {what} of {self.name} have one name: {', '.join(names)}")
        for name in ("history", "past_actions"):
            if getattr(self, name) < 0:
                raise InputError(f"{name} {getattr(self, name)} is negative")
        if not 0 <= self.phase_rate < 1:
            raise InputError(f"phase_rate {self.phase_rate} is not in [0, 1)")
        if self.commands is not None and not (
            len(self.commands) == 3 and all(low <= 0 <= high for low, high in self.commands)
        ):
            raise InputError(f"commands are three ranges that contain 0, got {self.commands}")

    @property
    def steps(self) -> int:
        """Time limit in control steps."""
        return round(self.time_limit / CONTROL_STEP)

    @property
    def measured(self) -> tuple[Field, ...]:
        """Fields with a sensor model."""
        return tuple(f for f in self.fields if f.sensor is not None)

    @property
    def exact(self) -> tuple[Field, ...]:
        """Fields observed without error."""
        return tuple(f for f in self.fields if f.sensor is None and not f.privileged)

    @property
    def privileged(self) -> tuple[Field, ...]:
        """Fields observed by the critic only."""
        return tuple(f for f in self.fields if f.privileged)

    @property
    def actions(self) -> int:
        """Number of actions: one for each acting joint, and the rate of the motion."""
        return len(self.robot.joints) + (self.phase_rate > 0)

    def layout(self, privileged: bool = False) -> tuple[tuple[str, Field], ...]:
        """Names and fields in column order: measured, exact, past (`NAME_k`), privileged."""
        older = [(f"{f.name}_{k}", f) for k in range(1, self.history + 1) for f in self.measured]
        first = [(f.name, f) for f in (*self.measured, *self.exact)]
        if self.phase_rate:
            rate = Field(
                "rate",
                1,
                lambda data: data.rate[:, None],
                ((0,), (1.0,)),
                bounds=lambda task: (-task.phase_rate, task.phase_rate),
            )
            first.append(("rate", rate))
        acted = [(f"action_{k}", self._action) for k in range(1, self.past_actions + 1)]
        last = [(f.name, f) for f in self.privileged] if privileged else []
        return (*first, *older, *acted, *last)

    @property
    def _action(self) -> Field:
        """An action as an entry of the observation."""
        columns = joint_mirror(self.robot)
        acting = len(self.robot.joints)
        return Field("action", acting, lambda data: data.action, columns, bounds=action_bounds)

    def residual(self) -> Residual:
        """Limits and scales of its actions."""
        scale, limit = self.action_scale, self.action_limit
        return Residual(self.robot, scale, limit, self.phase_rate, self.commands)

    def size(self, privileged: bool = False) -> int:
        """Number of columns of the observation."""
        return sum(f.size for _, f in self.layout(privileged))

    def bounds(self, privileged: bool = False) -> tuple[Array, Array]:
        """Lowest and highest observation (size,); infinite where a field has no known bound.

        Measured fields have none: their noise and bias have none.
        """
        sides = [
            np.broadcast_to(np.array(f.bounds(self), float).reshape(2, -1), (2, f.size))
            for _, f in self.layout(privileged)
        ]
        low, high = np.concatenate(sides, 1)
        return low, high

    def weighted(self, weights: Mapping[str, float]) -> "Task":
        """This task with other weights of reward terms; InputError names an unknown term."""
        known = {term.name: term.weight for term in self.terms}
        for name, weight in weights.items():
            if name not in known:
                named = ", ".join(f"{key}={value:g}" for key, value in known.items())
                raise InputError(f"unknown reward term {name!r}; there are: {named}")
            if isinstance(weight, bool) or not isinstance(weight, int | float | np.number):
                raise InputError(f"the weight of {name} is {weight!r}, not a number")
            if not np.isfinite(weight):
                raise InputError(f"the weight of {name} is {weight}, not finite")
        terms = (replace(t, weight=float(weights.get(t.name, t.weight))) for t in self.terms)
        return replace(self, terms=tuple(terms))

    def slices(self) -> dict[str, tuple[int, int]]:
        """Half-open column range of each entry of the policy's observation."""
        ends = np.cumsum([f.size for _, f in self.layout()]).tolist()
        return {
            name: (end - f.size, end) for (name, f), end in zip(self.layout(), ends, strict=True)
        }

    def mirror(self, privileged: bool = False) -> tuple[NDArray[np.int64], Array] | None:
        """Reflection of observations, x[..., order] * sign; None if a field has none."""
        columns = [f.mirror for _, f in self.layout(privileged)]
        if self.robot.mirror is None or None in columns:
            return None
        starts = np.cumsum([0, *(f.size for _, f in self.layout(privileged))])
        pairs = [(start, c) for start, c in zip(starts, columns, strict=False) if c is not None]
        order = [start + i for start, (each, _) in pairs for i in each]
        return np.array(order), np.array([x for _, (_, sign) in pairs for x in sign], float)

    def action_mirror(self) -> tuple[NDArray[np.int64], Array] | None:
        """Reflection (order, sign) of actions; None for an asymmetric robot."""
        columns = joint_mirror(self.robot)
        if columns is None:
            return None
        order, sign = (list(each) for each in columns)
        if self.phase_rate:
            order, sign = [*order, len(order)], [*sign, 1.0]
        return np.array(order), np.array(sign, float)
