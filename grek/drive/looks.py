"""Looks of the robot on the page: one GLB for each body, from the visual geoms of its model."""

from collections.abc import Iterator, Sequence

import mujoco
import numpy as np
import trimesh
from numpy.typing import NDArray
from trimesh.visual import TextureVisuals
from trimesh.visual.material import PBRMaterial

from grek.envs.rendering.stage import VISIBLE
from grek.envs.robots import Robot
from grek.envs.vectors import Array
from grek.errors import InputError


class Looks:
    """Visual model of `robot`: geoms in group VISIBLE, or all if that group is empty."""

    def __init__(self, robot: Robot) -> None:
        self._model = robot.load_spec().compile()
        self._data = mujoco.MjData(self._model)
        shown = self._model.geom_group == VISIBLE
        self._geoms = np.flatnonzero(shown if shown.any() else np.ones_like(shown))
        self.bodies = np.unique(self._model.geom_bodyid[self._geoms])

    def meshes(self) -> Iterator[tuple[str, bytes]]:
        """Name and GLB of each of `bodies`, in its frame."""
        model = self._model
        for body in self.bodies:
            scene = trimesh.Scene()
            geoms = self._geoms[model.geom_bodyid[self._geoms] == body]
            for look in np.unique(model.geom_matid[geoms]):  # one mesh for each material
                alike = geoms[model.geom_matid[geoms] == look]
                material = self._material(look, alike[0])
                scene.add_geometry(_mesh([self._surface(g) for g in alike], material))
            yield model.body(body).name, bytes(scene.export(file_type="glb", include_normals=True))

    def poses(self, qpos: Array) -> tuple[Array, Array]:
        """Positions (b, 3) [m] and quaternions (b, 4) of `bodies` at `qpos` (nq,)."""
        self._data.qpos[:] = qpos
        mujoco.mj_kinematics(self._model, self._data)
        return self._data.xpos[self.bodies].copy(), self._data.xquat[self.bodies].copy()

    def meets(self, origin: Array, direction: Array) -> bool:
        """True if a ray, from `origin` (3,) [m], meets the robot at the last of its `poses`."""
        groups = np.zeros(mujoco.mjNGROUP, np.uint8)
        groups[self._model.geom_group[self._geoms]] = 1
        found = mujoco.mj_ray(self._model, self._data, origin, direction, groups, True, -1, None)
        return found >= 0

    def _surface(self, geom: int) -> "Surface":
        """Surface of a geom in the frame of its body; raises InputError for a kind unknown here."""
        model = self._model
        size, kind = model.geom_size[geom], mujoco.mjtGeom(int(model.geom_type[geom]))
        if kind == mujoco.mjtGeom.mjGEOM_SPHERE:
            made = _ellipsoid(np.repeat(size[0], 3))
        elif kind == mujoco.mjtGeom.mjGEOM_ELLIPSOID:
            made = _ellipsoid(size)
        elif kind == mujoco.mjtGeom.mjGEOM_CAPSULE:
            made = _capsule(*size[:2])
        elif kind == mujoco.mjtGeom.mjGEOM_CYLINDER:
            made = _cylinder(*size[:2])
        elif kind == mujoco.mjtGeom.mjGEOM_BOX:
            made = _flat(trimesh.creation.box(2 * size))
        elif kind == mujoco.mjtGeom.mjGEOM_MESH:
            made = self._asset(int(model.geom_dataid[geom]))
        else:
            raise InputError(f"geom {model.geom(geom).name!r}: no picture of {kind.name}")
        turn = np.zeros(9)
        mujoco.mju_quat2Mat(turn, model.geom_quat[geom])
        (vertices, normals, faces), turned = made, turn.reshape(3, 3).T
        return vertices @ turned + model.geom_pos[geom], normals @ turned, faces

    def _asset(self, mesh: int) -> "Surface":
        """A mesh of the model."""
        model = self._model
        vertex, face = model.mesh_vertadr[mesh], model.mesh_faceadr[mesh]
        vertices = model.mesh_vert[vertex : vertex + model.mesh_vertnum[mesh]]
        faces = model.mesh_face[face : face + model.mesh_facenum[mesh]]
        return _flat(trimesh.Trimesh(vertices, faces, process=False))

    def _material(self, look: int, geom: int) -> PBRMaterial:
        """Material number `look` of the model, or the plain colour of `geom` for -1."""
        model = self._model
        if look < 0:
            return PBRMaterial(baseColorFactor=linear(model.geom_rgba[geom]), roughnessFactor=0.7)
        rgba = linear(model.mat_rgba[look])
        metal = float(model.mat_specular[look] == 0.9)
        return PBRMaterial(
            baseColorFactor=rgba,
            emissiveFactor=rgba[:3] * model.mat_emission[look],
            metallicFactor=0.6 * metal,
            roughnessFactor=float(1 - 0.75 * model.mat_shininess[look]),
        )


def linear(rgba: NDArray[np.floating]) -> Array:
    """Colour of glTF, linear, from one of sRGB (IEC 61966-2-1); alpha as it is."""
    made = np.array(rgba, float)
    c = made[:3]
    made[:3] = np.where(c <= 0.04045, c / 12.92, ((c + 0.055) / 1.055) ** 2.4)
    return made


Surface = tuple[Array, Array, NDArray[np.int64]]
"""Vertices (v, 3) [m], unit normals (v, 3), triangles (f, 3)."""


def _mesh(surfaces: Sequence[Surface], material: PBRMaterial) -> trimesh.Trimesh:
    """All `surfaces` as one mesh."""
    vertices, normals, faces = zip(*surfaces, strict=True)
    first = np.cumsum([0, *(len(v) for v in vertices[:-1])])
    return trimesh.Trimesh(
        np.concatenate(vertices),
        np.concatenate([f + at for f, at in zip(faces, first, strict=True)]),
        vertex_normals=np.concatenate(normals),
        process=False,
        visual=TextureVisuals(material=material),
    )


def _flat(mesh: trimesh.Trimesh) -> Surface:
    """`mesh` with flat faces."""
    corners = mesh.triangles.reshape(-1, 3)
    return corners, np.repeat(mesh.face_normals, 3, 0), np.arange(len(corners)).reshape(-1, 3)


def _turned(profile: Array, sides: int) -> Surface:
    """Surface of revolution about z of `profile` (k, 4): radius, z, and the normal's share in both.

    Points run upwards.
    """
    angle = np.linspace(0, 2 * np.pi, sides + 1)
    r, z, out, up = np.asarray(profile, float).T
    cos, sin = np.cos(angle), np.sin(angle)
    vertices = np.stack([np.outer(cos, r), np.outer(sin, r), np.tile(z, (sides + 1, 1))], 2)
    normals = np.stack([np.outer(cos, out), np.outer(sin, out), np.tile(up, (sides + 1, 1))], 2)
    k = len(r)
    corner = (np.arange(sides)[:, None] * k + np.arange(k - 1)).ravel()
    low = np.stack([corner, corner + k, corner + k + 1], 1)
    high = np.stack([corner, corner + k + 1, corner + 1], 1)
    return vertices.reshape(-1, 3), normals.reshape(-1, 3), np.concatenate([low, high])


def _sides(radius: float) -> int:
    """Corners of a circle of `radius` [m], 8 to 24."""
    return int(np.clip(8 + 400 * radius, 8, 24)) // 2 * 2


def _ellipsoid(size: Array) -> Surface:
    sides = _sides(size.max())
    angle = np.linspace(-np.pi / 2, np.pi / 2, sides // 2 + 1)
    circle = np.stack([np.cos(angle), np.sin(angle)], 1)
    vertices, normals, faces = _turned(np.hstack([circle, circle]), sides)
    normals = normals / size
    return vertices * size, normals / np.linalg.norm(normals, axis=1, keepdims=True), faces


def _capsule(radius: float, half: float) -> Surface:
    sides = _sides(radius)
    angle = np.linspace(-np.pi / 2, 0, sides // 4 + 1)
    lower = np.stack([radius * np.cos(angle), radius * np.sin(angle) - half], 1)
    lower = np.hstack([lower, np.cos(angle)[:, None], np.sin(angle)[:, None]])
    return _turned(np.concatenate([lower, lower[::-1] * [1, -1, 1, -1]]), sides)


def _cylinder(radius: float, half: float) -> Surface:
    profile = [
        *((0, -half, 0, -1), (radius, -half, 0, -1)),
        *((radius, -half, 1, 0), (radius, half, 1, 0)),
        *((radius, half, 0, 1), (0, half, 0, 1)),
    ]
    return _turned(np.array(profile, float), _sides(radius) + 8)
