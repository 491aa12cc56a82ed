"""Scorecards: contract, hand-computed rows, determinism, invalid files."""

import json
import math
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from grek.errors import InputError
from grek.eval import report
from grek.eval.scores import compare, scorecard

from .. import cards


def row(card: scorecard.Card, context: str) -> dict:
    return next(r for r in card["rows"] if r["context"] == context)


class TestContent:
    def test_has_all_that_the_contract_names(self) -> None:
        card = cards.card()
        assert list(card)[:10] == [
            *("schema", "policy", "suite", "versions", "provenance", "rows"),
            *("summary", "transfer", "paired", "episodes"),
        ]
        assert card["schema"] == 2
        for r, key in zip(card["rows"], cards.ROWS, strict=True):
            assert (r["space"], r["axis"], r["context"]) == key
            assert r["episodes"] == 16
            for score in ("survival", "traversal", "velocity_error"):
                assert set(r[score]) == {"mean", "low", "high"}
                assert r[score]["low"] <= r[score]["mean"] <= r[score]["high"]
            for name in ("cost_of_transport", "falls_per_km", "slip_per_metre"):
                assert isinstance(r[name], float)
        for space in ("train", "heldout", "numerics"):
            for score in ("survival", "traversal", "velocity_error"):
                found = card["summary"][space][score]
                assert set(found) == {"mean", "low", "high", "worlds", "rows"}
                assert found["worlds"] == {"low": found["low"], "high": found["high"]}
                assert set(found["rows"]) == {"low", "high"}
        for group in ("materials", "shapes"):
            assert {"episodes", "regret", "survival", "traversal"} == set(card["transfer"][group])

    def test_rows_by_hand(self) -> None:
        made = cards.episodes(2)[:1] * 4
        for episode, traversal in zip(made, (1.0, 0.8, 0.6, 0.0), strict=True):
            made[made.index(episode)] = dict(
                episode, traversal=traversal, survived=traversal > 0, distance=10 * traversal
            )
        made[0]["cost_of_transport"], made[1]["cost_of_transport"] = 0.4, 0.7
        made[3]["cost_of_transport"] = made[3]["velocity_error"] = math.nan
        made[3]["slip_per_metre"] = math.nan
        r = cards.card(made)["rows"][0]
        assert r["traversal"]["mean"] == pytest.approx(0.6)
        assert r["survival"]["mean"] == 0.75
        assert r["distance"] == pytest.approx(24)
        assert r["falls_per_km"] == pytest.approx(1000 / 24, rel=1e-5)
        # Work over distance of the whole row: (10 * 0.4 + 8 * 0.7 + 6 * 0.5) / 24.
        assert r["cost_of_transport"] == pytest.approx(12.6 / 24)
        assert r["velocity_error"]["mean"] == pytest.approx(0.1)

    def test_summary_by_hand(self) -> None:
        made = cards.episodes(8, noise=0, loss={"ice": 0.4, "far": 0.2})
        card = cards.card(made)
        mean = {
            space: np.mean([e["traversal"] for e in made if e["space"] == space])
            for space in ("train", "heldout", "numerics")
        }
        for space, value in mean.items():
            assert card["summary"][space]["traversal"]["mean"] == pytest.approx(value, abs=1e-5)
        for group, context in (("materials", "ice"), ("shapes", "far")):
            there = [e["traversal"] for e in made if context in e["contexts"].values()]
            loss = card["transfer"][group]["traversal"]
            assert loss["mean"] == pytest.approx(mean["train"] - np.mean(there), abs=1e-5)
            assert loss["low"] < loss["mean"] < loss["high"]
        assert set(card["transfer"]) == {"materials", "shapes"}
        assert card["summary"]["worst"] == {
            "space": "heldout",
            "axis": "material",
            "context": "ice",
        }

    def test_regret_against_a_policy_that_trained_there_too(self) -> None:
        """0.3 lost on ice, of which the other loses 0.1 too: 0.2 by not having trained there."""
        lost, there = {"ice": 0.3, "far": 0.1}, {"ice": 0.1, "far": 0.1}
        reference = cards.card(cards.episodes(8, noise=0, loss=there))
        made = cards.episodes(8, noise=0, loss=lost)
        about = reference["policy"], reference["suite"], reference["versions"]
        card = scorecard.build(*about, made, {}, reference)
        rows = {row["context"]: row for row in card["rows"]}
        assert rows["ice"]["regret"]["mean"] == pytest.approx(0.2, abs=1e-5)
        assert rows["far"]["regret"] == {"mean": 0, "low": 0, "high": 0}
        assert "regret" not in rows["sand"] and "regret" not in rows["euler"]
        regret = card["transfer"]["materials"]["regret"]
        assert regret["mean"] == pytest.approx(0.2, abs=1e-5)
        assert card["transfer"]["shapes"]["regret"]["mean"] == 0
        other = scorecard.build(about[0], {**about[1], "seed": 1}, about[2], made, {}, reference)
        assert other["transfer"]["materials"]["regret"] is None
        assert (
            "against a policy that trained there too, in points: materials 20.0 (20.0 to 20.0)"
            in (report.markdown(card))
        )
        assert "Regret: what does not transfer" in report.html(card)

    def test_a_space_left_out_is_absent_and_so_is_the_loss(self) -> None:
        card = cards.card([e for e in cards.episodes(4) if e["space"] == "heldout"])
        assert "train" not in card["summary"]
        assert card["transfer"] == card["paired"] == {}

    def test_settings_are_paired_by_world(self) -> None:
        """Worlds of 0.1 to 0.9, and 0.02 less with another setting: the spread is not in it."""
        one = next(e for e in cards.episodes(1) if e["space"] == "numerics")
        made = [
            {**one, "contexts": {"numerics": name}, "world": world}
            | {"traversal": 0.1 * world - loss, "survived": world > 1}
            for world in range(1, 10)
            for name, loss in (("as_trained", 0.0), ("euler", 0.02))
        ]
        change = cards.card(made)["paired"]["numerics"]
        assert set(change) == {"euler"} and change["euler"]["episodes"] == 9
        assert change["euler"]["traversal"] == pytest.approx(
            {"mean": -0.02, "low": -0.02, "high": -0.02}
        )
        assert change["euler"]["survival"]["mean"] == 0

    def test_engines_are_paired_on_each_ground(self) -> None:
        """Drake is 0.01 better on flat ground and 0.03 worse on sand, in the worlds of MuJoCo."""
        one = next(e for e in cards.episodes(1) if e["space"] == "numerics")
        made = [
            {**one, "space": "engines", "contexts": {ground: engine}, "world": world}
            | {"traversal": 0.1 * world + change * (engine == "drake"), "survived": True}
            for world in range(1, 9)
            for ground, change in (("flat", 0.01), ("sand", -0.03))
            for engine in ("mujoco", "drake")
        ]
        change = cards.card(made)["paired"]["engines"]
        assert {name: c["traversal"]["mean"] for name, c in change.items()} == pytest.approx(
            {"flat-drake": 0.01, "sand-drake": -0.03}
        )
        assert [c["episodes"] for c in change.values()] == [8, 8]

    def test_rows_are_less_certain_than_worlds(self) -> None:
        made = cards.episodes(40, noise=0.0, loss={"ice": 0.4})
        score = cards.card(made)["summary"]["heldout"]["traversal"]
        assert score["rows"]["low"] < score["worlds"]["low"]
        assert score["rows"]["high"] > score["worlds"]["high"]

    def test_provenance_is_kept(self) -> None:
        about = {"commit": "f00", "dirty": True, "weights": None}
        made = scorecard.build({"name": "x"}, {"name": "quick"}, {}, cards.episodes(2), about)
        assert made["provenance"] == about

    def test_an_episode_may_belong_to_two_rows(self) -> None:
        made = cards.episodes(4)
        for episode in made:
            if episode["space"] == "numerics":
                episode["contexts"]["material"] = "sand"
        card = cards.card(made)
        keys = [(r["space"], r["axis"], r["context"]) for r in card["rows"]]
        assert ("numerics", "numerics", "euler") in keys
        assert ("numerics", "material", "sand") in keys

    def test_contexts_that_share_worlds_add_no_certainty(self) -> None:
        # Eight copies of the same 16 episodes under eight names have the interval of one copy.
        once = [e for e in cards.episodes(16) if e["space"] == "numerics"]
        copies = [
            {**episode, "contexts": {"numerics": name}, "world": i}
            for i, episode in enumerate(once)
            for name in "abcdefgh"
        ]
        alone = cards.card(once)["summary"]["numerics"]
        shared = cards.card(copies)["summary"]["numerics"]
        for score in ("survival", "traversal"):
            for end in ("mean", "low", "high"):
                assert shared[score][end] == pytest.approx(alone[score][end], abs=1e-5)

    def test_one_episode_knows_no_spread(self) -> None:
        r = cards.card(cards.episodes(1))["rows"][0]
        assert (r["traversal"]["low"], r["traversal"]["high"]) == (0, 1)
        assert (r["velocity_error"]["low"], r["velocity_error"]["high"]) == (0, None)

    def test_undefined_is_null_and_numbers_have_six_digits(self) -> None:
        made = cards.episodes(2)
        made[0].update(cost_of_transport=math.nan, traversal=np.float64(0.123456789), distance=-0.0)
        card = cards.card(made)
        assert card["episodes"][0]["cost_of_transport"] is None
        assert card["episodes"][0]["traversal"] == 0.123457
        assert math.copysign(1, card["episodes"][0]["distance"]) == 1
        assert "NaN" not in scorecard.dumps(card)

    def test_the_policy_is_kept_to_the_last_digit(self) -> None:
        assert cards.card()["policy"]["contract"] == {"schema": 1, "scale": [0.1, 0.123456789]}

    def test_no_episodes(self) -> None:
        with pytest.raises(InputError, match="at least one episode"):
            cards.card([])

    def test_episodes_of_scenarios(self) -> None:
        scenarios = [
            SimpleNamespace(
                name="heldout/ice:3", space="heldout", context=("material", "ice"), seed=5
            ),
            SimpleNamespace(
                name="train/sand:9", space="train", context=("material", "sand"), seed=6
            ),
        ]
        measured = {"survived": np.array([1.0, 0.0]), "traversal": np.array([0.5, np.nan])}
        first, second = scorecard.episodes_of(scenarios, measured)
        assert first == {
            "scenario": "heldout/ice:3",
            "space": "heldout",
            "contexts": {"material": "ice"},
            "world": 5,
            "survived": True,
            "traversal": 0.5,
        }
        assert (second["space"], second["survived"]) == ("train", False)
        assert math.isnan(second["traversal"])


class TestFile:
    def test_the_same_to_the_last_byte(self, tmp_path: Path) -> None:
        for name in ("a", "b"):
            scorecard.write(cards.card(), tmp_path / f"{name}.json")
        first = (tmp_path / "a.json").read_bytes()
        assert first == (tmp_path / "b.json").read_bytes()
        scorecard.write(scorecard.read(tmp_path / "a.json"), tmp_path / "c.json")
        assert first == (tmp_path / "c.json").read_bytes()

    def test_round_trip_and_directory(self, tmp_path: Path) -> None:
        card = cards.card()
        scorecard.write(card, tmp_path / "run" / "scorecard.json")
        assert scorecard.read(tmp_path / "run") == card
        assert scorecard.read(tmp_path / "run" / "scorecard.json") == card
        assert [p.name for p in (tmp_path / "run").iterdir()] == ["scorecard.json"]

    def test_nothing_half_written(self, tmp_path: Path) -> None:
        path = tmp_path / "scorecard.json"
        path.write_text("old")
        with pytest.raises(ValueError, match="JSON"):
            scorecard.write({**cards.card(), "bad": math.nan}, path)
        assert path.read_text() == "old"
        assert len(list(tmp_path.iterdir())) == 1

    def refused(self, tmp_path: Path, content: str | bytes, words: str) -> None:
        path = tmp_path / "card.json"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        with pytest.raises(InputError, match=words) as caught:
            scorecard.read(path)
        assert "card.json" in str(caught.value)
        assert "\n" not in str(caught.value)

    def test_files_that_are_none(self, tmp_path: Path) -> None:
        text = scorecard.dumps(cards.card(cards.episodes(2)))
        self.refused(tmp_path, "", "empty")
        self.refused(tmp_path, " \n", "empty")
        self.refused(tmp_path, b"\xff\xfe\x00", "not JSON")
        self.refused(tmp_path, "[1, 2]", "no schema")
        self.refused(tmp_path, '{"a": 1}', "no schema")
        self.refused(tmp_path, "[" * 100_000, "not JSON")
        self.refused(tmp_path, '{"schema": NaN}', "not JSON")
        for cut in (1, len(text) // 2, len(text) - 3):
            self.refused(tmp_path, text[:cut], "cut off")

    def test_edited(self, tmp_path: Path) -> None:
        card = cards.card(cards.episodes(2))
        for change in (
            lambda c: c["rows"][0]["traversal"].update(mean=0.99),
            lambda c: c["episodes"][0].update(traversal=1.0),
            lambda c: c["episodes"].pop(),
            lambda c: c["policy"].update(name="better"),
            lambda c: c["transfer"]["materials"]["traversal"].update(mean=0.0),
        ):
            edited = json.loads(scorecard.dumps(card))
            change(edited)
            self.refused(tmp_path, scorecard.dumps(edited), "edited")
        huge = scorecard.dumps(card).replace('"seed": 0', '"seed": 1e999')
        self.refused(tmp_path, huge, "not JSON")

    def test_schema_1_is_read_and_shown(self, tmp_path: Path) -> None:
        new = cards.card(cards.episodes(2))
        old = {k: v for k, v in new.items() if k not in ("provenance", "transfer", "paired")}
        gap = {"mean": 0.12, "low": 0.08, "high": 0.16}
        old |= {"schema": 1, "summary": {**new["summary"], "gap": gap}}
        path = tmp_path / "old.json"
        path.write_text(scorecard.dumps({**old, "digest": scorecard.digest(old)}))
        card = scorecard.read(path)
        assert "Generalisation gap (train minus heldout): 12.0 points" in report.markdown(card)
        assert "12.0 points" in report.html(card)
        assert compare.compare(card, card).exit_code == 0
        with pytest.raises(InputError, match="schema 1 and 2"):
            compare.compare(card, new)

    def test_schema_and_keys(self, tmp_path: Path) -> None:
        card = cards.card(cards.episodes(2))
        self.refused(tmp_path, scorecard.dumps({**card, "schema": 3}), "newer grek")
        for schema in ("1", True, 0, None):
            self.refused(tmp_path, scorecard.dumps({**card, "schema": schema}), "schema")
        for key in ("policy", "suite", "rows", "summary", "episodes", "digest"):
            less = {k: v for k, v in card.items() if k != key}
            self.refused(tmp_path, scorecard.dumps(less), key)
            self.refused(tmp_path, scorecard.dumps({**card, key: 3}), key)

    def test_signed_but_not_whole(self, tmp_path: Path) -> None:
        def signed(**change: object) -> str:
            card = {**cards.card(cards.episodes(2)), **change}
            return scorecard.dumps({**card, "digest": scorecard.digest(card)})

        row, episode = (cards.card(cards.episodes(2))[part][0] for part in ("rows", "episodes"))
        bad: list[tuple[str, object, str]] = [
            ("episodes", [], r"length >= 1 - at `\$\.episodes`"),
            ("rows", [], r"length >= 1 - at `\$\.rows`"),
            ("rows", [row, 3], r"`object`, got `int` - at `\$\.rows\[1\]`"),
            ("rows", [{"axis": "material"}], r"field `space` - at `\$\.rows\[0\]`"),
            ("rows", [{**row, "traversal": 1}], r"got `int` - at `\$\.rows\[0\]\.traversal`"),
            ("rows", [{**row, "axis": None}], r"got `null` - at `\$\.rows\[0\]\.axis`"),
            ("episodes", [{**episode, "contexts": {}}], r"\$\.episodes\[0\]\.contexts`"),
            ("episodes", [{**episode, "world": [1]}], r"\$\.episodes\[0\]\.world`"),
            ("episodes", [{**episode, "traversal": "1"}], r"\$\.episodes\[0\]\.traversal`"),
        ]
        for part, content, words in bad:
            self.refused(tmp_path, signed(**{part: content}), words)

    def test_keys_of_later_versions_are_kept(self, tmp_path: Path) -> None:
        card = cards.card(cards.episodes(2))
        card = {**card, "later": [1], "rows": [{**row, "later": 2} for row in card["rows"]]}
        card["digest"] = scorecard.digest(card)
        scorecard.write(card, tmp_path / "card.json")
        assert scorecard.read(tmp_path / "card.json") == card

    def test_any_depth_of_nesting_is_read_or_refused(self, tmp_path: Path) -> None:
        text = scorecard.dumps(cards.card(cards.episodes(1)))
        for depth in range(800, 1010, 3):
            nested = '"versions": {"deep": ' + "[" * depth + "]" * depth + ","
            deep = text.replace('"versions": {', nested, 1)
            self.refused(tmp_path, deep, "edited|not JSON")

    def test_missing(self, tmp_path: Path) -> None:
        with pytest.raises(InputError, match="cannot be read"):
            scorecard.read(tmp_path / "none.json")
        with pytest.raises(InputError, match="cannot be read"):
            scorecard.read(tmp_path)
