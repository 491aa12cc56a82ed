"""Short films of a run in progress, made by `grek render` in processes of their own.

Training goes on meanwhile and shares the cores with one process of lowest priority.
"""

import itertools
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

from grek.sanitize import message

SECONDS = 6.0  # length of a film [s]
SIZE = "480", "270"  # [px]
ONE_CORE = {"OMP_NUM_THREADS": "1", "LP_NUM_THREADS": "1"}  # numerics, and OpenGL in software


class Films:
    """Films into `directory`, at least `every` [s] apart, each on the next of `materials`.

    None is made if `every` is None. A context manager: leaving it waits for the film that is being
    made, or ends it after an exception. Lines on stderr name the films; one that cannot be made is
    the last.
    """

    last: Path | None = None
    """Last film that is complete."""

    def __init__(self, directory: Path, every: float | None, materials: Sequence[str]) -> None:
        self.directory, self.every = directory, every
        self._materials = itertools.cycle(materials)
        self._began = time.monotonic()
        self._making: tuple[subprocess.Popen[str], Path] | None = None

    def due(self) -> bool:
        """Return True if it is time for the next film and the last one is complete."""
        self._look()
        idle = self.every is not None and self._making is None
        return idle and time.monotonic() - self._began >= (self.every or 0.0)

    def begin(self, policy: Path) -> None:
        """Begin the film of the ONNX file `policy`, which gets its name."""
        path = policy.with_suffix(".mp4")
        command = ["render", str(policy), "--material", next(self._materials), "--out", str(path)]
        command += ["--seconds", str(SECONDS), "--size", *SIZE, "--force"]
        self._began = time.monotonic()
        made = subprocess.Popen(
            [sys.executable, "-m", "grek", *command],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, **ONE_CORE},
        )
        if hasattr(os, "setpriority"):
            os.setpriority(os.PRIO_PROCESS, made.pid, 19)
        self._making = made, path

    def stop(self) -> None:
        """End the film that is being made."""
        if self._making is not None:
            process, _ = self._making
            self._making = None
            process.terminate()
            process.communicate()

    def __enter__(self) -> "Films":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if error is not None:
            self.stop()
        elif self._making is not None:
            self._making[0].wait()
            self._look()

    def _look(self) -> None:
        """Note the film that was being made if its process has ended."""
        if self._making is None:
            return
        process, path = self._making
        if process.poll() is None:
            return
        self._making = None
        _, said = process.communicate()
        if process.returncode == 0:
            self.last = path
            print(f"film: {path}", file=sys.stderr, flush=True)
        else:
            self.every = None
            reason = message(said.strip().rpartition("\n")[2]) or f"exit {process.returncode}"
            print(f"grek: no more films of this run: {reason}", file=sys.stderr)
