"""Fixture `grek_gate` in a user's test suite: verdicts, messages and reports."""

import importlib.metadata
import json
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from grek import pytest_plugin
from grek.eval.scores import evaluate, scorecard

ROOT = Path(__file__).resolve().parent.parent
LIMPING = """
import dataclasses
import numpy as np
from grek.eval.scores import policies, suites

def test_it_still_walks(grek_gate):
    walk = policies.load("walk")
    worlds = suites.scenarios(suites.suite("train"), episodes=8)
    gravel = [world.seed for world in worlds if world.context[1] == "gravel"]

    def limp(observation, seeds, step):
        strength = np.where(np.isin(seeds, gravel), 0.5, 1)
        return walk.act(observation, seeds, step) * strength[:, None]

    grek_gate(dataclasses.replace(walk, name="limping", act=limp), "walk.json", threads=1)
"""


@pytest.fixture(scope="module")
def zero():
    return evaluate.score("zero", "train", episodes=1)


@pytest.fixture
def suite(zero, pytester, monkeypatch):
    """Run a test file beside a scorecard of `zero` in one world of each material."""
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    scorecard.write(zero, pytester.path / "zero.json")

    def run(code, *options):
        pytester.makepyfile(code)
        return pytester.runpytest_inprocess("-p", "grek.pytest_plugin", *options)

    return run


def gate(arguments):
    return f"def test_it_still_walks(grek_gate):\n    grek_gate({arguments})\n"


def test_the_entry_point_is_the_plugin():
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["entry-points"]
    ((name, value),) = settings["pytest11"].items()
    point = importlib.metadata.EntryPoint(name, value, "pytest11")
    assert point.load() is pytest_plugin


def test_loading_the_plugin_loads_nothing_heavy():
    code = (
        "import sys, grek.pytest_plugin\n"
        "heavy = ('numpy', 'gymnasium', 'mujoco', 'torch', 'stable_baselines3', 'onnxruntime',\n"
        "         'matplotlib', 'tyro', 'rich')\n"
        "sys.exit(any(name in sys.modules for name in heavy))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_what_walks_as_before_passes_and_leaves_a_report(suite, pytester):
    result = suite(gate('"zero", "zero.json"'), "--grek-report", "reports")
    result.assert_outcomes(passed=1)
    report = pytester.path / "reports" / "zero-train-0"
    names = {"scorecard.json", "scorecard.md", "scorecard.html", "comparison.txt"}
    assert {path.name for path in report.iterdir()} == names
    assert (report / "scorecard.json").read_bytes() == (pytester.path / "zero.json").read_bytes()
    assert "no regression" in (report / "comparison.txt").read_text()


def test_two_policies_meet_in_fresh_worlds(suite, pytester):
    """Equal policies pass on any seed; standing is worse than walking."""
    more = 'baseline="zero", seed=7, episodes=2'
    suite(gate(f'"zero", {more}'), "--grek-report", "reports").assert_outcomes(passed=1)
    card = scorecard.read(pytester.path / "reports" / "zero-train-7")
    assert (card["suite"]["seed"], card["suite"]["episodes"]) == (7, 2)
    suite(gate(f'"zero", {more.replace("zero", "walk")}')).assert_outcomes(failed=1)
    result = suite(gate('"zero", "zero.json", seed=7'))
    result.stdout.fnmatch_lines(["*zero.json*is not a readable ONNX file*"])


def test_the_material_on_which_it_walks_worse_is_named(suite, pytester):
    baseline = ROOT / "tests/scores/walk-train.json"
    (pytester.path / "walk.json").write_bytes(baseline.read_bytes())
    result = suite(LIMPING, "--grek-report", "reports")
    result.assert_outcomes(failed=1)
    said = result.stdout.str()
    assert "grek: regression, significant loss" in said
    (worse,) = {line for line in said.splitlines() if line.startswith("worse: ")}
    assert "train material gravel" in worse
    for material in ("dry_concrete", "wet_concrete", "sand", "carpet"):
        assert material not in worse
    card = scorecard.read(pytester.path / "reports" / "limping-train-0")
    assert card["policy"]["name"] == "limping"


def test_what_is_not_ruled_out_fails_unless_told_otherwise(suite):
    # Standing and the open-loop gait both score close to 0; five worlds are inconclusive.
    said = suite(gate('"gait", "zero.json", margin=0.001'))
    said.assert_outcomes(failed=1)
    said.stdout.fnmatch_lines(["grek: regression not ruled out: *run more episodes"])
    suite(gate('"gait", "zero.json", margin=0.001, strict=False')).assert_outcomes(passed=1)


def altered(path, target, **changes):
    """Write the scorecard of `path` with changes to its suite and a valid digest."""
    card = json.loads(path.read_text())
    card["suite"].update(changes)
    target.write_text(scorecard.dumps({**card, "digest": scorecard.digest(card)}))


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ('"nobody.onnx", "zero.json"', "unknown policy '*nobody.onnx'*"),
        ('"zero", "nothing.json"', "scorecard *nothing.json cannot be read*"),
        ('"zero", "zero.json", margin=2', "margin 2 is outside*"),
        ('"zero", "older.json"', "the baseline was scored in other worlds*"),
        ('"zero", "other.json"', "unknown suite 'tiny'; there are:*"),
        ('"zero", "seedless.json"', "the baseline lacks the seed*"),
        ('"zero", "newer.json"', "*newer.json has schema 9, of a newer grek*"),
        ('"zero", "cut.json"', "*cut.json is cut off*"),
    ],
)
def test_refusals_are_one_line(arguments, said, suite, pytester):
    baseline = pytester.path / "zero.json"
    altered(baseline, pytester.path / "older.json", sha256="0" * 64)
    altered(baseline, pytester.path / "other.json", name="tiny")
    altered(baseline, pytester.path / "seedless.json", seed=None)
    newer = {**json.loads(baseline.read_text()), "schema": 9}
    (pytester.path / "newer.json").write_text(json.dumps(newer))
    (pytester.path / "cut.json").write_text(baseline.read_text()[:900])
    result = suite(gate(arguments), "--grek-report", "reports")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines([f"grek: {said}"])
    assert "Traceback" not in result.stdout.str()
    assert not (pytester.path / "reports").exists()


def test_a_report_directory_that_cannot_be_is_refused_at_once(suite):
    result = suite(gate('"zero", "zero.json"'), "--grek-report", "zero.json/reports")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["ERROR: --grek-report *zero.json is not a writable directory"])


def test_any_function_can_be_gated(suite):
    code = gate('policies.from_function("mine", lambda o: np.zeros((len(o), 10))), "zero.json"')
    result = suite(f"import numpy as np\nfrom grek.eval.scores import policies\n\n{code}")
    result.assert_outcomes(passed=1)  # walks, falls, and scores about as much as standing
