"""Run directory: its contents, refused settings, and protection of existing files."""

import json

import numpy as np
import pytest

from grek.envs.scenarios.spaces import TRAINING_SCENARIOS
from grek.errors import InputError
from grek.training import run_directory
from grek.training.config import PPOConfig, TrainConfig
from grek.training.train import train

from .runs import config


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
    with pytest.raises(InputError, match="--materials cannot change"):
        train(TrainConfig(resume=run, steps=64, materials="ice"))
    settings["train"]["seed"] = -4
    (run / "config.json").write_text(json.dumps(settings))
    with pytest.raises(InputError, match="--seed -4"):
        train(TrainConfig(resume=run, steps=64))
    (run / "config.json").write_text("{}")
    with pytest.raises(InputError, match=r"config\.json"):
        train(TrainConfig(resume=run, steps=64))


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
