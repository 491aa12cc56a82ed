"""Run directory: its contents, refused settings, and protection of existing files."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from grek.__main__ import parse
from grek.envs.scenarios.spaces import TRAINING_SCENARIOS
from grek.errors import InputError
from grek.training import run_directory
from grek.training.config import PPOConfig, TrainConfig
from grek.training.task_settings import task_of
from grek.training.train import train

from .runs import config


@pytest.fixture(scope="module")
def short_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    ppo = PPOConfig(rollout=16, minibatches=2, epochs=1, hidden=(16,))
    out = tmp_path_factory.mktemp("short") / "run"
    return train(
        TrainConfig(out=out, steps=32, worlds=2, threads=1, seed=5, ppo=ppo, weights=("slip=-0.3",))
    )


def copied(run: Path, where: Path) -> Path:
    return Path(shutil.copytree(run, where / "copy"))


def test_run_directory_holds_what_it_should(tmp_path):
    run = train(config(tmp_path / "run", 2))
    saved = json.loads((run / "config.json").read_text())
    assert saved["train"]["seed"] == 3 and saved["versions"]["mujoco"]
    lines = (run / "progress.csv").read_text().splitlines()
    assert len(lines) == 3 and "reward/linear" in lines[0]
    assert list(run.glob("events.out.tfevents.*"))
    assert (run / "policy.onnx").is_file()
    assert not list(run.rglob("*.partial"))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"worlds": 0}, "--worlds 0"),
        ({"steps": -5}, "--steps -5"),
        ({"minutes": 1.0, "steps": 5}, "not both"),
        ({"materials": "sand,lava"}, "unknown material 'lava'"),
        ({"scenarios": 0}, "--scenarios 0"),
        ({"seed": -1}, "--seed -1"),
        ({"replay": 1.5}, "--replay 1.5"),
        ({"worlds": 1, "ppo": PPOConfig(rollout=1)}, "a single sample"),
        ({"ppo": PPOConfig(entropy=np.nan)}, "--ppo.entropy nan"),
        ({"ppo": PPOConfig(log_std=1000)}, "--ppo.log-std 1000"),
        ({"ppo": PPOConfig(max_gradient=-1)}, "--ppo.max-gradient -1"),
        ({"ppo": PPOConfig(hidden=())}, "--ppo.hidden 0"),
        ({"ppo": PPOConfig(hidden=(8, -3))}, "--ppo.hidden -3"),
    ],
)
def test_bad_settings_are_refused_before_anything_is_made(tmp_path, changes, message):
    settings = TrainConfig(**{"out": tmp_path / "run", **changes})
    with pytest.raises(InputError, match=message):
        run_directory.prepare(settings)
    assert not (tmp_path / "run").exists()


def test_all_training_scenarios_are_the_default():
    assert TrainConfig().scenarios == TRAINING_SCENARIOS


def test_existing_runs_are_kept(tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(InputError, match="is a file or a link"):
        run_directory.prepare(TrainConfig(out=tmp_path / "file", force=True))
    (tmp_path / "run").mkdir()
    with pytest.raises(InputError, match="--force"):
        run_directory.prepare(TrainConfig(out=tmp_path / "run"))
    with pytest.raises(InputError, match="not a writable directory"):
        run_directory.prepare(TrainConfig(out=tmp_path / "file" / "run"))
    with pytest.raises(InputError, match="cannot resume"):
        run_directory.prepare(TrainConfig(resume=tmp_path / "nowhere"))


def test_force_replaces_runs_only(tmp_path):
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "thesis.txt").write_text("x")
    with pytest.raises(InputError, match="is not a run directory"):
        run_directory.prepare(TrainConfig(out=mine, force=True))
    assert (mine / "thesis.txt").exists()
    (tmp_path / "link").symlink_to(mine)
    with pytest.raises(InputError, match="link"):
        run_directory.prepare(TrainConfig(out=tmp_path / "link", force=True))


def test_resuming_what_does_not_fit_is_refused(tmp_path):
    run = train(config(tmp_path / "run", 1))
    settings = json.loads((run / "config.json").read_text())
    settings["train"]["worlds"] = 4
    (run / "config.json").write_text(json.dumps(settings))
    with pytest.raises(InputError, match="does not fit"):
        train(TrainConfig(resume=run, steps=64))
    settings["train"]["seed"] = -4
    (run / "config.json").write_text(json.dumps(settings))
    with pytest.raises(InputError, match="--seed -4"):
        train(TrainConfig(resume=run, steps=64))


@pytest.mark.parametrize(
    ("entry", "value", "said"),
    [
        ("", [1], "Expected `object`"),
        ("train", None, "Expected `object`"),
        ("resumed", 3, "Expected `array`"),
        ("train.worlds", "many", r"Expected `int`.*worlds"),
        ("train.worlds", True, r"Expected `int`.*worlds"),
        ("train.materials", 7, r"Expected `str`.*materials"),
        ("train.materials", "chalk", "chalk"),
        ("train.ppo", [], r"Expected `object`.*ppo"),
        ("train.ppo.hidden", [1.5], r"Expected `int`.*hidden"),
        ("train.ppo.gamma", 2, "--ppo.gamma 2"),
        ("train.weights", {"linear": 1}, r"Expected `array`.*weights"),
        ("task.weights.linear", None, r"Expected `float`.*weights"),
        ("task.weights", {"no": 1.0}, "unknown 'no'"),
        ("task.motion.gain", ["a"], "motion"),
    ],
)
def test_settings_of_other_types_are_refused(entry, value, said, tmp_path, short_run):
    run = copied(short_run, tmp_path)
    document = json.loads((run / "config.json").read_text())
    *path, last = entry.split(".")
    inner = document
    for part in path:
        inner = inner[part]
    inner[last] = value
    (run / "config.json").write_text(json.dumps(inner[""] if entry == "" else document))
    with pytest.raises(InputError, match=said):
        train(TrainConfig(resume=run, steps=64))


@pytest.mark.parametrize(
    ("flags", "refused"),
    [
        (["--worlds", "4"], "--worlds 4"),
        (["--worlds", "256"], "--worlds 256"),  # the default, but not what the run has
        (["--seed", "0"], "--seed 0"),
        (["--past-actions", "3"], "--past-actions 3"),
        (["--ppo.gamma", "0.9"], "--ppo.gamma 0.9"),
        (["--materials", "ice"], "--materials ice"),
        (["--out", "elsewhere"], "--out"),
        (["--force"], "--force"),
        (["--from", "walk"], "--from"),
    ],
)
def test_settings_cannot_change_on_resume(flags, refused, tmp_path, short_run):
    run = copied(short_run, tmp_path)
    with pytest.raises(InputError, match=f"^{refused}.* cannot be with --resume"):
        train(parse(["train", "--resume", str(run), "--steps", "64", *flags]))


def test_settings_as_they_were_may_be_repeated(tmp_path, short_run):
    run = copied(short_run, tmp_path)
    flags = ["--worlds", "2", "--threads", "2", "--ppo.rollout", "16", "--weights", "slip=-0.3"]
    train(parse(["train", "--resume", str(run), "--steps", "32", *flags]))


def test_a_run_keeps_the_weights_and_the_motion_it_began_with(tmp_path, short_run, capsys):
    """Also those that were not given, where today's defaults are others."""
    run = copied(short_run, tmp_path)
    document = json.loads((run / "config.json").read_text())
    document["task"]["weights"]["linear"], document["task"]["motion"]["lift"] = 1.25, 0.041
    (run / "config.json").write_text(json.dumps(document))
    _, config, _ = run_directory.prepare(TrainConfig(resume=run, steps=32))
    said = capsys.readouterr().err
    assert "linear=1.25 (2.5), slip=-0.3 (-0.25), lift=0.041 (0.055)" in said
    task = task_of(config)
    assert task.motion.lift == 0.041
    weights = {term.name: term.weight for term in task.terms}
    assert weights == document["task"]["weights"] and weights["linear"] == 1.25


def test_training_on_held_out_ground_is_said(tmp_path, capsys):
    run_directory.prepare(TrainConfig(out=tmp_path / "run", materials="sand, ice"))
    said = capsys.readouterr().err
    assert said.startswith("grek: training on held-out material: ice;") and said.count("\n") == 1


def test_what_was_added_to_a_run_is_written_down(tmp_path):
    run = train(config(tmp_path / "run", 1))
    train(TrainConfig(resume=run, steps=64))
    written = json.loads((run / "config.json").read_text())
    assert written["train"]["steps"] == config(run, 1).steps
    (resumed,) = written["resumed"]
    assert resumed["steps"] == 64 and resumed["versions"] == written["versions"]


def test_a_run_that_cannot_begin_replaces_nothing(tmp_path):
    run = train(config(tmp_path / "run", 1))
    before = (run / "policy.onnx").read_bytes()
    with pytest.raises(InputError):
        train(config(run, 1, force=True, ppo=PPOConfig(hidden=(-3,))))
    assert (run / "policy.onnx").read_bytes() == before
