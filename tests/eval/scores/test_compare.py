"""Comparison of synthetic policies whose true loss is known."""

import math

import pytest

from grek.errors import InputError
from grek.eval.scores.compare import compare
from grek.eval.scores.scorecard import Card

from .. import cards

SEEDS = 8


def policy(seed: int, n: int = 32, **loss: float) -> Card:
    return cards.card(cards.episodes(n, seed, loss or None))


def test_the_same_scorecard_is_no_regression() -> None:
    card = policy(0)
    result = compare(card, card)
    assert result.exit_code == 0
    assert result.overall.test.verdict == "non-inferior"
    assert (result.overall.test.mean, result.overall.test.low) == (0, 0)
    assert result.summary().startswith("no regression")


def test_equal_policies_do_not_alarm() -> None:
    alarms = [compare(policy(i), policy(100 + i)).exit_code for i in range(SEEDS)]
    assert sum(alarms) <= 1


def test_worse_everywhere_is_caught() -> None:
    for i in range(SEEDS):
        result = compare(policy(i), cards.card(cards.episodes(32, 100 + i, {"*": 0.1})))
        assert result.exit_code == 1
        assert result.overall.test.verdict == "inferior"


def test_worse_on_one_material_is_caught_by_name() -> None:
    for i in range(SEEDS):
        result = compare(policy(i), policy(100 + i, ice=0.2))
        assert result.exit_code == 1
        # The overall loss of 0.04 is within the margin; the row is not.
        names = [line.name for line in result.regressions if line.key[2] != "all"]
        assert names == ["heldout material ice"]
        assert "heldout material ice" in result.summary()


def test_better_is_superior_and_passes() -> None:
    result = compare(cards.card(cards.episodes(32, 0, {"*": 0.1})), policy(1))
    assert result.exit_code == 0
    assert result.overall.test.verdict == "superior"


def test_a_small_real_loss_is_within_the_margin() -> None:
    made = cards.episodes(32)
    for episode in made:
        episode["traversal"] -= 0.01
    result = compare(policy(0), cards.card(made))
    assert result.exit_code == 0
    assert result.overall.test.high < 0


def test_too_few_episodes_are_no_pass() -> None:
    made = [cards.episodes(1, seed, noise=0.3) for seed in (3, 4)]
    result = compare(*(cards.card(m) for m in made))
    assert result.exit_code == 1
    assert "run more episodes" in result.summary()


def test_margin() -> None:
    first, second = policy(0), cards.card(cards.episodes(32, 1, {"*": 0.1}))
    assert compare(first, second, 0.3).exit_code == 0
    for bad in (0, -0.1, 1, math.nan, math.inf):
        with pytest.raises(InputError, match="margin"):
            compare(first, second, bad)


def test_falls_are_counted_in_pairs() -> None:
    made = cards.episodes(4)
    for episode in made:
        episode["survived"] = True
    first = cards.card(made)
    for i in (0, 3, 4):
        made[i] = {**made[i], "survived": False}
    result = compare(first, cards.card(made))
    assert (result.new_falls, result.mended_falls) == (3, 0)
    assert result.falls_p == pytest.approx(0.25)  # 2 * (1 / 2) ** 3
    back = compare(cards.card(made), first)
    assert (back.new_falls, back.mended_falls) == (0, 3)


def test_falls_in_one_world_are_one_discordant_pair() -> None:
    made = [e for e in cards.episodes(3) if e["space"] == "numerics"]
    before = [
        {**e, "contexts": {"numerics": name}, "world": i, "survived": True}
        for i, e in enumerate(made)
        for name in "abcd"
    ]
    now = [{**e, "survived": e["world"] > 0} for e in before]
    result = compare(cards.card(before), cards.card(now))
    assert result.new_falls == 4
    assert result.falls_p == 1  # one world of three, whatever the number of its contexts
    assert result.overall.test.n == 3


def test_change_is_the_difference_of_what_is_shown() -> None:
    made = [cards.episodes(6, seed) for seed in (0, 1)]
    for episodes in made:
        for i, episode in enumerate(episodes):
            episode["world"] = i // 5 if episode["space"] == "heldout" else 100 + i
    result = compare(*(cards.card(m) for m in made))
    for line in (*result.lines, result.overall):
        assert line.test.mean == pytest.approx(line.candidate - line.baseline)
    assert result.overall.test.n == 24  # two episodes of each of six heldout worlds count once


def test_lines_and_text() -> None:
    result = compare(policy(0), policy(1))
    assert [line.key for line in result.lines[:5]] == list(cards.ROWS)
    wider = {line.name for line in result.lines[5:]}
    assert wider == {"train material, all", "heldout, all"}
    text = result.text().splitlines()
    assert text[1].startswith("train material sand")
    assert text[-1] == result.summary()
    assert any(line.startswith("falls: ") for line in text)
    assert result.lines[0].test.n == 32


def test_text_is_deterministic() -> None:
    assert compare(policy(0), policy(1)).text() == compare(policy(0), policy(1)).text()


def test_other_versions_are_noted() -> None:
    second = policy(0)
    second["versions"]["mujoco"] = "4.1.0"
    assert "mujoco 4.0.0 and 4.1.0" in compare(policy(0), second).text()


def test_what_cannot_be_compared_is_named() -> None:
    card = policy(0, n=2)
    for key, value in (("sha256", "ef" * 32), ("seed", 1), ("name", "full"), ("episodes", 3)):
        other = cards.card(cards.episodes(2), {key: value})
        with pytest.raises(InputError, match=rf"{key} is .*{str(value)[:8]}"):
            compare(card, other)
    with pytest.raises(InputError, match="schema 2 and 1"):
        compare(card, {**card, "schema": 1})
    with pytest.raises(InputError, match="10 and 9 episodes"):
        compare(card, {**card, "episodes": card["episodes"][:-1]})
    swapped = [card["episodes"][1], card["episodes"][0], *card["episodes"][2:]]
    with pytest.raises(InputError, match=r"train/sand:300000 .* train/carpet:300001"):
        compare(card, {**card, "episodes": swapped})


def test_scorecards_with_former_scenario_names_compare() -> None:
    def former(card: Card) -> Card:
        renamed = [
            {**e, "scenario": f"{e['space']}:{e['scenario'].partition(':')[2]}"}
            for e in card["episodes"]
        ]
        return {**card, "episodes": renamed}

    before, after = policy(0), policy(1)
    assert former(before)["episodes"][0]["scenario"] == "train:300000"
    assert compare(former(before), former(after)) == compare(before, after)
