"""The task of a training run: a registered task with the changes that the settings ask for."""

import dataclasses
from collections.abc import Iterable
from typing import Any

from grek.envs import contract as contracts
from grek.envs.scenarios.spaces import command_ranges
from grek.envs.skills import skill
from grek.envs.tasks import Task
from grek.envs.tasks import task as task_named
from grek.errors import InputError
from grek.training.config import TrainConfig

_STAGE = {"task": "grek/Stage-v0", "space": "stage"}


def staged(config: TrainConfig) -> TrainConfig:
    """`config` with the task and space of its skills; raises InputError for an unknown skill."""
    if config.skills == "walk":
        return config
    chosen_skills(config.skills)
    default = TrainConfig()
    for name in ("task", "space"):
        if getattr(config, name) not in (getattr(default, name), _STAGE[name]):
            raise InputError(
                f"--{name} {getattr(config, name)} cannot be with --skills {config.skills}"
            )
    return dataclasses.replace(config, task=_STAGE["task"], space=_STAGE["space"])


def chosen_skills(text: str) -> tuple[str, ...] | None:
    """Names in "a,b", None for "all"; raises InputError naming the skills for an unknown one."""
    if text == "all":
        return None
    return tuple(skill(name.strip()).name for name in text.split(","))


def task_of(config: TrainConfig, contract: dict[str, Any] | None = None) -> Task:
    """Registered task `config.task` with weights, motion and observation of `config`.

    With the `contract` of a policy to start from, it is the task of that contract, and `config`
    changes weights and motion only. Commands are limited to the ranges of training. Raises
    InputError for an unknown task, term or parameter, naming the known ones.
    """
    task = task_named(config.task) if contract is None else contracts.task_of(contract, "--from")
    observed = config if contract is None else task
    for name in ("task", "history", "past_actions", "phase_rate") if contract is not None else ():
        asked, has = getattr(config, name), task.name if name == "task" else getattr(task, name)
        if asked not in (has, getattr(TrainConfig, name)):
            flag = name.replace("_", "-")
            raise InputError(f"--{flag} {asked} cannot be with --from: its policy has {has}")
    weights = {term.name: term.weight for term in task.terms}
    changed = _assigned("--weights", config.weights, weights)
    return dataclasses.replace(
        task.weighted(changed),
        history=observed.history,
        past_actions=observed.past_actions,
        phase_rate=observed.phase_rate,
        commands=command_ranges(config.space),
        action_scale=tuple(scale * config.action_scale for scale in task.action_scale),
        motion=task.motion.from_description(_motion(config, task)),
    )


def settings(task: Task) -> dict[str, Any]:
    """Weights and motion of `task` in full, for config.json."""
    return {
        "weights": {term.name: term.weight for term in task.terms},
        "motion": task.motion.describe(),
    }


def _motion(config: TrainConfig, task: Task) -> dict[str, Any] | None:
    """Description of the motion with the changes of `config`."""
    described = task.motion.describe()
    if described is None and config.motion:
        raise InputError(f"--motion: the motion of {task.name} has no parameters")
    return described and {**described, **_assigned("--motion", config.motion, described)}


def _assigned(flag: str, items: Iterable[str], known: dict[str, Any]) -> dict[str, Any]:
    """Values of NAME=VALUE, or NAME=A,B,C where the known value is a sequence."""
    found: dict[str, Any] = {}
    for item in items:
        name, _, text = item.partition("=")
        if name not in known:
            named = ", ".join(f"{key}={_text(value)}" for key, value in known.items())
            raise InputError(f"{flag}: unknown {name!r}; there are: {named}")
        several = isinstance(known[name], list | tuple)
        try:
            numbers = tuple(float(part) for part in text.split(","))
        except ValueError:
            numbers = ()
        if len(numbers) != (len(known[name]) if several else 1):
            raise InputError(
                f"{flag}: {item!r} is not NAME=VALUE, such as {name}={_text(known[name])}"
            )
        found[name] = numbers if several else numbers[0]
    return found


def _text(value: Any) -> str:
    return ",".join(map(_text, value)) if isinstance(value, list | tuple) else f"{value:g}"
