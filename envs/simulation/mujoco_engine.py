"""MuJoCo's batch as the engine: n worlds on one C thread pool, with live arrays.

Per-world differences are model fields expanded over the batch. What each part and each setting of
the simulator costs: docs/speed.md.
"""

import os
from collections.abc import Sequence
from typing import Any

import mujoco
import numpy as np
from mujoco.batch import Batch, SimulationError
from numpy.typing import NDArray

from grek.envs.ground.planes import PlaneArrays, add_planes
from grek.envs.ground.sinking import Sinking
from grek.envs.robots import Layout, Robot
from grek.envs.scenarios.scenario import Numerics, Scenario
from grek.envs.simulation import ground_plugin
from grek.envs.vectors import Array, cross
from grek.errors import InputError

_CURRENT = int(mujoco.mjtStage.mjSTAGE_VEL)  # poses and velocities of the state, not one step old
_NOTHING = int(mujoco.mjtStage.mjSTAGE_NONE)
_INTEGRATORS = {"Euler": 0, "implicit": 2, "implicitfast": 3}
_CONES = {"pyramidal": 0, "elliptic": 1}
_DC_GAINS = ((4, "stiffness"), (6, "damping"), (7, "strength"))  # kp, kd, voltage limit: gainprm
_SERVO_GAINS = ((1, "stiffness"), (2, "damping"))  # -kp, -kv of a position servo: biasprm
_LEVELS = slice(3, 5)  # Coulomb and static torque of a DC motor's dry friction (LuGre): biasprm
_STIFFNESS = 5  # of its bristles: dynprm
_BRISTLES = slice(_STIFFNESS, 7)  # stiffness and damping: dynprm
_IMMOVABLE = 1e9  # added to the inertia of a base that is held [kg, kg m^2]


def _write_no_log_file() -> None:
    """Keep MuJoCo's warnings out of the working directory; worlds that fail are reported."""
    config = mujoco.MjLogConfig.get()
    config.logto_file = False
    config.set()


class MujocoEngine:
    """`mujoco.batch.Batch` behind the seam of `grek.envs.simulation.engine`."""

    def __init__(self, robot: Robot, worlds: int, threads: int) -> None:
        _write_no_log_file()
        spec = robot.physics_spec()
        add_planes(spec, robot)
        ground_plugin.add(spec)
        self.model = model = spec.compile()
        self.robot = robot
        self.layout = Layout.of(model, robot)
        self.timestep = float(model.opt.timestep)
        self.batch = batch = Batch(model, worlds, threads, True)
        batch.reset(stage=_NOTHING)
        self._process = os.getpid()
        self._context: NDArray[np.void] | None = None  # of the ground plugin
        bind, expand = batch.bind, batch.expand
        self._acting = len(robot.joints)
        self.qpos, self._qvel, self.targets = bind("qpos"), bind("qvel"), bind("ctrl")
        self._history, self._force = bind("history"), bind("xfrc_applied")
        self._output, self.time = bind("actuator_force"), bind("time")
        self.torque = np.zeros_like(self._output)
        self._rubbing, self._bristle = _bristles(model)
        self._act = bind("act")
        self._xpos, self._xmat, self._geoms = bind("xpos"), bind("xmat"), bind("geom_xpos")
        self._cvel, self._centre, self._xipos = bind("cvel"), bind("subtree_com"), bind("xipos")
        seat = None if robot.seat is None else bind("sensordata")[:, 2]  # net force, upward
        self.seat_load = np.zeros(worlds) if seat is None else seat
        self._owned = bind("userdata")[:, : ground_plugin.USERDATA]
        self.push_w = self._force[:, self.layout.base, :3]
        self.base_w = self._xpos[:, self.layout.base]
        self._mass, self._inertia = expand("body_mass"), expand("body_inertia")
        self._com = expand("body_ipos")
        self._gains, self._peak = expand("actuator_gainprm"), expand("actuator_forcerange")
        self._delay = expand("actuator_delay")
        self._armature, self._friction = expand("dof_armature"), expand("dof_frictionloss")
        self._bias, self._dynamics = expand("actuator_biasprm"), expand("actuator_dynprm")
        self._dc = model.actuator_gaintype[: self._acting] == mujoco.mjtGain.mjGAIN_DCMOTOR
        self._options: dict[str, Array] = {}
        self._warnings = np.zeros(worlds)
        self._broken = np.zeros(worlds, bool)  # in the snapshot that was restored
        self._point_feet = np.repeat(self.layout.feet, robot.points_per_foot)  # body ids (P,)
        self.planes = PlaneArrays(
            position=bind("mocap_pos"),
            rotation=bind("mocap_quat"),
            friction=expand("pair_friction")[..., :2],
            sole_pairs=_pairs(model, robot.sole_points),
            body_pairs=_pairs(model, robot.body_geoms),
        )

    def carry(self, sinking: Sinking) -> None:
        """Let the plugin of the model apply the forces of deformable ground."""
        owners = np.zeros(len(self._owned), np.int64)
        self._context, arrays = ground_plugin.context_of(sinking, self.layout, owners)
        # The batch has their addresses: they live as long as it does.
        self.batch._kept = self._context, arrays
        self._own(slice(None))
        self.batch.forward()  # the batch's own data take possession of the ground

    def _check_process(self) -> None:
        """Raise RuntimeError in a child of `os.fork`, where the batch has no threads."""
        if self.batch.nthread > 1 and os.getpid() != self._process:
            raise RuntimeError(
                "this simulation was made before the process forked, and its threads stayed in the"
                " parent; make it after the fork, or with one thread"
            )

    def _own(self, worlds: NDArray | slice) -> None:
        """Tell the plugin where the ground of `worlds` is; a reset forgets it."""
        if self._context is None:
            return
        self._owned[worlds, 0] = self._context.ctypes.data
        self._owned[worlds, 1] = np.arange(len(self._owned))[worlds]

    @property
    def mass(self) -> Array:
        """Of each whole robot (n,) [kg]."""
        return self._mass.sum(1)

    # -- scenarios -------------------------------------------------------------------------

    def set_scenarios(self, worlds: NDArray, scenarios: Sequence[Scenario]) -> None:
        """Write bodies, motors and numerics."""
        for world, scenario in zip(worlds, scenarios, strict=True):
            self._set_numerics(world, scenario.numerics)
        self._set_bodies(worlds, scenarios)
        self._set_motors(worlds, scenarios)
        self.batch.set_const(worlds)

    def step_of(self, scenario: Scenario) -> float:
        """The scenario's own [s]."""
        return scenario.numerics.timestep

    def check(self, scenario: Scenario) -> None:
        """Raise InputError for a motor delay beyond the model's buffer, or unknown numerics."""
        delay, numerics = scenario.motors.delay, scenario.numerics
        longest = self.layout.history.shape[1] * numerics.timestep
        if not 0 <= delay <= longest + 1e-9:
            raise InputError(
                f"{scenario.name}: motor delay {delay:g} s is not in 0 to the {longest:g} s that"
                f" the model of {self.robot.name} remembers (nsample)"
            )
        for known, name in ((_INTEGRATORS, numerics.integrator), (_CONES, numerics.cone)):
            if name not in known:
                raise InputError(
                    f"{scenario.name}: unknown {name!r}; there are: {', '.join(known)}"
                )

    def _set_bodies(self, worlds: NDArray, scenarios: Sequence[Scenario]) -> None:
        model, base = self.model, self.layout.base
        bodies = [scenario.body for scenario in scenarios]
        scale = np.repeat(_column(bodies, "mass_scale"), model.nbody, 1)  # (m, bodies)
        if self.robot.head is not None:
            scale[:, model.body(self.robot.head).id] *= _column(bodies, "head_scale")[:, 0]
        mass = model.body_mass * scale
        mass[:, base] += _column(bodies, "payload")[:, 0]
        self._mass[worlds] = mass
        self._inertia[worlds] = model.body_inertia * scale[..., None]
        self._com[worlds, base] = model.body_ipos[base] + _column(bodies, "base_com")[:, 0]

    def _set_motors(self, worlds: NDArray, scenarios: Sequence[Scenario]) -> None:
        model, acting = self.model, self._acting
        motors = [scenario.motors for scenario in scenarios]
        friction = _column(motors, "friction")
        prm = (model.actuator_gainprm, model.actuator_biasprm, model.actuator_dynprm)
        gains, bias, dynamics = (np.repeat(values[None], len(worlds), 0) for values in prm)
        for column, name in _DC_GAINS:
            gains[:, :acting, column] *= np.where(self._dc, _column(motors, name), 1)
        if not self._dc.all():
            gains[:, :acting, 0] *= np.where(self._dc, 1, _column(motors, "stiffness"))
            for column, name in _SERVO_GAINS:
                bias[:, :acting, column] *= np.where(self._dc, 1, _column(motors, name))
        # Levels and bristles alike: the same deflection before sliding, the same decay.
        # MuJoCo takes a stiffness of 0 for a motor without a bristle, whose state it then lacks.
        rubs = np.where(self._dc, np.maximum(friction, 1e-6), 1)[..., None]  # (m, acting, 1)
        bias[:, :acting, _LEVELS] *= rubs
        dynamics[:, :acting, _BRISTLES] *= rubs
        self._gains[worlds], self._bias[worlds], self._dynamics[worlds] = gains, bias, dynamics
        strength = _column(motors, "strength")[..., None]
        self._peak[worlds, :acting] = model.actuator_forcerange[:acting] * strength
        self._delay[worlds, :acting] = _column(motors, "delay")
        self._armature[worlds] = model.dof_armature
        rows = worlds[:, None], self.layout.dof[:acting]
        self._armature[rows] = model.dof_armature[rows[1]] * _column(motors, "armature")
        self._friction[rows] = model.dof_frictionloss[rows[1]] * friction

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

    def _option(self, name: str) -> Array:
        if name not in self._options:
            self._options[name] = self.batch.expand(name)
        return self._options[name]

    # -- state -----------------------------------------------------------------------------

    def reset(self, worlds: NDArray) -> None:
        """Forget the past of `worlds`."""
        self.batch.reset(ids=worlds, stage=_NOTHING)
        self._own(worlds)
        self._force[worlds] = 0
        self.torque[worlds] = 0
        self._broken[worlds] = False
        self._warnings[worlds] = self._warning_count()[worlds]

    def interpolate_delays(self) -> None:
        """Interpolate delayed targets between physics steps: motion is then smooth in the delay.

        Whole physics steps of delay act as before, others are not rounded up.
        """
        self.batch.expand("actuator_history")[..., 1] = 1

    def lift(self, worlds: NDArray, height: Array) -> None:
        """Raise bodies by `height` (m,) [m]."""
        self.qpos[worlds, 2] += height

    def hang(self, worlds: NDArray, height: float) -> None:
        """Raise bodies by `height` [m] and hold their base there, until their next scenario."""
        self.lift(worlds, np.full(len(worlds), height))
        base = self.model.body_dofadr[self.layout.base] + np.arange(6)
        self._armature[worlds[:, None], base] = _IMMOVABLE
        self.batch.set_const(worlds)

    def place(self, worlds: NDArray, position_w: Array, rotation: Array, joints: Array) -> None:
        """Put bodies at rest, the friction of their motors relaxed."""
        self.qpos[worlds] = self.model.qpos0
        self.qpos[np.ix_(worlds, self.layout.qpos)] = joints
        self._qvel[worlds] = 0
        self._act[worlds] = 0
        self.qpos[worlds, :3] = position_w
        self.qpos[worlds, 3:7] = rotation

    def hold(self, worlds: NDArray, targets: Array) -> None:
        """Let motors have been at `targets` (m, J) [rad]."""
        self.targets[worlds] = targets
        held = targets[:, : self._acting, None]
        self._history[worlds[:, None, None], self.layout.history] = held

    def forward(self, worlds: NDArray | None = None) -> None:
        """Make poses and velocities current."""
        self._check_process()
        self.batch.forward(ids=worlds, stage=_CURRENT)

    def step(self, worlds: NDArray | None, steps: int) -> list[int]:
        """Advance by physics steps; returns worlds that failed."""
        self._check_process()
        failed: list[int] = []
        try:
            self.batch.step(worlds, nstep=steps, stage=_CURRENT)
        except SimulationError as error:
            failed = list(error.ids)
        self._read_torque(slice(None) if worlds is None else worlds)
        return failed

    def _read_torque(self, worlds: NDArray | slice) -> None:
        """Torque of the motors before their own friction, which MuJoCo's actuator force includes.

        Bristles are bent one physics step further than that force knows, and their damping is left
        out: exact at rest and in steady sliding, 0.02 N m rms off in a walk.
        """
        torque = np.array(self._output[worlds])
        stiffness = self._dynamics[worlds][:, self._rubbing, _STIFFNESS]
        torque[:, self._rubbing] += stiffness * self._act[worlds][:, self._bristle]
        self.torque[worlds] = torque

    def broken(self) -> NDArray[np.bool_]:
        """Worlds that warned or are not finite (n,)."""
        finite = np.isfinite(self.qpos).all(1) & np.isfinite(self._qvel).all(1)
        return (self._warning_count() > self._warnings) | ~finite | self._broken

    def snapshot(self) -> dict[str, Array]:
        """MuJoCo's own state of all worlds, without the addresses that hold in this process."""
        addresses = self._owned.copy()
        self._owned[:] = 0
        state = np.array(self.batch.state)
        self._owned[:] = addresses
        return {"state": state, "broken": self.broken()}

    def restore(self, saved: dict[str, Array]) -> None:
        """Go on from a snapshot."""
        self.batch.state[:] = saved["state"]
        self._broken[:] = saved["broken"]
        self._own(slice(None))
        self.forward()
        self._warnings = self._warning_count()

    def _warning_count(self) -> Array:
        return np.asarray(self.batch.warning)[:, :, 1].sum(1)

    # -- poses and velocities --------------------------------------------------------------
    # np.take keeps rows contiguous, so that sums over a row round alike at any number of rows.

    def pose(self, worlds: NDArray | slice) -> tuple[Array, Array]:
        """Base position (m, 3) and rotation (m, 3, 3)."""
        rotation = self._xmat[worlds, self.layout.base].reshape(-1, 3, 3).copy()
        return self.qpos[worlds, :3].copy(), rotation

    def twist(self, worlds: NDArray | slice) -> tuple[Array, Array]:
        """Base velocity: a free joint moves in the world and turns in the body."""
        return self._qvel[worlds, :3].copy(), self._qvel[worlds, 3:6].copy()

    def joints(self, worlds: NDArray | slice) -> tuple[Array, Array]:
        """Position and velocity (m, J)."""
        return (
            np.take(self.qpos[worlds], self.layout.qpos, 1),
            np.take(self._qvel[worlds], self.layout.dof, 1),
        )

    def soles(self, worlds: NDArray | slice) -> Array:
        """Centres of the sole points (m, P, 3)."""
        return np.take(self._geoms[worlds], self.layout.sole_geoms, 1)

    def sole_velocity(self, worlds: NDArray, points_w: Array) -> Array:
        """Velocity (m, P, 3) of points fixed to the feet of the sole points."""
        return self._velocity(points_w, self._point_feet, worlds)[1]

    def foot_velocity(self, worlds: NDArray | slice, points_w: Array) -> Array:
        """Velocity (m, F, 3) of points fixed to the feet."""
        return self._velocity(points_w, self.layout.feet, worlds)[1]

    def foot_pose(self, worlds: NDArray) -> tuple[Array, Array]:
        """Origin (m, F, 3) and rotation (m, F, 3, 3) of the feet."""
        feet = worlds[:, None], self.layout.feet
        return self._xpos[feet], self._xmat[feet].reshape(*feet[0].shape[:1], -1, 3, 3)

    def foot_twist(self, worlds: NDArray, origin: Array) -> tuple[Array, Array]:
        """Angular and linear velocity at `origin` (m, F, 3)."""
        return self._velocity(origin, self.layout.feet, worlds)

    def push_feet(self, worlds: NDArray, origin: Array, force: Array, moment: Array) -> None:
        """Apply a wrench about `origin`; MuJoCo's acts at the centre of mass of the body."""
        feet = worlds[:, None], self.layout.feet
        about_centre = moment - cross(self._xipos[feet] - origin, force)
        self._force[feet] = np.concatenate([force, about_centre], 2)

    def _velocity(
        self, points_w: Array, bodies: NDArray, worlds: NDArray | slice
    ) -> tuple[Array, Array]:
        """Angular and linear velocity (m, k, 3) of points (m, k, 3) fixed to `bodies` (k,)."""
        twist = np.take(self._cvel[worlds], bodies, 1)  # angular, linear at the subtree's centre
        arm = points_w - self._centre[worlds, self.layout.base][:, None]
        return twist[..., :3], twist[..., 3:] + cross(twist[..., :3], arm)


def _pairs(model: mujoco.MjModel, geoms: Sequence[str]) -> NDArray[np.int64]:
    """Contact pairs of the ground with `geoms`; MuJoCo sorts pairs by body."""
    return np.array([model.pair(f"ground_{name}").id for name in geoms], int)


def _bristles(model: mujoco.MjModel) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Motors with LuGre friction (k,), and where `mjData.act` keeps their bristles (k,).

    A DC motor's activations are setpoint slew, integral, temperature, bristle and current, of which
    it has those that it needs.
    """
    dynamics, gains = model.actuator_dynprm, model.actuator_gainprm
    dc = model.actuator_dyntype == mujoco.mjtDyn.mjDYN_DCMOTOR
    before = (dynamics[:, 7] > 0).astype(int) + (gains[:, 5] > 0) + (dynamics[:, 2] > 0)
    ids = np.flatnonzero(dc & (dynamics[:, _STIFFNESS] > 0))
    return ids, (model.actuator_actadr + before)[ids]


def _column(values: Sequence[Any], name: str) -> Array:
    """The attribute `name` of each value (m, 1), or (m, 1, 3)."""
    return np.array([getattr(value, name) for value in values])[:, None]
