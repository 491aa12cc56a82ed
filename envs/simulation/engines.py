"""Engines by name; one that is an extra is imported only when it is asked for."""

from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec

from grek.envs.registry import Registry
from grek.envs.robots import Robot
from grek.envs.scenarios.scenario import DRAKE, MUJOCO
from grek.envs.simulation.engine import Engine
from grek.envs.simulation.mujoco_engine import MujocoEngine
from grek.errors import InputError


@dataclass(frozen=True)
class EngineKind:
    """A way to move bodies."""

    name: str
    make: Callable[[Robot, int, int], Engine]
    """Engine for a robot, a number of worlds and a number of threads."""
    package: str | None = None
    """Import package of the extra that has the engine's name."""

    def check_installed(self) -> None:
        """Raise InputError, naming the extra, if the engine is not installed."""
        if self.package is not None and find_spec(self.package) is None:
            extra = f"pip install 'grek[{self.name}]'"
            raise InputError(f"engine {self.name} is not installed; add its extra: {extra}")


def _drake(robot: Robot, worlds: int, threads: int) -> Engine:
    ENGINES[DRAKE].check_installed()
    from grek.envs.simulation.drake_engine import DrakeEngine

    return DrakeEngine(robot, worlds, threads)


ENGINES = Registry(
    "engine",
    EngineKind(MUJOCO, MujocoEngine),
    EngineKind(DRAKE, _drake, "pydrake"),
)
