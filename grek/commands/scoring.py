"""Subcommands that score policies and compare scorecards."""

import contextlib
import sys
import webbrowser
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from tyro.conf import Positional, arg

from grek.checks import check_output, thread_count
from grek.commands.arguments import PolicyArgument
from grek.errors import InputError
from grek.progress import Show, counter


@dataclass(frozen=True)
class Eval:
    """Score a policy: print a table; with --out, write scorecard.json, .md and .html.

    With --out, an interrupted evaluation keeps its finished episodes, and the same command resumes
    after them.
    """

    policy: PolicyArgument
    """ONNX file, run directory, a shipped policy, walk or grek, or a reference: zero, random, gait,
    motion, which does skills in open loop, or motion:NAME, which dances NAME."""
    suite: str = "quick"
    """Suite of scenarios: quick, train, heldout, numerics, full (these three), tune, faults, or
    engines (takes the extra drake, and half an hour), or stage, for policies of skills; or a file
    FILE.toml with a space of your own, such as `grek identify` writes."""
    scenario: str | None = None
    """Instead of a suite: one scenario, SPACE/CONTEXT:INDEX, or a .json file of one. Its episodes
    differ in the seed of sensor noise and gait phase; one row is printed, nothing is written."""
    episodes: int | None = None
    """Episodes per row of the scorecard, in [1, 1000000]; by default 12 for quick, 64 otherwise.
    Beyond 1000 in all, --out gets them as scorecard.HASH.parquet."""
    seed: int = 0
    """Block of scenarios, in [0, 9999]. Scorecards of different seeds cannot be compared."""
    threads: int = 0
    """Simulation threads; 0 uses all cores. Scores do not depend on it."""
    out: Path | None = None
    """Directory to write the scorecard and its reports to; by default nothing is written."""
    force: bool = False
    """Replace an existing scorecard, or kept episodes of another evaluation, in --out."""
    cluster: str = ""
    """Ray cluster to score on, HOST:PORT, or "local" for one on this machine (docs/cluster.md).
    Scores are those of one machine, byte for byte; --threads are those of a task, 1 by default."""
    films: bool = False
    """Also film the worst, median and best episode of each axis to --out/films; takes minutes."""
    open: bool = False
    """Open the report, --out/scorecard.html, in the browser."""

    def run(self) -> int:
        """Score, print the table and write the scorecard."""
        from grek import terminal
        from grek.eval import report
        from grek.eval.episodes import partial
        from grek.eval.scores import evaluate, policies

        if self.scenario is not None:
            return self._in_world(self.scenario)
        if self.cluster and self.suite == "faults":
            raise InputError("--suite faults cannot be with --cluster: it runs on one machine")
        for flag, given in (("--films", self.films), ("--open", self.open)):
            if given and self.out is None:
                raise InputError(f"{flag} needs --out, the directory to write to")
        if self.films:
            from grek.eval.films.film import check_filming

            check_filming()
        kept = None if self.out is None else self.out / partial.NAME
        if self.out is not None:
            for name in ("scorecard.json", "scorecard.md", "scorecard.html"):
                check_output(self.out / name, self.force)
            if self.films and (self.out / "films").exists() and not self.force:
                raise InputError(f"{self.out / 'films'} exists; use --force to replace them")
        with naming_kept_episodes(kept):
            with counter("episodes") as show:
                card = self._scored(kept, show)
            written: list[Path] = []
            if self.out is not None and kept is not None:
                written = evaluate.write(card, self.out, self.policy)
                kept.unlink(missing_ok=True)
            terminal.show(*report.scores(card))  # after the files: who reads may go away
            if self.films and self.out is not None:
                from grek.eval.films import filming

                with counter("films") as show:
                    films = filming.picked(policies.load(self.policy), card, self.out, show)
                written = evaluate.write(card, self.out, self.policy, films)
            if written:
                print(*written, sep="\n")
            if self.open and self.out is not None:
                report_page = (self.out / "scorecard.html").resolve().as_uri()
                if not webbrowser.open(report_page):
                    print(f"grek: no browser was found for {report_page}", file=sys.stderr)
        return 0

    def _scored(self, kept: Path | None, show: Show) -> Any:
        """Scorecard, from this machine or the cluster."""
        from grek.eval.scores import evaluate

        threads = thread_count(self.threads)
        arguments = (self.policy, self.suite, self.episodes, self.seed, threads)
        driver = None
        if self.suite == "faults":
            from grek.onboard import policy, trial

            driver = trial.driver(policy.load(self.policy))
        if not self.cluster:
            return evaluate.score(*arguments, show, kept, self.force, driver)
        from grek.cluster import connection, scoring

        with connection.connected(self.cluster) as ray:
            return evaluate.score(
                *arguments,
                show,
                kept,
                self.force,
                elsewhere=scoring.elsewhere(ray, self.cluster, self.policy, self.threads or 1),
                worlds=scoring.SHARD,
            )

    def _in_world(self, scenario: str) -> int:
        """Score in one world and print the row."""
        from grek import terminal
        from grek.eval import report
        from grek.eval.films import filming
        from grek.eval.scores import evaluate, policies

        if self.out is not None or self.films or self.open:
            raise InputError("--scenario prints one row: leave out --out, --films and --open")
        threads, policy = thread_count(self.threads), policies.load(self.policy)
        world = filming.world(scenario, None, policy.task.robot)
        episodes = 12 if self.episodes is None else self.episodes
        with counter("episodes") as show:
            row = evaluate.in_world(policy, world, episodes, self.seed, threads, show)
        terminal.show(report.world(row))
        return 0


@dataclass(frozen=True)
class Compare:
    """Test a candidate against a baseline for non-inferiority, on pairs of episodes.

    Both scorecards must come from the same suite, seed and number of episodes. The exit code is 1
    on a regression.
    """

    baseline: Annotated[Positional[Path], arg(metavar="BASELINE")]
    """scorecard.json of the baseline, or the directory that contains it."""
    candidate: Annotated[Positional[Path], arg(metavar="CANDIDATE")]
    """scorecard.json of the candidate, or the directory that contains it."""
    margin: float = 0.05
    """Non-inferiority margin: tolerated loss of mean traversal, in (0, 1)."""

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
    """Print scorecards as a Markdown table with one line per policy."""

    cards: Annotated[Positional[tuple[Path, ...]], arg(metavar="CARD [CARD ...]")]
    """One or more scorecard.json files of one suite and seed, or their directories."""
    rows: bool = False
    """Print one line per row of a single scorecard instead."""
    seeds: bool = False
    """Take the scorecards for training seeds of one recipe: print mean, spread and interval."""

    def run(self) -> int:
        """Print the table."""
        from grek.eval import report
        from grek.eval.scores import scorecard

        if not self.cards:
            raise InputError("grek table needs at least one scorecard")
        if self.rows and len(self.cards) > 1:
            raise InputError(f"--rows takes one scorecard, not {len(self.cards)}")
        if self.rows and self.seeds:
            raise InputError("give --rows or --seeds, not both")
        cards = [scorecard.read(path) for path in self.cards]
        if self.rows:
            print(report.rows(cards[0]))
        else:
            print(report.seeds(cards) if self.seeds else report.policies(cards))
        return 0


@contextlib.contextmanager
def naming_kept_episodes(kept: Path | None) -> Iterator[None]:
    """Add the file of finished episodes, if it exists, to the message of a KeyboardInterrupt."""
    try:
        yield
    except KeyboardInterrupt:
        if kept is None or not kept.exists():
            raise
        raise KeyboardInterrupt(
            f"interrupted; the same command continues after the episodes in {kept}"
        ) from None
