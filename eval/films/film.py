"""Films of a rollout: the robot in its looks on the ground in its looks, as a video or a picture.

A film draws a model of its own and takes nothing from the simulation but positions and a
`GroundView`. Frames are drawn 1.5 times larger and scaled down by ffmpeg: on a software renderer
this smooths edges for less than multisampling costs.
"""

from pathlib import Path
from types import TracebackType
from typing import Any

import imageio
import mujoco
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from grek.assets.textures import SUN
from grek.errors import InputError
from grek.eval.films import textures
from grek.eval.films.canvas import Canvas, check_rendering
from grek.eval.films.cover import Cover
from grek.eval.films.scenery import GroundView, Scenery
from grek.eval.films.shadow import Shadow, reflect
from grek.eval.films.stage import VISIBLE, Array, Stage

FPS = (25, 50)  # whole numbers of control steps: film time is simulated time
FORMATS: dict[str, dict[str, Any]] = {  # encoder, pixel format and settings of ffmpeg by suffix
    ".mp4": {
        "codec": "libx264",
        "pixelformat": "yuv420p",
        "output_params": ["-crf", "18", "-preset", "veryfast", "-movflags", "+faststart"],
    },
    ".webp": {
        "codec": "libwebp_anim",
        "pixelformat": "yuv420p",
        "output_params": ["-quality", "55", "-compression_level", "5", "-loop", "0"],
    },
    ".gif": {"codec": "gif", "pixelformat": "rgb8", "output_params": ["-loop", "0"]},
}
SCALE = 1.5  # of the drawing over the film
EXTENT = 0.85  # of a robot at scale 1, as MuJoCo measures it [m]
VIEW = 150.0  # azimuth of the camera behind the robot's heading: three-quarters from the front [deg]
ELEVATION = -12.0  # [deg]
DISTANCE = 1.95  # of the camera at scale 1 [m]
LOOK_AT = 0.33  # height over the ground at scale 1 [m]
FOLLOW = 0.35  # time constants of the camera's position [s]
TURN = 1.6  # ... and of its heading [s]
PRESS = 0.2  # interval at which the ground is read for new prints [s]


class Film:
    """A video or animated picture that grows by a frame with each `add`; a context manager.

    It shows the robot of `spec`, which it changes, from a camera that follows the body `base`.
    Drawn are the geoms in group 2, or all of them where that group is empty. The file is written
    beside `path` and renamed when it is complete; an exception leaves nothing.

    Raises InputError for a suffix other than FORMATS, a rate other than FPS, an odd size, a look
    that cannot be drawn, or where `check_rendering` does.
    """

    def __init__(
        self,
        path: str | Path,
        ground: GroundView,
        spec: mujoco.MjSpec,
        base: str,
        fps: int = 25,
        size: tuple[int, int] = (1280, 720),
    ) -> None:
        self.path = Path(path)
        if fps not in FPS:
            raise InputError(f"fps {fps} is not one of {', '.join(map(str, FPS))}")
        if min(size) < 64 or any(n % 2 for n in size):
            raise InputError(f"film size {size[0]}x{size[1]} is not even and at least 64")
        if self.path.suffix not in FORMATS:
            raise InputError(f"film {self.path.name!r} does not end in {', '.join(FORMATS)}")
        check_rendering()
        self._size = round(size[0] * SCALE), round(size[1] * SCALE)  # of the drawing
        self._fps = fps
        self._frames = 0
        self._scale = spec.compile().stat.extent / EXTENT
        if not any(geom.group == VISIBLE for geom in spec.geoms):
            for geom in spec.geoms:
                geom.group = VISIBLE
        _light(spec, self._size)
        stage = Stage(spec)
        stage.add_texture("sky", textures.sky(), skybox=True)
        self._scenery = Scenery(stage, ground, self._scale)
        self._cover = Cover(stage, self._scenery)
        self._shadow = Shadow(stage, self._scenery, self._cover.thickness, self._scale)
        stage.compile()
        self._model = model = stage.model
        model.stat.extent = 1.0  # the unit of near and far in visual.map
        # What is not opaque is drawn in the order of distance less bounding radius.
        layers = [patch.name for patch in reversed(self._scenery.patches)] + ["shadow"]
        for i, name in enumerate(layers):
            model.geom_rbound[model.geom(name).id] = 1000 + i
        self._data = mujoco.MjData(model)
        self._base = model.body(base).id
        self._camera = mujoco.MjvCamera()
        self._camera.distance, self._camera.elevation = DISTANCE * self._scale, ELEVATION
        self._font = ImageFont.load_default(0.026 * self._size[1])
        self._canvas: Canvas | None = Canvas(stage, self._size)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._part = self.path.with_name(f".{self.path.stem}.part{self.path.suffix}")
        encoding = FORMATS[self.path.suffix]
        scaling = ["-vf", f"scale={size[0]}:{size[1]}:flags=area"]
        self._writer = imageio.get_writer(
            self._part,
            format="FFMPEG",
            mode="I",
            fps=fps,
            macro_block_size=1,
            ffmpeg_log_level="error",
            **encoding | {"output_params": scaling + encoding["output_params"]},
        )

    def add(self, qpos: Array, caption: str) -> None:
        """Add a frame: the robot at `qpos` (nq,), in the order of its model."""
        assert self._canvas is not None, "the film is closed"
        data, scenery = self._data, self._scenery
        data.qpos[:] = qpos
        mujoco.mj_kinematics(self._model, data)
        mujoco.mj_camlight(self._model, data)
        base = data.xpos[self._base, :2].copy()
        if scenery.follow(base, self._frames % round(PRESS * self._fps) == 0):
            self._cover.lay()
        ground, normal = scenery.tangent(base)
        self._shadow.cast(data, base, ground)
        self._aim(data, ground)
        scene = self._canvas.scene(data, self._camera)
        if scenery.mirrors():
            reflect(scene, set(self._shadow.parts.tolist()), np.array([*base, ground]), normal)
        frame = Image.fromarray(self._canvas.draw())
        self._write(frame, caption)
        self._writer.append_data(np.asarray(frame))
        self._frames += 1

    def close(self) -> None:
        """Finish the file and put it at `path`; a film without frames leaves no file."""
        if self._release() and self._frames:
            self._part.replace(self.path)

    def __enter__(self) -> "Film":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is None:
            self.close()
        elif self._release():
            self._part.unlink(missing_ok=True)

    def _release(self) -> bool:
        """Stop drawing and encoding; False if that was done before."""
        if self._canvas is None:
            return False
        self._canvas.close()
        self._canvas = None
        self._writer.close()
        return True

    def _aim(self, data: mujoco.MjData, ground: float) -> None:
        """Let the camera follow the robot smoothly."""
        x, y, _ = data.xpos[self._base]
        forward = data.xmat[self._base].reshape(3, 3)[:2, 0]
        azimuth = np.degrees(np.arctan2(forward[1], forward[0])) + VIEW
        aim = np.array([x, y, ground + LOOK_AT * self._scale])
        if self._frames == 0:
            self._camera.lookat[:], self._camera.azimuth = aim, azimuth
        self._camera.lookat[:] += (aim - self._camera.lookat) / (FOLLOW * self._fps)
        turn = (azimuth - self._camera.azimuth + 180) % 360 - 180
        self._camera.azimuth += turn / (TURN * self._fps)

    def _write(self, frame: Image.Image, caption: str) -> None:
        """Put the caption into the bottom left corner."""
        draw = ImageDraw.Draw(frame, "RGBA")
        edge = round(0.03 * self._size[1])
        place = (edge, self._size[1] - edge)
        style: dict[str, Any] = {"font": self._font, "anchor": "ld", "spacing": edge // 3}
        left, top, right, bottom = draw.multiline_textbbox(place, caption, **style)
        pad = edge // 2
        box = (left - pad, top - pad, right + pad, bottom + pad)
        draw.rounded_rectangle(box, pad, fill=(16, 20, 24, 150))
        draw.multiline_text(place, caption, (255, 255, 255), **style)


def _light(spec: mujoco.MjSpec, size: tuple[int, int]) -> None:
    """Set the sun, the light of the sky and the fineness of the drawing."""
    visual = spec.visual
    visual.global_.offwidth, visual.global_.offheight = size
    visual.global_.fovy = 36
    visual.quality.offsamples = 0
    visual.quality.shadowsize = 0
    visual.quality.numslices, visual.quality.numstacks = 30, 20
    visual.map.znear, visual.map.zfar = 0.05, 150
    visual.headlight.ambient = [0.42, 0.44, 0.48]
    visual.headlight.diffuse = [0.20, 0.20, 0.20]
    visual.headlight.specular = [0, 0, 0]
    for direction, diffuse, specular in (
        (-SUN, [0.62, 0.59, 0.53], [0.5, 0.5, 0.5]),
        (np.array([-0.6, -0.5, -0.3]), [0.06, 0.07, 0.09], [0.1, 0.1, 0.1]),
    ):
        spec.worldbody.add_light(
            dir=direction,
            pos=-4 * direction,
            type=mujoco.mjtLightType.mjLIGHT_DIRECTIONAL,
            castshadow=False,
            diffuse=diffuse,
            specular=specular,
            ambient=[0, 0, 0],
        )
