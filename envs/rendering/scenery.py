"""Ground of a film: nested patches around the robot, with the look of the materials.

Four square patches, each four times as wide and as coarse as the one inside it, reach from the feet
to the horizon (geometry clipmaps, Losasso and Hoppe 2004). A patch is a sheet with a texture; both
are updated when the robot has moved on and where it leaves prints. The alpha of the texture is 1
minus gloss: the mirrored robot and the sky show through glossy patches. Arrays over a patch have y
along rows and x along columns.
"""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from grek.assets.textures import SUN, TEXEL
from grek.envs.ground.materials import material
from grek.envs.rendering import colours, textures
from grek.envs.rendering.stage import Array, Stage, grid_faces, points
from grek.envs.rendering.textures import f32, ramp

WIDTHS = 2.4, 9.6, 38.4, 153.6  # of the patches [m]
TEXELS = 1024, 2048, 1024, 512  # of their textures, along a side
CELLS = 60  # of a mesh, along a side; twice as many on ground that gives
RIM = 1 / 30  # margin of a texture around its mesh, over the width of the mesh
STEP = 2 / 15  # move of a patch over its width: whole cells of the next coarser patch
OPAQUE = 0.9985  # alpha from which MuJoCo treats a geom as opaque, roughly
HAZE_LENGTH = 17.0  # length scale over which the ground fades into the horizon [m]
REACH = 0.45  # distance within which a robot at scale 1 may leave new prints [m]
SHALLOW = 5e-4  # smallest change of print depth that is drawn [m]


class GroundView(Protocol):
    """Ground of one world as films read it; `xy` are points (k, 2) [m]."""

    names: tuple[str, ...]
    """Names of the materials."""

    def height(self, xy: Array) -> Array:
        """Height of the undisturbed surface (k,) [m]."""

    def material(self, xy: Array) -> NDArray[np.int64]:
        """Index of the material in `names` (k,)."""

    def wetness(self, xy: Array) -> Array:
        """Wetness (k,) in [0, 1], 1 for a full water film."""

    def footprint(self, xy: Array) -> Array:
        """Depth of footprints (k,) [m]."""


@dataclass
class Patch:
    """Square patch of ground: a mesh with a texture."""

    name: str
    width: float  # of the mesh [m]
    cells: int  # of the mesh, along a side
    texels: int  # of the texture, along a side
    origin: Array  # corner of the mesh with the lowest x and y [m]
    glossy: bool = False  # some of it reflects

    def __post_init__(self) -> None:
        self.cell = self.width / self.cells  # [m]
        self.texel = self.width * (1 + 2 * RIM) / self.texels  # [m]
        self.margin = round(RIM * self.cells)  # cells by which the texture is wider, on each side
        self.side = 2 * (self.cells + 2 * self.margin) + 1  # samples: two per cell of the texture

    def vertices(self) -> Array:
        """Vertices of the mesh ((cells + 1)**2, 2) [m]."""
        along = np.arange(self.cells + 1) * self.cell
        return points(self.origin[0] + along, self.origin[1] + along)

    def samples(self) -> Array:
        """Points at which the texture samples the ground (side**2, 2) [m]."""
        along = (np.arange(self.side) / 2 - self.margin) * self.cell
        return points(self.origin[0] + along, self.origin[1] + along)


class Scenery:
    """Patches of `ground` on a stage; `follow` moves them with a robot of size `scale`."""

    def __init__(self, stage: Stage, ground: GroundView, scale: float = 1.0) -> None:
        self.stage = stage
        self.soft, _ = form(ground.names)
        cells = 2 * CELLS if self.soft else CELLS
        self.patches = [
            Patch(f"ground_{i}", width, cells, texels, np.full(2, np.inf))
            for i, (width, texels) in enumerate(zip(WIDTHS, TEXELS, strict=True))
        ]
        inner = self.patches[0]
        self._reach = REACH * scale
        self.heights = np.zeros((cells + 1, cells + 1))  # of the innermost patch [m]
        self._level = np.zeros_like(self.heights)  # the same without prints [m]
        self._prints = np.zeros((inner.side, inner.side))  # depth in the innermost patch [m]
        self._unpressed = np.zeros((0, 0, 4), np.uint8)  # texture of the same without prints
        for patch in self.patches:
            stage.add_sheet(patch.name, cells, patch.texels, patch.margin)
        self.enter(ground)

    def follow(self, xy: Array, look_for_prints: bool) -> bool:
        """Move the patches to the robot at `xy` (2,) [m]; return True if anything changed."""
        moved = []
        for i, patch in enumerate(self.patches):
            step = STEP * patch.width
            aim = xy - patch.width / 2
            if np.abs(aim - patch.origin).max() > 0.75 * step:
                patch.origin = np.round(aim / step) * step
                self._lay(i)
                moved.append(i)
        for i in range(1, len(self.patches)):
            # The hole of a patch is where the finer patch is: cut it again if either has moved.
            if {i - 1, i} & set(moved):
                self._cut(i)
        pressed = look_for_prints and self.soft and 0 not in moved and self._press(xy)
        return bool(moved) or pressed

    def enter(self, ground: GroundView) -> None:
        """Show `ground` from the next call of `follow` on; its materials have the same `form`."""
        self.ground = ground
        looks = [material(name).look for name in ground.names]
        factors = tuple(round(patch.texel / TEXEL) for patch in self.patches)
        sizes = zip(*(textures.sizes(look, factors) for look in looks), strict=True)
        self._tiles = [np.stack(tiles) for tiles in sizes]  # of each patch
        self._film_gloss = f32([look.film_gloss for look in looks])
        for patch in self.patches:
            patch.origin = np.full(2, np.inf)

    def tangent(self, xy: Array) -> tuple[float, Array]:
        """Height [m] and unit normal (3,) of the tangent plane at `xy` (2,), over 0.2 m around."""
        offset = 0.2 * np.array([[0, 0], [1, 0], [-1, 0], [0, 1], [0, -1]])
        height = self.ground.height(xy + offset)
        normal = np.array([(height[2] - height[1]) / 0.4, (height[4] - height[3]) / 0.4, 1])
        return float(height.mean()), normal / np.linalg.norm(normal)

    @property
    def prints(self) -> Array:
        """Depth of prints at the vertices of the innermost patch (cells + 1, cells + 1) [m]."""
        edge = 2 * self.patches[0].margin
        depth = self._prints[edge:-edge:2, edge:-edge:2].copy()
        depth[[0, -1]] = depth[:, [0, -1]] = 0  # no gap between the rim and the next patch
        return depth

    # -- inside -------------------------------------------------------------------------------

    def _lay(self, i: int) -> None:
        """Write mesh and texture of patch `i` at its origin."""
        patch = self.patches[i]
        height = self.ground.height(patch.vertices()).reshape(patch.cells + 1, -1)
        if i + 1 < len(self.patches):
            _stitch(height)
        texture = self._texture(i)
        # Translucent geoms show the reflection, and cost more: only where there is gloss.
        alpha = OPAQUE - 0.01 if patch.glossy else 1.0
        self.stage.model.material(patch.name).rgba[3] = alpha
        if i == 0:
            self._level, self._unpressed = height, texture
            if self.soft:
                self._prints = self.ground.footprint(patch.samples()).reshape(patch.side, -1)
            self._write_pressed()
        else:
            self.stage.write_sheet(patch.name, height, patch.cell, patch.origin)
            self.stage.write_texture(patch.name, texture)

    def _cut(self, i: int) -> None:
        """Remove the faces of patch `i` under the next finer patch."""
        inner, outer = self.patches[i - 1], self.patches[i]
        first = np.round((inner.origin - outer.origin) / outer.cell).astype(int)
        cell = np.arange(outer.cells)
        x, y = ((cell >= f) & (cell < f + outer.cells // 4) for f in first)
        faces = grid_faces(outer.cells)
        faces[np.repeat((y[:, None] & x).ravel(), 2)] = 0
        self.stage.write_faces(outer.name, faces)

    def _texture(self, i: int) -> NDArray[np.uint8]:
        """Colour and alpha (texels, texels, 4) of patch `i`, without prints."""
        patch, xy = self.patches[i], self.patches[i].samples()
        square, none = (patch.side, patch.side), np.zeros((0, 0), np.float32)
        slot, wetness = self.ground.material(xy), self.ground.wetness(xy)
        clear = none
        if i > 0:
            distance = np.linalg.norm(xy - patch.origin - patch.width / 2, axis=1)
            clear = f32(np.exp(-((np.maximum(distance - 2, 0) / HAZE_LENGTH) ** 2))).reshape(square)
        image = np.empty((patch.texels, patch.texels, 4), np.uint8)
        gloss = colours.paint(
            colours.Samples(
                slot=slot.reshape(square),
                gain=f32(1 + 0.05 * _drift(xy)).reshape(square),
                wetness=f32(wetness).reshape(square) if wetness.any() else none,
                film_gloss=self._film_gloss[slot].reshape(square),
                clear=clear,
                tiles=self._tiles[i],
                first=np.round((patch.origin - RIM * patch.width) / patch.texel).astype(int),
            ),
            image,
        )
        patch.glossy = gloss > 0.01
        return image

    def _press(self, xy: Array) -> bool:
        """Read new prints near `xy` (2,) [m]; return True if there are any."""
        patch = self.patches[0]
        step = patch.cell / 2
        centre = np.round((xy - patch.origin) / step).astype(int) + 2 * patch.margin
        reach = round(self._reach / step)
        columns, rows = (slice(max(c - reach, 0), c + reach) for c in centre)
        near = patch.samples().reshape(patch.side, patch.side, 2)[rows, columns]
        depth = self.ground.footprint(near.reshape(-1, 2)).reshape(near.shape[:2])
        if np.abs(depth - self._prints[rows, columns]).max() < SHALLOW:
            return False
        self._prints[rows, columns] = depth
        self._write_pressed()
        return True

    def _write_pressed(self) -> None:
        """Write the innermost patch with its prints: shaded as relief, darker where compacted."""
        patch, depth, image = self.patches[0], self._prints, self._unpressed
        if depth.any():
            gy, gx = np.gradient(-depth, patch.cell / 2)
            light = 1 - (gx * SUN[0] + gy * SUN[1]) / SUN[2]
            tone = np.clip(0.7 + 0.3 * light, 0.6, 1.12) * (1 - 0.3 * ramp(depth, 0.0005, 0.012))
            image = np.empty_like(self._unpressed)
            colours.shade(self._unpressed, f32(tone), image)
        self.heights = self._level - self.prints
        self.stage.write_sheet(patch.name, self.heights, patch.cell, patch.origin)
        self.stage.write_texture(patch.name, image)


def form(names: tuple[str, ...]) -> tuple[bool, tuple[str, ...]]:
    """Form of the scenery of materials `names`: whether one is soft, and those with a cover."""
    rows = [material(name) for name in names]
    covered = dict.fromkeys(row.name for row in rows if row.look.cover is not None)
    return any(row.soft for row in rows), tuple(covered)


def _stitch(height: Array) -> None:
    """Interpolate the border between every fourth vertex, so that it fits the coarser patch."""
    at = np.arange(len(height))
    for border in (height[0], height[-1], height[:, 0], height[:, -1]):
        border[:] = np.interp(at, at[::4], border[::4])


def _drift(xy: Array) -> Array:
    """Slow variation of tone (k,), about -1 to 1, that hides the repetition of tiles."""
    waves = np.array([[1.1, 0.4], [-0.5, 1.3], [0.23, -0.31], [-0.9, -0.6], [0.07, 0.11]])
    return np.sin(xy @ waves.T + np.arange(len(waves))).sum(1) / 2.5
