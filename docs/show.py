"""Write docs/stage.webp: moments of one script on several grounds, by a policy of skills.

Run as `python docs/show.py [POLICY]`; three minutes where OpenGL is software.
"""

import sys
import tempfile
from pathlib import Path

import imageio.v3 as iio
from PIL import Image

from grek.eval.films import filming
from grek.eval.scores import policies

SCRIPT = "stand 1s; jump 0.08; walk 0.4 3s; sit 4s; stand 1s; dance bow"
MOMENTS = (  # [s]
    *(1.76, 2.0),  # the crouch of the jump, and its flight
    *(5.68, 6.0),  # walks from 3.5 s on
    *(8.6, 10.4),  # sits down once it has halted, is seated
    *(12.4, 17.12),  # stands up, and bows
)
MATERIALS = ("dry_concrete", "sand", "wet_concrete")
OUT = Path(__file__).with_name("stage.webp")
FPS, FILM = 25, (320, 240)  # [1/s], [pixels]
CROP = (56, 12, 264, 236)  # left, top, right, bottom: around the droid
QUALITY = 80


def strip(policy: policies.Policy, material: str, directory: Path) -> list[Image.Image]:
    """Pictures of MOMENTS on `material`; exits if the droid fell before the last."""
    path = directory / f"{material}.mp4"
    world = filming.scripted(policy, filming.world(None, material), SCRIPT)
    print(filming.film(policy, world, MOMENTS[-1] + 0.1, FPS, path, size=FILM))
    frames = iio.imread(path)
    if len(frames) <= round(MOMENTS[-1] * FPS):
        sys.exit(f"the droid fell on {material}")
    return [Image.fromarray(frames[round(time * FPS)]).crop(CROP) for time in MOMENTS]


def main(name: str = "grek") -> None:
    """Film every material and put the pictures side by side, one material a row."""
    policy = policies.load(name)
    with tempfile.TemporaryDirectory() as directory:
        rows = [strip(policy, material, Path(directory)) for material in MATERIALS]
    width, height = rows[0][0].size
    sheet = Image.new("RGB", (len(MOMENTS) * width, len(rows) * height))
    for k, pictures in enumerate(rows):
        for i, picture in enumerate(pictures):
            sheet.paste(picture, (i * width, k * height))
    sheet.save(OUT, quality=QUALITY, method=6)
    print(f"{OUT}: {sheet.width} x {sheet.height}, {OUT.stat().st_size / 1e3:.0f} kB")


if __name__ == "__main__":
    main(*sys.argv[1:])
