"""Subcommands of `grek`: one dataclass each, with flags as fields and a method `run`.

`run` returns the exit code. Heavy modules are imported there, so that `grek --help` stays quick.
"""

import contextlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from tyro.conf import Positional, arg

from grek.checks import bind, check_output, check_port, host_and_port, thread_count
from grek.errors import InputError
from grek.progress import counter, lines
from grek.training.config import TrainConfig

PolicyArgument = Annotated[Positional[str], arg(metavar="POLICY")]


@dataclass(frozen=True)
class Train(TrainConfig):
    """Train a policy with PPO and write it to policy.onnx in the run directory.

    Ctrl-C saves a checkpoint and the policy; --resume continues from them.
    """

    def run(self) -> int:
        """Train and print the path of the policy."""
        from grek.training.train import train

        run = train(self)
        print(f"policy: {run / 'policy.onnx'}")
        return 0


@dataclass(frozen=True)
class Eval:
    """Score a policy: print a table; with --out, write scorecard.json, .md and .html.

    With --out, an interrupted evaluation keeps its finished episodes, and the same command resumes
    after them.
    """

    policy: PolicyArgument
    """ONNX file, run directory, the shipped policy "walk", or a reference: zero, random, gait, or
    motion:NAME, which dances the choreography NAME in open loop."""
    suite: str = "quick"
    """Suite of scenarios: quick, train, heldout, numerics, full (these three), tune, or faults."""
    episodes: int | None = None
    """Episodes per row of the scorecard, in [1, 10000]; by default 12 for quick, 64 otherwise."""
    seed: int = 0
    """Block of scenarios, in [0, 9999]. Scorecards of different seeds cannot be compared."""
    threads: int = 0
    """Simulation threads; 0 uses all cores. Scores do not depend on it."""
    out: Path | None = None
    """Directory to write the scorecard and its reports to; by default nothing is written."""
    force: bool = False
    """Replace an existing scorecard, or kept episodes of another evaluation, in --out."""
    films: bool = False
    """Also film the worst, median and best episode of each axis to --out/films; takes minutes."""

    def run(self) -> int:
        """Score, print the table and write the scorecard."""
        from grek import terminal
        from grek.eval import report
        from grek.eval.scores import evaluate, partial, policies

        if self.films and self.out is None:
            raise InputError("--films needs --out, the directory to write them to")
        if self.films:
            from grek.eval.films.film import check_filming

            check_filming()
        kept = None if self.out is None else self.out / partial.NAME
        if self.out is not None:
            for name in ("scorecard.json", "scorecard.md", "scorecard.html"):
                check_output(self.out / name, self.force)
            if self.films and (self.out / "films").exists() and not self.force:
                raise InputError(f"{self.out / 'films'} exists; use --force to replace them")
        threads = thread_count(self.threads)
        arguments = (self.policy, self.suite, self.episodes, self.seed, threads)
        driver = None
        if self.suite == "faults":
            from grek.onboard import policy, trial

            driver = trial.driver(policy.load(self.policy))
        with naming_kept_episodes(kept):
            with counter("episodes") as show:
                card = evaluate.score(*arguments, show, kept, self.force, driver)
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


@dataclass(frozen=True)
class Render:
    """Film a rollout of a policy in one scenario."""

    policy: PolicyArgument
    """ONNX file, run directory, the shipped policy "walk", or a reference: zero, random, gait, or
    motion:NAME, which dances the choreography NAME in open loop."""
    scenario: str | None = None
    """Scenario, SPACE/CONTEXT:INDEX; train/dry_concrete:300000 by default."""
    material: str | None = None
    """Instead of a scenario: level ground of this material, fixed commands, no disturbances.
    `grek materials` lists the names."""
    seconds: float = 10.0
    """Length of the film [s], in [0.02, 600]; it ends 1 s after a fall."""
    fps: int = 25
    """Frame rate [1/s], 25 or 50; the film plays in real time at both."""
    out: Path = Path("grek.mp4")
    """File to write; its suffix selects the format: .mp4 (1280x720), .webp or .gif (480x270)."""
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
    """Print everything that is drawn for a scenario, as JSON in SI units."""

    name: Annotated[Positional[str], arg(metavar="NAME")]
    """SPACE/CONTEXT:INDEX, for example train/sand:41 or heldout/slope-far:7.
    SPACE:INDEX counts over the contexts of the space in turn; the full name is printed."""

    def run(self) -> int:
        """Print the scenario."""
        from grek.envs.scenarios.scenario import to_plain
        from grek.envs.scenarios.spaces import parse

        print(json.dumps(to_plain(parse(self.name)), indent=2))
        return 0


@dataclass(frozen=True)
class Materials:
    """Print the parameters of all materials: unit, nominal value, range and source."""

    plot: Path | None = None
    """Plot sinkage, shear and friction to this .png, .svg or .pdf file instead."""
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
class Motions:
    """List choreographies and what they ask of the motors, or check and draw one.

    A motion that no motor can follow is refused with the beat and the joint.
    """

    motion: Annotated[Positional[str | None], arg(metavar="[MOTION]")] = None
    """Shipped motion or .toml file; by default all shipped ones are listed."""
    plot: Path | None = None
    """Plot poses over beats to this .png, .svg or .pdf file."""
    force: bool = False
    """Replace an existing file."""

    def run(self) -> int:
        """Plan, check and list the motions."""
        from grek import terminal
        from grek.envs.motions import choreography, feasibility, planner
        from grek.envs.robots import GREK
        from grek.envs.simulation.simulation import CONTROL_STEP

        if self.plot is not None:
            if self.motion is None:
                raise InputError("--plot needs a MOTION to draw")
            check_output(self.plot, self.force)
            if self.plot.suffix not in (".png", ".svg", ".pdf"):
                raise InputError(f"--plot {self.plot} is not a .png, .svg or .pdf file")
        rows = []
        for name in choreography.shipped() if self.motion is None else (self.motion,):
            of = choreography.choreography(name)
            plan = planner.plan(of, GREK, CONTROL_STEP)
            demand = feasibility.check(plan, GREK)
            size = (f"{of.tempo:g}", f"{of.beats:g}", f"{of.seconds:.1f}")
            rows.append((of.name, of.title, *size, f"{demand.share:.0%}"))
        if self.plot is not None:
            from grek.eval.report.motion_plot import plot

            plot(of, plan, demand, GREK, self.plot)
        head = ("motion", "title", "tempo [1/min]", "beats", "length [s]", "torque over limit")
        terminal.show(terminal.table(head, rows, "<<>"))
        if self.plot is not None:
            print(self.plot)
        return 0


@dataclass(frozen=True)
class Bench:
    """Benchmark this machine: rates of simulation and training, and ratios between them."""

    out: Path | None = None
    """JSON file to write the results to; by default they are only printed."""
    repeats: int = 5
    """Rounds, in [1, 100]; each measures every rate once."""
    learning: bool = False
    """Measure the training time to traversals of 0.5, 0.8 and 0.9 instead, for three seeds."""
    onboard: bool = False
    """Measure what the computer of a robot takes instead: time of a control step, and memory."""
    minutes: float = 6.0
    """Training time of each seed with --learning [min], in (0, 600]."""
    plot: Path | None = None
    """Plot the learning curves of --learning to this file; the suffix selects the format."""
    force: bool = False
    """Replace an existing file."""

    def run(self) -> int:
        """Measure, print the tables and write the results."""
        from grek import terminal
        from grek.bench import learning, onboard, rates

        if not 1 <= self.repeats <= 100:
            raise InputError(f"--repeats {self.repeats} is outside [1, 100]")
        if not 0 < self.minutes <= 600:
            raise InputError(f"--minutes {self.minutes} is outside (0, 600]")
        for path in filter(None, (self.out, self.plot)):
            check_output(path, self.force)
        if self.plot is not None and not self.learning:
            raise InputError("--plot needs --learning, whose curves it shows")
        if self.onboard and self.learning:
            raise InputError("give --onboard or --learning, not both")
        if self.onboard:
            taken = onboard.measure()
            tables: tuple[Any, ...] = (onboard.table(taken),)
            result = {**rates.machine(), "onboard": taken}
        elif self.learning:
            # Lines, not a bar: each training shows a bar of its own.
            found = learning.measure(3, self.minutes, thread_count(0), lines("seeds"))
            tables = (learning.table(found),)
            result = {**rates.machine(), "learning": found}
            if self.plot is not None:
                learning.draw(found, self.plot)
        else:
            with counter("measurements") as show:
                result = rates.measure(self.repeats, show)
            tables = rates.tables(result)
        if self.out is not None:
            rates.write(result, self.out)
        terminal.show(*tables)  # after the files: who reads may go away
        for path in filter(None, (self.plot, self.out)):
            print(path)
        return 0


@dataclass(frozen=True)
class Plant:
    """Run a droid's body: a world of the gym that a computer elsewhere drives over UDP.

    Waits for `grek onboard POLICY --plant HOST:PORT`, then runs in real time. docs/onboard.md
    describes the datagrams.
    """

    scenario: str | None = None
    """Scenario, SPACE/CONTEXT:INDEX; train/dry_concrete:300000 by default."""
    material: str | None = None
    """Instead of a scenario: level ground of this material, fixed commands, no disturbances."""
    host: str = "127.0.0.1"
    """Address to listen at; datagrams are neither encrypted nor signed."""
    port: int = 4735
    """UDP port, in [0, 65535]; 0 takes a free one, which is printed."""
    seconds: float = 20.0
    """Length of the run [s], in [0.02, 3600]; it ends 1 s after a fall."""
    lockstep: bool = False
    """Wait for the answer to each reading instead of running in real time."""
    log: Path | None = None
    """MCAP file to write readings, joint targets and states to; `grek replay` scores it."""
    force: bool = False
    """Replace an existing file."""

    def run(self) -> int:
        """Run the body and print how it went."""
        import socket

        from grek.eval.films import filming
        from grek.onboard import log, plant, replay

        if not 0.02 <= self.seconds <= 3600:
            raise InputError(f"--seconds {self.seconds} is outside [0.02, 3600]")
        if self.scenario is not None and self.material is not None:
            raise InputError("give --scenario or --material, not both")
        check_port(self.port, 0)
        if self.log is not None:
            check_output(self.log, self.force)
        body = plant.Body(filming.world(self.scenario, self.material))
        name, robot = body.scenario.name, body.batch.task.robot
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as listening:
            bind(listening, self.host, self.port)
            host, port = listening.getsockname()
            print(f"body in {name}, waiting at {host}:{port}", flush=True)
            link = plant.Link(listening, robot)
            about = replay.about(body.scenario, robot.name)
            with log.recording(self.log, about) as record, counter("control steps") as show:
                run = plant.run(body, link, self.seconds, self.lockstep, record, show)
        print(run.text())
        if self.log is not None:
            print(self.log)
        return 0


@dataclass(frozen=True)
class Onboard:
    """Run a policy as the computer of a droid whose body is at HOST:PORT, such as `grek plant`.

    Ends when the body does; Ctrl-C ends it at any time, and the body's watchdog takes over.
    """

    policy: PolicyArgument
    """ONNX file, run directory, or the shipped policy "walk"."""
    plant: str = "127.0.0.1:4735"
    """Address of the body, HOST:PORT."""
    filter: bool = False
    """Estimate the attitude from gyro and accelerometer instead of taking the body's."""
    patience: float = 60.0
    """Time without a word from the body after which it gives up [s], in (0, 86400]."""
    log: Path | None = None
    """MCAP file to write readings, joint targets and events to."""
    force: bool = False
    """Replace an existing file."""

    def run(self) -> int:
        """Run the computer and print what it counted."""
        from grek.onboard import computer, log, policy

        host, port = host_and_port(self.plant)
        if not 0 < self.patience <= 86_400:
            raise InputError(f"--patience {self.patience} is outside (0, 86400]")
        if self.log is not None:
            check_output(self.log, self.force)
        loaded = policy.load(self.policy)
        about = {"robot": loaded.robot.name, "policy": loaded.name}
        with log.recording(self.log, about) as record:
            made = computer.Computer(loaded, filters=self.filter, record=record)
            print(f"{loaded.name}, looking for a body at {host}:{port}", flush=True)
            computer.serve(made, (host, port), self.patience, lambda text: print(text, flush=True))
        print(made.text())
        if self.log is not None:
            print(self.log)
        return 0


@dataclass(frozen=True)
class Replay:
    """Score the log of a body: the same world, under the joint targets that acted."""

    log: Annotated[Positional[Path], arg(metavar="LOG")]
    """MCAP file that `grek plant --log` wrote."""
    film: Path | None = None
    """Also film the run to this .mp4, .webp or .gif file."""
    force: bool = False
    """Replace an existing film."""

    def run(self) -> int:
        """Print the metrics of the run."""
        from grek import terminal
        from grek.onboard import replay

        if self.film is not None:
            check_output(self.film, self.force)
        recorded = replay.read(self.log)
        found = replay.score(recorded)
        rows = [(name, f"{value:.6g}") for name, value in found.items()]
        said = None
        if self.film is not None:
            with counter("control steps") as show:
                said = replay.film(recorded, 25, self.film, show)
        terminal.show(terminal.table((recorded.scenario.name, "value"), rows, "<>"))
        if said is not None:
            print(said)
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


COMMANDS: dict[str, Any] = {
    "train": Train,
    "eval": Eval,
    "compare": Compare,
    "table": Table,
    "render": Render,
    "scenario": Scenario,
    "materials": Materials,
    "motions": Motions,
    "plant": Plant,
    "onboard": Onboard,
    "replay": Replay,
    "bench": Bench,
}
