"""The sky of a film: blue above, haze and hills at the horizon, clouds, and its own mirror below.

The lower half mirrors the upper one, so that ground which lets it through seems to reflect it.
"""

import mujoco
import numpy as np
from numpy.typing import NDArray

from grek.eval.films.textures import SUN, Image, f32, ramp

WIDTH = 256  # texels along a side of the cube
HAZE = (0.83, 0.87, 0.91)  # at the horizon; distant ground fades into it

# Forward, right and up of the cube's faces in MuJoCo's order.
_FACES = (
    ((1, 0, 0), (0, 1, 0), (0, 0, 1)),
    ((-1, 0, 0), (0, -1, 0), (0, 0, 1)),
    ((0, 0, 1), (1, 0, 0), (0, 1, 0)),
    ((0, 0, -1), (1, 0, 0), (0, -1, 0)),
    ((0, -1, 0), (1, 0, 0), (0, 0, 1)),
    ((0, 1, 0), (-1, 0, 0), (0, 0, 1)),
)


def add_sky(spec: mujoco.MjSpec) -> None:
    """Give `spec` the sky."""
    at = f32((np.arange(WIDTH) + 0.5) / WIDTH * 2 - 1)
    u, v = np.meshgrid(at, -at)
    image = np.stack(
        [_colour(f32(f) + u[..., None] * r + v[..., None] * np.array(t)) for f, r, t in _FACES]
    )  # (6, WIDTH, WIDTH, 3)
    texture = spec.add_texture(
        name="sky",
        type=mujoco.mjtTexture.mjTEXTURE_SKYBOX,
        width=WIDTH,
        height=6 * WIDTH,
        nchannel=3,
    )
    texture.data = np.uint8(np.clip(image, 0, 1) * 255).tobytes()


def _colour(direction: NDArray) -> Image:
    """Colour (..., 3) of the sky towards `direction` (..., 3)."""
    d = f32(direction / np.linalg.norm(direction, axis=-1, keepdims=True))
    d[..., 2] = np.abs(d[..., 2])
    up = d[..., 2]
    haze, blue, white = f32(HAZE), f32((0.30, 0.52, 0.82)), f32((1, 1, 1))
    colour = haze + (blue - haze) * ((1 - np.exp(-4.0 * up))[..., None])
    # Clouds lie on a plane overhead.
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
    """Sum of `count` random waves at x (..., 2), of unit deviation."""
    rng = np.random.default_rng(seed)
    vectors = scale * rng.standard_normal((count, 2))
    angle = x @ f32(vectors.T) + f32(rng.uniform(0, 2 * np.pi, count))
    return np.sqrt(2 / count) * np.cos(angle).sum(-1)
