"""A robot as a value: its model file, joints, feet, poses and limits.

Nothing above this package knows a robot's parts by name or number: a robot of one's own is one
`Robot` in one file (docs/extending.md). `Layout` says where its parts lie in a compiled model.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import mujoco
import numpy as np
from numpy.typing import NDArray

from grek.envs.vectors import Array
from grek.errors import InputError

DELAY_SAMPLES = 12  # joint targets that a motor remembers, one for each physics step


@dataclass(frozen=True)
class Foot:
    """A foot: a body with a flat sole and the spheres at which rigid ground touches it."""

    body: str
    """Body of the model."""
    sole_points: tuple[str, ...]
    """Sphere geoms at which rigid ground acts, all of one radius."""
    sole_size: tuple[float, float]
    """Length along x and width along y of the sole [m]."""
    sole_centre: tuple[float, float, float]
    """Centre of the sole in the frame of `body` [m]."""
    side: int = 0
    """1 on the left, -1 on the right, 0 in the middle."""
    phase: float = 0.0
    """Offset of this foot in the gait cycle, in [0, 1)."""


@dataclass(frozen=True)
class Mirror:
    """The robot reflected left to right: value i of the image is `sign[i]` times `order[i]`."""

    joints: tuple[int, ...]
    """Order of acting and posed joints."""
    joint_sign: tuple[float, ...]
    feet: tuple[int, ...]
    """Order of the feet."""


LegInverse = Callable[[Array, Array, Array, Array, Array], Array]
"""Foot positions x, y, z [m] in the base frame, foot yaw [rad] and side, each (n, feet), to joint
angles (n, feet, joints of a leg) [rad]."""


@dataclass(frozen=True)
class Legs:
    """Leg kinematics for the reference gait; acting joints are ordered leg by leg, as the feet."""

    inverse: LegInverse
    stance: tuple[tuple[float, float, float], ...]
    """Ankle of each foot in the home pose, in the base frame [m]."""


@dataclass(frozen=True)
class Robot:
    """A body that acts through position-controlled motors and stands on feet with flat soles.

    Lengths in [m], angles in [rad]. Joint quantities are ordered as `joints`, then `posed`; the
    model's actuators have the same order, one for each, and are named after their joints.
    """

    name: str
    model: Path
    """MJCF file of the body alone, without ground; a free joint moves the base."""
    joints: tuple[str, ...]
    """Joints that the policy acts on."""
    home: tuple[float, ...]
    """Stand pose of acting and posed joints."""
    feet: tuple[Foot, ...]
    stand_height: float
    """Base above the soles in the stand pose."""
    mass: float
    """Nominal mass [kg]."""
    posed: tuple[str, ...] = ()
    """Joints that follow a commanded pose."""
    look: tuple[str, str] | None = None
    """Posed joints that follow the commanded head pitch and yaw."""
    sag: tuple[float, ...] = ()
    """Static torque in the stand pose over motor stiffness, for every joint; zeros by default."""
    action_scale: tuple[float, ...] = ()
    """Joint angle of action 1 for each acting joint; 0.3 by default."""
    base: str = "torso"
    """Body that the free joint moves."""
    head: str | None = None
    """Body whose mass varies by a factor of its own."""
    imu: str = "imu"
    """Site of gyro and accelerometer; it shares the axes of the base."""
    body_geoms: tuple[str, ...] = ()
    """Geoms besides the sole points that meet the ground."""
    sole_mass: float = 115.0
    """Least effective mass behind a unit of sole area [kg/m^2]; bounds the stiffness of soil that
    a physics step can integrate."""
    fall_height: float = 0.0
    """Base height above the ground below which the robot counts as fallen."""
    fall_cosine: float = 0.5
    """Cosine of the tilt beyond which it does: 60 degrees."""
    lateral_joints: tuple[str, ...] = ()
    """Acting joints that walking straight ahead does not need, such as hip yaw and roll."""
    foot_distance: float = 0.0
    """Least lateral distance between a left and a right foot that is not penalised."""
    mirror: Mirror | None = None
    """Left-right symmetry; None for a robot without."""
    legs: Legs | None = None
    """Leg kinematics; None for a robot whose reference motion is its home pose."""

    def __post_init__(self) -> None:
        count = len(self.joints) + len(self.posed)
        object.__setattr__(self, "sag", self.sag or (0.0,) * count)
        object.__setattr__(self, "action_scale", self.action_scale or (0.3,) * len(self.joints))
        for name, values, wanted in (
            ("home", self.home, count),
            ("sag", self.sag, count),
            ("action_scale", self.action_scale, len(self.joints)),
        ):
            if len(values) != wanted:
                raise InputError(
                    f"robot {self.name}: {name} has {len(values)} values, not {wanted}"
                )
        if not self.feet:
            raise InputError(f"robot {self.name} has no feet")
        for name in (*self.lateral_joints, *(self.look or ())):
            if name not in (*self.joints, *self.posed):
                raise InputError(f"robot {self.name}: no joint {name!r}")

    @property
    def all_joints(self) -> tuple[str, ...]:
        """Acting, then posed joints."""
        return (*self.joints, *self.posed)

    @property
    def sole_points(self) -> tuple[str, ...]:
        """Sole points of all feet, foot by foot."""
        return tuple(point for foot in self.feet for point in foot.sole_points)

    @property
    def points_per_foot(self) -> NDArray[np.int64]:
        """Number of sole points of each foot (feet,)."""
        return np.array([len(foot.sole_points) for foot in self.feet])

    def load_spec(self) -> mujoco.MjSpec:
        """The body alone, without ground, as an editable model."""
        return mujoco.MjSpec.from_file(str(self.model))

    def physics_spec(self) -> mujoco.MjSpec:
        """The body without what costs time and changes no bit of the motion.

        Visual geoms (group 2) go. So do sensors: an accelerometer asks for the forces of all
        constraints after every physics step, and what gyro and velocimeter read is in the state.
        One robot is one island of constraints, so MuJoCo need not search for islands. Motors of
        acting joints remember at least DELAY_SAMPLES targets, so that they can be late.
        """
        spec = self.load_spec()
        for item in (*(geom for geom in spec.geoms if geom.group == 2), *spec.sensors):
            spec.delete(item)
        for actuator in spec.actuators:
            if actuator.target in self.joints:
                actuator.nsample = max(actuator.nsample, DELAY_SAMPLES)
        spec.option.disableflags |= int(mujoco.mjtDisableBit.mjDSBL_ISLAND)
        return spec


@dataclass(frozen=True)
class Layout:
    """Where a robot's parts lie in a compiled model."""

    qpos: NDArray[np.int64]
    """Position address of each joint (joints,)."""
    dof: NDArray[np.int64]
    """Velocity address of each joint (joints,)."""
    base: int
    """Body id."""
    feet: NDArray[np.int64]
    """Body ids (feet,)."""
    sole_geoms: NDArray[np.int64]
    """Geom ids of the sole points (points,)."""
    first_point: NDArray[np.int64]
    """Index of the first sole point of each foot (feet,)."""
    sole_radius: float
    """Of the sole points [m]."""
    joint_low: Array
    joint_high: Array
    """Limits of the joints (joints,) [rad]."""
    imu: Array
    """Place of the IMU in the base frame (3,) [m]."""
    history: NDArray[np.int64]
    """Columns of `mjData.history` that hold delayed targets of acting joints (acting, samples)."""

    @classmethod
    def of(cls, model: mujoco.MjModel, robot: Robot) -> "Layout":
        """Read the addresses from `model`; raises InputError if a part of `robot` is missing."""
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
    """The part `name` of a model; raises InputError if it has none."""
    try:
        return find(name)
    except KeyError:
        raise InputError(f"robot {robot.name}: its model has no part {name!r}") from None


def torque_limits(model: mujoco.MjModel, velocity: Array, strength: Array) -> tuple[Array, Array]:
    """Lowest and highest torque of the acting motors at `velocity` (n, acting) [rad/s]: [N m].

    A DC motor behind a voltage limit: K/R (+-V - K qd), cut at the peak torque (Grandia et al.
    2024, appendix B); `strength` (n,) scales both. Motors of another kind have their force range.
    """
    acting = velocity.shape[1]
    peak = model.actuator_forcerange[:acting, 1] * strength[:, None]
    if (model.actuator_gaintype[:acting] != mujoco.mjtGain.mjGAIN_DCMOTOR).any():
        peak = np.where(model.actuator_forcelimited[:acting], peak, math.inf)
        return -peak, peak
    # gainprm[0] is R of the winding, gainprm[1] is K; the line is K/R (V - K qd).
    ratio, constant, voltage = (model.actuator_gainprm[:acting, i] for i in (0, 1, 7))
    top = voltage * strength[:, None]
    high = np.minimum(constant / ratio * (top - constant * velocity), peak)
    low = np.maximum(constant / ratio * (-top - constant * velocity), -peak)
    return low, high
