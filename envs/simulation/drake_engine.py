"""Drake as the engine: a second opinion on multibody dynamics, contact, limits and friction.

MuJoCo compiles the model of each world and does nothing else. Worlds are stepped on threads, as
Drake releases the interpreter's lock while it advances. docs/engines.md has what is shared with
MuJoCo's engine, what is not, and how far the two agree.
"""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from numpy.typing import NDArray

from grek.envs.ground import materials
from grek.envs.ground.planes import PlaneArrays
from grek.envs.ground.shapes import sizes
from grek.envs.ground.sinking import Sinking
from grek.envs.ground.terrain import Terrain
from grek.envs.robots import Robot
from grek.envs.scenarios.scenario import Numerics, Scenario
from grek.envs.simulation.drake_droid import STEP, Droid, Plane, check_robot
from grek.envs.simulation.mujoco_engine import MujocoEngine
from grek.envs.vectors import Array, cross
from grek.errors import InputError

_FRICTION, _DEPTH, _WET = (materials.index(name) for name in ("friction", "depth", "wet_area"))


class DrakeEngine:
    """A plant of Drake for each world, behind the seam of `grek.envs.simulation.engine`."""

    timestep = STEP

    def __init__(self, robot: Robot, worlds: int, threads: int) -> None:
        self._compiler = MujocoEngine(robot, 1, 1)
        self.robot, self.layout, self.model = robot, self._compiler.layout, self._compiler.model
        model, joints, feet = self.model, len(robot.all_joints), len(robot.feet)
        check_robot(model, robot)
        self._droids: dict[int, Droid] = {}
        self._threads = threads
        self._pool: ThreadPoolExecutor | None = None
        self._sinking: Sinking | None = None
        self.qpos, self._qvel = np.zeros((worlds, model.nq)), np.zeros((worlds, model.nv))
        self.qpos[:, 3] = 1.0
        self._rotation = np.tile(np.eye(3), (worlds, 1, 1))
        self._origin = np.zeros((worlds, feet, 3))
        self._turn = np.tile(np.eye(3), (worlds, feet, 1, 1))
        self._twist = np.zeros((worlds, feet, 6))
        self.base_w = self.qpos[:, :3]
        self.time = np.zeros(worlds)
        self.targets, self.torque = np.zeros((worlds, joints)), np.zeros((worlds, joints))
        self.seat_load = np.zeros(worlds)  # not measured
        self.push_w = np.zeros((worlds, 3))
        self.mass = np.zeros(worlds)
        self.seat_load = np.zeros(worlds)  # only soles touch the ground
        # Targets of past steps, a ring as long as the longest delay that `check` lets pass; each
        # motor follows those of `_late` steps ago.
        longest = self.layout.history.shape[1] * model.opt.timestep
        self._past = np.zeros((worlds, round(longest / STEP) + 1, joints))
        self._late = np.zeros((worlds, joints), int)
        self._slot = np.zeros(worlds, int)
        self._gains = np.zeros((worlds, joints, model.actuator_gainprm.shape[1]))
        self._peak = np.zeros((worlds, joints))
        self._broken = np.zeros(worlds, bool)
        self._foot_of = np.repeat(np.arange(feet), robot.points_per_foot)  # (P,)
        self._points = model.geom_pos[self.layout.sole_geoms]  # (P, 3), in the frame of their foot
        planes = worlds, len(self._points) + 1
        self.planes = PlaneArrays(
            position=np.zeros((*planes, 3)),
            rotation=np.zeros((*planes, 4)),
            friction=np.zeros((worlds, model.npair, 2)),
            sole_pairs=self._compiler.planes.sole_pairs,
            body_pairs=self._compiler.planes.body_pairs,
        )

    def carry(self, sinking: Sinking) -> None:
        """Apply the forces of `sinking` in every step of Drake."""
        self._sinking = sinking

    # -- scenarios -------------------------------------------------------------------------

    def step_of(self, scenario: Scenario) -> float:
        """Drake's own step in every scenario [s]."""
        return STEP

    def check(self, scenario: Scenario) -> None:
        """Raise InputError for ground or numerics that Drake cannot follow."""
        self._compiler.check(scenario)
        surface = scenario.surface
        uneven = [kind for kind in sizes(scenario.shape) if kind != "slope"]
        wet = [
            name
            for name, row in zip(surface.materials, surface.parameters, strict=True)
            if row[_WET] > 0
        ]
        reason = None
        if uneven:
            reason = f"{', '.join(uneven)}: its ground is level or a slope"
        elif len(surface.materials) > 1:
            reason = f"{' and '.join(surface.materials)}: its ground is of one material"
        elif wet:
            reason = f"{wet[0]}: friction that depends on place and slip"
        elif scenario.acts:
            reason = "acts of skills: only soles touch its ground"
        elif scenario.numerics != Numerics():
            reason = "numerics of MuJoCo: it has its own"
        if reason is not None:
            raise InputError(f"{scenario.name}: the engine drake cannot follow {reason}")

    def set_scenarios(self, worlds: NDArray, scenarios: Sequence[Scenario]) -> None:
        """Build a plant for each world from its compiled model."""
        only, joints = np.zeros(1, int), self._peak.shape[1]
        acting = len(self.robot.joints)
        for world, scenario in zip(worlds.tolist(), scenarios, strict=True):
            self._compiler.set_scenarios(only, [scenario])
            model = self._compiler.batch.get_model(0)
            droid = Droid(model, self.robot, self.layout, _plane(scenario))
            self._droids[world], self.mass[world] = droid, droid.mass
            self._gains[world] = model.actuator_gainprm[:joints]
            self._peak[world] = model.actuator_forcerange[:joints, 1]
            # Rounded up to whole steps, as MuJoCo does.
            self._late[world, :acting] = np.ceil(scenario.motors.delay / STEP - 1e-9)

    def reset(self, worlds: NDArray) -> None:
        """Forget the past of `worlds`."""
        self.time[worlds] = self.torque[worlds] = self.push_w[worlds] = 0
        self._slot[worlds], self._broken[worlds] = 0, False
        for world in worlds.tolist():
            self._droids[world].restart()
            self._droids[world].push(self.push_w[world])

    def place(self, worlds: NDArray, position_w: Array, rotation: Array, joints: Array) -> None:
        """Put bodies at rest."""
        qpos = np.tile(self.model.qpos0, (len(worlds), 1))
        qpos[:, self.layout.qpos] = joints
        qpos[:, :3], qpos[:, 3:7] = position_w, rotation
        for world, row in zip(worlds.tolist(), qpos, strict=True):
            self._droids[world].set(row, np.zeros(self.model.nv))

    def lift(self, worlds: NDArray, height: Array) -> None:
        """Raise bodies by `height` (m,) [m]."""
        for world, rise in zip(worlds.tolist(), height.tolist(), strict=True):
            self._droids[world].lift(rise)

    def hang(self, worlds: NDArray, height: float) -> None:
        """Raise bodies by `height` [m] and hold their base there, until their next scenario."""
        self.lift(worlds, np.full(len(worlds), height))
        for world in worlds.tolist():
            self._droids[world].lock_base()

    def hold(self, worlds: NDArray, targets: Array) -> None:
        """Let motors have been at `targets` (m, J) [rad]."""
        self.targets[worlds], self._past[worlds] = targets, targets[:, None]

    # -- steps -----------------------------------------------------------------------------

    def forward(self, worlds: NDArray | None = None) -> None:
        """Read poses and velocities from Drake."""
        for world in self._all(worlds).tolist():
            droid = self._droids[world]
            droid.read(self.qpos[world], self._qvel[world])
            self._rotation[world] = droid.base_rotation()
            self._read_feet(world)

    def step(self, worlds: NDArray | None, steps: int) -> list[int]:
        """Advance by steps of Drake; returns worlds that failed."""
        going, sinking = self._all(worlds), self._sinking
        for world in going.tolist():
            self._droids[world].push(self.push_w[world])
        for _ in range(steps):
            self._drive(going)
            if sinking is not None and (soft := going[sinking.soft[going]]).size:
                for world in soft.tolist():
                    self._read_feet(world)
                sinking.push(soft)
            failed = self._advance(going)
            if failed:
                self._broken[failed] = True
                going = going[~self._broken[going]]
            self.time[going] += STEP
        self.forward(going)
        return np.flatnonzero(self._broken).tolist()

    def _all(self, worlds: NDArray | None) -> NDArray[np.int64]:
        """`worlds`, by default all that have been reset once."""
        return np.array(sorted(self._droids)) if worlds is None else worlds

    def _drive(self, worlds: NDArray) -> None:
        """Torque of DC motors: position and velocity gain within the torque-speed curve.

        The final clip at the peak acts beyond the no-load speed, as MuJoCo's force range does.
        """
        slot, joint = self._slot[worlds], np.arange(self.targets.shape[1])
        length = self._past.shape[1]
        self._past[worlds, slot] = self.targets[worlds]
        late = (slot[:, None] - self._late[worlds]) % length
        target = self._past[worlds[:, None], late, joint]
        self._slot[worlds] = (slot + 1) % length
        position, velocity = self.joints(worlds)
        gains, peak = self._gains[worlds], self._peak[worlds]
        resistance, constant, stiffness, damping, voltage = (gains[..., i] for i in (0, 1, 4, 6, 7))
        back = constant * velocity
        high = np.minimum(constant / resistance * (voltage - back), peak)
        low = np.maximum(constant / resistance * (-voltage - back), -peak)
        wanted = stiffness * (target - position) - damping * velocity
        self.torque[worlds] = np.clip(np.clip(wanted, low, high), -peak, peak)

    def _advance(self, worlds: NDArray) -> list[int]:
        """Advance by one step on all threads; returns worlds that failed."""
        if self._threads == 1 or len(worlds) < 2:
            return self._advance_some(worlds.tolist())
        shares = [worlds[i :: self._threads].tolist() for i in range(self._threads)]
        if self._pool is None:
            self._pool = ThreadPoolExecutor(self._threads, "drake")
        return [world for failed in self._pool.map(self._advance_some, shares) for world in failed]

    def _advance_some(self, worlds: list[int]) -> list[int]:
        failed = []
        for world in worlds:
            droid = self._droids[world]
            try:
                droid.advance(self.torque[world])
            except (RuntimeError, SystemExit):  # so Drake says that its solver diverged
                failed.append(world)
            else:
                droid.read(self.qpos[world], self._qvel[world])
        return failed

    def _read_feet(self, world: int) -> None:
        feet = self._origin[world], self._turn[world], self._twist[world]
        self._droids[world].read_feet(*feet)

    def broken(self) -> NDArray[np.bool_]:
        """Worlds that failed or are not finite (n,)."""
        finite = np.isfinite(self.qpos).all(1) & np.isfinite(self._qvel).all(1)
        return self._broken | ~finite

    _KEPT = ("time", "targets", "torque", "_past", "_slot", "_broken")

    def snapshot(self) -> dict[str, Any]:
        """Drake's state and past targets of all worlds."""
        kept = {name: getattr(self, name).copy() for name in self._KEPT}
        return {**kept, "drake": {world: droid.state for world, droid in self._droids.items()}}

    def restore(self, saved: dict[str, Any]) -> None:
        """Go on from a snapshot."""
        for name in self._KEPT:
            getattr(self, name)[:] = saved[name]
        for world, state in saved["drake"].items():
            self._droids[world].restart()
            self._droids[world].state = state
        self.forward()

    # -- poses and velocities --------------------------------------------------------------

    def pose(self, worlds: NDArray | slice) -> tuple[Array, Array]:
        """Base position (m, 3) and rotation (m, 3, 3)."""
        return self.qpos[worlds, :3].copy(), self._rotation[worlds].copy()

    def twist(self, worlds: NDArray | slice) -> tuple[Array, Array]:
        """Base velocity: linear in the world, angular in the body."""
        return self._qvel[worlds, :3].copy(), self._qvel[worlds, 3:6].copy()

    def joints(self, worlds: NDArray | slice) -> tuple[Array, Array]:
        """Position and velocity (m, J)."""
        return (
            np.take(self.qpos[worlds], self.layout.qpos, 1),
            np.take(self._qvel[worlds], self.layout.dof, 1),
        )

    def soles(self, worlds: NDArray | slice) -> Array:
        """Centres of the sole points (m, P, 3)."""
        origin, turn = self._origin[worlds][:, self._foot_of], self._turn[worlds][:, self._foot_of]
        return origin + np.einsum("npij,pj->npi", turn, self._points)

    def sole_velocity(self, worlds: NDArray, points_w: Array) -> Array:
        """Velocity (m, P, 3) of points fixed to the feet of the sole points."""
        return self._velocity(points_w, self._foot_of, worlds)

    def foot_velocity(self, worlds: NDArray | slice, points_w: Array) -> Array:
        """Velocity (m, F, 3) of points fixed to the feet."""
        return self._velocity(points_w, np.arange(self._twist.shape[1]), worlds)

    def foot_pose(self, worlds: NDArray) -> tuple[Array, Array]:
        """Origin (m, F, 3) and rotation (m, F, 3, 3) of the feet."""
        return self._origin[worlds], self._turn[worlds]

    def foot_twist(self, worlds: NDArray, origin: Array) -> tuple[Array, Array]:
        """Angular and linear velocity at `origin` (m, F, 3)."""
        return self._twist[worlds][..., :3].copy(), self.foot_velocity(worlds, origin)

    def push_feet(self, worlds: NDArray, origin: Array, force: Array, moment: Array) -> None:
        """Apply a wrench about `origin`, moved to the origins of the feet, and the push."""
        about = moment + cross(origin - self._origin[worlds], force)
        wrenches = np.concatenate([force, about], 2)
        for world, feet in zip(worlds.tolist(), wrenches, strict=True):
            self._droids[world].push(self.push_w[world], feet)

    def _velocity(self, points_w: Array, feet: NDArray, worlds: NDArray | slice) -> Array:
        """Velocity (m, k, 3) of points (m, k, 3) fixed to `feet` (k,)."""
        twist, arm = self._twist[worlds][:, feet], points_w - self._origin[worlds][:, feet]
        return twist[..., 3:] + cross(twist[..., :3], arm)


def _plane(scenario: Scenario) -> Plane:
    """Ground of a scenario that `DrakeEngine.check` accepts."""
    terrain, row = Terrain(1), scenario.surface.parameters[0]
    terrain.set(0, scenario.shape)
    _, normal = terrain.height_and_normal(np.zeros((1, 1, 2)))
    return Plane(normal[0, 0], row[_DEPTH], row[_FRICTION])
