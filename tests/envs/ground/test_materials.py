"""Materials: complete, physical, sourced, and those the contract promises."""

import dataclasses

import numpy as np
import pytest

from grek.envs.distributions import Constant, LogUniform, Uniform
from grek.envs.ground.materials import (
    ESTIMATE,
    MATERIALS,
    PARAMETERS,
    Look,
    Material,
    Quantity,
    fixed,
    index,
    log_uniform,
    material,
    register,
    table,
    uniform,
    water_film,
)
from grek.errors import InputError

TRAINED = {"dry_concrete", "wet_concrete", "sand", "gravel", "carpet"}
HELD_OUT = {"ice", "snow", "mud", "grass", "wet_leaves", "wood", "tile", "rubber"}
SAND = material("sand")


def changed(name: str, nominal: float, low: float, high: float, source: str = ESTIMATE) -> Material:
    """Sand with another quantity."""
    quantity = Quantity(nominal, Uniform(low, high), source)
    return dataclasses.replace(SAND, quantities={**SAND.quantities, name: quantity})


def test_the_materials_of_the_contract():
    assert {name for name, row in MATERIALS.items() if row.trained} == TRAINED
    assert set(MATERIALS) - TRAINED == HELD_OUT
    assert all(name == row.name for name, row in MATERIALS.items())


@pytest.mark.parametrize("name", MATERIALS)
def test_draws_stay_in_their_ranges_and_vary(name):
    row = MATERIALS[name]
    rng = np.random.default_rng(7)
    drawn = np.array([row.draw(lambda _: rng.random()) for _ in range(300)])
    low, high = np.array([row.quantity(p.name).bounds for p in PARAMETERS]).T
    assert ((low <= drawn) & (drawn <= high)).all()
    assert ((low <= row.nominal()) & (row.nominal() <= high)).all()
    spans = low < high
    assert (np.ptp(drawn, axis=0)[spans] > 0.9 * (high - low)[spans]).all()
    assert drawn[:, index("friction")].std() > 0  # held-out rows vary too


def test_a_draw_is_the_quantile_of_each_range():
    """At half: the middle of a uniform range, the geometric mean of a logarithmic one."""
    sand = MATERIALS["sand"].draw(lambda name: 0.5)
    assert sand[index("friction_angle")] == pytest.approx((26 + 36) / 2)
    assert sand[index("bearing")] == pytest.approx((6.5e3 * 30e3) ** 0.5)
    assert sand[index("slide_support")] == 0.375  # fixed
    only = MATERIALS["sand"].draw(lambda name: 0.0 if name == "depth" else 0.5)
    assert only[index("depth")] == pytest.approx(0.10)
    assert np.flatnonzero(only != sand).tolist() == [index("depth")]


@pytest.mark.parametrize(
    ("name", "values", "told"),
    [
        ("bearing", (-1.0, -1.0, 1.0), "bearing -1 Pa"),
        ("friction_angle", (61.0, 30.0, 61.0), "friction_angle 61 deg"),
        ("friction_angle", (30.0, 30.0, 75.0), "friction_angle 75 deg"),
        ("friction", (np.nan, 0.1, 0.2), "friction nan"),
        ("loss", (0.5, 0.5, 1.0), "loss 1"),
        ("cohesion", (9e3, 0.0, 1e3), "nominal cohesion 9000 is outside"),
        ("grain", (0.05, 0.05, 0.3), "grain 0.3 m"),
        ("colour", (0.0, 0.0, 1.0), "unknown parameter 'colour'"),
    ],
)
def test_what_cannot_be_is_refused_by_name(name, values, told):
    with pytest.raises(InputError, match=told):
        changed(name, *values)


def test_a_layer_thinner_than_a_grain_is_refused():
    with pytest.raises(InputError, match=r"depth 0\.01 m is thinner than a grain of 0\.03 m"):
        Material(
            "x",
            "x",
            True,
            Look((0, 0, 0)),
            {"depth": uniform(0.02, 0.01, 0.03), "grain": uniform(0.02, 0.01, 0.03)},
        )


def test_a_number_without_a_source_is_refused():
    with pytest.raises(InputError, match="cohesion names no source"):
        changed("cohesion", 1.0, 0.0, 2.0, " ")


def test_a_material_from_outside_is_registered_once(monkeypatch):
    listed = list(MATERIALS)
    monkeypatch.setitem(MATERIALS, "fired_clay", SAND)  # removed after the test
    del MATERIALS["fired_clay"]
    clay = register(Material("fired_clay", "fired clay", False, Look((0.6, 0.3, 0.2)), {}))
    assert material("fired_clay") is clay
    assert list(MATERIALS) == [*listed, "fired_clay"]
    assert clay.nominal().tolist() == [parameter.neutral for parameter in PARAMETERS]
    with pytest.raises(InputError, match="material 'fired_clay' exists"):
        register(clay)
    with pytest.raises(InputError, match="material 'sand' exists; there are: dry_concrete"):
        register(SAND)


@pytest.mark.parametrize("name", ["Clay", "fired clay", "fired-clay", "_clay", "2clay", ""])
def test_a_name_that_is_not_snake_case_is_refused(name):
    with pytest.raises(InputError, match="is not in snake case"):
        Material(name, "clay", False, Look((0.6, 0.3, 0.2)), {})


def test_a_colour_out_of_range_is_refused():
    with pytest.raises(InputError, match=r"clay: rgb \(153, 80, 50\) is outside of 0 to 1"):
        Material("clay", "clay", False, Look((153, 80, 50)), {})


def test_quantities_are_made_in_one_call():
    assert fixed(0.3, "a book") == Quantity(0.3, Constant(0.3), "a book")
    assert uniform(0.3, 0.2, 0.5) == Quantity(0.3, Uniform(0.2, 0.5), "estimate")
    assert log_uniform(0.3, 0.2, 0.5) == Quantity(0.3, LogUniform(0.2, 0.5), "estimate")
    film = water_film(fixed(0.5), fixed(0.3), fixed(0.2), fixed(0.4))
    assert [(name, quantity.nominal) for name, quantity in film.items()] == [
        ("wet_ratio_low", 0.5),
        ("wet_ratio_high", 0.3),
        ("slip_speed", 0.2),
        ("wet_area", 0.4),
        ("patch_length", 0.3),
    ]


def test_unknown_names_list_the_known_ones():
    with pytest.raises(InputError, match="unknown material 'lava'; there are: dry_concrete"):
        material("lava")
    with pytest.raises(InputError, match="unknown parameter 'lava'; there are: friction"):
        index("lava")


def test_published_numbers():
    """Wong's LLL dry sand under a sole 0.08 m wide; Noon's friction; pressures at 10 mm."""
    sand = (1528.43e3 + 0.99e3 / 0.08) * 0.01**1.1
    snow = (196.72e3 + 4.37e3 / 0.08) * 0.01**1.6
    assert SAND.quantity("bearing").nominal == pytest.approx(sand, rel=0.01)
    assert material("snow").quantity("bearing").nominal == pytest.approx(snow, rel=0.01)
    assert material("dry_concrete").quantity("friction").nominal == 0.75
    low, high = SAND.quantity("bearing").bounds
    assert low < 13.1e3 < 14.2e3 < high  # CMU plates
    wet = material("wet_concrete")
    still = 0.75 * wet.quantity("wet_ratio_low").nominal
    assert 0.45 <= still <= 0.60


def test_films_only_ever_lower_friction():
    for row in MATERIALS.values():
        assert row.quantity("wet_ratio_high").bounds[1] <= row.quantity("wet_ratio_low").bounds[0]
        wet = row.quantity("wet_area").bounds[1] > 0
        assert wet == (row.quantity("wet_ratio_low").nominal < 1)


def test_what_gives_bears_something():
    soft = {name for name, row in MATERIALS.items() if row.soft}
    assert soft == {"sand", "gravel", "carpet", "snow", "mud", "grass"}
    for name, row in MATERIALS.items():
        assert (row.quantity("bearing").bounds[0] > 0) == (name in soft)


def test_the_printed_table_has_every_number_with_its_source():
    header, *rows = table()
    assert header == ["material", "used in", "parameter", "unit", "nominal", "range", "source"]
    assert len(rows) == sum(len(row.quantities) for row in MATERIALS.values())
    assert all(len(row) == len(header) and all(row) for row in rows)
    assert ["ice", "held out", "friction", "-", "0.1", "0.07 to 0.15"] in [row[:6] for row in rows]
