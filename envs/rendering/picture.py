"""Images of a robot on its ground, from a camera that follows it.

A picture renders a model of its own; the simulation gives it joint positions and a `GroundView`.
"""

import math
from dataclasses import dataclass

import mujoco
import numpy as np
from numpy.typing import NDArray

from grek.assets.textures import SUN
from grek.envs.registry import Registry
from grek.envs.rendering import textures
from grek.envs.rendering.canvas import Canvas
from grek.envs.rendering.cover import Cover
from grek.envs.rendering.scenery import GroundView, Scenery
from grek.envs.rendering.shadow import Shadow, reflect
from grek.envs.rendering.stage import VISIBLE, Array, Stage
from grek.errors import InputError

EXTENT = 0.85  # `mjModel.stat.extent` of a robot at scale 1 [m]
FOLLOW = 0.35  # time constant of the camera's target [s]
TURN = 1.6  # time constant of the camera's azimuth [s]
PRESS = 0.2  # interval at which the ground is read for new prints [s]


@dataclass(frozen=True)
class Camera:
    """Place of a camera that follows a robot; raises InputError for values out of range."""

    name: str = "own"
    azimuth: float = 150.0
    """Viewing direction relative to the heading: 0 from behind, 90 from the right [deg]."""
    elevation: float = -12.0
    """Viewing direction above the horizontal, in [-90, 0] [deg]."""
    distance: float = 1.95
    """From the target, at scale 1 [m]."""
    height: float = 0.33
    """Of the target above the ground, at scale 1 [m]."""
    turns: bool = True
    """Turn with the robot; otherwise `azimuth` is relative to the x axis of the world."""

    def __post_init__(self) -> None:
        if not math.isfinite(self.azimuth):
            raise InputError(f"camera azimuth {self.azimuth} is not finite")
        if not -90 <= self.elevation <= 0:
            raise InputError(f"camera elevation {self.elevation} is not in [-90, 0] degrees")
        if not 0.3 <= self.distance <= 50:
            raise InputError(f"camera distance {self.distance} is not in [0.3, 50] m")
        if not 0 <= self.height <= 10:
            raise InputError(f"camera height {self.height} is not in [0, 10] m")


CAMERAS = Registry(
    "camera",
    Camera("front"),
    Camera("side", 90.0, -8.0),
    Camera("back", 20.0, -14.0),
    Camera("top", 0.0, -89.0, 2.6),
    Camera("far", 150.0, -18.0, 5.0),
    Camera("world", 150.0, turns=False),
)


class Picture:
    """Renderer of a robot on `ground` to images of `size` (width, height) [px].

    The robot is that of `spec`, which is modified; the camera follows its body `base`. Geoms in
    group 2 are drawn, or all geoms if that group is empty. Raises InputError for an invalid look;
    the first image raises it, on one line, if OpenGL does not work here.
    """

    def __init__(
        self,
        ground: GroundView,
        spec: mujoco.MjSpec,
        base: str,
        size: tuple[int, int],
        camera: Camera | None = None,
    ) -> None:
        self._place = camera or CAMERAS["front"]
        self._scale = spec.compile().stat.extent / EXTENT
        if not any(geom.group == VISIBLE for geom in spec.geoms):
            for geom in spec.geoms:
                geom.group = VISIBLE
        _light(spec, size)
        stage = Stage(spec)
        stage.add_texture("sky", textures.sky(), skybox=True)
        self._scenery = Scenery(stage, ground, self._scale)
        self._cover = Cover(stage, self._scenery)
        self._shadow = Shadow(stage, self._scenery, self._cover.thickness, self._scale)
        stage.compile()
        self._model = model = stage.model
        model.stat.extent = 1.0  # the unit of near and far in visual.map
        # MuJoCo draws translucent geoms in the order of distance minus bounding radius.
        layers = [patch.name for patch in reversed(self._scenery.patches)] + ["shadow"]
        for i, name in enumerate(layers):
            model.geom_rbound[model.geom(name).id] = 1000 + i
        self._data = mujoco.MjData(model)
        self._base = model.body(base).id
        self._camera = mujoco.MjvCamera()
        self._camera.distance = self._place.distance * self._scale
        self._camera.elevation = self._place.elevation
        self._stage, self._size = stage, size
        self._canvas: Canvas | None = None  # made with the first image, when the ground is laid
        self._since = math.inf  # time since the ground was read for prints [s]

    def draw(self, qpos: Array, elapsed: float) -> NDArray[np.uint8]:
        """Image (height, width, 3) of the robot at `qpos` (nq,), `elapsed` [s] after the last."""
        data, scenery = self._data, self._scenery
        data.qpos[:] = qpos
        mujoco.mj_kinematics(self._model, data)
        mujoco.mj_camlight(self._model, data)
        base = data.xpos[self._base, :2].copy()
        first, self._since = math.isinf(self._since), self._since + elapsed
        if look := self._since > PRESS - 1e-6:
            self._since = 0.0
        if scenery.follow(base, look):
            self._cover.lay()
        ground, normal = scenery.tangent(base)
        self._shadow.cast(data, base, ground)
        self._aim(data, ground, math.inf if first else elapsed)
        if self._canvas is None:
            self._canvas = Canvas(self._stage, self._size)
        scene = self._canvas.scene(data, self._camera)
        if scenery.patches[0].glossy:
            reflect(scene, set(self._shadow.parts.tolist()), np.array([*base, ground]), normal)
        return self._canvas.draw()

    def restart(self, ground: GroundView) -> None:
        """Begin again on `ground`, whose materials have the same `scenery.form`."""
        self._since = math.inf
        self._scenery.enter(ground)

    def refresh(self, jump: bool = False) -> None:
        """Read the ground anew, which has changed to one of the same `scenery.form`.

        With `jump` the camera jumps to the robot.
        """
        self._since = math.inf if jump else self._since
        self._scenery.enter(self._scenery.ground)

    def close(self) -> None:
        """Free the GL context."""
        if self._canvas is not None:
            self._canvas.close()

    def _aim(self, data: mujoco.MjData, ground: float, elapsed: float) -> None:
        """Let the camera follow the robot smoothly, or jump to it for `elapsed` = inf."""
        x, y, _ = data.xpos[self._base]
        aim = np.array([x, y, ground + self._place.height * self._scale])
        azimuth = self._place.azimuth
        if self._place.turns:
            forward = data.xmat[self._base].reshape(3, 3)[:2, 0]
            azimuth += np.degrees(np.arctan2(forward[1], forward[0]))
        self._camera.lookat[:] += (aim - self._camera.lookat) * -math.expm1(-elapsed / FOLLOW)
        turn = (azimuth - self._camera.azimuth + 180) % 360 - 180
        self._camera.azimuth += turn * -math.expm1(-elapsed / TURN)


def _light(spec: mujoco.MjSpec, size: tuple[int, int]) -> None:
    """Set sunlight, skylight and render quality for frames of `size` (width, height) [px]."""
    visual = spec.visual
    visual.global_.offwidth, visual.global_.offheight = size
    visual.global_.fovy = 36
    visual.quality.offsamples = visual.quality.shadowsize = 0
    visual.quality.numslices, visual.quality.numstacks = 30, 20
    visual.map.znear, visual.map.zfar = 0.05, 150
    head = visual.headlight
    head.ambient, head.diffuse, head.specular = [0.42, 0.44, 0.48], [0.2] * 3, [0] * 3
    for towards, diffuse, specular in (
        (SUN, [0.62, 0.59, 0.53], 0.5),
        (np.array([0.6, 0.5, 0.3]), [0.06, 0.07, 0.09], 0.1),
    ):
        light = spec.worldbody.add_light(dir=-towards, pos=4 * towards, castshadow=False)
        light.type = mujoco.mjtLightType.mjLIGHT_DIRECTIONAL
        light.diffuse, light.specular, light.ambient = diffuse, [specular] * 3, [0, 0, 0]
