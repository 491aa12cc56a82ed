"""Looks of the robot on the page: one GLB for each body, from the visual geoms of its model."""

from collections.abc import Iterator

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
                alike = [self._mesh(g) for g in geoms[model.geom_matid[geoms] == look]]
                mesh = trimesh.util.concatenate(alike)
                mesh.visual = TextureVisuals(material=self._material(look, geoms[0]))
                scene.add_geometry(mesh)
            yield model.body(body).name, bytes(scene.export(file_type="glb", include_normals=True))

    def poses(self, qpos: Array) -> tuple[Array, Array]:
        """Positions (b, 3) [m] and quaternions (b, 4) of `bodies` at `qpos` (nq,)."""
        self._data.qpos[:] = qpos
        mujoco.mj_kinematics(self._model, self._data)
        return self._data.xpos[self.bodies].copy(), self._data.xquat[self.bodies].copy()

    def _mesh(self, geom: int) -> trimesh.Trimesh:
        """Surface of a geom in the frame of its body; raises InputError for a kind unknown here."""
        model = self._model
        size, kind = model.geom_size[geom], mujoco.mjtGeom(int(model.geom_type[geom]))
        across = max(size) if kind == mujoco.mjtGeom.mjGEOM_ELLIPSOID else size[0]
        rings = 8 if across < 0.012 else 16 if across < 0.035 else 28
        if kind == mujoco.mjtGeom.mjGEOM_SPHERE:
            mesh = trimesh.creation.uv_sphere(size[0], count=[rings // 2, rings])
        elif kind == mujoco.mjtGeom.mjGEOM_ELLIPSOID:
            mesh = trimesh.creation.uv_sphere(1.0, count=[rings // 2, rings])
            mesh.apply_scale(size)
        elif kind == mujoco.mjtGeom.mjGEOM_CAPSULE:
            mesh = trimesh.creation.capsule(2 * size[1], size[0], count=[rings, rings // 2])
            mesh.apply_translation([0, 0, -mesh.bounds.mean(0)[2]])
        elif kind == mujoco.mjtGeom.mjGEOM_CYLINDER:
            mesh = _faceted(trimesh.creation.cylinder(size[0], 2 * size[1], sections=rings))
        elif kind == mujoco.mjtGeom.mjGEOM_BOX:
            mesh = _faceted(trimesh.creation.box(2 * size))
        elif kind == mujoco.mjtGeom.mjGEOM_MESH:
            mesh = self._asset(int(model.geom_dataid[geom]))
        else:
            raise InputError(f"geom {model.geom(geom).name!r}: no picture of {kind.name}")
        placed = np.eye(4)
        turn = np.zeros(9)
        mujoco.mju_quat2Mat(turn, model.geom_quat[geom])
        placed[:3, :3], placed[:3, 3] = turn.reshape(3, 3), model.geom_pos[geom]
        mesh.apply_transform(placed)
        return mesh

    def _asset(self, mesh: int) -> trimesh.Trimesh:
        """A mesh of the model."""
        model = self._model
        vertex, face = model.mesh_vertadr[mesh], model.mesh_faceadr[mesh]
        vertices = model.mesh_vert[vertex : vertex + model.mesh_vertnum[mesh]]
        faces = model.mesh_face[face : face + model.mesh_facenum[mesh]]
        return trimesh.Trimesh(vertices, faces)

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


def _faceted(mesh: trimesh.Trimesh) -> trimesh.Trimesh:
    """`mesh` with corners of its own wherever faces meet at more than 30 degrees."""
    return trimesh.graph.smooth_shade(mesh, angle=np.radians(30))
