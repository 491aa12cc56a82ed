"""Policies to evaluate: ONNX files, run directories, shipped policies and references.

ONNX files are loaded by onnxruntime, nothing is unpickled; the contract is checked before a policy
runs.
"""

import dataclasses
import hashlib
import json
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from grek import files
from grek.assets import SHIPPED, asset_path
from grek.envs import hashing, tasks
from grek.envs.contract import contract_of, task_of
from grek.envs.tasks import Task
from grek.envs.tasks.dance import Dance
from grek.envs.tasks.gait import Gait
from grek.errors import InputError

REFERENCES = ("zero", "random", "gait")
MOTION = "motion:"  # then the name of a choreography
_EXTERNAL = "session.model_external_initializers_file_folder_path"
_CHUNK = 16  # rows of a network call; constant, so that a row's bits do not depend on batch size

_FLOAT = "tensor(float)"

Act = Callable[[NDArray[np.float32], NDArray[np.uint64], int], NDArray]
"""observation (n, obs), world seeds (n,), control step -> action (n, actions)"""


@dataclass(frozen=True)
class Policy:
    """A policy with its contract and its task; `sha256` identifies it in scorecards."""

    name: str
    sha256: str
    contract: dict[str, Any]
    task: Task
    act: Act = field(repr=False)


def load(text: str) -> Policy:
    """Policy named by `text`: a path, or a name in SHIPPED or REFERENCES.

    Raises InputError if there is none, or if it does not fit the environment.
    """
    if text in REFERENCES or text.startswith(MOTION):
        return _reference(text)
    path = asset_path("policies") / f"{text}.onnx" if text in SHIPPED else Path(text)
    if path.is_dir():
        path = path / "policy.onnx"
    if not path.is_file():
        raise InputError(
            f"unknown policy {text!r}; give an ONNX file, a run directory,"
            f" or one of: {', '.join((*SHIPPED, *REFERENCES, MOTION + 'NAME'))}"
        )
    return _from_onnx(path, text if text in SHIPPED else path.stem)


def from_function(
    name: str, act: Callable[[NDArray[np.float32]], NDArray], task: Task | None = None
) -> Policy:
    """Policy of a function from observations (n, obs) to actions (n, `Task.actions`).

    `task` is walking by default.
    """
    return _own(name, task or tasks.walking(), lambda observation, seeds, step: act(observation))


def _reference(name: str) -> Policy:
    """Reference policy: "zero" holds the stand pose, "gait" tracks the open-loop reference gait,
    "random" adds N(0, 1) actions to it, "motion:NAME" dances NAME in open loop."""
    walking = tasks.walking()
    acting = walking.actions
    if name.startswith(MOTION):
        walking = dataclasses.replace(walking, motion=Dance((name.removeprefix(MOTION),)))
        walking.motion.start(walking.robot, 1)  # refuses a dance that the robot cannot do
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


def _from_onnx(path: Path, name: str) -> Policy:
    import onnxruntime  # not needed by the references

    content = path.read_bytes()
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 4
    # Weights beside the file would be in no hash of it: look for them where there are none.
    options.add_session_config_entry(_EXTERNAL, os.devnull)
    try:
        session = onnxruntime.InferenceSession(content, options, ["CPUExecutionProvider"])
        meta = session.get_modelmeta().custom_metadata_map
    except Exception as error:  # onnxruntime has no common base class of errors
        reason = str(error).splitlines()[0][:120]
        raise InputError(f"{path} is not a readable ONNX file: {reason}") from None
    if "grek.contract" not in meta:
        raise InputError(f"{path} carries no grek.contract: it was not exported by grek")
    contract = files.json_of(meta["grek.contract"], f"{path}: its grek.contract")
    if not isinstance(contract, dict):
        raise InputError(f"{path}: its grek.contract is not a JSON object")
    task = task_of(contract, str(path))
    size, acting = task.size(), task.actions
    ports = [
        (p.name, p.type, p.shape[1] if len(p.shape) == 2 else p.shape)
        for p in (*session.get_inputs(), *session.get_outputs())
    ]
    wanted = [("observation", _FLOAT, size), ("action", _FLOAT, acting)]
    if ports != wanted:
        found = str(ports)[:200]
        raise InputError(f"{path}: its ports are {found}, not {wanted}, each with rows first")

    def act(observation: NDArray[np.float32], *_: Any) -> NDArray:
        n = len(observation)
        padded = np.zeros((-(-n // _CHUNK) * _CHUNK, size), np.float32)
        padded[:n] = observation
        chunks = (padded[i : i + _CHUNK] for i in range(0, len(padded), _CHUNK))
        try:
            rows = [session.run(["action"], {"observation": chunk})[0] for chunk in chunks]
        except Exception as error:  # onnxruntime has no common base class of errors
            reason = " ".join(str(error).split())[:120]
            raise InputError(f"{path} cannot be run: {reason}") from None
        if any(row.shape != (_CHUNK, acting) for row in rows):
            raise InputError(f"{path}: {_CHUNK} observations give actions {rows[0].shape}")
        return np.concatenate(rows)[:n]

    act(np.zeros((1, size), np.float32))  # a network that cannot run is refused now
    return Policy(name, hashlib.sha256(content).hexdigest(), contract, task, act)
