"""A complete scorecard by hand, and a malicious variant."""

from typing import Any

from grek.eval.scores.scorecard import Card, plain

from .. import cards

EVIL = '<script>alert("1")</script>`|[x](y)\n$(rm)\'&\x1b[2J{{ 7 * 7 }}'


def whole() -> Card:
    """Scorecard with every part that a report shows."""
    card = plain(cards.card(cards.episodes(8, loss={"ice": 0.4})))
    card["pushes"] = [
        {"direction": 0, "ring": 1, "pushes": 8, "stood": 6},
        {"direction": 2, "ring": 3, "pushes": 2, "stood": 0},
    ]
    card["commands"] = [
        {
            **{"forward": 4, "turn": 2, "stretches": 5, "velocity_error": 0.05},
            **{"asked": 0.4, "walked": 0.3, "asked_turn": -0.2, "turned": -0.1},
        }
    ]
    card["difficulty"] = [level("slope", 0.0, 0.05, 0.9), level("slope", 0.05, 0.1, 0.5)]
    card["difficulty"] += [level("waves", 0.0, 0.0125, 0.25)]
    return card


def level(axis: str, low: float, high: float, survival: float) -> dict[str, Any]:
    """Level of difficulty."""
    known = {"mean": survival, "low": survival - 0.1, "high": survival + 0.1}
    return {"axis": axis, "low": low, "high": high, "episodes": 11, "survival": known}


def evil(part: Any = EVIL) -> Card:
    """Scorecard with EVIL, or `part` where any JSON is valid, in every place that can hold it.

    It passes `scorecard.validate`.
    """
    card = whole()
    parts = (*card["pushes"], *card["commands"], *card["difficulty"])
    broken = [{key: part for key in entry} for entry in parts]
    for key in ("pushes", "commands", "difficulty"):
        card[key] = [*card[key], *broken, part]
    card["difficulty"] += [level(EVIL, 0.0, 0.05, 0.9), level("steps", 0.0, 0.05, 0.9)]
    card["difficulty"][-1]["survival"] = {"mean": part, "low": part, "high": part}
    card["policy"] = {"name": EVIL, "sha256": part, "contract": {EVIL: [part]}}
    card["suite"] = {key: part for key in card["suite"]}
    card["versions"] = {EVIL: part}
    card["digest"] = EVIL
    card["summary"] = {"heldout": part, "gap": part, EVIL: {"traversal": part, "survival": part}}
    for i, row in enumerate(card["rows"]):
        row.update(dict.fromkeys(set(row) - {"episodes", *SCORES}, part))
        row.update(space=EVIL, axis=EVIL, context=EVIL if i else "far", zone="far")
    card["rows"][-1]["zone"] = part
    for episode in card["episodes"]:
        free = set(episode) - {"survived", "traversal", "velocity_error"}
        episode.update(dict.fromkeys(free, part), space=EVIL, scenario=EVIL, world=EVIL)
        episode["contexts"] = {EVIL: EVIL}
    return card


SCORES = ("survival", "traversal", "velocity_error")
