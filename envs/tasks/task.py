"""A task as a value: what is observed, rewarded, commanded, measured, and when it ends.

Observation fields and reward terms are values in tuples of the task; a task of one's own is another
`Task`, most simply `dataclasses.replace` of an existing one (docs/extending.md). `Moment` is what
all of them are functions of.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from grek.envs.robots import Robot
from grek.envs.scenarios.scenario import EPISODE, Sensors
from grek.envs.simulation.simulation import CONTROL_STEP
from grek.envs.simulation.state import State
from grek.envs.tasks.metrics import Metric
from grek.envs.tasks.motion import Reference, ReferenceMotion
from grek.envs.vectors import Array
from grek.errors import InputError


@dataclass(frozen=True)
class Moment:
    """Everything that observations, rewards and ends are functions of: n worlds, A acting joints.

    For a reward it is the end of a control step with the command, reference and action of that
    step; for an observation, command and reference are those of the step to come.
    """

    robot: Robot
    state: State
    command: Array
    """Forward, left [m/s], yaw rate [rad/s], head pitch, head yaw [rad] (n, 5)."""
    reference: Reference
    action: Array
    """The last one (n, A) [-]."""
    previous_action: Array
    """The one before (n, A)."""
    older_action: Array
    """The one before that (n, A)."""
    joint_velocity: Array
    """Of the acting joints a control step ago (n, A) [rad/s]."""
    stride_velocity: Array
    """Forward, left [m/s] and yaw rate [rad/s] averaged over a stride (n, 3)."""
    push: Array
    """Acceleration by a push, world frame (n, 2) [m/s^2]."""
    ground_normal: Array
    """Of the ground below the base (n, 3)."""
    friction: Array
    """Mean under each foot (n, F) [-]."""
    strength: Array
    """Factor of the motors' torque (n,) [-]."""
    motor_delay: Array
    """(n,) [s]"""
    payload: Array
    """(n,) [kg]"""
    ended: NDArray[np.bool_]
    """Fallen or broken (n,)."""


@dataclass(frozen=True)
class Sensor:
    """Errors of the sensor that measures a field, as functions of a scenario's sensors."""

    deviation: Callable[[Sensors], float]
    """Standard deviation of white noise, in the field's unit."""
    bias: Callable[[Sensors], ArrayLike] = lambda sensors: 0.0
    """Constant error of each column."""
    mounted: bool = False
    """A vector (3,) in the frame of the IMU, which is mounted with an error in roll and pitch."""


Columns = tuple[tuple[int, ...], tuple[float, ...]]
"""Order and sign: column i of the mirror image is sign[i] times column order[i]."""


@dataclass(frozen=True)
class Field:
    """A named run of columns of the observation."""

    name: str
    size: int
    read: Callable[[Moment], Array]
    """(n, size)"""
    mirror: Columns | None = None
    """Left-right reflection; None if there is none, which turns symmetric learning off."""
    sensor: Sensor | None = None
    """Errors of a measured field, which is also late and kept in the history; None: exact."""
    privileged: bool = False
    """Only the critic sees it."""


@dataclass(frozen=True)
class Term:
    """A reward term."""

    name: str
    weight: float
    """Per second of simulated time."""
    function: Callable[[Moment], Array]
    """(n,)"""


@dataclass(frozen=True)
class Task:
    """What a policy is to do with a robot."""

    name: str
    robot: Robot
    fields: tuple[Field, ...]
    """The policy sees measured fields first, then exact ones, then older measurements."""
    terms: tuple[Term, ...]
    motion: ReferenceMotion
    """Joint target = reference motion + action scale * action."""
    fallen: Callable[[State, Robot], NDArray[np.bool_]]
    """Whether the episode ends (n,)."""
    moving: Callable[[Array], NDArray[np.bool_]]
    """Whether commands (..., 3) ask to move; the others mean "stand"."""
    metrics: Mapping[str, Metric]
    """What an episode is scored by."""
    stride: float
    """Time over which tracking is averaged [s]."""
    history: int = 4
    """Older measurements in the observation, a control step apart."""
    action_scale: tuple[float, ...] = ()
    """Joint angle of action 1 for each acting joint [rad]; the robot's own by default."""
    action_limit: float = 4.0
    """Actions are cut here [-]."""
    episode: float = EPISODE
    """Time after which an episode is truncated [s]."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "action_scale", self.action_scale or self.robot.action_scale)
        acting = len(self.robot.joints)
        if len(self.action_scale) != acting:
            raise InputError(f"action_scale has {len(self.action_scale)} values, not {acting}")
        fields, terms = [f.name for f in self.fields], [t.name for t in self.terms]
        for names, what in ((fields, "fields"), (terms, "reward terms")):
            if len(set(names)) != len(names):
                raise InputError(f"two {what} of {self.name} have one name: {', '.join(names)}")
        if self.history < 0:
            raise InputError(f"history {self.history} is negative")

    @property
    def steps(self) -> int:
        """Control steps of an episode."""
        return round(self.episode / CONTROL_STEP)

    @property
    def measured(self) -> tuple[Field, ...]:
        """Fields that a sensor reads."""
        return tuple(f for f in self.fields if f.sensor is not None)

    @property
    def exact(self) -> tuple[Field, ...]:
        """Fields that the policy knows without error."""
        return tuple(f for f in self.fields if f.sensor is None and not f.privileged)

    @property
    def privileged(self) -> tuple[Field, ...]:
        """Fields for the critic alone."""
        return tuple(f for f in self.fields if f.privileged)

    def layout(self, privileged: bool = False) -> tuple[tuple[str, Field], ...]:
        """Column names and fields of the observation, in order: age k of a field is `name_k`."""
        older = [(f"{f.name}_{k}", f) for k in range(1, self.history + 1) for f in self.measured]
        first = [(f.name, f) for f in (*self.measured, *self.exact)]
        last = [(f.name, f) for f in self.privileged] if privileged else []
        return (*first, *older, *last)

    def size(self, privileged: bool = False) -> int:
        """Columns of the observation."""
        return sum(f.size for _, f in self.layout(privileged))

    def slices(self) -> dict[str, tuple[int, int]]:
        """First and one past the last column of each entry of the policy's observation."""
        ends = np.cumsum([f.size for _, f in self.layout()]).tolist()
        return {
            name: (end - f.size, end) for (name, f), end in zip(self.layout(), ends, strict=True)
        }

    def mirror(self, privileged: bool = False) -> tuple[NDArray[np.int64], Array] | None:
        """Order and sign of all columns: the mirror image is x[..., order] * sign; None if none."""
        columns = [f.mirror for _, f in self.layout(privileged)]
        if self.robot.mirror is None or None in columns:
            return None
        starts = np.cumsum([0, *(f.size for _, f in self.layout(privileged))])
        pairs = [(start, c) for start, c in zip(starts, columns, strict=False) if c is not None]
        order = [start + i for start, (each, _) in pairs for i in each]
        return np.array(order), np.array([x for _, (_, sign) in pairs for x in sign], float)

    def action_mirror(self) -> tuple[NDArray[np.int64], Array] | None:
        """The same for actions."""
        if self.robot.mirror is None:
            return None
        acting = len(self.robot.joints)
        mirror = self.robot.mirror
        return np.array(mirror.joints[:acting]), np.array(mirror.joint_sign[:acting], float)
