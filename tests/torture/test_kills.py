"""Killed at any moment, or on a full disk: nothing half-written, nothing lost."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from grek.errors import InputError
from grek.eval.scores import scorecard
from grek.training import checkpoint

from ..training.test_processes import alive, members
from .attack import tries

TRAIN = [
    *("train", "--out", "run", "--steps", "100000000", "--worlds", "4", "--threads", "1"),
    *("--ppo.rollout", "8", "--ppo.minibatches", "1", "--ppo.epochs", "1", "--ppo.hidden", "16"),
]
SCORE = [
    "eval",
    "zero",
    "--suite",
    "train",
    "--episodes",
    "30",
    "--threads",
    "1",
    "--out",
    "scores",
]
FILM = ["render", "zero", "--material", "sand", "--seconds", "2", "--out", "film.mp4"]


def killed(arguments: list[str], where: Path, after: float) -> bool:
    """Run `grek ARGUMENTS` and kill it `after` some seconds; False if it ended before."""
    process = subprocess.Popen(
        [sys.executable, "-m", "grek", *arguments],
        cwd=where,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        process.wait(after)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        return True
    return False


def whole(where: Path) -> None:
    """Every file of a final name can be read."""
    for path in where.rglob("*"):
        if ".part" in path.name:
            continue
        if path.suffix == ".pt":
            checkpoint._load(path.read_bytes())
        elif path.name == "scorecard.json":
            scorecard.read(path)
        elif path.suffix == ".json":
            json.loads(path.read_text())
        elif path.suffix == ".html":
            assert path.read_text().rstrip().endswith("</html>")


def test_training(tmp_path, run_grek):
    """Goes on from a checkpoint, whenever it was killed after there was a run directory."""
    for i, rng in enumerate(tries(2, 30)):
        where = tmp_path / str(i)
        where.mkdir()
        began = time.monotonic()
        after = rng.uniform(2, 12)
        assert killed(TRAIN, where, after)
        whole(where)
        if not (where / "run" / "config.json").exists():
            continue  # killed before there was anything
        try:
            checkpoint.newest(where / "run")
        except InputError:
            assert not list((where / "run").rglob("*.pt"))
            continue
        ended = run_grek(["train", "--resume", "run", "--steps", "32"], where)
        assert ended.returncode == 0, (began, after, ended.stderr)
        rows = (where / "run" / "progress.csv").read_text().splitlines()
        steps = [int(row.split(",")[0]) for row in rows[1:]]
        assert rows[0].startswith("steps,") and steps == sorted(set(steps))
        assert (where / "run" / "policy.onnx").exists()


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_training_in_processes(tmp_path, run_grek):
    """Whichever of launcher and processes is killed, all end, and the run goes on."""
    for i, rng in enumerate(tries(1, 33)):
        where = tmp_path / str(i)
        where.mkdir()
        process = subprocess.Popen(
            [sys.executable, "-m", "grek", *TRAIN, "--processes", "2"],
            cwd=where,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        time.sleep(rng.uniform(6, 20))
        group = members(process.pid)
        os.kill(int(rng.choice([process.pid, *group])), signal.SIGKILL)
        process.wait(120)
        deadline = time.monotonic() + 120
        while any(map(alive, group)):
            assert time.monotonic() < deadline, group
            time.sleep(0.1)
        whole(where)
        if list((where / "run" / "checkpoints").glob("step_*.pt")):
            ended = run_grek(["train", "--resume", "run", "--steps", "32"], where)
            assert ended.returncode == 0, ended.stderr


def test_scoring(tmp_path, run_grek):
    """Ends with the same bytes, however often it was killed."""
    assert run_grek([*SCORE[:-1], "reference"], tmp_path).returncode == 0
    expected = (tmp_path / "reference" / "scorecard.json").read_bytes()
    for i, rng in enumerate(tries(2, 31)):
        where = tmp_path / str(i)
        where.mkdir()
        while killed(SCORE, where, rng.uniform(1, 14)) and rng.random() < 0.7:
            whole(where)
        whole(where)
        if not (where / "scores" / "scorecard.json").exists():
            assert run_grek(SCORE, where).returncode == 0
        assert (where / "scores" / "scorecard.json").read_bytes() == expected


def test_filming(tmp_path, run_grek):
    """A film is whole or not there; a part that was left behind is not in the way."""
    for i, rng in enumerate(tries(1, 32)):
        where = tmp_path / str(i)
        where.mkdir()
        if killed(FILM, where, rng.uniform(1, 8)):
            assert not (where / "film.mp4").exists() or (where / "film.mp4").stat().st_size > 10_000
        if not (where / "film.mp4").exists():
            ended = run_grek(FILM, where)
            assert ended.returncode == 0 or "EGL" in ended.stderr, ended.stderr


@pytest.mark.parametrize(
    ("arguments", "limit"),
    [
        (["train", *TRAIN[1:3], "--steps", "64", *TRAIN[5:]], 1),
        (["train", *TRAIN[1:3], "--steps", "64", *TRAIN[5:]], 40),
        (SCORE, 1),
        (SCORE, 30),
        (FILM, 20),
        (["materials", "--plot", "plot.png"], 5),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else str(value),
)
def test_a_full_disk_is_one_line(arguments, limit, tmp_path, run_grek):
    ended = run_grek(arguments, tmp_path, limit=limit)
    if "EGL" in ended.stderr:
        pytest.skip("no EGL to film with")
    said = [line for line in ended.stderr.splitlines() if line.startswith("grek: ")]
    assert ended.returncode == 2 and "Traceback" not in ended.stderr, ended.stderr
    assert "cannot write" in said[-1] or "File too large" in said[-1], ended.stderr
    assert not list(tmp_path.rglob("*.part*")) and not list(tmp_path.glob("[!.]*.*"))
    whole(tmp_path)
