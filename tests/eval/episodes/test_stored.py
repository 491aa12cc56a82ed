"""Scorecards of very many episodes: a Parquet file beside the JSON file."""

import json
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet

from grek.__main__ import main
from grek.errors import InputError
from grek.eval import report
from grek.eval.episodes import stored
from grek.eval.episodes.episodes import Episodes, Kind
from grek.eval.scores import compare, scorecard

from .. import cards


@pytest.fixture
def large(monkeypatch, tmp_path):
    """Path of a scorecard whose episodes are in a Parquet file."""
    monkeypatch.setattr(scorecard, "INLINE", 10)
    made = [{**e, "world": i} for i, e in enumerate(cards.episodes(4))]
    made[3]["traversal"] = float("nan")
    scorecard.write(cards.card(made), tmp_path / "scorecard.json")
    return tmp_path / "scorecard.json"


def test_many_episodes_are_stored_beside(large):
    plain = json.loads(large.read_text())
    assert set(plain["episodes"]) == {"count", "sha256"} and plain["episodes"]["count"] == 20
    read = scorecard.read(large)
    assert len(read["episodes"]) == 20
    assert read["episodes"][3]["traversal"] is None and read["episodes"][3]["world"] == 3
    table = parquet.read_table(stored.places(large)[0])  # as any other tool
    assert table["scenario"][0].as_py() == "train/sand:300000"
    assert table["contexts"][2].as_py() == '{"material": "ice"}'
    assert table["traversal"].null_count == 1


def test_where_episodes_are_stored_changes_no_score(large, monkeypatch):
    beside = scorecard.read(large)
    monkeypatch.setattr(scorecard, "INLINE", 10_000)
    inline = scorecard.read(large)
    made = cards.card(list(inline["episodes"]))
    assert made["rows"] == beside["rows"] and made["episodes"] == beside["episodes"]
    assert report.html({**made, "digest": ""}) == report.html({**beside, "digest": ""})
    assert compare.compare(beside, beside) == compare.compare(made, made)


def edited(table: Any) -> Any:
    column = table["traversal"].to_numpy().copy()
    column[5] += 1e-6
    at = table.column_names.index("traversal")
    return table.set_column(at, "traversal", pa.array(column, from_pandas=True))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (edited, "was edited"),
        (lambda table: table.slice(0, 19), "are 19, not 20"),
        (lambda table: table.drop(["contexts"]), "cannot be read"),
        (lambda table: table.drop(["survived"]), "lacks survived"),
        (lambda table: table.set_column(3, "world", [[b"x"] * 20]), "worlds are of the type"),
    ],
)
def test_a_file_that_does_not_belong_to_the_card_is_refused(change, words, large, capsys):
    beside = stored.places(large)[0]
    parquet.write_table(change(parquet.read_table(beside)), beside)
    assert main(["table", str(large)]) == 2
    said = capsys.readouterr().err
    assert words in said and said.count("\n") == 1


def test_damaged_and_missing_files_are_refused(large):
    beside = stored.places(large)[0]
    content = beside.read_bytes()
    rng = np.random.default_rng(0)
    for _ in range(100):
        broken = bytearray(content)
        broken[rng.integers(len(broken))] ^= 1 << int(rng.integers(8))
        beside.write_bytes(broken)
        try:
            read = scorecard.read(large)  # the digest is of the values: some bits hold none
        except InputError as error:
            assert "\n" not in str(error)
        else:
            assert (
                stored.digest(read["episodes"])
                == json.loads(large.read_text())["episodes"]["sha256"]
            )
    beside.unlink()
    with pytest.raises(InputError, match=r"scorecard\.[0-9a-f]{12}\.parquet cannot be read"):
        scorecard.read(large)


def many(n: int, seed: int) -> Episodes:
    """`n` episodes of five materials."""
    rng = np.random.default_rng(seed)
    kind = np.arange(n) % 5
    names = ("dry_concrete", "wet_concrete", "sand", "gravel", "carpet")
    traversal = rng.beta(9, 1, n)
    scenario = np.array(
        [f"train/{names[k]}:{300_000 + i // 5}" for i, k in enumerate(kind)], object
    )
    world = np.empty(n, object)
    world[:] = range(n)
    metrics = {
        "survived": (traversal > 0.5).astype(float),
        "traversal": traversal,
        "velocity_error": rng.gamma(2, 0.05, n),
        "distance": 5 * traversal,
        **{name: rng.random(n) for name in ("cost_of_transport", *"abcdefghi")},
    }
    kinds = tuple(Kind("train", (("material", name),)) for name in names)
    none = np.empty(0, np.int64)
    events = {"pushes": 3, "stretches": 5, "fall": 2}
    return Episodes(
        *(scenario, kind, kinds, world, metrics, {}),
        {name: (none, np.empty((0, width))) for name, width in events.items()},
    )


def test_memory_per_episode_is_small(tmp_path: Path) -> None:
    """Building, writing and reading a card takes some hundred bytes an episode beyond its own."""
    episodes = [many(50_000, seed) for seed in range(2)]
    tracemalloc.start()
    try:
        for i in range(2):
            scorecard.write(cards.card(episodes[i]), tmp_path / f"{i}.json")  # type: ignore[arg-type]
        read = [scorecard.read(tmp_path / f"{i}.json") for i in range(2)]
        assert compare.compare(*read).overall.test.n == 50_000
        report.html(read[0])
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 100_000 * 1500
