"""Procedural ground textures and sky, and the script that writes them as images.

A painter returns colour (N, N, 3) and gloss (N, N), the mirrored share of light in [0, 1], of a
seamless (periodic) square. Small relief is rendered as shading for sunlight from SUN, so that
stones, ripples and joints need no geometry.

    python -m grek.assets.textures.paint
"""

from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray
from PIL import Image as Picture

from grek.assets.textures import HAZE, LEAVES, SIZE, SUN, TEXEL
from grek.assets.textures import TEXELS as N

Image = NDArray[np.floating]
Painter = Callable[[np.random.Generator, Image], tuple[Image, Image | float]]

QUALITY = 80  # of the WebP files, 0 to 100
SMOOTH = {"ice", "mud", "snow", "tile", "wood"}  # at higher quality, to hide seams
SKY = 256  # texels along a side of the sky's cube


def bake(folder: Path) -> None:
    """Write all textures and the sky into `folder` as WebP files."""
    for name in PAINTED:
        quality = 95 if name in SMOOTH else QUALITY
        Picture.fromarray(paint(name)).save(folder / f"{name}.webp", quality=quality, method=6)
    Picture.fromarray(paint_sky()).save(folder / "sky.webp", quality=95, method=6)


def paint(name: str) -> NDArray[np.uint8]:
    """Texture `name` (N, N, 4): RGB and alpha = 255 (1 - gloss); deterministic."""
    painter, rgb = PAINTED[name]
    colour, gloss = painter(np.random.default_rng(7), f32(rgb))
    opacity = 1 - np.broadcast_to(f32(gloss), (N, N))
    return (np.clip(np.dstack([colour, opacity]), 0, 1) * 255 + 0.5).astype(np.uint8)


# -- tools -----------------------------------------------------------------------------------


def f32(x: ArrayLike) -> Image:
    """`x` in single precision."""
    return np.asarray(x, np.float32)


def noise(rng: np.random.Generator, along: float, across: float | None = None) -> Image:
    """Gaussian noise (N, N), mean 0, deviation 1, correlation length `along` x, `across` y [m]."""
    across = along if across is None else across
    kx = 2 * np.pi * np.fft.rfftfreq(N, TEXEL)
    ky = 2 * np.pi * np.fft.fftfreq(N, TEXEL)[:, None]
    spectrum = np.fft.rfft2(rng.standard_normal((N, N), np.float32))
    spectrum *= np.exp(-((kx * along) ** 2 + (ky * across) ** 2) / 4)
    spectrum[0, 0] = 0
    field = np.fft.irfft2(spectrum, (N, N))
    return (field / field.std()).astype(np.float32)


def clouds(rng: np.random.Generator, length: float, octaves: int = 5) -> Image:
    """Fractal noise of deviation 1: octaves from `length` [m] down, each of half the amplitude."""
    field = sum(noise(rng, length / 2**i) / 2**i for i in range(octaves))
    return f32(field / np.std(field))


def cells(rng: np.random.Generator, count: int) -> tuple[Image, Image, NDArray[np.int32]]:
    """Cellular noise of `count` x `count` cells (Worley 1996, A cellular texture basis function).

    Returns distance to the nearest and second nearest centre, in cell sides, and the nearest
    cell's index, each (N, N).
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
    """Diffuse shading (N, N) of a relief of `height` (N, N) [m]; 1 on level ground."""
    gx = (np.roll(height, -1, 1) - np.roll(height, 1, 1)) / (2 * TEXEL)
    gy = (np.roll(height, -1, 0) - np.roll(height, 1, 0)) / (2 * TEXEL)
    light = (SUN[2] - gx * SUN[0] - gy * SUN[1]) / np.sqrt(1 + gx**2 + gy**2) / SUN[2]
    return f32(0.45 + 0.55 * np.maximum(light, 0))  # 45 % ambient light


def ramp(x: Image, low: float, high: float) -> Image:
    """Smoothstep from 0 at `low` to 1 at `high`; falling if low > high."""
    t = np.clip((x - low) / (high - low), 0, 1)
    return f32(t * t * (3 - 2 * t))


def mix(a: Image, b: ArrayLike, share: ArrayLike) -> Image:
    """Linear blend from colour `a` (..., 3) at `share` (...) 0 to `b` at 1."""
    t = f32(share)[..., None]
    return a * (1 - t) + f32(b) * t


def grid(period: int) -> tuple[Image, NDArray[np.int64]]:
    """Position in [0, 1) within a period of `period` texels, and the period's index (N,)."""
    at = np.arange(N)
    return f32((at % period + 0.5) / period), at // period


# -- the ground ------------------------------------------------------------------------------


def _plain(rng: np.random.Generator, rgb: Image) -> tuple[Image, Image | float]:
    tone = 1 + 0.05 * clouds(rng, 0.6)
    light = sunlit(0.0006 * noise(rng, 0.004) + 0.002 * noise(rng, 0.05))
    return rgb * (tone * light)[..., None], 0.0


def _speckle(rng: np.random.Generator, rgb: Image) -> tuple[Image, Image | float]:
    specks = sum(
        tone * ramp(noise(rng, length), 1.2, 1.6)
        for length, tone in ((0.004, -0.35), (0.004, 0.3), (0.008, -0.3), (0.008, 0.25))
    )
    light = sunlit(0.0004 * noise(rng, 0.004))
    return rgb * ((1 + 0.05 * clouds(rng, 0.6) + specks) * light)[..., None], 0.0


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
    for count, size in ((150, 0.011), (95, 0.018), (60, 0.026)):  # from small to large
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
    at, _ = grid(N // 4)  # medallions of 0.64 m in knots of 10 mm
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
    colours = f32(LEAVES)
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
    # Interlocking mats of 0.64 m in two alternating colours, with round studs.
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


PAINTED: dict[str, tuple[Painter, tuple[float, float, float]]] = {
    "dry_concrete": (_concrete, (0.62, 0.62, 0.60)),
    "wet_concrete": (_concrete, (0.55, 0.557, 0.551)),  # the film is rendered apart
    "sand": (_sand, (0.82, 0.71, 0.50)),
    "gravel": (_gravel, (0.52, 0.49, 0.45)),
    "carpet": (_carpet, (0.47, 0.24, 0.27)),
    "ice": (_ice, (0.80, 0.89, 0.94)),
    "snow": (_snow, (0.95, 0.96, 0.98)),
    "mud": (_mud, (0.33, 0.25, 0.18)),
    "grass": (_grass, (0.29, 0.47, 0.19)),
    "wet_leaves": (_leaves, (0.48, 0.31, 0.13)),
    "wood": (_planks, (0.60, 0.43, 0.27)),
    "tile": (_tiles, (0.84, 0.83, 0.79)),
    "rubber": (_rubber, (0.17, 0.18, 0.19)),
    "plain": (_plain, (0.5, 0.5, 0.5)),
    "speckle": (_speckle, (0.5, 0.5, 0.5)),
}
"""Painter and base colour of each texture."""


# -- the sky ---------------------------------------------------------------------------------

# Forward, right and up vectors of the cube's faces, in MuJoCo's order.
_FACES = (
    ((1, 0, 0), (0, 1, 0), (0, 0, 1)),
    ((-1, 0, 0), (0, -1, 0), (0, 0, 1)),
    ((0, 0, 1), (1, 0, 0), (0, 1, 0)),
    ((0, 0, -1), (1, 0, 0), (0, -1, 0)),
    ((0, -1, 0), (1, 0, 0), (0, 0, 1)),
    ((0, 1, 0), (-1, 0, 0), (0, 0, 1)),
)


def paint_sky() -> NDArray[np.uint8]:
    """Cube map of the sky (6 SKY, SKY, 3): blue above, haze and hills at the horizon, clouds.

    The lower half mirrors the upper one, so that transparent ground appears to reflect the sky.
    """
    at = f32((np.arange(SKY) + 0.5) / SKY * 2 - 1)
    u, v = np.meshgrid(at, -at)
    image = np.concatenate(
        [_towards(f32(f) + u[..., None] * r + v[..., None] * np.array(t)) for f, r, t in _FACES]
    )
    return (np.clip(image, 0, 1) * 255).astype(np.uint8)


def _towards(direction: NDArray) -> Image:
    """Colour (..., 3) of the sky towards `direction` (..., 3)."""
    d = f32(direction / np.linalg.norm(direction, axis=-1, keepdims=True))
    d[..., 2] = np.abs(d[..., 2])
    up = d[..., 2]
    haze, blue, white = f32(HAZE), f32((0.30, 0.52, 0.82)), f32((1, 1, 1))
    colour = haze + (blue - haze) * ((1 - np.exp(-4.0 * up))[..., None])
    # Clouds lie on a horizontal plane.
    flat = d[..., :2] / (up + 0.12)[..., None]
    cover = ramp(_waves(flat, 12, 1.3, 3) + 0.5 * _waves(flat, 12, 4.0, 4), 0.35, 1.5)
    colour += (white - colour) * (0.75 * cover * ramp(up, 0.03, 0.25))[..., None]
    glow = np.clip(d @ f32(SUN), 0, 1)
    colour += 0.25 * (glow**24)[..., None] * (white - colour)
    heading = np.stack([d[..., 0], d[..., 1]], -1) / np.hypot(d[..., 0], d[..., 1])[..., None]
    for height, tint, seed in ((0.11, 0.2, 5), (0.06, 0.35, 6)):
        ridge = height * (0.55 + 0.25 * _waves(heading, 10, 3.0 + seed / 2, seed))
        hill = ramp(ridge - up, -0.004, 0.004) * ramp(up, 0.0, 0.04)
        colour += (f32((0.36, 0.48, 0.58)) - colour) * (tint * hill)[..., None]
    return f32(colour)


def _waves(x: NDArray, count: int, scale: float, seed: int) -> NDArray:
    """Sum of `count` random plane waves at x (..., 2), of standard deviation 1."""
    rng = np.random.default_rng(seed)
    vectors = scale * rng.standard_normal((count, 2))
    angle = x @ f32(vectors.T) + f32(rng.uniform(0, 2 * np.pi, count))
    return np.sqrt(2 / count) * np.cos(angle).sum(-1)


if __name__ == "__main__":
    bake(Path(__file__).parent)
