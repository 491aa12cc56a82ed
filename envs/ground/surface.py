"""The ground under the soles: terrain and material become planes and friction for MuJoCo.

Height fields cannot differ between the worlds of a batch and their facets brake, so each sole
point has a ground of its own: a plane on a mocap body that only it touches (an explicit contact
pair), laid on the tangent plane of the world's terrain under that point. Friction is a field of
the pair, so the contact has the material's friction exactly. Tyre models meet roads this way.
"""

import mujoco
import numpy as np
from mujoco.batch import Batch
from numpy.typing import NDArray

from grek.envs.ground import materials
from grek.envs.ground.shapes import FourierField, Terrain, normal_quantile, normal_share
from grek.envs.robots.robot import BODY_GEOMS, SOLE_POINTS, SOLE_RADIUS, Array
from grek.envs.scenarios.scenario import Surface
from grek.envs.vectors import dot

PLANES = (*SOLE_POINTS, "body")  # the last one is for the torso, tail and head
SLOTS = 2  # materials a world can mix
FILM_EDGE = 0.2  # the film thins out over this many standard deviations of its field

_FRICTION, _LOW, _HIGH, _SPEED, _AREA, _PATCH, _DEPTH = (
    materials.index(name)
    for name in (
        "friction",
        "wet_ratio_low",
        "wet_ratio_high",
        "slip_speed",
        "wet_area",
        "patch_length",
        "depth",
    )
)


def add_planes(spec: mujoco.MjSpec) -> None:
    """Give the droid `spec` one plane for each of PLANES, on mocap bodies, with explicit pairs."""
    for name in PLANES:
        body = spec.worldbody.add_body(name=f"ground_{name}", mocap=True)
        body.add_geom(
            name=f"ground_{name}",
            type=mujoco.mjtGeom.mjGEOM_PLANE,
            size=[0, 0, 1],
            contype=0,
            conaffinity=0,
            group=4,
        )
        for geom in BODY_GEOMS if name == "body" else (name,):
            spec.add_pair(
                name=f"ground_{geom}",
                geomname1=f"ground_{name}",
                geomname2=geom,
                condim=3,
                friction=[0.8, 0.8, 0, 0, 0],
                solref=[0.012, 1],  # stiff, as rigid ground should be, and above two physics steps
            )


class Ground:
    """Terrain and materials of all worlds, laid under the soles."""

    def __init__(self, model: mujoco.MjModel, batch: Batch) -> None:
        worlds = batch.nsim
        self.terrain = Terrain(worlds)
        self.parameters = np.zeros((worlds, SLOTS, len(materials.PARAMETERS)))
        self._layout = np.zeros(worlds, int)  # 0 single, 1 strips, 2 patches
        self._strip = np.zeros((worlds, 3))  # heading x, y over period [1/m], offset [-]
        self._patches = FourierField(worlds)
        self._film = FourierField(worlds)
        self._film_above = np.zeros((worlds, SLOTS))  # the field's value where the film begins [-]
        self._index = np.arange(worlds)
        self.wet = np.zeros(worlds, bool)
        self.varies = np.zeros(worlds, bool)  # the ground differs from place to place, or by slip
        self.friction = np.zeros((worlds, len(SOLE_POINTS)))  # under each sole point [-]
        self._depth = np.zeros((worlds, len(SOLE_POINTS)))  # of the layer that gives there [m]
        self.normal = np.zeros((worlds, len(PLANES), 3))  # of each plane
        self._position = batch.bind("mocap_pos")  # (worlds, planes, 3)
        self._rotation = batch.bind("mocap_quat")
        pairs = np.array([model.pair(f"ground_{name}").id for name in SOLE_POINTS])
        body_pairs = np.array([model.pair(f"ground_{name}").id for name in BODY_GEOMS])
        self._pair_friction = batch.expand("pair_friction")  # (worlds, pairs, 5)
        self._sole_pairs = slice(pairs[0], pairs[-1] + 1)
        self._body_pairs = slice(body_pairs[0], body_pairs[-1] + 1)

    def set(self, world: int, surface: Surface) -> None:
        """Lay the materials of `surface` in `world`; the shape goes to `terrain`."""
        rows = np.array(surface.parameters)
        self.parameters[world, : len(rows)], self.parameters[world, len(rows) :] = rows, rows[-1]
        self._layout[world] = ("single", "strips", "patches").index(surface.layout)
        wet = rows[:, _AREA] > 0
        self.wet[world] = wet.any()
        self.varies[world] = wet.any() or len(rows) > 1
        self._film_above[world] = np.inf
        if not self.varies[world]:
            return
        rng = np.random.default_rng(surface.seed)
        across = np.array([np.cos(surface.heading), np.sin(surface.heading)])
        self._strip[world] = *across / (SLOTS * surface.length), rng.random()
        self._patches.set(world, surface.length, int(rng.integers(2**31)))
        # The film is one puddle map: its length is that of the first wet material.
        self._film.set(world, rows[wet.argmax(), _PATCH], int(rng.integers(2**31)))
        self._film_above[world] = [normal_quantile(1 - a) for a in self.parameters[world, :, _AREA]]

    def slot(self, xy: Array, worlds: NDArray | slice = slice(None)) -> NDArray[np.int64]:
        """Which of a world's materials lies at xy (m, points, 2) [m]: (m, points) in 0..SLOTS-1."""
        slot = np.zeros(xy.shape[:2], np.int64)
        layout = self._layout[worlds]
        if len(rows := np.flatnonzero(layout == 1)):
            across = self._strip[self._index[worlds][rows], None]
            along = xy[rows, :, 0] * across[..., 0] + xy[rows, :, 1] * across[..., 1]
            along += across[..., 2]
            slot[rows] = (along - np.floor(along)) * SLOTS
        if len(rows := np.flatnonzero(layout == 2)):
            patch = self._patches.value(xy[rows], self._index[worlds][rows])
            slot[rows] = normal_share(patch) * SLOTS
        return np.minimum(slot, SLOTS - 1)

    def wetness(self, xy: Array, slot: NDArray, worlds: NDArray | slice = slice(None)) -> Array:
        """Share of a full film at xy (m, points, 2): (m, points) in [0, 1]."""
        above = np.take_along_axis(self._film_above[worlds], slot, 1)
        return np.clip((self._film.value(xy, worlds) - above) / FILM_EDGE + 0.5, 0, 1)

    def friction_at(
        self, xy: Array, slot: NDArray, slip: Array, worlds: NDArray | slice = slice(None)
    ) -> Array:
        """Friction (m, points) at xy (m, points, 2) [m] for soles that slip at `slip` [m/s]."""
        friction = self.parameter(_FRICTION, slot, worlds)
        if len(rows := np.flatnonzero(self.wet[worlds])):
            xy, slot, worlds = xy[rows], slot[rows], self._index[worlds][rows]
            low, high, speed = (self.parameter(p, slot, worlds) for p in (_LOW, _HIGH, _SPEED))
            wetness = self.wetness(xy, slot, worlds)
            friction[rows] *= film_factor(slip[rows], low, high, speed, wetness)
        return friction

    def parameter(self, column: int, slot: NDArray, worlds: NDArray | slice) -> Array:
        """One of PARAMETERS (m, points) of the materials in `slot` (m, points)."""
        return self.parameters[self._index[worlds][:, None], slot, column]

    def lay(self, soles_w: Array, torso_w: Array, slip: Array, worlds: NDArray[np.int64]) -> None:
        """Put the planes of `worlds` (m,) under the soles.

        `soles_w` (m, 8, 3) are the centres of the sole points, `torso_w` (m, 3) the torso [m],
        `slip` (m, 8) how fast the points slide along the ground [m/s]; only worlds that are `wet`
        ask for it.
        """
        # The plane goes under the contact point, one radius along the last known normal.
        points = np.empty((len(worlds), len(PLANES), 2))
        points[:, :-1] = soles_w[..., :2] - SOLE_RADIUS * self.normal[worlds, :-1, :2]
        points[:, -1] = torso_w[:, :2]
        height, normal = self.terrain.height_and_normal(points, worlds)
        self.normal[worlds] = normal
        if len(rows := np.flatnonzero(self.varies[worlds])):
            which, xy = worlds[rows], points[rows, :-1]
            slot = self.slot(xy, which)
            # From ground that gives onto rigid ground the plane comes up no faster than the sole:
            # one that jumped to the surface would throw the foot out of its print.
            buried = np.minimum(self._depth[which], -self._gap(soles_w[rows], height[rows], which))
            self._depth[which] = np.maximum(self.parameter(_DEPTH, slot, which), buried)
            self.friction[which] = friction = self.friction_at(xy, slot, slip[rows], which)
            self._pair_friction[which, self._sole_pairs, :2] = friction[..., None]
        # Under ground that gives, the rigid plane is the bottom of the layer.
        planes = np.concatenate([points, height[..., None]], 2)
        planes[:, :-1] -= normal[:, :-1] * self._depth[worlds, :, None]
        self._position[worlds] = planes
        # From z to the normal, about a horizontal axis: (1 + n_z, -n_y, n_x, 0), made a unit.
        n_x, n_y, cos = normal[..., 0], normal[..., 1], 1 + normal[..., 2]
        length = np.sqrt(cos**2 + n_y**2 + n_x**2)
        turn = np.zeros((*height.shape, 4))
        turn[..., 0], turn[..., 1], turn[..., 2] = cos / length, -n_y / length, n_x / length
        self._rotation[worlds] = turn

    def _gap(self, soles_w: Array, height: Array, worlds: NDArray) -> Array:
        """From sole points (m, 8, 3) to the undisturbed surface, `height` (m, planes) high [m]."""
        normal = self.normal[worlds, :-1]
        # The surface was asked for one radius along the last normal, as good as under the point.
        return (soles_w[..., 2] - height[:, :-1]) * normal[..., 2] - SOLE_RADIUS

    def lay_first(self, worlds: NDArray[np.int64]) -> None:
        """Give everything that touches the ground in `worlds` its first material, and dry.

        For torso, tail and head that remains so; for soles until `lay` finds something else.
        """
        self._depth[worlds] = self.parameters[worlds, 0, _DEPTH, None]
        self.friction[worlds] = dry = self.parameters[worlds, 0, _FRICTION, None]
        for pairs in (self._body_pairs, self._sole_pairs):
            self._pair_friction[worlds, pairs, :2] = dry[..., None]

    def snapshot(self) -> dict[str, Array]:
        """What `lay` goes on from, for `restore`."""
        return {
            "normal": self.normal.copy(),
            "friction": self.friction.copy(),
            "depth": self._depth.copy(),
        }

    def restore(self, saved: dict[str, Array]) -> None:
        """Go on from a snapshot of the same surfaces."""
        self.normal[:] = saved["normal"]
        self.friction[:] = saved["friction"]
        self._depth[:] = saved["depth"]

    @property
    def body_height(self) -> Array:
        """Height of the ground below each torso (worlds,) [m]."""
        return self._position[:, -1, 2]

    def clearance(
        self, soles_w: Array, worlds: NDArray | slice = slice(None)
    ) -> tuple[Array, Array]:
        """Gap between each sole point (m, 8, 3) and the surface, and the rigid ground [m].

        Both are (m, 8) and negative when pressed; they differ by the layer that gives.
        """
        offset = soles_w - self._position[worlds, :-1]
        rigid = dot(offset, self.normal[worlds, :-1]) - SOLE_RADIUS
        return rigid - self._depth[worlds], rigid


def film_factor(slip: Array, low: Array, high: Array, speed: Array, wetness: Array) -> Array:
    """Friction over dry friction on a film: falls with slip speed, and grades with wetness.

    mu(v) = mu_high + (mu_low - mu_high) exp(-v / v_s) on a full film: 20-30 % below dry at rest
    (sealing, Persson et al. 2005), and falling fast above a critical slip speed (Soft Matter 2024,
    D4SM00843J).
    """
    film = high + (low - high) * np.exp(-slip / np.maximum(speed, 1e-6))
    return 1 + wetness * (film - 1)
