"""The batch of worlds: reproducible to the bit, and no world touches another."""

import dataclasses
import gc
import os
import signal
import weakref

import mujoco
import numpy as np
import pytest

from grek.envs.ground.shapes import part
from grek.envs.robots import GREK
from grek.envs.scenarios.scenario import Motors, Numerics, Scenario, Sensors
from grek.envs.scenarios.spaces import parse, space
from grek.envs.simulation.simulation import CONTROL_STEP, Simulation
from grek.errors import InputError

WORLDS = 6
TARGETS = np.array(GREK.home) + np.array(GREK.static_offset)


def scenarios(name: str = "train", count: int = WORLDS) -> list[Scenario]:
    return [space(name).numbered(i) for i in range(count)]


def coordinates(simulation: Simulation) -> tuple[np.ndarray, np.ndarray]:
    """Positions and velocities of MuJoCo, live."""
    return simulation.engine.batch.bind("qpos"), simulation.engine.batch.bind("qvel")


def targets(steps: int, worlds: int = WORLDS) -> np.ndarray:
    """Smooth, lively targets (steps, worlds, 14) around the stand pose."""
    rng = np.random.default_rng(5)
    t = np.arange(steps)[:, None, None] * CONTROL_STEP
    phase, swing = rng.uniform(0, 6, (2, 1, worlds, 14))
    return TARGETS + 0.1 * np.sin(6 * t + phase) * (swing > 2)


def run(scenarios: list[Scenario], moves: np.ndarray, threads: int = 1) -> np.ndarray:
    simulation = Simulation(len(scenarios), threads)
    simulation.reset(range(len(scenarios)), scenarios)
    for move in moves:
        simulation.step(move)
    return np.concatenate(coordinates(simulation), 1)


@pytest.mark.parametrize("space", ["train", "heldout", "numerics"])
def test_same_bits_at_any_thread_count_and_alone(space):
    worlds, moves = scenarios(space), targets(40)
    one = run(worlds, moves)
    assert np.array_equal(one, run(worlds, moves, threads=2))
    for i in range(WORLDS):
        assert np.array_equal(one[i : i + 1], run(worlds[i : i + 1], moves[:, i : i + 1]))


def test_same_bits_as_a_plain_loop_of_mujoco():
    """On a flat dry floor the planes never move, so `mj_step` alone must give the same."""
    simulation = Simulation(2)
    simulation.reset([0, 1], [Scenario(), Scenario()])
    models = [simulation.engine.batch.get_model(i) for i in range(2)]
    loops = [simulation.engine.batch.get_data(i) for i in range(2)]
    moves = targets(30, 2)
    for move in moves:
        simulation.step(move)
        for model, data, ctrl in zip(models, loops, move, strict=True):
            data.ctrl[:] = ctrl
            for _ in range(4):
                mujoco.mj_step(model, data)
    for i, data in enumerate(loops):
        assert np.array_equal(coordinates(simulation)[0][i], data.qpos)
        assert np.array_equal(coordinates(simulation)[1][i], data.qvel)


def test_ground_that_gives_pushes_the_same_from_within_the_engine_and_between_its_steps():
    """The plugin in MuJoCo's threads, and `Sinking.push` before every single physics step."""
    names = ("train/sand:3", "heldout/mud:1", "train/gravel:7", "train/dry_concrete:1")
    worlds = [parse(name) for name in names]
    worlds = [dataclasses.replace(w, numerics=Numerics()) for w in worlds]
    moves, everyone = targets(30, len(worlds)), np.arange(len(worlds))
    within, between = Simulation(len(worlds)), Simulation(len(worlds))
    for simulation in (within, between):
        simulation.reset(everyone, worlds)
    between.engine.batch.bind("userdata")[:] = 0  # the plugin finds no ground
    soft = np.flatnonzero(between.sinking.soft)
    assert list(soft) == [0, 1, 2]
    for move in moves:
        within.step(move)
        between.engine.targets[:] = move
        between.engine.targets[:, : len(GREK.joints)] -= between._offset
        between._lay(between._live)
        between.sinking.look(soft)
        for _ in range(4):
            between.sinking.push(soft)
            between.engine.step(None, 1)
    assert np.array_equal(*(np.concatenate(coordinates(s), 1) for s in (within, between)))
    assert within.sinking.load[:3].sum(1).min() > 50  # [N]


def test_a_snapshot_holds_no_address_of_this_process():
    saved = []
    for _ in range(2):
        simulation = Simulation(2)
        simulation.reset([0, 1], [parse("train/sand:3"), parse("train/gravel:1")])
        simulation.step(targets(1, 2)[0])
        saved.append(simulation.snapshot()["engine"]["state"])
        assert simulation.engine.batch.bind("userdata")[:, 0].all()
    assert np.array_equal(*saved)


def test_a_failing_world_is_reported_and_touches_no_other():
    worlds, moves = scenarios(), targets(30)
    untouched = run(worlds, moves)
    simulation = Simulation(WORLDS)
    simulation.reset(range(WORLDS), worlds)
    seen = np.zeros(WORLDS, bool)
    for step, move in enumerate(moves):
        if step == 10:
            qpos, qvel = coordinates(simulation)
            qvel[2, 3] = np.nan
            qpos[4, 0] = 1e30
        seen |= simulation.step(move).broken
    assert seen.tolist() == [False, False, True, False, True, False]
    healthy = [0, 1, 3, 5]
    state = np.concatenate(coordinates(simulation), 1)
    assert np.array_equal(state[healthy], untouched[healthy])


def test_a_broken_world_works_again_after_reset():
    simulation = Simulation(2)
    simulation.reset([0, 1], [Scenario()] * 2)
    coordinates(simulation)[1][1] = np.nan
    assert simulation.step(targets(1, 2)[0]).broken.tolist() == [False, True]
    simulation.reset([1], [Scenario()])
    for move in targets(20, 2):
        state = simulation.step(move)
        assert not state.broken.any()
    assert np.isfinite(coordinates(simulation)[0]).all()


def test_paused_worlds_do_not_move():
    simulation = Simulation(3)
    simulation.reset(range(3), scenarios(count=3))
    simulation.pause(np.array([1]))
    qpos, _ = coordinates(simulation)
    before = qpos.copy()
    simulation.step(targets(1, 3)[0])
    moved = (qpos != before).any(1)
    assert moved.tolist() == [True, False, True]
    simulation.reset([1], scenarios(count=1))
    before = qpos.copy()
    simulation.step(targets(1, 3)[0])
    assert (qpos != before).any(1).all()


def test_reset_of_one_world_leaves_the_others():
    worlds, moves = scenarios(), targets(20)
    untouched = run(worlds, moves)
    simulation = Simulation(WORLDS)
    simulation.reset(range(WORLDS), worlds)
    for step, move in enumerate(moves):
        if step == 10:
            simulation.reset([3], [parse("heldout/tile:7")])
        simulation.step(move)
    others = [0, 1, 2, 4, 5]
    state = np.concatenate(coordinates(simulation), 1)
    assert np.array_equal(state[others], untouched[others])


def test_reset_does_not_remember_the_past():
    worlds, moves = scenarios(), targets(20)
    fresh = run(worlds, moves)
    simulation = Simulation(WORLDS)
    simulation.reset(range(WORLDS), scenarios("numerics"))
    for move in targets(15):
        simulation.step(move)
    simulation.reset(range(WORLDS), worlds)
    for move in moves:
        simulation.step(move)
    assert np.array_equal(np.concatenate(coordinates(simulation), 1), fresh)


def test_snapshot_goes_on_as_if_nothing_had_happened():
    worlds, moves = scenarios(), targets(40)
    whole = run(worlds, moves)
    first = Simulation(WORLDS)
    first.reset(range(WORLDS), worlds)
    for move in moves[:20]:
        first.step(move)
    saved = first.snapshot()
    second = Simulation(WORLDS)
    second.reset(range(WORLDS), worlds)
    second.restore(saved)
    before, after = first.state(), second.state()
    for name in {field.name for field in dataclasses.fields(before)} - {"torque"}:
        assert np.array_equal(getattr(before, name), getattr(after, name)), name
    assert np.array_equal(first.planes.friction, second.planes.friction)
    for move in moves[20:]:
        second.step(move)
    assert np.array_equal(np.concatenate(coordinates(second), 1), whole)


def test_worlds_with_other_timesteps_share_the_clock():
    numerics = (Numerics(), Numerics(timestep=0.0025), Numerics(timestep=0.002))
    simulation = Simulation(3)
    simulation.reset(range(3), [Scenario(numerics=n) for n in numerics])
    for move in targets(5, 3):
        simulation.step(move)
    assert simulation.engine.batch.bind("time") == pytest.approx(5 * CONTROL_STEP)


def test_targets_arrive_late_by_the_delay():
    """A delay of two physics steps: the motor answers a step change two steps later."""
    late = Scenario(motors=Motors(delay=0.010))
    simulation = Simulation(2)
    simulation.reset([0, 1], [Scenario(), late])
    torque = simulation.engine.batch.bind("actuator_force")
    simulation.engine.targets[:] = TARGETS
    simulation.engine.batch.step(nstep=8)
    simulation.engine.targets[:, 2] += 0.1
    first = []
    for _ in range(5):
        simulation.engine.batch.step(nstep=1)
        first.append(torque[:, 2].copy())
    change = np.abs(np.diff(np.array(first), axis=0, prepend=[first[0] * 0])) > 2.0
    assert change[:, 0].argmax() == 0
    assert change[1:, 1].argmax() + 1 == 2


@pytest.mark.parametrize(("worlds", "threads"), [(0, 1), (1, 0), (-3, 1)])
def test_absurd_sizes_are_refused(worlds, threads):
    with pytest.raises(InputError, match="at least 1"):
        Simulation(worlds, threads)


def test_droids_start_on_the_ground_and_not_in_it():
    waves = part("waves", height=0.05, length=1.0, heading=0.0, phase=1.8755)
    steep = Scenario(shape=(part("slope", rise=0.2, heading=0.0), waves), heading=1.0)
    simulation = Simulation(2)
    simulation.reset([0, 1], [Scenario(), steep])
    clearance = simulation.state().clearance
    assert clearance.min(1) == pytest.approx([0.0005, 0.0005], abs=4e-4)


def test_stepping_before_a_reset_is_an_error():
    with pytest.raises(RuntimeError, match="reset"):
        Simulation(1).step(targets(1, 1)[0])


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"numerics": Numerics(timestep=0.003)}, "no whole number of timesteps of 0.003 s"),
        ({"numerics": Numerics(timestep=0.04)}, "no whole number of timesteps of 0.04 s"),
        ({"numerics": Numerics(integrator="RK4")}, "unknown 'RK4'; there are: Euler"),
        ({"numerics": Numerics(cone="round")}, "unknown 'round'; there are: pyramidal"),
        ({"sensors": Sensors(joint_offset=(0.01,) * 3)}, "joint_offset has 3 values, grek has 10"),
    ],
)
def test_what_a_droid_cannot_have_is_refused(changes, told):
    with pytest.raises(InputError, match=told):
        Simulation(1).reset([0], [Scenario(**changes)])


def test_a_copy_of_a_world_leaves_its_ground_alone():
    """Steps of a copied MjData, and forward passes of the batch, press nothing deeper."""
    simulation = Simulation(2)
    simulation.reset([0, 1], [parse("train/sand:3"), parse("train/gravel:1")])
    simulation.step(targets(1, 2)[0])
    state, batch = simulation.sinking.soles.state, simulation.engine.batch
    before = state.copy()
    model, data = batch.get_model(0), batch.get_data(0)
    for _ in range(20):
        mujoco.mj_step(model, data)
    batch.get_data(1)
    assert np.array_equal(state, before)


def test_the_arrays_of_the_ground_live_as_long_as_the_batch():
    """The batch has their addresses; a simulation that is dropped must not take them along."""
    simulation = Simulation(1)
    simulation.reset([0], [parse("train/sand:3")])
    alive = weakref.ref(simulation.sinking.soles.state)
    engine = simulation.engine
    del simulation
    gc.collect()
    engine.step(None, 2)
    assert alive() is not None
    batch = engine.batch
    del engine
    gc.collect()
    batch.step()
    assert alive() is not None
    del batch
    gc.collect()
    assert alive() is None


def test_a_restored_world_that_was_broken_is_broken():
    simulation = Simulation(2)
    simulation.reset([0, 1], scenarios(count=2))
    coordinates(simulation)[1][0] = np.nan
    state = simulation.step(targets(1, 2)[0])
    assert state.broken.tolist() == [True, False]
    saved, again = simulation.snapshot(), Simulation(2)
    again.reset([0, 1], scenarios(count=2))
    again.restore(saved)
    assert again.state().broken.tolist() == [True, False]
    again.reset([0], scenarios(count=1))
    assert not again.state().broken.any()


def test_a_world_that_becomes_rigid_forgets_its_prints():
    simulation = Simulation(1)
    simulation.reset([0], [parse("train/sand:3")])
    for move in targets(20, 1):
        simulation.step(move)
    assert len(simulation.sinking.prints.cells(0)[0])
    simulation.reset([0], [Scenario()])
    assert not len(simulation.sinking.prints.cells(0)[0])
    assert not simulation.sinking.soles.state["pressed"].any()


def test_a_simulation_with_threads_does_not_hang_in_a_forked_child():
    simulation = Simulation(90, threads=2)
    simulation.reset(range(90), scenarios(count=90))
    simulation.step(targets(1, 90)[0])
    child = os.fork()
    if child == 0:
        signal.alarm(20)
        try:
            simulation.step(targets(1, 90)[0])
        except RuntimeError as error:
            os._exit(0 if "before the process forked" in str(error) else 2)
        os._exit(3)
    assert os.waitpid(child, 0)[1] == 0
