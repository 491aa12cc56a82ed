"""N worlds on `mujoco.batch`: reset(worlds, scenarios), step(targets) -> State.

One C thread pool steps all worlds; no Python loop over worlds on the hot path. A world that turns
out non-finite, or in which MuJoCo warns or fails, is reported as broken and touches no other. What
each part and each setting of the simulator costs: docs/speed.md.
"""

from collections.abc import Sequence
from typing import Any

import mujoco
import numpy as np
from mujoco.batch import Batch, SimulationError
from numpy.typing import NDArray

from grek.envs.ground.sinking import LOADED, Sinking
from grek.envs.ground.surface import Ground, add_planes
from grek.envs.robots import robot
from grek.envs.robots.robot import HOME, LEGS, SAG, Array
from grek.envs.scenarios.scenario import Numerics, Scenario
from grek.envs.simulation.state import State
from grek.envs.vectors import cross, dot
from grek.errors import InputError

CONTROL_STEP = 0.02  # [s]
CONTACT = 0.004  # a foot counts as on the ground below this clearance [m]
_CURRENT = int(mujoco.mjtStage.mjSTAGE_VEL)  # poses and velocities of the state, not one step old
_NOTHING = int(mujoco.mjtStage.mjSTAGE_NONE)
_INTEGRATORS = {"Euler": 0, "implicit": 2, "implicitfast": 3}
_CONES = {"pyramidal": 0, "elliptic": 1}


class Simulation:
    """`worlds` droids, each in its own scenario; `threads` of them step at a time."""

    def __init__(self, worlds: int, threads: int = 1) -> None:
        if worlds < 1 or threads < 1:
            raise InputError(f"worlds and threads must be at least 1, got {worlds} and {threads}")
        spec = robot.load_spec()
        robot.strip_visuals(spec)
        robot.strip_overhead(spec)
        add_planes(spec)
        self.model = model = spec.compile()
        self.parts = parts = robot.Layout.of(model)
        self.worlds = worlds
        self.scenarios: list[Scenario] = [Scenario()] * worlds
        self.batch = batch = Batch(model, worlds, threads, True)
        batch.reset(stage=_NOTHING)
        bind, expand = batch.bind, batch.expand
        self.qpos, self.qvel, self.ctrl = bind("qpos"), bind("qvel"), bind("ctrl")
        self._history, self._force = bind("history"), bind("xfrc_applied")
        self._torque = bind("actuator_force")
        self._xpos, self._xmat, self._soles = bind("xpos"), bind("xmat"), bind("geom_xpos")
        self._cvel, self._centre = bind("cvel"), bind("subtree_com")
        self._mass, self._inertia = expand("body_mass"), expand("body_inertia")
        self._com = expand("body_ipos")
        self._gains, self._peak = expand("actuator_gainprm"), expand("actuator_forcerange")
        self._delay = expand("actuator_delay")
        self._armature, self._friction = expand("dof_armature"), expand("dof_frictionloss")
        self._offset = np.zeros((worlds, LEGS))  # of the encoders [rad]
        self._options: dict[str, Array] = {}
        self._warnings = np.zeros(worlds)
        self._head = model.body("head").id
        self._foot_of_sole = np.repeat(parts.feet, 4)  # body id of each sole point's foot
        self._substeps = np.full(worlds, round(CONTROL_STEP / model.opt.timestep))
        self.paused = np.zeros(worlds, bool)
        self._live = np.zeros(worlds, bool)  # worlds whose planes have to follow the soles
        self._groups: list[tuple[NDArray[np.int64], int, bool]] = []
        self.ground = Ground(model, batch)
        self.sinking = Sinking(batch, parts, self.ground)

    # -- reset -----------------------------------------------------------------------------

    def reset(self, worlds: Sequence[int] | NDArray, scenarios: Sequence[Scenario]) -> None:
        """Put each of `worlds` into its scenario, standing still in the stand pose."""
        worlds = np.asarray(worlds, int)
        if not len(worlds):
            return
        for world, scenario in zip(worlds, scenarios, strict=True):
            self.scenarios[world] = scenario
            self.ground.terrain.set(world, scenario.shape)
            self.ground.set(world, scenario.surface)
            self._set_numerics(world, scenario.numerics)
        timesteps = [scenario.numerics.timestep for scenario in scenarios]
        self.sinking.set(worlds, [scenario.surface for scenario in scenarios], timesteps)
        self._set_droids(worlds, scenarios)
        self.paused[worlds] = False
        ids = np.sort(worlds)
        self.batch.set_const(ids)
        self.batch.reset(ids=ids, stage=_NOTHING)
        self._warnings[ids] = self._warning_count()[ids]
        self.ground.lay_first(ids)
        self._stand(ids)
        self.batch.forward(ids=ids, stage=_CURRENT)
        self._lay(ids)
        self._regroup()

    def _set_droids(self, worlds: NDArray, scenarios: Sequence[Scenario]) -> None:
        """Write bodies and motors of `scenarios` into the models of `worlds` (m,)."""
        model, torso, legs = self.model, self.parts.torso, self.parts.dof[:LEGS]
        bodies, all_motors = ([getattr(s, part) for s in scenarios] for part in ("body", "motors"))

        def of(values: list[Any], name: str) -> Array:
            return np.array([getattr(value, name) for value in values])[:, None]

        scale = np.repeat(of(bodies, "mass_scale"), model.nbody, 1)  # (m, bodies)
        scale[:, self._head] *= of(bodies, "head_scale")[:, 0]
        mass = model.body_mass * scale
        mass[:, torso] += of(bodies, "payload")[:, 0]
        self._mass[worlds] = mass
        self._inertia[worlds] = model.body_inertia * scale[..., None]
        self._com[worlds, torso] = model.body_ipos[torso] + of(bodies, "torso_com")[:, 0]
        gains = np.repeat(model.actuator_gainprm[None], len(worlds), 0)
        # Gains of a DC motor: 4 is kp, 6 is kd, 7 the voltage limit (mjtGain, dcmotor).
        for column, name in ((4, "stiffness"), (6, "damping"), (7, "strength")):
            gains[:, :LEGS, column] *= of(all_motors, name)
        self._gains[worlds] = gains
        strength = of(all_motors, "strength")[..., None]
        self._peak[worlds, :LEGS] = model.actuator_forcerange[:LEGS] * strength
        self._delay[worlds, :LEGS] = of(all_motors, "delay")
        self._offset[worlds] = [scenario.sensors.joint_offset for scenario in scenarios]
        rows = worlds[:, None], legs
        self._armature[rows] = model.dof_armature[legs] * of(all_motors, "armature")
        self._friction[rows] = model.dof_frictionloss[legs] * of(all_motors, "friction")

    def _set_numerics(self, world: int, numerics: Numerics) -> None:
        """Options that no world has asked for stay shared by all: they cost nothing."""
        option = self.model.opt
        wanted: dict[str, float] = {
            "opt.timestep": numerics.timestep,
            "opt.integrator": _INTEGRATORS[numerics.integrator],
            "opt.cone": _CONES[numerics.cone],
            "opt.impratio": numerics.impratio,
            "opt.iterations": numerics.iterations,
        }
        for name, value in wanted.items():
            if name in self._options or value != getattr(option, name[4:]):
                self._option(name)[world] = value
        if "pair_solref" in self._options or numerics.contact_time != self.model.pair_solref[0, 0]:
            self._option("pair_solref")[world, :, 0] = numerics.contact_time
        self._substeps[world] = round(CONTROL_STEP / numerics.timestep)

    def _option(self, name: str) -> Array:
        if name not in self._options:
            self._options[name] = self.batch.expand(name)
        return self._options[name]

    def _stand(self, ids: NDArray) -> None:
        """Stand pose on the ground: level with it, the highest ground under a sole just touched."""
        heading = np.array([self.scenarios[world].heading for world in ids])
        _, normal = self.ground.terrain.height_and_normal(np.zeros((len(ids), 1, 2)), ids)
        self.qpos[ids] = self.model.qpos0
        self.qpos[np.ix_(ids, self.parts.qpos)] = HOME
        self.qvel[ids] = 0
        self.qpos[ids, :3] = 0
        self.qpos[ids, 3:7] = _upright(heading, normal[:, 0])
        self.ctrl[ids] = HOME + SAG
        legs = self.ctrl[ids][:, :LEGS, None]
        self._history[ids[:, None, None], self.parts.history] = legs
        self._force[ids] = 0
        # Find how far the soles are above the ground with the torso at the origin, then lift.
        self.batch.forward(ids=ids, stage=_CURRENT)
        soles = self._soles[ids][:, self.parts.sole_geoms]
        height, normals = self.ground.terrain.height_and_normal(soles[..., :2], ids)
        gap = soles[..., 2] - height - robot.SOLE_RADIUS / normals[..., 2]  # straight down
        self.qpos[ids, 2] = -gap.min(1) + 0.0005
        self.ground.normal[ids] = normal

    # -- step ------------------------------------------------------------------------------

    def step(self, targets: Array, push_w: Array | None = None) -> State:
        """Advance all worlds by CONTROL_STEP towards joint `targets` (n, 14) [rad].

        `push_w` (n, 3) is a force on the torso in the world frame [N]. Motors read the same
        encoders as the observation, so an encoder's offset shifts what a target means.
        """
        if not self._groups and not self.paused.all():
            raise RuntimeError("reset the worlds before stepping them")
        self.ctrl[:] = targets
        self.ctrl[:, :LEGS] -= self._offset
        if push_w is not None:
            self._force[:, self.parts.torso, :3] = push_w
        moving = np.flatnonzero(self._live)
        if len(moving):
            self._lay(moving)
        failed: list[int] = []
        for ids, substeps, soft in self._groups:
            everyone = None if len(ids) == self.worlds else ids
            footing = self.sinking.look(ids) if soft else None
            for _ in range(substeps if soft else 1):
                if footing:
                    self.sinking.push(footing)
                try:
                    self.batch.step(everyone, nstep=1 if soft else substeps, stage=_CURRENT)
                except SimulationError as error:
                    failed += list(error.ids)
            if footing:
                self.sinking.leave(footing)
        return self.state(failed=failed)

    def pause(self, worlds: NDArray) -> None:
        """Let `worlds` rest until they are reset: they cost nothing and do not move."""
        self.paused[worlds] = True
        self._regroup()

    def state(self, worlds: NDArray | slice = slice(None), failed: Sequence[int] = ()) -> State:
        """The present state of `worlds`, by default all; `failed` are counted as broken.

        Columns are picked by np.take: it keeps rows contiguous, so that sums over a row round the
        same however many rows there are.
        """
        parts, ground = self.parts, self.ground
        qpos, qvel = self.qpos[worlds], self.qvel[worlds]
        warnings = self._warning_count()
        broken = warnings > self._warnings
        broken[list(failed)] = True
        self._warnings[worlds] = warnings[worlds]
        broken = broken[worlds] | ~(np.isfinite(qpos).all(1) & np.isfinite(qvel).all(1))
        soles = np.take(self._soles[worlds], parts.sole_geoms, 1)  # (n, 8, 3)
        feet = (soles[:, 0::4] + soles[:, 1::4] + soles[:, 2::4] + soles[:, 3::4]) / 4  # (n, 2, 3)
        feet[..., 2] -= robot.SOLE_RADIUS
        rotation = self._xmat[worlds, parts.torso].reshape(-1, 3, 3).copy()
        gyro = qvel[:, 3:6].copy()  # a free joint moves in the world and turns in the body
        velocity = np.einsum("nij,ni->nj", rotation, qvel[:, :3]) + cross(gyro, parts.imu)
        clearance, rigid = (gap.reshape(-1, 2, 4).min(2) for gap in ground.clearance(soles, worlds))
        return State(
            position_w=qpos[:, :3].copy(),
            rotation=rotation,
            velocity_b=velocity,
            gyro_b=gyro,
            joint_position=np.take(qpos, parts.qpos, 1),
            joint_velocity=np.take(qvel, parts.dof, 1),
            torque=self._torque[worlds].copy(),
            foot_w=feet,
            foot_velocity_w=self._velocity(feet, parts.feet, worlds),
            clearance=clearance,
            contact=(rigid < CONTACT) | (self.sinking.load[worlds] > LOADED),
            height=qpos[:, 2] - ground.body_height[worlds],
            broken=broken & ~self.paused[worlds],
        )

    def snapshot(self) -> dict[str, Any]:
        """What `restore` needs to go on from here, given the same scenarios."""
        return {
            "state": np.array(self.batch.state),
            "ground": self.ground.snapshot(),
            "sinking": self.sinking.snapshot(),
        }

    def restore(self, saved: dict[str, Any]) -> None:
        """Go on from a snapshot; `reset` to the same scenarios comes first.

        Torque, MuJoCo's to write, is missing from the state until the next step.
        """
        self.batch.state[:] = saved["state"]
        self.ground.restore(saved["ground"])
        self.sinking.restore(saved["sinking"])
        self.batch.forward(stage=_CURRENT)
        self._warnings = self._warning_count()

    def _velocity(self, points_w: Array, bodies: NDArray, worlds: NDArray | slice) -> Array:
        """Velocity (m, k, 3) of `points_w` (m, k, 3) fixed to `bodies` (k,) [m/s]."""
        twist = np.take(self._cvel[worlds], bodies, 1)  # angular, linear at the subtree's centre
        arm = points_w - self._centre[worlds, self.parts.torso][:, None]
        return twist[..., 3:] + cross(twist[..., :3], arm)

    def _lay(self, ids: NDArray) -> None:
        soles = np.take(self._soles[ids], self.parts.sole_geoms, 1)
        slip = np.zeros(soles.shape[:2])
        wet = np.flatnonzero(self.ground.wet[ids])
        if len(wet):
            velocity = self._velocity(soles[wet], self._foot_of_sole, ids[wet])
            normal = self.ground.normal[ids[wet], :-1]
            along = velocity - dot(velocity, normal)[..., None] * normal
            slip[wet] = np.sqrt(dot(along, along))
        self.ground.lay(soles, self._xpos[ids, self.parts.torso], slip, ids)

    def _regroup(self) -> None:
        """Worlds with the same number of physics steps go together, and sinking ones apart."""
        ground, soft, going = self.ground, self.sinking.soft, ~self.paused
        self._live = (~ground.terrain.flat | ground.varies) & going
        kind = np.where(going, 2 * self._substeps + soft, 0)
        self._groups = [
            (np.flatnonzero(kind == k), int(k // 2), bool(k % 2)) for k in np.unique(kind[going])
        ]

    def _warning_count(self) -> Array:
        return np.asarray(self.batch.warning)[:, :, 1].sum(1)


def _upright(heading: Array, normal: Array) -> Array:
    """Quaternions (n, 4) that face `heading` (n,) [rad] and stand along `normal` (n, 3).

    A turn about z, then the shortest turn from z to the normal: (w, x, y, 0) (cos, 0, 0, sin).
    """
    cos, sin = np.cos(heading / 2), np.sin(heading / 2)
    tilt = np.stack([1 + normal[:, 2], -normal[:, 1], normal[:, 0]], 1)
    w, x, y = (tilt / np.sqrt((tilt**2).sum(1, keepdims=True))).T
    return np.stack([w * cos, x * cos + y * sin, y * cos - x * sin, w * sin], 1)
