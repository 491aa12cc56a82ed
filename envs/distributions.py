"""Distributions as frozen values, sampled by their quantile function (inverse transform).

`quantile(u)` of a uniform u in [0, 1) is a sample; the caller supplies u, so no generator is held.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Constant:
    """A single value with probability 1."""

    value: float

    @property
    def low(self) -> float:
        """Lower end of the support: `value`."""
        return self.value

    @property
    def high(self) -> float:
        """Upper end of the support: `value`."""
        return self.value

    def quantile(self, u: float) -> float:
        """`value`, for any `u`."""
        return self.value


@dataclass(frozen=True)
class Uniform:
    """Uniform on [low, high)."""

    low: float
    high: float

    def quantile(self, u: float) -> float:
        """Value at quantile level `u` in [0, 1)."""
        return self.low + (self.high - self.low) * u


@dataclass(frozen=True)
class LogUniform:
    """Log-uniform on [low, high), 0 < low: the logarithm is uniform."""

    low: float
    high: float

    def quantile(self, u: float) -> float:
        """Value at quantile level `u` in [0, 1)."""
        return float(self.low * (self.high / self.low) ** u)


@dataclass(frozen=True)
class Signed:
    """Magnitude uniform on [low, high], either sign with probability 1/2.

    `low` and `high` bound the magnitude; the support is [-high, -low] and [low, high].
    """

    low: float
    high: float

    def quantile(self, u: float) -> float:
        """Value at quantile level `u` in [0, 1)."""
        share = abs(2 * u - 1)  # quantile level of the magnitude
        return (self.low + (self.high - self.low) * share) * (1 if u >= 0.5 else -1)


Distribution = Constant | Uniform | LogUniform | Signed
