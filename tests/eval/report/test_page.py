"""HTML page: self-contained, correct numbers, safe for untrusted scorecards."""

import math
import re
from html.parser import HTMLParser
from importlib import resources

import pytest

from grek import terminal
from grek.eval import report
from grek.eval.report import page, wording
from grek.eval.scores import scorecard

from .. import cards
from .hostile import EVIL, evil, whole

VOID = {"meta", "br", "link", "img"}
PARTS = (EVIL, [EVIL], {EVIL: EVIL}, None, 10**400, -1.5, True)


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

    @property
    def names(self) -> set[str]:
        """Tags and attributes."""
        return {*self.tags, *(f"@{name}" for name, _ in self.attributes)}


class TestPage:
    def test_is_one_file_without_network_or_script(self) -> None:
        made = report.html(whole())
        parsed = Tags(made)
        assert not {"script", "link", "img", "iframe"} & set(parsed.tags)
        assert "http" not in made
        assert "url(" not in made
        assert "@import" not in made
        links = [value for name, value in parsed.attributes if name in ("href", "src")]
        assert links
        targets = [value for name, value in parsed.attributes if name == "id"]
        assert len(targets) == len(set(targets))
        assert all(str(link)[0] == "#" and str(link)[1:] in targets for link in links)

    def test_shows_every_row_and_both_schemes(self) -> None:
        card = whole()
        made = report.html(card)
        text = " ".join(Tags(made).text)
        for row in card["rows"]:
            assert wording.place(row)[0] in text
            assert f"{100 * row['traversal']['mean']:.0f}%" in text
        assert "prefers-color-scheme: dark" in made
        assert 'name="viewport"' in made
        assert card["digest"] in text
        assert card["policy"]["sha256"] in text

    def test_cells_lead_to_their_rows(self) -> None:
        card = whole()
        made = report.html(card)
        for i, row in enumerate(card["rows"]):
            lines = made[made.index(f'id="row-{i}"') :].splitlines()
            assert lines[1].startswith("<th>{} <small>{}</small>".format(*wording.place(row)))
        cell = re.search(r'href="#row-2"(.*?)</a>', made, re.S)
        assert cell and "<span>ice</span>" in cell[1]

    def test_an_axis_without_a_row_inside_stands_beside_all_of_training(self) -> None:
        card = whole()
        card["summary"]["train"]["traversal"]["mean"] = 0.123
        pale = re.findall(r'<div class="cells pale">(.*?)</div>', report.html(card), re.S)
        assert len(pale) == 2  # slope and numerics; materials have rows inside
        assert "<b>12%</b>" in pale[0] and 'href="#top"' in pale[0]
        del card["summary"]["train"]
        pale = re.findall(r'<div class="cells pale">(.*?)</div>', report.html(card), re.S)
        assert len(pale) == 2 and "<a" not in "".join(pale)

    def test_headline_numbers(self) -> None:
        card = whole()
        summary = card["summary"]
        text = " ".join(Tags(report.html(card)).text)
        assert f"{100 * summary['train']['traversal']['mean']:.0f}%" in text
        for loss in card["transfer"].values():
            assert f"{100 * loss['traversal']['mean']:.1f} points" in text
        assert "rows: ice (material)" in text

    def test_commands_and_films_of_the_policy_it_is_told(self) -> None:
        episode = cards.episodes(1)[2]
        episode["scenario"] = "heldout/ice:0"
        films = {"heldout/ice:0": "films/heldout-ice-0.mp4"}
        made = report.html(cards.card([episode]), "runs/a/policy.onnx", films)
        assert made.count("grek render runs/a/policy.onnx --scenario heldout/ice:0") == 3
        assert made.count('src="films/heldout-ice-0.mp4"') == 3
        assert report.html(whole(), "runs/b").count("grek render runs/b --scenario ") == 12

    def test_deterministic(self) -> None:
        assert report.html(whole()) == report.html(whole())
        assert report.markdown(whole()) == report.markdown(whole())

    def test_templates_are_packaged(self) -> None:
        folder = resources.files("grek.eval.report") / "templates"
        names = {entry.name for entry in folder.iterdir()}
        assert names == {"report.html.j2", "charts.html.j2", "report.css"}


class TestCardsOfOthers:
    @pytest.mark.parametrize("part", PARTS, ids=[type(part).__name__ for part in PARTS])
    def test_what_a_file_says_stays_text(self, part: object) -> None:
        card = evil(part)
        card["digest"] = scorecard.digest(card)
        scorecard.validate(card)
        made = report.html(card)
        assert Tags(made).names <= Tags(report.html(whole())).names
        text = " ".join(Tags(made).text)
        assert EVIL.replace("\x1b", " ") in text and "\x1b" not in made
        assert "{{ 7 * 7 }}" in text
        assert "nan" not in re.sub(r"<style>.*?</style>", "", made, flags=re.S)

    def test_a_scenario_is_one_word_of_the_command(self) -> None:
        command = wording.render_command("a b'; rm", "train:1 $(x)")
        assert command == """grek render 'a b'"'"'; rm' --scenario 'train:1 $(x)'"""

    def test_nulls_and_a_single_space(self) -> None:
        made = [e for e in cards.episodes(1) if e["space"] == "train"]
        for episode in made:
            episode.update(velocity_error=math.nan, cost_of_transport=math.nan, distance=0.0)
        card = cards.card(made)
        shown = terminal.text(*report.scores(card))
        for text in (report.html(card), report.markdown(card), shown):
            assert "nan" not in re.sub(r"<style>.*</style>", "", text, flags=re.S)
            assert wording.UNKNOWN in text
            assert "None" not in text


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
        assert set(wording.picks(whole())) == {
            ("train", "material"),
            ("heldout", "material"),
            ("heldout", "slope"),
            ("numerics", "numerics"),
        }


def shapes(made: str, kind: str) -> list[tuple[float, ...]]:
    """x, y, width and height of the rectangles of a class."""
    found = re.findall(rf'<rect class="{kind}" ([^>]*)>', made)
    keys = ("x", "y", "width", "height")
    read = [dict(re.findall(r'(\w+)="([-\d.]+)"', text)) for text in found]
    return [tuple(float(values.get(key, 0)) for key in keys) for values in read]


class TestCharts:
    def test_interval_by_hand(self) -> None:
        score = {"mean": 0.5, "low": 0.25, "high": 0.75}
        assert page.span(score) == (25.0, 50.0, 75.0)
        assert page.span(score, 2.0) == (12.5, 25.0, 37.5)
        assert page.span({"mean": 1.0, "low": -0.5, "high": 3.0}, 2.0) == (0.0, 50.0, 100.0)
        assert page.span({"mean": 0.5, "low": None, "high": None}) == (50.0, 50.0, 50.0)
        card = whole()
        for row in card["rows"]:
            row.update(survival=score, traversal=score, velocity_error=score)
        made = report.html(card)
        table = made[made.index("<table>") :]
        assert shapes(table, "span")[:2] == [(25, 3, 50, 6)] * 2  # traversal, survival
        assert shapes(table, "mark")[:2] == [(49, 1, 2, 10)] * 2
        # Velocity errors are drawn over the largest bound, 0.75 m/s.
        assert shapes(table, "span")[2] == (33.3, 3, 66.7, 6)

    def test_no_interval_no_bar(self) -> None:
        card = whole()
        for row in card["rows"]:
            row.update(survival=None, velocity_error=None)
        table = report.html(card)
        table = table[table.index("<table>") :]
        assert len(shapes(table, "mark")) == len(card["rows"])

    def test_histogram_by_hand(self) -> None:
        # Two stood in the last bin, one fell there, one fell in the first: heights 36, 18, 18.
        made = [e for e in cards.episodes(2) if e["space"] == "train"]
        for episode, traversal, up in zip(
            made, (1.0, 0.96, 0.99, 0.0), (True, True, False, False), strict=True
        ):
            episode.update(traversal=traversal, survived=up)
        drawing = report.html(cards.card(made))
        stood = [bar for bar in shapes(drawing, "stood") if bar[3]]
        fell = [bar for bar in shapes(drawing, "fell") if bar[3]]
        assert stood == [(190.6, 24, 8.8, 36)]
        assert fell == [(0.6, 42, 8.8, 18), (190.6, 6, 8.8, 18)]

    def test_sectors_of_pushes_by_hand(self) -> None:
        # Forward is up: the sector of 45 degrees begins at -90 - 22.5, clockwise from the right;
        # the second to the left at -90 - 2 * 45 - 22.5. Rings are 25 wide.
        made = report.html(whole())
        sectors = re.findall(r'<circle r="([\d.]+)" fill="none".*?rotate\((\S+)\)', made, re.S)
        assert sectors == [("37.5", "-112.5"), ("87.5", "-202.5")]
        assert "10 pushes by direction" in made
        said = " ".join(made.split())
        assert "0.15 to 0.35 m/s: 6 of 8 pushes recovered from" in said
        assert f"stroke:{page.colour(0.75)}" in made and f"stroke:{page.colour(0.0)}" in made

    def test_commands_by_hand(self) -> None:
        # Column 4 of 8 and line 2 of 5 from below, on 200 x 100.
        made = " ".join(report.html(whole()).split())
        assert '<rect x="100.0" y="40.0" width="24.2" height="19.2" rx="1.5"' in made
        assert "forward 0.2 to 0.4 m/s, turn -0.1 to 0.1 rad/s: error 0.050 m/s in 5" in made
        # 0 to 0.4 m/s: asked 0.4 is the right end, done 0.3 three quarters up. Turns are negative:
        # the axes go from -0.2 to 0.2, so -0.2 is the left end, -0.1 a quarter up.
        marks = re.findall(r'<circle class="mark" cx="([\d.]+)" cy="([\d.]+)"', made)
        assert marks == [("100.0", "25.0"), ("0.0", "75.0")]

    def test_difficulty_by_hand(self) -> None:
        said = " ".join(" ".join(Tags(report.html(whole())).text).split())
        assert "slope passed up to 5% to 5% 90% to 10% 50%" in said
        assert "waves not passed to 12.5 mm 25%" in said

    def test_colours_by_hand(self) -> None:
        assert page.colour(0.25) == "color-mix(in oklab,var(--middle) 50%,var(--low))"
        assert page.colour(0.75) == "color-mix(in oklab,var(--high) 50%,var(--middle))"
        assert page.colour(1.0) == "color-mix(in oklab,var(--high) 100%,var(--middle))"
        assert page.colour(math.nan) == "var(--panel)"


@pytest.mark.parametrize(
    ("value", "said"),
    [
        *((0.873, "87%"), (0.0, "0%"), (1.0, "100%"), ({"mean": 0.5}, "50%")),
        *((math.nan, wording.UNKNOWN), (None, wording.UNKNOWN), ("1", wording.UNKNOWN)),
    ],
)
def test_percent(value: object, said: str) -> None:
    assert wording.percent(value) == said


def test_bounds() -> None:
    assert wording.bounds({"mean": 0.5, "low": 0.094, "high": 0.35}) == "9 to 35%"
    assert wording.bounds({"mean": 0.5, "low": None, "high": 0.35}) == wording.UNKNOWN
