"""Regression gate on the shipped policy, and what its scorecards are of.

The baselines are `grek eval walk --suite quick` and `--suite train`; a change of physics or task
that is meant writes them anew.
"""

from pathlib import Path

import pytest

from grek import provenance
from grek.eval.scores import scorecard, suites

ROOT = Path(__file__).resolve().parent.parent
CARDS = sorted(
    [*(ROOT / "assets/policies").glob("*.json"), *(ROOT / "tests/scores").glob("*.json")]
)


def test_the_shipped_policy_walks_no_worse(grek_gate):
    # Another processor rounds otherwise and contacts are chaotic, so the bytes may differ there:
    # only a loss that is shown to be real fails.
    card = grek_gate("walk", baseline="tests/scores/walk.json", strict=False, threads=1)
    scores = card["summary"]["train"]
    assert scores["traversal"]["mean"] > 0.75
    assert scores["survival"]["mean"] > 0.75
    assert scores["velocity_error"]["mean"] < 0.12


@pytest.mark.parametrize("path", CARDS)
def test_shipped_scorecards_are_of_the_suites_of_today(path):
    suite = scorecard.read(path)["suite"]
    worlds = suites.scenarios(suites.suite(suite["name"]), suite["seed"], suite["episodes"])
    assert suites.digest(worlds) == suite["sha256"]


@pytest.mark.parametrize("path", CARDS)
def test_shipped_scorecards_were_made_by_the_code_of_today(path):
    """`grek eval POLICY --suite SUITE` writes them anew after a change of what scores depend on."""
    assert scorecard.read(path)["provenance"]["code"] == provenance.code()
