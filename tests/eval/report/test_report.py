"""The report: whole, self-contained, safe against what a file says, and right in its numbers."""

import math
import re
from html.parser import HTMLParser

import pytest

from grek.eval.report import svg, wording
from grek.eval.report import text as report
from grek.eval.scores.resampling import Interval
from grek.eval.scores.scorecard import Card

from .. import cards

VOID = {"meta", "br", "link", "img"}
EVIL = '<script>alert("1")</script>`|[x](y)\n$(rm)\'&'


class Tags(HTMLParser):
    """Checks that tags close in order, and collects tags, attributes and text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.text: list[str] = []
        self.feed(text)
        assert not self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] != "style":
            self.text.append(data)


def plain() -> Card:
    return cards.card(cards.episodes(8, loss={"ice": 0.4}))


def evil() -> Card:
    card = plain()
    card["policy"] = {"name": EVIL, "sha256": EVIL, "contract": {EVIL: EVIL}}
    card["suite"] = {"name": EVIL, "sha256": EVIL, "seed": EVIL, "episodes": EVIL}
    card["versions"] = {EVIL: EVIL}
    card["digest"] = EVIL
    for row in card["rows"]:
        row.update(space=EVIL, axis=EVIL, context=EVIL, cost_of_transport=EVIL)
    for episode in card["episodes"]:
        episode.update(space=EVIL, scenario=EVIL, contexts={EVIL: EVIL})
    return card


class TestHtml:
    def test_is_one_file_without_network_or_script(self) -> None:
        page = report.html(plain())
        parsed = Tags(page)
        assert not {"script", "link", "img", "iframe"} & set(parsed.tags)
        assert "http" not in page
        assert "url(" not in page
        assert "@import" not in page
        links = [value for name, value in parsed.attributes if name in ("href", "src")]
        assert links
        targets = {value for name, value in parsed.attributes if name == "id"}
        assert all(str(link)[0] == "#" and str(link)[1:] in targets for link in links)

    def test_shows_every_row_and_both_schemes(self) -> None:
        card = plain()
        page = report.html(card)
        text = " ".join(Tags(page).text)
        for row in card["rows"]:
            assert row["context"] in text
            assert f"{100 * row['traversal']['mean']:.0f}%" in text
        assert "prefers-color-scheme: dark" in page
        assert 'name="viewport"' in page
        assert card["digest"] in text
        assert card["policy"]["sha256"] in text

    def test_headline_numbers(self) -> None:
        card = plain()
        summary = card["summary"]
        text = " ".join(Tags(report.html(card)).text)
        assert f"{100 * summary['train']['traversal']['mean']:.0f}%" in text
        assert f"{100 * summary['gap']['mean']:.1f} points" in text
        assert "rows: ice (material)" in text

    def test_what_a_file_says_stays_text(self) -> None:
        page = report.html(evil())
        tags = set(Tags(page).tags)
        assert "script" not in tags
        assert tags == set(Tags(report.html(plain())).tags)
        # In a command it is one quoted word.
        command = wording.render_command("a b'; rm", "train:1 $(x)")
        assert command == """grek render 'a b'"'"'; rm' --scenario 'train:1 $(x)'"""

    def test_nulls_and_a_single_space(self) -> None:
        made = [e for e in cards.episodes(1) if e["space"] == "train"]
        for episode in made:
            episode.update(velocity_error=math.nan, cost_of_transport=math.nan, distance=0.0)
        card = cards.card(made)
        for text in (report.html(card), report.markdown(card), report.table(card)):
            assert "nan" not in re.sub(r"<style>.*</style>", "", text, flags=re.S)
            assert wording.UNKNOWN in text
            assert "None" not in text

    def test_deterministic(self) -> None:
        assert report.html(plain()) == report.html(plain())
        assert report.markdown(plain()) == report.markdown(plain())

    def test_commands_name_the_policy_they_are_told(self) -> None:
        page = report.html(plain(), policy="runs/a/policy.onnx")
        assert page.count("grek render runs/a/policy.onnx --scenario ") == 12


class TestPicks:
    def test_worst_median_best_of_each_axis(self) -> None:
        made = [e for e in cards.episodes(5) if e["contexts"] == {"material": "ice"}]
        for episode, traversal in zip(made, (0.5, 0.1, 0.9, 0.3, 0.7), strict=True):
            episode["traversal"] = traversal
        chosen = dict(wording.picks(cards.card(made))[("heldout", "material")])
        scenarios = [e["scenario"] for e in made]
        assert chosen["worst"]["scenario"] == scenarios[1]
        assert chosen["median"]["scenario"] == scenarios[0]
        assert chosen["best"]["scenario"] == scenarios[2]
        assert set(wording.picks(plain())) == {
            ("train", "material"),
            ("heldout", "material"),
            ("heldout", "slope"),
            ("numerics", "numerics"),
        }


class TestMarkdown:
    def test_rows_and_films(self) -> None:
        text = report.markdown(plain())
        assert text.startswith("### walk on quick\n")
        assert text.count("| heldout | material | ice |") == 1
        assert "Generalisation gap" in text
        assert text.count("grek render walk") == 12
        for line in text.splitlines():
            if line.startswith("|"):
                assert line.count("|") in (6, 11)

    def test_what_a_file_says_stays_text(self) -> None:
        text = report.markdown(evil())
        assert "<script" not in text.replace("\\<script", "")
        for line in text.splitlines():
            if line.startswith("|"):
                assert len(re.findall(r"(?<!\\)\|", line)) in (6, 11)


class TestTable:
    def test_columns_are_aligned(self) -> None:
        lines = report.table(plain()).splitlines()
        head = lines[0]
        for line, (space, axis, context) in zip(lines[1:], cards.ROWS, strict=False):
            assert line[head.index("space") :].startswith(space)
            assert line[head.index("axis") :].startswith(axis)
            assert line[head.index("context") :].startswith(context)
        assert "gap" in lines[-2]

    def test_no_control_characters(self) -> None:
        card = plain()
        card["rows"][0]["context"] = "a\x1b[31m\nb"
        assert "\x1b" not in report.table(card)


class TestSvg:
    def test_interval_bar_by_hand(self) -> None:
        bar = svg.interval_bar(Interval(0.5, 0.25, 0.75), "half")
        assert 'class="span" x="25.0" y="3" width="50.0"' in bar
        assert 'class="mark" x="49.0"' in bar
        assert svg.interval_bar(Interval(1.0, 0.5, 1.5), "x", most=2.0).count('x="25.0"') == 1

    def test_interval_bar_without_numbers(self) -> None:
        assert svg.interval_bar(Interval(math.nan, math.nan, math.nan), "x") == ""
        alone = svg.interval_bar(Interval(0.5, math.nan, math.nan), "x")
        assert "nan" not in alone

    def test_histogram_by_hand(self) -> None:
        # Two stood in the last bin, one fell there, one fell in the first: heights 36, 18, 18.
        drawing = svg.histogram([1.0, 0.96, 0.99, 0.0], [True, True, False, False], "x")
        stood = re.findall(r'class="stood" x="(.*?)" y="(.*?)" .*? height="(.*?)"', drawing)
        fell = re.findall(r'class="fell" x="(.*?)" y="(.*?)" .*? height="(.*?)"', drawing)
        assert stood == [("190.6", "24.00", "36.00")]
        assert fell == [("0.6", "42.00", "18.00"), ("190.6", "6.00", "18.00")]

    def test_histogram_of_nothing(self) -> None:
        assert "nan" not in svg.histogram([math.nan], [True], "x")


@pytest.mark.parametrize(
    ("value", "said"), [(0.873, "87%"), (0.0, "0%"), (1.0, "100%"), (math.nan, wording.UNKNOWN)]
)
def test_percent(value: float, said: str) -> None:
    assert wording.percent(value) == said
