"""Robot description: model file, joints, feet, poses and limits.

Other packages refer to a robot's parts only through `Robot`, so a new robot is one such value
(docs/extending.md). `Layout` holds the addresses of these parts in a compiled model.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from grek.envs.vectors import Array
from grek.errors import InputError

if TYPE_CHECKING:  # the computer of a robot has no simulator: grek.onboard
    import mujoco

CONTROL_STEP = 0.02  # between two joint targets of a policy [s]
_NET_FORCE = 3  # MuJoCo's contact sensor: sum of the forces, world frame
DELAY_SAMPLES = 12  # length of a motor's delay buffer [physics steps]


@dataclass(frozen=True)
class Foot:
    """A foot: a body with a flat rectangular sole and spheres for contact with rigid ground."""

    body: str
    """Name of the foot's body in the model."""
    sole_points: tuple[str, ...]
    """Names of the sphere geoms in contact with rigid ground, all of one radius."""
    sole_size: tuple[float, float]
    """Length along x and width along y of the sole [m]."""
    sole_centre: tuple[float, float, float]
    """Centre of the sole in the frame of `body` [m]."""
    side: int = 0
    """1 on the left, -1 on the right, 0 in the middle."""
    phase: float = 0.0
    """Phase offset of this foot in the gait cycle, in [0, 1)."""


@dataclass(frozen=True)
class Mirror:
    """Left-right reflection: mirrored[i] = joint_sign[i] * values[joints[i]]."""

    joints: tuple[int, ...]
    """Permutation of acting and pose_joints joints."""
    joint_sign: tuple[float, ...]
    """Sign of each joint after the permutation, 1 or -1."""
    feet: tuple[int, ...]
    """Permutation of the feet."""


LegInverse = Callable[[Array, Array, Array, Array, Array], Array]
"""Inverse kinematics of all legs: ankle x, y, z [m] in the base frame, hip yaw [rad] and side, each
(n, feet), to joint angles (n, feet, joints of a leg) [rad]."""


@dataclass(frozen=True)
class Legs:
    """Leg kinematics for the reference gait; acting joints are ordered leg by leg, like `feet`."""

    inverse: LegInverse
    home_ankles: tuple[tuple[float, float, float], ...]
    """Ankle position of each foot in the home pose, base frame [m]."""
    hips: tuple[tuple[float, float], ...] = ()
    """x and y of the hip yaw axis of each leg, base frame [m]; zeros by default."""

    @cached_property
    def ankles(self) -> Array:
        """x, y and z of the ankles in the home pose (3, F) [m]."""
        return np.ascontiguousarray(np.array(self.home_ankles).T)


@dataclass(frozen=True)
class Robot:
    """A floating-base robot with position-controlled motors and flat soles.

    Lengths in [m], angles in [rad]. Joint quantities are ordered as `joints`, then `pose_joints`;
    the model has one actuator for each, in the same order. Raises InputError for tuples of another
    length, no feet, or an unknown joint in `lateral_joints` or `look`.
    """

    name: str
    model: Path
    """MJCF file of the robot without ground; its base has a free joint."""
    joints: tuple[str, ...]
    """Acting joints, controlled by the policy."""
    home: tuple[float, ...]
    """Home pose (standing) of acting and pose_joints joints."""
    feet: tuple[Foot, ...]
    stand_height: float
    """Height of the base above the soles in the home pose."""
    mass: float
    """Nominal mass [kg]."""
    pose_joints: tuple[str, ...] = ()
    """Joints outside the policy's control: held at home, plus the look command."""
    look: tuple[str, str] | None = None
    """Names of the pose_joints joints that follow the commanded head pitch and yaw."""
    joint_range: tuple[tuple[float, float], ...] = ()
    """Lower and upper limit of each joint, equal to the model's; for use without a simulator."""
    static_offset: tuple[float, ...] = ()
    """Static torque in the home pose over motor stiffness, added to joint targets; default 0."""
    action_scale: tuple[float, ...] = ()
    """Joint angle per unit of action, for each acting joint; 0.3 by default."""
    base: str = "torso"
    """Name of the body with the free joint."""
    head: str | None = None
    """Body scaled by a scenario's `head_scale`, if any."""
    imu: str = "imu"
    """Site of the IMU; its axes are parallel to those of the base."""
    body_geoms: tuple[str, ...] = ()
    """Further geoms that collide with the ground."""
    seat: str | None = None
    """Member of `body_geoms` that it sits on, whose load is measured (`State.seat_load`)."""
    sole_mass: float = 115.0
    """Smallest effective mass per sole area [kg/m^2]; bounds the soil stiffness for which a
    physics step is stable."""
    fall_height: float = 0.0
    """Base height above the ground below which the robot counts as fallen."""
    fall_cosine: float = 0.5
    """Cosine of the base tilt beyond which the robot counts as fallen [-]; 0.5 is 60 degrees."""
    lateral_joints: tuple[str, ...] = ()
    """Acting joints penalised for leaving the home pose, such as hip yaw and roll."""
    foot_distance: float = 0.0
    """Lateral distance between left and right foot below which a penalty applies."""
    mirror: Mirror | None = None
    """Left-right symmetry; None for an asymmetric robot."""
    legs: Legs | None = None
    """Leg kinematics; None for a robot whose reference motion is its home pose."""

    def __post_init__(self) -> None:
        count = len(self.joints) + len(self.pose_joints)
        object.__setattr__(self, "static_offset", self.static_offset or (0.0,) * count)
        object.__setattr__(self, "action_scale", self.action_scale or (0.3,) * len(self.joints))
        for name, values, wanted in (
            ("home", self.home, count),
            ("static_offset", self.static_offset, count),
            ("action_scale", self.action_scale, len(self.joints)),
        ):
            if len(values) != wanted:
                raise InputError(
                    f"robot {self.name}: {name} has {len(values)} values, not {wanted}"
                )
        if not self.feet:
            raise InputError(f"robot {self.name} has no feet")
        for name in (*self.lateral_joints, *(self.look or ())):
            if name not in (*self.joints, *self.pose_joints):
                raise InputError(f"robot {self.name}: no joint {name!r}")
        if self.seat is not None and self.seat not in self.body_geoms:
            raise InputError(f"robot {self.name}: the seat {self.seat!r} is not in body_geoms")

    @cached_property
    def foot_phases(self) -> Array:
        """Phase offset of each foot (F,)."""
        return np.array([foot.phase for foot in self.feet])

    @cached_property
    def foot_sides(self) -> Array:
        """Side of each foot (1, F): 1 on the left, -1 on the right, 0 in the middle."""
        return np.array([[float(foot.side) for foot in self.feet]])

    @property
    def all_joints(self) -> tuple[str, ...]:
        """Names of the acting joints, then of the pose_joints ones."""
        return (*self.joints, *self.pose_joints)

    @property
    def sole_points(self) -> tuple[str, ...]:
        """Names of the sole points of all feet, foot by foot."""
        return tuple(point for foot in self.feet for point in foot.sole_points)

    @property
    def points_per_foot(self) -> NDArray[np.int64]:
        """Number of sole points of each foot (feet,)."""
        return np.array([len(foot.sole_points) for foot in self.feet])

    def load_spec(self) -> "mujoco.MjSpec":
        """Editable model of the robot, without ground."""
        import mujoco

        return mujoco.MjSpec.from_file(str(self.model))

    def physics_spec(self) -> "mujoco.MjSpec":
        """Editable model for simulation, without elements that cost time but do not affect motion.

        Visual geoms (group 2) and sensors, but for the load of the seat, are removed: an
        accelerometer makes MuJoCo compute all constraint forces after every step, and gyro and
        velocimeter are functions of the state.
        Constraint islands are disabled, as one robot forms one island. Motors of acting joints get
        a delay buffer of at least DELAY_SAMPLES physics steps.
        """
        import mujoco

        spec = self.load_spec()
        for item in (*(geom for geom in spec.geoms if geom.group == 2), *spec.sensors):
            spec.delete(item)
        for actuator in spec.actuators:
            if actuator.target in self.joints:
                actuator.nsample = max(actuator.nsample, DELAY_SAMPLES)
        if self.seat is not None:
            spec.add_sensor(
                name="seat",
                type=mujoco.mjtSensor.mjSENS_CONTACT,
                objtype=mujoco.mjtObj.mjOBJ_GEOM,
                objname=self.seat,
                intprm=[1 << int(mujoco.mjtConDataField.mjCONDATA_FORCE), _NET_FORCE, 1],
            )
        spec.option.disableflags |= int(mujoco.mjtDisableBit.mjDSBL_ISLAND)
        return spec


@dataclass(frozen=True)
class Layout:
    """Addresses and constants of a robot in a compiled model: J joints, F feet, P sole points."""

    qpos: NDArray[np.int64]
    """Index into `qpos` of each joint (J,)."""
    dof: NDArray[np.int64]
    """Index into `qvel` of each joint (J,)."""
    base: int
    """Body id of the base."""
    feet: NDArray[np.int64]
    """Body ids (F,)."""
    sole_geoms: NDArray[np.int64]
    """Geom ids of the sole points (P,)."""
    first_point: NDArray[np.int64]
    """Index of the first sole point of each foot (F,)."""
    sole_radius: float
    """Radius of the sole points [m]."""
    joint_low: Array
    """Lower joint limits (J,) [rad]."""
    joint_high: Array
    """Upper joint limits (J,) [rad]."""
    imu: Array
    """Position of the IMU in the base frame (3,) [m]."""
    history: NDArray[np.int64]
    """Columns of `mjData.history` that hold delayed targets of acting joints (acting, samples)."""

    @classmethod
    def of(cls, model: "mujoco.MjModel", robot: Robot) -> "Layout":
        """Layout of `robot` in `model`.

        Raises InputError for a missing part, actuators in another order, or unequal sole radii.
        """
        joints = [_named(model.joint, name, robot) for name in robot.all_joints]
        driven = [model.joint(model.actuator_trnid[i, 0]).name for i in range(model.nu)]
        if driven != list(robot.all_joints):
            raise InputError(
                f"robot {robot.name}: the model's actuators drive {driven}, not"
                f" {list(robot.all_joints)} in this order"
            )
        soles = [_named(model.geom, name, robot) for name in robot.sole_points]
        radii = {float(sole.size[0]) for sole in soles}
        if len(radii) != 1:
            raise InputError(f"robot {robot.name}: sole points have radii {sorted(radii)}, not one")
        acting = len(robot.joints)
        samples = int(model.actuator_history[:acting, 0].min())
        # A buffer holds two words of bookkeeping, then times, then values (mjData.history).
        values = model.actuator_historyadr[:acting, None] + 2 + samples + np.arange(samples)
        return cls(
            qpos=np.array([joint.qposadr[0] for joint in joints]),
            dof=np.array([joint.dofadr[0] for joint in joints]),
            base=_named(model.body, robot.base, robot).id,
            feet=np.array([_named(model.body, foot.body, robot).id for foot in robot.feet]),
            sole_geoms=np.array([sole.id for sole in soles]),
            first_point=np.cumsum(robot.points_per_foot) - robot.points_per_foot,
            sole_radius=radii.pop(),
            joint_low=np.array([joint.range[0] for joint in joints]),
            joint_high=np.array([joint.range[1] for joint in joints]),
            imu=_named(model.site, robot.imu, robot).pos.copy(),
            history=values,
        )


def _named(find: Callable[[str], Any], name: str, robot: Robot) -> Any:
    """Part `name` of a model by its accessor `find`; raises InputError if it has none."""
    try:
        return find(name)
    except KeyError:
        raise InputError(f"robot {robot.name}: its model has no part {name!r}") from None


def motor_gains(model: "mujoco.MjModel", acting: int) -> tuple[Array, Array]:
    """Position gain [N m/rad] and velocity gain [N m s/rad] of the first `acting` motors (A,).

    Of DC motors with a controller, else of position servos.
    """
    import mujoco

    if (model.actuator_gaintype[:acting] == mujoco.mjtGain.mjGAIN_DCMOTOR).all():
        return model.actuator_gainprm[:acting, 4].copy(), model.actuator_gainprm[:acting, 6].copy()
    return -model.actuator_biasprm[:acting, 1], -model.actuator_biasprm[:acting, 2]


def torque_limits(model: "mujoco.MjModel", velocity: Array, strength: Array) -> tuple[Array, Array]:
    """Lowest and highest torque (n, A) [N m] of the acting motors at `velocity` (n, A) [rad/s].

    DC motor with a voltage limit: K/R (+-V - K qd), clipped at the peak torque (Grandia et al.
    2024, appendix B); `strength` (n,) scales V and the peak. Unless all are DC motors: their force
    range, taken as symmetric, or infinity.
    """
    import mujoco

    acting = velocity.shape[1]
    peak = model.actuator_forcerange[:acting, 1] * strength[:, None]
    if (model.actuator_gaintype[:acting] != mujoco.mjtGain.mjGAIN_DCMOTOR).any():
        peak = np.where(model.actuator_forcelimited[:acting], peak, math.inf)
        return -peak, peak
    # gainprm of a dcmotor: R [ohm] in column 0, K [N m/A] in 1, voltage limit [V] in 7.
    ratio, constant, voltage = (model.actuator_gainprm[:acting, i] for i in (0, 1, 7))
    top = voltage * strength[:, None]
    high = np.minimum(constant / ratio * (top - constant * velocity), peak)
    low = np.maximum(constant / ratio * (-top - constant * velocity), -peak)
    return low, high
