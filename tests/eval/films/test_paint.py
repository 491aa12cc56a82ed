"""Procedural textures, and their equality with the stored files."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from grek.assets import asset_path
from grek.assets.textures import SUN, TEXEL, TEXELS, paint


def _stored(name: str) -> np.ndarray:
    with Image.open(asset_path(f"textures/{name}.webp")) as picture:
        return np.asarray(picture.convert("RGBA"), float)


def test_painting_again_gives_the_stored_file() -> None:
    for name in ("tile", "wood"):  # with gloss and without
        off = _stored(name) - paint.paint(name)
        assert np.sqrt((off**2).mean()) < 6  # of 255, by compression
        assert np.abs(off.mean((0, 1))).max() < 1


def test_painting_the_sky_again_gives_the_stored_file() -> None:
    off = _stored("sky")[..., :3] - paint.paint_sky()
    assert np.sqrt((off**2).mean()) < 3


def test_all_files_are_baked_and_nothing_else(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(paint, "paint", lambda name: np.zeros((8, 8, 4), np.uint8))
    paint.bake(tmp_path)
    stored = {path.name for path in asset_path("textures").glob("*.webp")}
    assert {path.name for path in tmp_path.iterdir()} == stored
    assert sum(path.stat().st_size for path in asset_path("textures").glob("*.webp")) < 3e6


@pytest.mark.parametrize("name", paint.PAINTED)
def test_a_texture_continues_into_itself(name: str) -> None:
    image = _stored(name)[..., :3]
    assert image.shape == (TEXELS, TEXELS, 3)
    inside = np.abs(np.diff(image, axis=1)).mean((0, 2))
    seam = np.abs(image[:, 0] - image[:, -1]).mean()
    assert seam <= inside.max() * 1.05  # no worse than the sharpest column inside


def test_light_on_a_relief() -> None:
    assert paint.sunlit(np.zeros((TEXELS, TEXELS))) == pytest.approx(1.0)
    # A plane z = a x seen from (-a, 0, 1) / sqrt(1 + a^2): cosine law against level ground.
    a, (sx, _, sz) = 0.5, SUN
    x = np.arange(TEXELS) * TEXEL
    lit = paint.sunlit(np.tile(a * x, (TEXELS, 1)))[5, 5]
    expected = (sz - a * sx) / np.sqrt(1 + a * a) / sz
    assert lit == pytest.approx(0.45 + 0.55 * expected, rel=1e-3)
