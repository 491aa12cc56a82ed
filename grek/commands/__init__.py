"""Subcommands of `grek`: one dataclass each, with flags as fields and a method `run`.

`run` returns the exit code. Heavy modules are imported there, so that `grek --help` stays quick.
"""

from typing import Any

from grek.commands.driving import Drive
from grek.commands.filming import Render
from grek.commands.identifying import Identify
from grek.commands.learning import Train
from grek.commands.measuring import Bench
from grek.commands.robot import Onboard, Plant, Replay
from grek.commands.scoring import Compare, Eval, Table
from grek.commands.worlds import Materials, Motions, Scenario

COMMANDS: dict[str, Any] = {
    "train": Train,
    "eval": Eval,
    "compare": Compare,
    "table": Table,
    "render": Render,
    "drive": Drive,
    "scenario": Scenario,
    "materials": Materials,
    "motions": Motions,
    "plant": Plant,
    "onboard": Onboard,
    "replay": Replay,
    "identify": Identify,
    "bench": Bench,
}
