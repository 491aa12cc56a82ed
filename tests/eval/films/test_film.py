"""Films: files, ground, cover, shadow and reflection. Tests of files need OpenGL."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import imageio.v3 as iio
import mujoco
import numpy as np
import pytest
from PIL import Image

from grek.assets import asset_path
from grek.assets.textures import SUN, TEXELS
from grek.envs.ground import materials
from grek.envs.ground.materials import MATERIALS, Look, Material
from grek.envs.robots import GREK
from grek.errors import InputError
from grek.eval.films import textures
from grek.eval.films.canvas import check_rendering
from grek.eval.films.cover import KINDS, Cover
from grek.eval.films.film import Film
from grek.eval.films.scenery import Scenery
from grek.eval.films.shadow import Shadow, reflect
from grek.eval.films.stage import Array, Stage


def _can_draw() -> bool:
    try:
        check_rendering()
    except InputError:
        return False
    return True


render = pytest.mark.skipif(not _can_draw(), reason="films need libegl1 and ffmpeg")

STAND = np.zeros(21)
STAND[2], STAND[3] = GREK.stand_height, 1.0
SMALL = (320, 180)


class Floor:
    """Slope of 10 %, the last material where y > 0, a print of 20 mm at (0.3, 0.2)."""

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
    stage = Stage(mujoco.MjSpec())
    scenery = Scenery(stage, floor)
    stage.compile()
    scenery.follow(np.array(xy), True)
    return scenery, stage.model


def _film(path: Path, floor: Floor, **settings: Any) -> Film:
    return Film(path, floor, GREK.load_spec(), GREK.base, **{"size": SMALL} | settings)


def _vertices(model: mujoco.MjModel, name: str) -> Array:
    mesh = model.mesh(name).id
    first, count = model.mesh_vertadr[mesh], model.mesh_vertnum[mesh]
    return model.mesh_vert[first : first + count]


# -- textures ----------------------------------------------------------------------------


@pytest.mark.parametrize("row", MATERIALS.values(), ids=MATERIALS)
def test_every_material_has_a_texture_in_its_colour(row: Material) -> None:
    assert row.look.texture is not None
    assert asset_path(f"textures/{row.look.texture}").is_file()
    image = textures.load(row.look)
    assert image.shape == (TEXELS, TEXELS, 4)
    assert image[..., 3].min() > 255 * 0.5  # none reflects more than half of the light
    # Joints and shade darken some; carpet, tiles and leaves have several colours.
    assert image[..., :3].mean((0, 1)) / 255 == pytest.approx(row.look.rgb, abs=0.25)


@pytest.mark.parametrize("pattern", textures.PATTERNS)
def test_a_pattern_takes_the_colour_of_the_look(pattern: str) -> None:
    image = textures.load(Look((0.30, 0.20, 0.25), pattern))
    # Highlights are clipped at white, and values are integers.
    assert image[..., :3].mean((0, 1)) == pytest.approx([76.5, 51.0, 63.75], abs=1.5)
    assert image[..., :3].std() > 2


def test_a_picture_from_outside_is_a_texture(tmp_path: Path) -> None:
    Image.new("RGB", (64, 64), (200, 100, 50)).save(tmp_path / "lava.png")
    image = textures.load(Look((0, 0, 0), texture=tmp_path / "lava.png"))
    assert image.shape == (TEXELS, TEXELS, 4)
    assert (image == (200, 100, 50, 255)).all()


@pytest.mark.parametrize(
    ("look", "message"),
    [
        (Look((0, 0, 0), "stripes"), "unknown pattern 'stripes'; there are: plain, speckle"),
        (Look((0, 0, 0), texture="lava.webp"), "lava.webp cannot be read"),
        (Look((0, 0, 0), texture="paint.py"), "paint.py cannot be read"),
    ],
)
def test_a_look_that_cannot_be_drawn_is_refused(look: Look, message: str) -> None:
    with pytest.raises(InputError, match=message):
        textures.load(look)


def test_an_unknown_cover_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    moss = Material("moss", "moss", False, Look((0.3, 0.4, 0.2), cover="moss"), {})
    monkeypatch.setitem(materials.MATERIALS, "moss", moss)
    stage = Stage(mujoco.MjSpec())
    scenery = Scenery(stage, Floor("moss"))
    with pytest.raises(InputError, match="unknown cover 'moss'; there are: grass, stones, leaves"):
        Cover(stage, scenery)


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
    assert not scenery.follow(np.zeros(2), True)
    floor.footprint = pressed  # type: ignore[method-assign]
    assert not scenery.follow(np.zeros(2), False)
    assert scenery.follow(np.zeros(2), True)
    after = _vertices(model, "ground_0")
    np.testing.assert_allclose(before[:, 2] - after[:, 2], pressed(after[:, :2]), atol=1e-6)
    assert (before[:, 2] - after[:, 2]).max() == pytest.approx(0.02, abs=1e-6)


def test_only_a_film_of_water_or_a_polish_mirrors() -> None:
    assert not _laid(Floor("dry_concrete"))[0].patches[0].glossy
    assert _laid(Floor("wet_concrete", wet=1.0))[0].patches[0].glossy
    assert _laid(Floor("ice"))[0].patches[0].glossy


def test_grass_grows_on_grass_alone() -> None:
    stage = Stage(mujoco.MjSpec())
    scenery = Scenery(stage, Floor("dry_concrete", "grass"))
    cover = Cover(stage, scenery)
    stage.compile()
    scenery.follow(np.zeros(2), True)
    cover.lay()
    tufts = _vertices(stage.model, "cover_grass").reshape(-1, 36, 3)
    tall = np.ptp(tufts[..., 2], axis=1) > 0.01
    assert tall.sum() > 500
    assert tufts[tall, :, 1].mean(1).min() > -0.05
    assert tufts[~tall, :, 1].mean(1).min() < -1.0


@pytest.mark.parametrize("kind", KINDS)
def test_what_lies_stays_where_it_is_when_the_patch_moves(
    monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    row = Material("covered", "covered", False, Look((0.5, 0.5, 0.5), cover=kind), {})
    monkeypatch.setitem(materials.MATERIALS, "covered", row)
    stage = Stage(mujoco.MjSpec())
    scenery = Scenery(stage, Floor("covered", slope=0.0))
    cover = Cover(stage, scenery)
    stage.compile()
    seen = []
    for x in (0.0, 0.5):
        assert scenery.follow(np.array([x, 0.0]), False)
        cover.lay()
        first = _vertices(stage.model, "cover_covered")
        near = np.linalg.norm(first[:, :2] - [0.25, 0.0], axis=1) < 0.5
        seen.append(set(map(tuple, np.round(first[near], 4).tolist())))
    assert len(seen[0]) > 500
    assert len(seen[0] & seen[1]) > 0.99 * len(seen[0])  # except rounding of the fourth digit


# -- shadow and reflection ---------------------------------------------------------------


def test_the_shadow_lies_away_from_the_sun() -> None:
    stage = Stage(GREK.load_spec())
    scenery = Scenery(stage, Floor("wood", slope=0.0))
    shadow = Shadow(stage, scenery, 0.0, 1.0)
    stage.compile()
    model = stage.model
    scenery.follow(np.zeros(2), True)
    data = mujoco.MjData(model)
    mujoco.mj_resetDataKeyframe(model, data, model.key("stand").id)
    mujoco.mj_kinematics(model, data)
    shadow.cast(data, np.zeros(2), 0.0)
    texture = model.texture("shadow").id
    first, side = model.tex_adr[texture], model.tex_width[texture]
    dark = model.tex_data[first : first + 4 * side * side].reshape(side, side, 4)[..., 3] / 255.0
    v = _vertices(model, "shadow")
    low, high = v[:, :2].min(0), v[:, :2].max(0)
    at = [low[i] + (np.arange(side) + 0.5) / side * (high[i] - low[i]) for i in (0, 1)]
    centre = np.array([(dark.sum(0) * at[0]).sum(), (dark.sum(1) * at[1]).sum()]) / dark.sum()
    # The mean height of the robot, about 0.3 m, shifts it away from the sun.
    shift = -SUN[:2] / SUN[2] * 0.3
    np.testing.assert_allclose(centre, shift, atol=0.07)
    # Under a foot it is nearly dark.
    foot = data.site("left_sole").xpos
    column, row = (int((foot[i] - low[i]) / (high[i] - low[i]) * side) for i in (0, 1))
    assert dark[row, column] > 0.9


def test_the_reflection_mirrors_every_part() -> None:
    model = GREK.load_spec().compile()
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
        # The mirror plane halves the distance between a point and its image.
        assert normal @ ((part.pos + image.pos) / 2 - point) == pytest.approx(0, abs=1e-6)
        assert np.linalg.det(image.mat) == pytest.approx(1, abs=1e-5)
        shape = part.mat @ np.diag(part.size**2) @ part.mat.T
        seen = image.mat @ np.diag(image.size**2) @ image.mat.T
        np.testing.assert_allclose(seen, mirror @ shape @ mirror.T, atol=1e-7)


# -- the file ----------------------------------------------------------------------------


@render
def test_a_film_has_its_frames_at_true_speed(tmp_path: Path) -> None:
    path = tmp_path / "new" / "walk.mp4"
    with _film(path, Floor("grass", "gravel")) as film:
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
        with _film(tmp_path / f"{name}.mp4", floor) as film:
            film.add(STAND, "")
        frame = iio.imread(tmp_path / f"{name}.mp4")[0]
        near[name] = frame[100:140, 250:310].mean()  # to the right of the droid
    assert near["wet"] < 0.8 * near["dry"]
    assert near["snow"] > 1.2 * near["dry"]


@render
def test_an_exception_leaves_nothing(tmp_path: Path) -> None:
    with (
        pytest.raises(RuntimeError, match="fell"),
        _film(tmp_path / "walk.mp4", Floor("tile")) as film,
    ):
        film.add(STAND, "")
        raise RuntimeError("fell")
    assert list(tmp_path.iterdir()) == []


@render
@pytest.mark.parametrize("suffix", ["webp", "gif"])
def test_a_film_is_an_animated_picture(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"walk.{suffix}"
    with _film(path, Floor("wood", slope=0.0)) as film:
        for k in range(4):
            film.add(STAND + np.eye(21)[0] * 0.1 * k, f"frame {k}")
    with Image.open(path) as picture:
        assert picture.size == SMALL
        assert picture.n_frames == 4  # type: ignore[attr-defined]
        assert picture.info["loop"] == 0  # for ever
        times = []
        for k in range(4):
            picture.seek(k)
            picture.load()
            times.append(picture.info["duration"])
    assert times == [40] * 4


QUADRUPED = """<mujoco><worldbody><body name="trunk" pos="0 0 0.2"><freejoint/>
<geom type="capsule" size="0.05" fromto="-0.1 0 0 0.1 0 0" rgba="1 0 0 1"/>
<body pos="0.1 0.05 0"><joint axis="0 1 0"/><geom size="0.02" fromto="0 0 0 0 0 -0.18"/></body>
<body pos="0.1 -0.05 0"><joint axis="0 1 0"/><geom size="0.02" fromto="0 0 0 0 0 -0.18"/></body>
<body pos="-0.1 0.05 0"><joint axis="0 1 0"/><geom size="0.02" fromto="0 0 0 0 0 -0.18"/></body>
<body pos="-0.1 -0.05 0"><joint axis="0 1 0"/><geom size="0.02" fromto="0 0 0 0 0 -0.18"/></body>
</body></worldbody></mujoco>""".replace("<geom size", '<geom type="capsule" size')


@render
def test_a_robot_without_looks_is_seen_with_its_shadow(tmp_path: Path) -> None:
    path = tmp_path / "walk.mp4"
    spec = mujoco.MjSpec.from_string(QUADRUPED)
    with Film(path, Floor("dry_concrete", slope=0.0), spec, "trunk", size=SMALL) as film:
        for height in (0.2, 50.0):  # the second is above the picture
            qpos = np.zeros(11)
            qpos[2], qpos[3] = height, 1.0
            film.add(qpos, "")
    seen, empty = iio.imread(path).astype(float)
    red = (seen[..., 0] - seen[..., 1] > 80).mean()  # the trunk
    assert 0.005 < red < 0.2
    brightness = seen.mean(2) / empty.mean(2)
    left = brightness[90:170, 40:150]  # where the shadow falls
    assert (left < 0.7).sum() > 100


@render
def test_a_robot_of_any_size_fills_the_same_share_of_the_picture(tmp_path: Path) -> None:
    red = []
    for scale in (1.0, 2.0):
        spec = mujoco.MjSpec.from_string(QUADRUPED)
        for body in spec.bodies:
            body.pos = scale * body.pos
        for geom in spec.geoms:
            geom.size, geom.fromto = scale * geom.size, scale * geom.fromto
        qpos = np.zeros(11)
        qpos[2], qpos[3] = 0.2 * scale, 1.0
        path = tmp_path / f"{scale}.mp4"
        with Film(path, Floor("wood", slope=0.0), spec, "trunk", size=SMALL) as film:
            film.add(qpos, "")
        frame = iio.imread(path)[0].astype(float)
        red.append((frame[..., 0] - frame[..., 1] > 120).mean())
    assert red[0] > 0.005
    assert red[1] == pytest.approx(red[0], rel=0.1)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"fps": 30}, "fps 30 is not one of 25, 50"),
        ({"size": (321, 180)}, "321x180 is not even"),
        ({"path": "walk.avi"}, r"'walk.avi' does not end in .mp4, .webp, .gif"),
    ],
)
def test_bad_settings_are_named(tmp_path: Path, settings: dict, message: str) -> None:
    path = tmp_path / settings.pop("path", "walk.mp4")
    with pytest.raises(InputError, match=message):
        _film(path, Floor("wood"), **settings)


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
        "from grek.errors import InputError\nfrom grek.eval.films.canvas import check_rendering\n"
        "try:\n    check_rendering()\nexcept InputError as error:\n    print(error)"
    )
    done = _python(code, __EGL_VENDOR_LIBRARY_DIRS="/nowhere")
    assert done.returncode == 0, done.stderr
    assert "libegl1" in done.stdout and done.stdout.count("\n") == 1


@render
def test_drawing_works_if_mujoco_was_imported_before() -> None:
    done = _python(
        "import mujoco\nfrom grek.eval.films.canvas import check_rendering\ncheck_rendering()"
    )
    assert done.returncode == 0, done.stderr


FILMING = """
import resource, sys
from pathlib import Path
import numpy as np
sys.path.insert(0, {here!r})
from grek.envs.robots import GREK
from grek.errors import InputError
from grek.eval.films.film import Film
from test_film import STAND, SMALL, Floor

resource.setrlimit(resource.RLIMIT_FSIZE, (6000, 6000))  # as if the disk were full
try:
    with Film({path!r}, Floor("sand", "gravel"), GREK.load_spec(), GREK.base, size=SMALL) as film:
        for k in range(30):
            film.add(STAND + 0.01 * k, str(k))
except (InputError, OSError) as error:
    print("refused:", error)
"""


@render
@pytest.mark.parametrize("suffix", [".mp4", ".webp", ".gif"])
def test_a_film_on_a_full_disk_is_an_error_and_leaves_nothing(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"film{suffix}"
    code = FILMING.format(here=str(Path(__file__).parent), path=str(path))
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "refused:" in done.stdout, done.stderr
    assert list(tmp_path.iterdir()) == []
