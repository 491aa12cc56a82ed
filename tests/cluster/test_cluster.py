"""A Ray cluster of three nodes on this machine: train and score while workers and nodes die.

`make test-cluster` runs those marked `cluster`; the others need no cluster.
"""

import csv
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from grek.__main__ import main
from grek.cluster import connection, scoring, training
from grek.errors import InputError
from grek.eval.scores import evaluate, policies, scorecard
from grek.training import checkpoint
from grek.training.config import PPOConfig, TrainConfig
from grek.training.parallel import launcher

ROOT = Path(__file__).resolve().parents[2]
UPDATE = 8 * 8
SMALL = [
    *("--worlds", "8", "--seed", "3", "--ppo.rollout", "8", "--ppo.minibatches", "2"),
    *("--ppo.epochs", "2", "--ppo.hidden", "16"),
]
OFTEN = "import grek.training.train\ngrek.training.train.CHECKPOINT_EVERY = 0.5\n"
FULL = """import errno, os
def fsync(file):
    raise OSError(errno.ENOSPC, "No space left on device")
os.fsync = fsync
"""
PATIENCE = float(os.environ.get("PATIENCE", 300))  # [s]


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    """A head and two nodes, with a core each."""
    from ray.cluster_utils import Cluster

    head = {"num_cpus": 1, "include_dashboard": False}
    made = Cluster(initialize_head=True, head_node_args=head)
    for _ in range(2):
        made.add_node(num_cpus=1)
    yield made
    made.shutdown()


def grek(place: Path, *arguments: object, extension: str = "") -> subprocess.Popen[str]:
    """`grek ARGUMENTS` in `place`, with `extension` in all processes."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    if extension:
        (place / "extension.py").write_text(extension)
        environment["GREK_EXTENSIONS"] = str(place / "extension.py")
    return subprocess.Popen(
        [sys.executable, "-m", "grek", *map(str, arguments)],
        cwd=place,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def ended(process: subprocess.Popen[str], code: int = 0) -> str:
    """What `process` said on stderr, once it has ended with `code`."""
    _, said = process.communicate(timeout=PATIENCE)
    assert process.returncode == code, said
    return said


def until(condition: Callable[[], Any], process: subprocess.Popen[str]) -> Any:
    """What `condition` returns, once it is true; `process` must go on until then."""
    deadline = time.monotonic() + PATIENCE
    while not (found := condition()):
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.05)
    return found


def workers(cluster: Any, title: str) -> dict[int, Any]:
    """Process ids of the workers whose title contains `title`, with their nodes."""
    found = {}
    for node in cluster.list_all_nodes():
        raylet = node.all_processes["raylet"][0].process.pid
        children = Path(f"/proc/{raylet}/task").glob("*/children")
        for pid in " ".join(path.read_text() for path in children).split():
            if title in Path(f"/proc/{pid}/cmdline").read_text(errors="replace"):
                found[int(pid)] = node
    return found


def steps(run: Path) -> list[int]:
    """Steps of the rows of progress.csv."""
    if not (run / "progress.csv").exists():
        return []
    with (run / "progress.csv").open() as file:
        return [int(row["steps"]) for row in csv.DictReader(file) if row["steps"]]


@pytest.mark.cluster
def test_training_goes_on_after_a_worker_and_a_node_have_died(cluster, tmp_path):
    """And ends with the bits of two processes on one machine that nothing happened to."""
    total, run = 150 * UPDATE, tmp_path / "run"
    flags = [*SMALL, "--steps", total]
    alone = grek(tmp_path, "train", "--out", "alone", *flags, "--processes", 2, "--threads", 2)
    ended(alone)
    process = grek(
        tmp_path,
        *("train", "--out", "run", *flags, "--cluster", cluster.address, "--workers", 2),
        extension=OFTEN,
    )

    def saved(after: int) -> bool:
        kept = sorted((run / "checkpoints").glob("step_*.pt"))
        return bool(kept) and int(kept[-1].stem[5:]) > after

    until(lambda: saved(0), process)
    pid = next(iter(workers(cluster, "RayTrainWorker")))
    before = steps(run)[-1]
    os.kill(pid, signal.SIGKILL)
    until(lambda: training._resumptions(run) == 1 and saved(before), process)
    nodes = workers(cluster, "RayTrainWorker").values()
    node = next(node for node in nodes if node is not cluster.head_node)
    cluster.remove_node(node, allow_graceful=False)
    said = ended(process)
    cluster.add_node(num_cpus=1)
    assert said.splitlines()[0] == "grek: 2 processes, each with 4 worlds and 1 thread"
    assert said.count("grek: a process was lost; its run goes on") == 2
    assert training._resumptions(run) == 2
    assert steps(run) == list(range(UPDATE, total + UPDATE, UPDATE))
    assert policies.load(str(run)).contract["training"]["steps"] == total
    one, two = (checkpoint.newest(tmp_path / name)[0]["policy"] for name in ("alone", "run"))
    for name in one:
        assert torch.equal(one[name], two[name]), name
    left = {path.name for path in tmp_path.iterdir()} - {"alone", "run", "extension.py"}
    assert left <= {".alone.lock", ".run.lock", "__pycache__"}


@pytest.mark.cluster
def test_training_on_a_cluster_is_saved_when_interrupted(cluster, tmp_path):
    process = grek(
        tmp_path,
        *("train", "--out", "run", *SMALL, "--cluster", cluster.address, "--workers", 2),
    )
    until(lambda: steps(tmp_path / "run"), process)
    process.send_signal(signal.SIGTERM)
    said = ended(process, 130)
    assert "grek: interrupted and saved; to continue: grek train --resume " in said
    done = checkpoint.newest(tmp_path / "run")[0]["steps"]
    assert done == steps(tmp_path / "run")[-1]


@pytest.mark.cluster
def test_scores_are_the_same_bytes_also_after_a_worker_and_a_node_have_died(cluster, tmp_path):
    suite = ["eval", "gait", "--suite", "train", "--episodes", 40]
    ended(grek(tmp_path, *suite, "--out", "alone", "--threads", 1))
    process = grek(tmp_path, *suite, "--out", "far", "--cluster", cluster.address)
    found = until(lambda: workers(cluster, "shard"), process)
    os.kill(next(iter(found)), signal.SIGKILL)

    def elsewhere() -> list[Any]:
        nodes = workers(cluster, "shard").values()
        return [node for node in nodes if node is not cluster.head_node]

    cluster.remove_node(until(elsewhere, process)[0], allow_graceful=False)
    ended(process)
    cluster.add_node(num_cpus=1)
    assert not list((tmp_path / "far").glob("*partial*"))
    for name in ("scorecard.json", "scorecard.md", "scorecard.html"):
        assert (tmp_path / "far" / name).read_bytes() == (tmp_path / "alone" / name).read_bytes()


@pytest.mark.cluster
def test_what_cannot_be_is_one_line(cluster, tmp_path):
    there = ["train", *SMALL, "--cluster", cluster.address]
    said = ended(grek(tmp_path, *there, "--workers", 4), 2)
    assert said == (
        f"grek: --workers 4 of 1 thread need 4 cores; the cluster at {cluster.address} has 3\n"
    )
    said = ended(grek(tmp_path, *there, "--workers", 2, extension=FULL), 2).splitlines()
    assert len(said) == 2 and said[0].startswith("grek: 2 processes")
    assert said[1].startswith("grek: cannot write ") and said[1].endswith(
        ": No space left on device"
    )


@pytest.mark.cluster
def test_something_that_is_no_cluster_is_one_line():
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"127.0.0.1:{silent.getsockname()[1]}"
        said = ended(grek(ROOT, "eval", "zero", "--cluster", address), 2)
    assert said.startswith(f"grek: --cluster {address}: no Ray cluster answers there: ")
    assert said.count("\n") == 1


needs_ray = pytest.mark.skipif(find_spec("ray") is None, reason="the extra `cluster`")


# -- without a cluster ------------------------------------------------------------------------


def refused(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert main(list(arguments)) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    return said


@needs_ray
@pytest.mark.parametrize(
    ("address", "told"),
    [
        ("127.0.0.1:1", "no Ray cluster answers there: Connection refused"),
        ("here", "is neither HOST:PORT nor 'local'"),
        ("127.0.0.1:99999", "is neither HOST:PORT nor 'local'"),
    ],
)
def test_wrong_addresses_are_refused(address, told, capsys, tmp_path):
    assert told in refused(capsys, "eval", "zero", "--cluster", address)
    flags = ("--workers", "2", "--out", str(tmp_path / "run"))
    assert told in refused(capsys, "train", "--cluster", address, *flags)
    assert not (tmp_path / "run").exists()


def test_flags_that_do_not_go_together_are_refused(capsys, tmp_path):
    assert "go together" in refused(capsys, "train", "--workers", "2")
    assert "go together" in refused(capsys, "train", "--cluster", "local")
    both = ("--cluster", "local", "--workers", "2", "--processes", "2")
    assert "--processes is for one machine" in refused(capsys, "train", *both)
    said = refused(capsys, "eval", "zero", "--suite", "faults", "--cluster", "local")
    assert "it runs on one machine" in said
    (tmp_path / "file").touch()
    missing = ("--out", str(tmp_path / "file/run"), "--cluster", "local", "--workers", "2")
    assert "is not a writable directory" in refused(capsys, "train", *missing)


def test_without_ray_the_extra_is_named(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "ray", None)
    said = refused(capsys, "eval", "zero", "--cluster", "local")
    assert said.endswith("install it with: pip install 'grek[cluster]'\n")


def test_storage_that_a_node_does_not_see_ends_the_run():
    job = training.Job(TrainConfig(out=Path("/nowhere/run")), until=64, deadline=None)
    assert training.work({"job": job}).said == "not all nodes see /nowhere"


def test_a_restarted_process_does_what_is_left(tmp_path, monkeypatch):
    run = tmp_path / "run"
    job = training.Job(TrainConfig(out=run, processes=2, threads=2), until=640, deadline=None)
    assert training.left(job) == TrainConfig(out=run, processes=2, threads=2, force=True)
    monkeypatch.setattr(checkpoint, "newest", lambda run: ({"steps": 448}, []))
    again = TrainConfig(resume=run, processes=2, threads=2, steps=192)
    assert training.left(job) == again
    monkeypatch.setattr(checkpoint, "newest", lambda run: ({"steps": 640}, []))
    assert training.left(job).minutes == 0  # killed while it wrote the policy
    monkeypatch.setattr(training.time, "time", lambda: 1000.0)
    timed = training.Job(job.config, until=None, deadline=1090.0)
    assert training.left(timed).minutes == 1.5
    begun = training.Job(TrainConfig(out=run, resume=run), until=640, deadline=None)
    monkeypatch.undo()
    with pytest.raises(InputError, match="no complete checkpoint"):
        training.left(begun)


@pytest.mark.parametrize("policy", ["gait", "walk"])
def test_shards_have_the_bytes_of_a_whole_suite(policy):
    """Whatever their size; their order is that of the suite."""
    there = SimpleNamespace(
        put=lambda value: value,
        get=lambda task: task(),
        remote=lambda **_: lambda f: SimpleNamespace(remote=partial(partial, f)),
        cluster_resources=lambda: {"CPU": 2.0},
    )
    suite = (policy, "train", 1)
    seen: list[tuple[int, int]] = []
    sharded = evaluate.score(
        *suite,
        progress=lambda done, total: seen.append((done, total)),
        elsewhere=scoring.elsewhere(there, policy),
        worlds=2,
    )
    whole = evaluate.score(*suite)
    assert scorecard.dumps(sharded) == scorecard.dumps(whole)
    total = len(whole["episodes"])
    assert seen == [(min(done, total), total) for done in range(2, total + 2, 2)]


def test_a_process_runs_in_a_thread_goes_on_and_stops_when_asked(tmp_path):
    """As Ray Train runs it, here alone: from the beginning, from a checkpoint, until a stop."""
    run = tmp_path / "run"
    ppo = PPOConfig(rollout=8, minibatches=2, epochs=1, hidden=(16,))
    config = TrainConfig(out=run, steps=64, worlds=4, threads=1, processes=1, ppo=ppo)

    def ran(until: int) -> launcher.Outcome:
        found: list[launcher.Outcome] = []
        job = training.Job(config, until, None)
        thread = threading.Thread(target=lambda: found.append(training.work({"job": job})))
        thread.start()
        thread.join()
        return found[0]

    assert ran(64).kind == "done" and steps(run) == [32, 64]
    assert ran(128).kind == "done" and steps(run) == [32, 64, 96, 128]
    assert ran(128).kind == "done" and steps(run) == [32, 64, 96, 128]
    assert training._resumptions(run) == 2
    (tmp_path / ".run.stop").touch()
    ended = ran(192)
    assert ended.kind == "interrupted" and ended.said.startswith("interrupted and saved; ")
    assert steps(run) == [32, 64, 96, 128]


def test_nothing_of_ray_is_imported_unless_asked_for():
    code = (
        "import sys, grek.commands, grek.training.train, grek.training.parallel.launcher\n"
        "import grek.cluster.training, grek.cluster.scoring\n"
        "sys.exit('ray' in sys.modules)"
    )
    ended = subprocess.run([sys.executable, "-c", code], env={**os.environ, "PYTHONPATH": ROOT})
    assert ended.returncode == 0
    assert connection.LOCAL == "local"
