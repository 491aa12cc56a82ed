"""Things that lie or grow on the ground of a film: blades of grass, stones, leaves.

Each kind is one mesh of many copies of a small template. Copies stand on a grid of the world with
a random offset, turn, size and tint that depend on their cell alone, so a copy is found again where
it was when the grid follows the droid.
"""

from dataclasses import dataclass

import mujoco
import numpy as np
from numpy.typing import NDArray

from grek.envs.ground.materials import MATERIALS
from grek.eval.films.scenery import Patch, Scenery
from grek.eval.films.sheets import Array, add_mesh, write_mesh
from grek.eval.films.textures import LEAF_COLOURS, Image, f32

SHADES = 8  # tints of a kind, along u of its palette; v runs from foot to tip
FADE = 0.35  # width of the rim in which copies shrink to nothing [m]


@dataclass(frozen=True)
class Kind:
    """A template and how its copies vary."""

    template: Array
    """Corners of its triangles (3 t, 3); unit size, standing on z = 0."""
    across: int
    """Copies along a side of the patch."""
    size: tuple[float, float]
    """Of a copy [m]."""
    thickness: float
    """Height at which a shadow lies on the copies [m]."""
    flat: float
    """Height that is left of a copy someone stepped on [-]."""
    palette: Image
    """Colours at foot and tip (2, SHADES, 3)."""
    upright: bool = False
    """Lit like level ground, as thin things are."""


class Cover:
    """What stands on the innermost patch of `scenery`."""

    def __init__(self, spec: mujoco.MjSpec, scenery: Scenery) -> None:
        self.scenery = scenery
        names = scenery.ground.names
        self._kinds = {name: kind for name in dict.fromkeys(names) if (kind := _kind(name))}
        for name, kind in self._kinds.items():
            copies, corners = kind.across**2, len(kind.template)
            shade = np.random.default_rng(0).integers(SHADES, size=copies)
            tint = np.repeat(shade + 0.5, corners) / SHADES
            tall = np.tile(kind.template[:, 2] / kind.template[:, 2].max(), copies)
            uv = np.column_stack([tint, 0.25 + 0.5 * np.clip(tall, 0, 1)])
            vertices = np.tile(kind.template, (copies, 1))
            faces = np.arange(len(vertices)).reshape(-1, 3)
            add_mesh(spec, f"cover_{name}", vertices, faces, uv)
            texture = spec.add_texture(
                name=f"cover_{name}",
                type=mujoco.mjtTexture.mjTEXTURE_2D,
                width=SHADES,
                height=2,
                nchannel=3,
            )
            texture.data = np.uint8(np.clip(kind.palette, 0, 1) * 255).tobytes()

    @property
    def thickness(self) -> float:
        """Height up to which the ground is mostly hidden [m]."""
        return max((kind.thickness for kind in self._kinds.values()), default=0.0)

    def lay(self, model: mujoco.MjModel) -> list[int]:
        """Put every copy where the innermost patch is now; ids of the meshes to upload."""
        patch = self.scenery.patches[0]
        for name, kind in self._kinds.items():
            vertices, normals = self._copies(patch, name, kind)
            write_mesh(model, f"cover_{name}", vertices, normals)
        return [model.mesh(f"cover_{name}").id for name in self._kinds]

    def _copies(self, patch: Patch, name: str, kind: Kind) -> tuple[Array, Array]:
        """Vertices and normals of all copies (copies * corners, 3)."""
        pitch = patch.width / kind.across
        first = np.round(patch.origin / pitch).astype(int)
        cell = np.stack(np.meshgrid(*(f + np.arange(kind.across) for f in first)), 2).reshape(-1, 2)
        # The order in the mesh, and with it the tint, goes with the cell in the world.
        cell = cell[np.lexsort((cell[:, 0] % kind.across, cell[:, 1] % kind.across))]
        chance = _hash(cell)  # (copies, 4)
        xy = (cell + 0.1 + 0.8 * chance[:, :2]) * pitch
        level, pressed = self._ground(patch, xy)
        ground = self.scenery.ground
        size = kind.size[0] + (kind.size[1] - kind.size[0]) * chance[:, 3]
        size = size * (np.array(ground.names)[ground.material(xy)] == name)
        rim = np.linalg.norm(xy - patch.origin - patch.width / 2, axis=1)
        size = size * np.clip((patch.width / 2 - rim) / FADE, 0, 1)
        turn = 2 * np.pi * chance[:, 2]
        cos, sin = np.cos(turn)[:, None], np.sin(turn)[:, None]
        x, y, z = kind.template.T
        crushed = np.where(pressed > 0.001, kind.flat, 1.0)
        shape = np.stack(
            [cos * x - sin * y, sin * x + cos * y, crushed[:, None] * z + 0 * cos], 2
        )  # (copies, corners, 3)
        vertices = shape * size[:, None, None] + np.column_stack([xy, level])[:, None]
        if kind.upright:
            normals = np.broadcast_to((0.0, 0.0, 1.0), shape.shape)
        else:
            a, b, c = (shape[:, i::3] for i in range(3))
            normals = np.repeat(np.cross(b - a, c - a), 3, 1)
            normals = normals / np.maximum(np.linalg.norm(normals, axis=2, keepdims=True), 1e-9)
        return vertices.reshape(-1, 3), normals.reshape(-1, 3)

    def _ground(self, patch: Patch, xy: Array) -> tuple[Array, Array]:
        """Height as drawn and depth pressed (k,) [m] at the vertices nearest to `xy`."""
        heights, prints = self.scenery.heights, self.scenery.prints
        at = np.round((xy - patch.origin) / patch.cell).astype(int)
        column, row = np.clip(at, 0, len(heights) - 1).T
        return heights[row, column], prints[row, column]


def _kind(name: str) -> Kind | None:
    """What covers the material `name`, if anything does."""
    rgb = f32(MATERIALS[name].look.rgb)
    rng = np.random.default_rng(11)
    if name == "grass":
        tint = rgb * f32(rng.normal(1, 0.16, (SHADES, 3)))
        return Kind(
            _tuft(rng), 76, (0.035, 0.062), 0.022, 0.35, np.stack([0.5 * tint, 1.35 * tint]), True
        )
    if name == "gravel":
        grey = rgb * f32(rng.normal(1.05, 0.2, (SHADES, 1)) + rng.normal(0, 0.05, (SHADES, 3)))
        return Kind(
            _stone(rng), 60, (0.008, 0.017), 0.009, 0.6, np.stack([0.55 * grey, 1.1 * grey])
        )
    if name == "wet_leaves":
        leaf = f32(LEAF_COLOURS)[rng.integers(len(LEAF_COLOURS), size=SHADES)]
        return Kind(_leaf(), 34, (0.045, 0.085), 0.008, 0.3, np.stack([0.75 * leaf, 1.1 * leaf]))
    return None


def _tuft(rng: np.random.Generator) -> Array:
    """Six bent blades of unit height (36, 3)."""
    triangles = []
    for turn in rng.uniform(0, 2 * np.pi, 6):
        foot = rng.uniform(-0.35, 0.35, 2)
        side = 0.05 * np.array([-np.sin(turn), np.cos(turn)])
        lean = rng.uniform(0.1, 0.55) * np.array([np.cos(turn), np.sin(turn)])
        left, right = (np.r_[foot + s * side, 0.0] for s in (-1, 1))
        knee = np.r_[foot + 0.3 * lean + 0.7 * side, 0.6]
        tip = np.r_[foot + lean, rng.uniform(0.75, 1.0)]
        triangles += [left, right, knee, left, knee, tip]
    return np.array(triangles)


def _stone(rng: np.random.Generator) -> Array:
    """An angular stone, half in the ground (45, 3)."""
    turn = np.arange(5) * 2 * np.pi / 5
    rings = []
    for radius, height in ((1.0, -0.3), (0.85, 0.45)):
        r = radius * rng.uniform(0.8, 1.2, 5)
        rings.append(
            np.column_stack([r * np.cos(turn), 0.8 * r * np.sin(turn), np.full(5, height)])
        )
    low, high = rings
    top = np.array([0.1, 0.0, 0.75])
    triangles = []
    for i in range(5):
        j = (i + 1) % 5
        triangles += [low[i], low[j], high[j], low[i], high[j], high[i], high[i], high[j], top]
    return np.array(triangles)


def _leaf() -> Array:
    """A curled leaf of unit length, folded along its rib (54, 3)."""
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
    return np.array(triangles)


def _hash(cell: NDArray[np.int64]) -> Array:
    """Four values in [0, 1) for each cell (k, 2), without pattern to the eye."""
    at = cell @ np.array([127.1, 311.7]) + np.arange(4)[:, None] * 74.7
    value = np.sin(at.T) * 43758.5453
    return value - np.floor(value)
