"""Images of the worlds of a simulation, for `render` of environments."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from grek.envs.rendering.picture import CAMERAS, Camera, Picture
from grek.envs.rendering.scenery import form
from grek.envs.rendering.world_ground import WorldGround
from grek.envs.simulation.simulation import Simulation
from grek.envs.vectors import Array
from grek.errors import InputError

SIZES = 16, 4096  # least and most width and height of an image [px]
SCALE = 1.5  # size of a drawn image over that of the result, which is scaled down


def camera_named(camera: str | Camera) -> Camera:
    """Camera of CAMERAS, or one's own; raises InputError naming the valid ones."""
    return camera if isinstance(camera, Camera) else CAMERAS.named(camera)


@dataclass
class _View:
    """Picture of one world, and what it shows."""

    picture: Picture
    form: tuple[bool, tuple[str, ...]]
    """`scenery.form` of its materials."""
    qpos: Array  # last one that was finite
    time: float = 0.0


class Renderer:
    """Images of `size` (width, height) [px] of the worlds of `simulation` from `camera`.

    A world takes about 240 MB from its first image on. Raises InputError for a size outside of
    SIZES.
    """

    def __init__(self, simulation: Simulation, size: tuple[int, int], camera: Camera) -> None:
        low, high = SIZES
        for name, pixels in zip(("width", "height"), size, strict=True):
            if isinstance(pixels, bool) or not isinstance(pixels, int | np.integer):
                raise InputError(f"{name} {pixels!r} is not a whole number of pixels")
            if not low <= pixels <= high:
                raise InputError(f"{name} {pixels} is not in {low} to {high} pixels")
        self.size = (int(size[0]), int(size[1]))
        self._simulation, self._camera = simulation, camera
        self._views: dict[int, _View] = {}
        self._new: set[int] = set()  # worlds in another episode than their view

    def begin(self, worlds: NDArray[np.int64]) -> None:
        """Draw `worlds` (k,), which were reset, anew."""
        self._new.update(worlds.tolist())

    def image(self, world: int, time: float) -> NDArray[np.uint8]:
        """Image (height, width, 3) of `world`, `time` [s] after its episode began.

        A world whose simulation failed is shown as it was last drawn. Raises InputError, on one
        line, where OpenGL does not work.
        """
        view, qpos = self._view(world), self._simulation.engine.qpos[world]
        if np.isfinite(qpos).all():
            view.qpos = qpos.copy()
        elapsed, view.time = max(time - view.time, 0.0), time
        drawn = view.picture.draw(view.qpos, elapsed)
        return np.array(Image.fromarray(drawn).resize(self.size, Image.Resampling.BOX))

    def close(self) -> None:
        """Free the pictures of all worlds; the next image makes them anew."""
        for view in self._views.values():
            view.picture.close()
        self._views.clear()

    def _home(self) -> Array:
        """Joint positions (nq,) of the robot's home pose at the origin."""
        qpos = np.zeros(self._simulation.engine.qpos.shape[1])
        robot = self._simulation.robot
        qpos[2], qpos[3], qpos[7:] = robot.stand_height, 1.0, robot.home
        return qpos

    def _view(self, world: int) -> _View:
        """View of `world` in its present episode."""
        view, ground = self._views.get(world), WorldGround(self._simulation, world)
        shape = form(ground.names)
        if view is not None and view.form != shape:
            self._views.pop(world).picture.close()
            view = None
        if view is None:
            robot = self._simulation.robot
            drawn = round(self.size[0] * SCALE), round(self.size[1] * SCALE)
            picture = Picture(ground, robot.load_spec(), robot.base, drawn, self._camera)
            view = self._views[world] = _View(picture, shape, self._home())
        elif world in self._new:
            view.picture.restart(ground)
        self._new.discard(world)
        return view
