"""A Ray cluster of two nodes on this machine: train and score while workers and nodes die.

`make test-cluster` runs those marked `cluster`; the others need no cluster.
"""

import csv
import errno
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

from grek import files
from grek.__main__ import main
from grek.cluster import connection, scoring, training, watch
from grek.errors import InputError
from grek.eval.scores import evaluate, policies, scorecard
from grek.training import checkpoint, run_directory
from grek.training.config import PPOConfig, TrainConfig
from grek.training.parallel import launcher

ROOT = Path(__file__).resolve().parents[2]
UPDATE = 8 * 8
SMALL = [
    *("--worlds", "8", "--seed", "3", "--ppo.rollout", "8", "--ppo.minibatches", "2"),
    *("--ppo.epochs", "2", "--ppo.hidden", "16"),
]
OFTEN = "import grek.training.train\ngrek.training.train.CHECKPOINT_EVERY = 0.5\n"
SMALL_SHARDS = "import grek.cluster.scoring\ngrek.cluster.scoring.SHARD = 20\n"
PATIENCE = float(os.environ.get("PATIENCE", 300))  # [s]


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    """A head and a node, with a core each."""
    made = started()
    yield made
    made.shutdown()


def started() -> Any:
    """A cluster of a head and a node, with a core each.

    Workers start when they are needed only, and have no lower priority than the test.
    """
    from ray.cluster_utils import Cluster

    few = {"enable_worker_prestart": False, "prestart_worker_first_driver": False}
    settings = {**few, "worker_niceness": 0}
    head = {"num_cpus": 1, "include_dashboard": False, "_system_config": settings}
    made = Cluster(initialize_head=True, head_node_args=head)
    made.add_node(num_cpus=1)
    return made


def grek(place: Path, *arguments: object, extension: str = "") -> subprocess.Popen[str]:
    """`grek ARGUMENTS` in `place`; `extension` is in all its processes, stderr in the file said."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    if extension:
        (place / "extension.py").write_text(extension)
        environment["GREK_EXTENSIONS"] = str(place / "extension.py")
    return subprocess.Popen(
        [sys.executable, "-m", "grek", *map(str, arguments)],
        cwd=place,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=(place / "said").open("w"),
        text=True,
    )


def ended(process: subprocess.Popen[str], place: Path, code: int = 0) -> str:
    """What `process` in `place` said on stderr, once it has ended with `code`."""
    try:
        process.communicate(timeout=PATIENCE)
    finally:
        process.kill()
    said = (place / "said").read_text()
    assert process.returncode == code, said
    return said


def until(condition: Callable[[], Any], process: subprocess.Popen[str]) -> Any:
    """What `condition` returns, once it is true; `process` must go on until then."""
    deadline = time.monotonic() + PATIENCE
    while not (found := condition()):
        if process.poll() is not None or time.monotonic() > deadline:
            process.kill()
            pytest.fail(f"ended with {process.returncode}" if process.returncode else "waits")
        time.sleep(0.05)
    return found


def kill_node(cluster: Any) -> None:
    """Kill all processes of the node that is not the head."""
    (node,) = cluster.worker_nodes
    cluster.remove_node(node, allow_graceful=False)


def replace_node(cluster: Any) -> None:
    """Add a node for one that was killed, and wait until the head knows of both."""
    cluster.add_node(num_cpus=1)
    cluster.wait_for_nodes(PATIENCE)


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
    total, run = 90 * UPDATE, tmp_path / "run"
    flags = [*SMALL, "--steps", total]
    alone = ["--out", tmp_path / "alone", "--processes", 2, "--threads", 2]
    assert main(["train", *map(str, [*flags, *alone])]) == 0
    process = grek(
        tmp_path,
        *("train", "--out", "run", *flags, "--cluster", cluster.address, "--workers", 2),
        extension=OFTEN,
    )

    def saved(after: int) -> bool:
        kept = sorted((run / "checkpoints").glob("step_*.pt"))
        return bool(kept) and int(kept[-1].stem[5:]) > after

    until(lambda: saved(0), process)
    before = steps(run)[-1]
    os.kill(next(iter(workers(cluster, "RayTrainWorker"))), signal.SIGKILL)
    until(lambda: training._resumptions(run) == 1 and saved(before), process)
    kill_node(cluster)
    short = f"grek: the cluster at {cluster.address} has cores for 1 of 2 workers; it has 600 s"
    until(lambda: short in (tmp_path / "said").read_text(), process)
    replace_node(cluster)
    said = ended(process, tmp_path)
    assert said.splitlines()[0] == "grek: 2 processes, each with 4 worlds and 1 thread"
    assert said.count("grek: a process was lost; its run goes on") == 2
    assert training._resumptions(run) == 2
    assert steps(run) == list(range(UPDATE, total + UPDATE, UPDATE))
    assert policies.load(str(run)).contract["training"]["steps"] == total
    one, two = (checkpoint.newest(tmp_path / name)[0]["policy"] for name in ("alone", "run"))
    for name in one:
        assert torch.equal(one[name], two[name]), name
    left = {path.name for path in tmp_path.iterdir()} - {"alone", "run", "extension.py", "said"}
    assert left <= {".alone.lock", ".run.lock", "__pycache__"}


@pytest.mark.cluster
def test_training_on_a_cluster_is_saved_when_interrupted(cluster, tmp_path):
    process = grek(
        tmp_path,
        *("train", "--out", "run", *SMALL, "--cluster", cluster.address, "--workers", 2),
    )
    until(lambda: steps(tmp_path / "run"), process)
    process.send_signal(signal.SIGTERM)
    said = ended(process, tmp_path, 130)
    assert "grek: interrupted and saved; to continue: grek train --resume " in said
    done = checkpoint.newest(tmp_path / "run")[0]["steps"]
    assert done == steps(tmp_path / "run")[-1]


@pytest.mark.cluster
def test_scores_are_the_same_bytes_also_after_a_worker_and_a_node_have_died(cluster, tmp_path):
    suite = ["eval", "gait", "--suite", "train", "--episodes", "16"]
    assert main([*suite, "--out", str(tmp_path / "alone"), "--threads", "1"]) == 0
    far = ["--out", "far", "--cluster", cluster.address]
    process = grek(tmp_path, *suite, *far, extension=SMALL_SHARDS)
    os.kill(next(iter(until(lambda: workers(cluster, "shard"), process))), signal.SIGKILL)
    until(lambda: cluster.head_node not in workers(cluster, "shard").values(), process)
    kill_node(cluster)
    ended(process, tmp_path)
    replace_node(cluster)
    assert not list((tmp_path / "far").glob("*partial*"))
    for name in ("scorecard.json", "scorecard.md", "scorecard.html"):
        assert (tmp_path / "far" / name).read_bytes() == (tmp_path / "alone" / name).read_bytes()


@pytest.mark.cluster
def test_more_workers_than_the_cluster_has_cores_for_are_refused(cluster, tmp_path):
    there = ["train", *SMALL, "--cluster", cluster.address, "--workers", 4]
    assert ended(grek(tmp_path, *there), tmp_path, 2) == (
        f"grek: --workers 4 of 1 thread: the cluster at {cluster.address} has cores for 2\n"
    )


@pytest.mark.cluster
def test_something_that_is_no_cluster_is_one_line(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"127.0.0.1:{silent.getsockname()[1]}"
        process = grek(tmp_path, "eval", "zero", "--cluster", address)
        said = ended(process, tmp_path, 2)
    assert said.startswith(f"grek: --cluster {address}: no Ray cluster answers there")
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


def test_a_full_disk_ends_the_run(tmp_path, monkeypatch):
    def full(file: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(files.os, "fsync", full)
    config = TrainConfig(out=tmp_path / "run", steps=64, worlds=4, threads=1, processes=1)
    ended = training.work({"job": training.Job(config, 64, None)})
    assert ended.kind == "refused" and ended.said.startswith(f"cannot write {config.out}/")
    assert ended.said.endswith(": No space left on device")


def test_processes_that_have_lost_each_other_are_started_again(tmp_path, monkeypatch):
    """An error makes Ray Train do so, and an outcome would end the run."""
    lost = launcher.Outcome("lost", "connection reset by peer")
    monkeypatch.setattr(launcher, "worked", lambda *_: lost)
    config = TrainConfig(out=tmp_path / "run", steps=64, processes=1)
    with pytest.raises(ConnectionError, match="connection reset by peer"):
        training.work({"job": training.Job(config, 64, None)})


def watched(cores: dict[str, float], workers: int, threads: int) -> watch.Watch:
    """Watch over living machines with `cores` by name, this one "here"."""
    nodes = [{"NodeID": n, "Alive": True, "Resources": {"CPU": c}} for n, c in cores.items()]
    nodes.append({"NodeID": "dead", "Alive": False, "Resources": {"CPU": 64.0}})
    ray = SimpleNamespace(
        nodes=lambda: nodes,
        get_runtime_context=lambda: SimpleNamespace(get_node_id=lambda: "here"),
    )
    return watch.Watch(ray, "head:6379", workers, threads)


def test_a_worker_needs_its_cores_on_one_machine():
    assert watched({"here": 3.0, "there": 5.0}, workers=4, threads=2).room == 1 + 2


def test_a_cluster_that_has_lost_cores_gets_ten_minutes(capsys):
    guard = watched({"here": 1.0}, workers=2, threads=1)
    said = "the cluster at head:6379 has cores for 1 of 2 workers"
    guard.look()
    guard.look()
    assert capsys.readouterr().err == f"grek: {said}; it has 600 s to get more\n"
    guard.room = 2
    guard.look()
    guard.room = 1
    guard.look()
    assert capsys.readouterr().err.count("\n") == 1
    guard.short -= 601
    with pytest.raises(InputError, match=f"^{said}, for 600 s now$"):
        guard.look()


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"member": False}, "has lost this machine"),
        ({"answered": -46.0}, "has not answered for 45 s"),
        ({"told": -1801.0}, "nothing came from the cluster at head:6379 for 1800 s"),
    ],
)
def test_a_cluster_that_is_lost_is_given_up(change, told):
    guard = watched({"here": 1.0}, workers=1, threads=1)
    guard.look()
    for name, value in change.items():
        setattr(guard, name, time.monotonic() + value if value else value)
    with pytest.raises(InputError, match=told):
        guard.look()


def test_a_head_that_raises_or_is_slow_holds_nothing_up(monkeypatch):
    """Its last answer stays, and grows old."""
    asked = threading.Event()

    def nodes() -> list[dict[str, Any]]:
        if known:
            return [known.pop()]
        asked.set()
        raise RuntimeError("unavailable")

    known = [{"NodeID": "here", "Alive": True, "Resources": {"CPU": 2.0}}]
    ray = SimpleNamespace(
        nodes=nodes, get_runtime_context=lambda: SimpleNamespace(get_node_id=lambda: "here")
    )
    monkeypatch.setattr(watch, "LOOK", 0.01)
    with watch.watching(ray, "head:6379", 2, 1) as guard:
        first = guard.answered
        assert asked.wait(60)
        guard.look()
        assert (guard.room, guard.answered) == (2, first)


def test_a_run_that_cannot_be_locked_is_refused(tmp_path):
    long = tmp_path / ("x" * 250)  # a file's name may have 255
    with pytest.raises(InputError, match="File name too long"), run_directory.locked(long):
        pass


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
        wait=lambda tasks, timeout: (tasks, []),
        nodes=lambda: [{"NodeID": "here", "Alive": True, "Resources": {"CPU": 2.0}}],
        get_runtime_context=lambda: SimpleNamespace(get_node_id=lambda: "here"),
    )
    suite = (policy, "train", 1)
    seen: list[tuple[int, int]] = []
    sharded = evaluate.score(
        *suite,
        progress=lambda done, total: seen.append((done, total)),
        elsewhere=scoring.elsewhere(there, "local", policy),
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
