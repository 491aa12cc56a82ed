"""Ground for tests of rendering and films."""

import numpy as np

from grek.envs.vectors import Array


class Floor:
    """Slope of 10 %, the last material where y > 0, a print of 20 mm at (0.3, 0.2)."""

    def __init__(self, *names: str, wet: float = 0.0, slope: float = 0.1) -> None:
        self.names = names
        self.wet, self.slope = wet, slope

    def height(self, xy: Array) -> Array:
        return self.slope * xy[:, 0]

    def material(self, xy: Array) -> np.ndarray:
        return np.where(xy[:, 1] > 0, len(self.names) - 1, 0)

    def wetness(self, xy: Array) -> Array:
        return np.full(len(xy), self.wet)

    def footprint(self, xy: Array) -> Array:
        return 0.02 * (np.abs(xy - [0.3, 0.2]).max(1) < 0.05)
