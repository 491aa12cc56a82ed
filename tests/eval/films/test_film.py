"""Films: the file, the ground and its shadow in it. Nothing but the file tests needs OpenGL."""

import os
import subprocess
import sys
from pathlib import Path

import imageio.v3 as iio
import mujoco
import numpy as np
import pytest

from grek.envs.ground.materials import MATERIALS
from grek.envs.robots import robot
from grek.envs.robots.robot import Array
from grek.errors import InputError
from grek.eval.films import textures
from grek.eval.films.cover import Cover
from grek.eval.films.film import Film, check_rendering
from grek.eval.films.scenery import Scenery
from grek.eval.films.shadow import Shadow, reflect
from grek.eval.films.sheets import place_meshes


def _can_draw() -> bool:
    try:
        check_rendering()
    except InputError:
        return False
    return True


render = pytest.mark.skipif(not _can_draw(), reason="films need libegl1 and ffmpeg")

STAND = np.zeros(21)
STAND[2], STAND[3] = robot.STAND_HEIGHT, 1.0
SMALL = (320, 180)


class Floor:
    """A slope of 10 %, half of it another material, with one print of 20 mm at (0.3, 0.2)."""

    def __init__(self, *names: str, wet: float = 0.0, slope: float = 0.1) -> None:
        self.names = names
        self.wet, self.slope = wet, slope

    def height(self, xy: Array) -> Array:
        return self.slope * xy[:, 0]

    def material(self, xy: Array) -> np.ndarray:
        return np.where(xy[:, 1] > 0, len(self.names) - 1, 0)

    def wetness(self, xy: Array) -> Array:
        return np.full(len(xy), self.wet)

    def footprint(self, xy: Array) -> Array:
        return 0.02 * (np.abs(xy - [0.3, 0.2]).max(1) < 0.05)


def _laid(floor: Floor, xy: tuple[float, float] = (0.0, 0.0)) -> tuple[Scenery, mujoco.MjModel]:
    spec = robot.load_spec()
    scenery = Scenery(spec, floor)
    model = spec.compile()
    place_meshes(model)
    scenery.bind(model)
    scenery.follow(np.array(xy), True)
    return scenery, model


def _vertices(model: mujoco.MjModel, name: str) -> Array:
    mesh = model.mesh(name).id
    first, count = model.mesh_vertadr[mesh], model.mesh_vertnum[mesh]
    return model.mesh_vert[first : first + count]


# -- textures ----------------------------------------------------------------------------


@pytest.mark.parametrize("name", MATERIALS)
def test_paint_continues_into_itself(name: str) -> None:
    rgb, gloss = textures.paint(name)
    assert rgb.shape == (textures.N, textures.N, 3)
    for image in (rgb, gloss):
        assert image.min() >= 0 and image.max() <= 1
    inside = np.abs(np.diff(rgb, axis=1)).mean((0, 2))
    seam = np.abs(rgb[:, 0] - rgb[:, -1]).mean()
    assert seam <= inside.max() * 1.05  # no worse than the sharpest column inside


def test_light_on_a_relief() -> None:
    assert textures.sunlit(np.zeros((textures.N, textures.N))) == pytest.approx(1.0)
    # A plane z = a x seen from (-a, 0, 1) / sqrt(1 + a^2): cosine law against level ground.
    a, (sx, _, sz) = 0.5, textures.SUN
    x = np.arange(textures.N) * textures.TEXEL
    lit = textures.sunlit(np.tile(a * x, (textures.N, 1)))[5, 5]
    expected = (sz - a * sx) / np.sqrt(1 + a * a) / sz
    assert lit == pytest.approx(0.45 + 0.55 * expected, rel=1e-3)


# -- ground ------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["dry_concrete", "snow"])
def test_patches_have_the_height_of_the_ground(name: str) -> None:
    floor = Floor(name)
    scenery, model = _laid(floor, (0.4, 0.1))
    for patch in scenery.patches:
        v = _vertices(model, patch.name)
        print_ = floor.footprint(v[:, :2]) if patch.width < 3 and name == "snow" else 0
        np.testing.assert_allclose(v[:, 2], floor.height(v[:, :2]) - print_, atol=1e-5)


def test_patches_nest_around_the_droid_as_it_walks() -> None:
    scenery, model = _laid(Floor("wood"))
    for step in range(16):
        xy = np.array([0.13 * step, -0.29 * step])
        scenery.follow(xy, False)
        for inner, outer in zip(scenery.patches, scenery.patches[1:], strict=False):
            assert (xy - inner.origin > 0.35 * inner.width).all()
            assert (xy - inner.origin < 0.65 * inner.width).all()
            # Corners of the inner patch are vertices of the outer one: no gap between them.
            corner = (inner.origin - outer.origin) / outer.cell
            np.testing.assert_allclose(corner, np.round(corner), atol=1e-6)
            first = model.mesh_faceadr[model.mesh(outer.name).id]
            faces = model.mesh_face[first : first + 2 * outer.cells**2]
            hole = np.flatnonzero((faces == 0).all(1).reshape(-1, 2).all(1))  # cells left out
            assert len(hole) == round(inner.width / outer.cell) ** 2
            row, column = (hole // outer.cells).mean(), (hole % outer.cells).mean()
            middle = outer.origin + (np.array([column, row]) + 0.5) * outer.cell
            np.testing.assert_allclose(middle, inner.origin + inner.width / 2, atol=outer.cell)


def test_prints_are_drawn_when_they_come() -> None:
    floor = Floor("sand")
    pressed = floor.footprint
    floor.footprint = lambda xy: np.zeros(len(xy))  # type: ignore[method-assign]
    scenery, model = _laid(floor)
    before = _vertices(model, "ground_0").copy()
    floor.footprint = pressed  # type: ignore[method-assign]
    meshes, _ = scenery.follow(np.zeros(2), True)
    after = _vertices(model, "ground_0")
    assert meshes == [model.mesh("ground_0").id]
    np.testing.assert_allclose(before[:, 2] - after[:, 2], pressed(after[:, :2]), atol=1e-6)
    assert (before[:, 2] - after[:, 2]).max() == pytest.approx(0.02, abs=1e-6)


def test_only_a_film_of_water_or_a_polish_mirrors() -> None:
    assert not _laid(Floor("dry_concrete"))[0].mirrors()
    assert _laid(Floor("wet_concrete", wet=1.0))[0].mirrors()
    assert _laid(Floor("ice"))[0].mirrors()


def test_grass_grows_on_grass_alone() -> None:
    spec = robot.load_spec()
    scenery = Scenery(spec, Floor("dry_concrete", "grass"))
    cover = Cover(spec, scenery)
    model = spec.compile()
    scenery.bind(model)
    scenery.follow(np.zeros(2), True)
    cover.lay(model)
    tufts = _vertices(model, "cover_grass").reshape(-1, 36, 3)
    tall = np.ptp(tufts[..., 2], axis=1) > 0.01
    assert tall.sum() > 500
    assert tufts[tall, :, 1].mean(1).min() > -0.05
    assert tufts[~tall, :, 1].mean(1).min() < -1.0


# -- shadow and reflection ---------------------------------------------------------------


def test_the_shadow_lies_away_from_the_sun() -> None:
    spec = robot.load_spec()
    scenery = Scenery(spec, Floor("wood", slope=0.0))
    shadow = Shadow(spec, scenery, 0.0)
    model = spec.compile()
    place_meshes(model)
    scenery.bind(model)
    shadow.bind(model)
    scenery.follow(np.zeros(2), True)
    data = mujoco.MjData(model)
    mujoco.mj_resetDataKeyframe(model, data, model.key("stand").id)
    mujoco.mj_kinematics(model, data)
    shadow.cast(data, 0.0)
    texture = model.texture("shadow").id
    first, side = model.tex_adr[texture], model.tex_width[texture]
    dark = model.tex_data[first : first + 4 * side * side].reshape(side, side, 4)[..., 3] / 255.0
    v = _vertices(model, "shadow")
    low, high = v[:, :2].min(0), v[:, :2].max(0)
    at = [low[i] + (np.arange(side) + 0.5) / side * (high[i] - low[i]) for i in (0, 1)]
    centre = np.array([(dark.sum(0) * at[0]).sum(), (dark.sum(1) * at[1]).sum()]) / dark.sum()
    # The mean height of what casts it, about 0.3 m, shifts it against the sun.
    shift = -textures.SUN[:2] / textures.SUN[2] * 0.3
    np.testing.assert_allclose(centre, shift, atol=0.07)
    # Under a foot there is next to no light.
    foot = data.site("left_sole").xpos
    column, row = (int((foot[i] - low[i]) / (high[i] - low[i]) * side) for i in (0, 1))
    assert dark[row, column] > 0.9


def test_the_reflection_mirrors_every_part() -> None:
    model = robot.load_spec().compile()
    data = mujoco.MjData(model)
    mujoco.mj_resetDataKeyframe(model, data, model.key("crouch").id)
    mujoco.mj_forward(model, data)
    scene = mujoco.MjvScene(model, maxgeom=1000)
    option, camera = mujoco.MjvOption(), mujoco.MjvCamera()
    bits = mujoco.mjtCatBit.mjCAT_ALL
    mujoco.mjv_updateScene(model, data, option, None, camera, bits, scene)
    count = scene.ngeom
    drawn = [g for g in scene.geoms[:count] if g.objtype == mujoco.mjtObj.mjOBJ_GEOM]
    chosen = {g.objid for g in drawn if model.geom_group[g.objid] == 2}
    normal = np.array([0.6, 0.0, 0.8])
    point = np.array([0.0, 0.0, -0.1])
    originals = [g for g in drawn if g.objid in chosen]
    reflect(scene, chosen, point, normal)
    images = scene.geoms[count : scene.ngeom]
    assert len(images) == len(originals) == len(chosen)
    mirror = np.eye(3) - 2 * np.outer(normal, normal)
    for part, image in zip(originals, images, strict=True):
        # Midway between a point and its image lies the mirror.
        assert normal @ ((part.pos + image.pos) / 2 - point) == pytest.approx(0, abs=1e-6)
        assert np.linalg.det(image.mat) == pytest.approx(1, abs=1e-5)
        shape = part.mat @ np.diag(part.size**2) @ part.mat.T
        seen = image.mat @ np.diag(image.size**2) @ image.mat.T
        np.testing.assert_allclose(seen, mirror @ shape @ mirror.T, atol=1e-7)


# -- the file ----------------------------------------------------------------------------


@render
def test_a_film_has_its_frames_at_true_speed(tmp_path: Path) -> None:
    path = tmp_path / "new" / "walk.mp4"
    with Film(path, Floor("grass", "gravel"), fps=25, size=SMALL) as film:
        for k in range(5):
            qpos = STAND.copy()
            qpos[0] = 0.4 * k
            film.add(qpos, f"frame {k}")
        assert not path.exists()
    assert [p.name for p in path.parent.iterdir()] == ["walk.mp4"]
    frames = iio.imread(path)
    meta = iio.immeta(path)
    assert frames.shape == (5, SMALL[1], SMALL[0], 3)
    assert meta["codec"] == "h264" and meta["pix_fmt"].startswith("yuv420p")
    assert meta["fps"] == 25 and meta["duration"] == pytest.approx(0.2)


@render
def test_water_darkens_concrete_and_snow_is_white(tmp_path: Path) -> None:
    near = {}
    for name, floor in {
        "dry": Floor("wet_concrete", slope=0.0),
        "wet": Floor("wet_concrete", wet=1.0, slope=0.0),
        "snow": Floor("snow", slope=0.0),
    }.items():
        with Film(tmp_path / f"{name}.mp4", floor, size=SMALL) as film:
            film.add(STAND, "")
        frame = iio.imread(tmp_path / f"{name}.mp4")[0]
        near[name] = frame[100:140, 250:310].mean()  # to the right of the droid
    assert near["wet"] < 0.8 * near["dry"]
    assert near["snow"] > 1.2 * near["dry"]


@render
def test_an_exception_leaves_nothing(tmp_path: Path) -> None:
    with (
        pytest.raises(RuntimeError, match="fell"),
        Film(tmp_path / "walk.mp4", Floor("tile"), size=SMALL) as film,
    ):
        film.add(STAND, "")
        raise RuntimeError("fell")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"fps": 30}, "fps 30 is not one of 25, 50"),
        ({"size": (321, 180)}, "321x180 is not even"),
        ({"path": "walk.gif"}, "'walk.gif' does not end in .mp4"),
    ],
)
def test_bad_settings_are_named(tmp_path: Path, settings: dict, message: str) -> None:
    path = tmp_path / settings.pop("path", "walk.mp4")
    with pytest.raises(InputError, match=message):
        Film(path, Floor("wood"), **settings)


def _python(code: str, **environment: str) -> subprocess.CompletedProcess:
    names = ("MUJOCO_GL", "DISPLAY", "PYOPENGL_PLATFORM")
    clean = {name: value for name, value in os.environ.items() if name not in names}
    return subprocess.run(
        [sys.executable, "-c", code],
        env=clean | environment,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.skipif(sys.platform != "linux", reason="EGL is how Linux draws without a display")
def test_without_egl_one_line_names_the_package() -> None:
    code = (
        "from grek.errors import InputError\nfrom grek.eval.films.film import check_rendering\n"
        "try:\n    check_rendering()\nexcept InputError as error:\n    print(error)"
    )
    done = _python(code, __EGL_VENDOR_LIBRARY_DIRS="/nowhere")
    assert done.returncode == 0, done.stderr
    assert "libegl1" in done.stdout and done.stdout.count("\n") == 1


@render
def test_drawing_works_if_mujoco_was_imported_before() -> None:
    done = _python(
        "import mujoco\nfrom grek.eval.films.film import check_rendering\ncheck_rendering()"
    )
    assert done.returncode == 0, done.stderr
