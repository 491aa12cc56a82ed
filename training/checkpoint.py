"""Files to go on training from: checkpoints of a run, and the weights of a learner.

A checkpoint is the complete state of a run, which resumed equals an uninterrupted one: one file of
tensors and plain values under a digest, loaded with `weights_only=True`. With several processes,
the leader's file holds the worlds and random states of all. A learner is actor, critic
and normaliser of a policy with its contract and the level of its curriculum, in the safetensors
format: tensors and text, no code.
"""

import hashlib
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save as safetensors

from grek import files
from grek.assets import SHIPPED, asset_path
from grek.errors import InputError
from grek.training.curriculum import Curriculum
from grek.training.parallel import collectives
from grek.training.ppo import PPO
from grek.training.vec_env import GrekVecEnv

LEARNER = "learner.safetensors"
_HEAD = b"grek checkpoint 1 "  # then the SHA-256 of what follows the line
KEPT = 3  # number of newest checkpoints that are not deleted


def save(directory: Path, model: PPO, env: GrekVecEnv, curriculum: Curriculum) -> Path:
    """Write a checkpoint named after the number of steps; delete all but the newest KEPT.

    Every process of a group calls it; the leader writes.
    """
    path = directory / f"step_{model.num_timesteps:012d}.pt"
    own, *others = collectives.gathered(_own(model, env)) or [{}]
    if collectives.rank():
        return path
    directory.mkdir(parents=True, exist_ok=True)
    state = {
        "policy": model.policy.state_dict(),
        "optimizer": model.policy.optimizer.state_dict(),
        "steps": model.num_timesteps,
        "updates": model._n_updates,
        "rate": model.rate,
        "curriculum": vars(curriculum),
        **own,
    }
    if others:
        state["others"] = others
    content = io.BytesIO()
    torch.save(state, content)
    payload = content.getbuffer()
    head = _HEAD + hashlib.sha256(payload).hexdigest().encode() + b"\n"
    files.remove_parts(directory)
    with files.written(path) as part, part.open("wb") as file:
        file.write(head)
        file.write(payload)
    for old in sorted(directory.glob("step_*.pt"))[:-KEPT]:
        old.unlink()
    return path


def _own(model: PPO, env: GrekVecEnv) -> dict[str, Any]:
    """The part of a checkpoint that each process has of its own: worlds and random states."""
    return {
        "episodes": _plain(env.episodes.snapshot()),
        "observation": torch.as_tensor(np.asarray(model._last_obs)),
        "starts": torch.as_tensor(np.asarray(model._last_episode_starts)),
        "numpy": _plain(np.random.get_state()),  # noqa: NPY002 - shuffles the samples in SB3
        "torch": torch.get_rng_state(),
    }


def newest(run: Path) -> tuple[dict[str, Any], list[str]]:
    """Read the newest complete checkpoint of a run; return it and a warning per damaged one.

    Raises InputError if no checkpoint is complete.
    """
    warnings: list[str] = []
    for path in sorted((run / "checkpoints").glob("step_*.pt"), reverse=True):
        try:
            return _load(path.read_bytes()), warnings
        except Exception as error:  # torch.load has no common error for damaged files
            reason = str(error).splitlines()[0] if str(error) else type(error).__name__
            warnings.append(f"skipping damaged checkpoint {path}: {reason}")
    said = "; ".join(warnings)
    raise InputError(f"no complete checkpoint in {run / 'checkpoints'}" + (said and f"; {said}"))


def _load(content: bytes) -> dict[str, Any]:
    """State in the bytes of a checkpoint; raises ValueError unless they have their digest."""
    head, _, payload = content.partition(b"\n")
    if not head.startswith(_HEAD):
        raise ValueError("it is no checkpoint of this version")
    if head[len(_HEAD) :].decode() != hashlib.sha256(payload).hexdigest():
        raise ValueError("its digest does not match its content")
    state: dict[str, Any] = torch.load(io.BytesIO(payload), weights_only=True)
    return state


def processes(state: dict[str, Any]) -> int:
    """Number of processes that wrote the checkpoint `state`."""
    return 1 + len(state.get("others", ()))


def restore(state: dict[str, Any], model: PPO, env: GrekVecEnv, curriculum: Curriculum) -> bool:
    """Set `model`, `env` and `curriculum` to the `state` of a checkpoint.

    Worlds and random states of another number of processes do not fit this one's: they are left
    alone and False is returned.
    """
    model.policy.load_state_dict(state["policy"])
    model.policy.optimizer.load_state_dict(state["optimizer"])
    model.num_timesteps, model._n_updates = state["steps"], state["updates"]
    model.rate = state["rate"]
    vars(curriculum).update(state["curriculum"])
    if processes(state) != collectives.size():
        return False
    own = [state, *state.get("others", ())][collectives.rank()]
    env.episodes.restore(_arrays(own["episodes"]))
    model._last_obs = own["observation"].numpy()
    model._last_episode_starts = own["starts"].numpy()
    name, keys, *rest = _arrays(own["numpy"])
    np.random.set_state((name, keys, *rest))  # noqa: NPY002
    torch.set_rng_state(own["torch"])
    return True


def save_learner(
    policy: torch.nn.Module, contract: dict[str, Any], level: float, path: Path
) -> None:
    """Write the weights of `policy`, with its contract and curriculum level, atomically."""
    tensors = {name: value.detach().clone() for name, value in policy.state_dict().items()}
    metadata = {"contract": json.dumps(contract), "level": repr(level)}
    files.write(path, safetensors(tensors, metadata))


def read_learner(text: str) -> tuple[dict[str, torch.Tensor], dict[str, Any], float]:
    """Weights, contract and curriculum level named by `text`.

    `text` is a run directory, a file, or a shipped policy. Raises InputError if there is none.
    """
    path = asset_path("policies") / f"{text}.safetensors" if text in SHIPPED else Path(text)
    if path.is_dir():
        path = path / LEARNER
    if not path.is_file():
        raise InputError(
            f"--from: {text!r} is no file or run directory with a {LEARNER}, nor one of:"
            f" {', '.join(SHIPPED)}"
        )
    try:
        with safe_open(path, "pt") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        contract, level = json.loads(metadata["contract"]), float(metadata["level"])
    except (SafetensorError, OSError, KeyError, ValueError, RecursionError) as error:
        raise InputError(f"--from: {path} is not a {LEARNER}: {error}") from None
    if not isinstance(contract, dict) or not 0 <= level <= 1:
        raise InputError(f"--from: {path} is not a {LEARNER}: its metadata are malformed")
    if not all(value.isfinite().all() for value in tensors.values()):
        raise InputError(f"--from: {path} has weights that are not finite")
    return tensors, contract, level


def load_learner(policy: torch.nn.Module, tensors: dict[str, torch.Tensor], text: str) -> None:
    """Set the weights of `policy`; raises InputError, naming `text`, if they do not fit."""
    wanted = {name: tuple(value.shape) for name, value in policy.state_dict().items()}
    found = {name: tuple(value.shape) for name, value in tensors.items()}
    for name in (*wanted, *found):
        if wanted.get(name) != found.get(name):
            raise InputError(
                f"--from: {name} of {text} has shape {found.get(name)}, this network"
                f" {wanted.get(name)}; the observation and --ppo.hidden must be those it"
                " was trained with"
            )
    policy.load_state_dict(tensors)


def _plain(value: Any) -> Any:
    """Convert the arrays of a nested structure to tensors, which `weights_only` accepts."""
    if isinstance(value, np.ndarray):
        if value.dtype == np.uint32:
            return {"uint32": torch.as_tensor(value.astype(np.int64))}
        return torch.as_tensor(value)
    if isinstance(value, dict):
        return {k: _plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(v) for v in value]
    return value


def _arrays(value: Any) -> Any:
    """Invert `_plain`."""
    if isinstance(value, torch.Tensor):
        return value.numpy()
    if isinstance(value, dict):
        if set(value) == {"uint32"}:
            return value["uint32"].numpy().astype(np.uint32)
        return {k: _arrays(v) for k, v in value.items()}
    if isinstance(value, list):
        return [_arrays(v) for v in value]
    return value
