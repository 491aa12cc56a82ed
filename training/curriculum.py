"""Curriculum: the difficulty of new scenarios follows the mean time between falls."""

from dataclasses import dataclass

from grek.envs.simulation.simulation import CONTROL_STEP


@dataclass
class Curriculum:
    """Difficulty level of relief, commands and pushes, adapted to the mean time between falls.

    Each time all worlds together have simulated `window` seconds, the level rises by `step` if the
    mean time between falls is above `rare`, and sinks by `step` if it is below `often`.
    """

    level: float = 0.0
    """Current difficulty in [0, 1]."""
    step: float = 0.1
    """Change of the level after a window."""
    rare: float = 8.0
    """Mean time between falls above which the level rises [s]."""
    often: float = 4.0
    """Mean time between falls below which the level sinks [s]."""
    window: float = 640.0
    """Length of a window: simulated time summed over worlds [s]."""
    lived: float = 0.0
    """Simulated time in the current window [s]."""
    fallen: int = 0
    """Falls in the current window."""

    def record(self, fallen: int, worlds: int) -> float:
        """Count a control step of `worlds` worlds with `fallen` falls; return the updated level."""
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
