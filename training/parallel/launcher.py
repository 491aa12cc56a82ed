"""Start and end of the processes that train one policy on this machine: `grek train --processes N`.

PyTorch's elastic launcher starts them, connects them and ends all of them when one dies.
"""

import contextlib
import dataclasses
import io
import logging
import multiprocessing
import os
import signal
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any, NamedTuple

from grek import extensions
from grek.errors import InputError
from grek.training import checkpoint, run_directory
from grek.training.config import TrainConfig
from grek.training.parallel.collectives import PeerLost
from grek.training.stopping import Interruption

if TYPE_CHECKING:
    from multiprocessing.process import BaseProcess


class Outcome(NamedTuple):
    """End of the training in one process: "done", "refused", "interrupted" or "lost", and why."""

    kind: str
    said: str


def launch(config: TrainConfig) -> Path:
    """Train with the number of processes that `config` asks for; return the run directory.

    One process trains in this one. Raises InputError and KeyboardInterrupt as `train` does, and
    InputError if a process was killed; the others have ended then.
    """
    from grek.training.train import train

    config = dataclasses.replace(config, processes=processes(config))
    if config.processes == 1:
        return train(config)
    with contextlib.redirect_stderr(io.StringIO()):  # the leader repeats these warnings
        run, _, _ = run_directory.prepare(config)
    with run_directory.locked(run):
        return _elastic(config, run)


def announce(settings: TrainConfig, state: dict[str, Any] | None) -> None:
    """Print how `settings` share the work, and what of the checkpoint `state` does not go on."""
    count, run = settings.processes, settings.out
    threads = max((settings.threads or os.cpu_count() or 1) // count, 1)
    worlds = settings.worlds // count
    print(
        f"grek: {count} process{'es' * (count > 1)}, each with {worlds} world{'s' * (worlds > 1)}"
        f" and {threads} thread{'s' * (threads > 1)}",
        file=sys.stderr,
    )
    before = count if state is None else checkpoint.processes(state)
    if before != count:
        print(
            f"grek: {run} had {before} process{'es' * (before > 1)}: weights, optimiser,"
            " normaliser and curriculum go on, the worlds start anew",
            file=sys.stderr,
        )


def processes(config: TrainConfig) -> int:
    """Number of processes: that of `config`, else that of the run to resume, else 1."""
    if config.processes:
        return config.processes
    if config.resume is not None:
        return run_directory.processes(config.resume)
    return 1


def _elastic(config: TrainConfig, run: Path) -> Path:
    """Train in `config.processes` processes of PyTorch's elastic launcher."""
    from torch.distributed.elastic.multiprocessing import DefaultLogsSpecs
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
    from torch.distributed.launcher.api import LaunchConfig, elastic_launch

    logging.getLogger("torch.distributed.elastic").setLevel(logging.CRITICAL)
    count = config.processes
    again = f"to continue from the last checkpoint: grek train --resume {run}"
    with tempfile.TemporaryDirectory(prefix="grek-") as logs, _forwarded() as asked:
        settings = LaunchConfig(
            min_nodes=1,
            max_nodes=1,
            nproc_per_node=count,
            run_id=Path(logs).name,
            rdzv_backend="c10d",
            rdzv_endpoint="127.0.0.1:0",
            local_addr="127.0.0.1",
            max_restarts=0,
            logs_specs=DefaultLogsSpecs(log_dir=logs),
            signals_to_handle="SIGQUIT",  # `_forwarded` handles the others
        )
        try:
            outcomes = elastic_launch(settings, work)(config)
        except ChildFailedError as failed:
            if asked:
                raise KeyboardInterrupt(f"interrupted; {again}") from None
            rank, failure = failed.get_first_failure()
            raise InputError(
                f"process {rank} of {count} ended: {failure.message.splitlines()[-1]}; {again}"
            ) from None
    return concluded(list(outcomes.values()), run, again)


def concluded(outcomes: list[Outcome], run: Path, again: str) -> Path:
    """Return or raise what the `outcomes` of all processes amount to; `again` says how to go on."""
    said = {kind: text for kind, text in reversed(outcomes)}  # the lowest rank speaks
    if "refused" in said:
        raise InputError(said["refused"])
    if "interrupted" in said:
        raise KeyboardInterrupt(said["interrupted"] or f"interrupted; {again}")
    if "lost" in said:
        raise InputError(f"the processes lost each other: {said['lost']}; {again}")
    return run


def work(config: TrainConfig) -> Outcome:
    """Train as one process of a group; elastic has set its rank in the environment."""
    import torch.distributed as dist

    launcher = multiprocessing.parent_process()
    assert launcher is not None
    connected = threading.Event()
    threading.Thread(target=_ends_with, args=(launcher, connected), daemon=True).start()
    os.setpgid(0, 0)  # Ctrl-C reaches the launcher only, which tells all processes
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
    try:
        extensions.load()
        dist.init_process_group("gloo")
        connected.set()
        return worked(config)
    except KeyboardInterrupt as stop:  # before or after the training, which handles its own
        return Outcome("interrupted", str(stop))
    finally:
        if dist.is_initialized():
            dist.destroy_process_group()
        if not launcher.is_alive():  # nobody is left to take the outcome; elastic would wait
            sys.exit(1)


def _ends_with(launcher: "BaseProcess", connected: threading.Event) -> None:
    """End this process with `launcher` if that is before it is `connected`: it would wait for half
    an hour; once connected, its training ends by itself."""
    launcher.join()
    if not connected.is_set():
        os._exit(1)


def worked(config: TrainConfig, interruption: Interruption | None = None) -> Outcome:
    """Train in this member of a group, whose leader alone prints; return how it ended."""
    from grek.training.parallel import collectives
    from grek.training.train import train

    quiet = contextlib.redirect_stderr(io.StringIO())
    try:
        with quiet if collectives.rank() else contextlib.nullcontext():
            train(config, interruption=interruption)
    except (InputError, OSError) as error:
        return Outcome("refused", str(error))
    except KeyboardInterrupt as stop:
        return Outcome("interrupted", str(stop))
    except PeerLost as error:
        return Outcome("lost", str(error))
    return Outcome("done", "")


@contextlib.contextmanager
def _forwarded() -> Iterator[list[int]]:
    """Context in which SIGINT and SIGTERM go to the processes started here, which save and end.

    Yields the signals so far. Before there are processes, a signal raises KeyboardInterrupt.
    """
    asked: list[int] = []

    def forward(number: int, frame: FrameType | None) -> None:
        children = multiprocessing.active_children()
        if not children:
            raise KeyboardInterrupt
        asked.append(number)
        for child in children:
            child.terminate()

    before = {n: signal.signal(n, forward) for n in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield asked
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
