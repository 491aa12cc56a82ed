"""Bounds of the time for which a command waits for a cluster."""

import contextlib
import sys
import threading
import time
from collections.abc import Iterator
from typing import Any

from grek.errors import InputError

ANSWER = 45.0  # time in which the head must answer [s]; after 60 s Ray ends this process
CORES = 600.0  # time in which a cluster may replace the machines that it has lost [s]
SILENCE = 1800.0  # time without any result after which the work is given up [s]
LOOK = 1.0  # time between two questions to the head [s]


class Watch:
    """Watch over a cluster at work, which should have cores for `workers` of `threads` each."""

    def __init__(self, ray: Any, address: str, workers: int, threads: int) -> None:
        self.workers, self.threads = workers, threads
        self.name = f"the cluster at {address}"
        self.told = time.monotonic()
        self.short: float | None = None  # since when there are too few cores
        self.ask(ray)

    def ask(self, ray: Any) -> None:
        """Ask the head for its living machines."""
        alive = [node for node in ray.nodes() if node["Alive"]]
        self.room = sum(int(node["Resources"].get("CPU", 0) // self.threads) for node in alive)
        me = ray.get_runtime_context().get_node_id()  # the machine of this command
        self.member = any(node["NodeID"] == me for node in alive)
        self.answered = time.monotonic()

    def heard(self) -> None:
        """Note that a result has come."""
        self.told = time.monotonic()

    def look(self) -> None:
        """Raise InputError if the cluster is lost; say once that it has too few cores."""
        now = time.monotonic()
        if not self.member:
            raise InputError(f"{self.name} has lost this machine")
        if now - self.answered > ANSWER:
            raise InputError(f"{self.name} has not answered for {ANSWER:g} s")
        if now - self.told > SILENCE:
            raise InputError(f"nothing came from {self.name} for {SILENCE:g} s")
        if self.room >= self.workers:
            self.short = None
            return
        said = f"{self.name} has cores for {self.room} of {self.workers} workers"
        if self.short is None:
            self.short = now
            print(f"grek: {said}; it has {CORES:g} s to get more", file=sys.stderr)
        elif now - self.short > CORES:
            raise InputError(f"{said}, for {CORES:g} s now")


@contextlib.contextmanager
def watching(ray: Any, address: str, workers: int, threads: int) -> Iterator[Watch]:
    """Context with a Watch that asks the head in a thread, for a question to a dead one lasts."""
    watch, ended = Watch(ray, address, workers, threads), threading.Event()

    def ask() -> None:
        while not ended.wait(LOOK):
            with contextlib.suppress(Exception):  # of Ray, of any kind; `answered` tells
                watch.ask(ray)

    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    try:
        yield watch
    finally:
        ended.set()
        thread.join(2 * LOOK)
