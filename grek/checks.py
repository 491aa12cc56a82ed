"""Checks of command-line values shared by several commands."""

import os
import socket
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


def check_port(port: int, least: int = 1) -> None:
    """Raise InputError unless `port` is in [`least`, 65535]."""
    if not least <= port <= 65535:
        raise InputError(f"port {port} is outside [{least}, 65535]")


def host_and_port(text: str) -> tuple[str, int]:
    """IPv4 address and port in `text`, HOST:PORT; raises InputError for anything else."""
    host, _, port = text.rpartition(":")
    if not host or not port.isdecimal() or len(port) > 5:
        raise InputError(f"{text!r} is not HOST:PORT, such as 127.0.0.1:4735")
    check_port(int(port))
    return _resolved(host), int(port)


def bind(listening: socket.socket, host: str, port: int) -> None:
    """Bind a UDP socket; raises InputError naming the address if it cannot."""
    try:
        listening.bind((_resolved(host), port))
    except OSError as error:
        reason = error.strerror or error
        raise InputError(f"cannot listen at {host}:{port}: {reason}") from None


def _resolved(host: str) -> str:
    """IPv4 address of `host`; raises InputError for an unknown one."""
    try:
        return socket.gethostbyname(host)
    except (OSError, UnicodeError):
        raise InputError(f"unknown host {host!r}") from None
