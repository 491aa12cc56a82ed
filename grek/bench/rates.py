"""`grek bench`: rates of this machine, measured in turn, and ratios of paired measurements.

Each round measures every rate once, so that a change of machine speed affects all of them alike. A
ratio is taken within each round; its median, minimum and maximum over rounds are reported.
"""

import itertools
import json
import os
import platform
from collections.abc import Callable
from functools import partial
from importlib.metadata import version
from itertools import starmap
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
from rich.table import Table

from grek import files, terminal
from grek.bench import contenders
from grek.bench.contenders import ENVPOOL_SUBSTEPS, SUBSTEPS, Rate

SCHEMA = 1
_PEERS = ("sync_vector_env", "async_vector_env", "dummy_vec_env", "subproc_vec_env")
_STARTS = {
    "import_grek": "import grek",
    "grek_help": "from grek.__main__ import main; main(['--help'])",
}
_NO_ENVPOOL = "EnvPool with its Berkeley Humanoid tasks is not installed"


def measure(repeats: int, progress: Callable[[int, int], None]) -> dict[str, Any]:
    """Measure all rates and ratios over `repeats` rounds; return the content of the JSON file.

    `progress` is called with the number of measurements done and in total.
    """
    from stable_baselines3.common import vec_env  # imports torch

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

    def counted(work: Callable[[], Any]) -> Any:
        progress(next(count), total)
        return work()

    rates: dict[str, Rate | None] = {name: counted(make) for name, make in makers.items()}
    present = {name: rate for name, rate in rates.items() if rate is not None}
    found: dict[str, list[float]] = {name: [] for name in present}
    for _ in range(repeats):
        for name, rate in present.items():
            found[name].append(counted(rate))
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
    scaling = counted(partial(contenders.scaling, threads))
    memory = counted(contenders.memory_per_world)
    startup = {name: counted(partial(contenders.startup, code)) for name, code in _STARTS.items()}
    progress(total, total)
    return {
        **machine(),
        "rates": {**{n: spread(v) for n, v in rounds.items()}, **missing},
        "ratios": {**{n: spread(v) for n, v in ratios.items()}, **unknown},
        "scaling": scaling,
        "memory_per_world_mib": memory,
        "startup_s": startup,
        "notes": {name: _NO_ENVPOOL for name in (*missing, *unknown)},
    }


def machine() -> dict[str, Any]:
    """Return the schema version and the description of this machine, for the JSON file."""
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
    """Return median, minimum ("low") and maximum ("high"), rounded."""
    digits = 3 if np.median(values) < 100 else 0
    median, low, high = (float(f(values)) for f in (np.median, np.min, np.max))
    return {"median": round(median, digits), "low": round(low, digits), "high": round(high, digits)}


def tables(result: dict[str, Any]) -> tuple[Table | str, ...]:
    """Tables of rates, ratios, scaling and other figures, for `terminal.show`."""
    notes = result["notes"]

    def row(name: str, value: dict[str, float] | None) -> list[str]:
        if value is None:
            return [name, "-", "-", "-", notes.get(name, "not measured")]
        return [name, *(_number(value[key]) for key in ("median", "low", "high")), ""]

    spreads = [
        terminal.table((title, "median", "low", "high", ""), starmap(row, found.items()), "<>>><")
        for title, found in (
            ("rate [env steps/s]", result["rates"]),
            ("ratio", result["ratios"]),
        )
    ]
    sizes = [(s["worlds"], s["threads"], _number(s["rate"])) for s in result["scaling"]]
    scaling = terminal.table(("worlds", "threads", "env steps/s on all materials"), sizes, ">")
    memory = ("memory per world [MiB]", _number(result["memory_per_world_mib"]))
    startup = [(f"{name} [s]", _number(value)) for name, value in result["startup_s"].items()]
    others = terminal.table(("figure", "value"), [memory, *startup], "<>")
    return (spreads[0], "", spreads[1], "", scaling, "", others)


def _number(value: float) -> str:
    return f"{value:.0f}" if value >= 100 else f"{value:.3f}"


def write(result: dict[str, Any], path: Path) -> None:
    """Write the result as JSON."""
    files.write(path, json.dumps(result, indent=2) + "\n")


def cpu() -> str:
    """Return the model name of the processor."""
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or "unknown"
