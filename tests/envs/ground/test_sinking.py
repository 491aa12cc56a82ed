"""The droid on ground that gives: weight, sinkage, prints, mixed ground."""

import dataclasses

import numpy as np
import pytest

from grek.envs.ground.materials import MATERIALS, index
from grek.envs.ground.surface import Surface
from grek.envs.robots import GREK
from grek.envs.scenarios.scenario import Command, Numerics, Scenario
from grek.envs.scenarios.spaces import parse
from grek.envs.simulation.simulation import Simulation
from grek.envs.simulation.state import State
from grek.envs.tasks import TaskBatch, walking

SOFT = [name for name, material in MATERIALS.items() if material.soft]
WEIGHT = 15.4 * 9.81  # [N]
TARGETS = np.array(GREK.home) + np.array(GREK.static_offset)


def ground(*names: str, **layout: object) -> Surface:
    rows = tuple(tuple(MATERIALS[name].nominal().tolist()) for name in names)
    return Surface(names, rows, **layout)  # type: ignore[arg-type]


def coordinates(simulation: Simulation) -> tuple[np.ndarray, np.ndarray]:
    """Positions and velocities of MuJoCo, live."""
    return simulation.engine.batch.bind("qpos"), simulation.engine.batch.bind("qvel")


def stand(scenarios: list[Scenario], seconds: float = 2.0) -> tuple[Simulation, State]:
    simulation = Simulation(len(scenarios))
    simulation.reset(range(len(scenarios)), scenarios)
    for _ in range(round(seconds / 0.02)):
        state = simulation.step(np.tile(TARGETS, (len(scenarios), 1)))
    return simulation, state


def test_the_ground_carries_the_weight_on_every_material():
    simulation, state = stand([Scenario(surface=ground(name)) for name in SOFT])
    loads = []
    simulation.sinking.look(np.arange(len(SOFT)))
    for _ in range(4):  # on stiff gravel the load of two physics steps alternates by 14 %
        simulation.engine.step(None, 1)
        loads.append(simulation.sinking.load.sum(1))
    assert np.mean(loads, 0) == pytest.approx(WEIGHT, rel=0.01)
    assert np.ptp(loads, 0).max() < 0.2 * WEIGHT
    assert state.contact.all() and not state.broken.any()


def test_a_robot_stands_on_soft_ground_from_the_start():
    """Set down, it carries its weight in the first physics step and touches the ground."""
    names = [f"train/{name}:{i}" for name in ("sand", "gravel", "carpet") for i in range(8)]
    worlds = [parse(name) for name in names]
    worlds = [w for w in worlds if set(w.surface.materials) <= set(SOFT)]
    worlds += [Scenario(surface=ground(name)) for name in SOFT]
    simulation = Simulation(len(worlds))
    simulation.reset(range(len(worlds)), worlds)
    weight = simulation.engine.mass * 9.81
    assert simulation.sinking.load.sum(1) == pytest.approx(weight, rel=0.02)
    assert simulation.state().contact.any(1).all()
    simulation.sinking.look(np.arange(len(worlds)))
    simulation.engine.step(None, 1)
    level = slice(len(worlds) - len(SOFT), None)
    assert simulation.sinking.load.sum(1)[level] == pytest.approx(weight[level], rel=0.1)


def test_sinkage_on_sand_is_between_a_gentle_and_a_sudden_load():
    """Set down at once, a weight sinks up to (n + 1)^(1 / n) as deep as p = bearing (z / 10 mm)^n
    says for 5.9 kPa under two soles, 6.35 mm; what is pressed stays pressed."""
    simulation, _ = stand([Scenario(surface=ground("sand"))])
    values = MATERIALS["sand"].nominal()
    pressure, n = WEIGHT / (2 * 0.16 * 0.08), values[index("exponent")]
    gentle = 0.01 * (pressure / values[index("bearing")]) ** (1 / n)
    assert gentle == pytest.approx(6.35e-3, rel=0.01)
    sunk = simulation.sinking.soles.state["pressed"][0].mean()
    assert gentle < sunk < 1.05 * (n + 1) ** (1 / n) * gentle


def test_a_step_of_the_physics_leaves_the_pose_alone():
    numerics = [Numerics(timestep=t) for t in (0.001, 0.002, 0.004, 0.005)]
    scenarios = [Scenario(surface=ground("sand"), numerics=n) for n in numerics]
    _, state = stand(scenarios, 1.0)
    assert state.height == pytest.approx(state.height[0], abs=1.5e-3)


def test_prints_stay_and_the_second_step_sinks_less():
    simulation, _ = stand([Scenario(surface=ground("sand"))])
    first = simulation.sinking.soles.state["pressed"][0].copy()
    xy, depth = simulation.sinking.prints.cells(0)
    assert len(xy) > 30
    assert depth.max() == pytest.approx(first.max(), rel=0.01)
    qpos, qvel = coordinates(simulation)
    standing = qpos[0].copy()
    qpos[0, 2] += 0.02  # lifted out of its prints ...
    simulation.step(TARGETS[None])
    qpos[0], qvel[0] = standing, 0  # ... and set down in them again
    qpos[0, 2] += 0.001
    for _ in range(50):
        simulation.step(TARGETS[None])
    again = simulation.sinking.soles.state["pressed"][0]
    assert again.mean() - first.mean() < 0.2 * first.mean()


def hover(simulation: Simulation, seconds: float) -> None:
    """Hold the droid 30 mm up, out of its prints."""
    qpos, qvel = coordinates(simulation)
    held = qpos.copy()
    held[:, 2] += 0.03
    for _ in range(round(seconds / 0.02)):
        qpos[:], qvel[:] = held, 0
        simulation.step(np.tile(TARGETS, (simulation.worlds, 1)))
    qpos[:], qvel[:] = held - 0.03 * (np.arange(held.shape[1]) == 2), 0


@pytest.mark.parametrize("name", ["carpet", "grass"])
@pytest.mark.parametrize("share", [0.3, 1.0, 3.0])
def test_a_pile_rises_again_in_its_recovery_time(name, share):
    """exp(-t / recovery time) of its print is left when the foot comes down again."""
    simulation, _ = stand([Scenario(surface=ground(name))])
    first = simulation.sinking.soles.state["pressed"][0].copy()
    hover(simulation, share * MATERIALS[name].nominal()[index("recovery_time")])
    xy, depth = simulation.sinking.prints.cells(0)
    slot = np.zeros((1, len(xy)), int)
    left = simulation.sinking.print_depth(np.array([0]), xy[None], slot)[0]
    assert left == pytest.approx(np.exp(-share) * depth, rel=0.04)  # it lifts off in 20 ms
    met = simulation.sinking.soles.state["pressed"][0]  # by the elements of the soles
    assert np.median(met) == pytest.approx(np.exp(-share) * np.median(first), rel=0.08)


def test_a_second_step_soon_meets_a_flattened_pile():
    """Half a millimetre into a carpet: it bears when it had time to rise, and not in its print.

    Pressed to 2.3 mm at least, after 0.2 s of 0.6 s it is still pressed to 1.6 mm, and bears from
    `loss` of that on, 0.7 mm. Risen it bears at most k z / (1 - z / lock)^2 on both soles.
    """
    values, bears = MATERIALS["carpet"].nominal(), []
    for seconds in (0.2, 6.0):
        simulation, _ = stand([Scenario(surface=ground("carpet"))])
        assert simulation.sinking.soles.state["pressed"][0].min() > 2.3e-3
        hover(simulation, seconds)
        qpos, qvel = coordinates(simulation)
        simulation.engine.forward()
        qpos[0, 2] -= simulation.state().clearance.mean() + 0.5e-3
        qvel[:] = 0
        simulation.engine.forward()
        simulation.sinking.look(np.array([0]))
        simulation.sinking.push(np.array([0]))
        bears.append(simulation.sinking.load[0].sum())
    risen = values[index("bearing")] * 0.05 / (1 - 0.5 / 6.4) ** 2 * 2 * 0.16 * 0.08
    assert bears[0] == 0
    assert 0.4 * risen < bears[1] < risen  # the soles are not quite level


def test_the_same_life_on_a_pile_alone_and_from_a_snapshot():
    """Treading on the spot, prints half risen under the feet: to the bit."""
    scenarios = [Scenario(surface=ground(name)) for name in ("carpet", "sand", "grass", "carpet")]
    moves = np.tile(TARGETS, (60, 4, 1))
    swing = 0.25 * np.sin(np.arange(60) * 0.3)[:, None]
    moves[:, :, 3] -= np.maximum(swing, 0)  # the knees, in turn
    moves[:, :, 8] -= np.maximum(-swing, 0)

    def live(worlds: list[int], threads: int = 1, pause: bool = False) -> np.ndarray:
        simulation = Simulation(len(worlds), threads)
        simulation.reset(range(len(worlds)), [scenarios[world] for world in worlds])
        for step, move in enumerate(moves[:, worlds]):
            if pause and step == 37:
                saved = simulation.snapshot()
                simulation = Simulation(len(worlds), threads)
                simulation.reset(range(len(worlds)), [scenarios[world] for world in worlds])
                simulation.restore(saved)
            simulation.step(move)
        return np.concatenate(
            [
                coordinates(simulation)[0],
                simulation.sinking.soles.state["pressed"].reshape(len(worlds), -1),
            ],
            1,
        )

    together = live([0, 1, 2, 3])
    assert (together[0] == together[3]).all()
    assert (together == live([0, 1, 2, 3], threads=2)).all()
    assert (together == live([0, 1, 2, 3], pause=True)).all()
    for world in range(3):
        assert (together[world] == live([world])[0]).all()


def test_a_new_episode_is_on_smooth_ground():
    """Pressed by its own feet only, as in a world that nobody walked in."""
    scenario = Scenario(surface=ground("snow"))
    simulation, _ = stand([scenario], 0.5)
    simulation.reset([0], [scenario])
    fresh = Simulation(1)
    fresh.reset([0], [scenario])
    for sinking in (simulation.sinking, fresh.sinking):
        assert len(sinking.prints.cells(0)[0]) == 0
    pressed = simulation.sinking.soles.state["pressed"]
    assert np.array_equal(pressed, fresh.sinking.soles.state["pressed"])
    assert np.ptp(pressed) < 1e-9 and pressed.min() > 0.02  # level soles on level snow


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
    assert state.clearance[0].min() < -0.008 < -0.003 < state.clearance[0].max()


def test_a_failing_world_is_named():
    walk = TaskBatch(walking(), 2)
    scenarios = [
        Scenario(name=name, surface=ground("sand"), commands=(Command(0.0, (0.2, 0.0), 0.0),))
        for name in ("train/sand:7", "train/sand:8")
    ]
    walk.reset([0, 1], scenarios)
    coordinates(walk.simulation)[1][1] = np.nan
    outcome = walk.step(np.zeros((2, 10)))
    assert outcome.terminated.tolist() == [False, True]
    assert walk.broken == ["train/sand:8"]
    assert np.isfinite(outcome.reward).all() and np.isfinite(walk.observe(True)).all()
