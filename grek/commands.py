"""What each subcommand takes and does. Heavy imports wait until a command runs."""

import contextlib
import dataclasses
import json
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tyro.conf import Positional

from grek.errors import InputError
from grek.training.config import TrainConfig


@dataclass(frozen=True)
class Train(TrainConfig):
    """Train a policy; ends with policy.onnx in the run directory."""

    def run(self) -> int:
        """Train, and say where the result is."""
        from grek.training.train import train

        run = train(self)
        print(f"policy: {run / 'policy.onnx'}")
        return 0


@dataclass(frozen=True)
class Eval:
    """Score a policy: table on stdout; scorecard.json, .md and .html in --out.

    Interrupted with --out, it keeps the finished episodes; the same command goes on from there.
    """

    policy: Positional[str]
    """ONNX file, run directory, "walk", or a reference: zero, random, gait."""
    suite: str = "quick"
    """quick, train, heldout, numerics or full."""
    episodes: int | None = None
    """Episodes of each row; the suite's own number by default."""
    seed: int = 0
    """Which block of the suite's worlds; scorecards of different seeds do not compare."""
    threads: int = 0
    """Simulation threads; all cores by default. Scores do not depend on it."""
    out: Path | None = None
    """Directory to create for scorecard and reports."""
    force: bool = False
    """Replace an earlier result, or part of another one, in an existing directory."""
    films: bool = False
    """Film the worst, median and best episode of each axis into --out: many minutes."""

    def run(self) -> int:
        """Score, print, write."""
        from grek.eval.report import text as report
        from grek.eval.scores import evaluate, partial

        if self.films and self.out is None:
            raise InputError("--films needs --out, the directory to put them in")
        if self.films:
            from grek.eval.films.canvas import check_rendering

            check_rendering()
        kept = None if self.out is None else self.out / partial.NAME
        if self.out is not None:
            for name in ("scorecard.json", "scorecard.md", "scorecard.html"):
                check_new(self.out / name, self.force)
            if self.films and (self.out / "films").exists() and not self.force:
                raise InputError(f"{self.out / 'films'} exists; use --force to replace them")
        threads = check_threads(self.threads)
        arguments = (self.policy, self.suite, self.episodes, self.seed, threads)
        with keeping(kept):
            card = evaluate.score(*arguments, progress("episodes"), kept, self.force)
            print(report.table(card))
            if self.out is not None and kept is not None:
                written = evaluate.write(card, self.out, self.policy)
                kept.unlink(missing_ok=True)
                if self.films:
                    from grek.eval.films import filming

                    films = filming.picked(self.policy, card, self.out, progress("films"))
                    written = evaluate.write(card, self.out, self.policy, films)
                print(*written, sep="\n")
        return 0


@dataclass(frozen=True)
class Compare:
    """Paired non-inferiority test of two scorecards; exit code 1 if the candidate is worse."""

    baseline: Positional[Path]
    """Scorecard, or the directory that holds it."""
    candidate: Positional[Path]
    """The same, of the policy to judge."""
    margin: float = 0.05
    """Loss of traversal that is still acceptable."""

    def run(self) -> int:
        """Compare and print a verdict per row."""
        from grek.eval.scores import compare, scorecard

        if not 0 < self.margin < 1:
            raise InputError(f"--margin {self.margin} is outside (0, 1)")
        baseline, candidate = scorecard.read(self.baseline), scorecard.read(self.candidate)
        result = compare.compare(baseline, candidate, self.margin)
        print(result.text())
        return result.exit_code


@dataclass(frozen=True)
class Table:
    """Print scorecards as a Markdown table: policies side by side, or the rows of one."""

    cards: Positional[tuple[Path, ...]]
    """Scorecards, or the directories that hold them, all of the same suite."""
    rows: bool = False
    """The rows of a single scorecard instead."""

    def run(self) -> int:
        """Print."""
        from grek.eval.report import tables
        from grek.eval.scores import scorecard

        if not self.cards:
            raise InputError("grek table needs at least one scorecard")
        if self.rows and len(self.cards) > 1:
            raise InputError(f"--rows is of one scorecard, not of {len(self.cards)}")
        cards = [scorecard.read(path) for path in self.cards]
        print(tables.rows(cards[0]) if self.rows else tables.policies(cards))
        return 0


@dataclass(frozen=True)
class Render:
    """Film a rollout."""

    policy: Positional[str]
    """ONNX file, run directory, "walk", or a reference: zero, random, gait."""
    scenario: str | None = None
    """World to film, SPACE:INDEX; train:300000 by default."""
    material: str | None = None
    """Or: a flat world of this material, walked about in."""
    seconds: float = 10.0
    """Length of the film; it ends early with a fall."""
    fps: int = 25
    """Frames per second, 25 or 50; time always runs true."""
    out: Path = Path("grek.mp4")
    """MP4 file to write."""
    force: bool = False
    """Replace an existing file."""

    def run(self) -> int:
        """Film and say where the film is."""
        from grek.eval.films import filming

        if not 0.02 <= self.seconds <= 600:
            raise InputError(f"--seconds {self.seconds} is outside [0.02, 600]")
        if self.fps not in (25, 50):
            raise InputError(f"--fps {self.fps} is neither 25 nor 50")
        if self.scenario is not None and self.material is not None:
            raise InputError("give --scenario or --material, not both")
        check_new(self.out, self.force)
        world = filming.world(self.scenario, self.material)
        print(filming.film(self.policy, world, self.seconds, self.fps, self.out, progress("s")))
        return 0


@dataclass(frozen=True)
class Scenario:
    """Print a scenario as JSON."""

    name: Positional[str]
    """SPACE:INDEX, for example train:41."""

    def run(self) -> int:
        """Draw it and print it."""
        from grek.envs.scenarios.scenario import parse

        print(json.dumps(dataclasses.asdict(parse(self.name)), indent=2))
        return 0


@dataclass(frozen=True)
class Materials:
    """Print the table of materials with units and sources."""

    plot: Path | None = None
    """Draw pressure-sinkage and shear curves into this picture instead."""
    force: bool = False
    """Replace an existing picture."""

    def run(self) -> int:
        """Print or plot."""
        from grek.envs.ground import materials

        if self.plot is None:
            print(columns(materials.table()))
            return 0
        from grek.eval.report.material_plot import plot

        check_new(self.plot, self.force)
        if self.plot.suffix not in (".png", ".svg", ".pdf"):
            raise InputError(f"--plot {self.plot} is not a .png, .svg or .pdf file")
        plot(self.plot)
        print(self.plot)
        return 0


@dataclass(frozen=True)
class Bench:
    """Measure this machine: rates and ratios side by side in one run."""

    out: Path | None = None
    """JSON file to write."""
    repeats: int = 5
    """Rounds over which each rate is measured."""
    learning: bool = False
    """Measure instead how long three seeds take from nothing until they walk."""
    minutes: float = 6.0
    """Training time of each seed with --learning."""
    plot: Path | None = None
    """PNG or SVG file to draw the curves of --learning in."""
    force: bool = False
    """Replace an existing file."""

    def run(self) -> int:
        """Measure, print, write."""
        from grek.bench import learning
        from grek.bench import rates as benchmark

        if not 1 <= self.repeats <= 100:
            raise InputError(f"--repeats {self.repeats} is outside [1, 100]")
        if not 0 < self.minutes <= 600:
            raise InputError(f"--minutes {self.minutes} is outside (0, 600]")
        for path in filter(None, (self.out, self.plot)):
            check_new(path, self.force)
        if self.plot is not None and not self.learning:
            raise InputError("--plot draws the curves of --learning, which is missing")
        if self.learning:
            threads = check_threads(0)
            found = learning.measure(3, self.minutes, threads, progress("seeds"))
            print(learning.table(found))
            result = {**benchmark.about(), "learning": found}
            if self.plot is not None:
                learning.draw(found, self.plot)
                print(self.plot)
        else:
            result = benchmark.measure(self.repeats, progress("measurements"))
            print(benchmark.table(result))
        if self.out is not None:
            benchmark.write(result, self.out)
            print(self.out)
        return 0


COMMANDS: dict[str, Any] = {
    "train": Train,
    "eval": Eval,
    "compare": Compare,
    "table": Table,
    "render": Render,
    "scenario": Scenario,
    "materials": Materials,
    "bench": Bench,
}


def columns(rows: list[list[str]]) -> str:
    """`rows` of text as a table with aligned columns; the last one is left ragged."""
    width = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(cell.ljust(w) for cell, w in zip(row, width, strict=True)).rstrip()
        for row in rows
    )


def check_threads(threads: int) -> int:
    """The number of threads to use; 0 means all cores. Raises InputError if absurd."""
    if not 0 <= threads <= 1024:
        raise InputError(f"--threads {threads} is outside [0, 1024]")
    return threads or os.cpu_count() or 1


def check_new(path: Path, force: bool) -> None:
    """Raise InputError unless a file can be written at `path` without destroying a result."""
    if path.is_dir():
        raise InputError(f"{path} is a directory")
    if path.exists() and not force:
        raise InputError(f"{path} exists; use --force to replace it")
    parent = next(p for p in path.absolute().parents if p.exists())
    if not parent.is_dir():
        raise InputError(f"cannot write {path}: {parent} is a file")
    if not os.access(parent, os.W_OK):
        raise InputError(f"cannot write {path}: {parent} is not writable")


@contextlib.contextmanager
def keeping(kept: Path | None) -> Iterator[None]:
    """An interruption says what is in the file `kept`."""
    try:
        yield
    except KeyboardInterrupt:
        if kept is None or not kept.exists():
            raise
        raise KeyboardInterrupt(
            f"interrupted; the same command goes on from the episodes in {kept}"
        ) from None


def progress(unit: str) -> Callable[[int, int], None]:
    """Shows (done, total): a bar on a terminal, a line every tenth when piped."""
    shown = -1

    def show(done: int, total: int) -> None:
        nonlocal shown
        tenth = 10 * done // max(total, 1)
        if sys.stderr.isatty():
            width = min(shutil.get_terminal_size().columns - 30, 40)
            bar = "#" * (width * done // max(total, 1))
            end = "\n" if done >= total else ""
            print(f"\r{bar:{width}} {done}/{total} {unit}", end=end, file=sys.stderr, flush=True)
        elif tenth > shown:
            print(f"{done}/{total} {unit}", file=sys.stderr, flush=True)
        shown = tenth

    return show
