"""Subcommand that measures this machine."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from grek.checks import check_output, thread_count
from grek.errors import InputError
from grek.progress import counter, lines


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
