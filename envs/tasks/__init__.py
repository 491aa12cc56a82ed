"""Tasks: observation, reward, termination and metrics as values in a registry by name."""

from grek.envs.tasks.batch import Outcome, TaskBatch
from grek.envs.tasks.task import Field, Sensor, StepData, Task, Term
from grek.envs.tasks.walk import NAME, walking
from grek.errors import InputError

__all__ = [
    "NAME",
    "TASKS",
    "Field",
    "Outcome",
    "Sensor",
    "StepData",
    "Task",
    "TaskBatch",
    "Term",
    "register",
    "task",
    "walking",
]

TASKS: dict[str, Task] = {NAME: walking()}


def task(name: str) -> Task:
    """Registered task `name`; raises InputError naming the known ones."""
    if name not in TASKS:
        raise InputError(f"unknown task {name!r}; there are: {', '.join(TASKS)}")
    return TASKS[name]


def register(new: Task) -> Task:
    """Add `new` to TASKS and return it; raises InputError for a name that exists."""
    if new.name in TASKS:
        raise InputError(f"task {new.name!r} exists; there are: {', '.join(TASKS)}")
    TASKS[new.name] = new
    return new
