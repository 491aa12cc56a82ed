"""Ground textures for films, as images rendered by `paint`, and the lighting they assume.

A texture is a seamless (periodic) square of side SIZE: RGB colour, and alpha = 1 - gloss. Image
rows are y, columns are x.
"""

import numpy as np

TEXELS = 1024  # along a side of a texture
TEXEL = 0.0025  # [m]
SIZE = TEXELS * TEXEL  # [m]
SUN = np.array([0.50, 0.36, 0.79]) / np.linalg.norm([0.50, 0.36, 0.79])  # towards the sun
HAZE = (0.83, 0.87, 0.91)  # colour of the sky at the horizon
LEAVES = (  # colours of fallen leaves
    (0.72, 0.42, 0.10),
    (0.78, 0.56, 0.14),
    (0.60, 0.22, 0.09),
    (0.45, 0.26, 0.12),
    (0.34, 0.20, 0.11),
    (0.66, 0.30, 0.08),
)
