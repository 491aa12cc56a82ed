"""Policy contract: observation layout, action scaling and reference motion, stored with a policy.

The inputs of a network carry no names, so an observation in another layout would go unnoticed. The
contract is part of the policy's file and is checked entry by entry before the policy runs.
"""

import dataclasses
import math
from typing import Any

from grek.envs import tasks
from grek.envs.network import OLDER, SCHEMA
from grek.envs.scenarios.scenario import Numerics
from grek.envs.simulation.simulation import CONTROL_STEP
from grek.envs.tasks import Task
from grek.errors import InputError

MOST_HISTORY = 50  # largest `history` accepted from a file; bounds the observation's size


def contract_of(task: Task, **training: Any) -> dict[str, Any]:
    """JSON-serialisable contract of policies for `task`.

    `training` is provenance (space, seed, versions, ...), which `task_of` does not check.
    """
    acting = len(task.robot.joints)
    return {
        "schema": SCHEMA,
        "task": task.name,
        "robot": task.robot.name,
        "history": task.history,
        "past_actions": task.past_actions,
        "commands": None if task.commands is None else [list(each) for each in task.commands],
        "observation": {name: list(columns) for name, columns in task.slices().items()},
        "joints": list(task.robot.joints),
        "default_pose": list(task.robot.home[:acting]),
        "action_scale": list(task.action_scale),
        "phase_rate": task.phase_rate,
        "action_limit": task.action_limit,
        "gait": task.motion.describe(),
        "control_dt": CONTROL_STEP,
        "physics_dt": Numerics().timestep,
        "training": training,
    }


def task_of(contract: dict[str, Any], source: str) -> Task:
    """Task for a policy with `contract`, which sets its history, action scale and motion.

    Raises InputError naming `source` and the first entry that is missing, malformed or different
    from this version's.
    """
    contract = {**OLDER, **contract}
    try:
        base = tasks.task(str(contract["task"]))
        task = dataclasses.replace(
            base,
            history=min(max(int(contract["history"]), 0), MOST_HISTORY),
            past_actions=min(max(int(contract["past_actions"]), 0), MOST_HISTORY),
            commands=_ranges(contract["commands"]),
            phase_rate=_finite(contract["phase_rate"]),
            action_scale=tuple(_finite(x) for x in contract["action_scale"]),
            motion=base.motion.from_description(contract["gait"]),
        )
    except InputError as error:
        raise InputError(f"{source}: the contract: {error}") from None
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise InputError(f"{source}: the contract lacks or garbles {error}") from None
    for entry, wanted in contract_of(task).items():
        if entry not in ("training", "gait") and contract.get(entry) != wanted:
            raise InputError(f"{source}: the contract's {_difference(entry, contract, wanted)}")
    return task


def _ranges(values: Any) -> tuple[tuple[float, float], ...] | None:
    """`values` as pairs of finite numbers, or None."""
    return None if values is None else tuple((_finite(a), _finite(b)) for a, b in values)


def _finite(x: Any) -> float:
    """`x` as a float; raises ValueError unless it is a finite number."""
    if isinstance(x, bool) or not isinstance(x, int | float) or not math.isfinite(x):
        raise ValueError(f"number {x!r}")
    return float(x)


def _difference(entry: str, contract: dict[str, Any], wanted: Any) -> str:
    """Message about an entry that is not `wanted`, with the first differing key of a mapping."""
    found = contract.get(entry)
    if isinstance(wanted, dict) and isinstance(found, dict):
        part = next(k for k in (*wanted, *found) if found.get(k, ()) != wanted.get(k, ()))
        entry, found, wanted = f"{entry} {part!r}", found.get(part), wanted.get(part)
    return f"{entry} is {repr(found)[:200]}, this environment has {repr(wanted)[:200]}"
