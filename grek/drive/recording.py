"""Recordings of what was driven: the calls that moved the droid, and films made from them.

A film replays the calls in a world of its own, in another process, so that drawing does not slow
the droid.
"""

import multiprocessing
import os
import signal
from collections.abc import Iterable
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from grek.drive.droid import Droid
from grek.envs.rendering.world_ground import WorldGround
from grek.envs.scenarios.scenario import Scenario
from grek.envs.simulation.simulation import CONTROL_STEP
from grek.envs.vectors import Array
from grek.errors import InputError
from grek.eval.films.film import FPS, Film
from grek.eval.films.filming import SIZE, caption
from grek.eval.scores import policies

LONGEST = 600.0  # [s]
NICE = 10  # of the process that draws: the droid comes first


@dataclass(frozen=True)
class Recording:
    """A droid at the start, and what moved it since."""

    policy: str
    """As `policies.load` takes it."""
    scenario: Scenario
    """At the start."""
    state: dict[str, Any] = field(repr=False)
    """Snapshot of the droid at the start."""
    calls: list[tuple[str, tuple[Any, ...]]] = field(default_factory=list, repr=False)
    """Methods of the droid that were called, with their arguments."""

    @property
    def seconds(self) -> float:
        """Simulated time [s]."""
        return CONTROL_STEP * sum(name == "advance" for name, _ in self.calls)

    def start(self) -> Droid:
        """A droid of its own in the state at the start."""
        droid = Droid(policies.load(self.policy), self.scenario)
        droid.restore(self.state)
        return droid

    def materials(self) -> tuple[str, ...]:
        """Names of all materials that were walked on or could have been."""
        worlds = [self.scenario, *(a[0] for name, a in self.calls if name != "advance")]
        return tuple(dict.fromkeys(name for s in worlds for name in s.surface.materials))


def begun(policy: str, droid: Droid) -> Recording:
    """Recording that starts at the present state of `droid`, which runs `policy`."""
    return Recording(policy, droid.scenario, droid.snapshot())


class _Ground:
    """`GroundView` of a droid whose world changes among materials `names`."""

    def __init__(self, droid: Droid, names: tuple[str, ...]) -> None:
        self._simulation, self.names = droid.batch.simulation, names

    def _now(self) -> WorldGround:
        return WorldGround(self._simulation)

    def height(self, xy: Array) -> Array:
        return self._now().height(xy)

    def material(self, xy: Array) -> NDArray[np.int64]:
        now = self._now()
        return np.array([self.names.index(name) for name in now.names])[now.material(xy)]

    def wetness(self, xy: Array) -> Array:
        return self._now().wetness(xy)

    def footprint(self, xy: Array) -> Array:
        return self._now().footprint(xy)


def film(recording: Recording, out: Path, fps: int = FPS[0], size: tuple[int, int] = SIZE) -> None:
    """Write a film of `recording` to `out`; raises InputError as `Film` does."""
    droid = recording.start()
    robot, every = droid.policy.task.robot, round(1 / (fps * CONTROL_STEP))
    ground, step = _Ground(droid, recording.materials()), 0
    with Film(out, ground, robot.load_spec(), robot.base, fps, size) as picture:
        for name, arguments in recording.calls:
            getattr(droid, name)(*arguments)
            if name != "advance":
                picture.refresh(restart=name == "begin")
                continue
            if step % every == 0:
                picture.add(droid.qpos, caption(droid.batch, step))
            step += 1


class Filming:
    """A film in the making, in a process of its own."""

    def __init__(self, recording: Recording, out: Path, size: tuple[int, int]) -> None:
        self.out = out
        context = multiprocessing.get_context("spawn")
        self._end, end = context.Pipe(duplex=False)
        self._process = context.Process(target=_work, args=(recording, out, size, end), daemon=True)
        self._process.start()
        end.close()

    def result(self) -> str | None:
        """None while it is made; then the reason why there is no film, or an empty string."""
        if not self._end.poll():
            return None
        try:
            said = str(self._end.recv())
        except EOFError:
            said = "the process that made the film ended"
        self._process.join()
        return said

    def stop(self) -> None:
        """End the process; a film that is not complete is deleted."""
        self._process.terminate()
        self._process.join(5)


def _work(recording: Recording, out: Path, size: tuple[int, int], end: Connection) -> None:
    """Film and report through `end`."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal's Ctrl-C reaches it too
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # removes what is half-written
    os.nice(max(NICE - os.nice(0), 0))
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)  # ffmpeg has words of its own for an interrupt
    try:
        film(recording, out, size=size)
        end.send("")
    except (InputError, OSError) as error:
        end.send(str(error))
    except KeyboardInterrupt:
        pass


def free(directory: Path, names: Iterable[str]) -> Path:
    """First of `names` that no file in `directory` has."""
    return next(path for name in names if not (path := directory / name).exists())
