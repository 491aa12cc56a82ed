"""Connection to a Ray cluster, for as long as a command needs it."""

import atexit
import contextlib
import importlib
import logging
import os
import signal
import socket
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from grek.errors import InputError
from grek.extensions import VARIABLE

LOCAL = "local"  # address of a cluster that is started on this machine, and ends with the command
PATIENCE = 5.0  # time in which something must listen at an address [s]
START = 300.0  # time in which a connection must be made [s]
END = 20.0  # time in which a connection must close [s]
CHECKOUT = Path(__file__).resolve().parents[2]  # of the code, unless it is installed


def check(module: str) -> None:
    """Raise InputError unless `module` of Ray can be imported."""
    os.environ.setdefault("RAY_DEDUP_LOGS_SKIP_REGEX", ".")  # what raylets tell goes to their logs
    try:
        importlib.import_module(module)
    except ImportError as error:
        raise InputError(
            f"--cluster needs Ray, which cannot be imported ({error}); install it with:"
            " pip install 'grek[cluster]'"
        ) from None


@contextlib.contextmanager
def connected(address: str, needs: str = "ray") -> Iterator[Any]:
    """Context with a connection to the cluster at `address`, HOST:PORT or LOCAL; yields `ray`.

    Raises InputError if the module that it `needs` is not installed, or no cluster answers.
    """
    check(needs)
    import ray

    if address != LOCAL:
        _answers(address)
    variables = {VARIABLE: os.environ[VARIABLE]} if VARIABLE in os.environ else {}
    if (CHECKOUT / "pyproject.toml").is_file():
        paths = (str(CHECKOUT), os.environ.get("PYTHONPATH"))
        variables["PYTHONPATH"] = os.pathsep.join(path for path in paths if path)
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    stuck = threading.Timer(START, _leave, [f"--cluster {address}: no Ray cluster answers there"])
    stuck.daemon = True
    stuck.start()
    try:
        ray.init(
            address=address,
            include_dashboard=False if address == LOCAL else None,
            log_to_driver=False,
            logging_level=logging.CRITICAL,
            runtime_env={"env_vars": variables},
        )
    except (ConnectionError, RuntimeError, ValueError, OSError) as error:
        reason = str(error).splitlines()[0]
        raise InputError(f"--cluster {address}: no Ray cluster answers there: {reason}") from None
    finally:
        stuck.cancel()
    for number, handler in handlers.items():  # Ray has put its own in their place
        signal.signal(number, handler)
    try:
        yield ray
    finally:
        atexit.unregister(ray.shutdown)  # which would wait for a head that does not answer
        end = threading.Thread(target=ray.shutdown, daemon=True)
        end.start()
        end.join(END)


def _answers(address: str) -> None:
    """Raise InputError unless something listens at `address`: Ray itself would wait a minute."""
    host, _, port = address.rpartition(":")
    if not host or not port.isdecimal() or not 0 < int(port) < 65536:
        raise InputError(f"--cluster {address!r} is neither HOST:PORT nor {LOCAL!r}")
    try:
        socket.create_connection((host, int(port)), PATIENCE).close()
    except OSError as error:
        reason = error.strerror or error
        raise InputError(f"--cluster {address}: no Ray cluster answers there: {reason}") from None


def _leave(reason: str) -> None:
    """End this process, whose main thread is held up in Ray, with `reason`."""
    print(f"grek: {reason}", file=sys.stderr, flush=True)
    os._exit(2)
