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

from grek.envs import materials
from grek.envs.robot import BODY_GEOMS, SOLE_POINTS, SOLE_RADIUS, Array
from grek.envs.scenario import Surface
from grek.envs.terrain import FourierField, Terrain, normal_quantile, normal_share

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
        self._wet = np.zeros(worlds, bool)
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
        rng = np.random.default_rng(surface.seed)
        rows = np.array(surface.parameters)
        self.parameters[world] = rows[np.minimum(np.arange(SLOTS), len(rows) - 1)]
        self._layout[world] = ("single", "strips", "patches").index(surface.layout)
        across = np.array([np.cos(surface.heading), np.sin(surface.heading)])
        self._strip[world] = *across / (SLOTS * surface.length), rng.random()
        self._patches.set(world, surface.length, int(rng.integers(2**31)))
        # The film is one puddle map: its length is that of the first wet material.
        wet = self.parameters[world, :, _AREA] > 0
        length = self.parameters[world, wet.argmax(), _PATCH] if wet.any() else 1.0
        self._film.set(world, length, int(rng.integers(2**31)))
        self._film_above[world] = [normal_quantile(1 - a) for a in self.parameters[world, :, _AREA]]
        self._wet[world] = wet.any()
        self.varies[world] = wet.any() or len(rows) > 1

    def slot(self, xy: Array, worlds: Array | slice = slice(None)) -> NDArray[np.int64]:
        """Which of a world's materials lies at xy (m, points, 2) [m]: (m, points) in 0..SLOTS-1."""
        share = np.zeros(xy.shape[:2])
        layout = self._layout[worlds]
        if (layout == 1).any():
            strip = self._strip[worlds][:, None]
            along = (xy * strip[..., :2]).sum(2) + strip[..., 2]
            share = np.where((layout == 1)[:, None], along - np.floor(along), share)
        if (layout == 2).any():
            patch = normal_share(self._patches.value(xy, worlds))
            share = np.where((layout == 2)[:, None], patch, share)
        return np.minimum((share * SLOTS).astype(int), SLOTS - 1)

    def wetness(self, xy: Array, slot: NDArray, worlds: Array | slice = slice(None)) -> Array:
        """Share of a full film at xy (m, points, 2): (m, points) in [0, 1]."""
        above = np.take_along_axis(self._film_above[worlds], slot, 1)
        return np.clip((self._film.value(xy, worlds) - above) / FILM_EDGE + 0.5, 0, 1)

    def friction_at(
        self, xy: Array, slot: NDArray, slip: Array, worlds: Array | slice = slice(None)
    ) -> Array:
        """Friction (m, points) at xy (m, points, 2) [m] for soles that slip at `slip` [m/s]."""
        dry = self.parameter(_FRICTION, slot, worlds)
        if not self._wet[worlds].any():
            return dry
        low, high, speed = (self.parameter(p, slot, worlds) for p in (_LOW, _HIGH, _SPEED))
        return dry * film_factor(slip, low, high, speed, self.wetness(xy, slot, worlds))

    def parameter(self, column: int, slot: NDArray, worlds: Array | slice) -> Array:
        """One of PARAMETERS (m, points) of the materials in `slot` (m, points)."""
        return np.take_along_axis(self.parameters[worlds, :, column], slot, 1)

    def lay(self, soles_w: Array, torso_w: Array, slip: Array, worlds: Array | slice) -> None:
        """Put the planes of `worlds` (m,) under the soles.

        `soles_w` (m, 8, 3) are the centres of the sole points, `torso_w` (m, 3) the torso [m],
        `slip` (m, 8) how fast the points slide along the ground [m/s].
        """
        # The plane goes under the contact point, one radius along the last known normal.
        points = np.concatenate(
            [
                soles_w[..., :2] - SOLE_RADIUS * self.normal[worlds, :-1, :2],
                torso_w[:, None, :2],
            ],
            1,
        )  # (m, planes, 2)
        height, normal = self.terrain.height_and_normal(points, worlds)
        self.normal[worlds] = normal
        xy = points[:, :-1]
        slot = self.slot(xy, worlds)
        self._depth[worlds] = depth = self.parameter(_DEPTH, slot, worlds)
        # Under ground that gives, the rigid plane is the bottom of the layer.
        planes = np.concatenate([points, height[..., None]], 2)
        planes[:, :-1] -= normal[:, :-1] * depth[..., None]
        self._position[worlds] = planes
        turn = np.stack([1 + normal[..., 2], -normal[..., 1], normal[..., 0]], -1)
        turn /= np.sqrt((turn**2).sum(-1, keepdims=True))
        self._rotation[worlds, :, :3] = turn  # from z to the normal, about a horizontal axis
        friction = self.friction_at(xy, slot, slip, worlds)
        self.friction[worlds] = friction
        self._pair_friction[worlds, self._sole_pairs, :2] = friction[..., None]

    def lay_body(self, worlds: Array) -> None:
        """Give torso, tail and head in `worlds` the dry friction of the first material."""
        dry = self.parameters[worlds, 0, _FRICTION]
        self._pair_friction[worlds, self._body_pairs, :2] = dry[:, None, None]

    @property
    def body_height(self) -> Array:
        """Height of the ground below each torso (worlds,) [m]."""
        return self._position[:, -1, 2]

    def clearance(self, soles_w: Array) -> tuple[Array, Array]:
        """Gap between each sole point (worlds, 8, 3) and the surface, and the rigid ground [m].

        Both are (worlds, 8) and negative when pressed; they differ by the layer that gives.
        """
        offset = soles_w - self._position[:, :-1]
        rigid = (offset * self.normal[:, :-1]).sum(2) - SOLE_RADIUS
        return rigid - self._depth, rigid


def film_factor(slip: Array, low: Array, high: Array, speed: Array, wetness: Array) -> Array:
    """Friction over dry friction on a film: falls with slip speed, and grades with wetness.

    mu(v) = mu_high + (mu_low - mu_high) exp(-v / v_s) on a full film: 20-30 % below dry at rest
    (sealing, Persson et al. 2005), and falling fast above a critical slip speed (Soft Matter 2024,
    D4SM00843J).
    """
    film = high + (low - high) * np.exp(-slip / np.maximum(speed, 1e-6))
    return 1 + wetness * (film - 1)
