"""Checks of command-line values shared by several commands."""

import os
from pathlib import Path

from grek.errors import InputError

MOST_THREADS = 1024


def thread_count(threads: int) -> int:
    """Return the number of threads to use: `threads`, or all cores for 0.

    Raises InputError outside [0, MOST_THREADS].
    """
    if not 0 <= threads <= MOST_THREADS:
        raise InputError(f"--threads {threads} is outside [0, {MOST_THREADS}]")
    return threads or os.cpu_count() or 1


def check_output(path: Path, force: bool) -> None:
    """Raise InputError unless a file can be written to `path`; an existing one only with `force`.

    Missing parent directories are no error, the command creates them.
    """
    if path.is_dir():
        raise InputError(f"{path} is a directory")
    if path.exists() and not force:
        raise InputError(f"{path} exists; use --force to replace it")
    parent = next(p for p in path.absolute().parents if p.exists())
    if not parent.is_dir():
        raise InputError(f"cannot write {path}: {parent} is a file")
    if not os.access(parent, os.W_OK):
        raise InputError(f"cannot write {path}: {parent} is not writable")
