"""Subcommand that opens a page to drive a droid in."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from tyro.conf import Positional, arg

from grek.checks import check_port
from grek.errors import InputError
from grek.sanitize import printable


@dataclass(frozen=True)
class Drive:
    """Drive a droid live in a browser: keys, pushes, ground and body of your choice.

    Needs the extra `drive`. Prints the address of the page; Ctrl-C ends it. docs/drive.md describes
    the page.
    """

    policy: Annotated[Positional[str], arg(metavar="[POLICY]")] = "walk"
    """ONNX file, run directory, a shipped policy, walk or grek, or a reference: zero, random, gait,
    motion, which does skills in open loop, or motion:NAME, which dances the choreography NAME."""
    scenario: str | None = None
    """Scenario to begin in, SPACE/CONTEXT:INDEX, or a file that the page saved. Its commands and
    pushes are yours."""
    material: str | None = None
    """Instead of a scenario: level ground of this material; dry_concrete by default.
    `grek materials` lists the names."""
    host: str = "127.0.0.1"
    """Address to listen at. At another one than this machine's own, the printed address holds a
    token that a visitor needs; the connection is not encrypted."""
    port: int = 4736
    """TCP port, in [0, 65535]; 0 takes a free one."""
    out: Path = Path()
    """Directory for films that are recorded."""

    def run(self) -> int:
        """Serve the page until an interrupt."""
        if self.scenario is not None and self.material is not None:
            raise InputError("give --scenario or --material, not both")
        check_port(self.port, 0)
        try:
            import viser  # noqa: F401
        except ImportError:
            raise InputError(
                "grek drive needs the extra drive: pip install 'grek[drive]'"
            ) from None
        from grek.drive.session import Session
        from grek.eval.films import filming
        from grek.eval.scores import policies

        policy = policies.load(self.policy)
        material = self.material if self.scenario or self.material else "dry_concrete"
        scenario = filming.world(self.scenario, material, policy.task.robot)
        session = Session(self.policy, policy, scenario, self.host, self.port, self.out)
        try:
            where = printable(f"{self.policy} in {scenario.name}")
            print(f"{where}: {session.server.address}", flush=True)
            session.run()
        finally:
            session.close()
        return 0
