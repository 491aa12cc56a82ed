"""Links between body and computer of a robot, by name: rows of the space `faults`.

They act where body and computer are apart (`grek.onboard`); the gym itself has no link.
"""

import math
from dataclasses import dataclass, fields

from grek.errors import InputError


@dataclass(frozen=True)
class Faults:
    """Rates of faults, each in [0, 1] and drawn for every datagram by itself, and times [s].

    Raises InputError for a rate outside [0, 1] or a time that is negative.
    """

    loss: float = 0.0
    """Probability that a datagram never arrives."""
    repetition: float = 0.0
    """Probability that it arrives twice."""
    reordering: float = 0.0
    """Probability that it is held back, so that the next one overtakes it."""
    corruption: float = 0.0
    """Probability that one to eight of its bits are flipped."""
    delay: float = 0.0
    """Of every datagram [s]."""
    jitter: float = 0.0
    """Mean of a further, exponentially distributed delay [s]."""

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            most = math.inf if field.name in ("delay", "jitter") else 1.0
            if not (math.isfinite(value) and 0 <= value <= most):
                raise InputError(f"{field.name} {value} is not in [0, {most:g}]")


LINKS = {
    "as_trained": Faults(),
    "loss_5": Faults(loss=0.05),
    "loss_20": Faults(loss=0.2),
    "loss_40": Faults(loss=0.4),
    "delay_10_ms": Faults(delay=0.01),
    "delay_20_ms": Faults(delay=0.02),
    "jitter_5_ms": Faults(jitter=0.005),
    "jitter_20_ms": Faults(jitter=0.02),
    "repetition_50": Faults(repetition=0.5),
    "reordering_10": Faults(reordering=0.1),
    "reordering_40": Faults(reordering=0.4),
    "corruption_5": Faults(corruption=0.05),
    "corruption_40": Faults(corruption=0.4),
}
"""Faults each way, by context of the space `faults`; numbers are per cent or milliseconds."""
