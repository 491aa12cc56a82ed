"""A trained policy as an ONNX file with its contract: the actor alone, normaliser folded in."""

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor, nn

from grek.training.policy import CLIP, WalkPolicy


def export(policy: WalkPolicy, contract: dict[str, Any], path: Path) -> None:
    """Write the deterministic actor of `policy` to `path`, whole or not at all.

    Input `observation` float32 (n, obs), output `action` float32 (n, act), cut to the limits of the
    action space. The graph is built by hand: it is five kinds of nodes, and needs no tracing.
    """
    extractor: Any = policy.mlp_extractor
    layers: list[Any] = [*extractor.policy_net, policy.action_net]
    size = int(extractor.actor_size)
    normaliser = policy.normaliser
    scale = 1 / np.sqrt(_array(normaliser.variance[:size]) + 1e-4)
    weights = {
        "mean": _array(normaliser.mean[:size]),
        "scale": scale.astype(np.float32),
        "clip": np.array(CLIP, np.float32),
        "low": np.array(policy.action_space.low[0], np.float32),  # type: ignore[attr-defined]
        "high": np.array(policy.action_space.high[0], np.float32),  # type: ignore[attr-defined]
        "floor": np.array(-CLIP, np.float32),
    }
    nodes = [
        helper.make_node("Sub", ["observation", "mean"], ["centred"]),
        helper.make_node("Mul", ["centred", "scale"], ["scaled"]),
        helper.make_node("Clip", ["scaled", "floor", "clip"], ["x0"]),
    ]
    current = "x0"
    for i, layer in enumerate(layers, 1):
        if isinstance(layer, nn.Linear):
            weights[f"w{i}"], weights[f"b{i}"] = _array(layer.weight), _array(layer.bias)
            node = helper.make_node("Gemm", [current, f"w{i}", f"b{i}"], [f"x{i}"], transB=1)
        else:
            node = helper.make_node("Elu", [current], [f"x{i}"])
        nodes.append(node)
        current = f"x{i}"
    nodes.append(helper.make_node("Clip", [current, "low", "high"], ["action"]))
    actions = layers[-1].out_features
    graph = helper.make_graph(
        nodes,
        "grek",
        [helper.make_tensor_value_info("observation", TensorProto.FLOAT, ["n", size])],
        [helper.make_tensor_value_info("action", TensorProto.FLOAT, ["n", actions])],
        [numpy_helper.from_array(value, name) for name, value in weights.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    helper.set_model_props(model, {"grek.contract": json.dumps(contract, sort_keys=True)})
    onnx.checker.check_model(model)
    partial = path.with_suffix(".partial")
    partial.write_bytes(model.SerializeToString())
    os.replace(partial, path)


def _array(tensor: Tensor) -> NDArray[np.float32]:
    return tensor.detach().cpu().numpy().astype(np.float32)
