"""Reference motions: joint targets and contacts over time, which a policy corrects.

A `ReferenceMotion` is a value of a task; the `Motion` it makes holds the state of all worlds. The
gait is one; a robot without a gait holds its home pose.
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
    """What a motion asks for during a control step: n worlds, A acting joints, F feet."""

    joints: Array
    """Angles of the acting joints to aim at (n, A) [rad]."""
    contact: NDArray[np.bool_]
    """Feet that should be on the ground at the end of the step (n, F)."""
    clearance: Array
    """Height above the ground of each foot then (n, F) [m]."""
    clock: Array
    """First two harmonics of the phase, sine and cosine; zeros at rest (n, 4)."""
    moving: NDArray[np.bool_]
    """Whether it moves or rests (n,)."""

    def with_rows(self, worlds: NDArray, rows: "Reference") -> "Reference":
        """This reference with `rows` in place of its `worlds` (m,)."""
        arrays = {f.name: getattr(self, f.name).copy() for f in fields(self)}
        for name, array in arrays.items():
            array[worlds] = getattr(rows, name)
        return Reference(**arrays)


class Motion(Protocol):
    """A reference motion of all worlds."""

    now: Reference
    """For the control step to come."""

    def reset(self, worlds: NDArray, seeds: NDArray[np.uint64], command: Array) -> None:
        """Begin anew in `worlds` (m,), under `command` (m, 3)."""
        ...

    def advance(self, command: Array, gyro: Array, gravity: Array) -> None:
        """Go on to the next control step, under `command` (n, 3), on what the IMU reads (n, 3)."""
        ...

    def snapshot(self) -> dict[str, Array]:
        """What `restore` needs."""
        ...

    def restore(self, saved: dict[str, Array], command: Array) -> None:
        """Go on from a snapshot under `command` (n, 3)."""
        ...


class ReferenceMotion(Protocol):
    """A reference motion as a value."""

    def motion(self, robot: Robot, worlds: int) -> Motion:
        """Its state for `worlds`."""
        ...

    def describe(self) -> dict[str, Any] | None:
        """Plain values for a policy's contract."""
        ...

    def described(self, values: Any) -> "ReferenceMotion":
        """The motion that `describe` said; raises InputError for values that make none."""
        ...


@dataclass(frozen=True)
class HomePose:
    """The stand pose, for ever: every foot on the ground."""

    def motion(self, robot: Robot, worlds: int) -> Motion:
        """Its state for `worlds`."""
        return _Still(robot, worlds)

    def describe(self) -> None:
        """None."""
        return None

    def described(self, values: Any) -> "HomePose":
        """This one; raises InputError for values."""
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
        )

    def reset(self, worlds: NDArray, seeds: NDArray[np.uint64], command: Array) -> None:
        pass

    def advance(self, command: Array, gyro: Array, gravity: Array) -> None:
        pass

    def snapshot(self) -> dict[str, Array]:
        return {}

    def restore(self, saved: dict[str, Array], command: Array) -> None:
        pass
