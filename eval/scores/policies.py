"""Policies as the evaluator sees them: an ONNX file, a run directory, a shipped name, a reference.

ONNX files are loaded by onnxruntime and never unpickled; their contract is checked before they run.
"""

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from grek.assets import asset_path
from grek.envs import noise
from grek.envs.contract import config_of, contract_of
from grek.envs.robots.robot import LEGS
from grek.envs.tasks import observations
from grek.envs.tasks.gait import Gait
from grek.envs.tasks.walk import WalkConfig
from grek.errors import InputError

REFERENCES = ("zero", "random", "gait")
SHIPPED = ("walk",)
_CHUNK = 16  # rows of a network call: always the same, so that a row's bits never depend on others

Act = Callable[[NDArray[np.float32], NDArray[np.uint64], int], NDArray]
"""observation (n, obs), world seeds (n,), control step -> action (n, 10)"""


@dataclass(frozen=True)
class Policy:
    """Something that acts, and what it knows of the task."""

    name: str
    sha256: str
    contract: dict[str, Any]
    config: WalkConfig
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


def from_function(name: str, act: Callable[[NDArray[np.float32]], NDArray]) -> Policy:
    """Any callable from observations (n, obs) to actions (n, 10), under the default contract."""
    return _own(name, WalkConfig(), lambda observation, seeds, step: act(observation))


def _reference(name: str) -> Policy:
    """`zero` holds the stand pose, `gait` walks the reference gait, `random` adds noise to it."""
    if name == "zero":
        config = WalkConfig(gait=Gait(lift=0.0, sway=0.0, gain=(0.0, 0.0, 0.0)))
        return _own(name, config, lambda observation, *_: np.zeros((len(observation), LEGS)))
    if name == "gait":
        return _own(name, WalkConfig(), lambda observation, *_: np.zeros((len(observation), LEGS)))
    return _own(name, WalkConfig(), _random)


def _random(observation: NDArray[np.float32], seeds: NDArray[np.uint64], step: int) -> NDArray:
    return noise.normal(seeds, np.full(len(seeds), step, np.uint64), LEGS)


def _own(name: str, config: WalkConfig, act: Act) -> Policy:
    contract = contract_of(config)
    digest = hashlib.sha256(json.dumps([name, contract], sort_keys=True).encode()).hexdigest()
    return Policy(name, digest, contract, config, act)


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
    config = config_of(contract, str(path))
    size = observations.size(observations.actor_fields(config.history))
    ports = [(p.name, p.shape[-1]) for p in (*session.get_inputs(), *session.get_outputs())]
    if ports != [("observation", size), ("action", LEGS)]:
        raise InputError(f"{path}: its ports are {ports}, not observation {size}, action {LEGS}")

    def act(observation: NDArray[np.float32], *_: Any) -> NDArray:
        n = len(observation)
        padded = np.zeros((-(-n // _CHUNK) * _CHUNK, size), np.float32)
        padded[:n] = observation
        rows = [
            session.run(["action"], {"observation": padded[i : i + _CHUNK]})[0]
            for i in range(0, len(padded), _CHUNK)
        ]
        return np.concatenate(rows)[:n]

    return Policy(name, hashlib.sha256(content).hexdigest(), contract, config, act)
