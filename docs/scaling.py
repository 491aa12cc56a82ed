"""Throughput of training on many cores, on paper: `python docs/scaling.py [--measure]`.

Measures what an update of one process costs on this machine, and what processes pay to average
their gradients, writes docs/scaling.json, and from it a model, its table and docs/scaling.png.
Work is measured in CPU time and messages by their shortest, so that other work on the machine
disturbs them little; its load is recorded.
"""

import json
import multiprocessing
import os
import sys
import tempfile
import time
from pathlib import Path
from statistics import mean, median, stdev
from typing import Any

import numpy as np
import torch
import torch.distributed as dist
from matplotlib.figure import Figure
from scipy.stats import norm

from grek.envs.episodes import EpisodeConfig
from grek.training import checkpoint
from grek.training.config import TrainConfig
from grek.training.curriculum import Curriculum
from grek.training.log import Statistics
from grek.training.train import begin, make_model
from grek.training.vec_env import GrekVecEnv

HERE = Path(__file__).parent
FOUND = HERE / "scaling.json"
GROUPS = (2, 4, 8)  # processes
SIZES = (4, 600_000)  # of a message [byte]; a gradient has about the second
MESSAGES = 110  # of which the first ten do not count
CORES = (1, 2, 4, 8, 16, 64, 128, 256, 512, 1024, 2048, 4096)
WORLDS = (128, 256, 512)  # of a process
NETWORK = {"latency": 30e-6, "bandwidth": 25e9 / 8}  # assumed: [s], [byte/s]


def learner(worlds: int) -> tuple[Any, GrekVecEnv, Statistics]:
    """A learner with `worlds` worlds and one thread."""
    torch.set_num_threads(1)
    config = TrainConfig(worlds=worlds, threads=1)
    env = GrekVecEnv(worlds, 1, EpisodeConfig(replay=config.replay))
    model = make_model(env, config)
    statistics = Statistics(Curriculum())
    begin(model, env, statistics.curriculum, config)
    model._setup_learn(0, statistics, reset_num_timesteps=False)
    return model, env, statistics


def one_process(worlds: int) -> dict[str, Any]:
    """CPU times of a rollout and an update [s], and sizes [byte], of a process with one thread."""
    model, env, statistics = learner(worlds)
    rollouts, learning = [], []
    for _ in range(3 + 512 // worlds):
        began = time.process_time()
        model.collect_rollouts(env, statistics, model.rollout_buffer, model.n_steps)
        middle = time.process_time()
        model.train()
        rollouts.append(middle - began)
        learning.append(time.process_time() - middle)
    with tempfile.TemporaryDirectory() as directory:
        path = checkpoint.save(Path(directory), model, env, statistics.curriculum)
        size = path.stat().st_size
    weights = sum(p.numel() for p in model.policy.parameters())
    return {
        "worlds": worlds,
        "samples": worlds * model.n_steps,
        "rollout": median(rollouts[1:]),
        "rollout_spread": stdev(rollouts[1:]) / mean(rollouts[1:]),
        "update": median(learning[1:]),
        "messages": model.n_epochs * -(-worlds * model.n_steps // model.batch_size),
        "message": 4 * (weights + 3),
        "checkpoint": size,
    }


def member(rank: int, size: int, store: str, out: Any) -> None:
    """Process of a group that sums a message of each of SIZES MESSAGES times."""
    torch.set_num_threads(1)
    dist.init_process_group("gloo", f"file://{store}", rank=rank, world_size=size)
    for bytes_ in SIZES:
        values, times = torch.ones(bytes_ // 4), []
        for _ in range(MESSAGES):
            began = time.perf_counter()
            dist.all_reduce(values)
            values.div_(size)
            times.append(time.perf_counter() - began)
        if rank == 0:
            out.put({"processes": size, "bytes": bytes_, "seconds": min(times[10:])})
    dist.barrier()
    dist.destroy_process_group()


def all_reduce(size: int) -> list[dict[str, Any]]:
    """Shortest time in which `size` processes sum a message of each of SIZES [s]."""
    context = multiprocessing.get_context("fork")
    with tempfile.TemporaryDirectory() as directory:
        out, store = context.SimpleQueue(), f"{directory}/store"
        group = [
            context.Process(target=member, args=(rank, size, store, out)) for rank in range(size)
        ]
        for process in group:
            process.start()
        found = [out.get() for _ in SIZES]
        for process in group:
            process.join()
    return found


def measure() -> None:
    """Write FOUND."""
    load = os.getloadavg()[0]
    sums = [found for size in GROUPS for found in all_reduce(size)]  # before there are threads
    alone = [one_process(worlds) for worlds in WORLDS]
    found = {"cores": os.cpu_count(), "load_before": load, "alone": alone, "all_reduce": sums}
    FOUND.write_text(json.dumps(found, indent=1) + "\n")


def summing(processes: int, bytes_: int) -> float:
    """Time in which `processes` sum a message over NETWORK [s]: gloo's ring of 2 (P - 1) hops."""
    if processes == 1:
        return 0.0
    hops = 2 * (processes - 1)
    return hops * (NETWORK["latency"] + bytes_ / processes / NETWORK["bandwidth"])


def tree(processes: int, bytes_: int) -> float:
    """The same by recursive halving and doubling, 2 log2 P hops; `grek train` does not use it."""
    hops = 2 * np.log2(processes)
    share = 2 * (processes - 1) / processes
    return float(hops * NETWORK["latency"] + share * bytes_ / NETWORK["bandwidth"])


def throughput(one: dict[str, Any], processes: int, sums: Any = summing) -> float:
    """Environment steps per second of all `processes`, each as measured in `one`.

    A rollout takes as long as that of the slowest: the expected largest of P normal deviates.
    """
    slowest = norm.ppf(processes / (processes + 1)) * one["rollout_spread"] if processes > 1 else 0
    took = one["rollout"] * (1 + max(slowest, 0)) + one["update"]
    took += one["messages"] * sums(processes, one["message"])
    return float(processes * one["samples"] / took)


def draw(found: dict[str, Any], path: Path) -> None:
    """Plot throughput over cores, one process a core."""
    figure = Figure(figsize=(7, 3.8), layout="constrained")
    axes = figure.subplots()
    for colour, one in enumerate(found["alone"]):
        for sums, line, text in ((summing, "-", "ring"), (tree, ":", "halving and doubling")):
            rates = [throughput(one, cores, sums) for cores in CORES]
            label = f"{one['worlds']} worlds a core, {text}"
            axes.plot(CORES, rates, line, color=f"C{colour}", label=label)
    ideal = throughput(found["alone"][-1], 1)
    axes.plot(CORES, [ideal * n for n in CORES], color="0.8", zorder=0, label="no cost of others")
    axes.set(xscale="log", yscale="log", xlabel="cores", ylabel="environment steps per second")
    axes.legend(frameon=False, fontsize="small")
    axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, dpi=150)


def table(found: dict[str, Any]) -> str:
    """Markdown table of the model."""
    lines = ["| worlds a core | 1 core | 64 cores | 512 cores | 4,096 cores |", "| --- " * 5 + "|"]
    for one in found["alone"]:
        for sums, text in ((summing, "ring"), (tree, "halving and doubling")):
            rates = [f"{throughput(one, n, sums):,.0f}" for n in (1, 64, 512, 4096)]
            lines.append(f"| {one['worlds']:,}, {text} | {' | '.join(rates)} |")
    return "\n".join(lines)


if __name__ == "__main__":
    if "--measure" in sys.argv:
        measure()
    measured = json.loads(FOUND.read_text())
    draw(measured, HERE / "scaling.png")
    print(table(measured))
