"""The gate on our own policy: a change that makes it walk worse does not pass.

The baseline is `grek eval walk --suite quick`; a change of physics or task that is
meant writes it anew.
"""


def test_the_shipped_policy_walks_no_worse(grek_gate):
    # Another processor rounds otherwise and contacts are chaotic, so the bytes may differ there:
    # only a loss that is shown to be real fails.
    card = grek_gate("walk", baseline="tests/scores/walk.json", strict=False)
    scores = card["summary"]["train"]
    assert scores["traversal"]["mean"] > 0.75
    assert scores["survival"]["mean"] > 0.75
    assert scores["velocity_error"]["mean"] < 0.12
