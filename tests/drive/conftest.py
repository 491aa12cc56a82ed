"""A drive server on a free port, run by a thread of its own."""

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

pytest.importorskip("viser")

from grek.drive.session import Session
from grek.eval.films import filming
from grek.eval.scores import policies


class Running:
    """A session whose loop runs in the background until `stop`."""

    def __init__(
        self, material: str, out: Path, host: str = "127.0.0.1", policy: str = "walk"
    ) -> None:
        scenario = filming.world(None, material)
        self.session = Session(policy, policies.load(policy), scenario, host, 0, out)
        self.address = self.session.server.address
        self.error: BaseException | None = None
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        try:
            while not self._end.is_set():
                self.session.run(self.session._steps + 10)
        except BaseException as error:
            self.error = error

    def stop(self) -> None:
        """End the loop and the server; raises what the loop raised."""
        self._end.set()
        self._thread.join()
        self.session.close()
        if self.error is not None:
            raise self.error


@pytest.fixture
def drive(tmp_path: Path) -> Iterator[Callable[..., Running]]:
    """Function that starts a session on a material."""
    started: list[Running] = []

    def start(material: str = "dry_concrete", **options: str) -> Running:
        started.append(Running(material, tmp_path / "films", **options))
        return started[-1]

    yield start
    for running in started:
        running.stop()
