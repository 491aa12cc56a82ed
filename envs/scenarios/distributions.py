"""A random quantity as a value: it can be sampled, printed, widened and split from one place."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Constant:
    """Always the same value."""

    value: float

    def sample(self, rng: np.random.Generator) -> float:
        """The value; consumes nothing from `rng`."""
        return self.value


@dataclass(frozen=True)
class Uniform:
    """Evenly likely between `low` and `high`."""

    low: float
    high: float

    def sample(self, rng: np.random.Generator) -> float:
        """One value in [low, high)."""
        return self.low + (self.high - self.low) * rng.random()


@dataclass(frozen=True)
class LogUniform:
    """Evenly likely in the logarithm between `low` and `high`, both positive."""

    low: float
    high: float

    def sample(self, rng: np.random.Generator) -> float:
        """One value in [low, high)."""
        return float(self.low * (self.high / self.low) ** rng.random())


@dataclass(frozen=True)
class Signed:
    """Magnitude evenly likely between `low` and `high`, either sign: outside of +-low."""

    low: float
    high: float

    def sample(self, rng: np.random.Generator) -> float:
        """One value of magnitude in [low, high)."""
        return float((self.low + (self.high - self.low) * rng.random()) * rng.choice((-1, 1)))


Distribution = Constant | Uniform | LogUniform | Signed
