"""Shadow and reflection of the robot on the ground of a film.

On a software renderer MuJoCo's own shadows cost more than the rest of a frame, and they do not fall
on glossy ground. Here each part of the robot is an ellipsoid, whose shadow along the sun's rays on
the ground plane is an ellipse, with a penumbra that grows with the height of the part. The
reflection is a copy of the robot mirrored below the ground: ellipsoids, capsules, cylinders and
boxes are symmetric, so that a new pose is enough. For a mesh both are approximations.
"""

from functools import cached_property

import mujoco
import numpy as np
from numpy.typing import NDArray

from grek.assets.textures import SUN
from grek.envs.rendering.scenery import Scenery
from grek.envs.rendering.stage import VISIBLE, Array, Stage

WIDTH = 1.28  # of the sheet for a robot at scale 1 [m]; its cells are those of the innermost patch
TEXELS = 112  # of the sheet's texture, along a side
RAISED = 0.25  # height of a point whose shadow is at the centre of the sheet, at scale 1 [m]
COLOUR = 0.03, 0.05, 0.10, 0.55  # of a full shadow
BLUR = 0.10  # width of the penumbra over the height of the part [-]
SMALLEST = 0.012  # thinner parts neither reflect nor cast a shadow, at scale 1 [m]
LIFT = 0.002  # of the sheet above the ground [m]


class Shadow:
    """Sheet `thickness` [m] above the ground that follows the robot and carries its shadow."""

    def __init__(self, stage: Stage, scenery: Scenery, thickness: float, scale: float) -> None:
        self.stage, self.scenery, self._scale = stage, scenery, scale
        self._lift = LIFT + thickness
        patch = scenery.patches[0]
        self._cells = min(round(WIDTH * scale / patch.cell), patch.cells)
        stage.add_sheet("shadow", self._cells, TEXELS)
        stage.spec.material("shadow").rgba = COLOUR

    @cached_property
    def parts(self) -> NDArray[np.int64]:
        """Visible geoms of the robot thicker than SMALLEST."""
        model = self.stage.model
        big = _semi_axes(model).min(1) > SMALLEST * self._scale
        return np.flatnonzero(big & (model.geom_group == VISIBLE) & (model.geom_bodyid > 0))

    def cast(self, data: mujoco.MjData, base: Array, ground: float) -> None:
        """Write the sheet for the pose in `data`, around `base` (2,), at height `ground` [m]."""
        patch, cells = self.scenery.patches[0], self._cells
        centre = base - SUN[:2] / SUN[2] * RAISED * self._scale
        first = np.round((centre - patch.origin) / patch.cell).astype(int) - cells // 2
        first = x, y = np.clip(first, 0, patch.cells - cells)
        height = self.scenery.heights[y : y + cells + 1, x : x + cells + 1] + self._lift
        origin = patch.origin + np.array(first) * patch.cell
        self.stage.write_sheet("shadow", height, patch.cell, origin)
        along = (np.arange(TEXELS) + 0.5) / TEXELS * cells * patch.cell
        share = self._share(data, origin[0] + along, origin[1] + along, ground)
        # Fade at the rim, for a shadow longer than the sheet.
        rim = np.minimum(1, np.minimum(along, along[::-1]) / 0.05)
        texture = np.full((TEXELS, TEXELS, 4), 255, np.uint8)
        texture[..., 3] = 255 * share * rim * rim[:, None]
        self.stage.write_texture("shadow", texture)

    def _share(self, data: mujoco.MjData, x: Array, y: Array, ground: float) -> NDArray[np.float32]:
        """Share of sunlight blocked by the robot (len(y), len(x)) at height `ground` [m]."""
        position, rotation = data.geom_xpos[self.parts], data.geom_xmat[self.parts]
        size = _semi_axes(self.stage.model)[self.parts]
        ray = np.array([[1, 0, -SUN[0] / SUN[2]], [0, 1, -SUN[1] / SUN[2]]])
        height = np.maximum(position[:, 2] - ground, 0.0)
        centre = position[:, :2] + height[:, None] * ray[:, 2]
        axes = ray @ (rotation.reshape(-1, 3, 3) * size[:, None])  # (parts, 2, 3)
        form = np.linalg.inv(axes @ axes.swapaxes(1, 2))  # of the ellipses: v' form v = 1
        extent = np.sqrt(np.linalg.norm(axes, axis=(1, 2)) * size.min(1))
        blur = 0.006 + BLUR * height
        light = np.ones((len(y), len(x)), np.float32)
        for k in range(len(self.parts)):
            # Only the texels near the part.
            reach = np.sqrt((axes[k] ** 2).sum(1)) + blur[k]
            j, i = (
                slice(*np.searchsorted(along, (c - r, c + r)))
                for along, c, r in zip((x, y), centre[k], reach, strict=True)
            )
            dx, dy = x[j] - centre[k, 0], (y[i] - centre[k, 1])[:, None]
            (a, b), (_, c) = form[k]
            radius = np.sqrt(np.maximum(a * dx**2 + 2 * b * dx * dy + c * dy**2, 0))
            light[i, j] *= 1 - np.clip(0.5 + (1 - radius) * extent[k] / blur[k], 0, 1)
        return 1 - light


def reflect(scene: mujoco.MjvScene, parts: set[int], point: Array, normal: Array) -> None:
    """Add mirror images of geoms `parts` to `scene`; the plane contains `point` (3,) [m]."""
    flip = np.eye(3) - 2 * np.outer(normal, normal)
    for k in range(scene.ngeom):
        part = scene.geoms[k]
        if part.objtype != mujoco.mjtObj.mjOBJ_GEOM or part.objid not in parts:
            continue
        if scene.ngeom == scene.maxgeom:
            break
        image = scene.geoms[scene.ngeom]
        rotation = flip @ part.mat @ np.diag([1.0, -1.0, 1.0])
        position = point + flip @ (part.pos - point)
        mujoco.mjv_initGeom(image, part.type, part.size, position, rotation.ravel(), part.rgba)
        image.size[:] = part.size  # initGeom expects sizes of a model, these are of a scene
        for name in ("dataid", "emission", "specular", "shininess"):
            setattr(image, name, getattr(part, name))
        scene.ngeom += 1


def _semi_axes(model: mujoco.MjModel) -> Array:
    """Semi-axes (ngeom, 3) [m] of ellipsoids with about the silhouettes of the geoms."""
    fuller = np.ones(int(mujoco.mjtGeom.mjNGEOMTYPES))
    fuller[mujoco.mjtGeom.mjGEOM_BOX], fuller[mujoco.mjtGeom.mjGEOM_CYLINDER] = 1.2, 1.12
    return model.geom_aabb[:, 3:] * fuller[model.geom_type, None]
