"""Colours of a ground patch: loops over the texels of its texture, compiled by Numba.

Fields (side, side) are samples of the ground, the first and last at the edges of the texture; they
are interpolated linearly at the centres of texels.
"""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from grek.assets.textures import HAZE
from grek.envs.ground.kernels import kernel

LIT = 0.968  # brightness of level ground under the film's lights over that of its texture
ZERO, ONE, WHITE = np.float32(0), np.float32(1), np.float32(255)
# A film of water darkens matt ground by DARKEST, glossy ground by less, DRIER times its gloss.
DARKEST, DRIER, LEAST = np.float32(0.55), np.float32(1.2), np.float32(0.12)
_HAZE = tuple(np.float32(channel / LIT) for channel in HAZE)

Field = NDArray[np.float32]


class Samples(NamedTuple):
    """Samples of the ground under a texture (side, side), and the tiles of its materials."""

    slot: NDArray[np.int64]
    """Index of the material."""
    gain: Field
    """Factor on brightness."""
    wetness: Field
    """Wetness in [0, 1]; empty on dry ground."""
    film_gloss: Field
    """Gloss of a full water film."""
    clear: Field
    """Share of the ground's own colour, which fades into haze; empty where it does not."""
    tiles: NDArray[np.uint8]
    """Periodic textures of the materials (materials, n, n, 4): colour, and 255 minus gloss."""
    first: NDArray[np.int64]
    """Column and row (2,) of the tiles at the first texel."""


@kernel
def paint(ground: Samples, image: Any) -> Any:
    """Write colour and 255 minus gloss to `image` (texels, texels, 4); return the highest gloss."""
    n, tile, most = image.shape[0], ground.tiles.shape[1], ZERO
    wet, fades = ground.wetness.size > 0, ground.clear.size > 0
    before, after = _places(n, ground.slot.shape[0])
    wetness = film_gloss = clear = ground.gain[0]
    rgba = np.empty(4, np.float32)
    for row in range(n):
        i, v = before[row], after[row]
        upper, lower = ground.slot[i], ground.slot[i + 1]
        gain = _line(ground.gain, i, v)
        if wet:
            wetness, film_gloss = _line(ground.wetness, i, v), _line(ground.film_gloss, i, v)
        if fades:
            clear = _line(ground.clear, i, v)
        tiles = ground.tiles[:, (ground.first[1] + row) % tile]
        across = (ground.first[0] - 1) % tile
        for column in range(n):
            j, u = before[column], after[column]
            across = across + 1 if across + 1 < tile else 0
            a, b, c, d = upper[j], upper[j + 1], lower[j], lower[j + 1]
            for k in range(4):
                if a == b == c == d:
                    rgba[k] = tiles[a, across, k] / WHITE
                else:  # each material as much as the samples around have it
                    above = (ONE - u) * tiles[a, across, k] + u * tiles[b, across, k]
                    below = (ONE - u) * tiles[c, across, k] + u * tiles[d, across, k]
                    rgba[k] = ((ONE - v) * above + v * below) / WHITE
            gloss, own, lit = ONE - rgba[3], ONE, _between(gain, j, u)
            if wet:
                film = _film(_between(wetness, j, u))
                lit *= ONE - film * min(max(DARKEST - DRIER * gloss, LEAST), ONE)
                gloss = max(gloss, film * _between(film_gloss, j, u))
            most = max(most, gloss)
            if fades:
                own = _between(clear, j, u)
                gloss *= own
            for k in range(3):
                colour = rgba[k] * lit * own + (ONE - own) * _HAZE[k]
                image[row, column, k] = np.uint8(min(colour, ONE) * WHITE)
            image[row, column, 3] = np.uint8((ONE - gloss) * WHITE)
    return most


@kernel
def shade(image: Any, tone: Field, shaded: Any) -> None:
    """Write `image` (texels, texels, 4) times the field `tone` to `shaded`."""
    n = image.shape[0]
    before, after = _places(n, tone.shape[0])
    for row in range(n):
        line = _line(tone, before[row], after[row])
        for column in range(n):
            factor = _between(line, before[column], after[column])
            for k in range(3):
                lit = np.float32(image[row, column, k]) * factor
                shaded[row, column, k] = np.uint8(min(lit, WHITE))
            shaded[row, column, 3] = image[row, column, 3]


@kernel
def _places(texels: int, side: int) -> Any:
    """Sample before the centre of each texel, and the distance from it in samples (texels,)."""
    at = (np.arange(texels) + 0.5) / texels * (side - 1)
    before = at.astype(np.int64)
    return before, (at - before).astype(np.float32)


@kernel
def _line(field: Field, i: int, v: Any) -> Any:
    """Samples (side,) of `field` along a line v samples after line i."""
    return field[i] + v * (field[i + 1] - field[i])


@kernel
def _between(line: Any, j: int, u: Any) -> Any:
    """Value u samples after sample j of a line."""
    return line[j] + u * (line[j + 1] - line[j])


@kernel
def _film(wetness: Any) -> Any:
    """Visibility in [0, 1] of a water film: a smoothstep over wetness from 1/4 to 3/4."""
    t = min(max((wetness - np.float32(0.25)) * np.float32(2), ZERO), ONE)
    return t * t * (np.float32(3) - np.float32(2) * t)
