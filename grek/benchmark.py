"""`grek bench`: rates of this machine side by side in one run, ratios taken pair by pair.

What is compared takes turns, round after round, so that a machine that slows down slows down all
of it; a ratio is the median over rounds of that round's ratio.
"""

import csv
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import gymnasium
import mujoco
import numpy as np
from mujoco.batch import Batch

from grek.envs import robot
from grek.envs.episodes import EpisodeConfig
from grek.envs.gym_env import WalkEnv, WalkVectorEnv
from grek.envs.robot import BODY_GEOMS, HOME, SAG, SOLE_POINTS
from grek.eval.scorecard import write_text

SCHEMA = 1
WORLDS = 256
SUBSTEPS = 4
_CURRENT = int(mujoco.mjtStage.mjSTAGE_VEL)
Rate = Callable[[], float]
"""Runs for a moment; returns env steps per second."""


def measure(repeats: int, progress: Callable[[int, int], None]) -> dict[str, Any]:
    """All rates and ratios, as `contracts` says: median, low and high over `repeats` rounds."""
    threads = os.cpu_count() or 1
    contenders: dict[str, Rate] = {
        "raw_rigid": raw(threads),
        "vector_env_rigid": vector_env(threads, ("dry_concrete",)),
        "vector_env_mixed": vector_env(threads, None),
        "vector_env_sand": vector_env(threads, ("sand",)),
        "env": single_env(),
        "sync_vector_env": gymnasium_vector(gymnasium.vector.SyncVectorEnv, threads),
        "async_vector_env": gymnasium_vector(gymnasium.vector.AsyncVectorEnv, threads),
        "dummy_vec_env": sb3_vector("DummyVecEnv", threads),
        "subproc_vec_env": sb3_vector("SubprocVecEnv", threads),
    }
    total = repeats * (len(contenders) + 1)
    found: dict[str, list[float]] = {name: [] for name in (*contenders, "training")}
    for turn in range(repeats):
        for i, (name, rate) in enumerate(contenders.items()):
            found[name].append(rate())
            progress(turn * (len(contenders) + 1) + i, total)
        found["training"].append(training(threads))
    progress(total, total)
    rounds = {name: np.array(values) for name, values in found.items()}
    peers = [rounds[n] for n in found if n.endswith("_vec_env") or n.endswith("c_vector_env")]
    raw_rate, mixed = rounds["raw_rigid"], rounds["vector_env_mixed"]
    ratios = {
        "vector_env_over_raw_rigid": rounds["vector_env_rigid"] / raw_rate,
        "vector_env_over_raw_mixed": mixed / raw_rate,
        "vector_env_over_raw_sand": rounds["vector_env_sand"] / raw_rate,
        "vector_env_over_best_peer": rounds["vector_env_rigid"] / np.max(peers, axis=0),
        "training_over_simulation": rounds["training"] / mixed,
    }
    missing = ("envpool_flat", "envpool_rough")
    return {
        "schema": SCHEMA,
        "machine": {
            "cpu": cpu(),
            "cores": threads,
            "python": platform.python_version(),
            "mujoco": version("mujoco"),
            "torch": version("torch"),
        },
        "rates": {**{n: spread(v) for n, v in rounds.items()}, **dict.fromkeys(missing)},
        "ratios": {
            **{n: spread(v) for n, v in ratios.items()},
            "physics_over_envpool_rough": None,
            "ppo_update_over_sb3": None,
        },
        "memory_per_world_mib": memory_per_world(),
        "startup_s": {
            "import_grek": startup("import grek"),
            "grek_help": startup(
                "import sys; sys.argv = ['grek', '--help']; from grek.__main__ import main; main()"
            ),
        },
        "notes": {
            "envpool_flat": "not measured",
            "envpool_rough": "not measured",
            "ppo_update_over_sb3": "not measured",
        },
    }


# -- what is measured ----------------------------------------------------------------------


def raw(threads: int) -> Rate:
    """`Batch.step` of the same droid on one bare plane, with nothing around it: the limit."""
    spec = robot.load_spec()
    robot.strip_visuals(spec)
    spec.worldbody.add_geom(
        name="floor",
        type=mujoco.mjtGeom.mjGEOM_PLANE,
        size=[0, 0, 1],
        contype=1,
        conaffinity=0,
        priority=1,
        friction=[0.75, 0, 0],
        solref=[0.012, 1],
    )
    for name in (*SOLE_POINTS, *BODY_GEOMS):
        spec.geom(name).conaffinity = 1
    model = spec.compile()
    batch = Batch(model, WORLDS, threads, True)
    batch.reset()
    qpos, qvel, ctrl = batch.bind("qpos"), batch.bind("qvel"), batch.bind("ctrl")
    parts = robot.Layout.of(model)
    rng = np.random.default_rng(0)
    start = np.tile(model.qpos0, (WORLDS, 1))
    start[:, parts.qpos] = HOME
    start[:, 2] = robot.STAND_HEIGHT + 0.001

    def run(steps: int = 50) -> float:
        qpos[:], qvel[:] = start, 0
        began = time.perf_counter()
        for _ in range(steps):
            ctrl[:] = HOME + SAG + rng.normal(0, 0.02, ctrl.shape)
            batch.step(nstep=SUBSTEPS, stage=_CURRENT)
        return steps * WORLDS / (time.perf_counter() - began)

    return run


def vector_env(threads: int, materials: tuple[str, ...] | None, worlds: int = WORLDS) -> Rate:
    """Our VectorEnv; the droid stands and shivers, as it does for `raw`."""
    config = EpisodeConfig(materials=materials)
    envs = WalkVectorEnv(worlds, threads=threads, config=config)

    def run(steps: int = 50) -> float:
        envs.reset(seed=0)
        return timed(lambda: envs.step(shiver(worlds)), steps) * worlds

    return run


def single_env() -> Rate:
    """One `WalkEnv` by itself."""
    env = WalkEnv(config=EpisodeConfig(materials=("dry_concrete",)))

    def run(steps: int = 300) -> float:
        env.reset(seed=0)

        def step() -> None:
            if any(env.step(shiver(1)[0])[2:4]):
                env.reset()

        return timed(step, steps)

    return run


def gymnasium_vector(kind: Callable[..., Any], threads: int) -> Rate:
    """Gymnasium's vector environments around `WalkEnv`, as many as there are threads."""

    def run(steps: int = 200) -> float:
        envs = kind([lambda: WalkEnv(config=EpisodeConfig(materials=("dry_concrete",)))] * threads)
        envs.reset(seed=0)
        rate = timed(lambda: envs.step(shiver(threads)), steps) * threads
        envs.close()
        return rate

    return run


def sb3_vector(kind: str, threads: int) -> Rate:
    """Stable-Baselines3's vector environments around `WalkEnv`."""
    from stable_baselines3.common import vec_env

    def run(steps: int = 200) -> float:
        envs = getattr(vec_env, kind)([_dry_env] * threads)
        envs.reset()
        rate = timed(lambda: envs.step(shiver(threads)), steps) * threads
        envs.close()
        return rate

    return run


def _dry_env() -> WalkEnv:
    return WalkEnv(config=EpisodeConfig(materials=("dry_concrete",)))


def training(threads: int, steps: int = 65_536) -> float:
    """`grek train` as a person runs it, for a few updates; the rate of the last half."""
    with tempfile.TemporaryDirectory() as directory:
        run = Path(directory) / "run"
        command = [sys.executable, "-m", "grek", "train", "--out", str(run)]
        command += ["--steps", str(steps), "--threads", str(threads)]
        subprocess.run(command, check=True, capture_output=True)
        with (run / "progress.csv").open() as file:
            rows = [(int(r["steps"]), float(r["seconds"])) for r in csv.DictReader(file)]
    (first, began), (last, ended) = rows[len(rows) // 2 - 1], rows[-1]
    return (last - first) / (ended - began)


def memory_per_world(worlds: int = 1024) -> float:
    """Growth of resident memory for each further world, all of them on sand [MiB]."""
    code = (
        "import sys; from pathlib import Path; import numpy as np\n"
        "from grek.envs.gym_env import WalkVectorEnv\n"
        "from grek.envs.episodes import EpisodeConfig\n"
        "envs = WalkVectorEnv(int(sys.argv[1]), config=EpisodeConfig(materials=('sand',)))\n"
        "envs.reset(seed=0)\n"
        "for _ in range(3): envs.step(np.zeros((envs.num_envs, 10), np.float32))\n"
        # Not getrusage: a child inherits the peak of its parent there.
        "status = Path('/proc/self/status').read_text()\n"
        "print(next(w.split()[1] for w in status.splitlines() if w.startswith('VmRSS')))"
    )
    few, many = (
        int(
            subprocess.run(
                [sys.executable, "-c", code, str(n)], capture_output=True, check=True, text=True
            ).stdout
        )
        for n in (worlds // 8, worlds)
    )
    return round((many - few) / 1024 / (worlds - worlds // 8), 3)


def startup(code: str) -> float:
    """Best of three times that a new Python takes to run `code` [s]."""
    times = []
    for _ in range(3):
        began = time.perf_counter()
        subprocess.run([sys.executable, "-c", code], capture_output=True, check=False)
        times.append(time.perf_counter() - began)
    return round(min(times), 3)


def timed(step: Callable[[], object], steps: int) -> float:
    """Calls of `step` per second, after a few to warm up."""
    for _ in range(5):
        step()
    began = time.perf_counter()
    for _ in range(steps):
        step()
    return steps / (time.perf_counter() - began)


_RNG = np.random.default_rng(1)


def shiver(worlds: int) -> np.ndarray:
    """Small random actions: about 0.02 rad at every joint."""
    return _RNG.normal(0, 0.08, (worlds, robot.LEGS)).astype(np.float32)


# -- what is said about it -----------------------------------------------------------------


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
