"""Markdown tables of scorecards, against tables written by hand."""

import copy

import pytest

from grek.errors import InputError
from grek.eval.report import tables

from .. import cards


def made(policy="walk", **suite):
    """A scorecard with summary and rows as below."""
    card = copy.deepcopy(cards.card(suite=suite))
    card["policy"]["name"] = policy
    score = {"mean": 0.854, "low": 0.76, "high": 0.9149}
    for space in ("train", "heldout", "numerics"):
        card["summary"][space] = {"survival": score, "traversal": {**score, "mean": 0.5}}
    card["summary"]["gap"] = {"mean": -0.021, "low": -0.1, "high": -0.001}
    return card


def test_policies_side_by_side():
    other = made("z|`<b>")
    other["summary"]["train"]["survival"] = {"mean": None, "low": None, "high": None}
    known = "0.85 (0.76 to 0.91) | 0.50 (0.76 to 0.91)"
    assert tables.policies([made(), other]).splitlines() == [
        "| policy | train: survival | train: traversal | held out: survival | held out: traversal"
        " | numerics: traversal | gap |",
        "| --- | --- | --- | --- | --- | --- | --- |",
        f"| `walk` | {known} | {known} | 0.50 (0.76 to 0.91) | -0.02 (-0.10 to 0.00) |",
        f"| `zb` | – | 0.50 (0.76 to 0.91) | {known} | 0.50 (0.76 to 0.91)"  # noqa: RUF001
        " | -0.02 (-0.10 to 0.00) |",
    ]


def test_only_spaces_that_were_run():
    card = made()
    for key in ("heldout", "numerics", "gap"):
        del card["summary"][key]
    head = tables.policies([card]).splitlines()[0]
    assert head == "| policy | train: survival | train: traversal |"


@pytest.mark.parametrize(
    ("suite", "named"),
    [({"name": "full"}, "name"), ({"seed": 1}, "seed"), ({"episodes": 8}, "episodes")],
)
def test_other_worlds_make_no_table(suite, named):
    with pytest.raises(InputError, match=f"different suites make no table: {named} is"):
        tables.policies([made(), made("other", **suite)])


def test_rows_of_one_scorecard():
    card = made()
    score = {"mean": 0.25, "low": 0.2, "high": 0.301}
    for row in card["rows"]:
        row.update(survival=score, traversal=score, velocity_error={**score, "high": 1.0})
    same = "0.25 (0.20 to 0.30) | 0.25 (0.20 to 0.30) | 0.25 (0.20 to 1.00) |"
    lines = tables.rows(card).splitlines()
    assert lines[0] == (
        "| space | axis | context | episodes | survival | traversal | velocity error [m/s] |"
    )
    assert lines[2] == f"| train | material | sand | 16 | {same}"
    card["rows"] = card["rows"][:2]
    lines = tables.rows(card).splitlines()
    assert lines[0] == "| context | episodes | survival | traversal | velocity error [m/s] |"
    assert lines[2:] == [f"| sand | 16 | {same}", f"| carpet | 16 | {same}"]
