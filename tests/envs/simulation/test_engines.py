"""Engines by name, with and without the extra; tests of Drake itself are in the folder drake."""

import dataclasses
import subprocess
import sys
from pathlib import Path

import pytest

from grek.__main__ import main
from grek.envs.ground import materials
from grek.envs.scenarios.scenario import Scenario
from grek.envs.scenarios.spaces import engine_of, parse
from grek.envs.simulation import engines
from grek.envs.simulation.mujoco_engine import MujocoEngine
from grek.envs.simulation.simulation import Simulation
from grek.errors import InputError
from grek.eval.scores import rollout, suites


@pytest.fixture
def no_drake(monkeypatch: pytest.MonkeyPatch) -> None:
    """An installation without the extra."""
    monkeypatch.setattr(engines, "find_spec", lambda name: None)


def test_mujoco_is_the_engine_unless_another_is_named():
    assert isinstance(Simulation(1).engine, MujocoEngine)
    with pytest.raises(InputError, match="unknown engine 'bullet'; there are: mujoco, drake"):
        Simulation(1, engine="bullet")


def test_an_engine_that_is_not_installed_names_its_extra(no_drake):
    with pytest.raises(InputError, match=r"engine drake is not installed.*'grek\[drake\]'"):
        Simulation(1, engine="drake")


@pytest.mark.parametrize(
    "command",
    [
        ["eval", "walk", "--suite", "engines"],
        ["render", "walk", "--engine", "drake"],
        ["render", "walk", "--scenario", "engines/sand-drake:0"],
        ["plant", "--engine", "drake"],
    ],
)
def test_commands_say_on_one_line_which_extra_to_install(no_drake, command, capsys, tmp_path):
    out = ["--out", str(tmp_path / "film.mp4")] if command[0] == "render" else []
    assert main([*command, *out]) == 2
    said = capsys.readouterr()
    assert said.err.count("\n") == 1 and "pip install 'grek[drake]'" in said.err
    assert said.out == "" and not list(tmp_path.iterdir())


def test_nothing_imports_drake_unless_asked():
    code = "import sys, grek.__main__, grek.eval.scores.evaluate, grek.eval.films.filming as f;"
    code += "f.TaskBatch; sys.exit('pydrake' in sys.modules)"
    root = Path(__file__).resolve().parents[3]
    assert subprocess.run([sys.executable, "-c", code], cwd=root, check=False).returncode == 0


def test_both_engines_get_the_same_worlds():
    """Droid, motors, sensors, ground, commands and pushes alike; of ground that Drake follows."""
    for ground in ("flat", "slope", "sand"):
        for index in range(20):
            pair = [parse(f"engines/{ground}-{engine}:{index}") for engine in ("mujoco", "drake")]
            assert [engine_of(scenario) for scenario in pair] == ["mujoco", "drake"]
            bare = [
                dataclasses.replace(scenario, name="", context=Scenario().context)
                for scenario in pair
            ]
            assert bare[0] == bare[1]
            (row,) = pair[0].surface.parameters
            assert row[materials.index("wet_area")] == 0
            assert (row[materials.index("depth")] > 0) == (ground == "sand")
            assert [part.kind for part in pair[0].shape] == ["slope"] * (ground == "slope")
            assert pair[0].pushes


def test_worlds_of_two_engines_are_not_stepped_together():
    """A rollout has one engine, which is that of its scenarios."""
    found = list(suites.scenarios(suites.suite("engines"), episodes=2))
    assert [engine_of(scenario) for scenario in found] == ["mujoco", "drake"] * 6
    by_engine = sorted(found, key=engine_of)
    batches = list(rollout._batches(by_engine, 5))
    assert [len(batch) for batch in batches] == [5, 1, 5, 1]
    assert [len({engine_of(s) for s in batch}) for batch in batches] == [1] * 4
    assert [scenario for batch in batches for scenario in batch] == by_engine
    assert {engine_of(s) for s in suites.scenarios(suites.suite("quick"), episodes=1)} == {"mujoco"}
