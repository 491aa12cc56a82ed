"""Rigid ground: a plane under each sole point, tangent to the ground, with its friction.

A height field would be shared by all worlds of a batch, and its facet edges resist sliding. So each
sole point has a plane of its own on a mocap body, with an explicit contact pair, placed every
control step on the tangent plane of the world's ground below (as tyre models contact a road).
Friction is a field of the pair, so it is the material's alone. One further plane, below the base,
is for the parts of the body that touch the ground in a fall.
"""

from dataclasses import dataclass
from typing import Any

import mujoco
import numpy as np
from numpy.typing import NDArray

from grek.envs.ground import materials
from grek.envs.ground.kernels import Workers, kernel
from grek.envs.ground.surface import Cover, Ground, friction_at, slot_at
from grek.envs.ground.terrain import Heights, height_and_normal_at
from grek.envs.robots import Robot
from grek.envs.vectors import Array, dot, quaternion_from_z
from grek.errors import InputError

CONTACT_TIME = 0.012  # contact time constant (solref), at least 2 physics steps [s]
_FRICTION, _DEPTH = materials.index("friction"), materials.index("depth")


def add_planes(spec: mujoco.MjSpec, robot: Robot) -> None:
    """Add a plane for each sole point and one for the body to `spec`, with contact pairs.

    Raises InputError for a geom of `robot` that `spec` lacks.
    """
    for name in (*robot.sole_points, *robot.body_geoms):
        if spec.geom(name) is None:
            raise InputError(f"robot {robot.name}: its model has no part {name!r}")
    for name in (*robot.sole_points, "body"):
        body = spec.worldbody.add_body(name=f"ground_{name}", mocap=True)
        body.add_geom(
            name=f"ground_{name}",
            type=mujoco.mjtGeom.mjGEOM_PLANE,
            size=[0, 0, 1],
            contype=0,
            conaffinity=0,
            group=4,
        )
        for geom in robot.body_geoms if name == "body" else (name,):
            spec.add_pair(
                name=f"ground_{geom}",
                geomname1=f"ground_{name}",
                geomname2=geom,
                condim=3,
                friction=[0.8, 0.8, 0, 0, 0],
                solref=[CONTACT_TIME, 1],
            )


@dataclass(frozen=True)
class PlaneArrays:
    """Live arrays of the engine that define the planes: P sole points, then the body."""

    position: Array
    """(worlds, P + 1, 3) [m]"""
    rotation: Array
    """Quaternions (worlds, P + 1, 4)."""
    friction: Array
    """Friction of all contact pairs, both tangents (worlds, pairs, 2) [-]."""
    sole_pairs: NDArray[np.int64]
    """Pair index of each sole point (P,)."""
    body_pairs: NDArray[np.int64]
    """Pair indices of the body's geoms (geoms,)."""


class Planes:
    """Planes of all worlds, for sole points of `radius` [m]."""

    def __init__(
        self, ground: Ground, radius: float, arrays: PlaneArrays, threads: int = 1
    ) -> None:
        worlds, planes, _ = arrays.position.shape
        self.ground = ground
        self.normal = np.zeros((worlds, planes, 3))
        self.friction = np.zeros((worlds, planes - 1))  # under each sole point [-]
        self._depth = np.zeros((worlds, planes - 1))  # of the rigid plane below the surface [m]
        self._radius = radius  # of a sole point [m]
        self._arrays = arrays
        self._workers = Workers(threads)

    def lay(self, soles_w: Array, base_w: Array, slip: Array, worlds: NDArray[np.int64]) -> None:
        """Place the planes of `worlds` (m,) under the sole points and the base.

        `soles_w` (m, P, 3) are the centres of the sole points and `base_w` (m, 3) the base [m],
        `slip` (m, P) the speeds of the points along the ground [m/s], used where it is wet.
        """
        ground, arrays = self.ground, self._arrays
        self._workers.run(
            _lay,
            len(worlds),
            ground.terrain.heights,
            ground.cover,
            ground.varies,
            worlds,
            soles_w,
            np.ascontiguousarray(base_w),
            slip,
            self._radius,
            self.normal,
            self._depth,
            self.friction,
            arrays.position,
            arrays.friction,
            arrays.sole_pairs,
        )
        arrays.rotation[worlds] = quaternion_from_z(self.normal[worlds])

    def lay_first(self, worlds: NDArray[np.int64], normal: Array) -> None:
        """Set the first material, dry, for all planes of `worlds` (m,), with `normal` (m, 3).

        Precedes `lay`, which updates the planes of soles; the body keeps this friction.
        """
        ground = self.ground.parameters[worlds, 0]
        self.normal[worlds] = normal[:, None]
        self._depth[worlds] = ground[:, _DEPTH, None]
        self.friction[worlds] = dry = ground[:, _FRICTION, None]
        for pairs in (self._arrays.sole_pairs, self._arrays.body_pairs):
            self._arrays.friction[worlds[:, None], pairs] = dry[..., None]

    @property
    def body_height(self) -> Array:
        """Height of the ground below each base (worlds,) [m]."""
        return self._arrays.position[:, -1, 2]

    def clearance(
        self, soles_w: Array, worlds: NDArray | slice = slice(None)
    ) -> tuple[Array, Array]:
        """Gaps from sole points (m, P, 3) to the undisturbed surface and to the rigid plane [m].

        Both are (m, P) and negative when penetrating; they differ by the deformable layer.
        """
        offset = soles_w - self._arrays.position[worlds, :-1]
        rigid = dot(offset, self.normal[worlds, :-1]) - self._radius
        return rigid - self._depth[worlds], rigid

    def snapshot(self) -> dict[str, Array]:
        """State for `restore`: what the next `lay` depends on."""
        return {
            "normal": self.normal.copy(),
            "friction": self.friction.copy(),
            "depth": self._depth.copy(),
        }

    def restore(self, saved: dict[str, Array]) -> None:
        """Continue from a snapshot of the same surfaces."""
        self.normal[:] = saved["normal"]
        self.friction[:] = saved["friction"]
        self._depth[:] = saved["depth"]


@kernel
def _lay(
    start: int,
    stop: int,
    heights: Heights,
    cover: Cover,
    varies: Any,
    worlds: Any,
    soles: Any,
    base: Any,
    slip: Any,
    radius: float,
    normals: Any,
    depths: Any,
    frictions: Any,
    position: Any,
    pair_friction: Any,
    sole_pairs: Any,
) -> None:
    points = soles.shape[1]
    for i in range(start, stop):
        w = worlds[i]
        for p in range(points + 1):
            normal = normals[w, p]
            if p < points:
                # Below the contact point, one radius along the previous normal.
                x = soles[i, p, 0] - radius * normal[0]
                y = soles[i, p, 1] - radius * normal[1]
            else:
                x, y = base[i, 0], base[i, 1]
            h, n_x, n_y, n_z = height_and_normal_at(heights, w, x, y)
            normal[0], normal[1], normal[2] = n_x, n_y, n_z
            below = 0.0  # the rigid plane is the bottom of a deformable layer
            if p < points:
                if varies[w]:
                    slot = slot_at(cover, w, x, y)
                    # At a border from deformable to rigid ground the plane stays at the sunken sole
                    # until that rises: a plane that jumped to the surface would eject the foot.
                    gap = (soles[i, p, 2] - h) * n_z - radius
                    buried = min(depths[w, p], -gap)
                    depths[w, p] = max(cover.parameters[w, slot, _DEPTH], buried)
                    friction = friction_at(cover, w, slot, x, y, slip[i, p])
                    frictions[w, p] = friction
                    for c in range(2):
                        pair_friction[w, sole_pairs[p], c] = friction
                below = depths[w, p]
            position[w, p, 0] = x - n_x * below
            position[w, p, 1] = y - n_y * below
            position[w, p, 2] = h - n_z * below
