"""Curriculum: the difficulty of new scenarios follows the mean time between falls."""

from dataclasses import dataclass

from grek.envs.simulation.simulation import CONTROL_STEP


@dataclass
class Curriculum:
    """Difficulty level in [0, 1] of relief, commands and pushes, and the counts that change it.

    The level is reconsidered each time all worlds together have simulated `window` seconds. It
    rises by `step` if the mean time between falls exceeds `rare`, sinks if it is below `often`.
    """

    level: float = 0.0
    """Current difficulty in [0, 1]."""
    step: float = 0.1
    """Change of the level."""
    rare: float = 8.0
    """Time between falls above which the level rises [s]."""
    often: float = 4.0
    """Time between falls below which the level sinks [s]."""
    window: float = 640.0
    """Simulated time, summed over worlds, between two changes [s]."""
    lived: float = 0.0
    """Simulated time of the current window [s]."""
    fallen: int = 0
    """Falls in the current window."""

    def record(self, fallen: int, worlds: int) -> float:
        """Count one control step of `worlds` with `fallen` falls; return the updated level."""
        self.lived += worlds * CONTROL_STEP
        self.fallen += fallen
        if self.lived >= self.window:
            between_falls = self.lived / max(self.fallen, 1)  # [s]
            if between_falls > self.rare:
                self.level = min(1.0, self.level + self.step)
            elif between_falls < self.often:
                self.level = max(0.0, self.level - self.step)
            self.lived, self.fallen = 0.0, 0
        return self.level
