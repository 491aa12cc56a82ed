"""Attitude filter against motions known in closed form."""

import numpy as np
import pytest

from grek.onboard import gravity_of
from grek.onboard.attitude import AttitudeFilter, Gains

DT = 0.02


def tilted(angle: float) -> np.ndarray:
    """Gravity in a base pitched by `angle` about y: nose down is positive."""
    return np.array([np.sin(angle), 0.0, -np.cos(angle)])


def test_at_rest_it_is_the_accelerometer():
    attitude = AttitudeFilter()
    for _ in range(200):
        found = attitude.update(np.zeros(3), -9.81 * tilted(0.3), DT)
    assert found == pytest.approx(tilted(0.3), abs=1e-12)
    assert attitude.bias == pytest.approx(0, abs=1e-12)


def test_the_gyro_turns_it_without_an_accelerometer():
    """A turn of 0.5 rad about y, with forces that are no gravity: pitching forward."""
    attitude = AttitudeFilter()
    attitude.update(np.zeros(3), -9.81 * tilted(0.0), 0.0)
    for _ in range(25):
        found = attitude.update(np.array([0.0, 1.0, 0.0]), np.array([60.0, 0.0, 9.81]), DT)
    assert found == pytest.approx(tilted(0.5), abs=1e-12)


def test_a_wrong_start_decays_with_the_time_constant():
    attitude = AttitudeFilter(Gains(proportional=2.0, integral=0.0))
    attitude.update(np.zeros(3), -9.81 * tilted(0.05), 0.0)
    for _ in range(50):
        found = attitude.update(np.zeros(3), -9.81 * tilted(0.0), DT)
    assert np.arcsin(found[0]) == pytest.approx(0.05 * (1 - 2.0 * DT) ** 50, rel=0.01)


def test_it_finds_the_bias_of_the_gyro():
    attitude, bias = AttitudeFilter(), np.array([0.03, -0.02, 0.0])
    for _ in range(5000):
        found = attitude.update(bias, -9.81 * tilted(0.0), DT)
    assert attitude.bias == pytest.approx(bias, abs=1e-3)
    assert found == pytest.approx(tilted(0.0), abs=1e-3)


def test_gravity_of_an_attitude():
    assert gravity_of(np.array([1.0, 0, 0, 0])) == pytest.approx([0, 0, -1])
    (cy, sy), (cp, sp) = ((np.cos(angle / 2), np.sin(angle / 2)) for angle in (1.1, 0.3))
    turned = np.array([cy * cp, -sy * sp, cy * sp, sy * cp])  # yaw of 1.1 rad after pitch of 0.3
    assert gravity_of(turned) == pytest.approx(tilted(0.3))
