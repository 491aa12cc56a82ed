"""`grek bench --learning`: how long a policy takes from nothing until it walks on dry concrete.

Each seed trains for the same time and keeps its policy now and then; scoring comes afterwards, so
that it costs no training time. Scored is traversal in worlds of the training space on dry
concrete (slopes, waves, steps, pushes and all) that no training draws.
"""

import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

GOALS = (0.5, 0.8, 0.9)
EVERY = 20.0  # between two policies that are kept [s]
WORLDS = 32
GROUND = ("dry_concrete",)


def measure(
    seeds: int, minutes: float, threads: int, progress: Callable[[int, int], None]
) -> dict[str, Any]:
    """Curves and times to each of GOALS for `seeds` runs of `minutes` each.

    A time is when a curve first passes the goal, null if it does not; a median is null unless
    more than half of the seeds passed. It belongs to runs of that length: the weight of the entropy
    fades towards their end.
    """
    runs = []
    for seed in range(seeds):
        progress(seed, seeds)
        runs.append(_run(seed, minutes, threads))
    progress(seeds, seeds)
    return {
        "ground": ",".join(GROUND),
        "minutes_trained": minutes,
        "runs": runs,
        "median": {
            str(goal): {
                unit: _median([run["passed"][str(goal)][unit] for run in runs])
                for unit in ("minutes", "steps")
            }
            for goal in GOALS
        },
    }


def _run(seed: int, minutes: float, threads: int) -> dict[str, Any]:
    from grek.envs.contract import contract_of
    from grek.envs.tasks.walk import WalkConfig
    from grek.training.config import TrainConfig
    from grek.training.export import export
    from grek.training.ppo import PPO
    from grek.training.train import train

    with tempfile.TemporaryDirectory() as directory:
        kept: list[tuple[float, int, Path]] = []
        config = TrainConfig(
            Path(directory) / "run",
            minutes=minutes,
            seed=seed,
            threads=threads,
            materials=",".join(GROUND),
        )
        contract = contract_of(WalkConfig(history=config.history))
        began: float | None = None

        def keep(model: PPO) -> None:
            nonlocal began
            now = time.monotonic()
            began = began or now  # of the first update: start-up is not learning
            over = now - began >= 60 * minutes - 1  # the last second: the finished policy counts
            if not kept or over or now - began - kept[-1][0] >= EVERY:
                path = Path(directory) / f"{model.num_timesteps}.onnx"
                export(model.policy, contract, path)
                kept.append((now - began, model.num_timesteps, path))

        train(config, keep)
        curve = [
            {
                "minutes": round(seconds / 60, 3),
                "steps": steps,
                "traversal": _traversal(path, threads),
            }
            for seconds, steps, path in kept
        ]
    return {
        "seed": seed,
        "curve": curve,
        "passed": {str(goal): first(curve, goal) for goal in GOALS},
    }


def first(curve: list[dict[str, Any]], goal: float) -> dict[str, Any]:
    """Minutes and steps of the first point of `curve` at or above `goal`; null if there is none."""
    for point in curve:
        if point["traversal"] >= goal:
            return {"minutes": point["minutes"], "steps": point["steps"]}
    return {"minutes": None, "steps": None}


def _median(values: list[float | None]) -> float | None:
    """Median where a missing value is later than all others."""
    found = median(np.inf if v is None else v for v in values)
    return found if np.isfinite(found) else None


def _traversal(policy: Path, threads: int) -> float:
    from grek.envs.scenarios.scenario import TRAINING_SCENARIOS, ScenarioSpace
    from grek.eval.scores import metrics, policies
    from grek.eval.scores.rollout import rollouts

    space = ScenarioSpace("train")
    worlds = [space.draw(TRAINING_SCENARIOS + i, GROUND) for i in range(WORLDS)]
    runs = rollouts(policies.load(str(policy)), worlds, threads)
    return round(float(np.mean([metrics.traversal(run.log) for run in runs])), 4)


def table(found: dict[str, Any]) -> str:
    """Times to each goal, seed by seed."""
    lines = [f"{'traversal on dry concrete':32}{'minutes':>10}{'steps':>12}"]
    for goal in map(str, GOALS):
        for name, times in (
            *((f"{goal}, seed {run['seed']}", run["passed"][goal]) for run in found["runs"]),
            (f"{goal}, median", found["median"][goal]),
        ):
            minutes, steps = times["minutes"], times["steps"]
            shown = ("not reached", "") if minutes is None else (f"{minutes:.1f}", f"{steps:.0f}")
            lines.append(f"{name:32}{shown[0]:>10}{shown[1]:>12}")
    return "\n".join(lines)


def draw(found: dict[str, Any], path: Path) -> None:
    """The curves as a picture; the kind of file follows from the name."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 3.6), layout="constrained")
    axes = figure.subplots()
    for run in found["runs"]:
        minutes = [point["minutes"] for point in run["curve"]]
        axes.plot(minutes, [p["traversal"] for p in run["curve"]], label=f"seed {run['seed']}")
    for goal in GOALS:
        axes.axhline(goal, color="0.8", linewidth=0.8, zorder=0)
    axes.set(xlabel="minutes of training", ylabel="traversal, dry concrete", ylim=(0, 1))
    axes.set_xlim(left=0)
    axes.legend(frameon=False, loc="lower right")
    axes.spines[["top", "right"]].set_visible(False)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=150)
