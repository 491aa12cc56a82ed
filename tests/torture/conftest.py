"""The command as a process of its own."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def run_grek() -> Run:
    """Function that runs `grek ARGUMENTS` in a directory, with additions to the environment.

    `limit` is the largest file that it may write [KiB], as on a disk that is full.
    """

    def run(
        arguments: list[str], where: Path, limit: int | None = None, **environment: Any
    ) -> "subprocess.CompletedProcess[str]":
        command = [sys.executable, "-m", "grek", *arguments]
        if limit is not None:
            command = ["bash", "-c", f'ulimit -f {limit}; exec "$0" "$@"', *command]
        return subprocess.run(
            command,
            cwd=where,
            capture_output=True,
            text=True,
            errors="replace",
            env={**os.environ, **environment},
        )

    return run
