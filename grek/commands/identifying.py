"""Subcommand that identifies a body from its logs."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from tyro.conf import Positional, arg

from grek.checks import check_output, thread_count
from grek.errors import InputError
from grek.progress import counter


@dataclass(frozen=True)
class Identify:
    """Estimate the numbers of a body from its logs, and write a space of scenarios around them.

    Logs are those of `grek plant --log` with the motions excite:air and excite:ground of
    `grek onboard`; docs/identify.md describes the procedure.
    """

    logs: Annotated[Positional[tuple[Path, ...]], arg(metavar="LOG [LOG ...]")]
    """MCAP files of one body; one of each motion tells most."""
    out: Path | None = None
    """TOML file to write, for `grek train --space` and `grek eval --suite`; the name of the space
    is that of the file."""
    mass: float | None = None
    """Mass of the whole robot [kg], weighed to 0.05 kg; in (0, 1000]. Without it, all torques and
    masses are known up to a common factor only, by what bodies weigh as built."""
    drift: float = 0.15
    """Widening of each interval, to either side, over half the range of training; in [0, 10]."""
    threads: int = 0
    """Simulation threads; 0 uses all cores."""
    force: bool = False
    """Replace an existing file."""

    def run(self) -> int:
        """Estimate, print the table and write the file."""
        from grek import files, terminal
        from grek.identify import fit, logs, space

        if not self.logs:
            raise InputError("grek identify needs at least one log")
        if self.mass is not None and not 0 < self.mass <= 1000:
            raise InputError(f"--mass {self.mass} is outside (0, 1000]")
        if not 0 <= self.drift <= 10:
            raise InputError(f"--drift {self.drift} is outside [0, 10]")
        threads = thread_count(self.threads)
        name = ""
        if self.out is not None:
            if self.out.suffix != ".toml":
                raise InputError(f"--out {self.out} does not end in .toml")
            name = space.name_of(self.out.stem)
            check_output(self.out, self.force)
        robot, measured = logs.read(self.logs)
        with counter("passes") as show:
            found = fit.identify(robot, measured, self.mass, threads, show)
        rows = [
            (
                e.parameter.name,
                e.parameter.unit,
                f"{e.parameter.nominal:.4g}",
                f"{e.value:.4g}",
                f"{e.low:.4g} to {e.high:.4g}",
                f"{e.learned:.0%}",
            )
            for e in found.estimates.values()
        ]
        head = ("number", "unit", "design", "estimate", "95 % interval", "learned")
        if self.out is not None:
            files.write(self.out, space.text(found, name, self.drift))
        terminal.show(terminal.table(head, rows, "<<>>>>"))
        print(f"residuals beyond noise: {found.unexplained:.0%}")
        if self.out is not None:
            print(self.out)
        return 0
