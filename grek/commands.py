"""Subcommands of `grek`: a dataclass each, its fields the flags, `run` the work.

Heavy modules are imported in `run`, so that `grek --help` stays quick.
"""

import contextlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tyro.conf import Positional

from grek.checks import check_output, thread_count
from grek.errors import InputError
from grek.progress import counter, lines
from grek.training.config import TrainConfig


@dataclass(frozen=True)
class Train(TrainConfig):
    """Train a policy; the result is policy.onnx in the run directory.

    An interruption saves a checkpoint and the policy; --resume continues from it.
    """

    def run(self) -> int:
        """Train and print the path of the policy."""
        from grek.training.train import train

        run = train(self)
        print(f"policy: {run / 'policy.onnx'}")
        return 0


@dataclass(frozen=True)
class Eval:
    """Score a policy: a table on stdout, and scorecard.json, .md and .html in --out.

    An interrupted evaluation with --out keeps its finished episodes; the same command continues
    after them.
    """

    policy: Positional[str]
    """ONNX file, run directory, "walk", or a reference: zero, random, gait."""
    suite: str = "quick"
    """Suite of scenarios: quick, train, heldout, numerics or full."""
    episodes: int | None = None
    """Episodes per row of the scorecard; the default depends on the suite."""
    seed: int = 0
    """Selects the scenarios of the suite. Scorecards of different seeds cannot be compared."""
    threads: int = 0
    """Simulation threads; 0 uses all cores. Scores do not depend on it."""
    out: Path | None = None
    """Directory to create for the scorecard and its reports."""
    force: bool = False
    """Replace results, or episodes of another evaluation, in an existing directory."""
    films: bool = False
    """Also film the worst, median and best episode of each axis, into --out. Takes minutes."""

    def run(self) -> int:
        """Score, print the table and write the scorecard."""
        from grek import terminal
        from grek.eval import report
        from grek.eval.scores import evaluate, partial, policies

        if self.films and self.out is None:
            raise InputError("--films needs --out, the directory to write them to")
        if self.films:
            from grek.eval.films.canvas import check_rendering

            check_rendering()
        kept = None if self.out is None else self.out / partial.NAME
        if self.out is not None:
            for name in ("scorecard.json", "scorecard.md", "scorecard.html"):
                check_output(self.out / name, self.force)
            if self.films and (self.out / "films").exists() and not self.force:
                raise InputError(f"{self.out / 'films'} exists; use --force to replace them")
        threads = thread_count(self.threads)
        arguments = (self.policy, self.suite, self.episodes, self.seed, threads)
        with naming_kept_episodes(kept):
            with counter("episodes") as show:
                card = evaluate.score(*arguments, show, kept, self.force)
            terminal.show(*report.scores(card))
            if self.out is not None and kept is not None:
                written = evaluate.write(card, self.out, self.policy)
                kept.unlink(missing_ok=True)
                if self.films:
                    from grek.eval.films import filming

                    with counter("films") as show:
                        films = filming.picked(policies.load(self.policy), card, self.out, show)
                    written = evaluate.write(card, self.out, self.policy, films)
                print(*written, sep="\n")
        return 0


@dataclass(frozen=True)
class Compare:
    """Test two scorecards for non-inferiority, episode by episode; exit code 1 on a regression."""

    baseline: Positional[Path]
    """Scorecard of the baseline, or the directory that contains it."""
    candidate: Positional[Path]
    """Scorecard of the candidate, or the directory that contains it."""
    margin: float = 0.05
    """Non-inferiority margin: acceptable loss of traversal, in (0, 1)."""

    def run(self) -> int:
        """Compare and print the verdict of each row."""
        from grek import terminal
        from grek.eval import report
        from grek.eval.scores import compare, scorecard

        if not 0 < self.margin < 1:
            raise InputError(f"--margin {self.margin} is outside (0, 1)")
        baseline, candidate = scorecard.read(self.baseline), scorecard.read(self.candidate)
        result = compare.compare(baseline, candidate, self.margin)
        terminal.show(*report.comparison(result))
        return result.exit_code


@dataclass(frozen=True)
class Table:
    """Print scorecards as a Markdown table, one line per policy, or all rows of one scorecard."""

    cards: Positional[tuple[Path, ...]]
    """Scorecards of one suite, or the directories that contain them."""
    rows: bool = False
    """Print the rows of a single scorecard instead."""

    def run(self) -> int:
        """Print the table."""
        from grek.eval import report
        from grek.eval.scores import scorecard

        if not self.cards:
            raise InputError("grek table needs at least one scorecard")
        if self.rows and len(self.cards) > 1:
            raise InputError(f"--rows takes one scorecard, not {len(self.cards)}")
        cards = [scorecard.read(path) for path in self.cards]
        print(report.rows(cards[0]) if self.rows else report.policies(cards))
        return 0


@dataclass(frozen=True)
class Render:
    """Film a rollout of a policy."""

    policy: Positional[str]
    """ONNX file, run directory, "walk", or a reference: zero, random, gait."""
    scenario: str | None = None
    """Scenario to film, SPACE:INDEX; train:300000 by default."""
    material: str | None = None
    """Film on flat ground of this material, with fixed commands, instead of a scenario."""
    seconds: float = 10.0
    """Length of the film [s]; it ends soon after a fall."""
    fps: int = 25
    """Frame rate [1/s], 25 or 50; the film always plays in real time."""
    out: Path = Path("grek.mp4")
    """MP4 file to write."""
    force: bool = False
    """Replace an existing file."""

    def run(self) -> int:
        """Film and print the path of the film."""
        from grek.eval.films import filming
        from grek.eval.scores import policies

        if not 0.02 <= self.seconds <= 600:
            raise InputError(f"--seconds {self.seconds} is outside [0.02, 600]")
        if self.fps not in (25, 50):
            raise InputError(f"--fps {self.fps} is neither 25 nor 50")
        if self.scenario is not None and self.material is not None:
            raise InputError("give --scenario or --material, not both")
        check_output(self.out, self.force)
        policy = policies.load(self.policy)
        scenario = filming.world(self.scenario, self.material, policy.task.robot)
        with counter("control steps") as show:
            said = filming.film(policy, scenario, self.seconds, self.fps, self.out, show)
        print(said)
        return 0


@dataclass(frozen=True)
class Scenario:
    """Print a scenario as JSON."""

    name: Positional[str]
    """Name of the scenario, SPACE/CONTEXT:INDEX, for example train/sand:41."""

    def run(self) -> int:
        """Draw the scenario and print it."""
        from grek.envs.scenarios.scenario import to_plain
        from grek.envs.scenarios.spaces import parse

        print(json.dumps(to_plain(parse(self.name)), indent=2))
        return 0


@dataclass(frozen=True)
class Materials:
    """Print the parameters of all materials with units and sources."""

    plot: Path | None = None
    """Plot pressure-sinkage and shear curves to this .png, .svg or .pdf file instead."""
    force: bool = False
    """Replace an existing file."""

    def run(self) -> int:
        """Print the table or write the plot."""
        from grek import terminal
        from grek.envs.ground import materials

        if self.plot is None:
            head, *rows = materials.table()
            terminal.show(terminal.table(head, rows, "<"))
            return 0
        from grek.eval.report.material_plot import plot

        check_output(self.plot, self.force)
        if self.plot.suffix not in (".png", ".svg", ".pdf"):
            raise InputError(f"--plot {self.plot} is not a .png, .svg or .pdf file")
        plot(self.plot)
        print(self.plot)
        return 0


@dataclass(frozen=True)
class Bench:
    """Benchmark this machine: simulation and training rates, and their ratios."""

    out: Path | None = None
    """JSON file to write the results to."""
    repeats: int = 5
    """Measurements of each rate, taken in rounds."""
    learning: bool = False
    """Measure the training time until policies walk, for three seeds, instead of rates."""
    minutes: float = 6.0
    """Training time per seed with --learning [min]."""
    plot: Path | None = None
    """PNG or SVG file to plot the learning curves of --learning to."""
    force: bool = False
    """Replace an existing file."""

    def run(self) -> int:
        """Measure, print the tables and write the results."""
        from grek import terminal
        from grek.bench import learning, rates

        if not 1 <= self.repeats <= 100:
            raise InputError(f"--repeats {self.repeats} is outside [1, 100]")
        if not 0 < self.minutes <= 600:
            raise InputError(f"--minutes {self.minutes} is outside (0, 600]")
        for path in filter(None, (self.out, self.plot)):
            check_output(path, self.force)
        if self.plot is not None and not self.learning:
            raise InputError("--plot needs --learning, whose curves it shows")
        if self.learning:
            # Lines, not a bar: each training shows a bar of its own.
            found = learning.measure(3, self.minutes, thread_count(0), lines("seeds"))
            terminal.show(learning.table(found))
            result = {**rates.machine(), "learning": found}
            if self.plot is not None:
                learning.draw(found, self.plot)
                print(self.plot)
        else:
            with counter("measurements") as show:
                result = rates.measure(self.repeats, show)
            terminal.show(*rates.tables(result))
        if self.out is not None:
            rates.write(result, self.out)
            print(self.out)
        return 0


@contextlib.contextmanager
def naming_kept_episodes(kept: Path | None) -> Iterator[None]:
    """Let an interruption name the file `kept`, if it exists, and how to continue from it."""
    try:
        yield
    except KeyboardInterrupt:
        if kept is None or not kept.exists():
            raise
        raise KeyboardInterrupt(
            f"interrupted; the same command continues after the episodes in {kept}"
        ) from None


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
