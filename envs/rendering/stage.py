"""Model that a film renders, with meshes and textures that change during the film.

MuJoCo renders a mesh as it was last uploaded. A film writes new vertices into the compiled model,
and the stage records the meshes and textures to upload. A sheet is a mesh over a square grid with a
height at each vertex; y runs along rows, x along columns.
"""

import mujoco
import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
VISIBLE = 2  # geom group that is rendered


class Stage:
    """Spec to which parts are added, then, from `compile` on, a model that can be rewritten."""

    model: mujoco.MjModel

    def __init__(self, spec: mujoco.MjSpec) -> None:
        self.spec = spec
        self._changed_meshes: set[str] = set()
        self._changed_textures: set[str] = set()

    def compile(self) -> None:
        """Compile the spec to `model`; nothing can be added afterwards."""
        self.model = model = self.spec.compile()
        # Vertices are world coordinates: undo the compiler's shift to centres of mass.
        ours = (model.geom_type == mujoco.mjtGeom.mjGEOM_MESH) & (model.geom_bodyid == 0)
        model.geom_pos[ours] = 0
        model.geom_quat[ours] = 1, 0, 0, 0

    def context(self) -> mujoco.MjrContext:
        """Upload everything as it is; return the new context, in the present one of OpenGL."""
        context = mujoco.MjrContext(self.model, mujoco.mjtFontScale.mjFONTSCALE_100)
        self._changed_meshes.clear()
        self._changed_textures.clear()
        return context

    def upload(self, context: mujoco.MjrContext) -> None:
        """Upload meshes and textures that were rewritten since the last call."""
        for name in self._changed_meshes:
            mujoco.mjr_uploadMesh(self.model, context, self.model.mesh(name).id)
        for name in self._changed_textures:
            mujoco.mjr_uploadTexture(self.model, context, self.model.texture(name).id)
        self._changed_meshes.clear()
        self._changed_textures.clear()

    # -- before compilation -------------------------------------------------------------------

    def add_texture(self, name: str, image: NDArray[np.uint8], skybox: bool = False) -> None:
        """Add a texture (height, width, channels)."""
        kind = mujoco.mjtTexture.mjTEXTURE_SKYBOX if skybox else mujoco.mjtTexture.mjTEXTURE_2D
        height, width, channels = image.shape
        texture = self.spec.add_texture(
            name=name, type=kind, width=width, height=height, nchannel=channels
        )
        texture.data = image.tobytes()

    def add_mesh(
        self, name: str, vertices: Array, faces: NDArray, uv: Array, image: NDArray[np.uint8]
    ) -> None:
        """Add a geom of vertices (n, 3), triangles (m, 3) and texture coordinates (n, 2).

        `image` (height, width, channels) is its texture.
        """
        self.add_texture(name, image)
        mesh = self.spec.add_mesh(name=name, inertia=mujoco.mjtMeshInertia.mjMESH_INERTIA_SHELL)
        mesh.uservert = vertices.ravel()
        mesh.usernormal = np.tile([0.0, 0.0, 1.0], len(vertices))
        mesh.usertexcoord = uv.ravel()
        mesh.userface = mesh.userfacenormal = mesh.userfacetexcoord = faces.ravel()
        material = self.spec.add_material(name=name, specular=0.0, shininess=0.3)
        material.textures[mujoco.mjtTextureRole.mjTEXROLE_RGB] = name
        self.spec.worldbody.add_geom(
            name=name,
            type=mujoco.mjtGeom.mjGEOM_MESH,
            meshname=name,
            material=name,
            group=VISIBLE,
            contype=0,
            conaffinity=0,
        )

    def add_sheet(self, name: str, cells: int, texels: int, margin: float = 0.0) -> None:
        """Add a sheet of `cells` x `cells`, whose heights and RGBA texture are written later.

        The texture extends beyond the mesh by `margin` cells on each side.
        """
        along = np.arange(cells + 1.0)
        xy = points(along, along)
        flat = np.column_stack([xy, np.zeros(len(xy))])
        flat[len(flat) // 2, 2] = 0.1  # a mesh without volume does not compile
        uv = (xy + margin) / (cells + 2 * margin)
        image = np.zeros((texels, texels, 4), np.uint8)
        self.add_mesh(name, flat, grid_faces(cells), uv, image)

    # -- afterwards ---------------------------------------------------------------------------

    def write_mesh(self, name: str, vertices: Array, normals: Array) -> None:
        """Set vertices (n, 3) [m], in world coordinates, and unit normals (n, 3) of a mesh."""
        mesh = self.model.mesh(name).id
        vertex, normal = self.model.mesh_vertadr[mesh], self.model.mesh_normaladr[mesh]
        self.model.mesh_vert[vertex : vertex + len(vertices)] = vertices
        self.model.mesh_normal[normal : normal + len(normals)] = normals
        self._changed_meshes.add(name)

    def write_sheet(self, name: str, height: Array, cell: float, origin: Array) -> None:
        """Set the heights (n, n) [m] of a sheet with cells of `cell` [m] from `origin` (2,) [m]."""
        along = np.arange(len(height)) * cell
        gy, gx = np.gradient(height, cell)
        normals = np.stack([-gx, -gy, np.ones_like(gx)], 2).reshape(-1, 3)
        normals /= np.linalg.norm(normals, axis=1, keepdims=True)
        vertices = np.column_stack([points(origin[0] + along, origin[1] + along), height.ravel()])
        self.write_mesh(name, vertices, normals)

    def write_faces(self, name: str, faces: NDArray[np.int32]) -> None:
        """Replace the triangles (m, 3) of the mesh `name`."""
        model, first = self.model, self.model.mesh(name).faceadr[0]
        for array in (model.mesh_face, model.mesh_facenormal, model.mesh_facetexcoord):
            array[first : first + len(faces)] = faces
        self._changed_meshes.add(name)

    def write_texture(self, name: str, image: NDArray[np.uint8]) -> None:
        """Replace the texture `name` (height, width, channels)."""
        first = self.model.texture(name).adr[0]
        self.model.tex_data[first : first + image.size] = image.ravel()
        self._changed_textures.add(name)


def grid_faces(cells: int) -> NDArray[np.int32]:
    """Triangles (2 cells**2, 3) of a square grid, counter-clockwise from above."""
    i = (np.arange(cells)[:, None] * (cells + 1) + np.arange(cells)).ravel()
    lower = np.stack([i, i + 1, i + cells + 2], 1)
    upper = np.stack([i, i + cells + 2, i + cells + 1], 1)
    return np.stack([lower, upper], 1).reshape(-1, 3).astype(np.int32)


def points(x: Array, y: Array) -> Array:
    """Points (x, y) of a grid (len(y) * len(x), 2), x varies fastest."""
    return np.stack(np.meshgrid(x, y), 2).reshape(-1, 2)
