"""The seam to a physics engine: what a simulation asks of whatever moves its bodies.

A simulation owns worlds, scenarios and ground; an engine only moves bodies under joint targets and
wrenches. Arrays are live views over all worlds; J joints in the order of the robot, F feet, P sole
points. Every method works on m `worlds` (m,), sorted and unique.
"""

from collections.abc import Sequence
from typing import Any, Protocol

from numpy.typing import NDArray

from grek.envs.ground.planes import PlaneArrays
from grek.envs.robots import Layout
from grek.envs.scenarios.scenario import Scenario
from grek.envs.vectors import Array


class Engine(Protocol):
    """Moves the bodies of n worlds."""

    layout: Layout
    model: Any
    """The compiled `mujoco.MjModel` that joints and motors are described by."""
    timestep: float
    """Of a physics step, where a scenario does not say otherwise [s]."""
    targets: Array
    """Joint targets (n, J) [rad]; write them."""
    push_w: Array
    """Force on the base, world frame (n, 3) [N]; write it."""
    planes: PlaneArrays
    """Rigid ground under the soles."""
    time: Array
    """Simulated time (n,) [s]."""
    base_w: Array
    """Position of the base as of the last `forward` or `step` (n, 3) [m]."""
    torque: Array
    """Of the motors (n, J) [N m]."""

    @property
    def mass(self) -> Array:
        """Of each whole robot (n,) [kg]."""
        ...

    def set_scenarios(self, worlds: NDArray, scenarios: Sequence[Scenario]) -> None:
        """Write bodies, motors and numerics of `scenarios` into the models of `worlds`.

        Raises InputError for what this engine cannot do.
        """
        ...

    def reset(self, worlds: NDArray) -> None:
        """Forget the past of `worlds`: time 0, no velocity, no force, nothing remembered."""
        ...

    def place(self, worlds: NDArray, position_w: Array, rotation: Array, joints: Array) -> None:
        """Put bodies at rest: base at (m, 3) [m], quaternion (m, 4), joints (m, J) [rad]."""
        ...

    def hold(self, worlds: NDArray, targets: Array) -> None:
        """Let motors have been at joint targets (m, J) [rad] for as long as they can be delayed."""
        ...

    def forward(self, worlds: NDArray | None = None) -> None:
        """Make poses and velocities current; None for all worlds."""
        ...

    def step(self, worlds: NDArray | None, steps: int) -> list[int]:
        """Advance by physics steps; poses and velocities are current. Returns worlds that failed.

        None for all worlds.
        """
        ...

    def broken(self) -> NDArray:
        """Worlds in which the engine warned or the state is not finite, since `reset` (n,)."""
        ...

    def pose(self, worlds: NDArray | slice) -> tuple[Array, Array]:
        """Base position (m, 3) [m] and rotation, base to world (m, 3, 3)."""
        ...

    def twist(self, worlds: NDArray | slice) -> tuple[Array, Array]:
        """Velocity of the base: linear in the world [m/s] and angular in the base [rad/s]."""
        ...

    def joints(self, worlds: NDArray | slice) -> tuple[Array, Array]:
        """Position (m, J) [rad] and velocity (m, J) [rad/s]."""
        ...

    def soles(self, worlds: NDArray | slice) -> Array:
        """Centres of the sole points (m, P, 3) [m]."""
        ...

    def sole_velocity(self, worlds: NDArray, points_w: Array) -> Array:
        """Velocity (m, P, 3) [m/s] of points (m, P, 3) fixed to the feet of the sole points."""
        ...

    def foot_velocity(self, worlds: NDArray | slice, points_w: Array) -> Array:
        """Velocity (m, F, 3) [m/s] of points (m, F, 3) fixed to the feet."""
        ...

    def foot_pose(self, worlds: NDArray) -> tuple[Array, Array]:
        """Origin (m, F, 3) [m] and rotation, foot to world (m, F, 3, 3)."""
        ...

    def foot_twist(self, worlds: NDArray, origin: Array) -> tuple[Array, Array]:
        """Angular [rad/s] and linear [m/s] velocity at `origin` (m, F, 3), world frame."""
        ...

    def push_feet(self, worlds: NDArray, origin: Array, force: Array, moment: Array) -> None:
        """Apply `force` [N] and `moment` [N m] about `origin` until the next call, world frame."""
        ...

    def snapshot(self) -> Any:
        """Plain arrays that `restore` goes on from, given the same scenarios."""
        ...

    def restore(self, saved: Any) -> None:
        """Go on from a snapshot; torque is missing until the next step."""
        ...
