"""A random quantity as a value: it can be drawn, printed, widened and split from one place."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Constant:
    """Always the same value."""

    value: float

    @property
    def low(self) -> float:
        """The value."""
        return self.value

    @property
    def high(self) -> float:
        """The value."""
        return self.value

    def quantile(self, u: float) -> float:
        """The value at any `u`."""
        return self.value


@dataclass(frozen=True)
class Uniform:
    """Uniform between `low` and `high`."""

    low: float
    high: float

    def quantile(self, u: float) -> float:
        """The value below which a draw falls with probability `u` in [0, 1)."""
        return self.low + (self.high - self.low) * u


@dataclass(frozen=True)
class LogUniform:
    """Uniform in the logarithm between `low` and `high`, both positive."""

    low: float
    high: float

    def quantile(self, u: float) -> float:
        """The value below which a draw falls with probability `u` in [0, 1)."""
        return float(self.low * (self.high / self.low) ** u)


@dataclass(frozen=True)
class Signed:
    """Magnitude uniform between `low` and `high`, either sign with equal probability."""

    low: float
    high: float

    def quantile(self, u: float) -> float:
        """The value below which a draw falls with probability `u` in [0, 1)."""
        away = abs(2 * u - 1)  # of the magnitude
        return (self.low + (self.high - self.low) * away) * (1 if u >= 0.5 else -1)


Distribution = Constant | Uniform | LogUniform | Signed
