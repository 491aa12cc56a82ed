"""Conditions that end a training run: time, environment steps, or a signal."""

import math
import signal
import time
from types import FrameType

from grek.training.config import TrainConfig

DEFAULT_MINUTES = 10.0


class Budget:
    """Time or environment steps of a run, counted from its construction and from `first_step`."""

    def __init__(self, config: TrainConfig, first_step: int) -> None:
        minutes = config.minutes
        if minutes is None and config.steps is None:
            minutes = DEFAULT_MINUTES
        self.steps = config.steps
        self.seconds = None if minutes is None else 60 * minutes
        self.first_step = first_step
        self.began = time.monotonic()

    def elapsed(self) -> float:
        """Return the time since the run began [s]."""
        return time.monotonic() - self.began

    def spent(self, step: int) -> bool:
        """Return True if the budget is spent now, at environment step `step`."""
        if self.seconds is not None and self.elapsed() > self.seconds:
            return True
        return self.steps is not None and step >= self.first_step + self.steps

    def left(self, step: int) -> float:
        """Return the time to the end [s], at environment step `step`; of steps at the rate so far.

        Infinite before the first step.
        """
        elapsed, done = self.elapsed(), step - self.first_step
        if self.seconds is not None:
            return max(self.seconds - elapsed, 0.0)
        assert self.steps is not None
        return elapsed * max(self.steps - done, 0) / done if done else math.inf

    def fraction(self, step: int) -> float:
        """Return the completed fraction of the run at environment step `step`, in [0, 1].

        A budget of steps includes the steps before a resumption, so that schedules continue; a
        budget of time starts again from 0.
        """
        fraction = 0.0
        if self.steps:
            fraction = step / (self.first_step + self.steps)
        if self.seconds:
            fraction = max(fraction, self.elapsed() / self.seconds)
        return min(fraction, 1.0)


class Interruption:
    """Context in which SIGINT or SIGTERM sets `requested`; a second one raises KeyboardInterrupt.

    A run can thus finish its update and save before it ends.
    """

    requested = False

    def __enter__(self) -> "Interruption":
        signals = (signal.SIGINT, signal.SIGTERM)
        self._previous = {number: signal.signal(number, self._handle) for number in signals}
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if self.requested:
            raise KeyboardInterrupt
        self.requested = True
