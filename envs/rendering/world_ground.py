"""Ground of a simulated world as the scenery reads it."""

import numpy as np
from numpy.typing import NDArray

from grek.envs.simulation.simulation import Simulation
from grek.envs.vectors import Array


class WorldGround:
    """`GroundView` of the ground of `world` of `simulation`, in its present scenario."""

    def __init__(self, simulation: Simulation, world: int = 0) -> None:
        self._ground, self._sinking = simulation.ground, simulation.sinking
        self.names = simulation.scenarios[world].surface.materials
        self._world = np.array([world])

    def height(self, xy: Array) -> Array:
        """Height of the undisturbed surface (k,) [m] at `xy` (k, 2) [m]."""
        return self._ground.terrain.height_and_normal(xy[None], self._world)[0][0]

    def material(self, xy: Array) -> NDArray[np.int64]:
        """Index of the material in `names` (k,)."""
        slot = self._ground.slot(xy[None], self._world)[0]
        return np.minimum(slot, len(self.names) - 1)

    def wetness(self, xy: Array) -> Array:
        """Wetness (k,) in [0, 1], 1 for a full water film."""
        slot = self._ground.slot(xy[None], self._world)
        return self._ground.wetness(xy[None], slot, self._world)[0]

    def footprint(self, xy: Array) -> Array:
        """Depth of footprints (k,) [m]."""
        if not self._sinking.soft[self._world[0]]:
            return np.zeros(len(xy))
        slot = self._ground.slot(xy[None], self._world)
        return np.asarray(self._sinking.print_depth(self._world, xy[None], slot)[0], float)
