"""The state of a simulation after a control step: plain arrays over worlds."""

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from grek.envs.vectors import Array, heading_frame


@dataclass(frozen=True)
class State:
    """State after a control step: n worlds, J joints, F feet."""

    position_w: Array
    """Base (n, 3) [m]."""
    rotation: Array
    """Base to world (n, 3, 3)."""
    velocity_b: Array
    """Of the IMU, base frame (n, 3) [m/s]."""
    gyro_b: Array
    """Angular velocity, base frame (n, 3) [rad/s]."""
    joint_position: Array
    """(n, J) [rad]"""
    joint_velocity: Array
    """(n, J) [rad/s]"""
    torque: Array
    """Of the motors (n, J) [N m]."""
    foot_w: Array
    """Centre of each sole (n, F, 3) [m]."""
    foot_velocity_w: Array
    """(n, F, 3) [m/s]"""
    clearance: Array
    """Smallest gap between a foot's sole and the undisturbed ground (n, F) [m]."""
    contact: NDArray[np.bool_]
    """Feet on the ground (n, F)."""
    height: Array
    """Base above the ground below it (n,) [m]."""
    broken: NDArray[np.bool_]
    """The engine warned or failed, or the state is not finite (n,)."""

    @property
    def gravity_b(self) -> Array:
        """Unit vector of gravity in the torso frame (n, 3)."""
        return -self.rotation[:, 2]

    @property
    def heading(self) -> Array:
        """Direction of the base's x axis in the plane (n, 2): cosine and sine of its yaw."""
        forward = self.rotation[:, :2, 0]
        return forward / np.maximum(np.sqrt((forward**2).sum(1, keepdims=True)), 1e-9)

    @property
    def velocity_h(self) -> Array:
        """Base velocity forward and left in the heading frame (n, 2) [m/s]."""
        velocity_w = np.einsum("nij,nj->ni", self.rotation, self.velocity_b)
        return heading_frame(velocity_w[:, :2], self.heading)

    def with_rows(self, worlds: NDArray, rows: "State") -> "State":
        """This state with `rows` in place of its `worlds` (m,)."""
        arrays = {f.name: getattr(self, f.name).copy() for f in fields(self)}
        for name, array in arrays.items():
            array[worlds] = getattr(rows, name)
        return State(**arrays)
