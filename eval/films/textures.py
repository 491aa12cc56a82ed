"""Painted materials: a periodic square of colour and gloss for each, made from noise.

A painter returns the colour (N, N, 3) and the gloss (N, N) in [0, 1], the share of light that the
surface mirrors, of a square of SIZE [m] that continues into itself. Small relief is painted as
light and shade for a sun in the direction SUN, so stones, ripples and joints look solid without
geometry. Image row is y, column is x.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from grek.envs.ground.materials import MATERIALS

Image = NDArray[np.floating]
Painter = Callable[[np.random.Generator, Image], tuple[Image, Image | float]]

N = 1024  # texels along a side
TEXEL = 0.0025  # [m]
SIZE = N * TEXEL  # [m]
SUN = np.array([0.50, 0.36, 0.79]) / np.linalg.norm([0.50, 0.36, 0.79])  # towards the sun


def paint(name: str) -> tuple[Image, Image]:
    """Colour (N, N, 3) and gloss (N, N) of the material `name`, always the same."""
    look = MATERIALS[name].look
    painter = _PAINTERS.get(name) or _PATTERNS[look.pattern]
    rgb, gloss = painter(np.random.default_rng(7), f32(look.rgb))
    return np.clip(rgb, 0, 1), np.broadcast_to(f32(gloss), (N, N))


def film_gloss(name: str) -> float:
    """Share of light that a full film of water mirrors on the material `name`."""
    return MATERIALS[name].look.film_gloss


# -- tools -----------------------------------------------------------------------------------


def f32(x: ArrayLike) -> Image:
    """`x` in single precision."""
    return np.asarray(x, np.float32)


def noise(rng: np.random.Generator, along: float, across: float | None = None) -> Image:
    """Smooth noise (N, N), mean 0 and deviation 1, of correlation length `along` x [m]."""
    across = along if across is None else across
    kx = 2 * np.pi * np.fft.rfftfreq(N, TEXEL)
    ky = 2 * np.pi * np.fft.fftfreq(N, TEXEL)[:, None]
    spectrum = np.fft.rfft2(rng.standard_normal((N, N), np.float32))
    spectrum *= np.exp(-((kx * along) ** 2 + (ky * across) ** 2) / 4)
    spectrum[0, 0] = 0
    field = np.fft.irfft2(spectrum, (N, N))
    return (field / field.std()).astype(np.float32)


def clouds(rng: np.random.Generator, length: float, octaves: int = 5) -> Image:
    """Noise on all scales below `length` [m], each half as strong as the one above."""
    field = sum(noise(rng, length / 2**i) / 2**i for i in range(octaves))
    return f32(field / np.std(field))


def cells(rng: np.random.Generator, count: int) -> tuple[Image, Image, NDArray[np.int32]]:
    """A mosaic of `count` x `count` cells: distance to the nearest and next centre, cell number.

    Distances (N, N) are in cell sides (Worley 1996, A cellular texture basis function).
    """
    centres = 0.5 + 0.9 * (rng.random((count, count, 2), np.float32) - 0.5)
    at = np.arange(N, dtype=np.float32) * count / N
    cell = at.astype(int)
    near = np.full((N, N), 9, np.float32)
    far = np.full((N, N), 9, np.float32)
    number = np.zeros((N, N), np.int32)
    for dy in (-1, 0, 1):
        for dx in (-1, 0, 1):
            iy, ix = (cell + dy)[:, None], (cell + dx)[None]
            centre = centres[iy % count, ix % count]
            distance = np.hypot(at[None] - ix - centre[..., 0], at[:, None] - iy - centre[..., 1])
            nearer = distance < near
            far = np.where(nearer, near, np.minimum(far, distance))
            near = np.where(nearer, distance, near)
            number = np.where(nearer, iy % count * count + ix % count, number)
    return near, far, number


def sunlit(height: Image) -> Image:
    """Light on a relief of `height` (N, N) [m], over the light on a level floor."""
    gx = (np.roll(height, -1, 1) - np.roll(height, 1, 1)) / (2 * TEXEL)
    gy = (np.roll(height, -1, 0) - np.roll(height, 1, 0)) / (2 * TEXEL)
    light = (SUN[2] - gx * SUN[0] - gy * SUN[1]) / np.sqrt(1 + gx**2 + gy**2) / SUN[2]
    return f32(0.45 + 0.55 * np.maximum(light, 0))  # the sky lights what the sun does not


def ramp(x: Image, low: float, high: float) -> Image:
    """0 below `low`, 1 above `high`, smooth between; falling if low > high."""
    t = np.clip((x - low) / (high - low), 0, 1)
    return f32(t * t * (3 - 2 * t))


def mix(a: Image, b: ArrayLike, share: ArrayLike) -> Image:
    """Colour `a` (..., 3) where `share` (...) is 0, `b` where it is 1."""
    t = f32(share)[..., None]
    return a * (1 - t) + f32(b) * t


def grid(period: int) -> tuple[Image, NDArray[np.int64]]:
    """Position within a period of `period` texels in [0, 1), and its number, along one side."""
    at = np.arange(N)
    return f32((at % period + 0.5) / period), at // period


# -- painters --------------------------------------------------------------------------------


def _concrete(rng: np.random.Generator, rgb: Image) -> tuple[Image, Image | float]:
    stains, grain = clouds(rng, 0.6), noise(rng, 0.004)
    pores = ramp(noise(rng, 0.006), 2.3, 2.8)
    near, far, _ = cells(rng, 3)
    crack = ramp(np.abs(far - near + 0.05 * clouds(rng, 0.3)), 0.006, 0.0) * ramp(stains, 0.2, 0.6)
    at, _ = grid(N // 2)
    groove = ramp(np.minimum(at, 1 - at) * SIZE / 2, 0.006, 0.003)
    joint = np.maximum(groove[:, None], groove)
    light = sunlit(0.0007 * grain - 0.004 * joint - 0.003 * pores)
    tone = 1 + 0.07 * stains + 0.03 * grain - 0.35 * pores - 0.45 * crack - 0.45 * joint
    return rgb * (tone * light)[..., None], 0.0


def _wet_concrete(rng: np.random.Generator, rgb: Image) -> tuple[Image, Image | float]:
    dry = f32(MATERIALS["dry_concrete"].look.rgb)
    return _concrete(rng, 0.35 * rgb + 0.65 * dry)  # the film itself comes from the wetness


def _sand(rng: np.random.Generator, rgb: Image) -> tuple[Image, Image | float]:
    x = np.arange(N, dtype=np.float32) / N
    warp = 0.9 * noise(rng, 0.35) + 0.25 * noise(rng, 0.1)
    phase = 2 * np.pi * (26 * x[None] + 7 * x[:, None]) + 2.2 * warp
    crest = 1 - np.abs(np.sin(phase / 2)) ** 0.8
    grain = rng.standard_normal((N, N), np.float32)
    light = sunlit(0.009 * crest + 0.0004 * grain + 0.004 * noise(rng, 0.12))
    tone = 1 + 0.05 * clouds(rng, 0.5) + 0.05 * grain
    dark = ramp(grain, 2.4, 2.8)
    return rgb * (tone * light * (1 - 0.35 * dark))[..., None], 0.0


def _gravel(rng: np.random.Generator, rgb: Image) -> tuple[Image, Image | float]:
    image = np.zeros((N, N, 3), np.float32) + 0.35 * rgb
    height = np.zeros((N, N), np.float32)
    for count, size in ((150, 0.011), (95, 0.018), (60, 0.026)):  # small ones below
        near, far, number = cells(rng, count)
        tone = rng.normal(1, 0.22, (count**2, 1)) + rng.normal(0, 0.05, (count**2, 3))
        stone = ramp(far - near, 0.05, 0.16) * (rng.random(count**2)[number] < 0.62)
        dome = size * np.sqrt(np.clip(1 - (near / 0.8) ** 2, 0, 1))
        image = mix(image, rgb * f32(tone)[number], stone)
        height = np.where(stone > 0.3, dome + height.mean(), height)
    speckle = 1 + 0.07 * noise(rng, 0.004)
    return image * (speckle * sunlit(0.6 * height))[..., None], 0.0


def _carpet(rng: np.random.Generator, rgb: Image) -> tuple[Image, Image | float]:
    cream, navy = f32((0.80, 0.70, 0.52)), f32((0.16, 0.17, 0.30))
    at, _ = grid(N // 4)  # one medallion is 0.64 m wide, drawn in knots of 10 mm
    knot = np.abs((np.floor(at * 64) + 0.5) / 64 - 0.5)
    x, y = knot[None], knot[:, None]
    image: Image = np.zeros((N, N, 3), np.float32) + rgb
    diamond = x + y
    for low, high, colour in ((0, 0.07, cream), (0.10, 0.16, navy), (0.19, 0.22, cream)):
        image = mix(image, colour, (diamond >= low) & (diamond < high))
    edge = np.maximum(x, y)
    image = mix(image, navy, edge > 0.43)
    image = mix(image, cream, (edge > 0.41) & (edge < 0.43))
    checks = (x * 16 % 1 < 0.4) ^ (y * 16 % 1 < 0.4)
    image = mix(image, cream, (edge > 0.45) & (edge < 0.48) & checks)
    loop, _ = grid(4)  # loops of 10 mm
    bump = np.sin(np.pi * loop)[None] * np.sin(np.pi * loop)[:, None]
    pile = 1 + 0.10 * noise(rng, 0.006) + 0.05 * noise(rng, 0.25)
    return image * (pile * (0.72 + 0.4 * bump))[..., None], 0.0


def _ice(rng: np.random.Generator, rgb: Image) -> tuple[Image, Image | float]:
    depth = clouds(rng, 0.7)
    image = mix(rgb * (1 + 0.05 * depth)[..., None], (0.45, 0.68, 0.80), ramp(depth, -0.3, 1.8))
    warp = 0.06 * clouds(rng, 0.4)
    for count, width, white in ((3, 0.010, 0.9), (7, 0.012, 0.30)):
        near, far, _ = cells(rng, count)
        gap = np.abs(far - near + warp)
        image = mix(
            image, (0.97, 0.99, 1.0), white * ramp(gap, width, 0) + 0.14 * ramp(gap, 0.12, 0)
        )
    bubbles = ramp(noise(rng, 0.006), 2.6, 3.0)
    scratches = ramp(noise(rng, 0.25, 0.0025), 2.7, 3.2) + ramp(noise(rng, 0.0025, 0.3), 2.8, 3.3)
    return mix(image, (1, 1, 1), np.clip(0.7 * bubbles + 0.5 * scratches, 0, 1)), 0.34


def _snow(rng: np.random.Generator, rgb: Image) -> tuple[Image, Image | float]:
    height = 0.022 * noise(rng, 0.25) + 0.006 * noise(rng, 0.06) + 0.0004 * noise(rng, 0.006)
    light = ramp(sunlit(height), 0.5, 1.25)
    image = mix(f32((0.55, 0.66, 0.84)), rgb, 0.25 + 0.70 * light)
    sparkle = ramp(rng.standard_normal((N, N), np.float32), 3.2, 3.4)
    return mix(image, (1, 1, 1), sparkle), 0.0


def _mud(rng: np.random.Generator, rgb: Image) -> tuple[Image, Image | float]:
    height = 0.016 * clouds(rng, 0.22, 4)
    low = ramp(height, -0.008, -0.016)
    lumps = 0.003 * np.abs(noise(rng, 0.03)) + 0.0006 * noise(rng, 0.006)
    light = sunlit(height + lumps * (1 - low))
    tone = 1 + 0.10 * clouds(rng, 0.4) - 0.25 * low
    glint = ramp(light, 1.18, 1.5) * ramp(noise(rng, 0.02), -0.2, 0.8)
    image = mix(rgb * (tone * light)[..., None], (0.72, 0.70, 0.68), 0.45 * glint)
    return image, 0.45 * low + 0.03


def _grass(rng: np.random.Generator, rgb: Image) -> tuple[Image, Image | float]:
    image = np.zeros((N, N, 3), np.float32) + 0.35 * rgb
    for angle, shade in zip(range(6), (0.6, 0.75, 0.9, 1.05, 1.2, 1.35), strict=True):
        along, across = ((0.03, 0.0025), (0.0025, 0.03), (0.014, 0.004))[angle % 3]
        blades = np.roll(noise(rng, along, across), angle * 97, angle % 2)
        colour = rgb * f32((0.85 + 0.12 * angle / 2, 1.0, 0.9)) * shade
        image = mix(image, colour, ramp(blades, 0.3, 0.9))
    image = mix(image, (0.62, 0.60, 0.30), 0.5 * ramp(noise(rng, 0.02, 0.0025), 2.2, 2.6))
    return image * (1 + 0.06 * noise(rng, 0.4))[..., None], 0.0


def _leaves(rng: np.random.Generator, rgb: Image) -> tuple[Image, Image | float]:
    image = f32((0.17, 0.14, 0.11)) * (1 + 0.15 * clouds(rng, 0.2))[..., None]
    gloss = np.full((N, N), 0.12, np.float32)
    colours = f32(LEAF_COLOURS)
    for _ in range(1500):
        size, angle = rng.uniform(15, 28), rng.uniform(0, 2 * np.pi)
        reach = int(size) + 2
        y, x = np.mgrid[-reach:reach, -reach:reach] / size
        u, v = np.cos(angle) * x + np.sin(angle) * y, np.cos(angle) * y - np.sin(angle) * x
        width = 0.55 * np.clip(1 - u**2, 0, 1) ** 0.8 * (1 - 0.3 * u) * (1 + 0.12 * np.sin(16 * u))
        inside = ramp(width - np.abs(v), 0.0, 0.05)
        rib = ramp(np.abs(v), 0.05, 0.02) + 0.4 * ramp(np.abs(np.sin(9 * (u - np.abs(v)))), 0.18, 0)
        shade = 0.9 + 0.25 * np.sin(3 * v + angle) - 0.3 * ramp(width - np.abs(v), 0.12, 0)
        colour = colours[rng.integers(len(colours))] * rng.uniform(0.75, 1.1) * shade[..., None]
        colour = mix(colour, (0.90, 0.75, 0.45), 0.35 * np.clip(rib, 0, 1))
        rows, columns = ((rng.integers(N) + np.arange(2 * reach)) % N for _ in range(2))
        at = np.ix_(rows, columns)
        under = image[at] * (1 - 0.45 * ramp(width - np.abs(v), -0.35, 0.0))[..., None]
        image[at] = mix(under, colour, inside)
        gloss[at] = np.maximum(gloss[at] * (1 - inside), inside * rng.uniform(0.02, 0.10))
    return image * (rgb / rgb.mean() * 0.35 + 0.65), gloss


def _planks(rng: np.random.Generator, rgb: Image) -> tuple[Image, Image | float]:
    rows, length = 16, N // 2  # planks of 16 cm x 1.28 m, each row shifted
    across, row = grid(N // rows)
    shift = rng.integers(0, N, rows)[row]
    x = (np.arange(N)[None] + shift[:, None]) % N
    plank = row[:, None] * 2 + x // length
    along = f32(x % length + 0.5) / length
    grain = noise(rng, 0.25, 0.004) + 0.6 * noise(rng, 0.6, 0.012)
    rings = np.sin(7 * noise(rng, 0.5, 0.035) + 3 * grain)
    tone = rng.normal(1, 0.10, 2 * rows)[plank] * (1 + 0.05 * grain + 0.05 * rings)
    hue = f32(1 + rng.normal(0, 0.03, (2 * rows, 3)))[plank]
    edge = np.minimum(
        np.minimum(across, 1 - across)[:, None] * SIZE / rows,
        np.minimum(along, 1 - along) * SIZE / 2,
    )
    gap = ramp(edge, 0.004, 0.0012)
    light = sunlit(0.003 * ramp(edge, 0.0, 0.008))
    return rgb * hue * (tone * light * (1 - 0.75 * gap))[..., None], 0.0


def _tiles(rng: np.random.Generator, rgb: Image) -> tuple[Image, Image | float]:
    count = 8  # tiles of 32 cm
    at, number = grid(N // count)
    edge = np.minimum(np.minimum(at, 1 - at)[None], np.minimum(at, 1 - at)[:, None]) * SIZE / count
    dark = (number[:, None] + number[None]) % 2
    tone = rng.normal(1, 0.03, (count, count))[number][:, number]
    veins = ramp(np.abs(clouds(rng, 0.5)), 0.10, 0.0)
    image = mix(rgb * f32(tone)[..., None], (0.33, 0.45, 0.50), 0.92 * dark)
    image = mix(image, (0.62, 0.62, 0.62), 0.35 * veins)
    grout = ramp(edge, 0.006, 0.004)
    light = sunlit(0.004 * ramp(edge, 0.002, 0.012))
    image = mix(image, (0.50, 0.48, 0.45), grout) * light[..., None]
    return image, 0.24 * (1 - grout)


def _rubber(rng: np.random.Generator, rgb: Image) -> tuple[Image, Image | float]:
    # Mats of 0.64 m that interlock like a puzzle, two colours in turn, round studs on top.
    at = np.arange(N) * TEXEL / 0.64
    tab = 0.022 * np.clip(3 * np.sin(2 * np.pi * 4 * at), -1, 1)  # in mats
    x, y = f32(at[None] + tab[:, None]), f32(at[:, None] + tab[None])
    seam = 0.64 * np.minimum(np.abs(x - np.round(x)), np.abs(y - np.round(y)))
    blue = (np.floor(x) + np.floor(y)) % 2
    image = mix(rgb, (0.14, 0.24, 0.40), blue) * (1 + 0.06 * noise(rng, 0.005))[..., None]
    pitch, _ = grid(16)
    stud = 0.04 * np.hypot(pitch[None] - 0.5, pitch[:, None] - 0.5)
    raised = ramp(stud, 0.0145, 0.0115) * ramp(seam, 0.012, 0.02)
    gap = ramp(seam, 0.006, 0.002)
    light = sunlit(0.0025 * raised - 0.004 * gap)
    tone = light * (0.9 + 0.25 * raised) * (1 - 0.7 * gap)
    return image * tone[..., None], 0.0


LEAF_COLOURS = (
    (0.72, 0.42, 0.10),
    (0.78, 0.56, 0.14),
    (0.60, 0.22, 0.09),
    (0.45, 0.26, 0.12),
    (0.34, 0.20, 0.11),
    (0.66, 0.30, 0.08),
)
_PAINTERS: dict[str, Painter] = {
    "dry_concrete": _concrete,
    "wet_concrete": _wet_concrete,
    "sand": _sand,
    "gravel": _gravel,
    "carpet": _carpet,
    "ice": _ice,
    "snow": _snow,
    "mud": _mud,
    "grass": _grass,
    "wet_leaves": _leaves,
    "wood": _planks,
    "tile": _tiles,
    "rubber": _rubber,
}
_PATTERNS: dict[str, Painter] = {
    "plain": _concrete,
    "speckle": _concrete,
    "planks": _planks,
    "tiles": _tiles,
    "weave": _carpet,
    "blades": _grass,
    "leaves": _leaves,
}
