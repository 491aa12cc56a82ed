"""The reference gait: kinematics against MuJoCo, timing against hand computation."""

import dataclasses
import json

import mujoco
import numpy as np
import pytest

from grek.envs.motions import gait as gaits
from grek.envs.motions.gait import Gait, GaitMotion
from grek.envs.robots import GREK, Layout
from grek.envs.robots.grek import leg_fk, leg_ik
from grek.envs.tasks.walk import walking
from grek.errors import InputError

HOME = np.array(GREK.home)
GAIT, FULL = Gait(), np.ones(1)
RNG = np.random.default_rng(0)


def phases(phase: np.ndarray) -> np.ndarray:
    """Of each foot, given that of the gait."""
    return gaits.foot_phase(phase, GREK)


def feet(joints: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Ankle positions (2, 3) and foot rotations (2, 3, 3) in the torso frame, by MuJoCo."""
    model = GREK.load_spec().compile()
    parts = Layout.of(model, GREK)
    data = mujoco.MjData(model)
    data.qpos[parts.qpos[:10]] = joints
    data.qpos[:3] = 0
    mujoco.mj_kinematics(model, data)
    return data.xpos[parts.feet], data.xmat[parts.feet].reshape(2, 3, 3)


@pytest.mark.parametrize("_", range(5))
def test_inverse_kinematics_puts_the_ankle_there(_):
    x, y, z = RNG.uniform((-0.06, -0.04, -0.245), (0.05, 0.04, -0.18))
    legs = [
        leg_ik(*(np.array([v]) for v in (x, y + side * 0.11, z, 0.0)), side=side)
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
    x, y, z = leg_fk(joints, 1.0).T
    again = leg_ik(x, y, z, np.zeros(50), 1.0)
    assert again[:, 1:4] == pytest.approx(joints[:, 1:4], abs=1e-9)


def test_out_of_reach_stays_finite():
    far = leg_ik(*(np.array([v]) for v in (0.5, 0.9, -2.0, 0.0)), side=1.0)
    assert np.isfinite(far).all()


def test_zero_command_is_the_stand_pose_at_any_phase():
    phase = np.linspace(0, 1, 20, endpoint=False)
    pose = gaits.joint_angles(GAIT, GREK, phase, np.zeros((20, 3)), np.zeros(20))
    assert pose == pytest.approx(np.tile(HOME[:10], (20, 1)), abs=1e-9)
    assert gaits.stance(GAIT, phases(phase), np.zeros(20)).all()


def test_a_foot_in_stance_goes_back_by_speed_times_time():
    """Over a stance of duty * period a foot goes back by gain * speed * duty * period."""
    gait = dataclasses.replace(GAIT, gain=(1.9, 1.0, 1.0))
    command = np.array([[0.3, 0.0, 0.0]])
    ends = []
    for phase in (0.0, GAIT.duty - 1e-9):
        joints = gaits.joint_angles(gait, GREK, np.array([phase]), command, FULL)
        ends.append(leg_fk(joints[:, :5], 1.0)[0, 0])
    period = 0.60 - 0.12 * 0.5
    assert ends[0] - ends[1] == pytest.approx(1.9 * 0.3 * 0.55 * period, abs=1e-6)


def test_swing_lifts_to_the_stated_height():
    middle = np.array([GAIT.duty + (1 - GAIT.duty) / 2])
    command = np.array([[0.3, 0.0, 0.0]])
    assert gaits.swing_height(GAIT, phases(middle), FULL)[0, 0] == pytest.approx(0.055)
    joints = gaits.joint_angles(GAIT, GREK, middle, command, FULL)
    home = leg_fk(HOME[None, :5], 1.0)[0, 2]
    assert leg_fk(joints[:, :5], 1.0)[0, 2] - home == pytest.approx(0.055, abs=1e-9)


def test_a_soft_swing_lifts_and_lands_at_rest():
    gait, ends = dataclasses.replace(GAIT, softness=1.0), np.array([GAIT.duty, 1.0])
    near = np.stack([ends, np.abs(ends - 1e-3 * np.array([-1, 1]))])  # an instant into the swing
    height = gaits.swing_height(gait, near, np.ones(2))
    assert height[0] == pytest.approx(0, abs=1e-9)
    assert (height[1] < 0.01 * gaits.swing_height(GAIT, near, np.ones(2))[1]).all()
    middle = phases(np.array([GAIT.duty + (1 - GAIT.duty) / 2]))
    assert gaits.swing_height(gait, middle, FULL)[0, 0] == pytest.approx(GAIT.lift)


def test_a_retracting_foot_meets_the_ground_at_its_speed():
    """Just before it lands the foot goes back over the body as fast as just after."""
    gait, command = dataclasses.replace(GAIT, retraction=1.0), np.array([[0.3, 0.0, 0.0]])

    def ahead(phase: float) -> float:
        joints = gaits.joint_angles(gait, GREK, np.array([phase % 1]), command, FULL)
        return float(leg_fk(joints[:, :5], 1.0)[0, 0])

    before, after = (ahead(-1e-4) - ahead(-2e-4), ahead(2e-4) - ahead(1e-4))
    assert before == pytest.approx(after, rel=0.02) and after < 0
    assert ahead(0.955) > ahead(0.0)  # beyond where it lands


def test_period_shortens_with_speed():
    command = np.array([[0.0, 0, 0.5], [0.3, 0, 0], [0.6, 0, 0], [2.0, 0, 0]])
    assert gaits.period(GAIT, command) == pytest.approx([0.60, 0.54, 0.48, 0.48])


def test_mirrored_command_half_a_period_later_is_the_mirrored_pose():
    phase, command = RNG.random(30), RNG.uniform(-0.5, 0.5, (30, 3))
    effort = gaits.effort(command)
    plain = gaits.joint_angles(GAIT, GREK, phase, command, effort)
    mirrored = gaits.joint_angles(GAIT, GREK, (phase + 0.5) % 1, command * (1, -1, -1), effort)
    assert mirrored == pytest.approx(
        plain[:, list(GREK.mirror.joints[:10])] * GREK.mirror.joint_sign[:10], abs=1e-9
    )


def test_feet_alternate():
    standing = gaits.stance(GAIT, phases(np.arange(100) / 100), np.ones(100))
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
        level = gaits.recovery(gait, level, np.array([0.21]), 0.02)
    assert level == pytest.approx(1.0)
    for _ in range(25):
        level = gaits.recovery(gait, level, np.array([0.19]), 0.02)
    assert level == pytest.approx(0.5)
    assert gaits.recovery(Gait(catch=0.0), np.zeros(1), np.array([9.0]), 0.02) == 0


def test_a_foot_lands_near_the_capture_point():
    """Tilted by 0.1 rad forward and 0.05 to the left, stepping on the spot: feet land for the speed
    of a pendulum that tips likewise, 0.295 / 0.18 m/s per rad, of which half a stance of 0.33 s is
    27 mm; over the stance they go as far behind, and both do so in their turn."""
    still, tilted = np.zeros((1, 3)), np.array([[0.1, 0.05, -1.0]])
    motion = GaitMotion(Gait(capture=1.0, catch=0.05, sway=0.0), GREK, 1)
    motion.reset(np.array([0]), np.array([0], np.uint64), still)
    landed: list[list[np.ndarray]] = [[], []]
    home, _ = feet(HOME[:10])
    before = motion.now.contact[0]
    for _ in range(120):
        motion.advance(still, np.zeros((1, 3)), tilted, np.zeros(1))
        contact = motion.now.contact[0]
        ankles, _ = feet(motion.ahead(np.array([0]), (1,), still).joints[0])
        for foot in np.flatnonzero(contact & ~before):
            landed[foot].append(ankles[foot] - home[foot])
        before = contact
    speed = np.array([0.1, 0.05]) * 0.295 / 0.18
    for foot in landed:
        assert len(foot) >= 3
        assert foot[-1][:2] == pytest.approx(speed * 0.165, abs=0.004)
    for _ in range(100):
        motion.advance(still, np.zeros((1, 3)), np.array([[0, 0, -1.0]]), np.zeros(1))
    assert motion.now.joints[0] == pytest.approx(HOME[:10])


def test_the_clock_goes_on_while_it_walks_and_rests_while_it_stands():
    """At 0.3 m/s a period is 0.54 s: 0.02 / 0.54 of a turn in a control step."""
    motion = GaitMotion(GAIT, GREK, 2)
    command = np.array([[0.3, 0.0, 0.0], [0.0, 0.0, 0.0]])
    motion.reset(np.arange(2), np.array([500, 997 + 100], np.uint64), command)
    assert motion.phase == pytest.approx([500 / 997, 100 / 997])
    level, down = np.zeros((2, 3)), np.tile([0.0, 0.0, -1.0], (2, 1))
    for _ in range(3):
        motion.advance(command, level, down, np.zeros(2))
    assert motion.phase == pytest.approx([500 / 997 + 0.06 / 0.54, 100 / 997])
    angle = 2 * np.pi * motion.phase[0]
    harmonics = [np.sin(angle), np.cos(angle), np.sin(2 * angle), np.cos(2 * angle)]
    assert motion.now.clock[0] == pytest.approx(harmonics)
    assert motion.now.moving.tolist() == [True, False]
    assert not motion.now.clock[1].any() and not motion.now.clearance[1].any()
    assert motion.now.contact[1].all()
    assert motion.now.joints[1] == pytest.approx(HOME[:10], abs=1e-9)
    # At the end of the step, phase 0.65: the left foot swings, 0.1 of 0.45 in; the right stands.
    end = 500 / 997 + 0.08 / 0.54
    assert motion.now.contact[0].tolist() == [False, True]
    lift = 0.055 * np.sin(np.pi * (end - 0.55) / 0.45)
    assert motion.now.clearance[0] == pytest.approx([lift, 0.0])


def test_the_rate_lengthens_the_step_in_phase():
    """At 0.3 m/s, 0.02 / 0.54 of a turn in a control step, here 1.3 and 0.7 times as much."""
    motion = GaitMotion(GAIT, GREK, 2)
    command, level = np.tile([0.3, 0.0, 0.0], (2, 1)), np.zeros((2, 3))
    motion.reset(np.arange(2), np.zeros(2, np.uint64), command)
    down = np.tile([0.0, 0.0, -1.0], (2, 1))
    for _ in range(4):
        motion.advance(command, level, down, np.array([0.3, -0.3]))
    assert motion.phase == pytest.approx([0.08 / 0.54 * 1.3, 0.08 / 0.54 * 0.7])


def test_a_motion_goes_on_from_a_snapshot():
    command, level = np.array([[0.3, 0.1, 0.2]]), np.zeros((1, 3))
    tipping = np.array([[0.3, 0.0, -0.95]])
    first, second = (GaitMotion(GAIT, GREK, 1) for _ in range(2))
    first.reset(np.array([0]), np.array([5], np.uint64), command)
    for _ in range(7):
        first.advance(command, level, tipping, np.zeros(1))
    second.restore(first.snapshot(), command)
    for _ in range(2):
        for name, value in vars(first.now).items():
            assert np.array_equal(value, getattr(second.now, name)), name
        for motion in (first, second):
            motion.advance(0 * command, level, tipping, np.zeros(1))


def test_a_robot_without_leg_kinematics_has_no_gait():
    statue = dataclasses.replace(GREK, name="statue", legs=None)
    with pytest.raises(InputError, match="robot statue has no leg kinematics"):
        GAIT.start(statue, 1)
    motion = walking(statue).motion.start(statue, 3)
    motion.reset(np.arange(3), np.zeros(3, np.uint64), np.full((3, 3), 0.5))
    motion.advance(np.full((3, 3), 0.5), np.zeros((3, 3)), np.zeros((3, 3)), np.zeros(3))
    assert np.array_equal(motion.now.joints, np.tile(HOME[:10], (3, 1)))
    assert motion.now.contact.all() and not motion.now.moving.any()


@pytest.mark.parametrize(
    "values",
    [
        {"duty": 1.0},
        {"duty": 0.0},
        {"period": 0.1},
        {"catch": -0.1},
        {"gain": (1.0, 1.0)},
        {"lift": np.nan},
        {"sway": "wide"},
    ],
)
def test_a_gait_that_cannot_be_is_refused(values):
    with pytest.raises(InputError, match="gait"):
        Gait(**values)


def test_a_gait_is_read_back_from_its_description():
    gait = Gait(period=0.7, gain=(1.0, 2.0, 3.0))
    assert Gait().from_description(json.loads(json.dumps(gait.describe()))) == gait
    for values, told in (
        (None, "a gait has capture, catch, duty"),
        ({**gait.describe(), "bounce": 1.0}, "a gait has capture, catch, duty"),
        ({**gait.describe(), "gain": 1.0}, "gain is '1.0', not three numbers"),
    ):
        with pytest.raises(InputError, match=told):
            Gait().from_description(values)
