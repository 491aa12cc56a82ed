"""Cover of the ground of a film: grass, stones, leaves.

Each kind is one mesh of many copies of a small template. Copies stand on a grid of the world with
random offset, yaw, size and tint. These are functions of the grid cell, so that a copy keeps its
place when the patch follows the robot.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from grek.assets.textures import LEAVES
from grek.envs.ground.materials import material
from grek.envs.hashing import uniform
from grek.envs.rendering.scenery import Scenery
from grek.envs.rendering.stage import Array, Stage
from grek.envs.rendering.textures import f32
from grek.errors import InputError

SHADES = 8  # tints of a kind, along u of its palette; v runs from foot to tip
FADE = 0.35  # width of the rim in which copies shrink to size 0 [m]


@dataclass(frozen=True)
class Kind:
    """Kind of cover: a template and the variation of its copies."""

    template: Array  # corners of its triangles (3 t, 3) at unit size, foot at z = 0
    across: int  # copies along a side of the patch
    size: tuple[float, float]  # of a copy, lowest and highest [m]
    thickness: float  # height at which a shadow is drawn on the copies [m]
    flat: float  # factor on the height of a copy that was stepped on [-]
    palette: NDArray[np.float32]  # colours at foot and tip (2, SHADES, 3)
    upright: bool = False  # normals point up: thin objects are lit like level ground


class Cover:
    """Copies on the innermost patch of `scenery`, for each material that has a cover.

    Raises InputError for an unknown cover.
    """

    def __init__(self, stage: Stage, scenery: Scenery) -> None:
        self.stage, self.scenery = stage, scenery
        self._kinds: dict[str, Kind] = {}
        for name in dict.fromkeys(scenery.ground.names):
            look = material(name).look
            if look.cover is None:
                continue
            if look.cover not in KINDS:
                raise InputError(f"unknown cover {look.cover!r}; there are: {', '.join(KINDS)}")
            rng = np.random.default_rng(11)
            self._kinds[name] = kind = KINDS[look.cover](rng, f32(look.rgb))
            copies, corners = kind.across**2, len(kind.template)
            shade = np.random.default_rng(0).integers(SHADES, size=copies)
            tint = np.repeat(shade + 0.5, corners) / SHADES
            tall = np.tile(kind.template[:, 2] / kind.template[:, 2].max(), copies)
            stage.add_mesh(
                f"cover_{name}",
                vertices=np.tile(kind.template, (copies, 1)),
                faces=np.arange(copies * corners).reshape(-1, 3),
                uv=np.column_stack([tint, 0.25 + 0.5 * np.clip(tall, 0, 1)]),
                image=(np.clip(kind.palette, 0, 1) * 255).astype(np.uint8),
            )

    @property
    def thickness(self) -> float:
        """Greatest thickness of the kinds on this ground, 0 without cover [m]."""
        return max((kind.thickness for kind in self._kinds.values()), default=0.0)

    def lay(self) -> None:
        """Place all copies on the innermost patch at its present origin."""
        for name, kind in self._kinds.items():
            self.stage.write_mesh(f"cover_{name}", *self._copies(name, kind))

    def _copies(self, name: str, kind: Kind) -> tuple[Array, Array]:
        """Vertices and normals of all copies (copies * corners, 3)."""
        patch, ground = self.scenery.patches[0], self.scenery.ground
        pitch = patch.width / kind.across
        first = np.round(patch.origin / pitch).astype(int)
        cell = np.stack(np.meshgrid(*(f + np.arange(kind.across) for f in first)), 2).reshape(-1, 2)
        # The order in the mesh, and with it the tint, is a function of the cell in the world.
        cell = cell[np.lexsort((cell[:, 0] % kind.across, cell[:, 1] % kind.across))]
        chance = uniform(*cell.T[:, :, None], np.arange(4))  # (copies, 4)
        xy = (cell + 0.1 + 0.8 * chance[:, :2]) * pitch
        at = np.round((xy - patch.origin) / patch.cell).astype(int)
        column, row = np.clip(at, 0, patch.cells).T
        level, pressed = self.scenery.heights[row, column], self.scenery.prints[row, column]
        size = kind.size[0] + (kind.size[1] - kind.size[0]) * chance[:, 3]
        size = size * (np.array(ground.names)[ground.material(xy)] == name)
        rim = np.linalg.norm(xy - patch.origin - patch.width / 2, axis=1)
        size = size * np.clip((patch.width / 2 - rim) / FADE, 0, 1)
        turn = 2 * np.pi * chance[:, 2]
        cos, sin = np.cos(turn)[:, None], np.sin(turn)[:, None]
        x, y, z = kind.template.T
        crushed = np.where(pressed > 0.001, kind.flat, 1.0)
        turned = [cos * x - sin * y, sin * x + cos * y, crushed[:, None] * z]
        shape = np.stack(turned, 2)  # (copies, corners, 3)
        vertices = shape * size[:, None, None] + np.column_stack([xy, level])[:, None]
        if kind.upright:
            normals = np.broadcast_to((0.0, 0.0, 1.0), shape.shape)
        else:
            a, b, c = (shape[:, i::3] for i in range(3))
            normals = np.repeat(np.cross(b - a, c - a), 3, 1)
            normals = normals / np.maximum(np.linalg.norm(normals, axis=2, keepdims=True), 1e-9)
        return vertices.reshape(-1, 3), normals.reshape(-1, 3)


def _grass(rng: np.random.Generator, rgb: NDArray[np.float32]) -> Kind:
    """Tuft of six bent blades."""
    tint = rgb * f32(rng.normal(1, 0.16, (SHADES, 3)))
    triangles = []
    for turn in rng.uniform(0, 2 * np.pi, 6):
        foot = rng.uniform(-0.35, 0.35, 2)
        side = 0.05 * np.array([-np.sin(turn), np.cos(turn)])
        lean = rng.uniform(0.1, 0.55) * np.array([np.cos(turn), np.sin(turn)])
        left, right = (np.r_[foot + s * side, 0.0] for s in (-1, 1))
        bend = np.r_[foot + 0.3 * lean + 0.7 * side, 0.6]
        tip = np.r_[foot + lean, rng.uniform(0.75, 1.0)]
        triangles += [left, right, bend, left, bend, tip]
    palette = np.stack([0.5 * tint, 1.35 * tint])
    return Kind(np.array(triangles), 76, (0.035, 0.062), 0.022, 0.35, palette, upright=True)


def _stones(rng: np.random.Generator, rgb: NDArray[np.float32]) -> Kind:
    """Angular stone, half buried."""
    grey = rgb * f32(rng.normal(1.05, 0.2, (SHADES, 1)) + rng.normal(0, 0.05, (SHADES, 3)))
    turn = np.arange(5) * 2 * np.pi / 5
    rings = [radius * rng.uniform(0.8, 1.2, 5) for radius in (1.0, 0.85)]
    low, high = (
        np.column_stack([r * np.cos(turn), 0.8 * r * np.sin(turn), np.full(5, height)])
        for r, height in zip(rings, (-0.3, 0.45), strict=True)
    )
    top = np.array([0.1, 0.0, 0.75])
    triangles = []
    for i in range(5):
        j = (i + 1) % 5
        triangles += [low[i], low[j], high[j], low[i], high[j], high[i], high[i], high[j], top]
    palette = np.stack([0.55 * grey, 1.1 * grey])
    return Kind(np.array(triangles), 60, (0.008, 0.017), 0.009, 0.6, palette)


def _leaves(rng: np.random.Generator, _: NDArray[np.float32]) -> Kind:
    """Curled leaf, folded along its rib, in autumn colours."""
    colour = f32(LEAVES)[rng.integers(len(LEAVES), size=SHADES)]
    u = np.linspace(-0.5, 0.5, 6)
    rib = np.column_stack([u, 0 * u, 0.12 - 0.4 * u**2])
    v = (u[1:] + u[:-1]) / 2
    wide = 0.34 * (1 - 4 * v**2) ** 0.7
    left = np.column_stack([v, wide, 0.08 + 0.35 * wide - 0.3 * v**2])
    triangles = []
    for edge in (left, left * [1, -1, 1]):
        strip = [point for pair in zip(rib, edge, strict=False) for point in pair] + [rib[-1]]
        for a, b, c in zip(strip, strip[1:], strip[2:], strict=False):
            up = np.cross(b - a, c - a)[2] > 0
            triangles += [a, b, c] if up else [a, c, b]
    palette = np.stack([0.75 * colour, 1.1 * colour])
    return Kind(np.array(triangles), 34, (0.045, 0.085), 0.008, 0.3, palette)


KINDS: dict[str, Callable[[np.random.Generator, NDArray[np.float32]], Kind]] = {
    "grass": _grass,
    "stones": _stones,
    "leaves": _leaves,
}
"""Constructors of covers by name; they take a generator and the colour of the material (3,)."""
