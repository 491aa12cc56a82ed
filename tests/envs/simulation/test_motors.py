"""Dry friction in the motors (LuGre) against Coulomb's law by hand."""

import mujoco
import numpy as np
import pytest

from grek.envs.robots import GREK
from grek.envs.scenarios.scenario import Motors, Scenario
from grek.envs.simulation.mujoco_engine import MujocoEngine
from grek.envs.simulation.simulation import CONTROL_STEP, Simulation

COULOMB, STATIC = 0.45, 0.52875  # of a hip or knee [N m]
SLIDES = 0.005  # deflection at which friction is full [rad]
STIFFNESS = COULOMB / SLIDES
KD = 2.0  # velocity gain of a hip motor [N m s/rad]
INERTIA = 0.09  # of the spinning joint [kg m^2]
TIMESTEPS = [0.001, 0.0025, 0.005]
TARGETS = np.array(GREK.home) + GREK.static_offset
YAW, PITCH = 0, 2  # left hip: 0.15 and 0.45 N m


def motor(model: mujoco.MjModel, i: int) -> list[float]:
    """Stiffness, damping, Coulomb, static, Stribeck velocity of actuator `i`."""
    return [*model.actuator_dynprm[i, 5:7], *model.actuator_biasprm[i, 3:6]]


def pendulum(
    timestep: float, torque: float, inertia: float, damping: float = 0.0
) -> mujoco.MjModel:
    """A hip motor and a point mass, 0.3 m away, whose weight pulls with `torque` when level.

    The position gain is zero, so that friction alone holds; `damping` is the velocity gain.
    """
    lugre = " ".join(str(value) for value in motor(GREK.load_spec().compile(), PITCH))
    mass = torque / (9.81 * 0.3)
    return mujoco.MjModel.from_xml_string(f"""
    <mujoco>
      <option timestep="{timestep}" integrator="implicitfast"/>
      <worldbody>
        <body>
          <joint name="hip" axis="0 1 0" armature="{inertia}" damping="{damping}"/>
          <inertial pos="0 0 -0.3" mass="{max(mass, 1e-9)}" diaginertia="1e-9 1e-9 1e-9"/>
        </body>
      </worldbody>
      <actuator>
        <dcmotor joint="hip" input="none" resistance="1" motorconst="0" lugre="{lugre}"/>
      </actuator>
    </mujoco>""")


def swing(timestep: float, start: float, time: float, damping: float = 0.0) -> np.ndarray:
    """Angle of a pendulum of 30 N m let go at `start`."""
    model = pendulum(timestep, 30.0, 0.011, damping)
    data = mujoco.MjData(model)
    data.qpos[0] = start
    angle = [start]
    for _ in range(round(time / timestep)):
        mujoco.mj_step(model, data)
        angle.append(data.qpos[0])
    return np.array(angle)


def amplitudes(angle: np.ndarray) -> np.ndarray:
    """Amplitude of each half swing, down to where the pendulum sticks."""
    turns = np.flatnonzero((angle[1:-1] - angle[:-2]) * (angle[2:] - angle[1:-1]) < 0) + 1
    size = np.abs(np.concatenate([angle[:1], angle[turns]]))
    return size[size > STATIC / 30.0]


def test_the_droid_has_the_friction_of_its_specification():
    """Levels of Grandia et al. 2024; all motors slide after the same deflection."""
    model = GREK.load_spec().compile()
    levels = [0.15, 0.45, 0.45, 0.45, 0.15] * 2 + [0.05] * 4
    for i, level in enumerate(levels):
        bristle, static = level / SLIDES, STATIC / COULOMB * level
        expected = [bristle, 0.0023 * bristle, level, static, 0.01]
        assert motor(model, i) == pytest.approx(expected)
    assert not model.dof_frictionloss.any()


@pytest.mark.parametrize("timestep", TIMESTEPS)
def test_a_pendulum_stops_as_with_coulomb_friction(timestep):
    """A half swing from a to b loses T (cos b - cos a) = Coulomb * (a + b).

    For small angles the amplitude falls by 2 Coulomb / T = 30 mrad. The bristles spring back first:
    that saves up to 2 Coulomb * SLIDES a half swing. Stribeck adds 18 % below 0.02 rad/s, which a
    pendulum that turns at 0.6 rad/s^2 or more (20 mrad) leaves within 0.33 mrad, on either side.
    """
    size = amplitudes(swing(timestep, 0.4, 8.0))
    lost = 30.0 * (np.cos(size[1:]) - np.cos(size[:-1]))
    path = size[:-1] + size[1:]
    error = 0.02 * COULOMB * path + 30.0 * size[:-1] * 1e-4  # turning points lie between steps
    assert len(size) in (13, 14)  # (400 - 17) / 30, and up to 10 / path more
    assert np.all(lost > COULOMB * (path - 2 * SLIDES) - error)
    assert np.all(lost < COULOMB * (path + 0.18 * 6.7e-4) + error)


def test_a_pendulum_comes_to_rest_where_friction_holds_it():
    angle = swing(0.005, 0.4, 10.0, KD)
    assert abs(angle[-1]) < np.arcsin(STATIC / 30.0)
    assert np.ptp(angle[-200:]) < 1e-5


def test_timesteps_agree():
    """To 2 mrad over 12 half swings of 30 mrad loss each."""
    fine, middle, coarse = (amplitudes(swing(h, 0.4, 8.0)) for h in TIMESTEPS)
    assert middle == pytest.approx(fine, abs=1e-3)
    assert coarse == pytest.approx(fine, abs=2e-3)


def loaded(timestep: float, load: float) -> np.ndarray:
    """Angle over 12 s of a level arm whose weight, coming on in 1 s, pulls with `load`."""
    model = pendulum(timestep, load, 0.05, KD)
    data = mujoco.MjData(model)
    data.qpos[0] = np.pi / 2
    angle = np.empty(round(12 / timestep))
    for step in range(len(angle)):
        model.opt.gravity[2] = -9.81 * min(step * timestep, 1.0)
        mujoco.mj_step(model, data)
        angle[step] = np.pi / 2 - data.qpos[0]
    return angle


@pytest.mark.parametrize("timestep", TIMESTEPS)
@pytest.mark.parametrize("load", [0.5 * COULOMB, 0.95 * COULOMB, 1.05 * COULOMB])
def test_a_loaded_joint_is_held_by_friction_alone(timestep, load):
    """Below the static level, 18 % above Coulomb's, it yields while the load comes on, then stays.

    9 s move it less than 0.01 mrad; a regularised constraint (frictionloss) creeps all the time.
    """
    angle = loaded(timestep, load)
    assert abs(angle[-1] - angle[round(3 / timestep)]) < 1e-5
    assert load / STIFFNESS < angle[-1] < 0.03


@pytest.mark.parametrize("timestep", TIMESTEPS)
def test_a_joint_loaded_beyond_the_static_level_slides(timestep):
    """At (load - Coulomb) / KD = 66 mrad/s, less as the arm sinks."""
    angle = loaded(timestep, 1.1 * STATIC)
    assert 0.4 < angle[-1] < 0.066 * 11.0 + 0.03


@pytest.mark.parametrize("timestep", TIMESTEPS)
def test_friction_never_makes_energy(timestep):
    """A free joint thrashed by random torques: friction returns no more than bristles can store.

    Its force is one step late: a joint that turns round within a step, to `fastest`, is pushed on
    for that step.
    """
    inertia, most = 0.03, 6.0
    model = pendulum(timestep, 0.0, inertia, KD)
    data = mujoco.MjData(model)
    rng = np.random.default_rng(0)
    given = [0.0]  # by friction to the joint [J]
    for step in range(round(20 / timestep)):
        if step % round(0.02 / timestep) == 0:
            data.qfrc_applied[0] = rng.choice([-most, -0.5, 0.0, 0.4, most]) * rng.random()
        before = data.qpos[0]
        mujoco.mj_step(model, data)
        given.append(given[-1] + data.actuator_force[0] * (data.qpos[0] - before))
    energy = np.array(given)
    gained = (energy - np.minimum.accumulate(energy)).max()
    assert energy[-1] < -1.0
    fastest = (most + STATIC) / inertia * timestep
    assert gained < 0.5 * STATIC**2 / STIFFNESS + STATIC * fastest * timestep


@pytest.mark.parametrize("timestep", TIMESTEPS)
def test_a_spinning_joint_stops_when_friction_says(timestep):
    """Energy falls at every step; from 4 rad/s to rest in inertia * 4 / Coulomb."""
    model = pendulum(timestep, 0.0, INERTIA)
    data = mujoco.MjData(model)
    data.qvel[0] = 4.0
    energy, speed = [], []
    for _ in range(round(2 / timestep)):
        energy.append(0.5 * INERTIA * data.qvel[0] ** 2 + 0.5 * STIFFNESS * data.act[0] ** 2)
        speed.append(data.qvel[0])
        mujoco.mj_step(model, data)
    assert np.diff(energy).max() < 1e-4 * energy[0]
    stopped = np.flatnonzero(np.array(speed) < 0.02)[0] * timestep
    assert stopped == pytest.approx(INERTIA * 4 / COULOMB, abs=0.02)


FACTORS = [0.0, 0.5, 1.0, 1.5]


def test_friction_differs_between_worlds():
    """Unpowered hips turning at 3 rad/s in free fall: all that acts is Coulomb times the factor."""
    worlds = np.arange(len(FACTORS))
    engine = MujocoEngine(GREK, len(worlds), 1)
    motors = [Motors(friction=factor, stiffness=0.0, damping=0.0) for factor in FACTORS]
    engine.set_scenarios(worlds, [Scenario(motors=values) for values in motors])
    engine.reset(worlds)
    upright = np.tile([1.0, 0.0, 0.0, 0.0], (len(worlds), 1))
    engine.place(worlds, np.tile([0.0, 0.0, 20.0], (len(worlds), 1)), upright, np.array(GREK.home))
    velocity = engine.batch.bind("qvel")
    velocity[:, engine.layout.dof[[YAW, PITCH]]] = 3.0
    engine.forward(worlds)
    engine.step(None, 8)
    force = engine.batch.bind("actuator_force")
    expected = -np.outer(FACTORS, [0.15, 0.45])
    assert force[:, [YAW, PITCH]] == pytest.approx(expected, rel=1e-3, abs=1e-6)
    assert engine.torque[:, [YAW, PITCH]] == pytest.approx(0 * expected, abs=1e-3)
    bent = engine.batch.bind("act")[1:, [YAW, PITCH]]
    assert bent == pytest.approx(np.full(bent.shape, SLIDES), rel=1e-3)


def moves(steps: int, worlds: int) -> np.ndarray:
    """Lively targets (steps, worlds, 14) [rad]."""
    time = np.arange(steps)[:, None, None] * CONTROL_STEP
    phase = np.random.default_rng(3).uniform(0, 6, (1, worlds, 14))
    return TARGETS + 0.15 * np.sin(8 * time + phase)


def worlds(threads: int = 1) -> Simulation:
    scenarios = [Scenario(motors=Motors(friction=factor)) for factor in FACTORS]
    simulation = Simulation(len(FACTORS), threads)
    simulation.reset(range(len(FACTORS)), scenarios)
    return simulation


def run(simulation: Simulation, targets: np.ndarray) -> np.ndarray:
    """Full state of MuJoCo after `targets`."""
    for target in targets:
        simulation.step(target)
    return simulation.engine.snapshot()["state"]


def test_same_bits_at_any_thread_count():
    targets = moves(30, len(FACTORS))
    assert np.array_equal(run(worlds(1), targets), run(worlds(2), targets))


def test_a_restored_snapshot_goes_on_with_the_same_bits():
    targets = moves(40, len(FACTORS))
    first = worlds()
    run(first, targets[:20])
    saved = first.snapshot()
    assert np.abs(first.engine.batch.bind("act")[1:]).max() > 0.5 * SLIDES
    second = worlds()
    second.restore(saved)
    assert np.array_equal(run(first, targets[20:]), run(second, targets[20:]))


def test_reset_and_place_relax_the_friction():
    targets = moves(10, len(FACTORS))
    simulation = worlds()
    once = run(simulation, targets)
    act = simulation.engine.batch.bind("act")
    assert act[1:].any()
    ids = np.arange(len(FACTORS))
    simulation.engine.place(
        ids[:2], np.zeros((2, 3)), np.tile([1.0, 0, 0, 0], (2, 1)), np.array(GREK.home)
    )
    assert not act[:2].any()
    assert act[2:].any()
    simulation.reset(ids, simulation.scenarios)
    assert not act.any()
    assert not simulation.state().torque.any()
    assert np.array_equal(run(simulation, targets), once)


def test_the_droid_stands_as_high_as_before():
    """For 10 s; 0.2952 m is the height with friction as a constraint of the joints.

    At rest the torque of a motor is kp * error, whatever its friction carries.
    """
    simulation = Simulation(1)
    simulation.reset([0], [Scenario()])
    for _ in range(500):
        state = simulation.step(TARGETS[None])
        assert state.height[0] == pytest.approx(0.2952, abs=0.001)
    stiffness = np.array([40, 60, 60, 60, 40] * 2 + [15] * 4)
    torque = stiffness * (TARGETS - state.joint_position[0])
    assert state.torque[0] == pytest.approx(torque, abs=0.005)


def test_a_motor_without_friction_still_drives():
    """As one with a millionth of it: the droid stands for 1 s."""
    heights = []
    for friction in (0.0, 1e-6):
        of = Simulation(1)
        of.reset([0], [Scenario(motors=Motors(friction=friction))])
        for _ in range(50):
            of.step(np.array([GREK.home]))
        heights.append(of.state().height[0])
    assert heights[0] == heights[1] == pytest.approx(GREK.stand_height, abs=0.02)
