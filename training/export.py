"""Export of a trained policy to ONNX: the actor with its normaliser and its contract."""

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from stable_baselines3.common.policies import ActorCriticPolicy
from stable_baselines3.common.torch_layers import FlattenExtractor
from torch import Tensor, nn

from grek import files
from grek.errors import InputError
from grek.training.networks import CLIP, EPSILON, Normaliser

_ACTIVATIONS = {nn.ELU: "Elu", nn.ReLU: "Relu", nn.Tanh: "Tanh"}


def export(policy: ActorCriticPolicy, contract: dict[str, Any], path: Path) -> None:
    """Write the deterministic actor of `policy` to `path` atomically.

    Input `observation` float32 (n, obs), output `action` float32 (n, act), clipped to the action
    space. `policy` is an actor-critic of Stable-Baselines3 of linear layers, ELU, ReLU and Tanh,
    with or without a `Normaliser`. Wrappers such as VecNormalize are not exported. The graph has
    few kinds of nodes and is built directly instead of by tracing. The contract gets a hash of the
    weights' values, which stays when it is edited.

    Raises InputError for other policies.
    """
    layers, normaliser = _actor(policy)
    size = int(layers[0].in_features)
    weights = {
        "low": np.array(policy.action_space.low[0], np.float32),  # type: ignore[attr-defined]
        "high": np.array(policy.action_space.high[0], np.float32),  # type: ignore[attr-defined]
    }
    nodes, current = [], "observation"
    if normaliser is not None:
        scale = 1 / np.sqrt(_array(normaliser.variance[:size]) + EPSILON)
        weights |= {
            "mean": _array(normaliser.mean[:size]),
            "scale": scale.astype(np.float32),
            "clip": np.array(CLIP, np.float32),
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
            node = helper.make_node(_ACTIVATIONS[type(layer)], [current], [f"x{i}"])
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
    training = {**contract.get("training", {}), "weights": digest(weights)}
    contract = {**contract, "training": training}
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    helper.set_model_props(model, {"grek.contract": json.dumps(contract, sort_keys=True)})
    onnx.checker.check_model(model)
    files.write(path, model.SerializeToString())


def digest(weights: dict[str, NDArray[np.float32]]) -> str:
    """SHA-256 over names, shapes and values of `weights`, in order of names."""
    found = hashlib.sha256()
    for name, values in sorted(weights.items()):
        found.update(f"{name} {values.dtype.str} {values.shape}".encode())
        found.update(np.ascontiguousarray(values).tobytes())
    return found.hexdigest()


def _actor(policy: ActorCriticPolicy) -> tuple[list[Any], Normaliser | None]:
    """Return the layers of the actor and the normaliser of its observations, if it has one."""
    if not isinstance(policy, ActorCriticPolicy):
        raise InputError(
            f"{type(policy).__name__} is not an ActorCriticPolicy and cannot be exported"
        )
    features: Any = policy.features_extractor
    layers = [*policy.mlp_extractor.policy_net, policy.action_net]
    unknown = [layer for layer in layers if type(layer) not in (nn.Linear, *_ACTIVATIONS)]
    if type(features) not in (Normaliser, FlattenExtractor):
        unknown.insert(0, features)
    if unknown:
        raise InputError(
            f"cannot export a policy with {type(unknown[0]).__name__}; supported layers:"
            f" {', '.join(layer.__name__ for layer in (nn.Linear, *_ACTIVATIONS))}"
        )
    return layers, features if isinstance(features, Normaliser) else None


def _array(tensor: Tensor) -> NDArray[np.float32]:
    return tensor.detach().cpu().numpy().astype(np.float32)
