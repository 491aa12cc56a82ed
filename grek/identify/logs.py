"""Logs of a body as measurements: without the world and the state that a simulated body logs."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from grek.envs.robots import Robot, robot
from grek.errors import InputError
from grek.identify.fit import CLUSTER, SETTLED
from grek.identify.model import FIELDS, Measured, columns
from grek.onboard import log

FEWEST = SETTLED + 10 * CLUSTER  # control steps of a log
MOST = 15_000  # five minutes, which take 1 GB


def read(paths: Sequence[Path]) -> tuple[Robot, list[Measured]]:
    """Robot and measurements of the logs `paths` of bodies; raises InputError for other files.

    All must be of one robot.
    """
    found = [_read(path) for path in paths]
    names = {body.name for body, _ in found}
    if len(names) != 1:
        raise InputError(f"logs of more than one robot: {', '.join(sorted(names))}")
    return found[0][0], [measured for _, measured in found]


def _read(path: Path) -> tuple[Robot, Measured]:
    about, messages = log.read(path)
    readings, applied = messages["/reading"], messages["/applied"]
    if not applied:
        raise InputError(f"{path} is not the log of a body: it holds no targets that acted")
    body = robot(about.get("robot", ""))
    steps = [_step(path, message) for message in applied]
    for topic, found in (("/applied", steps), ("/reading", [_step(path, m) for m in readings])):
        if found != list(range(len(steps))):
            raise InputError(f"{path}: {topic} does not have every control step once, in order")
    if not FEWEST <= len(steps) <= MOST:
        raise InputError(f"{path} has {len(steps)} control steps, not {FEWEST} to {MOST}")
    held = about.get("base", "free")
    if held not in ("free", "held"):
        raise InputError(f"{path}: its base is {held[:60]!r}, neither free nor held")
    if fallen := [m for m in messages["/state"] if m.get("fell") is True]:
        raise InputError(f"{path}: the body fell in control step {str(fallen[0].get('step'))[:20]}")
    targets = log.table(path, applied, "joints", len(body.all_joints))
    width = {name: where.stop - where.start for name, where in columns(body).items()}
    parts = [log.table(path, readings, name, width[name]) for name in FIELDS]
    return body, Measured(str(path), held == "held", targets, np.concatenate(parts, 1))


def _step(path: Path, message: Any) -> int:
    step = message.get("step") if isinstance(message, dict) else None
    if not isinstance(step, int):
        raise InputError(f"{path}: a message without the number of its control step")
    return step
