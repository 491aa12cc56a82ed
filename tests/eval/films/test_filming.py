"""Scenarios, ground view, captions and choice of films."""

from pathlib import Path

import numpy as np
import pytest

from grek.envs.ground.materials import MATERIALS
from grek.envs.rendering.world_ground import WorldGround
from grek.envs.scenarios.spaces import parse
from grek.envs.tasks import TaskBatch, walking
from grek.errors import InputError
from grek.eval.films import filming
from grek.eval.report import page, wording
from grek.eval.scores import policies

from .. import cards


def test_worlds_to_film():
    assert filming.world("train/sand:41", None) == parse("train/sand:41")
    assert filming.world(None, "ice").surface.materials == ("ice",)
    with pytest.raises(InputError, match="unknown material 'lava'"):
        filming.world(None, "lava")


def test_the_film_sees_the_ground_of_the_simulation():
    walk = TaskBatch(walking(), 1)
    walk.reset([0], [filming.world(None, "snow")])
    ground = WorldGround(walk.simulation)
    xy = walk.state.foot_w[0, :, :2]
    assert ground.names == ("snow",)
    assert ground.material(xy).tolist() == [0, 0]
    assert ground.height(xy) == pytest.approx(0)
    for _ in range(20):
        walk.step(np.zeros((1, 10)))
    pressed = ground.footprint(walk.state.foot_w[0, :, :2])
    assert pressed == pytest.approx(-walk.state.clearance[0], rel=0.3)
    assert not ground.footprint(xy + 3.0).any()


@pytest.mark.parametrize("name", ["wet_concrete", "dry_concrete"])
def test_wet_ground_shows_where_it_is_wet(name):
    walk = TaskBatch(walking(), 1)
    walk.reset([0], [filming.world(None, name)])
    xy = np.random.default_rng(0).uniform(-5, 5, (2000, 2))
    wet = WorldGround(walk.simulation).wetness(xy)
    area = MATERIALS[name].quantity("wet_area").nominal
    assert (wet > 0.5).mean() == pytest.approx(area, abs=0.15)


def test_captions_name_time_material_world_and_command():
    walk = TaskBatch(walking(), 1)
    scenario = filming.world(None, "carpet")
    walk.reset([0], [scenario])
    for _ in range(60):
        walk.step(np.zeros((1, 10)))
    said = filming.caption(walk, 60)
    assert "1.2 s" in said and "carpet" in said and "+0.40 m/s" in said


def test_the_picked_episodes_are_filmed_once_each(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    filmed: list[tuple[str, Path]] = []
    monkeypatch.setattr(
        filming,
        "film",
        lambda policy, scenario, seconds, fps, out, size: filmed.append((scenario.name, out)),
    )
    card = cards.card(cards.episodes(3))
    films = filming.picked(policies.load("walk"), card, tmp_path)
    picked = {e["scenario"] for chosen in wording.picks(card).values() for _, e in chosen}
    assert set(films) == picked
    assert sorted(filmed) == sorted((name, tmp_path / path) for name, path in films.items())
    assert f'src="{films[min(picked)]}"' in page.html(card, films=films)
