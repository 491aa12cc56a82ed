"""A policy's contract: the observation it must be fed and the meaning of its actions.

Columns of an observation have no names on the wire, so a policy that is fed another layout fails
silently. The contract travels with the policy and is checked by name before it runs.
"""

import dataclasses
import math
from typing import Any

from grek.envs import tasks
from grek.envs.scenarios.scenario import Numerics
from grek.envs.simulation.simulation import CONTROL_STEP
from grek.envs.tasks import Task
from grek.errors import InputError

SCHEMA = 1
MOST_HISTORY = 50  # readings


def contract_of(task: Task, **training: Any) -> dict[str, Any]:
    """The contract of policies for `task`; `training` says on what they were trained, by what."""
    acting = len(task.robot.joints)
    return {
        "schema": SCHEMA,
        "task": task.name,
        "robot": task.robot.name,
        "history": task.history,
        "observation": {name: list(columns) for name, columns in task.slices().items()},
        "joints": list(task.robot.joints),
        "default_pose": list(task.robot.home[:acting]),
        "action_scale": list(task.action_scale),
        "action_limit": task.action_limit,
        "gait": task.motion.describe(),
        "control_dt": CONTROL_STEP,
        "physics_dt": Numerics().timestep,
        "training": training,
    }


def task_of(contract: dict[str, Any], source: str) -> Task:
    """The task of a policy with `contract`.

    Raises InputError naming `source` and the first entry that this version cannot meet.
    """
    try:
        base = tasks.task(str(contract["task"]))
        task = dataclasses.replace(
            base,
            history=min(max(int(contract["history"]), 0), MOST_HISTORY),
            action_scale=tuple(_finite(x) for x in contract["action_scale"]),
            motion=base.motion.described(contract["gait"]),
        )
    except InputError as error:
        raise InputError(f"{source}: the contract: {error}") from None
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise InputError(f"{source}: the contract lacks or garbles {error}") from None
    contract = {"robot": "grek", **contract}  # there were contracts before there were other robots
    for entry, wanted in contract_of(task).items():
        if entry not in ("training", "gait") and contract.get(entry) != wanted:
            raise InputError(f"{source}: the contract's {_difference(entry, contract, wanted)}")
    return task


def _finite(x: Any) -> float:
    if isinstance(x, bool) or not isinstance(x, int | float) or not math.isfinite(x):
        raise ValueError(f"number {x!r}")
    return float(x)


def _difference(entry: str, contract: dict[str, Any], wanted: Any) -> str:
    """The first part of an entry of `contract` that is not `wanted`."""
    found = contract.get(entry)
    if isinstance(wanted, dict) and isinstance(found, dict):
        part = next(k for k in (*wanted, *found) if found.get(k) != wanted.get(k))
        entry, found, wanted = f"{entry} {part!r}", found.get(part), wanted.get(part)
    return f"{entry} is {repr(found)[:200]}, this environment has {repr(wanted)[:200]}"
