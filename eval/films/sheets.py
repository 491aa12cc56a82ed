"""Meshes of a film that are rewritten while it runs: sheets over a square grid, and loose ones.

MuJoCo draws a mesh as the model has it when it was last uploaded, so a film writes new vertices
into the compiled model and uploads them. A sheet is a grid of square cells with a height at each
vertex; y runs along rows, x along columns.
"""

import mujoco
import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def grid_faces(cells: int) -> NDArray[np.int32]:
    """Triangles (2 cells**2, 3) of a square grid, counter-clockwise from above."""
    i = (np.arange(cells)[:, None] * (cells + 1) + np.arange(cells)).ravel()
    lower = np.stack([i, i + 1, i + cells + 2], 1)
    upper = np.stack([i, i + cells + 2, i + cells + 1], 1)
    return np.stack([lower, upper], 1).reshape(-1, 3).astype(np.int32)


def add_sheet(spec: mujoco.MjSpec, name: str, cells: int, texels: int, margin: float = 0.0) -> None:
    """Add a sheet of `cells` x `cells` whose shape and RGBA texture are written later.

    The texture is wider than the mesh by `margin` cells on each side.
    """
    along = np.arange(cells + 1.0)
    uv = (points(along, along) + margin) / (cells + 2 * margin)
    flat = np.column_stack([points(along, along), np.zeros(len(uv))])
    flat[len(flat) // 2, 2] = 0.1  # a mesh without volume does not compile
    add_mesh(spec, name, flat, grid_faces(cells), uv)
    texture = spec.add_texture(
        name=name, type=mujoco.mjtTexture.mjTEXTURE_2D, width=texels, height=texels, nchannel=4
    )
    texture.data = bytes(4 * texels * texels)


def add_mesh(spec: mujoco.MjSpec, name: str, vertices: Array, faces: NDArray, uv: Array) -> None:
    """Add a geom with a mesh of vertices (n, 3), texture coordinates (n, 2), texture `name`."""
    mesh = spec.add_mesh(name=name, inertia=mujoco.mjtMeshInertia.mjMESH_INERTIA_SHELL)
    mesh.uservert = vertices.ravel()
    mesh.usernormal = np.tile([0.0, 0.0, 1.0], len(vertices))
    mesh.usertexcoord = uv.ravel()
    mesh.userface = mesh.userfacenormal = mesh.userfacetexcoord = faces.ravel()
    material = spec.add_material(name=name, specular=0.0, shininess=0.3)
    material.textures[mujoco.mjtTextureRole.mjTEXROLE_RGB] = name
    spec.worldbody.add_geom(
        name=name,
        type=mujoco.mjtGeom.mjGEOM_MESH,
        meshname=name,
        material=name,
        group=2,
        contype=0,
        conaffinity=0,
    )


def write_mesh(model: mujoco.MjModel, name: str, vertices: Array, normals: Array) -> None:
    """Give the mesh `name` world coordinates (n, 3) [m] and unit normals (n, 3)."""
    mesh = model.mesh(name).id
    first, count = model.mesh_vertadr[mesh], model.mesh_vertnum[mesh]
    model.mesh_vert[first : first + count] = vertices
    first = model.mesh_normaladr[mesh]
    model.mesh_normal[first : first + count] = normals


def place_meshes(model: mujoco.MjModel) -> None:
    """Undo the compiler's move of meshes to their centres of mass: vertices are of the world."""
    meshes = np.flatnonzero(model.geom_type == mujoco.mjtGeom.mjGEOM_MESH)
    model.geom_pos[meshes] = 0
    model.geom_quat[meshes] = 1, 0, 0, 0


def write_sheet(
    model: mujoco.MjModel, name: str, height: Array, cell: float, origin: Array
) -> None:
    """Shape the sheet `name` as `height` (n, n) [m] over cells of `cell` [m] from `origin` [m]."""
    along = np.arange(len(height)) * cell
    gy, gx = np.gradient(height, cell)
    normals = np.stack([-gx, -gy, np.ones_like(gx)], 2).reshape(-1, 3)
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    vertices = np.column_stack([points(origin[0] + along, origin[1] + along), height.ravel()])
    write_mesh(model, name, vertices, normals)


def write_faces(model: mujoco.MjModel, name: str, faces: NDArray[np.int32]) -> None:
    """Replace the triangles (n, 3) of the mesh `name`."""
    first = model.mesh_faceadr[model.mesh(name).id]
    for array in (model.mesh_face, model.mesh_facenormal, model.mesh_facetexcoord):
        array[first : first + len(faces)] = faces


def points(x: Array, y: Array) -> Array:
    """All (x, y) of a grid (len(y) * len(x), 2), x fastest."""
    return np.stack(np.meshgrid(x, y), 2).reshape(-1, 2)
