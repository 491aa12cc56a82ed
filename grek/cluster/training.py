"""Training on a cluster: Ray Train places the processes and starts them again when one dies."""

import contextlib
import csv
import dataclasses
import logging
import os
import shutil
import sys
import threading
import time
from pathlib import Path
from typing import Any

from grek import extensions
from grek.cluster.connection import connected
from grek.cluster.watch import Watch, watching
from grek.errors import InputError
from grek.progress import Show, counter
from grek.training import checkpoint, run_directory
from grek.training.config import TrainConfig
from grek.training.parallel import collectives, launcher
from grek.training.stopping import Budget, Interruption

RESTARTS = 100  # after which a run that keeps failing ends
CONTROLLERS = 3  # of Ray Train, which a death at a bad moment ends
MESSAGE = 600  # time in which processes must answer each other, and show that they live [s]
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
    with (
        run_directory.locked(run),
        connected(address, "ray.train.torch") as ray,
        watching(ray, address, workers, each) as watch,
    ):
        if workers > watch.room:
            raise InputError(
                f"--workers {workers} of {each} thread{'s' * (each > 1)}: {watch.name} has cores"
                f" for {watch.room}"
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
        return _watched(job, run, budget, watch)


def _watched(job: Job, run: Path, budget: Budget, watch: Watch) -> Path:
    """Run `job` on Ray Train, show its progress, and have it saved and ended when interrupted."""
    ended: list[Any] = []
    thread = threading.Thread(target=lambda: ended.append(_fitted(job, run)), daemon=True)
    asked, known = False, _resumptions(run) + (job.config.resume is not None)
    again = f"to continue from the last checkpoint: grek train --resume {run}"
    row: dict[str, str] = {}
    stop = _beside(run, "stop")
    stop.unlink(missing_ok=True)
    try:
        thread.start()
        with counter("steps" if budget.steps else "s") as show:
            while thread.is_alive():
                try:
                    thread.join(LOOK)
                    before, row = row, _last(run)
                    if row != before:
                        watch.heard()
                    _tell(row, budget, show)
                    if (found := _resumptions(run)) > known:
                        known = found
                        watch.heard()
                        print("grek: a process was lost; its run goes on", file=sys.stderr)
                    watch.look()
                except KeyboardInterrupt:
                    if asked:
                        raise
                    asked = True
                    stop.touch()
    except InputError as lost:
        raise InputError(f"{lost}; {again}") from None
    finally:
        stop.unlink(missing_ok=True)
        shutil.rmtree(_beside(run, "ray"), ignore_errors=True)
    (outcome,) = ended
    if not isinstance(outcome, launcher.Outcome):
        raise InputError(f"the cluster gave up: {str(outcome).strip().splitlines()[-1]}; {again}")
    return launcher.concluded([outcome], run, again)


def _beside(run: Path, kind: str) -> Path:
    """File or directory of the command beside the run directory, removed at its end."""
    return run.with_name(f".{run.name}.{kind}")


def _last(run: Path) -> dict[str, str]:
    """Last row of progress.csv, empty unless it is there and whole."""
    with contextlib.suppress(OSError, ValueError, IndexError):
        head, *rows = csv.reader((run / "progress.csv").read_text().splitlines())
        return dict(zip(head, rows[-1], strict=True))
    return {}


def _tell(row: dict[str, str], budget: Budget, show: Show) -> None:
    """Show a `row` of progress.csv, unless it is empty."""
    with contextlib.suppress(ValueError, KeyError):
        value = {name: float(text) for name, text in row.items()}
        done, total = value["steps"] - budget.first_step, float(budget.steps or 0)
        if budget.seconds is not None:
            done, total = budget.elapsed(), budget.seconds
        note = f"{value['steps_per_second']:.0f} steps/s, level {value['level']:.1f}"
        show(min(done, total), total, f"{note}, reward {value['reward']:.2f}")


def _resumptions(run: Path) -> int:
    """Number of times that `run` has gone on from a checkpoint, as its config.json says."""
    with contextlib.suppress(InputError):
        return len(run_directory.recorded(run).get("resumed", []))
    return 0


def _fitted(job: Job, run: Path) -> Any:
    """Outcome of the leader of `job`, or the error with which Ray Train ended."""
    from ray.exceptions import RayActorError
    from ray.train import ControllerError, FailureConfig, RunConfig, ScalingConfig
    from ray.train.torch import TorchConfig, TorchTrainer

    logging.getLogger("ray").setLevel(logging.CRITICAL)
    os.environ.setdefault("RAY_TRAIN_WORKER_HEALTH_CHECK_TIMEOUT_S", str(MESSAGE))
    os.environ.setdefault("RAY_TRAIN_ENABLE_PREEMPTION_WATCHER", "0")  # for runs that heed it
    own = _beside(run, "ray")  # files of Ray Train itself
    count = job.config.processes
    trainer = TorchTrainer(
        work,
        train_loop_config={"job": job},
        torch_config=TorchConfig(backend="gloo", timeout_s=MESSAGE),
        scaling_config=ScalingConfig(
            num_workers=count, resources_per_worker={"CPU": job.config.threads // count}
        ),
        run_config=RunConfig(
            name=own.name,
            storage_path=str(own.parent),
            failure_config=FailureConfig(max_failures=RESTARTS),
        ),
    )
    failure: Exception | None = None
    for _ in range(CONTROLLERS):
        try:
            return trainer.fit().return_value
        except (ControllerError, RayActorError) as error:
            failure = error
        except Exception as error:  # of any kind: it came from another process
            return error
    return failure


def work(settings: dict[str, Any]) -> launcher.Outcome:
    """Train as one process of a group that Ray Train has connected."""
    extensions.load()
    job: Job = settings["job"]
    run = job.config.out
    if collectives.anywhere(not run.parent.is_dir()):
        return launcher.Outcome("refused", f"not all nodes see {run.parent}")
    outcome = launcher.worked(left(job), Stop(_beside(run, "stop")))
    if outcome.kind == "lost":  # an error, after which Ray Train starts all processes again
        raise ConnectionError(outcome.said)
    return outcome


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
