"""Interface between the simulation and a physics engine.

The simulation owns worlds, scenarios and ground; the engine integrates the bodies under joint
targets, wrenches and contact with planes. Models, joint addresses and `qpos` are MuJoCo's, so an
engine of another kind keeps a compiled `MjModel` as description of the robot.

n worlds; J joints in the order of the robot, F feet, P sole points. Attributes are live views of
all worlds; methods take m world indices `worlds` (m,), sorted and unique, and return copies.
"""

from collections.abc import Sequence
from typing import Any, Protocol

from numpy.typing import NDArray

from grek.envs.ground.planes import PlaneArrays
from grek.envs.ground.sinking import Sinking
from grek.envs.robots import Layout
from grek.envs.scenarios.scenario import Scenario
from grek.envs.vectors import Array


class Engine(Protocol):
    """Physics of n worlds."""

    layout: Layout
    model: Any
    """Compiled `mujoco.MjModel` that describes joints and motors."""
    timestep: float
    """Physics step of nominal scenarios [s]."""
    qpos: Array
    """Generalised positions, in the order of the robot's MJCF (n, nq)."""
    targets: Array
    """Joint targets (n, J) [rad]; written by the simulation."""
    push_w: Array
    """Force on the base, world frame (n, 3) [N]; written by the simulation, kept until changed."""
    planes: PlaneArrays
    """Rigid ground planes under the soles; written by the simulation."""
    time: Array
    """Simulated time (n,) [s]."""
    base_w: Array
    """Position of the base as of the last `forward` or `step` (n, 3) [m]."""
    torque: Array
    """Motor torque (n, J) [N m]."""
    seat_load: Array
    """Vertical force of the ground on the seat in the last physics step (n,) [N]; zeros where an
    engine does not measure it."""

    @property
    def mass(self) -> Array:
        """Total mass of each robot (n,) [kg]."""
        ...

    def carry(self, sinking: Sinking) -> None:
        """Apply the forces of deformable ground in every physics step, for the engine's lifetime.

        `Sinking.push` does it between steps; an engine may call `soles.push` in its own way.
        """
        ...

    def set_scenarios(self, worlds: NDArray, scenarios: Sequence[Scenario]) -> None:
        """Apply bodies, motors and numerics of `scenarios` (m,) to the models of `worlds`."""
        ...

    def step_of(self, scenario: Scenario) -> float:
        """Physics step of a world in `scenario` [s]."""
        ...

    def check(self, scenario: Scenario) -> None:
        """Raise InputError for a scenario that this engine does not support."""
        ...

    def reset(self, worlds: NDArray) -> None:
        """Reset time, velocities, forces, delay buffers and warnings of `worlds`."""
        ...

    def place(self, worlds: NDArray, position_w: Array, rotation: Array, joints: Array) -> None:
        """Set base position (m, 3) [m] and quaternion (m, 4), joints (m, J) [rad], velocities 0."""
        ...

    def lift(self, worlds: NDArray, height: Array) -> None:
        """Raise bodies by `height` (m,) [m]; poses follow with `forward`."""
        ...

    def hang(self, worlds: NDArray, height: float) -> None:
        """Raise bodies by `height` [m] and hold their base there, until their next scenario."""
        ...

    def hold(self, worlds: NDArray, targets: Array) -> None:
        """Set joint targets (m, J) [rad] and fill the motors' delay buffers with them."""
        ...

    def forward(self, worlds: NDArray | None = None) -> None:
        """Update poses and velocities to the present state; None for all worlds."""
        ...

    def step(self, worlds: NDArray | None, steps: int) -> list[int]:
        """Advance by `steps` physics steps and update poses and velocities; None for all worlds.

        Returns the indices of worlds in which the engine failed.
        """
        ...

    def broken(self) -> NDArray:
        """Worlds with an engine warning since `reset`, or a state that is not finite (n,)."""
        ...

    def pose(self, worlds: NDArray | slice) -> tuple[Array, Array]:
        """Base position (m, 3) [m] and rotation, base to world (m, 3, 3)."""
        ...

    def twist(self, worlds: NDArray | slice) -> tuple[Array, Array]:
        """Base velocity (m, 3): linear in the world [m/s] and angular in the base frame [rad/s]."""
        ...

    def joints(self, worlds: NDArray | slice) -> tuple[Array, Array]:
        """Joint position (m, J) [rad] and velocity (m, J) [rad/s]."""
        ...

    def soles(self, worlds: NDArray | slice) -> Array:
        """Centres of the sole points, world frame (m, P, 3) [m]."""
        ...

    def sole_velocity(self, worlds: NDArray, points_w: Array) -> Array:
        """Velocity (m, P, 3) [m/s] of points (m, P, 3) [m], each fixed to its sole point's foot."""
        ...

    def foot_velocity(self, worlds: NDArray | slice, points_w: Array) -> Array:
        """Velocity (m, F, 3) [m/s] of points (m, F, 3) [m], one fixed to each foot."""
        ...

    def foot_pose(self, worlds: NDArray) -> tuple[Array, Array]:
        """Origin (m, F, 3) [m] and rotation, foot to world (m, F, 3, 3), of the feet."""
        ...

    def foot_twist(self, worlds: NDArray, origin: Array) -> tuple[Array, Array]:
        """Angular [rad/s] and linear [m/s] velocity of the feet at `origin`, all (m, F, 3)."""
        ...

    def push_feet(self, worlds: NDArray, origin: Array, force: Array, moment: Array) -> None:
        """Apply a wrench to each foot, world frame, until the next call.

        `force` [N], and `moment` [N m] about `origin` [m], each (m, F, 3).
        """
        ...

    def snapshot(self) -> Any:
        """State for `restore`, as plain arrays."""
        ...

    def restore(self, saved: Any) -> None:
        """Continue from a snapshot of the same scenarios; `torque` is not restored until a step."""
        ...
