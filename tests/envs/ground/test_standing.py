"""Weighted soles on every material, through MuJoCo as the droid meets it: they stand still."""

import importlib.util
from pathlib import Path

import mujoco
import numpy as np
import pytest
from mujoco.batch import Batch

from grek.envs.ground.materials import MATERIALS, index
from grek.envs.ground.planes import Planes, add_planes
from grek.envs.ground.shapes import part
from grek.envs.ground.sinking import Sinking
from grek.envs.ground.surface import Ground, Surface
from grek.envs.robots import GREK, Robot

_spec = importlib.util.spec_from_file_location("sled", Path(__file__).with_name("sled.py"))
assert _spec is not None and _spec.loader is not None
sled = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(sled)

CONTROL_STEP = 0.02  # the ground is looked up so often [s]
FOOT = 0.070  # foot frame above the sole [m]
NAMES = list(MATERIALS)
MASS = 15.0  # on the two soles [kg]
SOLE_RADIUS = 0.018  # [m]
SOLES = Robot(
    name="soles",
    model=Path("soles.xml"),  # never read: `soles_spec` makes it
    joints=(),
    home=(),
    feet=GREK.feet,
    stand_height=FOOT,
    mass=MASS,
    body_geoms=("box",),
)
_CURRENT = int(mujoco.mjtStage.mjSTAGE_VEL)
_SPHERES = [(x, y, SOLE_RADIUS - FOOT) for x in (-0.05, 0.095) for y in (-0.014, 0.014)]


def soles_spec(timestep: float) -> mujoco.MjSpec:
    """Two feet of the droid, 0.22 m apart, rigidly under a box of MASS."""
    spec = mujoco.MjSpec()
    spec.option.timestep = timestep
    spec.option.cone = mujoco.mjtCone.mjCONE_ELLIPTIC
    spec.option.impratio = 3
    spec.option.integrator = mujoco.mjtIntegrator.mjINT_IMPLICITFAST
    box = {"type": mujoco.mjtGeom.mjGEOM_BOX, "contype": 0, "conaffinity": 0}
    torso = spec.worldbody.add_body(name=SOLES.base)
    torso.add_freejoint()
    torso.add_geom(name="box", size=[0.08, 0.11, 0.04], pos=[0, 0, 0.05], mass=MASS, **box)
    for foot, y in zip(SOLES.feet, (0.11, -0.11), strict=True):
        body = torso.add_body(name=foot.body, pos=[-0.0225, y, 0])
        for name, place in zip(foot.sole_points, _SPHERES, strict=True):
            sphere = {"type": mujoco.mjtGeom.mjGEOM_SPHERE, "size": [SOLE_RADIUS, 0, 0]}
            body.add_geom(name=name, pos=place, mass=0, contype=0, conaffinity=0, **sphere)
    add_planes(spec, SOLES)
    return spec


class BatchFeet:
    """The feet of a batch, as `Sinking` asks for them."""

    def __init__(self, batch: Batch, model: mujoco.MjModel, robot: Robot) -> None:
        bind = batch.bind
        self.time = bind("time")
        self._feet = [model.body(foot.body).id for foot in robot.feet]
        self._base = model.body(robot.base).id
        self._place, self._turn = bind("xpos"), bind("xmat")
        self._twist, self._centre = bind("cvel"), bind("subtree_com")
        self._middle, self._wrench = bind("xipos"), bind("xfrc_applied")

    def foot_pose(self, worlds: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        place, turn = (a[worlds][:, self._feet] for a in (self._place, self._turn))
        return place, turn.reshape(*place.shape, 3)

    def foot_twist(self, worlds: np.ndarray, origin: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        spin, linear = np.split(self._twist[worlds][:, self._feet], 2, 2)
        arm = origin - self._centre[worlds][:, [self._base]]
        return spin, linear + np.cross(spin, arm)

    def push_feet(
        self, worlds: np.ndarray, origin: np.ndarray, force: np.ndarray, moment: np.ndarray
    ) -> None:
        arm = origin - self._middle[worlds][:, self._feet]
        wrench = np.concatenate([force, moment + np.cross(arm, force)], 2)
        self._wrench[np.ix_(worlds, self._feet)] = wrench


class Soles:
    """A pair on each of `names`, on a slope each, set down level with it."""

    def __init__(self, names: list[str], slopes: list[float], timestep: float = 0.005) -> None:
        self.names, worlds = names, np.arange(len(names))
        self.model = model = soles_spec(timestep).compile()
        self.batch = Batch(model, len(names), 1, True)
        self.batch.reset()
        self.ground = Ground(len(names))
        arrays = sled.plane_arrays(self.batch, model, SOLES)
        self.planes = Planes(self.ground, SOLE_RADIUS, arrays)
        self.sinking = Sinking(SOLES, self.ground, BatchFeet(self.batch, model, SOLES))
        shapes = [(part("slope", rise=slope, heading=0.0),) for slope in slopes]
        rows = [(tuple(MATERIALS[name].nominal().tolist()),) for name in names]
        surfaces = [Surface((name,), row, seed=1) for name, row in zip(names, rows, strict=True)]
        self.ground.set(worlds, shapes, surfaces)
        self.sinking.set(worlds, surfaces, [timestep] * len(names))
        self.soft = np.flatnonzero(self.sinking.soft)
        self.rigid = np.flatnonzero(~self.sinking.soft)
        self.qpos, self.qvel = self.batch.bind("qpos"), self.batch.bind("qvel")
        self.geoms = np.array([model.geom(name).id for name in SOLES.sole_points])
        self.substeps = round(CONTROL_STEP / timestep)
        normal = self.ground.terrain.height_and_normal(np.zeros((len(names), 1, 2)))[1][:, 0]
        self.planes.lay_first(worlds, normal)
        tilt = np.stack([1 + normal[:, 2], -normal[:, 1], normal[:, 0], 0 * normal[:, 0]], 1)
        self.qpos[:, 3:7] = tilt / np.linalg.norm(tilt, axis=1, keepdims=True)
        self.qpos[:, :3] = normal * FOOT
        self.batch.forward(stage=_CURRENT)
        self.lay(worlds)

    def run(self, seconds: float) -> np.ndarray:
        """Advance; returns the path (control steps, worlds, 3) [m]."""
        path = []
        for _ in range(round(seconds / CONTROL_STEP)):
            self.lay(self.rigid)
            self.batch.step(self.rigid, nstep=self.substeps, stage=_CURRENT)
            self.sinking.look(self.soft)
            for _ in range(self.substeps):
                self.sinking.push(self.soft)
                self.batch.step(self.soft, nstep=1, stage=_CURRENT)
            path.append(self.qpos[:, :3].copy())
        return np.array(path)

    def lay(self, worlds: np.ndarray) -> None:
        """Update the planes; those under a layer that gives may stay, on an even slope."""
        spheres = self.batch.bind("geom_xpos")[worlds][:, self.geoms]
        slip = np.repeat(np.linalg.norm(self.qvel[worlds, :3], axis=1)[:, None], 8, 1)
        self.planes.lay(spheres, self.qpos[worlds, :3], slip, worlds)

    def creep(self, world: int, slope: float) -> float:
        """Speed at which MuJoCo's own friction gives on rigid ground of `slope` [m/s].

        A contact's friction obeys a + b v = -R f (MuJoCo, Computation: constraint model), so at
        rest the weight's share along the slope, the sum of all f, needs v = m g sin / sum(b / R).
        """
        model, data = self.batch.get_model(world), self.batch.get_data(world)
        mujoco.mj_forward(model, data)
        rows = np.arange(data.nefc) % 3 > 0  # an elliptic contact: its normal, then two tangents
        give = data.efc_KBIP.reshape(-1, 4)[rows, 1] / data.efc_R[rows]
        return MASS * 9.81 * np.sin(np.arctan(slope)) / give[::2].sum()


def grip(name: str) -> float:
    """Friction of a material at rest, all wet if it can be [-]."""
    values = MATERIALS[name].nominal()
    return float(values[index("friction")] * values[index("wet_ratio_low")])


def test_soles_stand_still_for_a_minute():
    """Level, and on 10 % or half of what friction holds: no drift, no sinking, no trembling.

    Within 0.1 mm on ground that gives. On rigid slopes MuJoCo's friction creeps by 2 mm/s times
    the slope, whatever the friction; nothing may come on top of it.
    """
    slopes = [0.0] * len(NAMES) + [min(0.1, 0.5 * grip(name)) for name in NAMES]
    soles = Soles(NAMES * 2, slopes)
    soles.run(3.0)
    path = soles.run(60.0)
    for world, slope in enumerate(slopes):
        way = path[:, world] - path[0, world]
        if world not in soles.soft:
            speed = soles.creep(world, slope)
            assert 0 <= speed < 3e-3 * slope + 1e-9
            along = np.array([1.0, 0.0, slope]) / np.hypot(1, slope)
            way = way + np.arange(len(way))[:, None] * CONTROL_STEP * speed * along
        name = soles.names[world], slope
        assert np.abs(way).max() < 1e-4, name
        assert np.abs(np.diff(way[500:], axis=0)).max() / CONTROL_STEP < 1e-5, name


def test_a_dropped_tilted_pair_of_soles_settles():
    """From 5 cm, rolled by 0.2 and pitched by 0.3 rad: it comes to rest, and does not tumble."""
    soles = Soles(NAMES, [0.0] * len(NAMES))
    soles.qpos[:, 2] += 0.05
    mujoco.mju_euler2Quat(soles.qpos[0, 3:7], [0.2, 0.3, 0.0], "xyz")
    soles.qpos[:, 3:7] = soles.qpos[0, 3:7]
    soles.batch.forward(stage=_CURRENT)
    soles.run(20.0)  # on stones it rocks at 0.5 Hz, and calms down within 5 s
    upright = 1 - 2 * (soles.qpos[:, 4:6] ** 2).sum(1)
    assert (upright > np.cos(0.5)).all()  # a print may be as crooked as the foot that made it
    assert np.abs(soles.qvel).max() < 0.01
    sunk = (FOOT - soles.qpos[soles.soft, 2]) / [
        MATERIALS[NAMES[world]].nominal()[index("depth")] for world in soles.soft
    ]
    assert ((sunk > 0) & (sunk < 1)).all()


def test_the_step_of_the_physics_changes_little():
    """Put down at once, at 1, 2 and 4 ms; stones, off which soles slide, differ by 0.5 mm.

    Semi-implicit steps damp: of the peak of a sudden load 2 % are lost at 1 ms, 8 % at 4 ms.
    """
    sunk = []
    for timestep in (0.001, 0.002, 0.004):
        soles = Soles(NAMES, [0.0] * len(NAMES), timestep)
        soles.run(1.5)
        sunk.append(FOOT - soles.qpos[:, 2])
    for i, name in enumerate(NAMES):
        slack = 5e-4 if name == "gravel" else 1e-4
        assert sunk[1][i] == pytest.approx(sunk[0][i], rel=0.05, abs=slack), name
        assert sunk[2][i] == pytest.approx(sunk[0][i], rel=0.07, abs=slack), name
