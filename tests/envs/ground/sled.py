"""A sled on eight sole points: the ground coupling without the droid, for closed-form tests."""

from pathlib import Path

import mujoco
import numpy as np
from mujoco.batch import Batch

from grek.envs.ground.planes import PlaneArrays, Planes, add_planes
from grek.envs.ground.shapes import Shape
from grek.envs.ground.surface import Ground, Surface
from grek.envs.robots import Foot, Robot

GRAVITY = 9.81  # [m/s^2]
SOLE_RADIUS = 0.018  # [m]
_CURRENT = int(mujoco.mjtStage.mjSTAGE_VEL)
_CORNERS = [(x, y) for x in (-0.15, -0.05, 0.05, 0.15) for y in (-0.1, 0.1)]
_POINTS = tuple(f"point_{i}" for i in range(8))

SLED = Robot(
    name="sled",
    model=Path("sled.xml"),  # never read: `sled_spec` makes it
    joints=(),
    home=(),
    feet=tuple(
        Foot("sled", points, sole_size=(0.1, 0.2), sole_centre=(x, 0.0, -0.02 - SOLE_RADIUS))
        for points, x in ((_POINTS[:4], -0.1), (_POINTS[4:], 0.1))
    ),
    stand_height=0.02 + SOLE_RADIUS,
    mass=15.0,
    base="sled",
    body_geoms=("box", "nose"),
)


def sled_spec(timestep: float = 0.005) -> mujoco.MjSpec:
    """A box on spheres."""
    spec = mujoco.MjSpec()
    spec.option.timestep = timestep
    spec.option.cone = mujoco.mjtCone.mjCONE_ELLIPTIC
    spec.option.impratio = 3
    spec.option.integrator = mujoco.mjtIntegrator.mjINT_IMPLICITFAST
    body = spec.worldbody.add_body(name=SLED.base, pos=[0, 0, 0.05])
    body.add_freejoint()
    box = {"type": mujoco.mjtGeom.mjGEOM_BOX, "contype": 0, "conaffinity": 0}
    body.add_geom(name="box", size=[0.17, 0.12, 0.02], mass=SLED.mass, **box)
    body.add_geom(name="nose", size=[0.01, 0.01, 0.01], mass=1e-6, **box)
    for name, (x, y) in zip(SLED.sole_points, _CORNERS, strict=True):
        body.add_geom(
            name=name,
            type=mujoco.mjtGeom.mjGEOM_SPHERE,
            size=[SOLE_RADIUS, 0, 0],
            pos=[x, y, -0.02],
            mass=1e-6,
            contype=0,
            conaffinity=0,
        )
    return spec


def plane_arrays(batch: Batch, robot: Robot) -> PlaneArrays:
    """The arrays of the planes that `add_planes` gave to the model of `batch`."""
    points = len(robot.sole_points)
    friction = batch.expand("pair_friction")[..., :2]
    return PlaneArrays(
        position=batch.bind("mocap_pos"),
        rotation=batch.bind("mocap_quat"),
        sole_friction=friction[:, :points],
        body_friction=friction[:, points:],
    )


class Sled:
    """A sled, started level with the ground and at rest."""

    def __init__(
        self,
        shape: Shape,
        surface: Surface | None = None,
        friction: float | None = None,
        timestep: float = 0.005,
        every: int = 1,
    ) -> None:
        spec = sled_spec(timestep=timestep)
        add_planes(spec, SLED)
        self.model = spec.compile()
        self.batch = Batch(self.model, 1, 1, True)
        self.batch.reset()
        self.ground = Ground(1)
        self.ground.set(np.array([0]), [shape], [surface or Surface()])
        if friction is not None:
            self.ground.parameters[0, :, 0] = friction
        self.planes = Planes(self.ground, SOLE_RADIUS, plane_arrays(self.batch, SLED))
        self.planes.lay_first(np.array([0]), np.array([[0.0, 0.0, 1.0]]))
        self.qpos, self.qvel = self.batch.bind("qpos"), self.batch.bind("qvel")
        self.geoms = np.array([self.model.geom(n).id for n in SLED.sole_points])
        self.body = self.model.body(SLED.base).id
        self.every = every

    def place(self, x: float = 0.0, speed: float = 0.0) -> None:
        """Set the sled down at x, along the ground's normal, sliding forward at `speed` [m/s]."""
        height, normal = self.ground.terrain.height_and_normal(np.array([[[x, 0.0]]]))
        normal = normal[0, 0]
        tilt = np.array([1 + normal[2], -normal[1], normal[0], 0])
        self.qpos[0, 3:7] = tilt / np.linalg.norm(tilt)
        self.qpos[0, :3] = np.array([x, 0, height[0, 0]]) + normal * (0.02 + SOLE_RADIUS)
        along = np.array([normal[2], 0, -normal[0]])
        self.qvel[0] = 0
        self.qvel[0, :3] = speed * along / np.linalg.norm(along)
        self.batch.forward(stage=_CURRENT)
        self.lay()
        self.lay()  # once more with the normal of the first time

    def lay(self) -> None:
        """Update the planes from the present pose."""
        soles = self.batch.bind("geom_xpos")[:, self.geoms]
        slip = np.full((1, 8), np.linalg.norm(self.qvel[0, :2]))
        self.planes.lay(soles, self.batch.bind("xpos")[:, self.body], slip, np.array([0]))

    def step(self, seconds: float) -> np.ndarray:
        """Advance; returns the path (steps, 3) [m]."""
        path = []
        for i in range(round(seconds / self.model.opt.timestep)):
            if i % self.every == 0:
                self.lay()
            self.batch.step(nstep=1, stage=_CURRENT)
            path.append(self.qpos[0, :3].copy())
        return np.array(path)

    @property
    def speed(self) -> float:
        """[m/s]"""
        return float(np.linalg.norm(self.qvel[0, :3]))

    @property
    def energy(self) -> float:
        """Kinetic and potential energy over mass [J/kg]."""
        spin = self.qvel[0, 3:] ** 2 * self.model.body_inertia[self.body]
        return 0.5 * self.speed**2 + 0.5 * spin.sum() / SLED.mass + GRAVITY * float(self.qpos[0, 2])
