"""A robot in Drake: a multibody plant made from a compiled MuJoCo model, on a plane.

The model gives masses, inertias, joints (axis, range, damping, armature), the dry friction of the
motors and the shapes in contact; the dynamics, contact, joint limits and friction are Drake's.
Drake's parser of MJCF yields neither actuators nor contact pairs nor friction, so it is not used.
"""

import logging
from dataclasses import dataclass
from typing import Any

import mujoco
import numpy as np
from pydrake.common.eigen_geometry import Quaternion
from pydrake.geometry import (
    AddContactMaterial,
    Box,
    Capsule,
    CollisionFilterDeclaration,
    Cylinder,
    GeometrySet,
    HalfSpace,
    ProximityProperties,
    Sphere,
)
from pydrake.math import RigidTransform, RotationMatrix
from pydrake.multibody.math import SpatialForce
from pydrake.multibody.plant import (
    AddMultibodyPlantSceneGraph,
    ContactModel,
    CoulombFriction,
    DiscreteContactApproximation,
    ExternallyAppliedSpatialForce,
)
from pydrake.multibody.tree import (
    FixedOffsetFrame,
    PdControllerGains,
    QuaternionFloatingJoint,
    RevoluteJoint,
    RotationalInertia,
    SpatialInertia,
    default_model_instance,
)
from pydrake.systems.analysis import Simulator
from pydrake.systems.framework import DiagramBuilder

from grek.envs.robots import Layout, Robot
from grek.envs.vectors import Array
from grek.errors import InputError

STEP = 0.002  # of Drake's discrete plant [s]
STIFFNESS = 5e4  # of each side of a contact [N/m]: 0.8 mm under an eighth of the droid's weight
DISSIPATION = 5.0  # of Hunt and Crossley [s/m]
STICTION = 1e-3  # slip speed of contacts that stick [m/s]
_SERVO = 1e3  # velocity gain of dry friction [N m s/rad]; its effort is limited
_LEAST = 1e-9  # effort of a motor without friction [N m], as Drake takes positive limits only
_COULOMB = 3  # column of actuator_biasprm in a DC motor with LuGre friction [N m]
_SHAPES = {
    mujoco.mjtGeom.mjGEOM_SPHERE: lambda size: Sphere(size[0]),
    mujoco.mjtGeom.mjGEOM_CAPSULE: lambda size: Capsule(size[0], 2 * size[1]),
    mujoco.mjtGeom.mjGEOM_CYLINDER: lambda size: Cylinder(size[0], 2 * size[1]),
    mujoco.mjtGeom.mjGEOM_BOX: lambda size: Box(*(2 * size)),
}

# It warns of every half space that deformable bodies, of which there are none, would not meet.
logging.getLogger("drake").setLevel(logging.ERROR)


@dataclass(frozen=True)
class Plane:
    """Ground of a world."""

    normal: Array
    """Unit vector (3,); the plane contains the origin."""
    depth: float
    """Of the rigid plane that soles meet, below the surface that the body meets [m]."""
    friction: float
    """[-]"""


def check_robot(model: mujoco.MjModel, robot: Robot) -> None:
    """Raise InputError for a robot with parts that are not made in Drake here."""
    hinges = model.jnt_type[1:] == mujoco.mjtJoint.mjJNT_HINGE
    motors = model.actuator_gaintype == mujoco.mjtGain.mjGAIN_DCMOTOR
    shapes = model.geom_type[_contact_geoms(model)]
    for known, what in (
        (hinges.all() and (model.body_jntnum <= 1).all(), "joints other than single hinges"),
        (not model.qpos0[7:].any(), "joints with a reference angle"),
        (motors.all() and (model.actuator_gear[:, 0] == 1).all(), "motors other than DC, geared 1"),
        (
            set(shapes.tolist()) <= {int(kind) for kind in _SHAPES},
            "shapes in contact other than spheres, capsules, cylinders and boxes",
        ),
    ):
        if not known:
            raise InputError(f"robot {robot.name} cannot be built in Drake: it has {what}")


class Droid:
    """Robot of `model` on `plane`.

    Positions and velocities are given as MuJoCo has them; `state` is Drake's own.
    """

    def __init__(self, model: mujoco.MjModel, robot: Robot, layout: Layout, plane: Plane) -> None:
        builder = DiagramBuilder()
        self.plant, scene = AddMultibodyPlantSceneGraph(builder, STEP)
        plant = self.plant
        plant.SetUseSampledOutputPorts(False)
        plant.set_contact_model(ContactModel.kPoint)
        plant.set_discrete_contact_approximation(DiscreteContactApproximation.kLagged)
        plant.set_stiction_tolerance(STICTION)
        plant.mutable_gravity_field().set_gravity_vector(model.opt.gravity)
        bodies = _add_bodies(plant, model)
        self._free, hinges = _add_joints(plant, model, bodies)
        _add_frictions(plant, model, hinges)
        _add_contacts(plant, scene, model, bodies, robot, plane)
        plant.Finalize()
        self._base = bodies[layout.base]
        self._feet = [bodies[body] for body in layout.feet]
        self._com = model.body_ipos[layout.base].copy()
        base_q, base_v = self._free.position_start(), self._free.velocity_start()
        self._spin = slice(base_v, base_v + 3)  # angular velocity, world frame
        # Of each of MuJoCo's positions and velocities, the index of Drake's.
        self._q = np.zeros(model.nq, int)
        self._v = np.zeros(model.nv, int)
        self._q[:7] = base_q + np.array([4, 5, 6, 0, 1, 2, 3])
        self._v[:6] = base_v + np.array([3, 4, 5, 0, 1, 2])
        for j, joint in hinges.items():
            self._q[model.jnt_qposadr[j]] = joint.position_start()
            self._v[model.jnt_dofadr[j]] = joint.velocity_start()
        self._motors = self._v[layout.dof]
        self.diagram = builder.Build()
        self._simulator = Simulator(self.diagram)
        self._root = self._simulator.get_mutable_context()
        self.context = context = plant.GetMyMutableContextFromRoot(self._root)
        still = np.zeros(plant.num_velocities())
        self._generalised = still.copy()
        port = plant.get_applied_generalized_force_input_port()
        self._applied = port.FixValue(context, still)
        self._wrenches = plant.get_applied_spatial_force_input_port().FixValue(context, [])
        plant.get_actuation_input_port().FixValue(context, np.zeros(plant.num_actuators()))
        servo = plant.get_desired_state_input_port(default_model_instance())
        servo.FixValue(context, np.zeros(servo.size()))
        self._steps = 0
        self.restart()

    def restart(self) -> None:
        """Set Drake's clock back, which its steps are counted from."""
        self._steps = 0
        self._root.SetTime(0.0)
        self._simulator.Initialize()

    @property
    def mass(self) -> float:
        """Total mass [kg]."""
        return float(self.plant.CalcTotalMass(self.context))

    @property
    def state(self) -> Array:
        """Positions and velocities in the order of Drake."""
        found: Array = self.plant.GetPositionsAndVelocities(self.context)
        return found

    @state.setter
    def state(self, state: Array) -> None:
        self.plant.SetPositionsAndVelocities(self.context, state)

    def set(self, qpos: Array, qvel: Array) -> None:
        """Set positions (nq,) and velocities (nv,), as MuJoCo has them."""
        q, v = np.empty(len(self._q)), np.empty(len(self._v))
        q[self._q], v[self._v] = qpos, qvel
        self.plant.SetPositions(self.context, q)
        v[self._spin] = self.base_rotation() @ qvel[3:6]
        self.plant.SetVelocities(self.context, v)

    def lift(self, height: float) -> None:
        """Raise the robot by `height` [m]."""
        state = self.state
        state[self._q[2]] += height
        self.state = state

    def lock_base(self) -> None:
        """Hold the base where it is, for good."""
        self._free.Lock(self.context)

    def read(self, qpos: Array, qvel: Array) -> None:
        """Fill in positions (nq,) and velocities (nv,), as MuJoCo has them."""
        state, positions = self.state, len(self._q)
        qpos[:] = state[self._q]
        qvel[:] = state[positions:][self._v]
        qvel[3:6] = self.base_rotation().T @ qvel[3:6]

    def base_rotation(self) -> Array:
        """Rotation of the base, body to world (3, 3)."""
        pose = self.plant.EvalBodyPoseInWorld(self.context, self._base)
        found: Array = pose.rotation().matrix()
        return found

    def read_feet(self, origin: Array, turn: Array, twist: Array) -> None:
        """Fill in origins (F, 3), rotations (F, 3, 3) and twists (F, 6), angular first."""
        plant, context = self.plant, self.context
        for f, foot in enumerate(self._feet):
            pose = plant.EvalBodyPoseInWorld(context, foot)
            velocity = plant.EvalBodySpatialVelocityInWorld(context, foot)
            origin[f], turn[f] = pose.translation(), pose.rotation().matrix()
            twist[f, :3], twist[f, 3:] = velocity.rotational(), velocity.translational()

    def push(self, force: Array, feet: Array | None = None) -> None:
        """Apply `force` (3,) [N] at the base's centre of mass until the next call.

        `feet` (F, 6) has a force on each foot [N] and its moment about the foot's origin [N m].
        """
        wrenches, here = [], np.zeros(3)
        if force.any():
            wrenches.append(_wrench(self._base, self._com, here, force))
        if feet is not None:
            for foot, wrench in zip(self._feet, feet, strict=True):
                wrenches.append(_wrench(foot, here, wrench[3:], wrench[:3]))
        self._wrenches.GetMutableData().set_value(wrenches)

    def advance(self, torque: Array) -> None:
        """Advance by STEP under motor `torque` (J,) [N m]; raises an error of Drake's."""
        self._generalised[self._motors] = torque
        self._applied.GetMutableData().get_mutable_value().SetFromVector(self._generalised)
        self._steps += 1
        self._simulator.AdvanceTo(self._steps * STEP, interruptible=False)


def _wrench(body: Any, place: Array, moment: Array, force: Array) -> Any:
    """Wrench, world frame, at `place` (3,) [m] in the frame of `body`."""
    made = ExternallyAppliedSpatialForce()
    made.body_index, made.p_BoBq_B, made.F_Bq_W = body.index(), place, SpatialForce(moment, force)
    return made


def _transform(position: Array, quaternion: Array) -> Any:
    return RigidTransform(RotationMatrix(Quaternion(quaternion)), position)


def _add_bodies(plant: Any, model: mujoco.MjModel) -> dict[int, Any]:
    """Bodies by MuJoCo's number; those of the ground are left out."""
    bodies = {0: plant.world_body()}
    for i in range(1, model.nbody):
        if model.body_mocapid[i] >= 0:
            continue
        turn = np.empty(9)
        mujoco.mju_quat2Mat(turn, model.body_iquat[i])
        axes = turn.reshape(3, 3)
        central = axes @ np.diag(model.body_inertia[i]) @ axes.T
        products = central[0, 1], central[0, 2], central[1, 2]
        inertia = RotationalInertia(*np.diag(central), *products)
        spatial = SpatialInertia.MakeFromCentralInertia(
            model.body_mass[i], model.body_ipos[i], inertia
        )
        bodies[i] = plant.AddRigidBody(f"{i} {model.body(i).name}", spatial)
    return bodies


def _add_joints(
    plant: Any, model: mujoco.MjModel, bodies: dict[int, Any]
) -> tuple[Any, dict[int, Any]]:
    """The free joint, and hinges by MuJoCo's number; bodies without a joint are welded on."""
    free, hinges = None, {}
    for i, body in bodies.items():
        if i == 0:
            continue
        parent = bodies[int(model.body_parentid[i])].body_frame()
        place = _transform(model.body_pos[i], model.body_quat[i])
        if not model.body_jntnum[i]:
            plant.WeldFrames(parent, body.body_frame(), place)
            continue
        j = int(model.body_jntadr[i])
        if model.jnt_type[j] == mujoco.mjtJoint.mjJNT_FREE:
            free = plant.AddJoint(QuaternionFloatingJoint("free", parent, body.body_frame()))
            continue
        name, pivot = f"{j} {model.joint(j).name}", RigidTransform(model.jnt_pos[j])
        ends = (
            plant.AddFrame(FixedOffsetFrame(f"{name} {end}", frame, offset))
            for end, frame, offset in (
                ("parent", parent, place @ pivot),
                ("child", body.body_frame(), pivot),
            )
        )
        low, high = model.jnt_range[j] if model.jnt_limited[j] else (-np.inf, np.inf)
        damping = float(model.dof_damping[model.jnt_dofadr[j]])
        joint = RevoluteJoint(name, *ends, model.jnt_axis[j], low, high, damping)
        hinges[j] = plant.AddJoint(joint)
    return free, hinges


def _add_frictions(plant: Any, model: mujoco.MjModel, hinges: dict[int, Any]) -> None:
    """Armature and dry friction of the hinges.

    Drake has no dry friction in joints (its issue 18932); a velocity servo to zero, solved with the
    contacts, whose effort is limited to the friction, is Coulomb's law.
    """
    dofs = model.jnt_dofadr
    level = model.dof_frictionloss.copy()
    driven = model.jnt_dofadr[model.actuator_trnid[:, 0]]
    level[driven] += model.actuator_biasprm[:, _COULOMB]
    for j, joint in hinges.items():
        effort = max(float(level[dofs[j]]), _LEAST)
        servo = plant.AddJointActuator(f"{joint.name()} friction", joint, effort)
        servo.set_default_rotor_inertia(float(model.dof_armature[dofs[j]]))
        servo.set_default_gear_ratio(1.0)
        servo.set_controller_gains(PdControllerGains(p=0.0, d=_SERVO))


def _contact_geoms(model: mujoco.MjModel) -> list[int]:
    """Geoms of the robot in MuJoCo's contact pairs."""
    pairs = np.stack([model.pair_geom1, model.pair_geom2]).ravel()
    return [int(g) for g in np.unique(pairs) if model.body_mocapid[model.geom_bodyid[g]] < 0]


def _add_contacts(
    plant: Any,
    scene: Any,
    model: mujoco.MjModel,
    bodies: dict[int, Any],
    robot: Robot,
    plane: Plane,
) -> None:
    """Shapes and the pairs of them that meet, which are those of MuJoCo's model."""
    turn = RotationMatrix.MakeFromOneVector(plane.normal, 2)
    world, rough = plant.world_body(), _material(plane.friction)
    floors = {
        name: plant.RegisterCollisionGeometry(
            world, RigidTransform(turn, -depth * plane.normal), HalfSpace(), name, rough
        )
        for name, depth in (("sole ground", plane.depth), ("body ground", 0.0))
    }
    touching = {*robot.sole_points, *robot.body_geoms}
    shapes = {}
    for g in _contact_geoms(model):
        geom = model.geom(g)
        shapes[g] = plant.RegisterCollisionGeometry(
            bodies[int(model.geom_bodyid[g])],
            _transform(geom.pos, geom.quat),
            _SHAPES[mujoco.mjtGeom(int(model.geom_type[g]))](geom.size),
            f"{g} {geom.name}",
            rough if geom.name in touching else _material(0.0),
        )
    meeting = [
        (shapes[int(a)], shapes[int(b)])
        for a, b in zip(model.pair_geom1, model.pair_geom2, strict=True)
        if int(a) in shapes and int(b) in shapes
    ]
    for names, floor in ((robot.sole_points, "sole ground"), (robot.body_geoms, "body ground")):
        meeting += [(floors[floor], shapes[model.geom(name).id]) for name in names]
    filters = scene.collision_filter_manager()
    every = GeometrySet([*floors.values(), *shapes.values()])
    filters.Apply(CollisionFilterDeclaration().ExcludeWithin(every))
    for a, b in meeting:
        filters.Apply(CollisionFilterDeclaration().AllowBetween(GeometrySet([a]), GeometrySet([b])))


def _material(friction: float) -> Any:
    """Contact properties; Drake takes 2 mu_1 mu_2 / (mu_1 + mu_2) of two of them."""
    properties = ProximityProperties()
    AddContactMaterial(DISSIPATION, STIFFNESS, CoulombFriction(friction, friction), properties)
    return properties
