"""Plot of the materials: a complete file or none."""

import pytest

from grek.eval.report import material_plot


def test_a_picture_is_drawn(tmp_path, monkeypatch):
    monkeypatch.setattr(material_plot, "DRAWS", 4)
    target = tmp_path / "materials.png"
    material_plot.plot(target)
    assert target.read_bytes().startswith(b"\x89PNG")
    assert list(tmp_path.iterdir()) == [target]


def test_nothing_is_left_of_a_picture_that_fails(tmp_path, monkeypatch):
    monkeypatch.setattr(material_plot, "DRAWS", 4)
    with pytest.raises(ValueError, match="xyz"):
        material_plot.plot(tmp_path / "materials.xyz")
    assert not list(tmp_path.iterdir())
