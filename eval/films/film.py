"""Films of a rollout: the droid in its looks on the ground in its looks, as H.264 video.

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

from grek.envs.robots import robot
from grek.errors import InputError
from grek.eval.films.canvas import Canvas, check_rendering
from grek.eval.films.cover import Cover
from grek.eval.films.scenery import GroundView, Scenery
from grek.eval.films.shadow import Shadow, reflect
from grek.eval.films.sheets import Array, place_meshes
from grek.eval.films.sky import add_sky
from grek.eval.films.textures import SUN

FPS = (25, 50)  # whole numbers of control steps: film time is simulated time
SCALE = 1.5  # of the drawing over the film
VIEW = (
    150.0  # azimuth of the camera behind the droid's heading: three-quarters from the front [deg]
)
ELEVATION = -12.0  # [deg]
DISTANCE = 1.95  # [m]
LOOK_AT = 0.33  # height over the ground [m]
FOLLOW = 0.35  # time constants of the camera's position [s]
TURN = 1.6  # ... and of its heading [s]
PRESS = 0.2  # how often the ground is asked for new prints [s]


class Film:
    """An MP4 file that grows by a frame with each `add`; a context manager.

    It is written beside `path` and renamed when it is complete; an exception leaves nothing.
    Raises InputError for a name that does not end in .mp4, a rate other than FPS, an odd size, or
    where `check_rendering` does.
    """

    def __init__(
        self,
        path: str | Path,
        ground: GroundView,
        fps: int = 25,
        size: tuple[int, int] = (1280, 720),
    ) -> None:
        if fps not in FPS:
            raise InputError(f"fps {fps} is not one of {', '.join(map(str, FPS))}")
        if min(size) < 64 or any(n % 2 for n in size):
            raise InputError(f"film size {size[0]}x{size[1]} is not even and at least 64")
        self.path = Path(path)
        if self.path.suffix != ".mp4":
            raise InputError(f"film {self.path.name!r} does not end in .mp4")
        check_rendering()
        self.size = size
        self._drawn = (round(size[0] * SCALE), round(size[1] * SCALE))
        self._fps = fps
        self._frames = 0
        spec = robot.load_spec()
        _light(spec, self._drawn)
        add_sky(spec)
        self._scenery = Scenery(spec, ground)
        self._cover = Cover(spec, self._scenery)
        self._shadow = Shadow(spec, self._scenery, self._cover.thickness)
        self._model = model = spec.compile()
        model.stat.extent = 1.0
        place_meshes(model)
        self._data = mujoco.MjData(model)
        self._scenery.bind(model)
        self._shadow.bind(model)
        self._reflecting = set(self._shadow.parts.tolist())
        # What is not opaque is drawn in the order of distance less bounding radius.
        layers = [patch.name for patch in reversed(self._scenery.patches)] + ["shadow"]
        for i, name in enumerate(layers):
            model.geom_rbound[model.geom(name).id] = 1000 + i
        self._camera = mujoco.MjvCamera()
        self._camera.distance, self._camera.elevation = DISTANCE, ELEVATION
        self._canvas: Canvas | None = None
        self._font = ImageFont.load_default(0.026 * self._drawn[1])
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._part = self.path.with_name(f".{self.path.stem}.part{self.path.suffix}")
        self._writer: Any = imageio.get_writer(
            self._part,
            format="FFMPEG",
            mode="I",
            fps=fps,
            codec="libx264",
            pixelformat="yuv420p",
            macro_block_size=1,
            ffmpeg_log_level="error",
            output_params=[
                *("-vf", f"scale={size[0]}:{size[1]}:flags=area"),
                *("-crf", "18", "-preset", "veryfast", "-movflags", "+faststart"),
            ],
        )

    def add(self, qpos: Array, caption: str) -> None:
        """Add a frame: the droid at `qpos` (21,), free joint and joints as in grek.xml."""
        data, scenery = self._data, self._scenery
        data.qpos[:] = qpos
        mujoco.mj_kinematics(self._model, data)
        mujoco.mj_camlight(self._model, data)
        xy = data.qpos[:2].copy()
        meshes, textures = scenery.follow(xy, self._frames % round(PRESS * self._fps) == 0)
        if meshes:
            meshes = meshes + self._cover.lay(self._model)
        ground, normal = scenery.tangent(xy)
        self._shadow.cast(data, ground)
        self._aim(data, ground)
        if self._canvas is None:
            self._canvas = Canvas(self._model, self._drawn)  # uploads everything
        else:
            uploads = self._shadow.uploads
            self._canvas.upload(meshes + uploads[0], textures + uploads[1])
        scene = self._canvas.update(data, self._camera)
        if scenery.mirrors():
            reflect(scene, self._reflecting, np.array([*xy, ground]), normal)
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
        if self._writer is None:
            return False
        self._writer.close()
        self._writer = None
        if self._canvas is not None:
            self._canvas.close()
            self._canvas = None
        return True

    def _aim(self, data: mujoco.MjData, ground: float) -> None:
        """Let the camera follow the droid smoothly."""
        forward = data.xmat[1].reshape(3, 3)[:2, 0]
        azimuth = np.degrees(np.arctan2(forward[1], forward[0])) + VIEW
        aim = np.array([data.qpos[0], data.qpos[1], ground + LOOK_AT])
        if self._frames == 0:
            self._camera.lookat[:], self._camera.azimuth = aim, azimuth
            return
        self._camera.lookat[:] += (aim - self._camera.lookat) / (FOLLOW * self._fps)
        turn = (azimuth - self._camera.azimuth + 180) % 360 - 180
        self._camera.azimuth += turn / (TURN * self._fps)

    def _write(self, frame: Image.Image, caption: str) -> None:
        """Put the caption into the bottom left corner."""
        draw = ImageDraw.Draw(frame, "RGBA")
        edge = round(0.03 * self._drawn[1])
        low = self._drawn[1] - edge
        left, top, right, bottom = draw.multiline_textbbox(
            (edge, low), caption, self._font, anchor="ld", spacing=edge // 3
        )
        pad = edge // 2
        box = (left - pad, top - pad, right + pad, bottom + pad)
        draw.rounded_rectangle(box, pad, fill=(16, 20, 24, 150))
        draw.multiline_text(
            (edge, low), caption, (255, 255, 255), self._font, anchor="ld", spacing=edge // 3
        )


def _light(spec: mujoco.MjSpec, size: tuple[int, int]) -> None:
    """A sun, the light of the sky and how finely things are drawn."""
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
