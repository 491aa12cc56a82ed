"""Several processes: they learn what one would, repeat their bits, and leave nothing behind."""

import csv
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from grek.__main__ import parse
from grek.errors import InputError
from grek.training import checkpoint, run_directory
from grek.training.config import TrainConfig
from grek.training.parallel import launcher
from grek.training.parallel.launcher import Outcome

from .runs import weights

GROUP = Path(__file__).with_name("group.py")
UPDATE = 8 * 8
SMALL = [
    *("--worlds", "8", "--threads", "2", "--ppo.rollout", "8", "--ppo.minibatches", "2"),
    *("--ppo.epochs", "2", "--ppo.hidden", "16"),
]


def started(place: Path, *arguments: object) -> subprocess.Popen[str]:
    """`grek train ARGUMENTS` in `place`, with its temporary files there too."""
    (place / "tmp").mkdir(exist_ok=True)
    return subprocess.Popen(
        [sys.executable, "-m", "grek", "train", *map(str, arguments)],
        cwd=place,
        env={**os.environ, "TMPDIR": str(place / "tmp"), "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


ROOT = Path(__file__).resolve().parents[2]


def ended(process: subprocess.Popen[str], code: int) -> str:
    """What `process` said on stderr, once it has ended with `code`."""
    _, said = process.communicate(timeout=300)
    assert process.returncode == code, said
    return said


def rows(run: Path) -> list[dict[str, str]]:
    """Rows of progress.csv without times."""
    with (run / "progress.csv").open() as file:
        found = list(csv.DictReader(file))
    return [{k: v for k, v in row.items() if not k.startswith(("sec", "steps_"))} for row in found]


def once_it_learns(run: Path, updates: int = 2) -> None:
    """Wait for rows of progress.csv."""
    deadline = time.monotonic() + 240
    while not (run / "progress.csv").exists() or len(rows(run)) < updates:
        assert time.monotonic() < deadline
        time.sleep(0.05)


def members(launcher: int) -> list[int]:
    """Process ids of the members of a group, in order of their ranks."""
    children = Path(f"/proc/{launcher}/task/{launcher}/children").read_text().split()
    lines = {int(c): Path(f"/proc/{c}/cmdline").read_bytes() for c in children}
    return sorted(pid for pid, line in lines.items() if b"spawn_main" in line)


def alive(pid: int) -> bool:
    """True unless the process is gone or waits for its parent to notice its end."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def clean(place: Path, pids: list[int], seconds: float = 60) -> None:
    """Assert that the processes end, with no file of theirs left but the run and its lock."""
    deadline = time.monotonic() + seconds
    while any(map(alive, pids)):
        assert time.monotonic() < deadline, pids
        time.sleep(0.05)
    left = [path.name for path in (place / "tmp").iterdir()]
    assert not [name for name in left if not name.startswith("torchinductor")]  # PyTorch's cache
    assert not list(place.rglob("*.part*"))


linux = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")


def test_an_update_of_two_processes_is_that_of_one_with_the_samples_of_both(tmp_path):
    def updated(size: int) -> list[dict[str, dict]]:
        out, store = tmp_path / str(size), tmp_path / f"store{size}"
        group = [
            subprocess.Popen(
                [sys.executable, GROUP, str(rank), str(size), store, out],
                env={**os.environ, "PYTHONPATH": str(ROOT)},
            )
            for rank in range(size)
        ]
        assert [process.wait(240) for process in group] == [0] * size
        return [torch.load(f"{out}.{rank}", weights_only=True) for rank in range(size)]

    (alone,), (one, two) = updated(1), updated(2)
    for name, weight in alone["weights"].items():
        assert torch.equal(one["weights"][name], two["weights"][name]), name
        assert torch.allclose(one["weights"][name], weight, atol=2e-5), name
    assert one["logged"] == two["logged"] == pytest.approx(alone["logged"], rel=1e-3, abs=1e-5)
    assert alone["weights"]["features_extractor.count"] == pytest.approx(2 * 8 * 6, abs=1e-3)


@linux
def test_the_same_seed_gives_the_same_bits_also_when_interrupted_and_resumed(tmp_path):
    """And another number of processes goes on with the weights, in new worlds."""
    begin = [*SMALL, "--seed", "3", "--processes", "2"]
    said = ended(started(tmp_path, "--out", "whole", "--steps", 40 * UPDATE, *begin), 0)
    assert said.startswith("grek: 2 processes, each with 4 worlds and 1 thread\n")
    half = started(tmp_path, "--out", "half", "--steps", 40 * UPDATE, *begin)
    once_it_learns(tmp_path / "half")
    pids = members(half.pid)
    assert len(pids) == 2
    half.send_signal(signal.SIGTERM)
    assert "interrupted and saved; to continue: grek train --resume half" in ended(half, 130)
    clean(tmp_path, pids)
    done = checkpoint.newest(tmp_path / "half")[0]["steps"]
    assert 0 < done < 40 * UPDATE
    ended(started(tmp_path, "--resume", "half", "--steps", 40 * UPDATE - done), 0)
    assert rows(tmp_path / "half") == rows(tmp_path / "whole")
    one, two = weights(tmp_path / "whole"), weights(tmp_path / "half")
    assert one.keys() == two.keys()
    for name in one:
        assert torch.equal(one[name], two[name]), name
    said = ended(started(tmp_path, "--resume", "half", "--steps", UPDATE, "--processes", 1), 0)
    assert "half had 2 processes: weights, optimiser, normaliser and curriculum go on, the" in said
    three = weights(tmp_path / "half")
    samples = three["features_extractor.count"] - two["features_extractor.count"]
    assert float(samples) == 2 * UPDATE  # with their mirror images
    assert not torch.equal(three["log_std"], two["log_std"])
    assert torch.allclose(three["log_std"], two["log_std"], atol=0.02)
    resumed = json.loads((tmp_path / "half" / "config.json").read_text())["resumed"]
    assert [entry["processes"] for entry in resumed] == [2, 1]


@linux
@pytest.mark.parametrize("victim", ["leader", "other", "launcher"])
def test_after_a_kill_all_end_and_the_run_can_be_resumed(tmp_path, victim):
    process = started(tmp_path, "--out", "run", "--steps", 10**8, *SMALL, "--processes", 2)
    once_it_learns(tmp_path / "run")
    pids = members(process.pid)
    os.kill({"leader": pids[0], "other": pids[1], "launcher": process.pid}[victim], signal.SIGKILL)
    if victim == "launcher":
        process.wait()
        (tmp_path / "tmp").rename(tmp_path / "left")  # SIGKILL gives no chance to tidy up
        (tmp_path / "tmp").mkdir()
    else:
        line = ended(process, 2).splitlines()[-1]
        rank = pids.index(pids[0] if victim == "leader" else pids[1])
        assert line.startswith(f"grek: process {rank} of 2 ended: Signal 9 (SIGKILL)")
        assert line.endswith("; to continue from the last checkpoint: grek train --resume run")
    clean(tmp_path, pids)
    before = checkpoint.newest(tmp_path / "run")[0]["steps"]
    ended(started(tmp_path, "--resume", "run", "--steps", UPDATE), 0)
    assert checkpoint.newest(tmp_path / "run")[0]["steps"] == before + UPDATE


@linux
def test_processes_whose_launcher_is_killed_before_they_are_connected_end(tmp_path):
    """PyTorch would let them wait for it for half an hour."""
    process = started(tmp_path, "--out", "run", *SMALL, "--steps", "100000000", "--processes", "2")
    deadline = time.monotonic() + 120
    while len(group := members(process.pid)) < 2:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    process.kill()
    process.communicate()
    while any(map(alive, group)):
        assert time.monotonic() < deadline, group
        time.sleep(0.05)


def test_a_signal_before_there_are_processes_interrupts():
    with pytest.raises(KeyboardInterrupt), launcher._forwarded():
        signal.raise_signal(signal.SIGTERM)


def test_the_default_is_one_process_or_those_of_the_run(tmp_path):
    assert launcher.processes(TrainConfig(worlds=4096, threads=16)) == 1
    assert launcher.processes(TrainConfig(processes=3)) == 3
    (tmp_path / "config.json").write_text('{"train": {}}')
    assert launcher.processes(TrainConfig(resume=tmp_path)) == 1
    (tmp_path / "config.json").write_text('{"train": {"processes": 2}, "resumed": [{}]}')
    assert launcher.processes(TrainConfig(resume=tmp_path)) == 1
    (tmp_path / "config.json").write_text('{"train": {}, "resumed": [{"processes": "x"}]}')
    with pytest.raises(InputError, match="processes: Expected `int`"):
        launcher.processes(TrainConfig(resume=tmp_path))


def test_a_number_of_processes_that_does_not_divide_the_worlds_is_refused(tmp_path):
    config = parse(["train", "--processes", "5", "--worlds", "12", "--out", str(tmp_path / "run")])
    with pytest.raises(InputError, match=r"--processes 5 does not divide --worlds 12; .* 1, 2, 3"):
        run_directory.prepare(config)


def test_the_end_of_a_group_is_that_of_the_process_that_knows_why():
    run, lost, done = Path("run"), Outcome("lost", "connection closed"), Outcome("done", "")
    assert launcher.concluded([done, done], run, "again") == run
    with pytest.raises(InputError, match=r"^no space$"):
        launcher.concluded([lost, Outcome("refused", "no space")], run, "again")
    with pytest.raises(KeyboardInterrupt, match="saved"):
        launcher.concluded([Outcome("interrupted", "saved"), lost], run, "again")
    with pytest.raises(InputError, match="lost each other: connection closed; again"):
        launcher.concluded([done, lost], run, "again")
