"""The curriculum: worlds grow harder as balance comes."""

from dataclasses import dataclass


@dataclass
class Curriculum:
    """Level in [0, 1] of relief, commands and pushes; follows the share of falls.

    A level rises while fewer than `few` of the ended episodes ended in a fall, and sinks while
    more than `many` did; it is judged whenever `batch` episodes have ended.
    """

    level: float = 0.2
    step: float = 0.1
    few: float = 0.60
    many: float = 0.80
    batch: int = 128
    ended: int = 0
    fallen: int = 0

    def record(self, fallen: int, ended: int) -> float:
        """Count `ended` episodes of which `fallen` fell; returns the level from now on."""
        self.ended += ended
        self.fallen += fallen
        if self.ended >= self.batch:
            share = self.fallen / self.ended
            if share < self.few:
                self.level = min(1.0, self.level + self.step)
            elif share > self.many:
                self.level = max(0.0, self.level - self.step)
            self.ended = self.fallen = 0
        return self.level
