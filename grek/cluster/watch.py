"""Bounds of the time for which a command waits for a cluster."""

import sys
import threading
import time
from typing import Any

from grek.errors import InputError

ANSWER = 45.0  # time in which the head must answer [s]; after 60 s Ray ends this process
CORES = 600.0  # time in which a cluster may replace the machines that it has lost [s]
SILENCE = 1800.0  # time without any result after which the work is given up [s]
LOOK = 1.0  # time between two questions to the head [s]


class Watch:
    """Watch over a cluster at work, which should have cores for `workers` of `threads` each.

    The head is asked in a thread of its own, since a question to one that is dead lasts.
    """

    def __init__(self, ray: Any, address: str, workers: int, threads: int) -> None:
        self.workers, self.threads = workers, threads
        self.name = f"the cluster at {address}"
        self.room = room(ray, threads)
        self.member = True  # whether the machine of this command is alive to the head
        self.answered = self.told = time.monotonic()
        self.short: float | None = None  # since when there are too few cores
        threading.Thread(target=self._ask, args=[ray], daemon=True).start()

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

    def _ask(self, ray: Any) -> None:
        me = ray.get_runtime_context().get_node_id()
        while ray.is_initialized():
            try:
                self.room = room(ray, self.threads)
                self.member = any(node["NodeID"] == me for node in alive(ray))
                self.answered = time.monotonic()
            except Exception:  # of Ray, of any kind; `answered` tells
                pass
            time.sleep(LOOK)


def room(ray: Any, threads: int) -> int:
    """Number of workers of `threads` cores for which a cluster has cores, taken or not."""
    return sum(int(node["Resources"].get("CPU", 0) // threads) for node in alive(ray))


def alive(ray: Any) -> list[dict[str, Any]]:
    """Machines of a cluster that the head takes for alive, with their resources."""
    return [node for node in ray.nodes() if node["Alive"]]
