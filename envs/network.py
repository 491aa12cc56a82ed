"""Network of a policy: an ONNX file, run by onnxruntime on one thread.

Shared by evaluation and by the computer of a robot, so that they agree to the last bit.
"""

import os
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from grek.assets import SHIPPED, asset_path
from grek.errors import InputError

SCHEMA = 1  # of a policy's contract
OLDER = {"robot": "grek", "past_actions": 0, "commands": None, "phase_rate": 0.0}
"""Entries that older contracts lack, and what they stand for."""
_CHUNK = 16  # rows of a network call; constant, so that a row's bits do not depend on batch size
_EXTERNAL = "session.model_external_initializers_file_folder_path"
_FLOAT = "tensor(float)"


def locate(text: str) -> Path | None:
    """ONNX file named by `text`: a file, a run directory or a shipped policy; None without one."""
    path = asset_path("policies") / f"{text}.onnx" if text in SHIPPED else Path(text)
    if path.is_dir():
        path = path / "policy.onnx"
    return path if path.is_file() else None


class Network:
    """Network of the ONNX file `content`; raises InputError naming `source` if it is not readable.

    `contract` is the text of its metadata `grek.contract`.
    """

    def __init__(self, content: bytes, source: str) -> None:
        import onnxruntime  # not needed by references

        self._source = source
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
            raise InputError(f"{source} is not a readable ONNX file: {reason}") from None
        if "grek.contract" not in meta:
            raise InputError(f"{source} carries no grek.contract: it was not exported by grek")
        self.contract: str = meta["grek.contract"]
        self._session = session

    def check(self, size: int, actions: int) -> None:
        """Raise InputError unless it maps `size` values to `actions` values, and runs."""
        self._size, self._actions = size, actions
        ports = [
            (p.name, p.type, p.shape[1] if len(p.shape) == 2 else p.shape)
            for p in (*self._session.get_inputs(), *self._session.get_outputs())
        ]
        wanted = [("observation", _FLOAT, size), ("action", _FLOAT, actions)]
        if ports != wanted:
            found = str(ports)[:200]
            raise InputError(
                f"{self._source}: its ports are {found}, not {wanted}, each with rows first"
            )
        self(np.zeros((1, size), np.float32))  # a network that cannot run is refused now

    def __call__(self, observation: NDArray[np.float32], *_: Any) -> NDArray[np.float32]:
        """Actions (n, actions) for observations (n, size), after `check`."""
        n = len(observation)
        padded = np.zeros((-(-n // _CHUNK) * _CHUNK, self._size), np.float32)
        padded[:n] = observation
        chunks = (padded[i : i + _CHUNK] for i in range(0, len(padded), _CHUNK))
        try:
            rows = [self._session.run(["action"], {"observation": chunk})[0] for chunk in chunks]
        except Exception as error:  # onnxruntime has no common base class of errors
            reason = " ".join(str(error).split())[:120]
            raise InputError(f"{self._source} cannot be run: {reason}") from None
        if any(row.shape != (_CHUNK, self._actions) for row in rows):
            raise InputError(f"{self._source}: {_CHUNK} observations give actions {rows[0].shape}")
        return np.concatenate(rows)[:n]
