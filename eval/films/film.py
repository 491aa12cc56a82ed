"""Films of a rollout: robot and ground with their visual models, as video or animated image.

Frames are drawn 1.5 times larger and scaled down by ffmpeg, which on a software renderer is cheaper
than multisampling.
"""

from contextlib import ExitStack
from pathlib import Path
from typing import Any

import imageio_ffmpeg  # type: ignore[import-untyped]
import mujoco
from imageio_ffmpeg import count_frames_and_secs, write_frames
from PIL import Image, ImageDraw, ImageFont

from grek import files
from grek.envs.rendering.canvas import check_rendering
from grek.envs.rendering.picture import Picture
from grek.envs.rendering.scenery import GroundView
from grek.envs.vectors import Array
from grek.errors import InputError

FPS = (25, 50)  # frame rates [1/s] with a whole number of control steps per frame
FORMATS = {  # encoder, pixel format and settings of ffmpeg by suffix
    ".mp4": ("libx264", "yuv420p", "-crf 18 -preset veryfast -movflags +faststart"),
    ".webp": ("libwebp_anim", "yuv420p", "-quality 55 -compression_level 5 -loop 0"),
    ".gif": ("gif", "rgb8", "-loop 0"),
}
SCALE = 1.5  # size of a drawn frame over that of the film


def check_filming() -> None:
    """Raise InputError, on one line, if OpenGL or ffmpeg does not work here."""
    check_rendering()
    try:
        imageio_ffmpeg.get_ffmpeg_exe()
    except RuntimeError as error:
        raise InputError(f"films need ffmpeg: {str(error).partition(chr(10))[0]}") from error


class Film:
    """Video or animated image; a context manager to which `add` appends a frame.

    Shows the robot of `spec`, which is modified, from a camera that follows the body `base`. Geoms
    in group 2 are drawn, or all geoms if that group is empty. `size` is (width, height) [px]. The
    file is written to a temporary file and renamed when it is complete; after an exception, or
    without a frame, no file is left.

    Raises InputError for a suffix not in FORMATS, a rate not in FPS, a size that is odd or below
    64, an invalid look, or if `check_filming` raises it.
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
        check_filming()
        self._size = round(size[0] * SCALE), round(size[1] * SCALE)  # of the drawing
        self._fps = fps
        self._frames = 0
        self._picture = Picture(ground, spec, base, self._size)
        self._font = ImageFont.load_default(0.026 * self._size[1])
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
        frame = Image.fromarray(self._picture.draw(qpos, 1 / self._fps))
        self._write(frame, caption)
        self._writer.send(frame.tobytes())
        self._frames += 1

    def refresh(self, restart: bool = False) -> None:
        """Read the ground anew, which has changed; with `restart` the camera jumps to the robot.

        The names of the materials must be the same.
        """
        self._picture.refresh(restart)

    def __enter__(self) -> "Film":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, *_: object
    ) -> None:
        self._picture.close()
        self._writer.close()
        with self._written:
            if error is not None:
                raise error
            if _frames(self._part) < max(self._frames, 1):  # ffmpeg says nothing of a full disk
                raise InputError(
                    f"cannot write {self.path}: the film is cut off; is the disk full?"
                )

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
