"""Terrain: height against its own slope, statistics of the random fields, by closed forms."""

import numpy as np
import pytest

from grek.envs.ground.shapes import (
    BEVEL,
    FourierField,
    Shape,
    Terrain,
    normal_quantile,
    normal_share,
)

SHAPES = {
    "slope": Shape(slope=0.1, slope_heading=0.7),
    "waves": Shape(wave_height=0.04, wave_length=0.9, wave_heading=2.0, seed=1),
    "rough": Shape(roughness=0.01, roughness_length=0.2, seed=2),
    "steps": Shape(step_height=0.03, step_length=0.4, step_heading=1.0, seed=3),
    "all": Shape(0.05, 0.3, 0.02, 0.8, 1.0, 0.005, 0.3, 0.02, 0.5, 2.0, 4),
}


def terrain(*shapes: Shape) -> Terrain:
    made = Terrain(len(shapes))
    for i, shape in enumerate(shapes):
        made.set(i, shape)
    return made


@pytest.mark.parametrize("name", SHAPES)
def test_normal_is_the_slope_of_the_height(name):
    made = terrain(SHAPES[name])
    xy = np.random.default_rng(0).uniform(-3, 3, (1, 200, 2))
    _, normal = made.height_and_normal(xy)
    assert np.linalg.norm(normal, axis=2) == pytest.approx(1)
    h = 1e-4  # the height is good for some nanometres
    for axis in (0, 1):
        step = np.zeros(2)
        step[axis] = h
        up, down = (made.height_and_normal(xy + s * step)[0] for s in (1, -1))
        slope = (up - down) / (2 * h)
        assert -normal[..., axis] / normal[..., 2] == pytest.approx(slope, abs=1e-4)


def test_a_slope_rises_as_stated():
    height, normal = terrain(Shape(slope=0.1, slope_heading=np.pi / 2)).height_and_normal(
        np.array([[[0.0, 2.0], [5.0, 2.0]]])
    )
    assert height[0] == pytest.approx([0.2, 0.2])
    assert np.degrees(np.arccos(normal[0, 0, 2])) == pytest.approx(np.degrees(np.arctan(0.1)))


def test_waves_reach_from_crest_to_trough_and_repeat():
    made = terrain(Shape(wave_height=0.04, wave_length=0.8))
    x = np.linspace(0, 1.6, 2001)
    xy = np.stack([x, np.zeros_like(x)], 1)[None]
    height = made.height_and_normal(xy)[0][0]
    assert height.max() - height.min() == pytest.approx(0.04, rel=1e-4)
    assert height[:1000] == pytest.approx(height[1000:2000], abs=1e-9)


def test_steps_are_level_apart_from_their_edges_and_within_their_height():
    made = terrain(Shape(step_height=0.03, step_length=0.4, seed=5))
    x = np.linspace(0, 40, 40001)
    xy = np.stack([x, np.zeros_like(x)], 1)[None]
    height, normal = (a[0] for a in made.height_and_normal(xy))
    assert height.min() >= 0 and height.max() <= 0.03
    assert height.max() - height.min() > 0.02
    assert (normal[:, 2] == 1).mean() == pytest.approx(1 - BEVEL / 0.4, abs=0.02)
    assert np.abs(np.diff(height)).max() < 0.003  # no cliffs: edges are bevelled


def test_relief_has_the_stated_deviation_and_correlation():
    """Over many worlds: std as stated, covariance exp(-d^2 / 2 L^2) at any distance."""
    shapes = [Shape(roughness=0.01, roughness_length=0.25, seed=i) for i in range(4000)]
    made = terrain(*shapes)
    d = np.array([0.0, 0.1, 0.25, 0.5])
    xy = np.tile(np.stack([3 + d, np.full(4, -2.0)], 1), (len(shapes), 1, 1))
    height = made.height_and_normal(xy)[0]
    assert height.std(0) == pytest.approx(0.01, rel=0.05)
    correlation = (height[:, :1] * height).mean(0) / (height[:, 0] ** 2).mean()
    assert correlation == pytest.approx(np.exp(-(d**2) / (2 * 0.25**2)), abs=0.06)


@pytest.mark.parametrize("share", [0.2, 0.6, 0.9])
def test_a_thresholded_field_covers_the_stated_share(share):
    field = FourierField(600)
    for world in range(600):
        field.set(world, 0.3, world)
    xy = np.random.default_rng(0).uniform(-10, 10, (600, 100, 2))
    covered = field.value(xy, slice(None)) > normal_quantile(1 - share)
    assert covered.mean() == pytest.approx(share, abs=0.03)


def test_normal_distribution_by_table():
    assert normal_quantile(0.975) == pytest.approx(1.95996, abs=1e-4)
    assert normal_share(np.array([-1.0, 0.0, 1.6449])) == pytest.approx(
        [0.15866, 0.5, 0.95], abs=5e-4
    )


def test_worlds_do_not_share_their_ground():
    made = terrain(SHAPES["rough"], SHAPES["waves"], Shape())
    xy = np.zeros((3, 1, 2)) + 0.7
    height, _ = made.height_and_normal(xy)
    again, _ = made.height_and_normal(xy[[1]], np.array([1]))
    assert height[1] == again[0]
    assert height[2] == 0 and made.flat.tolist() == [False, False, True]
