"""Tables of scorecards against tables written by hand."""

import copy
import re

import pytest

from grek import terminal
from grek.errors import InputError
from grek.eval import report
from grek.eval.scores.compare import compare

from .. import cards
from .hostile import evil


def made(policy="walk", **suite):
    """A scorecard with summary and rows as below."""
    card = copy.deepcopy(cards.card(suite=suite))
    card["policy"]["name"] = policy
    score = {"mean": 0.854, "low": 0.76, "high": 0.9149}
    for space in ("train", "heldout", "numerics"):
        card["summary"][space] = {"survival": score, "traversal": {**score, "mean": 0.5}}
    loss = {"mean": -0.021, "low": -0.1, "high": -0.001}
    card["transfer"] = {"materials": {"traversal": loss}}
    return card


def plain():
    return cards.card(cards.episodes(8, loss={"ice": 0.4}))


# -- Markdown of several scorecards --------------------------------------------------------


def test_policies_side_by_side():
    other = made("z|`<b>")
    other["summary"]["train"]["survival"] = {"mean": None, "low": None, "high": None}
    known = "0.85 (0.76 to 0.91) | 0.50 (0.76 to 0.91)"
    assert report.policies([made(), other]).splitlines() == [
        "| policy | train: survival | train: traversal | held out: survival | held out: traversal"
        " | loss on new materials |",
        "| --- | --- | --- | --- | --- | --- |",
        f"| `walk` | {known} | {known} | -0.02 (-0.10 to 0.00) |",
        f"| `zb` | – | 0.50 (0.76 to 0.91) | {known} | -0.02 (-0.10 to 0.00) |",  # noqa: RUF001
    ]


def test_only_spaces_that_were_run():
    card = made()
    for key in ("heldout", "numerics"):
        del card["summary"][key]
    card["transfer"] = {}
    head = report.policies([card]).splitlines()[0]
    assert head == "| policy | train: survival | train: traversal |"


def test_skills_side_by_side():
    """Survival of all worlds of a skill, 4 of 6 with Wilson's interval, else means over rows."""

    def row(axis, context, count, survived, **more):
        card = copy.deepcopy(cards.card()["rows"][0])
        score = {"mean": survived, "low": 0.0, "high": 1.0}
        scores = {name: {**score, "mean": value} for name, value in more.items()}
        where = {"space": "stage", "axis": axis, "context": context, "episodes": count}
        return {**card, **where, "survival": score, "traversal": {**score, "mean": 0.5}, **scores}

    card, other = made("grek"), made("zero")
    card["rows"] = [
        row("jump", "sand", 2, 1.0, joint_error=0.1, jump_clearance=0.02, beat_error=None),
        row("jump", "<b>", 4, 0.5, joint_error=0.2, jump_clearance=0.04, beat_error=None),
        row("walk", "sand", 2, 1.0, joint_error=0.1),
    ]
    other["rows"] = [row("jump", "sand", 6, 0.0), row("walk", "sand", 2, 1.0)]
    assert report.policies([card, other]).splitlines() == [
        "| space | skill | policy | worlds | survival | traversal | joints [rad] | jump [mm] |",
        "| --- | --- | --- | --- | --- | --- | --- | --- |",
        "| stage | jump | `grek` | 6 | 0.67 (0.30 to 0.90) | – | 0.150 | 30 |",  # noqa: RUF001
        "| stage | jump | `zero` | 6 | 0.00 (0.00 to 0.39) | – | – | – |",  # noqa: RUF001
        "| stage | walk | `grek` | 2 | 1.00 (0.34 to 1.00) | 0.50 | 0.100 | – |",  # noqa: RUF001
        "| stage | walk | `zero` | 2 | 1.00 (0.34 to 1.00) | 0.50 | – | – |",  # noqa: RUF001
    ]


def test_training_seeds():
    """0.5, 0.6 and 0.4: standard error 0.1 / sqrt(3), times 4.303 of Student's t with 2 dof."""
    several = [made(), made("b"), made("c")]
    for card, value in zip(several, (0.5, 0.6, 0.4), strict=True):
        card["summary"]["train"]["traversal"] = {"mean": value}
    lines = report.seeds(several).splitlines()
    assert lines[0] == "| score | each seed | largest difference | mean over seeds |"
    assert lines[3] == "| train: traversal | 0.50, 0.60, 0.40 | 0.200 | 0.50 (0.25 to 0.75) |"
    with pytest.raises(InputError, match="two scorecards or more, not 1"):
        report.seeds([made()])
    with pytest.raises(InputError, match="different suites"):
        report.seeds([made(), made("other", seed=1)])


@pytest.mark.parametrize(
    ("suite", "named"),
    [({"name": "full"}, "name"), ({"seed": 1}, "seed"), ({"episodes": 8}, "episodes")],
)
def test_other_worlds_make_no_table(suite, named):
    with pytest.raises(InputError, match=f"tabulate scorecards of different suites: {named} is"):
        report.policies([made(), made("other", **suite)])


def test_rows_of_one_scorecard():
    card = made()
    score = {"mean": 0.25, "low": 0.2, "high": 0.301}
    for row in card["rows"]:
        row.update(survival=score, traversal=score, velocity_error={**score, "high": 1.0})
    same = "0.25 (0.20 to 0.30) | 0.25 (0.20 to 0.30) | 0.25 (0.20 to 1.00) |"
    lines = report.rows(card).splitlines()
    assert lines[0] == (
        "| space | axis | context | episodes | survival | traversal | velocity error [m/s] |"
    )
    assert lines[2] == f"| train | material | sand | 16 | {same}"
    card["rows"] = card["rows"][:2]
    card["rows"][1]["context"] = "wet_leaves"
    lines = report.rows(card).splitlines()
    assert lines[0] == "| context | episodes | survival | traversal | velocity error [m/s] |"
    assert lines[2:] == [f"| sand | 16 | {same}", f"| wet_leaves | 16 | {same}"]


@pytest.mark.parametrize(
    ("said", "escaped"),
    [
        ("a|b", r"a\|b"),
        ("_a_b_", r"\_a_b\_"),
        ("__a__", r"\_\_a\_\_"),
        ("[x](y)\n#1", r"\[x\](y) \#1"),
        ("\x1b[2J<b>", r" \[2J\<b\>"),
    ],
)
def test_rows_show_text_as_it_is(said, escaped):
    card = made()
    card["rows"] = card["rows"][:1]
    card["rows"][0]["context"] = said
    assert report.rows(card).splitlines()[2].startswith(f"| {escaped} | 16 |")


# -- Markdown of one scorecard -------------------------------------------------------------


def test_markdown_has_rows_and_films():
    text = report.markdown(plain())
    assert text.startswith("### walk on quick\n")
    assert text.count("| heldout | material | ice |") == 1
    assert "Loss of traversal to new, in points: materials " in text
    assert text.count("grek render walk") == 12
    assert "policy abababababab, suite cdcdcdcdcdcd, seed 0, grek 0.1.0, mujoco 4.0.0" in text
    for line in text.splitlines():
        if line.startswith("|"):
            assert line.count("|") in (6, 11)


def test_markdown_shows_what_a_file_says_as_text():
    text = report.markdown(evil())
    assert "<script" not in text.replace("\\<script", "")
    assert "\x1b" not in text
    for line in text.splitlines():
        if line.startswith("|"):
            assert len(re.findall(r"(?<!\\)\|", line)) in (6, 11)


def test_losses_and_changes_by_hand():
    card = made()
    change = {"mean": 0.002, "low": -0.01, "high": 0.013}
    card["paired"] = {"numerics": {"half_timestep": {"traversal": change}}}
    text = report.markdown(card)
    assert "Loss of traversal to new, in points: materials -2.1 (-10.0 to -0.1)." in text
    assert (
        "Change of traversal in the same worlds, numerics, in points: half timestep 0.2 (-1.0 to"
        " 1.3)." in text
    )


# -- terminal ------------------------------------------------------------------------------


def test_columns_of_the_terminal_are_aligned():
    card = plain()
    lines = terminal.text(*report.scores(card)).splitlines()
    head = lines[0]
    assert head.split("  ")[:1] == ["space"]
    for line, (space, axis, context) in zip(lines[1:], cards.ROWS, strict=False):
        assert line[head.index("space") :].startswith(space)
        assert line[head.index("axis") :].startswith(axis)
        assert line[head.index("context") :].startswith(context)
        end = head.index("episodes") + len("episodes")
        assert line[:end].endswith(" 8")
    rows, spaces = len(cards.ROWS), 3
    assert lines[rows + 1].split()[:4] == ["train", "all", "all", "16"]
    assert lines[rows + spaces + 1] == ""
    assert lines[rows + spaces + 2].startswith("Loss of traversal to new")
    assert "rows: ice (material)" in lines[-1]
    assert len(lines) == rows + spaces + 4


def test_no_control_characters_or_markup_reach_the_terminal():
    card = plain()
    card["rows"][0]["context"] = "a\x1b[31m[red]\nb"
    card["rows"][1]["space"] = "\x1b]0;title\x07"
    text = terminal.text(*report.scores(card))
    assert "\x1b" not in text and "\x07" not in text
    assert "a [31m[red] b" in text
    assert "\x1b" not in terminal.text(*report.scores(evil()))


def test_comparison_by_hand():
    first, second = (cards.card(cards.episodes(8, seed=seed)) for seed in (0, 1))
    result = compare(first, second)
    lines = result.text().splitlines()
    assert lines[0].split() == [
        *("worlds", "baseline", "candidate", "change", "90", "%", "interval", "verdict")
    ]
    overall = result.overall
    row = next(line for line in lines if line.startswith("all "))
    assert row.split() == [
        "all",
        str(overall.test.n),
        f"{overall.baseline:.3f}",
        f"{overall.candidate:.3f}",
        f"{overall.test.mean:+.3f}",
        f"{overall.test.low:+.3f}",
        f"{overall.test.high:+.3f}",
        overall.test.verdict,
    ]
    assert lines[-1] == result.summary()
    falls = f"{result.new_falls} by the candidate only, {result.mended_falls} by the baseline only"
    assert lines[-2].startswith(f"falls: {falls} (McNemar p = ")
