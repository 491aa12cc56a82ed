"""Training on a cluster: Ray Train places the processes and starts them again when one dies."""

import contextlib
import csv
import dataclasses
import logging
import shutil
import sys
import threading
import time
from pathlib import Path
from typing import Any

from grek import extensions
from grek.cluster.connection import connected
from grek.errors import InputError
from grek.progress import Show, counter
from grek.training import checkpoint, run_directory
from grek.training.config import TrainConfig
from grek.training.parallel import collectives, launcher
from grek.training.stopping import Budget, Interruption

RESTARTS = 100  # after which a run that keeps failing ends
LOOK = 1.0  # time between two looks at the run [s]


@dataclasses.dataclass(frozen=True)
class Job:
    """A run on a cluster, from which a process learns at any restart what is left to do."""

    config: TrainConfig
    """Settings, those of the run to resume included."""
    until: int | None
    """Environment step at which the run ends."""
    deadline: float | None
    """Unix time at which the run ends [s]."""


class Stop(Interruption):
    """Request to save and end, made by a file; threads of Ray cannot handle signals."""

    def __init__(self, file: Path) -> None:
        self.file = file

    @property
    def requested(self) -> bool:  # type: ignore[override]
        return self.file.exists()

    def __enter__(self) -> "Stop":
        return self

    def __exit__(self, *_: object) -> None:
        pass


def train(config: TrainConfig, address: str, workers: int) -> Path:
    """Train in `workers` processes on the cluster at `address`; return the run directory.

    The run directory must lie on storage that this machine and all nodes share. A process or a node
    that dies costs the steps since the last checkpoint. `config.threads` are those of a worker, 1
    for 0. Raises InputError and KeyboardInterrupt as `train` of one machine does.
    """
    each = config.threads or 1
    config = dataclasses.replace(config, processes=workers, threads=each * workers)
    run, settings, state = run_directory.prepare(config)
    run = run.absolute()
    with run_directory.locked(run), connected(address, "ray.train.torch") as ray:
        cores = int(ray.cluster_resources().get("CPU", 0))
        if workers * each > cores:
            raise InputError(
                f"--workers {workers} of {each} thread{'s' * (each > 1)} need {workers * each}"
                f" cores; the cluster at {address} has {cores}"
            )
        launcher.announce(settings, state)
        if config.resume is None and run.exists():
            shutil.rmtree(run)  # --force; what lies there from here on is this run
        budget = Budget(config, 0 if state is None else int(state["steps"]))
        job = Job(
            dataclasses.replace(config, out=run, force=False),
            None if budget.steps is None else budget.first_step + budget.steps,
            None if budget.seconds is None else time.time() + budget.seconds,
        )
        return _watched(job, run, budget, each)


def _watched(job: Job, run: Path, budget: Budget, each: int) -> Path:
    """Run `job` on Ray Train, show its progress, and have it saved and ended when interrupted."""
    ended: list[Any] = []
    thread = threading.Thread(target=lambda: ended.append(_fitted(job, run, each)), daemon=True)
    asked, known = False, _resumptions(run) + (job.config.resume is not None)
    stop = _beside(run, "stop")
    stop.unlink(missing_ok=True)
    try:
        thread.start()
        with counter("steps" if budget.steps else "s") as show:
            while thread.is_alive():
                try:
                    thread.join(LOOK)
                    _tell(run, budget, show)
                    if (found := _resumptions(run)) > known:
                        known = found
                        print("grek: a process was lost; its run goes on", file=sys.stderr)
                except KeyboardInterrupt:
                    if asked:
                        raise
                    asked = True
                    stop.touch()
    finally:
        stop.unlink(missing_ok=True)
        shutil.rmtree(_beside(run, "ray"), ignore_errors=True)
    again = f"to continue from the last checkpoint: grek train --resume {run}"
    (outcome,) = ended
    if not isinstance(outcome, launcher.Outcome):
        raise InputError(f"the cluster gave up: {str(outcome).strip().splitlines()[-1]}; {again}")
    return launcher.concluded([outcome], run, again)


def _beside(run: Path, kind: str) -> Path:
    """File or directory of the command beside the run directory, removed at its end."""
    return run.with_name(f".{run.name}.{kind}")


def _tell(run: Path, budget: Budget, show: Show) -> None:
    """Show the last row of progress.csv, unless it is not there yet or not whole."""
    with contextlib.suppress(OSError, ValueError, KeyError, IndexError):
        head, *rows = csv.reader((run / "progress.csv").read_text().splitlines())
        row = {name: float(value) for name, value in zip(head, rows[-1], strict=True)}
        done, total = row["steps"] - budget.first_step, float(budget.steps or 0)
        if budget.seconds is not None:
            done, total = budget.elapsed(), budget.seconds
        note = f"{row['steps_per_second']:.0f} steps/s, level {row['level']:.1f}"
        show(min(done, total), total, f"{note}, reward {row['reward']:.2f}")


def _resumptions(run: Path) -> int:
    """Number of times that `run` has gone on from a checkpoint, as its config.json says."""
    with contextlib.suppress(InputError):
        return len(run_directory.recorded(run).get("resumed", []))
    return 0


def _fitted(job: Job, run: Path, each: int) -> Any:
    """Outcome of the leader of `job`, or the error with which Ray Train ended."""
    from ray.train import FailureConfig, RunConfig, ScalingConfig
    from ray.train.torch import TorchConfig, TorchTrainer

    logging.getLogger("ray").setLevel(logging.CRITICAL)
    own = _beside(run, "ray")  # files of Ray Train itself
    trainer = TorchTrainer(
        work,
        train_loop_config={"job": job},
        torch_config=TorchConfig(backend="gloo"),
        scaling_config=ScalingConfig(
            num_workers=job.config.processes, resources_per_worker={"CPU": each}
        ),
        run_config=RunConfig(
            name=own.name,
            storage_path=str(own.parent),
            failure_config=FailureConfig(max_failures=RESTARTS),
        ),
    )
    try:
        return trainer.fit().return_value
    except Exception as error:  # of any kind: it came from another process
        return error


def work(settings: dict[str, Any]) -> launcher.Outcome:
    """Train as one process of a group that Ray Train has connected."""
    extensions.load()
    job: Job = settings["job"]
    run = job.config.out
    if collectives.anywhere(not run.parent.is_dir()):
        return launcher.Outcome("refused", f"not all nodes see {run.parent}")
    return launcher.worked(left(job), Stop(_beside(run, "stop")))


def left(job: Job) -> TrainConfig:
    """Settings for what is left of `job`: all of it, or from its last checkpoint on."""
    config, run = job.config, job.config.out
    if config.resume is None:
        try:
            checkpoint.newest(run)
        except InputError:  # nothing to go on from yet
            return dataclasses.replace(config, force=True)
    state, _ = checkpoint.newest(run)
    again = TrainConfig(resume=run, threads=config.threads, processes=config.processes)
    if job.until is not None and state["steps"] < job.until:
        return dataclasses.replace(again, steps=job.until - state["steps"])
    seconds = 0.0 if job.deadline is None else max(job.deadline - time.time(), 0.0)
    return dataclasses.replace(again, minutes=seconds / 60)
