"""Subcommand that films."""

from dataclasses import dataclass
from pathlib import Path

from grek.checks import check_output
from grek.commands.arguments import PolicyArgument
from grek.errors import InputError
from grek.progress import counter
from grek.sanitize import printable


@dataclass(frozen=True)
class Render:
    """Film a rollout of a policy in one scenario."""

    policy: PolicyArgument
    """ONNX file, run directory, a shipped policy, walk or grek, or a reference: zero, random, gait,
    motion, which does skills in open loop, or motion:NAME, which dances NAME."""
    scenario: str | None = None
    """Scenario, SPACE/CONTEXT:INDEX, or a .json file of one; train/dry_concrete:300000 by
    default."""
    material: str | None = None
    """Instead of a scenario: level ground of this material, fixed commands, no disturbances.
    `grek materials` lists the names."""
    engine: str | None = None
    """Engine that moves the droid, mujoco or drake; by default that of the scenario's space."""
    script: str | None = None
    """Acts of a policy of skills: "walk 0.4 3s; jump 0.06; dance carnival; sit 4s; stand"."""
    sound: bool = False
    """Let an .mp4 click on the beats of dances."""
    seconds: float | None = None
    """Length of the film [s], in [0.02, 600]; by default 10, or that of the script. It ends 1 s
    after a fall."""
    fps: int = 25
    """Frame rate [1/s], 25 or 50; the film plays in real time at both."""
    size: tuple[int, int] | None = None
    """Width and height of the film [px]; 1280 720 for .mp4 and 480 270 otherwise by default."""
    out: Path = Path("grek.mp4")
    """File to write; its suffix selects the format: .mp4, .webp or .gif."""
    force: bool = False
    """Replace an existing file."""

    def run(self) -> int:
        """Film and print the path of the film."""
        from grek.envs.simulation.engines import ENGINES
        from grek.eval.films import filming
        from grek.eval.scores import policies

        acts = None
        if self.script is not None:
            from grek.envs.skills import script

            acts = script.acts(self.script)
        seconds = self.seconds or (10.0 if acts is None else min(acts[1] + 0.5, 600.0))
        if not 0.02 <= seconds <= 600 or self.seconds == 0:
            raise InputError(f"--seconds {self.seconds} is outside [0.02, 600]")
        if self.sound and self.out.suffix != ".mp4":
            raise InputError(f"--sound needs an .mp4 file, not {self.out}")
        if self.fps not in (25, 50):
            raise InputError(f"--fps {self.fps} is neither 25 nor 50")
        if self.scenario is not None and self.material is not None:
            raise InputError("give --scenario or --material, not both")
        check_output(self.out, self.force)
        if self.engine is not None:
            ENGINES.named(self.engine).check_installed()
        policy = policies.load(self.policy)
        scenario = filming.world(self.scenario, self.material, policy.task.robot)
        if self.script is not None:
            scenario = filming.scripted(policy, scenario, self.script)
        with counter("control steps") as show:
            arguments = seconds, self.fps, self.out, show, self.size
            said = filming.film(policy, scenario, *arguments, engine=self.engine, sound=self.sound)
        print(printable(said))
        return 0
