"""The gate on our own policy: a change that makes it walk worse does not pass.

The baseline is `grek eval walk --suite train --episodes 8`; a change of physics or task that is
meant writes it anew.
"""

from pathlib import Path

import pytest

from grek.eval import evaluate, scorecard
from grek.eval.compare import compare

BASELINE = Path(__file__).parent / "scores" / "walk.json"


@pytest.fixture(scope="module")
def card():
    return evaluate.score("walk", "train", episodes=8, threads=2)


def test_the_shipped_policy_walks_no_worse(card):
    result = compare(scorecard.read(BASELINE), card)
    # Another processor rounds otherwise and contacts are chaotic, so the bytes may differ there.
    lines = (result.overall, *result.lines)
    assert not [line.name for line in lines if line.test.verdict == "inferior"], result.text()


def test_the_shipped_policy_walks(card):
    scores = card["summary"]["train"]
    assert scores["traversal"]["mean"] > 0.75
    assert scores["survival"]["mean"] > 0.75
    assert scores["velocity_error"]["mean"] < 0.12
