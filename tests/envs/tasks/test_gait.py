"""The reference gait: kinematics against MuJoCo, timing against hand computation."""

import mujoco
import numpy as np
import pytest

from grek.envs.robots import robot
from grek.envs.robots.robot import HOME
from grek.envs.tasks import gait as gaits
from grek.envs.tasks.gait import Gait

GAIT, FULL = Gait(), np.ones(1)
RNG = np.random.default_rng(0)


def feet(joints: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Ankle positions (2, 3) and foot rotations (2, 3, 3) in the torso frame, by MuJoCo."""
    model = robot.load_spec().compile()
    parts = robot.Layout.of(model)
    data = mujoco.MjData(model)
    data.qpos[parts.qpos[:10]] = joints
    data.qpos[:3] = 0
    mujoco.mj_kinematics(model, data)
    return data.xpos[parts.feet], data.xmat[parts.feet].reshape(2, 3, 3)


@pytest.mark.parametrize("_", range(5))
def test_inverse_kinematics_puts_the_ankle_there(_):
    x, y, z = RNG.uniform((-0.06, -0.04, -0.245), (0.05, 0.04, -0.18))
    legs = [
        gaits.leg_ik(*(np.array([v]) for v in (x, y + side * 0.11, z, 0.0)), side=side)
        for side in (1.0, -1.0)
    ]
    position, rotation = feet(np.concatenate(legs, 1)[0])
    assert position[0] == pytest.approx((x, y + 0.11, z), abs=1e-9)
    assert position[1] == pytest.approx((x, y - 0.11, z), abs=1e-9)
    for r in rotation:  # the sole's pitch is level: its x axis has no z
        assert r[2, 0] == pytest.approx(0, abs=1e-9)


def test_forward_and_inverse_kinematics_agree():
    joints = np.column_stack(
        [np.zeros(50), *RNG.uniform((-0.3, 0.2, -1.8), (0.3, 1.2, -0.4), (50, 3)).T, np.zeros(50)]
    )
    x, y, z = gaits.leg_fk(joints, 1.0).T
    again = gaits.leg_ik(x, y, z, np.zeros(50), 1.0)
    assert again[:, 1:4] == pytest.approx(joints[:, 1:4], abs=1e-9)


def test_out_of_reach_stays_finite():
    far = gaits.leg_ik(*(np.array([v]) for v in (0.5, 0.9, -2.0, 0.0)), side=1.0)
    assert np.isfinite(far).all()


def test_zero_command_is_the_stand_pose_at_any_phase():
    phase = np.linspace(0, 1, 20, endpoint=False)
    pose = gaits.reference(GAIT, phase, np.zeros((20, 3)), np.zeros(20))
    assert pose == pytest.approx(np.tile(HOME[:10], (20, 1)), abs=1e-9)
    assert gaits.stance(GAIT, phase, np.zeros(20)).all()


def test_a_foot_in_stance_goes_back_by_speed_times_time():
    """Over a stance of duty * period a foot goes back by gain * speed * duty * period."""
    command = np.array([[0.3, 0.0, 0.0]])
    ends = []
    for phase in (0.0, GAIT.duty - 1e-9):
        joints = gaits.reference(GAIT, np.array([phase]), command, FULL)
        ends.append(gaits.leg_fk(joints[:, :5], 1.0)[0, 0])
    period = 0.60 - 0.12 * 0.5
    assert ends[0] - ends[1] == pytest.approx(1.9 * 0.3 * 0.55 * period, abs=1e-6)


def test_swing_lifts_to_the_stated_height():
    middle = np.array([GAIT.duty + (1 - GAIT.duty) / 2])
    command = np.array([[0.3, 0.0, 0.0]])
    assert gaits.swing_height(GAIT, middle, FULL)[0, 0] == pytest.approx(0.055)
    joints = gaits.reference(GAIT, middle, command, FULL)
    home = gaits.leg_fk(HOME[None, :5], 1.0)[0, 2]
    assert gaits.leg_fk(joints[:, :5], 1.0)[0, 2] - home == pytest.approx(0.055, abs=1e-9)


def test_period_shortens_with_speed():
    command = np.array([[0.0, 0, 0.5], [0.3, 0, 0], [0.6, 0, 0], [2.0, 0, 0]])
    assert gaits.period(GAIT, command) == pytest.approx([0.60, 0.54, 0.48, 0.48])


def test_mirrored_command_half_a_period_later_is_the_mirrored_pose():
    phase, command = RNG.random(30), RNG.uniform(-0.5, 0.5, (30, 3))
    effort = gaits.effort(command)
    plain = gaits.reference(GAIT, phase, command, effort)
    mirrored = gaits.reference(GAIT, (phase + 0.5) % 1, command * (1, -1, -1), effort)
    assert mirrored == pytest.approx(robot.mirror_joints(plain), abs=1e-9)


def test_feet_alternate():
    standing = gaits.stance(GAIT, np.arange(100) / 100, np.ones(100))
    assert standing.any(1).all()  # never both in the air
    assert standing.mean(0) == pytest.approx([0.55, 0.55], abs=0.011)


def test_lean_is_tilt_and_where_its_rate_leads():
    """Pitching forward by 0.1 rad at 1 rad/s, and rolling to the left alike."""
    gyro = np.array([[0.0, 1.0, 0.0], [-1.0, 0.0, 0.0], [0.0, -1.0, 5.0]])
    gravity = np.array([[0.1, 0.0, -1.0], [0.0, 0.1, -1.0], [0.18, 0.0, -1.0]])
    assert gaits.lean(gyro, gravity) == pytest.approx([0.28, 0.28, 0.0])


def test_a_tipping_droid_is_roused_at_once_and_calms_down_slowly():
    gait, level = Gait(catch=0.2), np.zeros(1)
    for _ in range(5):
        level = gaits.catching(gait, level, np.array([0.21]), 0.02)
    assert level == pytest.approx(1.0)
    for _ in range(25):
        level = gaits.catching(gait, level, np.array([0.19]), 0.02)
    assert level == pytest.approx(0.5)
    assert gaits.catching(Gait(catch=0.0), np.zeros(1), np.array([9.0]), 0.02) == 0
