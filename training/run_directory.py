"""Run directory: checks before anything is written, creation, and reading on --resume."""

import contextlib
import dataclasses
import json
import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
from filelock import FileLock, Timeout

from grek import files
from grek.envs.ground.materials import material
from grek.envs.scenarios.spaces import TRAINABLE, TRAINING_SCENARIOS, space
from grek.envs.tasks import task as task_named
from grek.errors import InputError
from grek.provenance import versions
from grek.sanitize import message
from grek.training import checkpoint, task_settings
from grek.training.config import PPOConfig, TrainConfig

SPACE = "space.toml"  # copy of the file of --space, which --resume reads
_OWN = ("out", "force", "start")  # settings of a run's beginning, never of its resumption
_ADDED = ("minutes", "steps", "threads", "processes", "film_every")  # of a resumption
_RESUMABLE = (*_ADDED, "resume", "given", "ppo")  # may differ, or are parts
DEPENDS_ON = ("mujoco", "numpy", "torch", "stable-baselines3")  # packages recorded by version


def prepare(config: TrainConfig) -> tuple[Path, TrainConfig, dict[str, Any] | None]:
    """Return the run directory, the settings in effect, and the checkpoint to resume from, if any.

    Nothing is written before `make`. Raises InputError for settings out of range, for a directory
    that exists or cannot be created, and for a run that cannot be resumed.
    """
    check(config)
    if config.resume is not None:
        return _resumed(config, config.resume)
    held_out = [name for name in materials(config.materials) or () if not material(name).trained]
    if held_out:
        print(
            f"grek: training on held-out material: {', '.join(held_out)}; scores there are not held"
            " out for this policy",
            file=sys.stderr,
        )
    run = config.out
    if run.exists() or run.is_symlink():
        if not run.is_dir() or run.is_symlink():
            raise InputError(f"{run} exists and is a file or a link")
        if not config.force:
            raise InputError(f"{run} exists; use --force to replace it")
        if any(run.iterdir()) and not (run / "config.json").is_file():
            raise InputError(f"{run} exists, is not a run directory and is not replaced")
    parent = next(p for p in run.absolute().parents if p.exists())
    if not parent.is_dir() or not os.access(parent, os.W_OK):
        raise InputError(f"cannot write {run}: {parent} is not a writable directory")
    return run, config, None


@contextlib.contextmanager
def locked(run: Path) -> Iterator[None]:
    """Context in which no other process trains into `run`; raises InputError if one does.

    The lock file lies beside the directory, which --force replaces; the system opens the lock of a
    process that is killed.
    """
    path = run.absolute().with_name(f".{run.absolute().name}.lock")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    except OSError as error:
        raise InputError(f"cannot write {run}: {error.strerror or error}") from None
    try:
        with FileLock(path, timeout=0):
            yield
    except Timeout:
        raise InputError(f"another process is training into {run}") from None


def make(run: Path, config: TrainConfig, task: dict[str, Any]) -> None:
    """Create the run directory, replacing an existing one, or record a resumption in it.

    `task` is recorded beside the settings: what they and the defaults amount to.
    """
    made_with = versions(*DEPENDS_ON)
    if config.resume is None:
        if run.exists():
            shutil.rmtree(run)
        run.mkdir(parents=True)
        document: dict[str, Any] = {"train": dataclasses.asdict(config)}
        document |= {"task": task, "versions": made_with}
        del document["train"]["given"]
        if config.space.endswith(".toml"):
            files.write(run / SPACE, Path(config.space).read_bytes())
    else:
        document = recorded(run)
        more = {name: getattr(config, name) for name in ("minutes", "steps", "processes")}
        more["versions"] = made_with
        document["resumed"] = [*document.get("resumed", []), more]
    files.write(run / "config.json", json.dumps(document, indent=2, default=str) + "\n")


def check(config: TrainConfig) -> None:
    """Raise InputError for the first setting that is out of range."""
    if config.minutes is not None and config.steps is not None:
        raise InputError("give --minutes or --steps, not both")
    ppo = config.ppo
    bounds: tuple[tuple[str, float, float, float], ...] = (
        ("rollout", ppo.rollout, 1, 10_000),
        ("minibatches", ppo.minibatches, 1, 10_000),
        ("epochs", ppo.epochs, 1, 1000),
        ("gamma", ppo.gamma, 0, 1),
        ("final-gamma", ppo.gamma if ppo.final_gamma is None else ppo.final_gamma, 0, 1),
        ("gae-lambda", ppo.gae_lambda, 0, 1),
        ("clip", ppo.clip, 0, 10),
        ("entropy", ppo.entropy, 0, 10),
        ("value", ppo.value, 0, 1000),
        ("max-gradient", ppo.max_gradient, 1e-6, 1e6),
        ("learning-rate", ppo.learning_rate, 0, 1),
        ("kl-target", ppo.kl_target, 1e-6, 10),
        ("log-std", ppo.log_std, -10, 2),
        ("hidden", min(ppo.hidden, default=0), 1, 100_000),
    )
    for name, number, low, high in bounds:
        if not low <= number <= high:
            raise InputError(f"--ppo.{name} {number} is outside [{low:g}, {high:g}]")
    for name, low, high in (
        ("minutes", 0, 1e5),
        ("steps", 1, 1e11),
        ("film_every", 0, 1e5),
        ("worlds", 1, 65536),
        ("threads", 0, 65536),
        ("processes", 0, 65536),
        ("seed", 0, 2**31 - 1),
        ("scenarios", 1, TRAINING_SCENARIOS),
        ("history", 0, 50),
        ("past_actions", 0, 50),
        ("action_scale", 1e-3, 100),
        ("phase_rate", 0, 0.99),
        ("replay", 0, 1),
    ):
        value = getattr(config, name)
        if value is not None and not low <= value <= high:
            raise InputError(f"--{name.replace('_', '-')} {value} is outside [{low:g}, {high:g}]")
    if config.space.endswith(".toml"):
        space(config.space)
    elif config.space not in TRAINABLE:
        raise InputError(
            f"--space {config.space!r} is none of {', '.join(TRAINABLE)}, and no .toml file"
        )
    if config.processes and config.worlds % config.processes:
        divisors = [str(n) for n in range(1, config.worlds + 1) if config.worlds % n == 0]
        raise InputError(
            f"--processes {config.processes} does not divide --worlds {config.worlds}; it may be"
            f" {', '.join(divisors)}"
        )
    if config.worlds * ppo.rollout < 2:
        raise InputError("--worlds 1 with --ppo.rollout 1 leaves a single sample per update")
    materials(config.materials)


def materials(text: str) -> tuple[str, ...] | None:
    """Return the names in "a,b", or None for "all". Raises InputError for an unknown name."""
    if text == "all":
        return None
    return tuple(material(name.strip()).name for name in text.split(","))


def _resumed(config: TrainConfig, run: Path) -> tuple[Path, TrainConfig, dict[str, Any]]:
    """Return `run`, its saved settings with the additions of `config`, and its checkpoint."""
    document = recorded(run)
    saved = {k: v for k, v in document["train"].items() if k not in ("out", "resume")}
    name = f"cannot resume {run}: config.json"
    settings = files.converted(saved, TrainConfig, name)
    _refuse_changes(config, settings, run)
    if settings.space.endswith(".toml"):
        settings = dataclasses.replace(settings, space=str(run / SPACE))
    task = files.converted(document.get("task", {}), _Task, name)
    settings = dataclasses.replace(
        settings,
        weights=tuple(f"{k}={v!r}" for k, v in task.weights.items()) or settings.weights,
        motion=tuple(f"{k}={_listed(v)}" for k, v in (task.motion or {}).items())
        or settings.motion,
    )
    added = {name: getattr(config, name) for name in _ADDED}
    settings = dataclasses.replace(settings, resume=run, out=run, force=False, **added)
    try:
        check(settings)
    except InputError as error:
        raise InputError(f"{name}: {error}") from None
    state, warnings = checkpoint.newest(run)
    differing = _differing(task, settings.task)
    if differing:
        warnings.append(f"settings of {run} that are not today's defaults: {', '.join(differing)}")
    for warning in warnings:
        print(f"grek: {message(warning)}", file=sys.stderr)
    return run, settings, state


def processes(run: Path) -> int:
    """Number of processes that last trained into `run`, 1 for a run of one that knew no others."""
    document = recorded(run)
    kept = [document["train"], *document.get("resumed", [])]
    counts = [part.get("processes", 1) for part in kept if isinstance(part, dict)]
    return files.converted(counts[-1], int, f"cannot resume {run}: config.json: processes")


class _Task(msgspec.Struct):
    """Entry "task" of config.json: weights of reward terms and parameters of the motion, in full.

    Today's defaults may be others than those that the run began with.
    """

    weights: dict[str, float] = {}
    motion: dict[str, float | tuple[float, ...]] | None = None


def recorded(run: Path) -> dict[str, Any]:
    """Content of config.json of `run`; raises InputError unless its entries are objects."""
    name = f"cannot resume {run}: config.json"
    document = files.converted(files.read_json(run / "config.json", name), dict[str, Any], name)
    files.converted(document.get("train"), dict[str, Any], f"{name}: train")
    files.converted(document.get("resumed", []), list[Any], f"{name}: resumed")
    return document


def _differing(recorded: _Task, name: str) -> list[str]:
    """Recorded weights and parameters of the motion that differ from the task's defaults."""
    today = files.converted(task_settings.settings(task_named(name)), _Task, name)
    return [
        f"{key}={value} ({defaults.get(key)})"
        for values, defaults in (
            (recorded.weights, today.weights),
            (recorded.motion or {}, today.motion or {}),
        )
        for key, value in values.items()
        if value != defaults.get(key)
    ]


def _listed(value: float | tuple[float, ...]) -> str:
    return ",".join(map(repr, value)) if isinstance(value, tuple) else repr(value)


def _refuse_changes(config: TrainConfig, saved: TrainConfig, run: Path) -> None:
    """Raise InputError for the first setting of `config` that --resume would have to ignore.

    A setting is meant if it was given or is not its default, and accepted if it is as saved.
    """
    for name in _OWN:
        flag, value = "from" if name == "start" else name, getattr(config, name)
        if (flag in config.given or value != getattr(TrainConfig(), name)) and value != run:
            raise InputError(f"--{flag} cannot be with --resume, which continues {run} in place")
    for part, wanted, known, default in (
        ("", config, saved, TrainConfig()),
        ("ppo.", config.ppo, saved.ppo, PPOConfig()),
    ):
        for name in vars(default):  # the settings of the command have a cluster too
            value = getattr(wanted, name)
            asked = part + name in config.given or value != getattr(default, name)
            if part + name in (*_RESUMABLE, *_OWN) or not asked or value == getattr(known, name):
                continue
            raise InputError(
                f"--{(part + name).replace('_', '-')} {value} cannot be with --resume: {run} was"
                f" started with {getattr(known, name)}"
            )
