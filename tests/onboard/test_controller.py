"""The controller of a robot gives the joint targets of the gym, to the last bit."""

import dataclasses
import subprocess
import sys

import numpy as np
import pytest

from grek.envs.scenarios.scenario import Command, Push, Scenario
from grek.envs.scenarios.spaces import parse
from grek.envs.tasks import TaskBatch
from grek.eval.scores import policies
from grek.onboard import Controller, Reading, load

WALK, STEPS = policies.load("walk"), 150
STAND = Scenario("stand", commands=(Command(0.0, (0.0, 0.0), 0.0, (0.2, -0.6)),), seed=12)
TIPPED = dataclasses.replace(
    STAND, name="tipped", pushes=(Push(0.6, (0.6, 0.2)), Push(1.8, (-0.5, 0.3)))
)
SCENARIOS = {
    "stand": STAND,
    "recovery steps": TIPPED,
    "sand": parse("train/sand:42"),
    "carpet": parse("train/carpet:46"),
    "late": parse("heldout/sensors-far:2"),
    "hard pushes": parse("heldout/pushes-far:1"),
}


def reading(batch: TaskBatch, world: int, seed: int) -> Reading:
    """What the sensors of a world delivered, after their latency."""
    newest = {f.name: batch.sensors.newest(f.name)[world] for f in batch.task.measured}
    step = int(batch.age[world])
    return Reading(step, 0.02 * step, command=batch.command[world], seed=seed, **newest)


@pytest.mark.parametrize("name", SCENARIOS)
def test_targets_are_those_of_the_gym(name):
    scenario = SCENARIOS[name]
    batch, controller = TaskBatch(WALK.task, 1), Controller(load("walk"))
    batch.reset([0], [scenario])
    seeds, moved = np.array([scenario.seed], np.uint64), False
    for step in range(STEPS):
        targets = controller.step(reading(batch, 0, scenario.seed))
        action = np.asarray(WALK.act(batch.observe(), seeds, step), float)
        wanted = batch.targets(np.clip(action, -4, 4))[0]
        assert np.array_equal(targets, wanted), step
        moved |= bool(batch.motion.now.moving[0])
        batch.step(action)
    assert moved == (name != "stand")


def test_targets_do_not_depend_on_the_size_of_the_batch():
    scenarios = [SCENARIOS["sand"], TIPPED, SCENARIOS["late"]] * 6
    n = len(scenarios)
    batch, controllers = TaskBatch(WALK.task, n), [Controller(load("walk")) for _ in range(n)]
    batch.reset(range(n), scenarios)
    seeds = np.array([s.seed for s in scenarios], np.uint64)
    for step in range(60):
        targets = [
            controller.step(reading(batch, world, scenarios[world].seed))
            for world, controller in enumerate(controllers)
        ]
        action = np.asarray(WALK.act(batch.observe(), seeds, step), float)
        assert np.array_equal(targets, batch.targets(np.clip(action, -4, 4))), step
        batch.step(action)


def test_it_needs_neither_simulator_nor_gym():
    code = """
import sys, numpy
import grek.onboard, grek.onboard.computer, grek.onboard.faults
controller = grek.onboard.Controller(grek.onboard.load("walk"))
none = numpy.zeros(10)
for step in range(3):
    controller.step(grek.onboard.Reading(
        step, 0.02 * step, numpy.zeros(3), numpy.array([0, 0, -1.0]), none, none, numpy.zeros(5)))
files = {name: str(getattr(module, "__file__", "")) for name, module in sys.modules.items()}
places = {name.split(".")[0] for name, file in files.items() if "site-packages" in file}
print(sorted(p for p in places if not p.startswith(("_", "grek"))))
"""
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert said.stdout.strip() == "['numpy', 'onnxruntime']"
