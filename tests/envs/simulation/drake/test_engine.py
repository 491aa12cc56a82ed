"""Drake behind the seam: motors, ground, refusals, the same bits twice, walking as in MuJoCo."""

import dataclasses
from typing import Any

import numpy as np
import pytest

from grek.envs.ground import materials
from grek.envs.ground.shapes import ShapePart
from grek.envs.ground.surface import Surface
from grek.envs.robots import GREK
from grek.envs.scenarios.scenario import Body, Motors, Numerics, Scenario
from grek.envs.scenarios.spaces import parse
from grek.envs.simulation.drake_droid import STEP
from grek.envs.simulation.drake_engine import DrakeEngine
from grek.envs.simulation.simulation import CONTROL_STEP, Simulation
from grek.envs.tasks import TaskBatch, walking
from grek.errors import InputError
from grek.eval.films.filming import world
from grek.eval.scores import evaluate, policies, rollout

TARGETS = np.array(GREK.home) + GREK.static_offset
G = 9.81  # [m/s^2]


def simulation(*scenarios: Scenario, engine: str = "drake", threads: int = 1) -> Simulation:
    made = Simulation(len(scenarios), threads, engine=engine)
    made.reset(range(len(scenarios)), scenarios)
    return made


def moves(steps: int, worlds: int) -> np.ndarray:
    """Lively targets (steps, worlds, 14) [rad]."""
    time = np.arange(steps)[:, None, None] * CONTROL_STEP
    phase = np.random.default_rng(3).uniform(0, 6, (1, worlds, 14))
    return TARGETS + 0.15 * np.sin(8 * time + phase)


def surface(*names: str) -> Surface:
    rows = tuple(tuple(materials.material(name).nominal().tolist()) for name in names)
    return Surface(names, rows, "single" if len(names) == 1 else "strips")


# -- motors and bodies -----------------------------------------------------------------------


@pytest.mark.parametrize("speed", [0.0, 5.0, -15.0, 25.0, -40.0])
def test_motors_follow_the_law_of_mujoco(speed):
    """Torque of the first step at some speed of all joints, beyond no-load speed too."""
    motors = Motors(strength=0.9, stiffness=1.1, damping=0.8, friction=0.0)
    torque = []
    for engine in ("mujoco", "drake"):
        made = simulation(Scenario(motors=motors), engine=engine).engine
        made.targets[0] = TARGETS + np.linspace(-1.5, 1.5, 14)
        if isinstance(made, DrakeEngine):
            qvel = np.zeros(made.model.nv)
            qvel[made.layout.dof] = speed
            made._droids[0].set(made.qpos[0].copy(), qvel)
        else:
            made.batch.bind("qvel")[0, made.layout.dof] = speed
        made.forward()
        made.step(None, 1)
        torque.append(made.torque[0, :10].copy())  # heads keep their friction
    # MuJoCo keeps a millionth of the friction.
    assert torque[1] == pytest.approx(torque[0], abs=2e-5)


@pytest.mark.parametrize("delay", [0.0, 0.004, 0.015, 0.025])
def test_motors_are_late_by_whole_steps_of_drake(delay):
    made = simulation(Scenario(motors=Motors(delay=delay)))
    engine = made.engine
    for _ in range(5):
        made.step(TARGETS[None])
    before = engine.torque[0, 1]
    engine.targets[:] = TARGETS + 0.2
    felt = []
    for _ in range(16):
        engine.step(None, 1)
        felt.append(abs(engine.torque[0, 1] - before) > 2.0)  # 60 N m/rad times 0.2
    assert felt.index(True) == np.ceil(round(delay / STEP, 9))


def test_bodies_vary():
    """15.4 kg times 1.1 and 0.3 kg on top; the ankles feel a shifted centre of mass as in MuJoCo.

    By the moment of the shift, 1.14 N m, and by that of the lean that follows from it.
    """
    bodies = (Body(), Body(mass_scale=1.1, payload=0.3), Body(base_com=(0.02, 0.0, 0.0)))
    felt = []
    for engine in ("mujoco", "drake"):
        made = simulation(*(Scenario(body=body) for body in bodies), engine=engine)
        assert made.engine.mass == pytest.approx([15.4, 15.4 * 1.1 + 0.3, 15.4])
        for _ in range(75):
            state = made.step(np.tile(TARGETS, (3, 1)))
        moment = state.torque[:, [4, 9]].sum(1)
        felt.append(moment[2] - moment[0])
    assert felt[0] > 5.8 * G * 0.02
    assert felt[1] == pytest.approx(felt[0], rel=0.1)


def test_a_droid_that_hangs_stays_where_it_is_and_moves_its_legs():
    made = simulation(Scenario())
    before = made.state().position_w[0]
    made.hang([0])
    for target in moves(25, 1):
        state = made.step(target)
    assert state.position_w[0] - before == pytest.approx([0, 0, 0.3], abs=1e-9)
    assert np.abs(state.joint_velocity).max() > 0.1 and not state.contact.any()
    made.reset([0], [Scenario()])
    assert made.step(TARGETS[None]).position_w[0] == pytest.approx(before, abs=1e-3)


def test_a_world_changes_in_motion():
    """From flat ground to a slope with a payload: it goes on where it was, on the new ground."""
    made = simulation(Scenario())
    for _ in range(10):
        before = made.step(TARGETS[None])
    slope = (ShapePart("slope", {"rise": 0.05, "heading": 0.0}),)
    made.change([0], [Scenario(body=Body(payload=1.0), shape=slope)])
    assert made.engine.mass == pytest.approx([16.4])
    for _ in range(5):
        state = made.step(TARGETS[None])
    assert state.position_w[0, :2] == pytest.approx(before.position_w[0, :2], abs=0.02)
    assert state.clearance.min() > -3e-3 and state.contact.any()


# -- ground ----------------------------------------------------------------------------------


def test_it_stands_at_the_height_of_mujoco():
    """0.2952 m, less what points of finite stiffness give; torque is stiffness times error."""
    made = simulation(Scenario())
    for _ in range(150):
        state = made.step(TARGETS[None])
    assert state.height[0] == pytest.approx(0.2952, abs=0.0015)
    assert state.contact.all() and np.abs(state.velocity_w).max() < 1e-3
    stiffness = np.array([40, 60, 60, 60, 40] * 2 + [15] * 4)
    torque = stiffness * (TARGETS - state.joint_position[0])
    assert state.torque[0] == pytest.approx(torque, abs=0.02)


@pytest.mark.parametrize("name", ["sand", "snow", "carpet"])
def test_ground_that_gives_carries_it(name):
    """As high as in MuJoCo, on soles that bear its weight and push it nowhere."""
    scenario, heights = Scenario(surface=surface(name)), []
    for engine in ("mujoco", "drake"):
        made = simulation(scenario, engine=engine)
        for _ in range(100):
            state = made.step(TARGETS[None])
        heights.append(state.height[0])
        assert made.sinking.load.sum() == pytest.approx(15.4 * G, rel=0.02)
        assert np.abs(state.velocity_w).max() < 0.01 and state.contact.all()
    assert heights[1] == pytest.approx(heights[0], abs=1e-3)


def test_a_slope_is_where_the_terrain_says():
    """Soles on a slope of 10 % that rises to the left, and no drift for 2 s."""
    slope = (ShapePart("slope", {"rise": 0.1, "heading": np.pi / 2}),)
    made = simulation(Scenario(shape=slope, surface=surface("rubber")))
    for _ in range(50):
        state = made.step(TARGETS[None])
    start = state.position_w[0]
    for _ in range(100):
        state = made.step(TARGETS[None])
    assert state.contact.all() and np.abs(state.clearance).max() < 2e-3
    assert np.linalg.norm(state.position_w[0] - start) < 2e-3


UNEVEN = {
    "waves": {"height": 0.02, "length": 1.0, "heading": 0.0, "phase": 0.0},
    "relief": {"deviation": 0.004, "length": 0.2, "seed": 1.0},
    "steps": {"height": 0.02, "length": 0.4, "heading": 0.0, "seed": 1.0},
}


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        *(({"shape": (ShapePart(k, v),)}, k) for k, v in UNEVEN.items()),
        ({"surface": surface("dry_concrete", "wood")}, "dry_concrete and wood"),
        ({"surface": surface("wet_concrete")}, "wet_concrete"),
        ({"numerics": Numerics(timestep=0.0025)}, "numerics of MuJoCo"),
        ({"motors": Motors(delay=0.3)}, "motor delay 0.3 s"),
    ],
)
def test_what_it_cannot_follow_is_refused_by_name(changes, said):
    made = simulation(Scenario())
    before = made.engine.qpos.copy()
    with pytest.raises(InputError, match=said):
        made.reset([0], [Scenario(**changes)])
    assert np.array_equal(made.engine.qpos, before)


# -- bits ------------------------------------------------------------------------------------

WORLDS = [parse(f"engines/{name}-drake:{i}") for name in ("flat", "sand") for i in range(2)]


def states(made: Simulation, targets: np.ndarray) -> list[np.ndarray]:
    for target in targets:
        state = made.step(target, np.tile([3.0, 0.0, 0.0], (len(WORLDS), 1)))
    return [getattr(state, field.name) for field in dataclasses.fields(state)]


def test_the_same_bits_twice_and_at_any_number_of_threads_and_worlds():
    targets = moves(15, len(WORLDS))
    first = states(simulation(*WORLDS), targets)
    for again in (simulation(*WORLDS), simulation(*WORLDS, threads=3)):
        assert all(map(np.array_equal, first, states(again, targets)))
    alone = simulation(WORLDS[3])
    for target in targets:
        state = alone.step(target[3:], np.array([[3.0, 0.0, 0.0]]))
    assert np.array_equal(state.position_w[0], first[0][3])


def test_a_restored_snapshot_goes_on_with_the_same_bits():
    targets = moves(20, len(WORLDS))
    first, second = simulation(*WORLDS), simulation(*WORLDS)
    states(first, targets[:10])
    second.restore(first.snapshot())
    assert all(map(np.array_equal, states(first, targets[10:]), states(second, targets[10:])))


def test_a_world_that_diverges_is_reported_and_the_others_go_on():
    made = simulation(*WORLDS)
    engine: Any = made.engine
    engine._droids[1].state = 1e200 * (1 + engine._droids[1].state)
    state = made.step(np.tile(TARGETS, (len(WORLDS), 1)))
    assert state.broken.tolist() == [False, True, False, False]
    made.reset([1], WORLDS[1:2])
    assert not made.step(np.tile(TARGETS, (len(WORLDS), 1))).broken.any()


# -- walking ---------------------------------------------------------------------------------


@pytest.mark.parametrize("material", ["dry_concrete", "sand"])
def test_the_shipped_policy_walks_as_in_mujoco(material):
    """3 s at 0.4 m/s: the same distance to 5 %, upright, and no world alike to the last bit."""
    policy, scenario = policies.load("walk"), world(None, material)
    drive = rollout._acting(policy, [scenario])
    gone = []
    for engine in ("mujoco", "drake"):
        run = rollout.driven(policy.task, [scenario], drive, 150, engine=engine)
        assert run.log.alive.all() and not run.broken
        gone.append(float(np.linalg.norm(run.log.position_w[-1, 0, :2])))
    assert gone[1] == pytest.approx(gone[0], rel=0.05) and gone[1] != gone[0]
    assert gone[1] > 0.8


def test_a_suite_scores_the_same_worlds_in_both_engines(monkeypatch):
    task = dataclasses.replace(walking(), time_limit=1.0)
    monkeypatch.setattr(
        policies, "load", lambda name: policies.from_function(name, _uncorrected, task)
    )
    card = evaluate.score("gait", "engines", episodes=2)
    worlds: dict[str, list[int]] = {}
    for episode in card["episodes"]:
        worlds.setdefault(episode["contexts"].popitem()[1], []).append(episode["world"])
    assert sorted(worlds["mujoco"]) == sorted(worlds["drake"])
    assert set(card["paired"]["engines"]) == {"flat-drake", "slope-drake", "sand-drake"}
    assert card["paired"]["engines"]["sand-drake"]["episodes"] == 2


def _uncorrected(observation: np.ndarray) -> np.ndarray:
    return np.zeros((len(observation), walking().actions))


def test_a_batch_of_a_task_takes_an_engine():
    batch = TaskBatch(walking(), 1, engine="drake")
    batch.reset([0], [WORLDS[0]])
    outcome = batch.step(np.zeros((1, batch.task.actions)))
    assert np.isfinite(outcome.reward).all() and not outcome.terminated.any()
