"""Drawn choreographies: one for each index, for ever, and the motors can do them."""

import numpy as np
import pytest

from grek.envs.motions.choreography import shipped
from grek.envs.motions.drawn import NUMBER, drawn, sketch
from grek.envs.motions.feasibility import check
from grek.envs.motions.planner import plan
from grek.envs.robots import GREK
from grek.errors import InputError


def test_an_index_is_the_same_dance_for_ever():
    """Of the draw of index 41: its tempo, and the keys of its bars."""
    first, second = sketch(41), sketch(41)
    assert first == second
    assert (first.tempo, first.beats) == (136, 6)
    assert sketch(41) != sketch(41, attempt=1)


def test_dances_differ_and_have_every_word():
    dances = [sketch(i) for i in range(300)]
    assert len({(d.tempo, d.keys) for d in dances}) == 300
    words = {
        w
        for d in dances
        for k in d.keys
        for w in ("step", "lift", "hop", "spin")
        if getattr(k, w) is not None
    }
    assert words == {"step", "lift", "hop", "spin"}
    assert {d.beats for d in dances} == {6, 10, 14}  # one to three bars of four, and two beats
    tempo = np.array([d.tempo for d in dances])
    assert tempo.min() >= 66 and tempo.max() <= 140
    assert np.log(tempo).mean() == pytest.approx(np.log(66 * 140) / 2, abs=0.05)


def test_nearly_every_first_draw_can_be_done():
    """Rejection is for the rest: at most 1 in 10 of the first draws."""
    refused = 0
    for index in range(60):
        try:
            check(plan(sketch(index), GREK, 0.02), GREK)
        except InputError:
            refused += 1
    assert refused <= 6


def test_what_is_drawn_is_done_within_the_motors_limits():
    for index in (0, 1, 2, NUMBER - 1):
        _, planned, demand = drawn(index, GREK)
        assert demand.share <= 1
        assert planned.joints[[0, -1]] == pytest.approx(np.tile(GREK.home[:10], (2, 1)), abs=1e-6)


def test_no_other_index():
    for index in (-1, NUMBER):
        with pytest.raises(InputError, match="drawn motions 0 to 299999"):
            drawn(index, GREK)


def test_hand_made_dances_are_not_drawn():
    assert not any(name.startswith("drawn") for name in shipped())
