"""Films of a rollout: robot and ground with their visual models, as video or animated image.

A film renders a model of its own; the simulation gives it joint positions and a `GroundView`.
Frames are drawn 1.5 times larger and scaled down by ffmpeg, which on a software renderer is cheaper
than multisampling.
"""

from contextlib import ExitStack
from pathlib import Path
from typing import Any

import mujoco
import numpy as np
from imageio_ffmpeg import count_frames_and_secs, write_frames  # type: ignore[import-untyped]
from PIL import Image, ImageDraw, ImageFont

from grek import files
from grek.assets.textures import SUN
from grek.errors import InputError
from grek.eval.films import textures
from grek.eval.films.canvas import Canvas, check_rendering
from grek.eval.films.cover import Cover
from grek.eval.films.scenery import GroundView, Scenery
from grek.eval.films.shadow import Shadow, reflect
from grek.eval.films.stage import VISIBLE, Array, Stage

FPS = (25, 50)  # frame rates [1/s] with a whole number of control steps per frame
FORMATS = {  # encoder, pixel format and settings of ffmpeg by suffix
    ".mp4": ("libx264", "yuv420p", "-crf 18 -preset veryfast -movflags +faststart"),
    ".webp": ("libwebp_anim", "yuv420p", "-quality 55 -compression_level 5 -loop 0"),
    ".gif": ("gif", "rgb8", "-loop 0"),
}
SCALE = 1.5  # size of a drawn frame over that of the film
EXTENT = 0.85  # `mjModel.stat.extent` of a robot at scale 1 [m]
VIEW = 150.0  # azimuth of the camera relative to the heading: oblique from the front [deg]
ELEVATION = -12.0  # [deg]
DISTANCE = 1.95  # of the camera at scale 1 [m]
LOOK_AT = 0.33  # height of the camera's target above the ground at scale 1 [m]
FOLLOW = 0.35  # time constant of the camera's target [s]
TURN = 1.6  # time constant of the camera's azimuth [s]
PRESS = 0.2  # interval at which the ground is read for new prints [s]


class Film:
    """Video or animated image; a context manager to which `add` appends a frame.

    Shows the robot of `spec`, which is modified, from a camera that follows the body `base`. Geoms
    in group 2 are drawn, or all geoms if that group is empty. `size` is (width, height) [px]. The
    file is written to a temporary file and renamed when it is complete; after an exception, or
    without a frame, no file is left.

    Raises InputError for a suffix not in FORMATS, a rate not in FPS, a size that is odd or below
    64, an invalid look, or if `check_rendering` raises it.
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
        # MuJoCo draws translucent geoms in the order of distance minus bounding radius.
        layers = [patch.name for patch in reversed(self._scenery.patches)] + ["shadow"]
        for i, name in enumerate(layers):
            model.geom_rbound[model.geom(name).id] = 1000 + i
        self._data = mujoco.MjData(model)
        self._base = model.body(base).id
        self._camera = mujoco.MjvCamera()
        self._camera.distance, self._camera.elevation = DISTANCE * self._scale, ELEVATION
        self._font = ImageFont.load_default(0.026 * self._size[1])
        self._canvas = Canvas(stage, self._size)
        self._written = ExitStack()
        self._part = self._written.enter_context(files.written(self.path))
        codec, pixels, settings = FORMATS[self.path.suffix]
        self._writer = write_frames(
            str(self._part),
            self._size,
            fps=fps,
            codec=codec,
            pix_fmt_out=pixels,
            macro_block_size=1,
            output_params=["-vf", f"scale={size[0]}:{size[1]}:flags=area", *settings.split()],
        )
        self._writer.send(None)  # starts ffmpeg

    def add(self, qpos: Array, caption: str) -> None:
        """Add a frame with the robot at `qpos` (nq,) of its model, and `caption`."""
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
        if scenery.patches[0].glossy:
            reflect(scene, set(self._shadow.parts.tolist()), np.array([*base, ground]), normal)
        frame = Image.fromarray(self._canvas.draw())
        self._write(frame, caption)
        self._writer.send(frame.tobytes())
        self._frames += 1

    def __enter__(self) -> "Film":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, *_: object
    ) -> None:
        self._canvas.close()
        self._writer.close()
        with self._written:
            if error is not None:
                raise error
            if _frames(self._part) < max(self._frames, 1):  # ffmpeg says nothing of a full disk
                raise InputError(
                    f"cannot write {self.path}: the film is cut off; is the disk full?"
                )

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
        """Draw the caption into the bottom left corner."""
        draw = ImageDraw.Draw(frame, "RGBA")
        edge = round(0.03 * self._size[1])
        place = (edge, self._size[1] - edge)
        style: dict[str, Any] = {"font": self._font, "anchor": "ld", "spacing": edge // 3}
        left, top, right, bottom = draw.multiline_textbbox(place, caption, **style)
        pad = edge // 2
        box = (left - pad, top - pad, right + pad, bottom + pad)
        draw.rounded_rectangle(box, pad, fill=(16, 20, 24, 150))
        draw.multiline_text(place, caption, (255, 255, 255), **style)


def _frames(path: Path) -> int:
    """Number of frames in the film at `path` that can be decoded; 0 for a file that is damaged."""
    try:
        if path.suffix == ".mp4":
            return int(count_frames_and_secs(str(path))[0])
        with Image.open(path) as film:
            for frame in range(count := getattr(film, "n_frames", 1)):
                film.seek(frame)
            film.load()
            return count
    except (OSError, RuntimeError, SyntaxError, ValueError):
        return 0


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
