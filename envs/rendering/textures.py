"""Textures of materials and of the sky, read from image files."""

from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray
from PIL import Image

from grek.assets import asset_path
from grek.assets.textures import TEXELS
from grek.envs.ground.materials import Look
from grek.errors import InputError

PATTERNS = {
    "plain": "plain",
    "speckle": "speckle",
    "planks": "wood",
    "tiles": "tile",
    "weave": "carpet",
    "blades": "grass",
    "leaves": "wet_leaves",
}
"""Texture file of each generic pattern; the colour of the look replaces its mean colour."""


def load(look: Look) -> NDArray[np.uint8]:
    """Texture of `look` (TEXELS, TEXELS, 4): colour, and 255 minus gloss.

    Raises InputError for an unknown pattern or an image that cannot be read.
    """
    if look.pattern not in PATTERNS:
        raise InputError(f"unknown pattern {look.pattern!r}; there are: {', '.join(PATTERNS)}")
    path = asset_path("textures") / (look.texture or f"{PATTERNS[look.pattern]}.webp")
    try:
        with Image.open(path) as picture:
            image = np.array(picture.convert("RGBA").resize((TEXELS, TEXELS)))
    except OSError as error:  # missing, or not an image
        raise InputError(f"texture {path} cannot be read: {error}") from error
    if look.texture is None:
        tint = 255 * np.array(look.rgb) / image[..., :3].mean((0, 1))
        image[..., :3] = np.minimum(image[..., :3] * f32(tint), 255)
    return image


@lru_cache(maxsize=16)
def sizes(look: Look, factors: tuple[int, ...]) -> tuple[NDArray[np.uint8], ...]:
    """Texture of `look` shrunk by each of `factors`, kept for the next picture; see `load`."""
    full = load(look)
    n = len(full)
    return tuple(
        full.reshape(n // k, k, n // k, k, 4).mean((1, 3)).astype(np.uint8) if k > 1 else full
        for k in factors
    )


def sky() -> NDArray[np.uint8]:
    """Sky as the six faces of a cube, one below the other (6 n, n, 3)."""
    with Image.open(asset_path("textures/sky.webp")) as picture:
        return np.array(picture)


def f32(x: ArrayLike) -> NDArray[np.float32]:
    """`x` in single precision."""
    return np.asarray(x, np.float32)


def ramp(x: NDArray, low: float, high: float) -> NDArray[np.float32]:
    """Smoothstep: 0 at `low`, 1 at `high`, clamped outside; falls if low > high."""
    t = np.clip((x - low) / (high - low), 0, 1)
    return f32(t * t * (3 - 2 * t))
