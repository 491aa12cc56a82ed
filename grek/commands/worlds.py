"""Subcommands that show what worlds are made of: scenarios, materials, motions."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from tyro.conf import Positional, arg

from grek.checks import check_output
from grek.errors import InputError


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
