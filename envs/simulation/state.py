"""What the simulation knows after a control step: plain arrays over worlds."""

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from grek.envs.robots.robot import Array


@dataclass(frozen=True)
class State:
    """What the simulation knows after a control step; arrays over n worlds."""

    position_w: Array
    """Torso (n, 3) [m]."""
    rotation: Array
    """Torso to world (n, 3, 3)."""
    velocity_b: Array
    """Of the IMU, torso frame (n, 3) [m/s]."""
    gyro_b: Array
    """(n, 3) [rad/s]"""
    joint_position: Array
    """(n, 14) [rad]"""
    joint_velocity: Array
    """(n, 14) [rad/s]"""
    torque: Array
    """Of the motors (n, 14) [N m]."""
    foot_w: Array
    """Centre of each sole (n, 2, 3) [m]."""
    foot_velocity_w: Array
    """(n, 2, 3) [m/s]"""
    clearance: Array
    """Smallest gap between a foot's sole and the undisturbed ground (n, 2) [m]."""
    contact: NDArray[np.bool_]
    """Which feet are on the ground (n, 2)."""
    height: Array
    """Torso above the ground below it (n,) [m]."""
    broken: NDArray[np.bool_]
    """MuJoCo warned or failed, or the state is not finite (n,)."""

    @property
    def gravity_b(self) -> Array:
        """Unit vector of gravity in the torso frame (n, 3)."""
        return -self.rotation[:, 2]

    @property
    def heading(self) -> Array:
        """Direction the torso faces (n, 2): cosine and sine of its yaw."""
        forward = self.rotation[:, :2, 0]
        return forward / np.maximum(np.sqrt((forward**2).sum(1, keepdims=True)), 1e-9)

    @property
    def velocity_h(self) -> Array:
        """Torso velocity forward and left in the heading frame (n, 2) [m/s]."""
        velocity_w = np.einsum("nij,nj->ni", self.rotation, self.velocity_b)
        cos, sin = self.heading.T
        x, y = velocity_w[:, 0], velocity_w[:, 1]
        return np.stack([cos * x + sin * y, cos * y - sin * x], 1)

    def with_rows(self, worlds: NDArray, rows: "State") -> "State":
        """This state with `rows` in place of its `worlds` (m,)."""
        arrays = {f.name: getattr(self, f.name).copy() for f in fields(self)}
        for name, array in arrays.items():
            array[worlds] = getattr(rows, name)
        return State(**arrays)
