"""Distributions by their quantiles."""

import pytest

from grek.envs.distributions import Constant, Distribution, LogUniform, Signed, Uniform


@pytest.mark.parametrize(
    ("distribution", "expected"),
    [
        (Constant(0.7), [0.7, 0.7, 0.7, 0.7, 0.7]),
        (Uniform(2.0, 4.0), [2.0, 2.5, 3.0, 3.5, 4.0]),
        (Uniform(-1.0, 1.0), [-1.0, -0.5, 0.0, 0.5, 1.0]),
        (LogUniform(0.01, 100.0), [0.01, 0.1, 1.0, 10.0, 100.0]),
        (Signed(1.0, 3.0), [-3.0, -2.0, 1.0, 2.0, 3.0]),
    ],
)
def test_quartiles(distribution: Distribution, expected: list[float]) -> None:
    found = [distribution.quantile(u) for u in (0.0, 0.25, 0.5, 0.75, 1.0)]
    assert found == pytest.approx(expected)


def test_bounds() -> None:
    assert (Constant(0.7).low, Constant(0.7).high) == (0.7, 0.7)
    # Both signs of a magnitude meet in the middle: -1 just below, 1 from there on.
    assert Signed(1.0, 3.0).quantile(0.5 - 1e-12) == pytest.approx(-1.0)
