"""Held keys of all visitors: one of them drives at a time, and silence is a release.

A page sends all keys that it holds, whenever they change and ten times a second while there are
any. So no release can be lost: a message that says less, a closed connection and PATIENCE without
a word all end what was held.
"""

import threading
from dataclasses import dataclass

import numpy as np

from grek.envs.vectors import Array

PATIENCE = 1.0  # without a message after which keys count as released [s]

WALK: dict[str, tuple[float, float, float]] = {
    "KeyW": (0.5, 0.0, 0.0),
    "KeyS": (-0.3, 0.0, 0.0),
    "KeyA": (0.0, 0.0, 0.7),
    "KeyD": (0.0, 0.0, -0.7),
    "KeyQ": (0.0, 0.18, 0.0),
    "KeyE": (0.0, -0.18, 0.0),
}
"""Forward, left [m/s] and turn [rad/s] of each walking key, by its `KeyboardEvent.code`."""
LOOK: dict[str, tuple[float, float]] = {
    "ArrowUp": (-0.45, 0.0),
    "ArrowDown": (0.45, 0.0),
    "ArrowLeft": (0.0, 0.9),
    "ArrowRight": (0.0, -0.9),
}
"""Head pitch and yaw [rad] of each looking key."""
HOLDS = frozenset((*WALK, *LOOK))
TAPS = frozenset(("Space", "KeyP", "KeyR"))
"""Keys that act once when they go down: stand, push, begin again."""


@dataclass(frozen=True)
class Held:
    """Keys that one visitor holds."""

    codes: tuple[str, ...]
    until: float
    """Time at which they count as released without another message [s]."""


class Keys:
    """Keys of all visitors. Safe to use from any thread; times are of one monotonic clock [s]."""

    def __init__(self) -> None:
        self._held: dict[int, Held] = {}  # in the order of pressing
        self._taps: list[str] = []
        self._lock = threading.Lock()

    def take(self, visitor: int, held: tuple[str, ...], taps: tuple[str, ...], now: float) -> None:
        """Take `held`, all keys that `visitor` holds now, and `taps`, keys that just went down.

        Raises ValueError for keys that are not in HOLDS and TAPS.
        """
        if not (HOLDS.issuperset(held) and TAPS.issuperset(taps)):
            raise ValueError(f"unknown keys among {(*held, *taps)}")
        with self._lock:
            self._taps += taps
            if held:
                self._held[visitor] = Held(held, now + PATIENCE)
            else:
                self._held.pop(visitor, None)

    def leave(self, visitor: int) -> None:
        """Release all keys of `visitor`."""
        with self._lock:
            self._held.pop(visitor, None)

    def taps(self) -> list[str]:
        """Keys of TAPS that went down since the last call."""
        with self._lock:
            taken, self._taps = self._taps, []
        return taken

    def driver(self, now: float) -> tuple[int | None, tuple[str, ...]]:
        """The visitor who drives, the first to hold keys, and these keys; None and () for none."""
        with self._lock:
            for visitor in [v for v, held in self._held.items() if held.until <= now]:
                del self._held[visitor]
            for visitor, held in self._held.items():
                return visitor, held.codes
        return None, ()


def asked(codes: tuple[str, ...]) -> Array:
    """Command (5,) of held keys: vx, vy [m/s], yaw rate [rad/s], head pitch, head yaw [rad]."""
    total = np.zeros(5)
    for code in codes:
        total[:3] += WALK.get(code, (0.0, 0.0, 0.0))
        total[3:] += LOOK.get(code, (0.0, 0.0))
    return total
