"""Grek: a small armless biped with five joints in each leg and four in neck and head.

Masses, motors and proportions follow Grandia et al. 2024, the geometry is original; the model is
assets/grek/grek.xml. Knees bend backward. Pitch axes point left on both legs, so reflection keeps
pitch and negates yaw and roll.
"""

import numpy as np

from grek.assets import asset_path
from grek.envs.robots.robot import Foot, Legs, Mirror, Robot
from grek.envs.vectors import Array, clamp

THIGH, SHIN = 0.120, 0.145  # link lengths [m]
HIP_OFFSET = 0.055  # roll axis to leg, and base centre to yaw axis [m]
_LEG = ("hip_yaw", "hip_roll", "hip_pitch", "knee", "ankle")
_LEG_HOME = (0.0, 0.0, 0.70, -1.10, 0.40)
_LEG_RANGE = ((-0.5, 0.5), (-0.35, 0.5), (-0.9, 1.45), (-2.55, -0.1), (-1.0, 1.3))  # left
_LEG_SIGN = (-1.0, -1.0, 1.0, 1.0, 1.0)


def leg_ik(x: Array, y: Array, z: Array, yaw: Array, side: Array | float) -> Array:
    """Joint angles (..., 5) [rad] that put the ankle at x, y, z (...) [m] in the base frame.

    The sole is parallel to the base's xy plane at zero roll. `yaw` (...) [rad] is the hip yaw: x, y
    and z are the ankle before the leg turns by it. `side` is 1 for the left leg, -1 for the right.
    Points out of reach are replaced by the nearest one on the line from the hip.
    """
    lateral = y - HIP_OFFSET * side  # from the roll axis
    down = np.sqrt(np.maximum(lateral**2 + z**2 - HIP_OFFSET**2, 1e-6))
    roll = np.arctan2(lateral, -z) - np.arctan2(HIP_OFFSET * side, down)
    reach = clamp(np.sqrt(x**2 + down**2), 0.08, THIGH + SHIN - 5e-4)
    square = reach**2
    knee = -np.arccos(clamp((square - THIGH**2 - SHIN**2) / (2 * THIGH * SHIN), -1, 1))
    inner = np.arccos(clamp((THIGH**2 + square - SHIN**2) / (2 * THIGH * reach), -1, 1))
    hip = np.arctan2(-x, down) + inner
    angles = np.empty((*roll.shape, 5))
    for joint, angle in enumerate((yaw, roll, hip, knee, -(hip + knee))):
        angles[..., joint] = angle
    return angles


def leg_fk(joints: Array, side: float) -> Array:
    """Ankle position (n, 3) [m] in the base frame for joint angles (n, 5) of a leg at zero yaw."""
    _, roll, hip, knee, _ = joints.T
    x = -THIGH * np.sin(hip) - SHIN * np.sin(hip + knee)
    down = THIGH * np.cos(hip) + SHIN * np.cos(hip + knee)
    y = HIP_OFFSET * side + HIP_OFFSET * side * np.cos(roll) + down * np.sin(roll)
    z = HIP_OFFSET * side * np.sin(roll) - down * np.cos(roll)
    return np.stack([x, y, z], 1)


def _foot(name: str, side: int, phase: float) -> Foot:
    return Foot(
        body=f"{name}_foot",
        sole_points=tuple(f"{name}_sole_{i}" for i in range(4)),
        sole_size=(0.16, 0.08),
        sole_centre=(0.0225, 0.0, -0.070),
        side=side,
        phase=phase,
    )


_ANKLES = tuple(leg_fk(np.array([_LEG_HOME]), side)[0] for side in (1.0, -1.0))

GREK = Robot(
    name="grek",
    model=asset_path("grek/grek.xml"),
    joints=tuple(f"{side}_{joint}" for side in ("left", "right") for joint in _LEG),
    pose_joints=("neck_pitch", "head_pitch", "head_yaw", "head_roll"),
    look=("head_pitch", "head_yaw"),
    home=(*_LEG_HOME, *_LEG_HOME, -0.20, 0.20, 0.0, 0.0),
    joint_range=(
        *_LEG_RANGE,
        *(_LEG_RANGE[0], (-0.5, 0.35), *_LEG_RANGE[2:]),
        *((-0.6, 1.0), (-0.8, 0.8), (-1.2, 1.2), (-0.5, 0.5)),
    ),
    static_offset=(
        *(0.0, -0.046, 0.007, 0.085, 0.03),
        *(0.0, 0.046, 0.007, 0.085, 0.03),
        *(0.0, 0.0, 0.0, 0.0),
    ),
    action_scale=(0.2, 0.2, 0.3, 0.3, 0.3) * 2,
    feet=(_foot("left", 1, 0.0), _foot("right", -1, 0.5)),
    body_geoms=("torso", "tail_pod", "head"),
    seat="tail_pod",
    head="head",
    stand_height=0.295,
    mass=15.4,
    sole_mass=115.0,  # 1.5 kg, the least effective mass of the leg over its poses, over the sole
    fall_height=0.17,
    lateral_joints=tuple(f"{s}_{j}" for s in ("left", "right") for j in ("hip_yaw", "hip_roll")),
    foot_distance=0.15,
    mirror=Mirror(
        joints=(5, 6, 7, 8, 9, 0, 1, 2, 3, 4, 10, 11, 12, 13),
        joint_sign=(*_LEG_SIGN, *_LEG_SIGN, 1.0, 1.0, -1.0, -1.0),
        feet=(1, 0),
    ),
    legs=Legs(
        inverse=leg_ik,
        home_ankles=tuple((float(x), float(y), float(z)) for x, y, z in _ANKLES),
        hips=((0.0, HIP_OFFSET), (0.0, -HIP_OFFSET)),
    ),
)
