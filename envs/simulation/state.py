"""State of a simulation after a control step, as arrays over worlds."""

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from grek.envs.vectors import Array, heading_frame


@dataclass(frozen=True)
class State:
    """State after a control step: n worlds, J joints, F feet."""

    position_w: Array
    """Base position (n, 3) [m]."""
    rotation: Array
    """Rotation matrix, base to world (n, 3, 3)."""
    velocity_b: Array
    """Linear velocity of the IMU site, base frame (n, 3) [m/s]."""
    gyro_b: Array
    """Angular velocity, base frame (n, 3) [rad/s]."""
    joint_position: Array
    """(n, J) [rad]"""
    joint_velocity: Array
    """(n, J) [rad/s]"""
    torque: Array
    """Motor torque in the last physics step (n, J) [N m]."""
    foot_w: Array
    """Centre of each sole (n, F, 3) [m]."""
    foot_velocity_w: Array
    """(n, F, 3) [m/s]"""
    clearance: Array
    """Smallest gap from a foot's sole points to the undisturbed ground (n, F) [m]."""
    contact: NDArray[np.bool_]
    """Feet in contact with rigid or deformable ground (n, F)."""
    height: Array
    """Base above the ground, which is sampled at the start of the control step (n,) [m]."""
    seat_load: Array
    """Vertical force of the ground on `Robot.seat` in the last physics step (n,) [N]."""
    broken: NDArray[np.bool_]
    """Engine warning or failure, or a state that is not finite (n,)."""

    @property
    def gravity_b(self) -> Array:
        """Unit vector of gravity in the base frame (n, 3)."""
        return -self.rotation[:, 2]

    @property
    def heading(self) -> Array:
        """Cosine and sine of the base's yaw (n, 2): its x axis projected to the horizontal."""
        forward = self.rotation[:, :2, 0]
        return forward / np.maximum(np.sqrt((forward**2).sum(1, keepdims=True)), 1e-9)

    @property
    def velocity_w(self) -> Array:
        """Linear velocity of the IMU site, world frame (n, 3) [m/s]."""
        return np.einsum("nij,nj->ni", self.rotation, self.velocity_b)

    @property
    def velocity_h(self) -> Array:
        """Horizontal IMU velocity in the heading frame: forward and left (n, 2) [m/s]."""
        return heading_frame(self.velocity_w[:, :2], self.heading)

    def with_rows(self, worlds: NDArray, rows: "State") -> "State":
        """Copy of this state with the rows `worlds` (m,) taken from `rows`."""
        arrays = {f.name: getattr(self, f.name).copy() for f in fields(self)}
        for name, array in arrays.items():
            array[worlds] = getattr(rows, name)
        return State(**arrays)
