"""The soil law beside resistive force theory (RFT): where they agree, and how far they do not."""

import numpy as np
import pytest

from grek.envs.ground.materials import index, material
from grek.envs.ground.soil import coefficients, soil_traction, untouched
from grek.envs.ground.soles import ACROSS, ELEMENTS, sole_elements
from grek.envs.robots import GREK

DT, MASS = 0.001, 1200.0  # [s], [kg/m^2]: so heavy that no slope has to be cut
STEP = 1e-5  # of a path [m]
LINEAR = material("sand").nominal()  # RFT is linear in depth, and knows neither c nor rate
LINEAR[[index("exponent"), index("cohesion"), index("relaxation")]] = 1.0, 0.0, 0.0
AREA = 0.16 * 0.08 / ELEMENTS  # of an element of the sole [m^2]
ZETA = LINEAR[index("bearing")] / 0.01  # [N/m^3]


def alpha(tilt: float, angle: float) -> tuple[float, float]:
    """Stress along and up over zeta z, on a plate tilted by `tilt` and moving `angle` below level.

    Generic coefficients of Li, Zhang and Goldman 2013, Science 339 1408; both angles in degrees.
    """
    twice, g = np.radians(2 * tilt), np.radians(angle)
    up = 0.206 + 0.169 * np.cos(twice) + 0.358 * np.sin(g)
    up += 0.212 * np.sin(twice + g) + 0.055 * np.sin(g - twice)
    along = 0.253 * np.cos(g) + 0.088 * np.sin(twice)
    along += -0.124 * np.cos(twice + g) + 0.007 * np.cos(g - twice)
    return along, up


def intrude(tilt: float, angle: float, depth: float) -> tuple[np.ndarray, np.ndarray]:
    """Force (3,) [N] on a sole whose lowest edge went from the surface to `depth`, and sinkages."""
    x = np.repeat(sole_elements(GREK.feet[0])[0], ACROSS)
    b, g = np.radians(tilt), np.radians(angle)
    below = (x.mean() - x - 0.08) * np.sin(b)  # heel first, its edge at the surface [m]
    velocity = np.array([np.cos(g), 0, -np.sin(g)]) * STEP / DT
    law = coefficients(np.tile(LINEAR, (ELEMENTS, 1)), DT, MASS)
    state = untouched(ELEMENTS)
    for s in np.arange(STEP, depth / np.sin(g) + STEP / 2, STEP):
        z = s * np.sin(g) + below
        stress = soil_traction(law, z, velocity, state, np.sin(b) ** 2)
    return stress.sum(0) * AREA, z


def test_a_flat_plate_pushed_straight_down():
    """zeta z A: the coefficients are normed to 1 there, and so is the law."""
    assert alpha(0, 90)[1] == pytest.approx(1, rel=0.01)
    force, _ = intrude(0, 90, 0.01)
    assert force[2] == pytest.approx(ZETA * 0.01 * 0.16 * 0.08, rel=0.01)


def test_a_flat_plate_slid_along():
    assert LINEAR[index("slide_support")] == pytest.approx(alpha(0, 0)[1], rel=0.01)


@pytest.mark.parametrize("angle", [30, 45, 60])
def test_a_flat_plate_pushed_in_at_an_angle(angle):
    """Both halves, from 10 mm on; at 5 mm shear is still growing, as Janosi has it."""
    assert alpha(0, 45) == pytest.approx((0.096, 0.817), abs=0.001)
    along, up = alpha(0, angle)
    for depth, tolerance in ((0.005, 0.45), (0.01, 0.25), (0.02, 0.1), (0.04, 0.08)):
        force = intrude(0, angle, depth)[0] / (ZETA * depth * 0.16 * 0.08)
        assert force[2] == pytest.approx(up, rel=0.16 if depth < 0.01 else 0.08)
        assert -force[0] == pytest.approx(along, rel=tolerance)


@pytest.mark.parametrize("tilt", [15, 30, 45])
def test_a_tilted_plate_pushed_straight_down(tilt):
    """alpha_z(tilt, 90) k A times the mean depth; RFT's 0.22 sideways at 45 degrees is missing."""
    edge = 0.16 * np.sin(np.radians(tilt))
    force, sinkages = intrude(tilt, 90, edge)  # just all in: mean depth is half the edge's
    assert (sinkages > 0).all()
    expected = alpha(tilt, 90)[1] * ZETA * edge / 2 * 0.16 * 0.08
    assert force[2] == pytest.approx(expected, rel=0.01)
    assert force[0] == pytest.approx(0, abs=1e-9)
