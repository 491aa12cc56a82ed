"""MuJoCo behind the seam, with a robot of another kind: one leg on a position servo."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from grek.envs.robots import Foot, Robot
from grek.envs.robots.robot import torque_limits
from grek.envs.scenarios.scenario import Body, Motors, Scenario
from grek.envs.simulation.simulation import Simulation
from grek.errors import InputError

MODEL = """
<mujoco>
  <option timestep="0.005" integrator="implicitfast" cone="elliptic" impratio="3"/>
  <default><geom contype="0" conaffinity="0"/></default>
  <worldbody>
    <body name="torso" pos="0 0 0.11">
      <freejoint/>
      <geom name="box" type="box" size=".05 .05 .05" mass="2"/>
      <site name="imu"/>
      <body name="foot" pos="0 0 -0.1">
        <joint name="ankle" axis="0 1 0" range="-1 1" armature="0.01"/>
        <geom name="sole" type="sphere" size="0.01" mass="0.5"/>
      </body>
    </body>
  </worldbody>
  <actuator><position joint="ankle" kp="10" kv="1" forcerange="-5 5" NSAMPLE/></actuator>
</mujoco>
"""


@pytest.fixture(params=[0, 4])
def hopper(tmp_path: Path, request: pytest.FixtureRequest) -> Robot:
    """The robot, whose motor remembers no targets, or the last four."""
    path = tmp_path / "hopper.xml"
    path.write_text(MODEL.replace("NSAMPLE", f'nsample="{request.param}"' * (request.param > 0)))
    return Robot(
        name="hopper",
        model=path,
        joints=("ankle",),
        home=(0.0,),
        feet=(Foot("foot", ("sole",), sole_size=(0.1, 0.1), sole_centre=(0.0, 0.0, -0.01)),),
        stand_height=0.11,
        mass=2.5,
        body_geoms=("box",),
    )


MOTORS = (
    Motors(),
    Motors(stiffness=0.5),
    Motors(damping=2.0),
    Motors(strength=0.8),
    Motors(armature=3.0),
)


@pytest.mark.parametrize(
    ("target", "angle", "speed", "torques"),
    [
        (0.1, 0.0, 0.0, [1.0, 0.5, 1.0, 1.0, 1.0]),  # 10 N m/rad
        (0.1, 0.3, 0.0, [-2.0, -1.0, -2.0, -2.0, -2.0]),
        (0.1, 0.0, 0.4, [0.6, 0.1, 0.2, 0.6, 0.6]),  # less 1 N m s/rad
        (0.9, 0.0, 0.0, [5.0, 4.5, 5.0, 4.0, 5.0]),  # 9 N m, cut at 5
        (-0.9, 0.0, 0.0, [-5.0, -4.5, -5.0, -4.0, -5.0]),
    ],
)
def test_factors_of_a_servo(hopper, target, angle, speed, torques):
    simulation = Simulation(len(MOTORS), robot=hopper)
    simulation.reset(range(len(MOTORS)), [Scenario(motors=motors) for motors in MOTORS])
    engine = simulation.engine
    engine.batch.bind("qpos")[:, simulation.layout.qpos[0]] = angle
    engine.batch.bind("qvel")[:, simulation.layout.dof[0]] = speed
    engine.targets[:] = target
    engine.step(None, 1)
    assert engine.torque[:, 0] == pytest.approx(torques)


def test_armature_of_a_servo(hopper):
    simulation = Simulation(2, robot=hopper)
    simulation.reset([0, 1], [Scenario(), Scenario(motors=Motors(armature=3.0))])
    dof = simulation.layout.dof[0]
    models = [simulation.engine.batch.get_model(world) for world in range(2)]
    assert [m.dof_armature[dof] for m in models] == pytest.approx([0.01, 0.03])


def test_limits_of_a_servo(hopper):
    """Its force range at any speed, or none."""
    model = hopper.physics_spec().compile()
    speeds, strength = np.array([[0.0], [30.0]]), np.array([1.0, 0.8])
    low, high = torque_limits(model, speeds, strength)
    assert high[:, 0] == pytest.approx([5.0, 4.0]) and low[:, 0] == pytest.approx([-5.0, -4.0])
    model.actuator_forcelimited[:] = 0
    low, high = torque_limits(model, speeds, strength)
    assert np.isposinf(high).all() and np.isneginf(low).all()


def test_a_motor_whose_model_has_no_memory_can_be_late(hopper):
    simulation = Simulation(1, robot=hopper)
    simulation.reset([0], [Scenario(motors=Motors(delay=0.015))])
    engine, torques = simulation.engine, []
    engine.targets[:] = 0.1
    for _ in range(5):
        engine.step(None, 1)
        torques.append(float(engine.torque[0, 0]))
    assert torques[:3] == pytest.approx([0.0, 0.0, 0.0], abs=1e-3)
    assert torques[3] == pytest.approx(1.0, abs=1e-3)


def test_bodies_of_a_robot_without_a_head(hopper):
    """2.5 kg times 1.2 and 0.3 kg on top; the base is pushed aside by its shifted mass."""
    bodies = (Body(), Body(mass_scale=1.2, payload=0.3, base_com=(0.01, 0.0, 0.0), head_scale=9.0))
    simulation = Simulation(2, robot=hopper)
    simulation.reset([0, 1], [Scenario(body=body) for body in bodies])
    assert simulation.engine.mass == pytest.approx([2.5, 3.3])
    model = simulation.engine.batch.get_model(1)
    assert model.body("torso").ipos == pytest.approx([0.01, 0.0, 0.0])
    assert model.body("torso").inertia == pytest.approx([1.2 * 2 / 12 * 0.02] * 3)
    assert model.body("foot").mass == pytest.approx(0.6)


def test_it_stands_on_its_sole_point(hopper):
    simulation = Simulation(1, robot=hopper)
    simulation.reset([0], [Scenario()])
    state = simulation.state()
    assert state.height[0] == pytest.approx(hopper.stand_height, abs=1e-3)
    assert state.clearance.shape == state.contact.shape == (1, 1)
    assert state.contact.all()
    for _ in range(3):  # it balances on a point: not for long
        state = simulation.step(np.zeros((1, 1)))
    assert state.contact.all() and state.height[0] == pytest.approx(0.11, abs=2e-3)


@pytest.mark.parametrize("part", ["heel", "box"])
def test_geoms_that_the_model_lacks_are_missed(hopper, part):
    foot = dataclasses.replace(hopper.feet[0], sole_points=("heel",))
    changes = {"feet": (foot,)} if part == "heel" else {"body_geoms": ("chest",)}
    with pytest.raises(InputError, match=r"robot hopper: its model has no part '(heel|chest)'"):
        Simulation(1, robot=dataclasses.replace(hopper, **changes))
