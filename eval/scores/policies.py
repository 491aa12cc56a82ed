"""Policies to evaluate: ONNX files, run directories, shipped policies and references.

ONNX files are loaded by onnxruntime, nothing is unpickled; the contract is checked before a policy
runs.
"""

import dataclasses
import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from grek import files
from grek.assets import SHIPPED
from grek.envs import hashing, tasks
from grek.envs.contract import contract_of, task_of
from grek.envs.motions.dance import Dance
from grek.envs.motions.gait import Gait
from grek.envs.network import Network, locate
from grek.envs.tasks import Task
from grek.errors import InputError

REFERENCES = ("zero", "random", "gait", "motion")
OPEN_LOOP = "motion"  # skills without feedback
MOTION = "motion:"  # then the name of a choreography

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
    path = locate(text)
    if path is None:
        raise InputError(
            f"unknown policy {text!r}; give an ONNX file, a run directory,"
            f" or one of: {', '.join((*SHIPPED, *REFERENCES, MOTION + 'NAME'))}"
        )
    name = text if text in SHIPPED else path.stem
    return from_onnx(path.read_bytes(), str(path), name)


def from_function(
    name: str, act: Callable[[NDArray[np.float32]], NDArray], task: Task | None = None
) -> Policy:
    """Policy of a function from observations (n, obs) to actions (n, `Task.actions`).

    `task` is walking by default.
    """
    return _own(name, task or tasks.walking(), lambda observation, seeds, step: act(observation))


def _reference(name: str) -> Policy:
    """Reference policy: "zero" holds the stand pose, "gait" tracks the open-loop reference gait,
    "random" adds N(0, 1) actions to it, "motion" does skills in open loop, and "motion:NAME" the
    dance NAME."""
    walking = tasks.staging() if name == OPEN_LOOP else tasks.walking()
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


def from_onnx(content: bytes, source: str, name: str) -> Policy:
    """Policy of the bytes of an ONNX file; `source` names it in the message of an InputError."""
    network = Network(content, source)
    contract = files.json_of(network.contract, f"{source}: its grek.contract")
    if not isinstance(contract, dict):
        raise InputError(f"{source}: its grek.contract is not a JSON object")
    task = task_of(contract, source)
    network.check(task.size(), task.actions)
    return Policy(name, hashlib.sha256(content).hexdigest(), contract, task, network)
