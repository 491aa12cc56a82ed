"""Throughput of training on many cores, on paper: `python docs/scaling.py [--measure]`.

--measure measures on this machine, which should be quiet, and writes docs/scaling.json; then the
tables of docs/cluster.md and docs/scaling.png are computed from that. `--one WORLDS` prints what an
update of one process costs, `--sum PROCESSES` what processes pay for a sum. Work is measured in CPU
time and messages by their shortest, so that other work disturbs them little; the load is recorded.
"""

import json
import multiprocessing
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import mean, median, stdev
from typing import Any

import torch
import torch.distributed as dist
from matplotlib.figure import Figure
from scipy.stats import norm

from grek.envs.episodes import EpisodeConfig
from grek.training import checkpoint
from grek.training.config import TrainConfig
from grek.training.curriculum import Curriculum
from grek.training.log import Statistics
from grek.training.train import CHECKPOINT_EVERY, begin, make_model
from grek.training.vec_env import GrekVecEnv

HERE = Path(__file__).parent
FOUND, PAGE, FIGURE = HERE / "scaling.json", HERE / "cluster.md", HERE / "scaling.png"
GROUPS = (2, 4, 8)  # processes
SIZES = (8, 600_000)  # of a message [byte]; a gradient has about the second
MESSAGES = 110  # of which the first ten do not count
CORES = (1, 2, 4, 8, 16, 64, 128, 256, 512, 1024, 2048, 4096)
SHOWN = (1, 64, 512, 4096)
WORLDS = (128, 256, 512)  # of a core
SUMS = 5  # small ones of an update: end, statistics, advantages, normaliser, variances
LATENCY, BANDWIDTH = 30e-6, 25e9 / 8  # of a network, assumed [s], [byte/s]
MACHINE = 16  # threads of a process, where it has a machine for itself


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
    """CPU times of a rollout and an update [s], and sizes [byte], of a process with one thread.

    A checkpoint is measured by the clock.
    """
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
        began = time.perf_counter()
        path = checkpoint.save(Path(directory), model, env, statistics.curriculum)
        saving, size = time.perf_counter() - began, path.stat().st_size
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
        "saving": saving,
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


def processes(worlds: int, copies: int) -> list[dict[str, Any]]:
    """`one_process` in `copies` processes at once."""
    command = [sys.executable, __file__, "--one", str(worlds)]
    running = [subprocess.Popen(command, stdout=subprocess.PIPE) for _ in range(copies)]
    return [json.loads(process.communicate()[0]) for process in running]


def measure() -> None:
    """Write FOUND."""
    found: dict[str, Any] = {"cores": os.cpu_count(), "load_before": os.getloadavg()[0]}
    found["all_reduce"] = [found for size in GROUPS for found in all_reduce(size)]
    found["alone"] = [processes(worlds, 1)[0] for worlds in WORLDS]
    found["together"] = processes(WORLDS[1], os.cpu_count() or 1)
    FOUND.write_text(json.dumps(found, indent=1) + "\n")


# -- the model --------------------------------------------------------------------------------


def ring(processes: int, bytes_: int) -> float:
    """Time of a sum over the network [s]: 2 (P - 1) hops of gloo's ring, each of 1/P of it."""
    hops = 2 * (processes - 1)
    return hops * (LATENCY + bytes_ / processes / BANDWIDTH)


def crowding(found: dict[str, Any]) -> float:
    """Time of an update with a process on every core of the machine, over that of one alone."""
    alone, *_ = (one for one in found["alone"] if one["worlds"] == found["together"][0]["worlds"])
    times = [one["rollout"] + one["update"] for one in found["together"]]
    return max(mean(times) / (alone["rollout"] + alone["update"]), 1.0)


def slowest(processes: int) -> float:
    """Expected largest of so many standard normal deviates (Blom 1958)."""
    return float(norm.ppf((processes - 0.375) / (processes + 0.25)))


def throughput(found: dict[str, Any], one: dict[str, Any], cores: int, threads: int = 1) -> float:
    """Environment steps per second on `cores`, each with the work of `one`.

    Processes have up to `threads` threads, assumed to be as fast as as many processes. A rollout
    lasts as long as that of the slowest. A checkpoint passes through the leader, others wait.
    """
    group = max(cores // threads, 1)
    slow = 1.0 if cores == 1 else crowding(found)
    took = slow * (one["rollout"] * (1 + slowest(group) * one["rollout_spread"]) + one["update"])
    took += one["messages"] * ring(group, one["message"]) + SUMS * ring(group, SIZES[0])
    took += (group - 1) * LATENCY  # episodes and their materials, gathered by the leader
    pause = cores * (one["saving"] + (group > 1) * one["checkpoint"] / BANDWIDTH)
    share = CHECKPOINT_EVERY / (CHECKPOINT_EVERY + pause)
    return share * cores * float(one["samples"]) / took


def draw(found: dict[str, Any], path: Path) -> None:
    """Plot throughput over cores."""
    figure = Figure(figsize=(7, 3.8), layout="constrained")
    axes = figure.subplots()
    for colour, one in enumerate(found["alone"]):
        for threads, line in ((1, "-"), (MACHINE, ":")):
            cores = [n for n in CORES if n >= threads]
            rates = [throughput(found, one, n, threads) for n in cores]
            label = f"{one['worlds']} worlds a core, {threads} thread{'s' * (threads > 1)}"
            axes.plot(cores, rates, line, color=f"C{colour}", label=f"{label} a process")
    ideal = throughput(found, found["alone"][-1], 1)
    axes.plot(CORES, [ideal * n for n in CORES], color="0.8", zorder=0, label="no cost of others")
    axes.set(xscale="log", yscale="log", xlabel="cores", ylabel="environment steps per second")
    axes.legend(frameon=False, fontsize="small")
    axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, dpi=150)


def inputs(found: dict[str, Any]) -> str:
    """Markdown table of what was measured, with the command that measures it alone."""
    lines = ["| input | value | measured by |", "| --- | --- | --- |"]
    for one in found["alone"]:
        rate = one["samples"] / (one["rollout"] + one["update"])
        rollout = f"{one['rollout']:.2f} s (spread {one['rollout_spread']:.1%})"
        lines.append(
            f"| {one['worlds']} worlds, a process of one thread: rollout, update, steps/s |"
            f" {rollout}, {one['update']:.2f} s, {rate:,.0f} |"
            f" `python docs/scaling.py --one {one['worlds']}`, CPU time |"
        )
        lines.append(
            f"| its part of a checkpoint | {one['checkpoint'] / 1e6:.1f} MB in"
            f" {one['saving']:.2f} s | the same, by the clock |"
        )
    copies = len(found["together"])
    lines.append(
        f"| slower with a process on each of {copies} cores | {crowding(found):.2f} times |"
        f" {copies} x `--one {found['together'][0]['worlds']}` at once |"
    )
    for size in GROUPS:
        small, large = (s["seconds"] for s in found["all_reduce"] if s["processes"] == size)
        lines.append(
            f"| sum over {size} processes on {found['cores']} cores: {SIZES[0]} bytes, 600 kB |"
            f" {1e3 * small:.2f} ms, {1e3 * large:.1f} ms | `python docs/scaling.py --sum {size}`,"
            f" shortest of {MESSAGES - 10} |"
        )
    one = found["alone"][0]
    lines += [
        f"| sums of an update | {one['messages']} of {one['message'] / 1e3:.0f} kB, {SUMS} small |"
        " counted |",
        f"| network | {1e6 * LATENCY:.0f} us a hop, {8e-9 * BANDWIDTH:.0f} Gbit/s | assumed |",
        f"| load of the machine before | {found['load_before']:.1f} | |",
    ]
    return "\n".join(lines)


def table(found: dict[str, Any]) -> str:
    """Markdown table of the model."""
    head = " | ".join(f"{n:,} core{'s' * (n > 1)}" for n in SHOWN)
    lines = [f"| worlds a core, threads a process | {head} |", "| --- " * (1 + len(SHOWN)) + "|"]
    for one in found["alone"]:
        alone = throughput(found, one, 1)
        for threads in (1, MACHINE):
            rates = {n: throughput(found, one, n, threads) for n in SHOWN if n >= threads}
            shown = {n: f"{rate:,.0f} ({rate / n / alone:.2f})" for n, rate in rates.items()}
            cells = [shown.get(n, "") for n in SHOWN]
            lines.append(f"| {one['worlds']}, {threads} | {' | '.join(cells)} |")
    return "\n".join(lines)


def write(found: dict[str, Any]) -> None:
    """Write the tables of PAGE and FIGURE anew."""
    text = PAGE.read_text()
    for name, content in (("inputs", inputs(found)), ("model", table(found))):
        part = re.compile(f"(<!-- scaling {name} -->\n).*?(<!-- scaling ends -->)", re.DOTALL)
        assert part.search(text), f"{PAGE} has no part {name}"
        text = part.sub(lambda found, new=content: f"{found[1]}{new}\n{found[2]}", text)
    PAGE.write_text(text)
    draw(found, FIGURE)


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["--one", worlds]:
            print(json.dumps(one_process(int(worlds))))
        case ["--sum", size]:
            print(json.dumps(all_reduce(int(size))))
        case ["--measure"]:
            measure()
            write(json.loads(FOUND.read_text()))
        case []:
            write(json.loads(FOUND.read_text()))
        case _:
            sys.exit(__doc__)
