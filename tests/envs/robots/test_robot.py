"""The droid against its specification and against physics, without a policy."""

import dataclasses

import mujoco
import numpy as np
import pytest

from grek.envs import robots
from grek.envs.ground.planes import add_planes
from grek.envs.robots import GREK, Layout
from grek.envs.robots.robot import torque_limits
from grek.envs.scenarios.scenario import Motors, Scenario
from grek.envs.simulation.simulation import CONTROL_STEP, Simulation
from grek.errors import InputError

HOME, SAG = np.array(GREK.home), np.array(GREK.static_offset)
TARGETS = (HOME + SAG)[None]
LEGS = 10  # joints
SOLE_RADIUS = 0.018  # [m]


def mirror(joints: np.ndarray) -> np.ndarray:
    """The mirror image of a value of every joint."""
    assert GREK.mirror is not None
    return joints[..., list(GREK.mirror.joints)] * GREK.mirror.joint_sign


@pytest.fixture(scope="module")
def model() -> mujoco.MjModel:
    spec = GREK.load_spec()
    add_planes(spec, GREK)
    return spec.compile()


def stand(model: mujoco.MjModel) -> mujoco.MjData:
    """The droid in the stand pose, kinematics current."""
    data = mujoco.MjData(model)
    data.qpos[Layout.of(model, GREK).qpos] = HOME
    data.qpos[2] = GREK.stand_height
    mujoco.mj_forward(model, data)
    return data


def test_mass(model):
    assert pytest.approx(15.4) == GREK.mass
    # torso 5.8 + neck and head 2.4 + two legs of 3.6 (Grandia et al. 2024)
    assert model.body_mass.sum() == pytest.approx(15.4, abs=1e-9)
    for side in ("left", "right"):
        assert model.body_subtreemass[model.body(f"{side}_hip_yaw").id] == pytest.approx(3.6)


def test_centre_of_mass_is_over_the_feet(model):
    data = stand(model)
    x, y, z = data.subtree_com[model.body("torso").id]
    soles = data.geom_xpos[Layout.of(model, GREK).sole_geoms]
    assert soles[:, 0].min() + 0.05 < x < soles[:, 0].max() - 0.05
    assert (x, y, z) == pytest.approx((-0.004, 0, 0.316), abs=3e-3)


def test_soles_are_level_and_on_the_ground(model):
    soles = stand(model).geom_xpos[Layout.of(model, GREK).sole_geoms]
    assert soles[:, 2] - SOLE_RADIUS == pytest.approx(np.zeros(8), abs=2e-3)


def test_model_is_mirror_symmetric(model):
    """Mirrored accelerations from mirrored states: inertia, axes, limits and motors agree."""
    parts = Layout.of(model, GREK)
    rng = np.random.default_rng(0)
    pose, velocity, control = rng.uniform(-0.3, 0.3, (3, len(HOME)))

    def acceleration(pose: np.ndarray, velocity: np.ndarray, control: np.ndarray) -> np.ndarray:
        data = stand(model)
        data.qpos[2] = 1.0
        data.qpos[parts.qpos] = HOME + pose
        data.qvel[parts.dof] = velocity
        data.ctrl[:] = HOME + control
        mujoco.mj_forward(model, data)
        return np.concatenate([data.qacc[parts.dof], data.qacc[:6]])

    plain = acceleration(pose, velocity, control)
    mirrored = acceleration(mirror(pose), mirror(velocity), mirror(control))
    base_sign = np.array([1, -1, 1, -1, 1, -1])  # of linear and angular acceleration
    assert mirrored[:14] == pytest.approx(mirror(plain[:14]), rel=1e-4, abs=1e-3)
    assert mirrored[14:] == pytest.approx(plain[14:] * base_sign, rel=1e-4, abs=1e-3)
    assert mirror(parts.joint_low + parts.joint_high) == pytest.approx(
        parts.joint_low + parts.joint_high
    )


def test_stands_without_a_policy_for_ten_seconds():
    simulation = Simulation(1)
    simulation.reset([0], [Scenario()])
    for _ in range(round(10 / CONTROL_STEP)):
        state = simulation.step(TARGETS)
    assert state.rotation[0, 2, 2] > np.cos(np.radians(2))
    assert state.height[0] == pytest.approx(GREK.stand_height, abs=0.01)
    assert np.abs(state.position_w[0, :2]).max() < 0.02
    assert np.abs(state.joint_velocity).max() < 0.02


@pytest.mark.parametrize("force", [(60, 0), (-60, 0), (0, 60), (0, -60)])
def test_survives_a_push_without_a_policy(force):
    simulation = Simulation(1)
    simulation.reset([0], [Scenario()])
    push = np.array([[*force, 0.0]])
    for step in range(round(4 / CONTROL_STEP)):
        pushed = 1.0 <= step * CONTROL_STEP < 1.1 - 1e-9
        state = simulation.step(TARGETS, push if pushed else 0 * push)
    assert state.rotation[0, 2, 2] > 0.95
    assert state.height[0] > 0.25


@pytest.mark.parametrize("strength", [1.0, 0.7])
def test_torque_stays_inside_the_torque_speed_curve(strength):
    """Thrashing at full stroke: |torque| <= peak, and none left to drive at no-load speed."""
    simulation = Simulation(4)
    scenario = Scenario(motors=Motors(strength=strength))
    simulation.reset(range(4), [scenario] * 4)
    rng = np.random.default_rng(1)
    sloping = np.zeros(LEGS, bool)  # joints that were faster than full torque goes
    speeds = np.array([28.8, 20, 20, 20, 28.8] * 2) * strength  # no-load [rad/s]
    knees = np.array([10.6, 7.4, 7.4, 7.4, 10.6] * 2) * strength  # full torque ends here
    peaks = np.array([23.7, 34, 34, 34, 23.7] * 2) * strength
    model, parts = simulation.engine.model, simulation.layout
    batch = simulation.engine.batch
    torques, velocities = batch.bind("actuator_force"), batch.bind("qvel")
    bristle, rate = batch.bind("act"), batch.bind("act_dot")
    stiffness, damping = (model.actuator_dynprm[:LEGS, i] for i in (5, 6))  # of the dry friction
    for _ in range(100):
        targets = rng.uniform(parts.joint_low, parts.joint_high, (4, 14))
        simulation.engine.targets[:] = targets
        for _ in range(4):
            # Torque and speed at one moment: forward computes both from the same state.
            batch.step(nstep=1)
            batch.forward()
            friction = stiffness * bristle[:, :LEGS] + damping * rate[:, :LEGS]
            torque = torques[:, :LEGS] + friction  # without what the bearings take
            speed = velocities[:, parts.dof[:LEGS]]
            line = peaks * (speeds - speed) / (speeds - knees)
            assert (torque <= np.minimum(peaks, line) + 1e-6).all()
            back = -peaks * (speeds + speed) / (speeds - knees)
            assert (torque >= np.maximum(-peaks, back) - 1e-6).all()
            low, high = torque_limits(model, speed, np.full(4, strength))
            assert (torque <= high + 1e-6).all() and (torque >= low - 1e-6).all()
            sloping |= (np.abs(speed) > knees).any(0)
    assert sloping.all(), sloping


def test_legs_do_not_pass_through_each_other():
    simulation = Simulation(1)
    simulation.reset([0], [Scenario()])
    targets = TARGETS.copy()
    targets[0, [1, 6]] = -0.35, 0.35  # both hips roll inwards
    for _ in range(50):
        state = simulation.step(targets)
    assert state.foot_w[0, 0, 1] - state.foot_w[0, 1, 1] > 0.03


def test_keyframes_are_poses_of_this_droid(model):
    names = {model.key(i).name for i in range(model.nkey)}
    assert names == {"stand", "sit", "crouch"}
    parts = Layout.of(model, GREK)
    assert model.key("stand").qpos[parts.qpos] == pytest.approx(HOME)
    assert model.key("stand").ctrl == pytest.approx(HOME + SAG)
    for name in names:
        pose = model.key(name).qpos[parts.qpos]
        assert (pose >= parts.joint_low).all() and (pose <= parts.joint_high).all()


def test_the_layout_has_the_radius_of_the_sole_points(model):
    parts = Layout.of(model, GREK)
    assert parts.sole_radius == SOLE_RADIUS
    assert parts.first_point.tolist() == [0, 4]
    assert parts.imu == pytest.approx((-0.02, 0.0, 0.04))


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"base": "trunk"}, "its model has no part 'trunk'"),
        ({"imu": "compass"}, "its model has no part 'compass'"),
        (
            {"feet": (dataclasses.replace(GREK.feet[0], sole_points=("toe",)),)},
            "its model has no part 'toe'",
        ),
        ({"joints": GREK.joints[::-1]}, "the model's actuators drive"),
        (
            {"feet": (dataclasses.replace(GREK.feet[0], sole_points=("left_sole_0", "torso")),)},
            r"sole points have radii \[0.018, 0.105\], not one",
        ),
    ],
)
def test_a_robot_that_does_not_fit_its_model_is_refused(model, changes, told):
    with pytest.raises(InputError, match=f"robot grek: {told}"):
        Layout.of(model, dataclasses.replace(GREK, **changes))


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"home": GREK.home[:-1]}, "robot grek: home has 13 values, not 14"),
        (
            {"static_offset": GREK.static_offset[:-1]},
            "robot grek: static_offset has 13 values, not 14",
        ),
        ({"action_scale": (0.3,)}, "robot grek: action_scale has 1 values, not 10"),
        ({"feet": ()}, "robot grek has no feet"),
        ({"lateral_joints": ("tail",)}, "robot grek: no joint 'tail'"),
        ({"look": ("tail", "head_yaw")}, "robot grek: no joint 'tail'"),
    ],
)
def test_a_robot_that_cannot_be_is_refused(changes, told):
    with pytest.raises(InputError, match=told):
        dataclasses.replace(GREK, **changes)


def test_robots_are_known_by_name():
    assert robots.robot("grek") is GREK
    with pytest.raises(InputError, match="unknown robot 'wheels'; there are: grek"):
        robots.robot("wheels")
    with pytest.raises(InputError, match="robot 'grek' exists"):
        robots.register(GREK)


def test_joint_ranges_are_those_of_the_model():
    layout = Layout.of(GREK.physics_spec().compile(), GREK)
    assert GREK.joint_range == tuple(zip(layout.joint_low, layout.joint_high, strict=True))
