"""Tasks: observation, reward, termination and metrics as values in a registry by name."""

from grek.envs.registry import Registry
from grek.envs.tasks.batch import Outcome, TaskBatch
from grek.envs.tasks.stage import staging
from grek.envs.tasks.task import Field, Sensor, StepData, Task, Term
from grek.envs.tasks.walk import NAME, walking

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
    "staging",
    "task",
    "walking",
]

TASKS = Registry("task", walking(), staging())
register, task = TASKS.register, TASKS.named
