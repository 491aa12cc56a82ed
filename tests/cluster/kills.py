"""Kill a training on a Ray cluster many times: `python tests/cluster/kills.py [NUMBER] [SEED]`.

A cluster of a head and a node on this machine trains in two processes. One of these, a node or
the command itself dies at a random moment of the work, or, one time in four, of the restart before.
A killed node is replaced, a killed command called again with --resume. Printed is what each kill
cost. At the end, the log must have each update once and the weights be those of a run that nothing
happened to; otherwise the exit code is 1.
"""

import contextlib
import csv
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import torch

sys.path.insert(0, str(Path(__file__).parent))
from test_cluster import (
    OFTEN,
    PATIENCE,
    SMALL,
    UPDATE,
    ended,
    grek,
    kill_node,
    replace_node,
    started,
    steps,
    workers,
)

from grek.errors import InputError
from grek.training import checkpoint, run_directory

KINDS = ("worker", "node", "command")
EVERY = 2.0  # time between two checkpoints [s]
WORK = 15.0  # longest time from the first update to a kill [s]
RESTART = 30.0  # longest time from a kill to one before the first update [s]
STEPS = 48 * UPDATE  # of the run, for each kill


def saved(run: Path) -> int:
    """Step of the newest checkpoint."""
    return max(int(path.stem[5:]) for path in (run / "checkpoints").glob("step_*.pt"))


class Run:
    """A training of `total` steps into `place`/run on `cluster`."""

    def __init__(self, cluster: Any, place: Path, total: int) -> None:
        self.cluster, self.place, self.total = cluster, place, total
        self.path = place / "run"
        self.process = self.begin("--out", "run", *SMALL, "--steps", total)

    def begin(self, *flags: object) -> "subprocess.Popen[str]":
        """Start the command."""
        there = ("--cluster", self.cluster.address, "--workers", 2)
        often = OFTEN.replace("0.5", str(EVERY))
        return grek(self.place, "train", *flags, *there, extension=often)

    def kill(self, kind: str) -> bool:
        """Kill a worker, node or command, and make up for it; return False if there is none."""
        found = workers(self.cluster, "RayTrainWorker")
        if kind == "command":
            self.process.kill()
            self.process.communicate()
            began = time.monotonic()
            while workers(self.cluster, "RayTrainWorker"):
                assert time.monotonic() - began < PATIENCE, "processes outlive their command"
                time.sleep(0.1)
            left = self.total - saved(self.path)
            self.process = self.begin("--resume", "run", "--steps", left)
        elif kind == "worker" and found:
            os.kill(random.choice(sorted(found)), signal.SIGKILL)
        elif kind == "node" and not {*found.values()} <= {self.cluster.head_node}:
            kill_node(self.cluster)
            replace_node(self.cluster)
        else:
            return False
        return True

    def resumed(self) -> list[int]:
        """Steps at which the run has gone on so far."""
        with contextlib.suppress(InputError):  # no config.json yet
            parts = run_directory.recorded(self.path).get("resumed", [])
            return [self.total - part["steps"] for part in parts]
        return []

    def advances(self, beyond: int, resumptions: int) -> bool:
        """Wait for `resumptions` and an update after the step `beyond`; return False for none."""
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            begun = len(self.resumed()) >= resumptions
            if begun and max(steps(self.path), default=0) > beyond:
                return True
            if self.process.poll() is not None:
                return self.process.returncode == 0
            time.sleep(0.1)
        return False


def killed(run: Run, number: int) -> int:
    """Kill `run` up to `number` times until it ends; return how many times it then went on."""
    done = recovered = 0
    while done < number and run.process.poll() is None:
        before, pending = len(run.resumed()), []
        delay = random.uniform(0, WORK)
        while True:  # a kill, and perhaps another in the restart
            time.sleep(delay)
            kind, had, kept = random.choice(KINDS), max(steps(run.path), default=0), saved(run.path)
            if run.process.poll() is not None or not run.kill(kind):
                break
            done += 1
            pending.append(kind)
            if done == number or random.random() >= 0.25:
                break
            delay = random.uniform(0, RESTART)
        if not pending:
            continue
        began = time.monotonic()
        if not run.advances(had, before + 1):
            print(f"{' and '.join(pending)} killed at step {had}: the run does not go on")
            print((run.place / "said").read_text())
            return recovered
        recovered += len(pending)
        at = run.resumed()[-1]
        assert at >= kept, f"the run went on from step {at}, though it had a checkpoint of {kept}"
        print(
            f"{done:3} {' and '.join(pending)} killed at step {had}: on from step {at},"
            f" {had - at} steps lost, {time.monotonic() - began:.0f} s",
            flush=True,
        )
    return recovered


def faults(run: Run) -> list[str]:
    """Differences of the ended `run` from one that nothing happened to."""
    found = []
    with (run.path / "progress.csv").open() as file:
        head, *rows = csv.reader(file)
    logged = [int(row[head.index("steps")]) for row in rows]
    if logged != list(range(UPDATE, run.total + 1, UPDATE)):
        found.append("the log lacks updates or has them twice")
    if any(len(row) != len(head) for row in rows):
        found.append("the log has rows that are cut or glued")
    alone = ("--out", "alone", *SMALL, "--steps", run.total, "--processes", 2, "--threads", 2)
    ended(grek(run.place, "train", *alone), run.place)
    one, other = (checkpoint.newest(run.place / name)[0] for name in ("alone", "run"))
    return found + [
        f"its {part} differs from that of a run without kills"
        for part in ("policy", "optimizer", "curriculum")
        if not same(one[part], other[part])
    ]


def same(one: Any, other: Any) -> bool:
    """Return True if two parts of checkpoints are equal, bit for bit."""
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(map(same, one, other))
    return torch.equal(one, other) if isinstance(one, torch.Tensor) else bool(one == other)


def main(number: int = 20, seed: int = 0) -> int:
    """Kill a run `number` times; return the exit code."""
    random.seed(seed)
    place = Path(tempfile.mkdtemp(prefix="grek-kills-"))
    print(f"{number} kills, seed {seed}, in {place}", flush=True)
    cluster = started()
    run = Run(cluster, place, STEPS * number)
    assert run.advances(0, 0), (place / "said").read_text()
    recovered = killed(run, number)
    ended(run.process, place)
    found = faults(run)
    cluster.shutdown()
    print(f"{recovered} recoveries of {number} kills; log and weights as without them: {not found}")
    print(*found, sep="\n", end="\n" * bool(found))
    return int(bool(found) or recovered < number)


if __name__ == "__main__":
    sys.exit(main(*map(int, sys.argv[1:])))
