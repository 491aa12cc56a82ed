"""The droid: names, orders, poses and the mirror map, and where they lie in a compiled model.

Joints come in one order everywhere (observation, action, actuator): left leg, right leg, neck and
head. Pitch axes point left on both legs, so a mirrored pose keeps pitch and flips yaw and roll.
"""

from dataclasses import dataclass

import mujoco
import numpy as np
from numpy.typing import NDArray

from grek.assets import asset_path

Array = NDArray[np.float64]

LEG = ("hip_yaw", "hip_roll", "hip_pitch", "knee", "ankle")
LEG_JOINTS = tuple(f"{side}_{joint}" for side in ("left", "right") for joint in LEG)
HEAD_JOINTS = ("neck_pitch", "head_pitch", "head_yaw", "head_roll")
JOINTS = LEG_JOINTS + HEAD_JOINTS
FEET = ("left_foot", "right_foot")
SOLE_POINTS = tuple(f"{side}_sole_{i}" for side in ("left", "right") for i in range(4))
BODY_GEOMS = ("torso", "tail_pod", "head")  # what may touch the ground besides the soles
LEGS = len(LEG_JOINTS)

STAND_HEIGHT = 0.295  # torso frame above the soles in the stand pose [m]
SOLE_RADIUS = 0.018  # of a sole point [m]

HOME = np.array([0, 0, 0.70, -1.10, 0.40] * 2 + [-0.20, 0.20, 0, 0])  # stand pose [rad]
SAG = np.array(  # what the motors need beyond HOME to carry the weight there: torque / kp [rad]
    [0, -0.046, 0.007, 0.085, 0.03, 0, 0.046, 0.007, 0.085, 0.03, 0, 0, 0, 0]
)

MIRROR = np.array([5, 6, 7, 8, 9, 0, 1, 2, 3, 4, 10, 11, 12, 13])  # JOINTS seen in a mirror
MIRROR_SIGN = np.array([-1, -1, 1, 1, 1] * 2 + [1, 1, -1, -1.0])


def mirror_joints(x: Array) -> Array:
    """Joint quantities (..., 10 or 14) as the left-right mirrored droid has them."""
    k = x.shape[-1]
    return x[..., MIRROR[:k]] * MIRROR_SIGN[:k]


def load_spec() -> mujoco.MjSpec:
    """The droid alone, without ground, as an editable model."""
    return mujoco.MjSpec.from_file(str(asset_path("grek/grek.xml")))


def strip_visuals(spec: mujoco.MjSpec) -> None:
    """Remove what is only there to be looked at (group 2): physics does not pay for it."""
    for geom in list(spec.geoms):
        if geom.group == 2:
            spec.delete(geom)


def strip_overhead(spec: mujoco.MjSpec) -> None:
    """Remove what costs time and changes no bit of the motion: a twelfth of a step.

    The accelerometer asks for the forces of all constraints after every physics step; what gyro and
    velocimeter read is in the state anyway; one droid is one island, so there are none to find.
    """
    for sensor in list(spec.sensors):
        spec.delete(sensor)
    spec.option.disableflags |= int(mujoco.mjtDisableBit.mjDSBL_ISLAND)


@dataclass(frozen=True)
class Layout:
    """Where the droid's parts lie in a compiled model."""

    qpos: NDArray[np.int64]
    """Position address of each of JOINTS."""
    dof: NDArray[np.int64]
    """Velocity address of each of JOINTS."""
    torso: int
    feet: NDArray[np.int64]
    """Body ids of FEET."""
    sole_geoms: NDArray[np.int64]
    """Geom ids of SOLE_POINTS."""
    joint_low: Array
    joint_high: Array
    """Limits of JOINTS [rad]."""
    imu: Array
    """Place of the IMU in the torso frame, whose axes it shares (3,) [m]."""
    history: NDArray[np.int64]
    """Columns of `history` that hold the delayed targets of the legs, (10, samples)."""

    @classmethod
    def of(cls, model: mujoco.MjModel) -> "Layout":
        """Read the addresses from `model`."""
        joints = [model.joint(name) for name in JOINTS]
        soles = np.array([model.geom(name).id for name in SOLE_POINTS])
        samples = int(model.actuator_history[0, 0])
        # A buffer holds two words of bookkeeping, then times, then values (mjData.history).
        values = 2 + samples + np.arange(samples)
        return cls(
            qpos=np.array([joint.qposadr[0] for joint in joints]),
            dof=np.array([joint.dofadr[0] for joint in joints]),
            torso=model.body("torso").id,
            feet=np.array([model.body(name).id for name in FEET]),
            sole_geoms=soles,
            joint_low=np.array([joint.range[0] for joint in joints]),
            joint_high=np.array([joint.range[1] for joint in joints]),
            imu=model.site("imu").pos.copy(),
            history=model.actuator_historyadr[:LEGS, None] + values,
        )


def torque_limits(model: mujoco.MjModel, velocity: Array, strength: Array) -> tuple[Array, Array]:
    """Lowest and highest torque the leg motors can give at `velocity` (n, 10) [rad/s], [N m].

    A DC motor behind a voltage limit: K/R (+-V - K qd), cut at the peak torque (Grandia et al.
    2024, appendix B); `strength` (n,) scales both.
    """
    ratio, constant, voltage = (model.actuator_gainprm[:LEGS, i] for i in (0, 1, 7))
    # gainprm[0] is R of the winding, gainprm[1] is K; the line is K/R (V - K qd).
    peak = model.actuator_forcerange[:LEGS, 1] * strength[:, None]
    top = voltage * strength[:, None]
    high = np.minimum(constant / ratio * (top - constant * velocity), peak)
    low = np.maximum(constant / ratio * (-top - constant * velocity), -peak)
    return low, high
