"""`grek bench`: rates of this machine side by side in one run, ratios taken pair by pair.

What is compared takes turns, round after round, so that a machine that slows down slows down all
of it; a ratio is the median over rounds of that round's ratio.
"""

import itertools
import json
import os
import platform
from collections.abc import Callable
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np

from grek.bench import contenders
from grek.bench.contenders import ENVPOOL_SUBSTEPS, SUBSTEPS, Rate
from grek.eval.scores.scorecard import write_text

SCHEMA = 1
_PEERS = ("sync_vector_env", "async_vector_env", "dummy_vec_env", "subproc_vec_env")
_STARTS = {
    "import_grek": "import grek",
    "grek_help": "from grek.__main__ import main; main(['--help'])",
}
_NO_ENVPOOL = "EnvPool with its Berkeley Humanoid tasks is not installed"


def measure(repeats: int, progress: Callable[[int, int], None]) -> dict[str, Any]:
    """All rates and ratios, as `contracts` says: median, low and high over `repeats` rounds."""
    from stable_baselines3.common import vec_env  # brings torch, which others need not wait for

    threads = os.cpu_count() or 1
    ours, theirs = contenders.ppo_updates(threads)
    makers: dict[str, Callable[[], Rate | None]] = {
        "raw_rigid": lambda: contenders.raw(threads),
        "vector_env_rigid": lambda: contenders.vector_env(threads, ("dry_concrete",)),
        "vector_env_mixed": lambda: contenders.vector_env(threads, None),
        "vector_env_sand": lambda: contenders.vector_env(threads, ("sand",)),
        "env": contenders.single_env,
        "sync_vector_env": lambda: contenders.peer(gymnasium.vector.SyncVectorEnv, threads),
        "async_vector_env": lambda: contenders.peer(gymnasium.vector.AsyncVectorEnv, threads),
        "dummy_vec_env": lambda: contenders.peer(vec_env.DummyVecEnv, threads),
        "subproc_vec_env": lambda: contenders.peer(vec_env.SubprocVecEnv, threads),
        "envpool_flat": lambda: contenders.envpool("Flat", threads),
        "envpool_rough": lambda: contenders.envpool("Rough", threads),
        "ppo_update": lambda: ours,
        "sb3_update": lambda: theirs,
        "training": lambda: lambda: contenders.training(threads),
    }
    count, total = itertools.count(), len(makers) * (repeats + 1) + 2 + len(_STARTS)

    def told(work: Callable[[], Any]) -> Any:
        progress(next(count), total)
        return work()

    rates: dict[str, Rate | None] = {name: told(make) for name, make in makers.items()}
    present = {name: rate for name, rate in rates.items() if rate is not None}
    found: dict[str, list[float]] = {name: [] for name in present}
    for _ in range(repeats):
        for name, rate in present.items():
            found[name].append(told(rate))
    rounds = {name: np.array(values) for name, values in found.items()}
    raw, mixed = rounds["raw_rigid"], rounds["vector_env_mixed"]
    ratios = {
        "vector_env_over_raw_rigid": rounds["vector_env_rigid"] / raw,
        "vector_env_over_raw_mixed": mixed / raw,
        "vector_env_over_raw_sand": rounds["vector_env_sand"] / raw,
        "vector_env_over_best_peer": rounds["vector_env_rigid"]
        / np.max([rounds[name] for name in _PEERS], axis=0),
        "training_over_simulation": rounds["training"] / mixed,
        "ppo_update_over_sb3": rounds["ppo_update"] / rounds["sb3_update"],
    }
    if "envpool_rough" in rounds:
        physics = rounds["envpool_rough"] * ENVPOOL_SUBSTEPS
        ratios["physics_over_envpool_rough"] = rounds["vector_env_rigid"] * SUBSTEPS / physics
    missing = dict.fromkeys(name for name, rate in rates.items() if rate is None)
    unknown = {} if "envpool_rough" in rounds else {"physics_over_envpool_rough": None}
    scaling = told(partial(contenders.scaling, threads))
    memory = told(contenders.memory_per_world)
    startup = {name: told(partial(contenders.startup, code)) for name, code in _STARTS.items()}
    progress(total, total)
    return {
        **about(),
        "rates": {**{n: spread(v) for n, v in rounds.items()}, **missing},
        "ratios": {**{n: spread(v) for n, v in ratios.items()}, **unknown},
        "scaling": scaling,
        "memory_per_world_mib": memory,
        "startup_s": startup,
        "notes": {name: _NO_ENVPOOL for name in (*missing, *unknown)},
    }


def about() -> dict[str, Any]:
    """The schema, and the machine that was measured."""
    return {
        "schema": SCHEMA,
        "machine": {
            "cpu": cpu(),
            "cores": os.cpu_count() or 1,
            "python": platform.python_version(),
            "mujoco": version("mujoco"),
            "torch": version("torch"),
        },
    }


def spread(values: np.ndarray) -> dict[str, float]:
    """Median, lowest and highest."""
    digits = 3 if np.median(values) < 100 else 0
    median, low, high = (float(f(values)) for f in (np.median, np.min, np.max))
    return {"median": round(median, digits), "low": round(low, digits), "high": round(high, digits)}


def table(result: dict[str, Any]) -> str:
    """Rates and ratios as text."""
    lines = [f"{'env steps per second':32}{'median':>10}{'low':>10}{'high':>10}"]
    for part, title in (("rates", None), ("ratios", "ratio")):
        if title:
            lines.append(f"{title:32}{'median':>10}{'low':>10}{'high':>10}")
        for name, value in result[part].items():
            if value is None:
                lines.append(f"{name:32}{'-':>10}  {result['notes'].get(name, 'not measured')}")
            else:
                lines.append(f"{name:32}" + "".join(f"{value[k]:>10}" for k in value))
    lines.append(f"{'worlds x threads, all ground':32}{'median':>10}")
    lines += [f"{s['worlds']:>5} x {s['threads']:<24}{s['rate']:>10}" for s in result["scaling"]]
    lines.append(f"{'memory per world [MiB]':32}{result['memory_per_world_mib']:>10}")
    lines += [f"{k + ' [s]':32}{v:>10}" for k, v in result["startup_s"].items()]
    return "\n".join(lines)


def write(result: dict[str, Any], path: Path) -> None:
    """Write the result as JSON, whole or not at all."""
    write_text(path, json.dumps(result, indent=2) + "\n")


def cpu() -> str:
    """Name of the processor."""
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or "unknown"
