"""Dynamics, contact and friction in Drake: closed forms, and MuJoCo where there is none."""

from pathlib import Path

import mujoco
import numpy as np
import pytest

from grek.envs.ground.planes import add_planes
from grek.envs.robots import GREK, Layout, Robot
from grek.envs.simulation.drake_droid import STEP, Droid, Plane
from grek.envs.simulation.simulation import CONTROL_STEP

from .sled import ARMATURE, BOX, FRICTION, MASS, WHEEL, ground, sled, world

G = 9.81  # [m/s^2]
ENGINES = ("mujoco", "drake")
FLAT = Plane(np.array([0.0, 0.0, 1.0]), 0.0, 0.5)
both_engines = pytest.mark.parametrize("engine", ENGINES)


@pytest.fixture
def robot(tmp_path: Path) -> Robot:
    return sled(tmp_path)


@pytest.fixture(scope="module")
def model() -> mujoco.MjModel:
    return compiled(GREK)


def compiled(robot: Robot) -> mujoco.MjModel:
    """`robot` with the planes and contact pairs of MuJoCo's engine."""
    spec = robot.physics_spec()
    add_planes(spec, robot)
    return spec.compile()


def droid(model: mujoco.MjModel, robot: Robot = GREK) -> Droid:
    return Droid(model, robot, Layout.of(model, robot), FLAT)


def pose(model: mujoco.MjModel, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Some position 20 m above the ground, within the joints' ranges, and some velocity."""
    rng = np.random.default_rng(seed)
    qpos = np.empty(model.nq)
    qpos[:3], turn = [1.0, 2.0, 20.0], rng.normal(size=4)
    qpos[3:7] = turn / np.linalg.norm(turn)
    low, high = model.jnt_range[1:].T
    qpos[7:] = low + (high - low) * rng.uniform(0.2, 0.8, len(low))
    return qpos, rng.normal(size=model.nv)


@pytest.mark.parametrize("seed", range(3))
def test_mass_matrix_and_gravity(model, seed):
    """Drake's, turned into MuJoCo's velocities, are MuJoCo's."""
    made, (qpos, _) = droid(model), pose(model, seed)
    change = np.empty((model.nv, model.nv))  # MuJoCo's velocities to Drake's
    for i, velocity in enumerate(np.eye(model.nv)):
        made.set(qpos, velocity)
        change[:, i] = made.state[model.nq :]
    mass = change.T @ made.plant.CalcMassMatrix(made.context) @ change
    weight = change.T @ made.plant.CalcGravityGeneralizedForces(made.context)
    data, full = mujoco.MjData(model), np.empty((model.nv, model.nv))
    data.qpos[:] = qpos
    mujoco.mj_forward(model, data)
    mujoco.mj_fullM(model, data, full)
    assert mass == pytest.approx(full, abs=1e-12)
    assert weight == pytest.approx(-data.qfrc_bias, abs=1e-11)
    assert weight[:3] == pytest.approx([0, 0, -15.4 * G])
    assert made.mass == pytest.approx(15.4)


def test_state_is_that_of_mujoco(model):
    made, (qpos, qvel) = droid(model), pose(model, 5)
    made.set(qpos, qvel)
    read = np.empty(model.nq), np.empty(model.nv)
    made.read(*read)
    assert read[0] == pytest.approx(qpos) and read[1] == pytest.approx(qvel)
    data = mujoco.MjData(model)
    data.qpos[:], data.qvel[:] = qpos, qvel
    mujoco.mj_forward(model, data)
    origin, turn, twist = np.empty((2, 3)), np.empty((2, 3, 3)), np.empty((2, 6))
    made.read_feet(origin, turn, twist)
    for f, foot in enumerate(Layout.of(model, GREK).feet):
        expected = np.empty(6)
        kind = mujoco.mjtObj.mjOBJ_XBODY
        mujoco.mj_objectVelocity(model, data, kind, foot, expected, 0)
        assert origin[f] == pytest.approx(data.xpos[foot])
        assert turn[f].ravel() == pytest.approx(data.xmat[foot], abs=1e-12)
        assert twist[f] == pytest.approx(expected)


@both_engines
def test_free_fall(robot, engine):
    """g h^2 n (n + 1) / 2 after n steps of h, the sum of a velocity that is updated first."""
    simulation = world(robot, engine, ground(0.5))
    upright = np.array([[1.0, 0.0, 0.0, 0.0]])
    simulation.engine.place(np.zeros(1, int), np.array([[0.0, 0.0, 50.0]]), upright, np.zeros(1))
    for _ in range(50):
        state = simulation.step(np.zeros((1, 1)))
    h = simulation.engine.step_of(simulation.scenarios[0])
    n = round(1.0 / h)
    assert state.position_w[0] == pytest.approx([0, 0, 50 - G * h**2 * n * (n + 1) / 2], abs=1e-6)
    assert state.velocity_w[0] == pytest.approx([0, 0, -G], abs=1e-6)


@both_engines
@pytest.mark.parametrize("friction", [0.2, 0.4])
def test_sliding_and_stopping_distance(robot, engine, friction):
    """Pushed with 150 N for 0.2 s, then let go: v = (F / m - mu g) t, and v^2 / (2 mu g)."""
    simulation = world(robot, engine, ground(friction))
    push = np.array([[150.0, 0.0, 0.0]])
    start = simulation.state().position_w[0, 0]
    for _ in range(10):
        state = simulation.step(np.zeros((1, 1)), push)
    speed = (150 / MASS - friction * G) * 0.2
    assert state.velocity_w[0, 0] == pytest.approx(speed, rel=0.02)
    assert state.position_w[0, 0] - start == pytest.approx(speed * 0.1, rel=0.05)
    slides = state.position_w[0, 0]
    for _ in range(100):
        state = simulation.step(np.zeros((1, 1)))
    assert state.position_w[0, 0] - slides == pytest.approx(speed**2 / (2 * friction * G), rel=0.03)
    assert abs(state.velocity_w[0, 0]) < 2e-3


@both_engines
@pytest.mark.parametrize("friction", [0.05, 0.2])
def test_slope(robot, engine, friction):
    """On a slope of 10 % it stays at 0.2, and at 0.05 slides with g (sin - mu cos)."""
    simulation = world(robot, engine, ground(friction, rise=0.1))
    for _ in range(25):  # the wheel and the contacts settle
        state = simulation.step(np.zeros((1, 1)))
    start, before = state.position_w[0], state.velocity_w[0, 0]
    for _ in range(50):
        state = simulation.step(np.zeros((1, 1)))
    cos = 1 / np.sqrt(1.01)
    gone = np.linalg.norm(state.position_w[0] - start)
    if friction > 0.1:
        assert gone < 2e-3
    else:
        assert gone == pytest.approx(abs(before) / cos + 0.5 * G * 0.05 * cos, rel=0.02)
        assert state.position_w[0, 0] < start[0]


@both_engines
def test_it_stands_on_its_contacts(robot, engine):
    """Still, at the height of its soles."""
    simulation = world(robot, engine, ground(0.5))
    for _ in range(50):
        state = simulation.step(np.zeros((1, 1)))
    assert state.position_w[0] == pytest.approx([0, 0, 0.038], abs=2e-3)
    assert np.abs(state.velocity_w).max() < 1e-4 and state.contact.all()
    assert -2e-3 < state.clearance[0, 0] < 0


def test_penetration_is_that_of_its_stiffness(robot):
    """An eighth of the weight on each of eight points of 5e4 N/m and as much of the ground."""
    simulation = world(robot, "drake", ground(0.5))
    for _ in range(50):
        state = simulation.step(np.zeros((1, 1)))
    assert state.clearance[0, 0] == pytest.approx(-MASS * G / 8 / 2.5e4, rel=0.01)


def spinning(robot: Robot, **changes: float) -> tuple[Droid, mujoco.MjModel]:
    """The sled in the air without gravity, its wheel at 10 rad/s."""
    model = compiled(robot)
    model.opt.gravity[:] = 0
    made = droid(model, robot)
    qpos, qvel = model.qpos0.copy(), np.zeros(model.nv)
    qpos[2], qvel[6] = 20.0, 10.0
    made.set(qpos, qvel)
    return made, model


def test_dry_friction_stops_a_wheel_and_holds_it(robot):
    """Between wheel and box of M = [[b + w, w], [w, w + a]] it takes speed * inertia / friction."""
    made, model = spinning(robot)
    inertia = WHEEL + ARMATURE - WHEEL**2 / (WHEEL + BOX)
    qpos, qvel = np.empty(model.nq), np.empty(model.nv)
    speed = []
    for _ in range(round(1.6 / STEP)):
        made.advance(np.zeros(1))
        made.read(qpos, qvel)
        speed.append(qvel[6])
    moving = np.flatnonzero(np.array(speed) > 1e-4)[-1]
    assert (moving + 1) * STEP == pytest.approx(10 * inertia / FRICTION, rel=0.005)
    assert np.array(speed[: moving - 1]) == pytest.approx(
        10 - FRICTION / inertia * STEP * np.arange(1, moving), abs=1e-3
    )
    stopped = qpos[7]
    for torque in (0.9 * FRICTION, 1.1 * FRICTION):
        for _ in range(250):
            made.advance(np.array([torque]))
        made.read(qpos, qvel)
        # Held as by a damper of 1e3 N m s/rad; beyond the friction the rest accelerates it.
        expected = 0.9e-4 if torque < FRICTION else 0.1 * FRICTION / inertia * 0.125
        assert qpos[7] - stopped == pytest.approx(expected, rel=0.05)
        stopped = qpos[7]


def test_friction_and_damping_only_take_energy(model):
    """The droid tumbles without gravity and contact; what its motors rub away does not return."""
    model = model.__copy__()
    model.opt.gravity[:] = 0
    made, (qpos, qvel) = droid(model), pose(model, 1)
    made.set(qpos, qvel)
    energy = []
    for _ in range(500):
        energy.append(made.plant.CalcKineticEnergy(made.context))
        made.advance(np.zeros(14))
    assert np.diff(energy).max() < 1e-3 * energy[0]
    assert energy[-1] < 0.95 * energy[0]


def test_energy_and_momentum_without_friction(model):
    """Conserved by the bodies alone, to first order in the step."""
    model = model.__copy__()
    model.opt.gravity[:] = model.dof_damping[:] = model.jnt_limited[:] = 0
    model.actuator_biasprm[:, 3] = 0
    made, (qpos, qvel) = droid(model), pose(model, 2)
    made.set(qpos, 0.3 * qvel)
    plant, context = made.plant, made.context

    def values() -> np.ndarray:
        momentum = plant.CalcSpatialMomentumInWorldAboutPoint(context, np.zeros(3))
        parts = momentum.translational(), momentum.rotational()
        return np.array([plant.CalcKineticEnergy(context), *np.concatenate(parts)])

    before = values()
    for _ in range(250):
        made.advance(np.zeros(14))
    after = values()
    assert after[0] == pytest.approx(before[0], rel=0.02)
    assert after[1:4] == pytest.approx(before[1:4], rel=1e-4)
    assert after[4:] == pytest.approx(before[4:], rel=0.02, abs=0.02)


def test_a_push_is_a_force_on_the_base_for_its_time(robot):
    """In the air, 30 N for 0.2 s give 15 kg 0.4 m/s."""
    simulation = world(robot, "drake", ground(0.5))
    upright = np.array([[1.0, 0.0, 0.0, 0.0]])
    simulation.engine.place(np.zeros(1, int), np.array([[0.0, 0.0, 50.0]]), upright, np.zeros(1))
    for push in [30.0] * 10 + [0.0] * 5:
        state = simulation.step(np.zeros((1, 1)), np.array([[0.0, push, 0.0]]))
    assert state.velocity_w[0, 1] == pytest.approx(30 * 10 * CONTROL_STEP / MASS)
