"""Textures, ground, cover, shadow and reflection of rendered images."""

from pathlib import Path

import mujoco
import numpy as np
import pytest
from PIL import Image

from grek.assets import asset_path
from grek.assets.textures import SUN, TEXELS
from grek.envs.ground import materials
from grek.envs.ground.materials import MATERIALS, Look, Material
from grek.envs.rendering import textures
from grek.envs.rendering.cover import KINDS, Cover
from grek.envs.rendering.scenery import Scenery
from grek.envs.rendering.shadow import Shadow, reflect
from grek.envs.rendering.stage import Array, Stage
from grek.envs.robots import GREK
from grek.errors import InputError

from .floor import Floor


def _laid(floor: Floor, xy: tuple[float, float] = (0.0, 0.0)) -> tuple[Scenery, mujoco.MjModel]:
    stage = Stage(mujoco.MjSpec())
    scenery = Scenery(stage, floor)
    stage.compile()
    scenery.follow(np.array(xy), True)
    return scenery, stage.model


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
