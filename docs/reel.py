"""Write docs/walk.webp: the shipped policy on six grounds, tiled 3 x 2. Run by `make gif`.

Every tile is the film that `grek render walk --material NAME` makes, at a smaller size. The loop
lasts a whole number of gait cycles, so that the droid's pose at its end joins that at its start.
"""

import sys
import tempfile
from pathlib import Path

import imageio.v3 as iio
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from grek.envs.ground import materials
from grek.envs.motions.gait import Gait, period
from grek.eval.films import filming
from grek.eval.scores import policies

MATERIALS = ("sand", "gravel", "wet_concrete", "snow", "wet_leaves", "carpet")
COLUMNS = 3
OUT = Path(__file__).with_name("walk.webp")
FPS, STRIDE = 25, 2  # of the films [1/s]; every second frame is kept: 12.5 frames a second
START = 1.6  # the droid starts from standing: by then it walks [s]
CYCLES = 7
FILM = (384, 288)  # [pixels]
CROP = (52, 40, 336, 242)  # left, top, right, bottom: without the caption, around the droid
QUALITY = 64
LARGEST = 3_000_000  # [bytes]


def tile(name: str, directory: Path, frames: int) -> list[Image.Image]:
    """Film `name` and return `frames` labelled, cropped pictures; exits if the droid fell."""
    path = directory / f"{name}.mp4"
    seconds = START + (frames + 1) * STRIDE / FPS
    policy, world = policies.load("walk"), filming.world(None, name)
    print(filming.film(policy, world, seconds, FPS, path, size=FILM))
    first = round(START * FPS)
    shown = iio.imread(path)[first : first + frames * STRIDE : STRIDE]
    if len(shown) < frames:
        sys.exit(f"the droid fell on {name}: the reel needs {frames} frames, got {len(shown)}")
    return [labelled(Image.fromarray(frame).crop(CROP), name) for frame in shown]


def labelled(picture: Image.Image, name: str) -> Image.Image:
    """Put the title of the material into the bottom left corner of `picture`."""
    draw = ImageDraw.Draw(picture, "RGBA")
    font, title = ImageFont.load_default(15), materials.material(name).title
    at = (10, picture.height - 9)
    left, top, right, bottom = draw.textbbox(at, title, font, anchor="ls")
    draw.rounded_rectangle((left - 5, top - 4, right + 5, bottom + 4), 4, fill=(16, 20, 24, 150))
    draw.text(at, title, (255, 255, 255), font, anchor="ls")
    return picture


def main() -> None:
    """Film every material, tile the films, write the animation; exits if it is too large."""
    command = filming.world(None, MATERIALS[0]).commands[0]
    cycle = float(period(Gait(), np.array([[*command.velocity, command.yaw_rate]]))[0])  # [s]
    frames = round(CYCLES * cycle * FPS / STRIDE)
    with tempfile.TemporaryDirectory() as directory:
        tiles = [tile(name, Path(directory), frames) for name in MATERIALS]
    width, height = tiles[0][0].size
    rows = -(-len(tiles) // COLUMNS)
    sheets = []
    for pictures in zip(*tiles, strict=True):
        sheet = Image.new("RGB", (COLUMNS * width, rows * height))
        for i, picture in enumerate(pictures):
            sheet.paste(picture, (i % COLUMNS * width, i // COLUMNS * height))
        sheets.append(sheet)
    sheets[0].save(
        OUT,
        save_all=True,
        append_images=sheets[1:],
        duration=round(1000 * STRIDE / FPS),
        loop=0,
        quality=QUALITY,
        method=6,
    )
    size = OUT.stat().st_size
    print(f"{OUT}: {frames} frames of {sheets[0].width} x {sheets[0].height}, {size / 1e6:.2f} MB")
    if size > LARGEST:
        sys.exit(f"{OUT} is larger than {LARGEST / 1e6:g} MB; lower QUALITY or CYCLES")


if __name__ == "__main__":
    main()
