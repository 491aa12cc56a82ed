"""Policies as the evaluator sees them: an ONNX file, a run directory, a shipped name, a reference.

ONNX files are loaded by onnxruntime and never unpickled; their contract is checked before they run.
"""

import dataclasses
import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from grek.assets import asset_path
from grek.envs import hashing, tasks
from grek.envs.contract import contract_of, task_of
from grek.envs.tasks import Task
from grek.envs.tasks.gait import Gait
from grek.errors import InputError

REFERENCES = ("zero", "random", "gait")
SHIPPED = ("walk",)
_CHUNK = 16  # rows of a network call: always the same, so that a row's bits never depend on others

Act = Callable[[NDArray[np.float32], NDArray[np.uint64], int], NDArray]
"""observation (n, obs), world seeds (n,), control step -> action (n, acting joints)"""


@dataclass(frozen=True)
class Policy:
    """A function that acts, its contract and its task."""

    name: str
    sha256: str
    contract: dict[str, Any]
    task: Task
    act: Act = field(repr=False)


def load(text: str) -> Policy:
    """The policy that `text` names; raises InputError if there is none or it cannot be used."""
    if text in REFERENCES:
        return _reference(text)
    path = asset_path("policies") / f"{text}.onnx" if text in SHIPPED else Path(text)
    if path.is_dir():
        path = path / "policy.onnx"
    if not path.is_file():
        raise InputError(
            f"unknown policy {text!r}; give an ONNX file, a run directory,"
            f" or one of: {', '.join((*SHIPPED, *REFERENCES))}"
        )
    return _from_onnx(path, text if text in SHIPPED else path.stem)


def from_function(
    name: str, act: Callable[[NDArray[np.float32]], NDArray], task: Task | None = None
) -> Policy:
    """Any callable from observations (n, obs) to actions (n, acting joints), under `task`.

    The task is walking by default.
    """
    return _own(name, task or tasks.walking(), lambda observation, seeds, step: act(observation))


def _reference(name: str) -> Policy:
    """`zero` holds the stand pose, `gait` walks the reference gait, `random` adds noise to it."""
    walking = tasks.walking()
    acting = len(walking.robot.joints)
    if name == "random":
        return _own(name, walking, lambda observation, *at: _random(acting, *at))
    if name == "zero":
        still = Gait(lift=0.0, sway=0.0, gain=(0.0, 0.0, 0.0))
        walking = dataclasses.replace(walking, motion=still)
    return _own(name, walking, lambda observation, *_: np.zeros((len(observation), acting)))


def _random(acting: int, seeds: NDArray[np.uint64], step: int) -> NDArray:
    return hashing.normal(seeds, np.full(len(seeds), step, np.uint64), acting)


def _own(name: str, task: Task, act: Act) -> Policy:
    contract = contract_of(task)
    digest = hashlib.sha256(json.dumps([name, contract], sort_keys=True).encode()).hexdigest()
    return Policy(name, digest, contract, task, act)


def _no_number(constant: str) -> None:
    raise ValueError(constant)


def _from_onnx(path: Path, name: str) -> Policy:
    import onnxruntime  # late: the references need no runtime

    content = path.read_bytes()
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 4
    try:
        session = onnxruntime.InferenceSession(content, options, ["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime names no common class
        reason = str(error).splitlines()[0][:120]
        raise InputError(f"{path} is not a readable ONNX file: {reason}") from None
    meta = session.get_modelmeta().custom_metadata_map
    if "grek.contract" not in meta:
        raise InputError(f"{path} carries no grek.contract: it was not exported by grek")
    try:
        contract = json.loads(meta["grek.contract"], parse_constant=_no_number)
    except ValueError:  # nor are NaN and its like
        raise InputError(f"{path}: its grek.contract is not JSON") from None
    if not isinstance(contract, dict):
        raise InputError(f"{path}: its grek.contract is no JSON object")
    task = task_of(contract, str(path))
    size, acting = task.size(), len(task.robot.joints)
    ports = [(p.name, p.shape[-1]) for p in (*session.get_inputs(), *session.get_outputs())]
    if ports != [("observation", size), ("action", acting)]:
        raise InputError(f"{path}: its ports are {ports}, not observation {size}, action {acting}")

    def act(observation: NDArray[np.float32], *_: Any) -> NDArray:
        n = len(observation)
        padded = np.zeros((-(-n // _CHUNK) * _CHUNK, size), np.float32)
        padded[:n] = observation
        rows = [
            session.run(["action"], {"observation": padded[i : i + _CHUNK]})[0]
            for i in range(0, len(padded), _CHUNK)
        ]
        return np.concatenate(rows)[:n]

    return Policy(name, hashlib.sha256(content).hexdigest(), contract, task, act)
