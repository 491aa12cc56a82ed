"""The ground under the soles, against closed forms and MuJoCo's own height field."""

import importlib.util
import sys
from pathlib import Path

import mujoco
import numpy as np
import pytest

from grek.envs.ground import materials
from grek.envs.ground.materials import MATERIALS
from grek.envs.ground.planes import add_planes
from grek.envs.ground.shapes import Shape, part
from grek.envs.ground.surface import Ground, Surface
from grek.errors import InputError

_spec = importlib.util.spec_from_file_location("sled", Path(__file__).with_name("sled.py"))
assert _spec is not None and _spec.loader is not None
sled = importlib.util.module_from_spec(_spec)
sys.modules["sled"] = sled
_spec.loader.exec_module(sled)

RIGID = [name for name, material in MATERIALS.items() if not material.soft]
SETTLE = 0.5  # before a height field is asked to agree [s]
WAVES = (part("waves", height=0.02, length=1.0, heading=0.0, phase=1.4879),)


def surface(name: str) -> tuple[Surface, dict[str, float]]:
    """`name` under one unbroken film if it has any, and its parameters."""
    values = MATERIALS[name].nominal()
    if values[materials.index("wet_area")] > 0:
        values[materials.index("wet_area")] = 1.0
    named = {p.name: float(v) for p, v in zip(materials.PARAMETERS, values, strict=True)}
    return Surface(materials=(name,), parameters=(tuple(values.tolist()),)), named


@pytest.mark.parametrize("name", RIGID)
def test_slip_angle_is_the_arctangent_of_friction(name):
    ground, values = surface(name)
    wet = values["wet_ratio_low"] if values["wet_area"] else 1.0
    angle = np.degrees(np.arctan(values["friction"] * wet))
    moved = []
    for margin in (-0.5, 0.5):
        shape = (part("slope", rise=np.tan(np.radians(angle + margin)), heading=np.pi),)
        on = sled.Sled(shape, ground, every=4)
        on.place()
        on.step(0.3)  # settle
        path = on.step(1.0)
        moved.append(path[-1, 0] - path[0, 0])
    assert abs(moved[0]) < 1e-3
    # Just above the angle it accelerates at g (sin - mu cos), and more once the film forms.
    mu = values["friction"] * wet
    slope = np.radians(angle + 0.5)
    least = 0.5 * sled.GRAVITY * (np.sin(slope) - mu * np.cos(slope)) * np.cos(slope)
    assert moved[1] > 0.7 * least


@pytest.mark.parametrize("name", RIGID)
def test_stopping_distance(name):
    ground, v = surface(name)
    # A step of 5 ms shortens the way by v dt / 2 alone (7 % here); planes still follow each 20 ms.
    on = sled.Sled((), ground, timestep=0.001, every=20)
    on.place(speed=0.5)
    path = on.step(3.0)
    low = high = 1.0
    if v["wet_area"]:
        low, high = v["wet_ratio_low"], v["wet_ratio_high"]
    # Integrate v dv / (g mu(v)) with mu(v) of the table: v^2 / (2 g mu) when there is no film.
    speeds = (np.arange(5000) + 0.5) * 0.5 / 5000
    mu = v["friction"] * (high + (low - high) * np.exp(-speeds / v["slip_speed"]))
    expected = (speeds / (sled.GRAVITY * mu)).sum() * 0.5 / 5000
    assert path[-1, 0] == pytest.approx(expected, rel=0.05)


def test_puddles_have_their_area_and_their_length():
    """Above its median a normal field of correlation r is wet with correlation 2/pi arcsin r.

    So half the ground is wet, and at one correlation length from there r is exp(-1/2).
    """
    worlds, length = 300, 0.3
    values = MATERIALS["wet_concrete"].nominal()
    values[[materials.index("wet_area"), materials.index("patch_length")]] = 0.5, length
    ground = Ground(worlds)
    for area in (0.2, 0.5, 0.8):
        values[materials.index("wet_area")] = area
        rows = (tuple(values.tolist()),)
        surfaces = [Surface(("wet_concrete",), rows, seed=world) for world in range(worlds)]
        ground.set(np.arange(worlds), [()] * worlds, surfaces)
        xy = np.random.default_rng(0).uniform(-5, 5, (worlds, 200, 2))
        slot = np.zeros((worlds, 200), int)
        here, there = (ground.wetness(xy + np.array([d, 0]), slot) for d in (0, length))
        assert here.mean() == pytest.approx(area, rel=0.05)
        if area == 0.5:
            together = np.corrcoef((here > 0.5).ravel(), (there > 0.5).ravel())[0, 1]
            expected = 2 / np.pi * np.arcsin(np.exp(-0.5))
            assert together == pytest.approx(expected, rel=0.05)


@pytest.mark.parametrize("name", RIGID)
def test_contact_friction_is_the_materials_exactly(name):
    ground, values = surface(name)
    on = sled.Sled((), ground)
    on.place()
    on.step(0.1)
    data = on.batch.get_data(0)
    model = on.batch.get_model(0)
    mujoco.mj_forward(model, data)
    wet = values["wet_ratio_low"] if values["wet_area"] else 1.0
    assert data.ncon == len(sled.SLED.sole_points)
    for contact in data.contact:
        assert contact.friction[0] == pytest.approx(values["friction"] * wet, rel=1e-3)
        assert contact.friction[0] == contact.friction[1]


def _hfield(shape: Shape, friction: float, x: float, speed: float, seconds: float) -> np.ndarray:
    """The same sled on MuJoCo's height field with 2 cm cells; its path (steps, 3)."""
    spec = sled.sled_spec()
    reference = sled.Sled(shape)
    size, cells = 2.0, 201
    grid = np.linspace(-size, size, cells)
    xx, yy = np.meshgrid(grid, grid)
    points = np.stack([xx.ravel(), yy.ravel()], 1)[None]
    height, _ = reference.ground.terrain.height_and_normal(points)
    low, high = height.min(), height.max()
    spec.add_hfield(
        name="ground",
        nrow=cells,
        ncol=cells,
        size=[size, size, high - low, 0.1],
        userdata=((height - low) / (high - low)).ravel(),
    )
    spec.worldbody.add_geom(
        name="ground",
        type=mujoco.mjtGeom.mjGEOM_HFIELD,
        hfieldname="ground",
        pos=[0, 0, low],
        contype=1,
        conaffinity=0,
        priority=1,
        friction=[friction, 0, 0],
        solref=[0.012, 1],
    )
    for name in sled.SLED.sole_points:
        spec.geom(name).conaffinity = 1
    model = spec.compile()
    data = mujoco.MjData(model)
    reference.place(x)
    data.qpos[:] = reference.qpos[0]
    path = []
    for i in range(round((SETTLE + seconds) / model.opt.timestep)):
        if i == round(SETTLE / model.opt.timestep):
            data.qvel[0] = speed
        mujoco.mj_step(model, data)
        path.append(data.qpos[:3].copy())
    return np.array(path)


@pytest.mark.parametrize("x", [0.0, 0.13, 0.4])
def test_rests_where_a_height_field_lets_it_rest(x):
    on = sled.Sled(WAVES, friction=0.8, every=4)
    on.place(x)
    ours = on.step(SETTLE + 0.5)[-1]
    assert ours == pytest.approx(_hfield(WAVES, 0.8, x, 0.0, 0.5)[-1], abs=3e-3)


@pytest.mark.parametrize("x", [0.0, 0.4])
def test_brakes_as_on_a_height_field(x):
    on = sled.Sled(WAVES, friction=0.8, every=4)
    on.place(x)
    on.step(SETTLE)
    on.qvel[0, 0] = 1.0
    ours = on.step(1.0)[-1]
    theirs = _hfield(WAVES, 0.8, x, 1.0, 1.0)[-1]
    assert ours[0] - x > 0.04  # it did slide: v^2 / (2 g mu) is 64 mm on the level
    assert ours == pytest.approx(theirs, abs=3e-3)


def test_sliding_without_friction_keeps_energy_at_any_step():
    left = []
    for timestep in (0.0005, 0.002, 0.004):
        on = sled.Sled(WAVES, friction=0.0, timestep=timestep)
        on.place(0.0, speed=1.0)
        before = on.energy - sled.GRAVITY * 0.03
        on.step(1.4)
        left.append((on.energy - sled.GRAVITY * 0.03) / before)
    assert min(left) > 0.97  # the bound: 3 % in 1.4 s, at any physics step
    assert max(left) <= 1.001
    assert max(left) - min(left) < 0.002


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("rise", [0.0125, 0.025, 0.05])
def test_steps_make_no_energy_when_planes_follow_at_the_rate_of_control(rise, seed):
    steps = (part("steps", height=rise, length=0.5, heading=0.0, seed=seed),)
    on = sled.Sled(steps, friction=0.0, every=4)
    on.place(0.0, speed=0.8)
    before, most = on.energy, 0.0
    for _ in range(60):
        on.step(0.02)
        most = max(most, on.energy - before)
    assert most / sled.GRAVITY < max(0.01, 0.4 * rise)  # as height [m]


def test_a_steeper_place_has_a_steeper_plane():
    on = sled.Sled(WAVES)
    on.place(0.0)
    soles = on.batch.bind("geom_xpos")[:, on.geoms]
    gaps, rigid = on.planes.clearance(soles)
    height, normal = on.ground.terrain.height_and_normal(soles[..., :2])
    exact = (soles[..., 2] - height) * normal[..., 2] - sled.SOLE_RADIUS
    assert gaps == pytest.approx(exact, abs=5e-4)
    assert np.array_equal(gaps, rigid)  # there is no layer that gives


def test_every_sole_point_meets_only_its_own_plane():
    spec = sled.sled_spec()
    add_planes(spec, sled.SLED)
    model = spec.compile()
    assert model.nmocap == len(sled.SLED.sole_points) + 1
    for name in sled.SLED.sole_points:
        pair = model.pair(f"ground_{name}")
        assert {int(pair.geom1[0]), int(pair.geom2[0])} == {
            model.geom(name).id,
            model.geom(f"ground_{name}").id,
        }
    assert not model.geom_contype.any()


@pytest.mark.parametrize("length", [0.0, -1.0, np.inf, np.nan])
def test_strips_and_patches_have_a_length(length):
    with pytest.raises(InputError, match="it must be positive"):
        Surface(layout="strips", length=length)


def test_a_place_that_is_not_a_number_has_a_material():
    rows = tuple(tuple(materials.material(name).nominal().tolist()) for name in ("sand", "ice"))
    for layout in ("strips", "patches"):
        ground = Ground(1)
        ground.set([0], [()], [Surface(("sand", "ice"), rows, layout, 0.5, seed=3)])
        assert ground.slot(np.full((1, 3, 2), np.nan)).tolist() == [[0, 0, 0]]
