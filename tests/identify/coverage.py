"""Share of intervals that hold the hidden number, over many bodies: `make coverage`.

Each trial draws a body, logs both excitations and identifies it from them and its weighed mass.
Results are appended to a file, one line a trial, and trials that are there are not run again.
"""

import argparse
import json
import math
import multiprocessing
import os
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path
from typing import Any

import numpy as np
from bodies import hidden, logged, values
from scipy.stats import binomtest

from grek.errors import InputError
from grek.identify import fit, logs


def trial(seed: int, engine: str | None) -> dict[str, Any]:
    """Standardised error and hit of each number of body `seed`, which `engine` moves."""
    began = time.process_time()
    body = hidden(np.random.default_rng([77, seed]))
    with tempfile.TemporaryDirectory() as place:
        paths = [Path(place) / f"{kind}.mcap" for kind in ("air", "ground")]
        mass, _ = (logged(body, path.stem, path, engine=engine) for path in paths)
        try:
            robot, measured = logs.read(paths)
            found = fit.identify(robot, measured, round(mass, 1))
        except InputError as error:
            return {"seed": seed, "refused": str(error)}
    hits, errors = {}, {}
    for name, true in values(body).items():
        estimate = found.estimates[name]
        deviation = estimate.parameter.spread * math.sqrt(max(1 - estimate.learned, 1e-12))
        hits[name] = estimate.low <= true <= estimate.high
        errors[name] = (estimate.value - true) / deviation
    seconds = time.process_time() - began
    rest = {"unexplained": found.unexplained, "cpu_s": round(seconds, 1)}
    return {"seed": seed, "hits": hits, "errors": errors, **rest}


def report(results: list[dict[str, Any]]) -> None:
    """Print coverage of each number and of all, with Wilson intervals."""
    done = [result for result in results if "hits" in result]
    print(f"{len(done)} trials, {len(results) - len(done)} refused")
    if not done:
        return
    for name in done[0]["hits"]:
        hits = [result["hits"][name] for result in done]
        spread = float(np.median(np.abs([result["errors"][name] for result in done])))
        print(f"{name:36s} {_share(sum(hits), len(hits))}   median error / deviation {spread:.2f}")
    every = [hit for result in done for hit in result["hits"].values()]
    print(f"{'all numbers':36s} {_share(sum(every), len(every))}")
    print(f"median CPU time {np.median([result['cpu_s'] for result in done]):.0f} s")


def _share(hits: int, trials: int) -> str:
    ends = binomtest(hits, trials).proportion_ci(method="wilson")
    return f"{hits / trials:.3f} ({ends.low:.3f} to {ends.high:.3f})"


def main() -> None:
    """Run the trials that are missing, then report on all."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=100)
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--engine", help="of the bodies, such as drake; MuJoCo's by default")
    parser.add_argument("--out", type=Path, default=Path("coverage.jsonl"))
    arguments = parser.parse_args()
    done = arguments.out.read_text().splitlines() if arguments.out.is_file() else []
    results = [json.loads(line) for line in done]
    missing = sorted(set(range(arguments.trials)) - {result["seed"] for result in results})
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(arguments.processes, context) as pool:
        for running in as_completed(
            [pool.submit(trial, seed, arguments.engine) for seed in missing]
        ):
            results.append(running.result())
            with arguments.out.open("a") as file:
                file.write(json.dumps(results[-1]) + "\n")
            print(f"{len(results)}/{arguments.trials}", flush=True)
    report(results)


if __name__ == "__main__":
    main()
