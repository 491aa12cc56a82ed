"""Subcommands of a robot's body and computer apart."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from tyro.conf import Positional, arg

from grek.checks import bind, check_output, check_port, host_and_port
from grek.commands.arguments import PolicyArgument
from grek.errors import InputError
from grek.progress import counter
from grek.sanitize import printable


@dataclass(frozen=True)
class Plant:
    """Run a droid's body: a world of the gym that a computer elsewhere drives over UDP.

    Waits for `grek onboard POLICY --plant HOST:PORT`, then runs in real time. docs/onboard.md
    describes the datagrams.
    """

    scenario: str | None = None
    """Scenario, SPACE/CONTEXT:INDEX, SPACE also a file FILE.toml, or a .json file of a scenario;
    train/dry_concrete:300000 by default."""
    material: str | None = None
    """Instead of a scenario: level ground of this material, fixed commands, no disturbances."""
    engine: str | None = None
    """Engine that moves the body, mujoco or drake; by default that of the scenario's space."""
    host: str = "127.0.0.1"
    """Address to listen at; datagrams are neither encrypted nor signed."""
    port: int = 4735
    """UDP port, in [0, 65535]; 0 takes a free one, which is printed."""
    seconds: float = 20.0
    """Length of the run [s], in [0.02, 3600]; it ends 1 s after a fall."""
    hung: bool = False
    """Hold the base in the air, as a stand does, for `grek onboard excite:air`."""
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
        world = filming.world(self.scenario, self.material)
        body = plant.Body(world, hung=self.hung, engine=self.engine)
        name, robot = body.scenario.name, body.batch.task.robot
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as listening:
            bind(listening, self.host, self.port)
            host, port = listening.getsockname()
            print(f"body in {printable(name)}, waiting at {host}:{port}", flush=True)
            link = plant.Link(listening, robot)
            about = replay.about(body.scenario, robot.name, self.hung, body.engine)
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
    """ONNX file, run directory, or the shipped policy "walk"; or a motion to identify a body from:
    excite:air for one that hangs, excite:ground for one that stands (docs/identify.md)."""
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
        from grek.onboard import computer, excitation, log, policy

        host, port = host_and_port(self.plant)
        if not 0 < self.patience <= 86_400:
            raise InputError(f"--patience {self.patience} is outside (0, 86400]")
        if self.log is not None:
            check_output(self.log, self.force)
        kind = self.policy.removeprefix(excitation.PREFIX)
        excited = kind != self.policy
        loaded = excitation.excitation(kind) if excited else policy.load(self.policy)
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
