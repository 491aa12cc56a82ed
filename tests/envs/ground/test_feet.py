"""Feet that differ from each other: size and place of the sole, number of sole points."""

import dataclasses

import mujoco
import numpy as np
import pytest

from grek.envs.ground.materials import index, material
from grek.envs.ground.sinking import Sinking
from grek.envs.ground.soles import ELEMENTS, sole_elements
from grek.envs.ground.surface import Ground, Surface
from grek.envs.robots import GREK, Foot, Robot
from grek.envs.scenarios.scenario import Scenario
from grek.envs.simulation.simulation import CONTACT, Simulation
from grek.envs.tasks import TaskBatch, walking

SAND = material("sand").nominal()
BEARING, EXPONENT = SAND[index("bearing")], SAND[index("exponent")]
ON_SAND = Surface(("sand",), (tuple(SAND.tolist()),))
LEFT, RIGHT = GREK.feet
TWO_IN_STRIPS = Surface(
    ("dry_concrete", "wood"),
    tuple(tuple(material(name).nominal().tolist()) for name in ("dry_concrete", "wood")),
    "strips",
    length=0.06,
    heading=0.4,
)
G = 9.81  # [m/s^2]


def sinkage(load: float, foot: Foot) -> float:
    """(load / (A k))^(1/n) [m]: what carries `load` [N] on a level sole, set down gently."""
    area = foot.sole_size[0] * foot.sole_size[1]
    return 0.01 * (load / area / BEARING) ** (1 / EXPONENT)


class LevelFeet:
    """Feet that stay level and move up and down alone, each under a mass of its own."""

    def __init__(self, robot: Robot, masses: list[float], dt: float = 0.005) -> None:
        count = len(robot.feet)
        self.time = np.zeros(1)
        self.mass, self.dt = np.array([masses]), dt
        self.origin = np.zeros((1, count, 3))
        self.origin[0, :, 0] = np.arange(count)  # a metre from foot to foot
        self.origin[0, :, 2] = [-foot.sole_centre[2] for foot in robot.feet]
        self.velocity = np.zeros((1, count, 3))
        self.force = self.moment = np.zeros((1, count, 3))
        self.ground = Ground(1)
        self.ground.set(np.array([0]), [()], [ON_SAND])
        self.sinking = Sinking(robot, self.ground, self)
        self.sinking.set(np.array([0]), [ON_SAND], [dt])

    def foot_pose(self, worlds: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return self.origin[worlds], np.tile(np.eye(3), (1, self.origin.shape[1], 1, 1))

    def foot_twist(self, worlds: np.ndarray, origin: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return 0 * self.velocity[worlds], self.velocity[worlds]

    def push_feet(
        self, worlds: np.ndarray, origin: np.ndarray, force: np.ndarray, moment: np.ndarray
    ) -> None:
        self.force, self.moment = force, moment

    def run(self, seconds: float, weight: float = 1.0, hand: float = 0.0) -> None:
        """Let a share `weight` of the masses rest on the feet, slowed by a `hand` [1/s]."""
        for _ in range(round(seconds / 0.02)):
            self.sinking.look(np.array([0]))
            for _ in range(round(0.02 / self.dt)):
                self.sinking.push(np.array([0]))
                up = self.force[..., 2] - weight * self.mass * G
                self.velocity[..., 2] += self.dt * up / self.mass
                self.velocity[..., 2] *= 1 - hand * self.dt
                self.origin += self.dt * self.velocity
                self.time += self.dt


def test_elements_lie_in_a_grid_over_the_sole():
    foot = dataclasses.replace(LEFT, sole_size=(0.08, 0.06), sole_centre=(0.01, -0.005, -0.07))
    along, across = sole_elements(foot)
    assert along == pytest.approx([-0.02, 0.0, 0.02, 0.04])
    assert across == pytest.approx([-0.025, -0.005, 0.015])


def test_the_smaller_sole_sinks_deeper_as_the_closed_form_says():
    """Three soles under 12, 12 and 24 kg: 9.2, 26.8 and 18.4 kPa."""
    small = dataclasses.replace(RIGHT, sole_size=(0.11, 0.04), sole_centre=(0.0, 0.0, -0.05))
    other = dataclasses.replace(LEFT, sole_size=(0.08, 0.16))
    robot = dataclasses.replace(GREK, feet=(LEFT, small, other), mirror=None, legs=None)
    feet = LevelFeet(robot, [12.0, 12.0, 24.0])
    for share in np.minimum(np.linspace(0, 1.5, 45), 1):
        feet.run(0.02, share, hand=20.0)
    feet.run(0.5)
    sunk = -feet.origin[0, :, 2] - [foot.sole_centre[2] for foot in robot.feet]
    loads = G * feet.mass[0]
    expected = [sinkage(load, foot) for load, foot in zip(loads, robot.feet, strict=True)]
    assert expected == pytest.approx([0.00951, 0.02510, 0.01786], abs=1e-5)
    assert sunk == pytest.approx(expected, rel=0.03)
    assert feet.sinking.load[0] == pytest.approx(loads, rel=0.01)


def test_the_wrench_acts_at_the_centre_of_each_sole():
    """A level sole pressed by F about (x, y) turns its foot by (y F, -x F, 0)."""
    aside = dataclasses.replace(RIGHT, sole_size=(0.1, 0.05), sole_centre=(-0.03, 0.01, -0.04))
    robot = dataclasses.replace(GREK, feet=(LEFT, aside))
    feet = LevelFeet(robot, [1.0, 1.0])
    feet.origin[..., 2] -= 0.01
    feet.sinking.look(np.array([0]))
    feet.sinking.push(np.array([0]))
    force = [BEARING * 0.16 * 0.08, BEARING * 0.1 * 0.05]  # at 10 mm the pressure is `bearing`
    assert feet.force[0, :, 2] == pytest.approx(force, rel=1e-3)
    moments = np.array([[0.0, -0.0225 * force[0], 0.0], [0.01 * force[1], 0.03 * force[1], 0.0]])
    assert feet.moment[0] == pytest.approx(moments, rel=1e-3, abs=1e-6)


def test_a_droid_on_soles_of_two_sizes_stands_in_prints_of_two_depths():
    """Set down at once: up to (n + 1)^(1 / n) as deep as its own load says; it leans by that."""
    small = dataclasses.replace(LEFT, sole_size=(0.16, 0.05))
    robot = dataclasses.replace(GREK, feet=(small, RIGHT))
    simulation = Simulation(1, robot=robot)
    simulation.reset([0], [Scenario(surface=ON_SAND)])
    targets = np.array(robot.home) + np.array(robot.static_offset)
    for _ in range(100):
        state = simulation.step(targets[None])
    assert state.contact.all() and state.rotation[0, 2, 2] > 0.985
    loads = simulation.sinking.load[0]
    assert loads.sum() == pytest.approx(15.4 * G, rel=0.03)
    deepest = (EXPONENT + 1) ** (1 / EXPONENT)
    pressed = simulation.sinking.soles.state["pressed"][0].reshape(2, ELEMENTS).mean(1)
    for depth, load, foot in zip(pressed, loads, robot.feet, strict=True):
        gentle = sinkage(load, foot)
        assert gentle < depth < 1.05 * deepest * gentle
    assert pressed[0] > 1.1 * pressed[1]  # from one depth; equal loads alone would make it 1.53
    assert state.foot_w[0, 0, 2] < state.foot_w[0, 1, 2] - 0.002


# -- sole points ---------------------------------------------------------------------------


def with_points(left: tuple[int, ...], right: tuple[int, ...], *more: tuple[int, ...]) -> Robot:
    """The droid with some of its sole points; `more` are feet that share the left one's body."""
    feet = (
        dataclasses.replace(foot, sole_points=tuple(foot.sole_points[i] for i in some))
        for foot, some in ((LEFT, left), *((LEFT, some) for some in more), (RIGHT, right))
    )
    return dataclasses.replace(GREK, feet=tuple(feet), mirror=None, legs=None)


@pytest.mark.parametrize(
    "points",
    [
        *(((0, 1, 2, 3), (0, 3)), ((2,), (0, 1, 2, 3)), ((0, 1, 2), (3, 2))),
        *(((0, 1, 2), (0, 1, 2, 3), (3,)), ((0,), (1, 3), (1, 2, 3))),
    ],
)
def test_clearance_and_contact_of_each_foot_are_of_its_own_points(points):
    """On the level, at any pose: the lowest point, less the radius; contact below 4 mm."""
    robot = with_points(*points)
    simulation = Simulation(1, robot=robot)
    simulation.reset([0], [Scenario()])
    model, batch = simulation.engine.model, simulation.engine.batch
    qpos = batch.bind("qpos")
    home, seen = qpos[0].copy(), set()
    for lift, roll, pitch in (
        (0, 0, 0),
        (0.02, 0, 0),
        (0.0, 0.2, 0),
        (0, -0.2, 0.1),
        (0.01, 0, 0.3),
    ):
        mujoco.mju_euler2Quat(qpos[0, 3:7], [roll, pitch, 0.0], "xyz")
        qpos[0, 2] = home[2] + lift
        simulation.engine.forward()
        state = simulation.state()
        places = batch.bind("geom_xpos")[0]
        for i, foot in enumerate(robot.feet):
            spheres = np.array([places[model.geom(name).id] for name in foot.sole_points])
            lowest = spheres[:, 2].min() - 0.018
            assert state.clearance[0, i] == pytest.approx(lowest, abs=1e-9)
            assert state.contact[0, i] == (lowest < CONTACT)
            middle = spheres.mean(0) - [0, 0, 0.018]
            assert state.foot_w[0, i] == pytest.approx(middle, abs=1e-9)
            seen.add((i, bool(state.contact[0, i])))
    assert len(seen) == 2 * len(points)  # each foot was on the ground and off it


def test_feet_may_come_in_any_order():
    """Right before left: the same droid, its feet told apart by their own numbers."""
    states = []
    for feet in ((LEFT, RIGHT), (RIGHT, LEFT)):
        robot = dataclasses.replace(GREK, feet=feet, mirror=None, legs=None)
        simulation = Simulation(1, robot=robot)
        simulation.reset([0], [Scenario(surface=TWO_IN_STRIPS)])
        targets = (np.array(robot.home) + np.array(robot.static_offset))[None]
        for _ in range(10):
            state = simulation.step(targets)
        states.append((state, simulation.planes.friction.reshape(2, 4).copy()))
    (one, friction), (two, turned) = states
    assert np.array_equal(two.foot_w, one.foot_w[:, ::-1])
    assert two.position_w == pytest.approx(one.position_w, abs=1e-9)
    assert np.array_equal(turned, friction[::-1]) and len(set(friction.ravel())) == 2


def test_the_body_may_touch_with_any_part():
    """Thighs and head, the head first: bodies before and behind the feet in the model."""
    robot = dataclasses.replace(GREK, body_geoms=("head", "torso"), seat=None)
    simulation = Simulation(1, robot=robot)
    simulation.reset([0], [Scenario()])
    assert simulation.state().clearance.min() == pytest.approx(0.0005, abs=4e-4)


def test_friction_under_a_foot_is_the_mean_of_its_points():
    """All in one material: its friction, however many points there are."""
    task = walking(with_points((0, 1, 2, 3), (0,)))
    ice = list(material("ice").nominal())
    ice[index("wet_area")] = 0.0
    batch = TaskBatch(task, 1)
    batch.reset([0], [Scenario(surface=Surface(("ice",), (tuple(ice),)))])
    privileged = batch.observe(True)[0, task.size() :]
    start = sum(
        f.size for f in task.privileged[: [f.name for f in task.privileged].index("friction")]
    )
    assert privileged[start : start + 2] == pytest.approx([0.10, 0.10])


def test_only_own_points_carry():
    """Rear points alone on the left: nothing keeps the toes of that foot above the ground."""
    robot = with_points((0, 1), (0, 1, 2, 3))
    simulation = Simulation(1, robot=robot)
    simulation.reset([0], [Scenario()])
    assert simulation.layout.first_point.tolist() == [0, 2]
    targets = (np.array(robot.home) + np.array(robot.static_offset))[None]
    for _ in range(25):
        state = simulation.step(targets)
    toes = [simulation.engine.model.geom(f"left_sole_{i}").id for i in (2, 3)]
    height = simulation.engine.batch.bind("geom_xpos")[0, toes, 2] - 0.018
    assert (height < -0.002).all()  # nothing held them up
    assert state.clearance[0, 0] > -0.002
