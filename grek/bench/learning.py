"""`grek bench --learning`: training time from random weights to walking on dry concrete.

Each seed trains for the same time and exports its policy at intervals. The policies are scored
after training, which therefore is not slowed down. The score is the mean traversal over scenarios
of the training space on dry concrete, with all shapes and disturbances, that training never draws.
"""

import itertools
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from rich.table import Table

from grek import files, terminal

GOALS = (0.5, 0.8, 0.9)  # traversals
EVERY = 20.0  # training time between two exported policies [s]
SCENARIOS = 32  # scored per policy
GROUND = ("dry_concrete",)


def measure(
    seeds: int, minutes: float, threads: int, progress: Callable[[int, int], None]
) -> dict[str, Any]:
    """Train `seeds` policies for `minutes` each; return learning curves and times to each goal.

    The time to a goal [min] is that of the first point of a curve at or above it, None if there is
    none. The median over seeds is None unless more than half of them reached the goal. Times
    depend on the length of the run, since the entropy coefficient decreases to 0 at its end.
    `progress` is called with the number of seeds done and in total.
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
    from grek.envs.tasks import walking
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
        contract = contract_of(walking(history=config.history))
        began: float | None = None

        def keep(model: PPO) -> None:
            nonlocal began
            now = time.monotonic()
            began = began or now  # first update: start-up does not count
            last = now - began >= 60 * minutes - 1  # includes the final policy
            if not kept or last or now - began - kept[-1][0] >= EVERY:
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
    """Return "minutes" and "steps" of the first point of `curve` at or above `goal`, else None."""
    for point in curve:
        if point["traversal"] >= goal:
            return {"minutes": point["minutes"], "steps": point["steps"]}
    return {"minutes": None, "steps": None}


def _median(values: list[float | None]) -> float | None:
    """Return the median, with None as infinity; None if the median is infinite."""
    found = median(np.inf if v is None else v for v in values)
    return found if np.isfinite(found) else None


def _traversal(policy: Path, threads: int) -> float:
    from grek.envs.scenarios.spaces import FIRST_EVALUATED, space
    from grek.envs.tasks import metrics
    from grek.eval.scores import policies
    from grek.eval.scores.rollout import rollouts

    train = space("train")
    drawn = (
        train.draw(train.context(name), FIRST_EVALUATED + i)
        for i in itertools.count()
        for name in GROUND
    )
    pure = (scenario for scenario in drawn if set(scenario.surface.materials) <= set(GROUND))
    runs = rollouts(policies.load(str(policy)), list(itertools.islice(pure, SCENARIOS)), threads)
    return round(float(np.mean([metrics.traversal(run.log) for run in runs])), 4)


def table(found: dict[str, Any]) -> Table:
    """Table of the times to each goal, by seed, for `terminal.show`."""
    rows = []
    for goal in map(str, GOALS):
        for name, times in (
            *((f"{goal}, seed {run['seed']}", run["passed"][goal]) for run in found["runs"]),
            (f"{goal}, median", found["median"][goal]),
        ):
            minutes, steps = times["minutes"], times["steps"]
            if minutes is None:
                rows.append((name, "not reached", ""))
            else:
                rows.append((name, f"{minutes:.1f}", f"{steps:.0f}"))
    return terminal.table(("traversal on dry concrete", "minutes", "env steps"), rows, "<>")


def draw(found: dict[str, Any], path: Path) -> None:
    """Plot the learning curves to `path`; its suffix selects the file format."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 3.6), layout="constrained")
    axes = figure.subplots()
    for run in found["runs"]:
        minutes = [point["minutes"] for point in run["curve"]]
        axes.plot(minutes, [p["traversal"] for p in run["curve"]], label=f"seed {run['seed']}")
    for goal in GOALS:
        axes.axhline(goal, color="0.8", linewidth=0.8, zorder=0)
    axes.set(xlabel="training time [min]", ylabel="traversal on dry concrete", ylim=(0, 1))
    axes.set_xlim(left=0)
    axes.legend(frameon=False, loc="lower right")
    axes.spines[["top", "right"]].set_visible(False)
    with files.written(path) as part:
        figure.savefig(part, dpi=150)
