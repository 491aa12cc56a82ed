"""Check that a robot can do a plan: reach, joint range, speed and torque of the motors.

Torque is that of inverse dynamics on level ground: the wrench that the motion needs at the torso is
shared among the feet in contact as the smallest that balances it, moments counted over the length
of a sole.
"""

from dataclasses import dataclass
from functools import lru_cache

import mujoco
import numpy as np

from grek.envs.motions.planner import Plan, rotations
from grek.envs.robots import Robot
from grek.envs.robots.robot import Layout, motor_gains, torque_limits
from grek.envs.vectors import Array
from grek.errors import InputError

REACH = 0.003  # largest distance of a sole from its planned place [m]


@dataclass(frozen=True)
class Demand:
    """Speed and torque of the acting joints (T, A) in a plan, with the limits of their motors."""

    velocity: Array
    """[rad/s]"""
    torque: Array
    """[N m]"""
    lowest: Array
    """Lowest torque of the motor at `velocity` [N m]."""
    highest: Array
    """Highest torque of the motor at `velocity` [N m]."""
    lead: Array
    """Offset from the joints to their targets [rad]: with it position control gives `torque` where
    the joints are as planned."""

    @property
    def share(self) -> float:
        """Largest torque of any joint over what its motor gives [-]."""
        limit = np.where(self.torque > 0, self.highest, -self.lowest)
        return float(np.max(np.abs(self.torque) / limit))


def check(plan: Plan, robot: Robot) -> Demand:
    """Demand of `plan`; raises InputError naming beat and joint of the first that is not met."""
    model = _model(robot)
    layout = Layout.of(model, robot)
    qpos = positions(plan, robot, model, layout)
    _check_range(plan, robot, layout)
    velocity, torque, ankles = _inverse(plan, robot, model, layout, qpos)
    _check_reach(plan, robot, ankles)
    lowest, highest = torque_limits(model, velocity, np.ones(len(velocity)))
    stiffness, damping = motor_gains(model, len(robot.joints))
    lead = (torque + damping * velocity) / stiffness
    demand = Demand(velocity, torque, lowest, highest, lead)
    over = np.maximum(torque - highest, lowest - torque)
    if (over > 0).any():
        at, joint = np.unravel_index(int((over > 0).argmax()), over.shape)
        limit = highest if torque[at, joint] > 0 else lowest
        raise InputError(
            f"motion {plan.name}: beat {plan.beat[at]:.2f}: {robot.joints[joint]} needs"
            f" {torque[at, joint]:.1f} N m at {velocity[at, joint]:.1f} rad/s, its motor gives"
            f" {limit[at, joint]:.1f}"
        )
    return demand


@lru_cache(maxsize=8)
def _model(robot: Robot) -> mujoco.MjModel:
    """Model of `robot` in the air."""
    spec = robot.load_spec()
    spec.option.disableflags |= int(mujoco.mjtDisableBit.mjDSBL_CONSTRAINT)
    return spec.compile()


def positions(plan: Plan, robot: Robot, model: mujoco.MjModel, layout: Layout) -> Array:
    """Generalised positions (T, nq)."""
    qpos = np.tile(model.qpos0, (len(plan.time), 1))
    qpos[:, :3] = plan.position
    for row, rotation in zip(qpos, rotations(plan.attitude), strict=True):
        mujoco.mju_mat2Quat(row[3:7], rotation.ravel())
    acting = len(robot.joints)
    qpos[:, layout.qpos[acting:]] = robot.home[acting:]
    qpos[:, layout.qpos[:acting]] = plan.joints
    if robot.look is not None:
        columns = layout.qpos[[robot.all_joints.index(name) for name in robot.look]]
        qpos[:, columns] += plan.look
    return qpos


def _check_range(plan: Plan, robot: Robot, layout: Layout) -> None:
    """Raise InputError for the first joint outside its range."""
    acting = len(robot.joints)
    low, high = layout.joint_low[:acting], layout.joint_high[:acting]
    outside = (plan.joints < low - 1e-9) | (plan.joints > high + 1e-9)
    if outside.any():
        at, joint = np.unravel_index(int(outside.argmax()), outside.shape)
        raise InputError(
            f"motion {plan.name}: beat {plan.beat[at]:.2f}: {robot.joints[joint]} at"
            f" {plan.joints[at, joint]:.2f} rad is outside [{low[joint]:g}, {high[joint]:g}]"
        )


def _check_reach(plan: Plan, robot: Robot, ankles: Array) -> None:
    """Raise InputError where a leg is too short or too long: `ankles` (T, F, 3) off their place."""
    assert robot.legs is not None
    wanted = plan.feet[..., :3].copy()
    wanted[..., 2] += robot.stand_height + np.array(robot.legs.home_ankles)[:, 2]
    miss = np.linalg.norm(ankles - wanted, axis=2)
    if miss.max() > REACH:
        at = int((miss.max(1) > REACH).argmax())
        foot = robot.feet[int(miss[at].argmax())].body
        raise InputError(
            f"motion {plan.name}: beat {plan.beat[at]:.2f}: {foot} cannot reach its place, by"
            f" {1000 * miss[at].max():.0f} mm"
        )


def _inverse(
    plan: Plan, robot: Robot, model: mujoco.MjModel, layout: Layout, qpos: Array
) -> tuple[Array, Array, Array]:
    """Velocity and torque of the acting joints (T, A), and ankles (T, F, 3) [m]."""
    steps, interval = len(plan.time), float(plan.time[1])
    change = np.zeros((steps - 1, model.nv))
    for row, before, after in zip(change, qpos[:-1], qpos[1:], strict=True):
        mujoco.mj_differentiatePos(model, row, interval, before, after)
    padded = np.concatenate([np.zeros((1, model.nv)), change, np.zeros((1, model.nv))])
    speed, acceleration = (padded[1:] + padded[:-1]) / 2, np.diff(padded, axis=0) / interval
    # Legs stop at take-off and bend from landing on: one-sided differences there.
    stands = np.asarray(plan.contact.any(1))
    leaves = np.flatnonzero(stands[:-1] & ~stands[1:])
    lands = 1 + np.flatnonzero(stands[1:] & ~stands[:-1])
    speed[leaves], acceleration[leaves] = padded[leaves], acceleration[leaves - 1]
    speed[lands], acceleration[lands] = padded[lands + 1], acceleration[lands + 1]
    data, dof = mujoco.MjData(model), layout.dof[: len(robot.joints)]
    length = max(foot.sole_size[0] for foot in robot.feet)
    scale = np.array([1, 1, 1, length, length, length])
    needed, ankles = np.zeros((steps, model.nv)), np.zeros((steps, len(layout.feet), 3))
    lever = np.zeros((steps, len(layout.feet), 6, model.nv))  # 0 in the air
    centres = [np.array(foot.sole_centre) for foot in robot.feet]
    for at in range(steps):
        data.qpos[:], data.qvel[:], data.qacc[:] = qpos[at], speed[at], acceleration[at]
        mujoco.mj_inverse(model, data)
        needed[at], ankles[at] = data.qfrc_inverse, data.xpos[layout.feet]
        for foot in np.flatnonzero(plan.contact[at]):
            body, jacobian = int(layout.feet[foot]), lever[at, foot]
            centre = data.xpos[body] + data.xmat[body].reshape(3, 3) @ centres[foot]
            mujoco.mj_jac(model, data, jacobian[:3], jacobian[3:], centre, body)
    lever = (scale[:, None] * lever).reshape(steps, -1, model.nv)  # (T, 6 F, nv)
    # The smallest wrench w with A' w = f: w = A (A' A)^-1 f.
    above = lever[..., :6]
    square = above.swapaxes(1, 2) @ above
    square[~plan.contact.any(1)] = np.eye(6)
    wrench = above @ np.linalg.solve(square, needed[:, :6, None])
    needed -= (lever.swapaxes(1, 2) @ wrench)[..., 0]
    return speed[:, dof], needed[:, dof], ankles
