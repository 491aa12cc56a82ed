"""Log of a run: statistics, progress.csv, and lines on stderr."""

import csv
import io
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from rich.console import Console, RenderableType
from stable_baselines3.common.logger import Logger

from grek.envs.episodes import EpisodeConfig
from grek.training import log
from grek.training.config import TrainConfig
from grek.training.curriculum import Curriculum
from grek.training.log import Log, Statistics
from grek.training.monitor.table import Sight, table
from grek.training.stopping import Budget
from grek.training.train import make_model, train
from grek.training.vec_env import GrekVecEnv

from .runs import PER_UPDATE, SMALL, config


def step(statistics: Statistics, terms: dict[str, list[float]], fallen: list[bool]) -> None:
    """Record one control step of two worlds; the episode of the second is truncated."""
    env = SimpleNamespace(
        num_envs=2,
        episodes=SimpleNamespace(level=0.0),
        outcome=SimpleNamespace(
            terms={name: np.array(values) for name, values in terms.items()},
            terminated=np.array(fallen),
            truncated=np.array([False, True]),
        ),
        ended={1: ("sand", "gravel")} | ({0: ("sand",)} if fallen[0] else {}),
    )
    statistics.model = SimpleNamespace(get_env=lambda: env, num_timesteps=0)  # type: ignore[assignment]
    statistics.on_step()


def test_statistics_are_means_per_second_and_counts():
    statistics = Statistics(Curriculum())
    step(statistics, {"alive": [0.02, 0.02], "slip": [0.0, -0.01]}, [False, False])
    step(statistics, {"alive": [0.02, 0.04], "slip": [-0.02, -0.01]}, [True, False])
    # A control step is 20 ms: alive (0.02 + 0.03) / 2 / 0.02, slip -(0.005 + 0.015) / 2 / 0.02.
    assert statistics.reward() == pytest.approx({"alive": 1.25, "slip": -0.5})
    assert (statistics.episodes, statistics.falls) == (3, 1)
    assert statistics.curriculum.lived == pytest.approx(0.08) and statistics.curriculum.fallen == 1
    # One fall in two control steps of two robots, 0.08 s.
    assert statistics.falls_per_minute(2) == pytest.approx(750)
    assert statistics.survival() == {"sand": (pytest.approx(2 / 3), 3), "gravel": (1.0, 2)}
    statistics.clear()
    assert statistics.reward() == {} and statistics.episodes == 0
    for _ in range(log.RECENT):
        step(statistics, {}, [True, True])
    assert statistics.survival()["gravel"] == (0.0, log.RECENT)  # the older ones are forgotten


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("", None),
        ("steps,reward\n", None),
        ("steps,reward\n64,1.5\n128,2.5\n", "steps,reward\n64,1.5\n128,2.5\n"),
        ("steps,reward\n64,1.5\n128,2.", "steps,reward\n64,1.5\n"),  # killed in a line
        ("steps,reward\n64,1.5\n128\n", "steps,reward\n64,1.5\n"),
        ("steps,reward\n64,1.5\n192,9\n", "steps,reward\n64,1.5\n"),  # after the checkpoint
        ("64,1.5\n128,2.5\n", None),  # no header
        ("\0\xff", None),
    ],
)
def test_rows_that_a_resumed_run_repeats_or_that_are_cut_off_are_removed(tmp_path, text, kept):
    path = tmp_path / "progress.csv"
    path.write_text(text)
    log.trim(path, 128)
    assert (path.read_text().replace("\r", "") if path.exists() else None) == kept
    log.append(path, {"steps": 192, "reward": 3.5})
    rows = list(csv.DictReader(path.open()))
    assert rows[-1] == {"steps": "192", "reward": "3.5"}


def test_progress_csv_has_a_row_per_update_also_after_resuming(tmp_path):
    run = train(config(tmp_path / "run", 2))
    train(TrainConfig(resume=run, steps=PER_UPDATE))
    with (run / "progress.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [int(row["steps"]) for row in rows] == [PER_UPDATE, 2 * PER_UPDATE, 3 * PER_UPDATE]
    names = list(rows[0])
    assert names[:12] == [
        *("steps", "seconds", "steps_per_second", "level", "episodes", "falls", "broken"),
        *("kl", "learning_rate", "std", "value_loss", "explained_variance"),
    ]
    assert names[12] == "reward" and all(name.startswith("reward/") for name in names[13:])
    for row in rows:
        total = sum(float(row[name]) for name in names[13:])
        assert float(row["reward"]) == pytest.approx(total, abs=0.002)


@pytest.mark.parametrize("minutes", [None, 1.0])
def test_a_table_shows_the_run_and_lines_are_rare(tmp_path, minutes, capsys, monkeypatch):
    env = GrekVecEnv(2, 1, EpisodeConfig())
    model = make_model(env, TrainConfig(ppo=SMALL))
    model.set_logger(Logger(None, []))
    settings = TrainConfig(steps=None if minutes else 640, minutes=minutes)
    budget = Budget(settings, first_step=64)
    shown: list[list[str]] = []

    def draw(picture: RenderableType) -> None:
        console = Console(file=io.StringIO(), width=300, color_system=None)
        console.print(picture)
        shown.append(console.file.getvalue().splitlines())

    statistics = Statistics(Curriculum(level=0.3))
    drawn = Log(tmp_path, budget, statistics, draw)
    printed = Log(tmp_path, budget, Statistics(Curriculum()), None)
    monkeypatch.setattr(Budget, "elapsed", lambda self: 2.0)
    for model.num_timesteps in (128, 192):
        for name in log._LOSSES:
            model.logger.record(f"train/{name}", torch.zeros(()))
        step(statistics, {"alive": [0.02, 0.02], "slip": [0.0, -0.01]}, [True, False])
        drawn.update(model, tmp_path / "films/step_1.mp4")
        for name in log._LOSSES:
            model.logger.record(f"train/{name}", torch.zeros(()))
        printed.update(model)
    words = [" ".join(line.split()) for line in shown[0]]
    figures = "\n".join(words)
    # 2 of 60 s, or 64 of 640 steps in 2 s; one fall in 0.04 s; 1 - 0.005 / 0.02 of reward.
    assert ("time left 0:00:58" if minutes else "time left 0:00:18") in figures
    for said in ("level 0.30", "steps/s 32", "falls/min 1500.00", "reward [1/s] 0.75"):
        assert said in figures
    for said in ("alive +1.000", "slip -0.250", "gravel 1.00 1", "sand 0.50 2"):
        assert said in figures
    assert words[-1] == f"film: {tmp_path}/films/step_1.mp4".replace("\n", "")
    assert "sand 0.50 4" in " ".join(" ".join(line.split()) for line in shown[1])
    line = "2 s, 128 steps, 32 steps/s, level 0.0, reward 0.00"
    assert capsys.readouterr().err == f"{line}\n"  # the next is 30 s later


def test_a_name_of_a_film_is_plain_text() -> None:
    row = {"steps": 1, "steps_per_second": 1, "level": 0, "reward": 0, "std": 0}
    sight = Sight(row, 0.5, 3725.4, 0.0, {}, Path("[red]\x1b[1m.mp4"))
    console = Console(file=io.StringIO(), width=300, color_system=None)
    console.print(table(sight))
    said = console.file.getvalue()
    assert "film: [red] [1m.mp4" in said and "1:02:05" in said


def test_failed_simulations_are_named_once(tmp_path, capsys):
    printed = Log(tmp_path, Budget(TrainConfig(), 0), Statistics(Curriculum()), None)
    broken = ["train:3"]
    printed._report(broken)
    printed._report(broken)
    broken.append("train:8")
    printed._report(broken)
    said = capsys.readouterr().err.splitlines()
    assert [line.split(";")[0] for line in said] == [
        "the simulation failed in train:3",
        "the simulation failed in train:8",
    ]
