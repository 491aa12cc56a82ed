"""The curriculum: worlds grow harder as balance comes."""

from dataclasses import dataclass

from grek.envs.simulation.simulation import CONTROL_STEP


@dataclass
class Curriculum:
    """Level in [0, 1] of relief, commands and pushes; follows the time between two falls.

    A level rises while a droid stays up for `rare` seconds on average and sinks while it falls
    within `often`; it is judged each time all droids together have lived for `window` seconds.
    """

    level: float = 0.0
    step: float = 0.1
    rare: float = 8.0
    often: float = 4.0
    window: float = 640.0
    lived: float = 0.0
    fallen: int = 0

    def record(self, fallen: int, worlds: int) -> float:
        """Count a step of `worlds`, of which `fallen` fell; returns the level from now on."""
        self.lived += worlds * CONTROL_STEP
        self.fallen += fallen
        if self.lived >= self.window:
            apart = self.lived / max(self.fallen, 1)
            if apart > self.rare:
                self.level = min(1.0, self.level + self.step)
            elif apart < self.often:
                self.level = max(0.0, self.level - self.step)
            self.lived, self.fallen = 0.0, 0
        return self.level
