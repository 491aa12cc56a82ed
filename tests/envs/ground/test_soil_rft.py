"""The soil law beside resistive force theory (RFT): where they agree, and how far they do not."""

import numpy as np
import pytest

from grek.envs.ground.materials import index, material
from grek.envs.ground.sinking import ACROSS, ELEMENTS, sole_elements
from grek.envs.ground.soil import SoilState, coefficients, soil_traction
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
    velocity = np.tile(np.array([np.cos(g), 0, -np.sin(g)]) * STEP / DT, (1, ELEMENTS, 1))
    law = coefficients(np.tile(LINEAR, (1, ELEMENTS, 1)), DT, MASS)
    state = SoilState.untouched(1, ELEMENTS)
    for s in np.arange(STEP, depth / np.sin(g) + STEP / 2, STEP):
        z = (s * np.sin(g) + below)[None]
        stress = soil_traction(law, z, velocity, state, DT, MASS)
    return stress[0].astype(float).sum(0) * AREA, z[0]


def test_a_flat_plate_pushed_straight_down():
    """zeta z A: the coefficients are normed to 1 there, and so is the law."""
    assert alpha(0, 90)[1] == pytest.approx(1, rel=0.01)
    force, _ = intrude(0, 90, 0.01)
    assert force[2] == pytest.approx(ZETA * 0.01 * 0.16 * 0.08, rel=0.01)


def test_a_flat_plate_slid_along():
    assert LINEAR[index("slide_support")] == pytest.approx(alpha(0, 0)[1], rel=0.01)


def test_a_flat_plate_pushed_in_at_45_degrees():
    """RFT carries it by 0.817 at any depth. Here slip has to grow first: the droid's depths."""
    assert alpha(0, 45)[1] == pytest.approx(0.817, abs=0.001)
    for depth, tolerance in ((0.005, 0.15), (0.01, 0.03), (0.02, 0.16)):
        force, _ = intrude(0, 45, depth)
        assert force[2] / (ZETA * depth * 0.16 * 0.08) == pytest.approx(0.817, rel=tolerance)
        assert -np.tan(np.radians(30)) * force[2] < force[0] < 0


@pytest.mark.parametrize(("tilt", "excess"), [(15, 1.06), (30, 1.28), (45, 1.77)])
def test_a_tilted_plate_pushed_straight_down(tilt, excess):
    """Each element bears k z on its own area: k A times the mean depth, all of it upwards.

    RFT says alpha_z(tilt, 90) of that, and some sideways: the law is so much too strong.
    """
    edge = 0.16 * np.sin(np.radians(tilt))
    force, sinkages = intrude(tilt, 90, edge)  # just all in: mean depth is half the edge's
    assert (sinkages > 0).all()
    assert force[2] == pytest.approx(ZETA * edge / 2 * 0.16 * 0.08, rel=0.01)
    assert force[2] / (alpha(tilt, 90)[1] * ZETA * edge / 2 * 0.16 * 0.08) == pytest.approx(
        excess, rel=0.01
    )
    assert force[0] == pytest.approx(0, abs=1e-9)
    assert alpha(45, 90)[0] == pytest.approx(0.22, abs=0.01)
