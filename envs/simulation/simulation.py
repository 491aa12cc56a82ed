"""N worlds: reset(worlds, scenarios), step(targets) -> State.

The simulation owns worlds, scenarios and ground; the engine integrates the bodies. Stepping has no
Python loop over worlds. A world whose state is not finite, or in which the engine warns or fails,
is reported as broken; other worlds are not affected.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from grek.envs.ground import shapes
from grek.envs.ground.planes import Planes
from grek.envs.ground.sinking import LOADED, Sinking
from grek.envs.ground.surface import Ground
from grek.envs.robots import GREK, Robot
from grek.envs.robots.robot import CONTROL_STEP
from grek.envs.scenarios.scenario import Scenario
from grek.envs.simulation.engine import Engine
from grek.envs.simulation.engines import ENGINES, MUJOCO
from grek.envs.simulation.state import State
from grek.envs.vectors import Array, cross, dot, quaternion_standing
from grek.errors import InputError

CONTACT = 0.004  # largest gap to rigid ground that counts as contact [m]
GRAVITY = 9.81  # [m/s^2]
_PRELOAD = 1.5  # ground under a robot at reset was pressed by this times its weight before
_HUNG = 0.3  # from the ground to the soles of a robot that hangs [m]
_RESET_GAP = 0.0005  # between the lowest sole and the ground after a reset [m]


class Simulation:
    """`worlds` copies of `robot`, each in its own scenario, stepped on `threads` threads.

    `engine` names one of ENGINES. Raises InputError unless both numbers are at least 1, and for an
    engine that is unknown or not installed.
    """

    def __init__(
        self, worlds: int, threads: int = 1, robot: Robot = GREK, engine: str = MUJOCO
    ) -> None:
        if worlds < 1 or threads < 1:
            raise InputError(f"worlds and threads must be at least 1, got {worlds} and {threads}")
        self.robot = robot
        self.worlds, self.threads = worlds, threads
        self.scenarios: list[Scenario] = [Scenario()] * worlds
        self.engine: Engine = ENGINES.named(engine).make(robot, worlds, threads)
        self.layout = self.engine.layout
        self.ground = Ground(worlds)
        self.planes = Planes(self.ground, self.layout.sole_radius, self.engine.planes, threads)
        self.sinking = Sinking(robot, self.ground, self.engine, threads)
        self.engine.carry(self.sinking)
        self.paused = np.zeros(worlds, bool)
        self._home = np.array(robot.home)
        counts = robot.points_per_foot
        self._points = np.split(np.arange(counts.sum()), np.cumsum(counts)[:-1])  # of each foot
        self._offset = np.zeros((worlds, len(robot.joints)))  # encoder zero errors [rad]
        self._substeps = np.full(worlds, round(CONTROL_STEP / self.engine.timestep))
        self._live = np.zeros(0, int)  # worlds whose planes are updated each step
        self._soft = np.zeros(0, int)  # worlds with deformable ground
        # Worlds stepped together: indices, physics steps per control step.
        self._groups: list[tuple[NDArray[np.int64], int]] = []

    # -- reset -----------------------------------------------------------------------------

    def reset(self, worlds: Sequence[int] | NDArray, scenarios: Sequence[Scenario]) -> None:
        """Reset each of `worlds` (m,) to its scenario (m,), at rest in the home pose.

        Raises InputError for a scenario that the robot or the engine does not support.
        """
        ids = np.asarray(worlds, int)
        if not len(ids):
            return
        if len(np.unique(ids)) != len(ids) or len(scenarios) != len(ids):
            raise InputError(f"{len(ids)} worlds, all different, take as many scenarios")
        order = np.argsort(ids)
        ids, chosen = ids[order], [scenarios[i] for i in order]
        for scenario in chosen:  # before anything is written
            self._check(scenario)
        self._set_timing(ids, chosen)
        self._set_encoders(ids, chosen)
        self._set_ground(ids, chosen)
        self.engine.set_scenarios(ids, chosen)
        self.engine.reset(ids)
        self._stand(ids, chosen)
        self.engine.forward(ids)
        self._lay(ids)
        for world, scenario in zip(ids, chosen, strict=True):
            self.scenarios[world] = scenario
        self.paused[ids] = False
        self._regroup()

    def change(self, worlds: Sequence[int] | NDArray, scenarios: Sequence[Scenario]) -> None:
        """Give `worlds` (m,) other scenarios in motion: poses, velocities and time go on.

        On other ground, which is untouched, the lowest sole keeps its height above the surface, or
        is lifted onto it. Ground of the same shape and surface keeps its prints. Encoder errors
        and the physics step change at once, the initial heading has no effect. Raises InputError
        as `reset` does, before anything is written.
        """
        ids = np.asarray(worlds, int)
        for scenario in scenarios:
            self._check(scenario)
        old = [self.scenarios[world] for world in ids]
        relaid = np.array(
            [
                (a.shape, a.surface) != (b.shape, b.surface)
                for a, b in zip(old, scenarios, strict=True)
            ]
        )
        engine, moved = self.engine, ids[relaid]
        gap = self._gap(moved)
        self._set_timing(ids, scenarios)
        self._set_encoders(ids, scenarios)
        self._set_ground(moved, [s for s, new in zip(scenarios, relaid, strict=True) if new])
        kept = engine.snapshot()
        engine.set_scenarios(ids, scenarios)
        engine.restore(kept)
        for world, scenario in zip(ids, scenarios, strict=True):
            self.scenarios[world] = scenario
        if len(moved):
            origin, _ = engine.foot_pose(moved)
            none = np.zeros_like(origin)
            engine.push_feet(moved, origin, none, none)  # rigid ground would leave what acts now
            engine.lift(moved, np.maximum(gap, _RESET_GAP) - self._gap(moved))
            engine.forward(moved)
            base = engine.base_w[moved, None, :2]
            self.planes.lay_first(
                moved, self.ground.terrain.height_and_normal(base, moved)[1][:, 0]
            )
            self._lay(moved)
        self._regroup()

    def _gap(self, ids: NDArray) -> Array:
        """Height of the lowest sole point of `ids` (m,) above the undisturbed surface (m,) [m]."""
        soles = self.engine.soles(ids)
        height, normal = self.ground.terrain.height_and_normal(soles[..., :2], ids)
        gap = soles[..., 2] - height - self.layout.sole_radius / normal[..., 2]  # vertical
        return gap.min(1)

    def _check(self, scenario: Scenario) -> None:
        """Raise InputError for a scenario that the robot or the engine does not support."""
        shapes.check(scenario.shape)
        timestep, joints = self.engine.step_of(scenario), self._offset.shape[1]
        if not timestep > 0 or abs(_substeps(timestep) * timestep - CONTROL_STEP) > 1e-9:
            raise InputError(
                f"a control step of {CONTROL_STEP} s is no whole number of timesteps of"
                f" {timestep} s"
            )
        offset = scenario.sensors.joint_offset
        if offset and len(offset) != joints:
            raise InputError(
                f"{scenario.name}: joint_offset has {len(offset)} values, {self.robot.name} has"
                f" {joints} acting joints"
            )
        self.engine.check(scenario)

    def _set_timing(self, ids: NDArray, scenarios: Sequence[Scenario]) -> None:
        """Set the number of physics steps in a control step."""
        self._substeps[ids] = [_substeps(self.engine.step_of(s)) for s in scenarios]

    def _set_encoders(self, ids: NDArray, scenarios: Sequence[Scenario]) -> None:
        """Set encoder zero errors."""
        none = (0.0,) * self._offset.shape[1]
        self._offset[ids] = [scenario.sensors.joint_offset or none for scenario in scenarios]

    def _set_ground(self, ids: NDArray, scenarios: Sequence[Scenario]) -> None:
        """Set shapes and materials, without footprints."""
        surfaces = [scenario.surface for scenario in scenarios]
        self.ground.set(ids, [scenario.shape for scenario in scenarios], surfaces)
        timesteps = [self.engine.step_of(scenario) for scenario in scenarios]
        self.sinking.set(ids, surfaces, timesteps)

    def _stand(self, ids: NDArray, scenarios: Sequence[Scenario]) -> None:
        """Home pose, normal to the ground at the origin: _RESET_GAP above the highest contact on
        rigid ground, as deep as it carries the robot on ground that gives."""
        engine, terrain = self.engine, self.ground.terrain
        heading = np.array([scenario.heading for scenario in scenarios])
        _, normal = terrain.height_and_normal(np.zeros((len(ids), 1, 2)), ids)
        self.planes.lay_first(ids, normal[:, 0])
        rotation = quaternion_standing(heading, normal[:, 0])
        position = np.zeros((len(ids), 3))
        engine.place(ids, position, rotation, self._home)
        engine.hold(ids, np.tile(self._home + np.array(self.robot.static_offset), (len(ids), 1)))
        # Measure the vertical gaps below the sole points with the base at the origin, then lift.
        engine.forward(ids)
        position[:, 2] = -self._gap(ids) + _RESET_GAP
        engine.place(ids, position, rotation, self._home)
        soft = np.flatnonzero(self.sinking.soft[ids])
        if len(soft):
            worlds = ids[soft]
            engine.forward(worlds)
            self.sinking.look(worlds)
            depth = self.sinking.set_down(worlds, engine.mass[worlds] * GRAVITY, _PRELOAD)  # (m,)
            position[soft] -= depth[:, None] * normal[soft, 0]
            engine.place(worlds, position[soft], rotation[soft], self._home)

    def hang(self, worlds: Sequence[int] | NDArray) -> None:
        """Hold the bases of `worlds` (m,) in the air, as a stand does until the next reset."""
        ids = np.sort(np.asarray(worlds, int))
        self.engine.hang(ids, _HUNG)
        self.engine.forward(ids)
        self._lay(ids)

    # -- step ------------------------------------------------------------------------------

    def step(self, targets: Array, push_w: Array | None = None) -> State:
        """Advance all worlds that are not paused by CONTROL_STEP; returns the state after it.

        `targets` (n, J) are joint targets [rad], relative to encoder readings: an encoder's zero
        error shifts the joint. `push_w` (n, 3) is a force on the base, world frame [N]; None is
        no force. Raises RuntimeError before the first `reset`.
        """
        if not self._groups and not self.paused.all():
            raise RuntimeError("reset the worlds before stepping them")
        engine = self.engine
        engine.targets[:] = targets
        engine.targets[:, : self._offset.shape[1]] -= self._offset
        engine.push_w[:] = 0 if push_w is None else push_w
        if len(self._live):
            self._lay(self._live)
        failed: list[int] = []
        if len(self._soft):
            self.sinking.look(self._soft)
        for ids, substeps in self._groups:
            failed += engine.step(None if len(ids) == self.worlds else ids, substeps)
        return self.state(failed=failed)

    def pause(self, worlds: NDArray) -> None:
        """Exclude `worlds` (m,) from stepping until they are reset."""
        self.paused[worlds] = True
        self._regroup()

    def state(self, worlds: NDArray | slice = slice(None), failed: Sequence[int] = ()) -> State:
        """Present state of `worlds` (m,), by default all; those in `failed` are marked broken."""
        engine, first = self.engine, self.layout.first_point
        broken = engine.broken() & ~self.paused
        broken[list(failed)] = True
        position, rotation = engine.pose(worlds)
        linear, gyro = engine.twist(worlds)
        joint_position, joint_velocity = engine.joints(worlds)
        soles = engine.soles(worlds)  # (n, P, 3)
        feet = np.stack([soles[:, points].sum(1) / len(points) for points in self._points], 1)
        feet[..., 2] -= self.layout.sole_radius
        clearance, rigid = (
            np.minimum.reduceat(gap, first, 1) for gap in self.planes.clearance(soles, worlds)
        )
        return State(
            position_w=position,
            rotation=rotation,
            velocity_b=np.einsum("nij,ni->nj", rotation, linear) + cross(gyro, self.layout.imu),
            gyro_b=gyro,
            joint_position=joint_position,
            joint_velocity=joint_velocity,
            torque=engine.torque[worlds].copy(),
            foot_w=feet,
            foot_velocity_w=engine.foot_velocity(worlds, feet),
            clearance=clearance,
            contact=(rigid < CONTACT) | (self.sinking.load[worlds] > LOADED),
            height=position[:, 2] - self.planes.body_height[worlds],
            seat_load=np.abs(engine.seat_load[worlds]),
            broken=broken[worlds],
        )

    def snapshot(self) -> dict[str, Any]:
        """Physical state for `restore`, as plain arrays; scenarios are not included."""
        return {
            "engine": self.engine.snapshot(),
            "planes": self.planes.snapshot(),
            "sinking": self.sinking.snapshot(),
        }

    def restore(self, saved: dict[str, Any]) -> None:
        """Continue from a snapshot; call `reset` with the same scenarios first.

        `State.torque` is not restored until the next step.
        """
        self.planes.restore(saved["planes"])
        self.sinking.restore(saved["sinking"])
        self.engine.restore(saved["engine"])

    def _lay(self, ids: NDArray) -> None:
        """Place the planes of `ids` under their soles and base."""
        engine = self.engine
        soles = engine.soles(ids)
        slip = np.zeros(soles.shape[:2])
        wet = np.flatnonzero(self.ground.wet[ids])
        if len(wet):
            velocity = engine.sole_velocity(ids[wet], soles[wet])
            normal = self.planes.normal[ids[wet], :-1]
            along = velocity - dot(velocity, normal)[..., None] * normal
            slip[wet] = np.sqrt(dot(along, along))
        self.planes.lay(soles, engine.base_w[ids], slip, ids)

    def _regroup(self) -> None:
        """Group active worlds by number of physics steps, and list those that need more."""
        ground, going = self.ground, ~self.paused
        self._live = np.flatnonzero((~ground.terrain.flat | ground.varies) & going)
        self._soft = np.flatnonzero(self.sinking.soft & going)
        steps = np.where(going, self._substeps, 0)
        self._groups = [(np.flatnonzero(steps == k), int(k)) for k in np.unique(steps[going])]


def _substeps(timestep: float) -> int:
    """Physics steps of a control step."""
    return max(round(CONTROL_STEP / timestep), 1)
