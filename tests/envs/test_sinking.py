"""The droid on ground that gives: weight, sinkage, prints, mixed ground."""

import dataclasses

import numpy as np
import pytest

from grek.envs import sinking
from grek.envs.materials import MATERIALS, index
from grek.envs.robot import HOME, LEGS, SAG
from grek.envs.scenario import Command, Numerics, Scenario, Surface
from grek.envs.simulation import Simulation, State
from grek.envs.walk import Walk

SOFT = [name for name, material in MATERIALS.items() if material.soft]
WEIGHT = 15.4 * 9.81  # [N]
TARGETS = HOME + SAG


def ground(*names: str, **layout: object) -> Surface:
    rows = tuple(tuple(MATERIALS[name].nominal().tolist()) for name in names)
    return Surface(names, rows, **layout)  # type: ignore[arg-type]


def stand(scenarios: list[Scenario], seconds: float = 2.0) -> tuple[Simulation, State]:
    simulation = Simulation(len(scenarios))
    simulation.reset(range(len(scenarios)), scenarios)
    for _ in range(round(seconds / 0.02)):
        state = simulation.step(np.tile(TARGETS, (len(scenarios), 1)))
    return simulation, state


def test_the_ground_carries_the_weight_on_every_material():
    simulation, state = stand([Scenario(surface=ground(name)) for name in SOFT])
    assert simulation.sinking.load.sum(1) == pytest.approx(WEIGHT, rel=0.03)
    assert state.contact.all() and not state.broken.any()


def test_sinkage_on_sand_is_between_a_gentle_and_a_sudden_load():
    """Set down at once, a weight sinks up to (n + 1)^(1 / n) as deep as p = bearing (z / 10 mm)^n
    says for 5.9 kPa under two soles, 6.35 mm; what is pressed stays pressed."""
    simulation, _ = stand([Scenario(surface=ground("sand"))])
    values = MATERIALS["sand"].nominal()
    pressure, n = WEIGHT / (2 * sinking.LENGTH * sinking.WIDTH), values[index("exponent")]
    gentle = 0.01 * (pressure / values[index("bearing")]) ** (1 / n)
    assert gentle == pytest.approx(6.35e-3, rel=0.01)
    sunk = simulation.sinking._state.pressed[0].mean()
    assert gentle < sunk < 1.05 * (n + 1) ** (1 / n) * gentle


def test_a_step_of_the_physics_leaves_the_pose_alone():
    numerics = [Numerics(timestep=t) for t in (0.001, 0.002, 0.004, 0.005)]
    scenarios = [Scenario(surface=ground("sand"), numerics=n) for n in numerics]
    _, state = stand(scenarios, 1.0)
    assert state.height == pytest.approx(state.height[0], abs=1.5e-3)


def test_prints_stay_and_the_second_step_sinks_less():
    simulation, _ = stand([Scenario(surface=ground("sand"))])
    first = simulation.sinking._state.pressed[0].copy()
    xy, depth = simulation.sinking.prints.cells(0)
    assert len(xy) > 30
    assert depth.max() == pytest.approx(first.max(), rel=0.01)
    standing = simulation.qpos[0].copy()
    simulation.qpos[0, 2] += 0.02  # lifted out of its prints ...
    simulation.step(TARGETS[None])
    simulation.qpos[0], simulation.qvel[0] = standing, 0  # ... and set down in them again
    simulation.qpos[0, 2] += 0.001
    for _ in range(50):
        simulation.step(TARGETS[None])
    again = simulation.sinking._state.pressed[0]
    assert again.mean() - first.mean() < 0.2 * first.mean()


def test_a_new_episode_is_on_smooth_ground():
    simulation, _ = stand([Scenario(surface=ground("snow"))], 0.5)
    simulation.reset([0], [Scenario(surface=ground("snow"))])
    assert len(simulation.sinking.prints.cells(0)[0]) == 0
    assert not simulation.sinking._state.pressed.any()


def test_one_foot_on_sand_and_one_on_concrete():
    """Strips along the droid's path: the border runs between its feet."""
    strips = ground("sand", "dry_concrete", layout="strips", length=0.5, heading=np.pi / 2)
    for seed in range(50):  # a seed whose border lies between the feet
        surface = dataclasses.replace(strips, seed=seed)
        simulation = Simulation(1)
        simulation.reset([0], [Scenario(surface=surface)])
        sides = np.array([[[0.0, 0.11], [0.0, -0.11]]])
        if set(simulation.ground.slot(sides)[0].tolist()) == {0, 1}:
            break
    for _ in range(10):
        state = simulation.step(TARGETS[None])
    load = simulation.sinking.load[0]
    assert state.contact.all()
    assert load.max() > 50 > 10 > load.min()
    assert state.clearance[0].min() < -0.002 < state.clearance[0].max()


def test_a_failing_world_is_named():
    walk = Walk(2)
    scenarios = [
        Scenario(name=name, surface=ground("sand"), commands=(Command(0.0, (0.2, 0.0), 0.0),))
        for name in ("train:7", "train:8")
    ]
    walk.reset([0, 1], scenarios)
    walk.simulation.qvel[1] = np.nan
    outcome = walk.step(np.zeros((2, LEGS)))
    assert outcome.terminated.tolist() == [False, True]
    assert walk.broken == ["train:8"]
    assert np.isfinite(outcome.reward).all() and np.isfinite(walk.observe(True)).all()
