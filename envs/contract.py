"""A policy's contract: what it must be fed and how its actions are meant.

Columns of an observation have no names on the wire, so a policy that is fed another layout fails
silently. The contract travels with the policy and is checked by name before it runs.
"""

import dataclasses
import math
from typing import Any

from grek.envs.robots.robot import HOME, LEG_JOINTS, LEGS
from grek.envs.simulation.simulation import CONTROL_STEP
from grek.envs.tasks import observations
from grek.envs.tasks.gait import Gait
from grek.envs.tasks.walk import ACTION_LIMIT, WalkConfig
from grek.errors import InputError

SCHEMA = 1
TASK = "grek/Walk-v0"


def contract_of(config: WalkConfig, **training: Any) -> dict[str, Any]:
    """The contract of policies trained under `config`; `training` says on what, and by what."""
    fields = observations.actor_fields(config.history)
    return {
        "schema": SCHEMA,
        "task": TASK,
        "observation": {k: list(v) for k, v in observations.slices(fields).items()},
        "history": config.history,
        "joints": list(LEG_JOINTS),
        "default_pose": HOME[:LEGS].tolist(),
        "action_scale": list(config.action_scale),
        "action_limit": ACTION_LIMIT,
        "gait": dataclasses.asdict(config.gait),
        "control_dt": CONTROL_STEP,
        "physics_dt": 0.005,
        "training": training,
    }


def config_of(contract: dict[str, Any], source: str) -> WalkConfig:
    """The task as the policy of `contract` knows it.

    Raises InputError naming `source` and the first entry that this version cannot meet.
    """
    try:
        gait = {"catch": 0.0, **contract["gait"]}  # there were policies before it
        config = WalkConfig(
            action_scale=tuple(float(x) for x in contract["action_scale"]),
            history=min(max(int(contract["history"]), 0), 50),
            gait=Gait(**{**gait, "gain": tuple(gait["gain"])}),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(f"{source}: the contract lacks or garbles {error}") from None
    wanted = contract_of(config)
    for entry in (
        "schema",
        "task",
        "observation",
        "joints",
        "default_pose",
        "action_limit",
        "control_dt",
        "physics_dt",
    ):
        if contract.get(entry) != wanted[entry]:
            raise InputError(
                f"{source}: the contract's {entry} is {contract.get(entry)!r},"
                f" this environment has {wanted[entry]!r}"
            )
    shape = config.gait
    numbers = (*vars(shape).values(), *config.action_scale)
    flat = [x for n in numbers for x in (n if isinstance(n, tuple) else (n,))]
    sound = all(isinstance(x, int | float) and math.isfinite(x) for x in flat)
    if not (
        sound
        and len(shape.gain) == 3
        and 0 < shape.duty < 1
        and 0 <= shape.quickening < shape.period
        and shape.catch >= 0
    ):
        raise InputError(
            f"{source}: the contract's gait or action_scale is no set of sound numbers"
        )
    if len(config.action_scale) != LEGS:
        raise InputError(
            f"{source}: the contract scales {len(config.action_scale)} actions, not {LEGS}"
        )
    return config
