"""Reference motions: joint targets and contacts over time, to which a policy adds residuals.

A `ReferenceMotion` is a parameter of a task; the `Motion` it creates holds the state of all worlds.
The gait is a reference motion; a robot without one holds its home pose.
"""

from dataclasses import dataclass, fields
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from grek.envs.robots import Robot
from grek.envs.vectors import Array
from grek.errors import InputError


@dataclass(frozen=True)
class Reference:
    """Reference for one control step: n worlds, A acting joints, F feet."""

    joints: Array
    """Positions of the acting joints (n, A) [rad]."""
    contact: NDArray[np.bool_]
    """Feet in stance at the end of the step (n, F)."""
    clearance: Array
    """Height of each foot above the ground at the end of the step (n, F) [m]."""
    clock: Array
    """sin, cos of the phase angle and of its double (n, 4); zeros at rest."""
    moving: NDArray[np.bool_]
    """True where the motion advances, False where it rests (n,)."""
    height: Array
    """Height of the base above the ground (n,) [m]."""
    lead: Array
    """Added to `joints` for the targets (n, A) [rad]: torque that the motion needs over stiffness,
    beyond the robot's static offset."""
    look: Array
    """Pitch and yaw of the head, to which the look command is added (n, 2) [rad]."""
    attitude: Array
    """Roll and pitch of the base (n, 2) [rad]."""
    velocity: Array
    """Forward, left [m/s] and yaw rate [rad/s] of the base in its heading frame, averaged over a
    stride as `StepData.stride_velocity` is (n, 3)."""
    rest: Array
    """Share of its weight that the robot shall not bear on its legs, in [0, 1] (n,)."""
    skill: NDArray[np.int64]
    """Index of the skill that it belongs to, 0 without one (n,)."""

    def rows(self, which: NDArray[np.int64]) -> "Reference":
        """Rows `which` (m,) of this reference."""
        return type(self)(**{f.name: getattr(self, f.name)[which] for f in fields(self)})

    def with_rows(self, worlds: NDArray, rows: "Reference") -> "Reference":
        """Copy of this reference with the rows `worlds` (m,) taken from `rows`."""
        arrays = {f.name: getattr(self, f.name).copy() for f in fields(self)}
        for name, array in arrays.items():
            array[worlds] = getattr(rows, name)
        return type(self)(**arrays)


class Motion(Protocol):
    """State of a reference motion in n worlds."""

    now: Reference
    """Reference for the coming control step."""

    def reset(self, worlds: NDArray, seeds: NDArray[np.uint64], command: Array) -> None:
        """Restart in `worlds` (m,), with random choices from `seeds`, under `command` (m, 3)."""
        ...

    def advance(self, command: Array, gyro: Array, gravity: Array, rate: Array) -> None:
        """Advance by a control step to `command` (n, 3), given IMU readings (n, 3).

        `gyro` [rad/s] and the unit vector `gravity` are in the base frame, with sensor errors. The
        step is 1 + `rate` (n,) times as long in phase.
        """
        ...

    def snapshot(self) -> dict[str, Array]:
        """State for `restore`."""
        ...

    def restore(self, saved: dict[str, Array], command: Array) -> None:
        """Continue from a snapshot under `command` (n, 3)."""
        ...


class ReferenceMotion(Protocol):
    """Parameters of a reference motion."""

    def start(self, robot: Robot, worlds: int) -> Motion:
        """Initial state for `worlds` worlds; raises InputError for an unsuitable robot."""
        ...

    def describe(self) -> dict[str, Any] | None:
        """JSON-serialisable parameters for a policy's contract."""
        ...

    def from_description(self, values: Any) -> "ReferenceMotion":
        """Inverse of `describe`; raises InputError for malformed values."""
        ...


@dataclass(frozen=True)
class HomePose:
    """Reference motion that holds the home pose with all feet in stance."""

    def start(self, robot: Robot, worlds: int) -> Motion:
        """State for `worlds` worlds, which never changes."""
        return _Still(robot, worlds)

    def describe(self) -> None:
        """None, as there are no parameters."""
        return None

    def from_description(self, values: Any) -> "HomePose":
        """This motion; raises InputError unless `values` is None."""
        if values is not None:
            raise InputError(f"a home pose has no parameters, got {str(values)[:60]!r}")
        return self


class _Still:
    def __init__(self, robot: Robot, worlds: int) -> None:
        home = np.array(robot.home[: len(robot.joints)])
        self.now = Reference(
            joints=np.tile(home, (worlds, 1)),
            contact=np.ones((worlds, len(robot.feet)), bool),
            clearance=np.zeros((worlds, len(robot.feet))),
            clock=np.zeros((worlds, 4)),
            moving=np.zeros(worlds, bool),
            height=np.full(worlds, robot.stand_height),
            lead=np.zeros((worlds, len(home))),
            look=np.zeros((worlds, 2)),
            attitude=np.zeros((worlds, 2)),
            velocity=np.zeros((worlds, 3)),
            rest=np.zeros(worlds),
            skill=np.zeros(worlds, int),
        )

    def reset(self, worlds: NDArray, seeds: NDArray[np.uint64], command: Array) -> None:
        pass

    def advance(self, command: Array, gyro: Array, gravity: Array, rate: Array) -> None:
        pass

    def snapshot(self) -> dict[str, Array]:
        return {}

    def restore(self, saved: dict[str, Array], command: Array) -> None:
        pass
