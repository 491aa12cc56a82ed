"""Learning per sample, by processes and worlds: `python docs/samples.py [--steps N] [--seeds N]`.

Trains with 1, 2 and 4 processes, and with 256, 1,024 and 4,096 worlds, for equal samples; scores
every policy in the same worlds; prints survival and traversal, and the differences of each seed
from one process with 256 worlds. It takes an hour and a half on two cores; called again, it goes on
after the runs that --out has.
"""

import subprocess
import sys
from pathlib import Path
from statistics import mean, stdev

import tyro
from scipy.stats import t

from grek.eval.scores import scorecard

CASES = ((1, 256), (2, 256), (4, 256), (1, 1024), (1, 4096))  # processes, worlds; the first is 0
METRICS = ("survival", "traversal")


def score(run: Path, processes: int, worlds: int, seed: int, steps: int, episodes: int) -> Path:
    """Train into `run` and score it, unless that was done; return its scorecard."""
    card = run / "scorecard.json"
    if not card.exists():
        grek = [sys.executable, "-m", "grek"]
        train = [*grek, "train", "--out", run, "--force", "--steps", steps, "--seed", seed]
        train += ["--processes", processes, "--worlds", worlds]
        suite = ["--suite", "tune", "--episodes", episodes, "--out", run]
        for command in (train, [*grek, "eval", run, *suite]):
            subprocess.run(list(map(str, command)), check=True, stdout=subprocess.DEVNULL)
    return card


def means(card: Path) -> dict[str, float]:
    """Mean of each metric over the rows of a scorecard."""
    rows = scorecard.read(card)["rows"]
    return {name: mean(row[name]["mean"] for row in rows) for name in METRICS}


def spread(values: list[float]) -> str:
    """Mean of `values` with its 95 % interval by Student's t, if there are two or more."""
    if len(values) < 2:
        return f"{values[0]:+.3f}"
    half = float(t.ppf(0.975, len(values) - 1)) * stdev(values) / len(values) ** 0.5
    return f"{mean(values):+.3f} ({mean(values) - half:+.3f} to {mean(values) + half:+.3f})"


def main(
    steps: int = 2_097_152, seeds: int = 3, episodes: int = 32, out: Path = Path("build/samples")
) -> None:
    """Train, score and print the table.

    `steps` is best a multiple of 131,072, the samples of an update of 4,096 worlds; `episodes` are
    those of a row of the suite tune.
    """
    heads = [f"{name}, seeds 0 to {seeds - 1} | difference" for name in METRICS]
    print("| processes, worlds |", " | ".join(heads), "|")
    print("|", " | ".join(["---"] * 5), "|")
    base: list[dict[str, float]] = []
    for processes, worlds in CASES:
        found = []
        for seed in range(seeds):
            run = out / f"{processes}x{worlds}-{steps}-{seed}"
            found.append(means(score(run, processes, worlds, seed, steps, episodes)))
        base = base or found
        cells = [f"{processes}, {worlds:,}"]
        for name in METRICS:
            paired = [one[name] - zero[name] for one, zero in zip(found, base, strict=True)]
            cells.append(", ".join(f"{one[name]:.2f}" for one in found))
            cells.append(spread(paired) if found is not base else "")
        print("|", " | ".join(cells), "|", flush=True)


if __name__ == "__main__":
    tyro.cli(main)
