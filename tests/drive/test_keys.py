"""Held keys: one driver at a time, and no release is lost."""

import numpy as np
import pytest

from grek.drive.keys import PATIENCE, Keys, asked


def test_the_first_who_presses_drives_until_all_is_released():
    keys = Keys()
    assert keys.driver(0.0) == (None, ())
    keys.take(1, ("KeyW",), (), 0.0)
    keys.take(2, ("KeyS",), (), 0.1)
    assert keys.driver(0.2) == (1, ("KeyW",))
    keys.take(1, ("KeyW", "KeyA"), (), 0.3)
    assert keys.driver(0.3) == (1, ("KeyW", "KeyA"))
    keys.take(1, (), (), 0.4)
    assert keys.driver(0.4) == (2, ("KeyS",))
    keys.take(2, (), (), 0.5)
    assert keys.driver(0.5) == (None, ())


def test_a_closed_page_holds_nothing():
    keys = Keys()
    keys.take(1, ("KeyW",), (), 0.0)
    keys.leave(1)
    keys.leave(7)
    assert keys.driver(0.01) == (None, ())


def test_silence_is_a_release():
    keys = Keys()
    keys.take(1, ("KeyW",), (), 0.0)
    assert keys.driver(PATIENCE - 0.01) == (1, ("KeyW",))
    assert keys.driver(PATIENCE + 0.01) == (None, ())
    keys.take(1, ("KeyW",), (), 5.0)  # and speech is a press again
    assert keys.driver(5.0) == (1, ("KeyW",))


def test_taps_count_once():
    keys = Keys()
    keys.take(1, ("KeyW",), ("KeyP",), 0.0)
    keys.take(1, ("KeyW",), (), 0.1)
    keys.take(2, (), ("KeyP", "Space"), 0.1)
    assert keys.taps() == ["KeyP", "KeyP", "Space"]
    assert keys.taps() == []


@pytest.mark.parametrize("held, taps", [(("KeyX",), ()), ((), ("KeyW",)), (("Space",), ())])
def test_unknown_keys_are_refused_and_change_nothing(held, taps):
    keys = Keys()
    keys.take(1, ("KeyW",), (), 0.0)
    with pytest.raises(ValueError, match="unknown keys"):
        keys.take(1, held, taps, 0.1)
    assert keys.driver(0.1) == (1, ("KeyW",))
    assert keys.taps() == []


def test_keys_add_up():
    np.testing.assert_allclose(asked(("KeyW", "KeyS")), [0.2, 0, 0, 0, 0])
    np.testing.assert_allclose(asked(("KeyA", "KeyD", "ArrowLeft")), [0, 0, 0, 0, 0.9])
    np.testing.assert_allclose(asked(()), np.zeros(5))
