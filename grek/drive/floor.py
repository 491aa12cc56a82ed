"""Ground on the page: square tiles of GLB around the droid, laid one at a time.

A tile of the world always lies in the same of SIDE x SIDE places of the scene, so their number is
bounded. A place has two nodes: a browser takes a moment to load a GLB, so the old tile is hidden
only HOLD after the new one was sent.
"""

import math
import time
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import trimesh
import viser
from numpy.typing import NDArray
from PIL import Image
from trimesh.visual import TextureVisuals
from trimesh.visual.material import PBRMaterial

from grek.assets.textures import SIZE, SUN
from grek.envs.ground.materials import material
from grek.envs.rendering import textures
from grek.envs.rendering.scenery import SHALLOW, GroundView
from grek.envs.rendering.textures import f32, ramp
from grek.envs.vectors import Array
from grek.errors import InputError

TILE = SIZE / 2  # edge of a tile, half that of a texture [m]
CELLS = 32  # of its mesh, along a side
TEXELS = 256  # of its texture, along a side
SAMPLES = 65  # of water and prints in a texture, along a side
SIDE = 8  # places along a side of the scene
REACH = 3.6  # of tiles around the droid [m]
HOLD = 0.6  # [s]
FEET = 0.15  # from the middle of a sole to where it may leave prints [m]
FAR = 60.0  # radius of the ground beyond [m]
RINGS = np.concatenate([[0.0], np.geomspace(1.0, FAR, 40)])  # of its vertices [m]
SPOKES = 64
DIP = 0.03  # of the ground beyond, under the tiles [m]


@dataclass
class _Place:
    """Place of the scene for a tile: two nodes, one of which is shown."""

    nodes: list[Any] = field(default_factory=list)
    front: int = 0
    due: float = math.inf  # time at which the other node is hidden [s]
    key: tuple[int, int] | None = None  # tile of the world
    version: int = -1  # of the ground that it shows
    depth: Array | None = None  # of its prints when it was laid (SAMPLES, SAMPLES) [m]


class Floor:
    """Tiles of the ground under the node `root` of a scene."""

    def __init__(self, scene: viser.SceneApi, root: str) -> None:
        self._scene, self._root = scene, root
        self._places: dict[tuple[int, int], _Place] = {}
        self._pictures: dict[str, Future[NDArray[np.uint8]]] = {}
        self._painter = ThreadPoolExecutor(1)  # reading a texture takes longer than a control step
        self._ground: GroundView | None = None
        self._version = 0
        self._beyond = _Place()
        self._middle = np.zeros(2)  # of the ground beyond [m]
        self._soft = False

    def show(self, ground: GroundView) -> None:
        """Show `ground` from now on: all tiles are laid anew, near ones first."""
        for name in ground.names:
            if name not in self._pictures:
                self._pictures[name] = self._painter.submit(_picture, name)
        self._ground = ground
        self._soft = any(material(name).soft for name in ground.names)
        self._version += 1

    def follow(self, xy: Array, feet: Array) -> None:
        """Lay at most one tile: the nearest to `xy` (2,) that is missing, or one that `feet` (F, 2)
        have left prints on. Nothing is laid while the texture of a material is read."""
        if self._ground is None or not all(self._pictures[n].done() for n in self._ground.names):
            return
        now = time.monotonic()
        for place in (*self._places.values(), self._beyond):
            if place.due < now:
                place.due = math.inf
                place.nodes[1 - place.front].visible = False
        if self._missing(xy):
            return
        self._lay_beyond(xy)
        if self._soft:
            self._press(feet)

    def _missing(self, xy: Array) -> bool:
        """Lay the nearest missing tile; False if there is none."""
        centre = np.floor(xy / TILE).astype(int)
        around = math.ceil(REACH / TILE)
        near = []
        for i in range(centre[0] - around, centre[0] + around + 1):
            for j in range(centre[1] - around, centre[1] + around + 1):
                distance = math.hypot((i + 0.5) * TILE - xy[0], (j + 0.5) * TILE - xy[1])
                place = self._place(i, j)
                shown = place.key == (i, j) and place.version == self._version
                if distance < REACH and not shown:
                    near.append((distance, i, j))
        if near:
            self._lay(*min(near)[1:])
        return bool(near)

    def _press(self, feet: Array) -> None:
        """Lay one tile anew on which the prints have changed near `feet` (F, 2) [m]."""
        corners = np.array([[1, 1], [1, -1], [-1, 1], [-1, -1]]) * FEET
        under = {
            (int(i), int(j)) for i, j in np.floor((feet[:, None] + corners) / TILE).reshape(-1, 2)
        }
        for i, j in under:
            place = self._place(i, j)
            if place.key != (i, j) or place.depth is None or place.due < math.inf:
                continue
            if np.abs(self._prints(i, j) - place.depth).max() > SHALLOW:
                self._lay(i, j)
                return

    def _place(self, i: int, j: int) -> _Place:
        return self._places.setdefault((i % SIDE, j % SIDE), _Place())

    def _prints(self, i: int, j: int) -> Array:
        """Depth of prints on a tile (SAMPLES, SAMPLES) [m]."""
        assert self._ground is not None
        return self._ground.footprint(_grid(i, j, SAMPLES)).reshape(SAMPLES, SAMPLES)

    def _lay(self, i: int, j: int) -> None:
        """Send tile `i`, `j` and let it replace what is in its place."""
        place, prints = self._place(i, j), self._prints(i, j)
        data = self._tile(i, j, prints)
        place.key, place.version, place.depth = (i, j), self._version, prints
        self._send(place, f"tile_{i % SIDE}_{j % SIDE}", data)

    def _tile(self, i: int, j: int, prints: Array) -> bytes:
        """GLB of tile `i`, `j` in the world's frame."""
        ground = self._ground
        assert ground is not None
        xy = _grid(i, j, CELLS + 3, rim=1)
        height = ground.height(xy).reshape(CELLS + 3, CELLS + 3)
        if self._soft:
            height = height - ground.footprint(xy).reshape(height.shape)
        dy, dx = np.gradient(height, TILE / CELLS)
        normal = np.stack([-dx, -dy, np.ones_like(dx)], 2)[1:-1, 1:-1].reshape(-1, 3)
        inside = np.column_stack([xy, height.ravel()]).reshape(CELLS + 3, CELLS + 3, 3)[1:-1, 1:-1]
        # Centres of the outer texels lie on the rim: beyond them the texture would begin again.
        along = (0.5 + np.linspace(0, 1, CELLS + 1) * (TEXELS - 1)) / TEXELS
        u, v = np.meshgrid(along, 1 - along)  # rows of an image run down
        image, roughness = self._texture(i, j, prints)
        mesh = trimesh.Trimesh(
            inside.reshape(-1, 3),
            _faces(CELLS),
            vertex_normals=normal / np.linalg.norm(normal, axis=1, keepdims=True),
            process=False,
            visual=TextureVisuals(
                uv=np.stack([u, v], 2).reshape(-1, 2),
                material=PBRMaterial(
                    baseColorTexture=image,
                    metallicRoughnessTexture=roughness,
                    metallicFactor=0.0,
                    roughnessFactor=1.0,
                ),
            ),
        )
        return _glb(mesh)

    def _texture(self, i: int, j: int, prints: Array) -> tuple[Image.Image, Image.Image]:
        """Colour of a tile, and its roughness in the green channel."""
        ground = self._ground
        assert ground is not None
        xy = _grid(i, j, SAMPLES)
        slot = ground.material(xy).reshape(SAMPLES, SAMPLES)
        rows, columns = (slice(TEXELS * (k % 2), TEXELS * (k % 2 + 1)) for k in (j, i))
        image = np.zeros((TEXELS, TEXELS, 4), np.float32)
        for k in np.unique(slot):
            share = _enlarged(f32(slot == k))[..., None]
            image += share / 255 * self._pictures[ground.names[k]].result()[rows, columns]
        gloss, gain = 1 - image[..., 3], np.ones((SAMPLES, SAMPLES), np.float32)
        wetness = f32(ground.wetness(xy)).reshape(SAMPLES, SAMPLES)
        film = ramp(wetness, 0.25, 0.75)
        if film.any():
            gain *= 1 - 0.45 * film
            gloss = np.maximum(gloss, 0.85 * _enlarged(film))
        if prints.any():
            dy, dx = np.gradient(-prints, TILE / (SAMPLES - 1))
            light = 1 - (dx * SUN[0] + dy * SUN[1]) / SUN[2]
            tone = np.clip(0.7 + 0.3 * light, 0.55, 1.15)
            gain *= f32(tone * (1 - 0.3 * ramp(prints, 0.0005, 0.012)))
        colour = _image(image[..., :3] * _enlarged(gain)[..., None])
        rough = np.zeros((64, 64, 3), np.float32)
        rough[..., 1] = 1 - 0.9 * gloss.reshape(64, TEXELS // 64, 64, -1).mean((1, 3))
        return colour, _image(rough)

    def _lay_beyond(self, xy: Array) -> None:
        """Lay the ground beyond the tiles around `xy` (2,), if the droid is far from its middle."""
        ground, place = self._ground, self._beyond
        assert ground is not None
        if place.version == self._version and np.abs(xy - self._middle).max() < FAR / 8:
            return
        self._middle, place.version = xy.copy(), self._version
        turn = np.linspace(0, 2 * np.pi, SPOKES + 1)
        at = xy + np.stack([np.outer(np.cos(turn), RINGS), np.outer(np.sin(turn), RINGS)], 2)
        height = ground.height(at.reshape(-1, 2)) - DIP
        k = len(RINGS)
        corner = (np.arange(SPOKES)[:, None] * k + np.arange(k - 1)).ravel()
        low = np.stack([corner, corner + 1, corner + k + 1], 1)
        high = np.stack([corner, corner + k + 1, corner + k], 1)
        pictures = [self._pictures[name].result()[..., :3] for name in ground.names]
        mesh = trimesh.Trimesh(
            np.column_stack([at.reshape(-1, 2), height]),
            np.concatenate([low, high]),
            vertex_normals=np.tile((0.0, 0.0, 1.0), (at[..., 0].size, 1)),
            process=False,
            visual=TextureVisuals(
                uv=at.reshape(-1, 2) / SIZE * [1, -1],
                material=PBRMaterial(
                    baseColorTexture=_image(f32(np.mean(pictures, 0) / 255)),
                    metallicFactor=0.0,
                    roughnessFactor=1.0,
                ),
            ),
        )
        self._send(place, "beyond", _glb(mesh))

    def _send(self, place: _Place, name: str, data: bytes) -> None:
        """Let `data` replace what is in `place`."""
        back = 1 - place.front if place.nodes else 0
        if len(place.nodes) <= back:
            name = f"{self._root}/{name}_{back}"
            place.nodes.append(self._scene.add_glb(name, data, cast_shadow=False))
        else:
            place.nodes[back].glb_data = data
            place.nodes[back].visible = True
        place.front = back
        place.due = time.monotonic() + HOLD if len(place.nodes) > 1 else math.inf


def _grid(i: int, j: int, count: int, rim: int = 0) -> Array:
    """Points (count**2, 2) [m] of tile `i`, `j`, x along columns, with `rim` cells around it."""
    along = (np.arange(count) - rim) * TILE / (count - 1 - 2 * rim)
    return np.stack(np.meshgrid(i * TILE + along, j * TILE + along), 2).reshape(-1, 2)


def _faces(cells: int) -> NDArray[np.int64]:
    """Triangles of a square grid of `cells` along a side, facing up."""
    k = (np.arange(cells)[:, None] * (cells + 1) + np.arange(cells)).ravel()
    w = cells + 1
    return np.concatenate([np.stack([k, k + 1, k + w + 1], 1), np.stack([k, k + w + 1, k + w], 1)])


def _glb(mesh: trimesh.Trimesh) -> bytes:
    data = mesh.export(file_type="glb", include_normals=True)
    assert isinstance(data, bytes)
    return data


def _picture(name: str) -> NDArray[np.uint8]:
    """Texture of a material (2 TEXELS, 2 TEXELS, 4), in one colour if it cannot be read."""
    look = material(name).look
    try:
        image = textures.load(look)
    except InputError:
        image = np.empty((2 * TEXELS, 2 * TEXELS, 4), np.uint8)
        image[:] = (*(255 * np.array(look.rgb)), 255)
    size = (2 * TEXELS, 2 * TEXELS)
    return np.asarray(Image.fromarray(image).resize(size, Image.Resampling.BOX))


def _enlarged(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """`values` (SAMPLES, SAMPLES) at the texels of a tile (TEXELS, TEXELS)."""
    picture = Image.fromarray(values).resize((TEXELS, TEXELS), Image.Resampling.BILINEAR)
    return np.asarray(picture)


def _image(values: NDArray[np.float32]) -> Image.Image:
    made = Image.fromarray((np.clip(values, 0, 1) * 255).astype(np.uint8))
    made.format = "JPEG"  # by which trimesh stores it
    return made
