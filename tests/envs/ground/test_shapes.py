"""Terrain: height against its own slope, statistics of the random fields, by closed forms."""

import dataclasses

import numpy as np
import pytest

from grek.envs.ground import shapes
from grek.envs.ground.shapes import (
    BEVEL,
    FourierField,
    Shape,
    ShapePart,
    eased,
    fourier_value,
    normal_quantile,
    normal_share,
    part,
    sizes,
)
from grek.envs.ground.terrain import Terrain
from grek.errors import InputError


def slope(rise: float, heading: float = 0.0) -> ShapePart:
    return part("slope", rise=rise, heading=heading)


def waves(height: float, length: float, heading: float = 0.0, phase: float = 0.0) -> ShapePart:
    return part("waves", height=height, length=length, heading=heading, phase=phase)


def relief(deviation: float, length: float, seed: int) -> ShapePart:
    return part("relief", deviation=deviation, length=length, seed=seed)


def steps(height: float, length: float, heading: float = 0.0, seed: int = 0) -> ShapePart:
    return part("steps", height=height, length=length, heading=heading, seed=seed)


EXAMPLES: dict[str, Shape] = {
    "slope": (slope(0.1, 0.7),),
    "waves": (waves(0.04, 0.9, 2.0, 6.0),),
    "relief": (relief(0.01, 0.2, 2),),
    "steps": (steps(0.03, 0.4, 1.0, 3),),
    "all": (
        *(slope(0.05, 0.3), waves(0.02, 0.8, 1.0, 3.2)),
        *(relief(0.005, 0.3, 4), steps(0.02, 0.5, 2.0, 4)),
    ),
}


def terrain(*shapes: Shape) -> Terrain:
    made = Terrain(len(shapes))
    for i, shape in enumerate(shapes):
        made.set(i, shape)
    return made


@pytest.mark.parametrize("name", EXAMPLES)
def test_normal_is_the_slope_of_the_height(name):
    made = terrain(EXAMPLES[name])
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
    height, normal = terrain((slope(0.1, np.pi / 2),)).height_and_normal(
        np.array([[[0.0, 2.0], [5.0, 2.0]]])
    )
    assert height[0] == pytest.approx([0.2, 0.2])
    assert np.degrees(np.arccos(normal[0, 0, 2])) == pytest.approx(np.degrees(np.arctan(0.1)))


def test_waves_reach_from_crest_to_trough_and_repeat():
    made = terrain((waves(0.04, 0.8, phase=1.7),))
    x = np.linspace(0, 1.6, 2001)
    xy = np.stack([x, np.zeros_like(x)], 1)[None]
    height = made.height_and_normal(xy)[0][0]
    assert height.max() - height.min() == pytest.approx(0.04, rel=1e-4)
    assert height[:1000] == pytest.approx(height[1000:2000], abs=1e-9)


def test_steps_are_level_apart_from_their_edges_and_within_their_height():
    made = terrain((steps(0.03, 0.4, seed=5),))
    x = np.linspace(0, 40, 40001)
    xy = np.stack([x, np.zeros_like(x)], 1)[None]
    height, normal = (a[0] for a in made.height_and_normal(xy))
    assert height.min() >= 0 and height.max() <= 0.03
    assert height.max() - height.min() > 0.02
    assert (normal[:, 2] == 1).mean() == pytest.approx(1 - BEVEL / 0.4, abs=0.02)
    assert np.abs(np.diff(height)).max() < 0.003  # no cliffs: edges are bevelled


def test_relief_has_the_stated_deviation_and_correlation():
    """Over many worlds: std as stated, covariance exp(-d^2 / 2 L^2) at any distance."""
    worlds = [(relief(0.01, 0.25, i),) for i in range(4000)]
    made = terrain(*worlds)
    d = np.array([0.0, 0.1, 0.25, 0.5])
    xy = np.tile(np.stack([3 + d, np.full(4, -2.0)], 1), (len(worlds), 1, 1))
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
    values = [
        [fourier_value(field.wave_vectors[world], field.phases[world], *at) for at in xy[world]]
        for world in range(600)
    ]
    covered = np.array(values) > normal_quantile(1 - share)
    assert covered.mean() == pytest.approx(share, abs=0.03)


def test_normal_distribution_by_table():
    assert normal_quantile(0.975) == pytest.approx(1.95996, abs=1e-4)
    shares = [normal_share(value) for value in (-1.0, 0.0, 1.6449)]
    assert shares == pytest.approx([0.15866, 0.5, 0.95], abs=5e-4)


def test_worlds_do_not_share_their_ground():
    made = terrain(EXAMPLES["relief"], EXAMPLES["waves"], ())
    xy = np.zeros((3, 1, 2)) + 0.7
    height, _ = made.height_and_normal(xy)
    again, _ = made.height_and_normal(xy[[1]], np.array([1]))
    assert height[1] == again[0]
    assert height[2] == 0 and made.flat.tolist() == [False, False, True]


def test_a_new_episode_forgets_the_old_shape():
    made = terrain(EXAMPLES["all"])
    made.set(0, EXAMPLES["waves"])
    xy = np.random.default_rng(0).uniform(-3, 3, (1, 50, 2))
    for again, fresh in zip(
        made.height_and_normal(xy), terrain(EXAMPLES["waves"]).height_and_normal(xy), strict=True
    ):
        assert np.array_equal(again, fresh)
    made.set(0, ())
    assert made.flat.all()
    assert not made.height_and_normal(xy)[0].any()


def test_parts_add_up():
    xy = np.random.default_rng(0).uniform(-3, 3, (1, 50, 2))
    together = terrain(EXAMPLES["all"]).height_and_normal(xy)[0]
    each = [terrain((p,)).height_and_normal(xy)[0] for p in EXAMPLES["all"]]
    assert together == pytest.approx(sum(each), abs=1e-12)


def test_easing_scales_sizes_only():
    easy = eased(EXAMPLES["all"], 0.5)
    halves = {"slope": 0.025, "waves": 0.01, "relief": 0.0025, "steps": 0.01}
    assert sizes(easy) == pytest.approx(halves)
    assert easy[1] == waves(0.01, 0.8, 1.0, 3.2)
    assert sizes(eased(EXAMPLES["all"], 0.0)) == {}
    assert terrain(eased(EXAMPLES["all"], 0.0)).flat.all()


def test_what_makes_no_shape_is_refused():
    with pytest.raises(InputError, match="unknown shape 'crater'; there are: slope, relief"):
        part("crater", depth=1.0)
    with pytest.raises(
        InputError, match=r"shape 'slope' takes finite rise, heading; got \{'rise': 0\.1\}"
    ):
        part("slope", rise=0.1)
    with pytest.raises(InputError, match="one part of a kind"):
        terrain((slope(0.1), slope(0.2)))
    with pytest.raises(InputError, match="shape 'slope' exists"):
        shapes.register(shapes.SLOPE)
    with pytest.raises(InputError, match="unknown shape 'crater'"):
        terrain((ShapePart("crater", {"depth": 1.0}),))


def test_a_negative_size_is_refused():
    with pytest.raises(InputError, match="shape 'slope' has a negative size"):
        part("slope", rise=-0.1, heading=0.0)


def test_an_elevation_that_cannot_be_compiled_is_refused_by_name():
    def elevation(c, x, y, out):
        out[0] = {"height": x}  # no number

    kind = dataclasses.replace(shapes.SLOPE, name="wild", elevation=elevation)
    shapes.register(kind)
    try:
        made = terrain(EXAMPLES["slope"])
        with pytest.raises(InputError, match="the elevation of shape 'wild' cannot be compiled"):
            made.set(0, (part("wild", rise=0.1, heading=0.0),))
        assert not made.flat[0]  # as it was
    finally:
        del shapes.SHAPES["wild"]
