"""The ground of a film: nested patches around the droid, in the shape and look of its material.

Four square patches, each four times as wide and as coarse as the one inside it, reach from the feet
to the horizon (Losasso and Hoppe 2004, Geometry clipmaps). A patch is a mesh with a texture; both
are laid anew when the droid has walked on, and rewritten where it leaves prints. The texture's
alpha is what a surface does not mirror: glossy patches let the reflected droid and sky through.
Arrays over a patch have y along rows and x along columns.
"""

from dataclasses import dataclass
from typing import Protocol

import mujoco
import numpy as np
from numpy.typing import NDArray

from grek.envs.materials import MATERIALS
from grek.eval import textures
from grek.eval.sheets import Array, add_sheet, grid_faces, points, write_faces, write_sheet
from grek.eval.sky import HAZE
from grek.eval.textures import Image, ramp

CELLS = 120  # of a mesh, along a side
MARGIN = 4  # cells by which the texture is wider, on each side
QUERIES = 2 * (CELLS + 2 * MARGIN) + 1  # points at which a patch asks the ground, along a side
SNAP = 16  # cells; patches move by whole cells of the next coarser one
OPAQUE = 0.9985  # alpha from which on MuJoCo takes a geom for opaque, roughly
HAZE_LENGTH = 17.0  # at which most of the ground has faded into the horizon [m]
LIT = 0.935  # brightness of level ground under the film's lights over that of its texture
_HAZE = np.float32(HAZE) / np.float32(LIT)
REACH = 0.45  # where the droid may press new prints [m]


class GroundView(Protocol):
    """What a film asks of the ground, at points (k, 2) [m] of the world."""

    names: tuple[str, ...]
    """Materials that `material` counts."""

    def height(self, xy: Array) -> Array:
        """Surface before anything stepped on it (k,) [m]."""

    def material(self, xy: Array) -> NDArray[np.int64]:
        """Index into `names` (k,)."""

    def wetness(self, xy: Array) -> Array:
        """Share of a full film of water (k,) in [0, 1]."""

    def footprint(self, xy: Array) -> Array:
        """How deep the surface is pressed (k,) [m]."""


@dataclass
class Patch:
    """One square of ground; `origin` is the corner of its mesh with the lowest x and y [m]."""

    name: str
    cell: float
    """[m]"""
    texels: int
    """Of the texture, along a side."""
    origin: Array | None = None
    wet: bool = False
    """Mirrors something."""

    @property
    def width(self) -> float:
        """Of the mesh [m]."""
        return CELLS * self.cell

    def vertices(self) -> Array:
        """Where the vertices are (CELLS + 1,) from the origin, along a side [m]."""
        return np.arange(CELLS + 1) * self.cell

    def queries(self) -> Array:
        """Points at which the texture asks the ground (QUERIES**2, 2) [m]."""
        assert self.origin is not None
        along = (np.arange(QUERIES) / 2 - MARGIN) * self.cell
        return points(self.origin[0] + along, self.origin[1] + along)


class Scenery:
    """Patches of `ground` in a model; `follow` moves them and says what to upload."""

    def __init__(self, spec: mujoco.MjSpec, ground: GroundView) -> None:
        self.ground = ground
        self.soft = any(MATERIALS[name].soft for name in ground.names)
        self.patches = [
            Patch(f"ground_{i}", cell, texels)
            for i, (cell, texels) in enumerate(
                ((0.02, 1024), (0.08, 2048), (0.32, 1024), (1.28, 512))
            )
        ]
        self._tiles = [
            [_shrink(tile, p) for p in self.patches] for tile in map(_tile, ground.names)
        ]
        self._enlarge = {p.texels: _enlargement(p.texels) for p in self.patches}
        self.heights = np.zeros((CELLS + 1, CELLS + 1))  # of the innermost patch [m]
        self._level = np.zeros_like(self.heights)  # the same without prints [m]
        self._prints = np.zeros((QUERIES, QUERIES))  # depth in the innermost patch [m]
        self._unpressed: NDArray[np.uint8] | None = None  # texture of the same without prints
        for patch in self.patches:
            add_sheet(spec, patch.name, CELLS, patch.texels, MARGIN)

    def bind(self, model: mujoco.MjModel) -> None:
        """Use the compiled `model`."""
        self.model = model

    def follow(self, xy: Array, look_for_prints: bool) -> tuple[list[int], list[int]]:
        """Lay the ground around the droid at `xy` [m]; ids of the meshes and textures it changed."""
        meshes, textures_, moved = [], [], False
        for i, patch in reversed(list(enumerate(self.patches))):
            snap = SNAP * patch.cell
            aim = xy - patch.width / 2
            if patch.origin is None or np.abs(aim - patch.origin).max() > 0.75 * snap:
                patch.origin = np.round(aim / snap) * snap
                moved = True
                self._lay(i)
                textures_.append(self._id(patch, "texture"))
                meshes.append(self._id(patch, "mesh"))
                if i + 1 < len(self.patches):
                    self._cut(i + 1)
                    meshes.append(self._id(self.patches[i + 1], "mesh"))
        if look_for_prints and self.soft and not moved and self._press(xy):
            textures_.append(self._id(self.patches[0], "texture"))
            meshes.append(self._id(self.patches[0], "mesh"))
        return sorted(set(meshes)), textures_

    def tangent(self, xy: Array) -> tuple[float, Array]:
        """Height [m] and unit normal (3,) of the plane that lies best on the ground at `xy`."""
        offset = 0.2 * np.array([[0, 0], [1, 0], [-1, 0], [0, 1], [0, -1]])
        height = self.ground.height(xy + offset)
        normal = np.array([(height[2] - height[1]) / 0.4, (height[4] - height[3]) / 0.4, 1])
        return float(height.mean()), normal / np.linalg.norm(normal)

    def mirrors(self) -> bool:
        """Whether the ground near the droid reflects it."""
        return self.patches[0].wet

    @property
    def prints(self) -> Array:
        """Depth pressed at the vertices of the innermost patch [m]."""
        return self._prints[2 * MARGIN : -2 * MARGIN : 2, 2 * MARGIN : -2 * MARGIN : 2]

    # -- inside -----------------------------------------------------------------------------

    def _id(self, patch: Patch, kind: str) -> int:
        return int(getattr(self.model, kind)(patch.name).id)

    def _lay(self, i: int) -> None:
        """Write shape and texture of patch `i` at its origin."""
        patch = self.patches[i]
        assert patch.origin is not None
        along = patch.vertices()
        xy = points(patch.origin[0] + along, patch.origin[1] + along)
        height = self.ground.height(xy).reshape(CELLS + 1, CELLS + 1)
        if i + 1 < len(self.patches):
            _stitch(height)
        texture = self._texture(i)
        if i == 0:
            self._level, self._unpressed = height, texture
            self._prints[:] = 0
            if self.soft:
                self._prints = self.ground.footprint(patch.queries()).reshape(QUERIES, QUERIES)
                texture = self._pressed()
                height = (
                    height
                    - self._prints[2 * MARGIN : -2 * MARGIN : 2, 2 * MARGIN : -2 * MARGIN : 2]
                )
            self.heights = height
        write_sheet(self.model, patch.name, height, patch.cell, patch.origin)
        self._write_texture(patch, texture)

    def _cut(self, i: int) -> None:
        """Leave the faces of patch `i` out where the next finer patch lies."""
        inner, outer = self.patches[i - 1], self.patches[i]
        assert inner.origin is not None and outer.origin is not None
        first = np.round((inner.origin - outer.origin) / outer.cell).astype(int)
        cell = np.arange(CELLS)
        span = CELLS // 4
        x, y = ((cell >= f) & (cell < f + span) for f in first)
        hole = np.repeat((y[:, None] & x[None]).ravel(), 2)
        faces = grid_faces(CELLS)
        faces[hole] = 0
        write_faces(self.model, outer.name, faces)

    def _texture(self, i: int) -> NDArray[np.uint8]:
        """Colour and alpha (texels, texels, 4) of patch `i`, without prints."""
        patch = self.patches[i]
        assert patch.origin is not None
        xy = patch.queries()
        texel = patch.cell * (CELLS + 2 * MARGIN) / patch.texels
        first = np.round((patch.origin - MARGIN * patch.cell) / texel).astype(int)
        slot = self.ground.material(xy).reshape(QUERIES, QUERIES)
        blend = np.zeros((patch.texels, patch.texels, 4), np.float32)
        present = np.unique(slot)
        for k in present:
            tile = self._tiles[k][i]
            columns, rows = ((f + np.arange(patch.texels)) % len(tile) for f in first)
            part = tile[rows][:, columns]
            if len(present) == 1:
                blend = part
            else:
                blend += part * self._up(patch, slot == k)[..., None]
        rgb, gloss = blend[..., :3], blend[..., 3]
        tone = self._up(patch, 1 + 0.05 * _drift(xy).reshape(QUERIES, QUERIES))
        wetness = self.ground.wetness(xy).reshape(QUERIES, QUERIES)
        if wetness.any():
            film = ramp(self._up(patch, wetness), 0.25, 0.75)
            tone = tone * (1 - film * np.clip(0.55 - 1.2 * gloss, 0.12, 1))
            gloss = np.maximum(gloss, film * (0.5 - 0.1 * gloss))
        patch.wet = bool(gloss.max() > 0.01)
        rgb = rgb * tone[..., None]
        if i > 0:
            distance = np.linalg.norm(xy - patch.origin - patch.width / 2, axis=1)
            hidden = 1 - np.exp(-((np.maximum(distance - 2, 0) / HAZE_LENGTH) ** 2))
            clear = self._up(patch, 1 - hidden.reshape(QUERIES, QUERIES))
            gloss = gloss * clear
            rgb = _HAZE + (rgb - _HAZE) * clear[..., None]
        image = np.empty((patch.texels, patch.texels, 4), np.uint8)
        image[..., :3] = np.clip(rgb, 0, 1) * 255
        image[..., 3] = 255 * (1 - gloss)
        return image

    def _press(self, xy: Array) -> bool:
        """Ask for new prints near `xy`; whether there are any."""
        patch = self.patches[0]
        assert patch.origin is not None
        step = patch.cell / 2
        centre = np.round((xy - patch.origin) / step).astype(int) + 2 * MARGIN
        reach = round(REACH / step)
        columns, rows = (slice(max(c - reach, 0), min(c + reach, QUERIES)) for c in centre)
        points = patch.queries().reshape(QUERIES, QUERIES, 2)[rows, columns]
        depth = self.ground.footprint(points.reshape(-1, 2)).reshape(points.shape[:2])
        if np.abs(depth - self._prints[rows, columns]).max() < 5e-4:
            return False
        self._prints[rows, columns] = depth
        self.heights = self._level - self.prints
        write_sheet(self.model, patch.name, self.heights, patch.cell, patch.origin)
        self._write_texture(patch, self._pressed())
        return True

    def _pressed(self) -> NDArray[np.uint8]:
        """The innermost texture with its prints: lit as relief, darker where packed."""
        assert self._unpressed is not None
        patch, depth = self.patches[0], self._prints
        if not depth.any():
            return self._unpressed
        gy, gx = np.gradient(-depth, patch.cell / 2)
        light = 1 - (gx * textures.SUN[0] + gy * textures.SUN[1]) / textures.SUN[2]
        tone = np.clip(0.4 + 0.6 * light, 0.45, 1.3) * (1 - 0.28 * ramp(depth, 0.0005, 0.012))
        image = self._unpressed.copy()
        image[..., :3] = np.minimum(image[..., :3] * self._up(patch, tone)[..., None], 255)
        return image

    def _up(self, patch: Patch, field: Array) -> Image:
        """`field` (QUERIES, QUERIES) at the texels of `patch`, linearly between."""
        u = self._enlarge[patch.texels]
        return u @ field.astype(np.float32) @ u.T

    def _write_texture(self, patch: Patch, image: NDArray[np.uint8]) -> None:
        texture = self.model.texture(patch.name).id
        first = self.model.tex_adr[texture]
        self.model.tex_data[first : first + image.size] = image.ravel()
        opacity = OPAQUE - 0.01 if patch.wet else 1.0
        self.model.mat_rgba[self.model.material(patch.name).id, 3] = opacity


# -- helpers ---------------------------------------------------------------------------------


def _stitch(height: Array) -> None:
    """Bend the border straight between every fourth vertex: no gaps to the coarser patch."""
    at, knots = np.arange(CELLS + 1), np.arange(0, CELLS + 1, 4)
    for border in (height[0], height[-1], height[:, 0], height[:, -1]):
        border[:] = np.interp(at, knots, border[knots])


def _tile(name: str) -> Image:
    """Colour and gloss (N, N, 4) of the material `name`."""
    rgb, gloss = textures.paint(name)
    return np.dstack([rgb, gloss])


def _shrink(tile: Image, patch: Patch) -> Image:
    """`tile` (N, N, 4) at the texel size of `patch`."""
    k = round(patch.cell * (CELLS + 2 * MARGIN) / patch.texels / textures.TEXEL)
    n = textures.N // k
    return tile.reshape(n, k, n, k, 4).mean((1, 3))


def _enlargement(texels: int) -> Image:
    """Matrix (texels, QUERIES) that interpolates between queries."""
    at = (np.arange(texels) + 0.5) / texels * (QUERIES - 1)
    below = np.minimum(at.astype(int), QUERIES - 2)
    matrix = np.zeros((texels, QUERIES), np.float32)
    matrix[np.arange(texels), below] = below + 1 - at
    matrix[np.arange(texels), below + 1] = at - below
    return matrix


def _drift(xy: Array) -> Array:
    """Slow change of tone over the world (k,), about -1 to 1, so that tiles do not repeat."""
    waves = np.array([[1.1, 0.4], [-0.5, 1.3], [0.23, -0.31], [-0.9, -0.6], [0.07, 0.11]])
    return np.sin(xy @ waves.T + np.arange(len(waves))).sum(1) / 2.5
