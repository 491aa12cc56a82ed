"""`grek bench`: goals, medians, tables and measurements."""

from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest

from grek import terminal
from grek.bench import contenders, learning, onboard
from grek.bench import rates as benchmark


def curve(*traversal: float) -> list[dict[str, Any]]:
    return [
        {"minutes": float(i), "steps": 1000 * i, "traversal": t} for i, t in enumerate(traversal)
    ]


def run(seed: int, *traversal: float) -> dict[str, Any]:
    points = curve(*traversal)
    passed = {str(goal): learning.first(points, goal) for goal in learning.GOALS}
    return {"seed": seed, "curve": points, "passed": passed}


def test_a_goal_is_passed_at_its_first_point():
    points = curve(0.1, 0.5, 0.4, 0.9)
    assert learning.first(points, 0.5) == {"minutes": 1.0, "steps": 1000}
    assert learning.first(points, 0.8) == {"minutes": 3.0, "steps": 3000}
    assert learning.first(points, 0.95) == {"minutes": None, "steps": None}


def test_a_median_is_unknown_unless_most_passed():
    assert learning._median([3.0, None, 1.0]) == 3.0
    assert learning._median([3.0, None, None]) is None


def test_learning_in_words_and_as_a_picture(tmp_path: Path):
    runs = [run(0, 0.1, 0.6, 0.85), run(1, 0.2, 0.9), run(2, 0.0)]
    found = {
        "runs": runs,
        "median": {
            str(goal): {
                unit: learning._median([r["passed"][str(goal)][unit] for r in runs])
                for unit in ("minutes", "steps")
            }
            for goal in learning.GOALS
        },
    }
    text = terminal.text(learning.table(found))
    assert "0.5, median" in text and "not reached" in text
    learning.draw(found, tmp_path / "curves.png")
    assert (tmp_path / "curves.png").read_bytes().startswith(b"\x89PNG")


def test_a_few_seconds_of_learning_make_a_curve(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(learning, "EVERY", 0.0)
    monkeypatch.setattr(learning, "SCENARIOS", 2)
    found = learning.measure(1, 0.05, 1, lambda done, total: None)
    points = found["runs"][0]["curve"]
    assert points[0]["minutes"] == 0 and points[0]["steps"] > 0
    assert all(0 <= point["traversal"] <= 1 for point in points)
    assert found["median"]["0.9"]["minutes"] is None


def test_spread_is_median_low_and_high():
    assert benchmark.spread(np.array([3.0, 1.0, 2.0])) == {"median": 2.0, "low": 1.0, "high": 3.0}


def test_tables_show_what_is_missing_and_why():
    spread = {"median": 66422.0, "low": 60000.0, "high": 70000.0}
    ratio = {"median": 0.7071, "low": 0.5, "high": 0.9}
    result = {
        "rates": {"raw_rigid": spread, "envpool_flat": None, "odd [x]": None},
        "ratios": {"vector_env_over_raw_rigid": ratio},
        "scaling": [{"worlds": 64, "threads": 2, "rate": 4321}],
        "memory_per_world_mib": 0.0623,
        "startup_s": {"grek_help": 0.181},
        "notes": {"envpool_flat": "EnvPool is missing"},
    }
    lines = [line.split() for line in terminal.text(*benchmark.tables(result)).splitlines()]
    assert ["raw_rigid", "66422", "60000", "70000"] in lines
    assert ["envpool_flat", "-", "-", "-", "EnvPool", "is", "missing"] in lines
    assert ["odd", "[x]", "-", "-", "-", "not", "measured"] in lines
    assert ["vector_env_over_raw_rigid", "0.707", "0.500", "0.900"] in lines
    assert ["64", "2", "4321"] in lines
    assert ["memory", "per", "world", "[MiB]", "0.062"] in lines
    assert ["grek_help", "[s]", "0.181"] in lines


def test_updates_are_timed_on_the_same_samples():
    ours, theirs = contenders.ppo_updates(1)
    assert ours() > 0 and theirs() > 0


def test_peers_that_are_not_installed_are_none(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(contenders, "find_spec", lambda name: None)
    assert contenders.envpool("Rough", 1) is None


def test_the_peer_that_is_installed_runs(monkeypatch: pytest.MonkeyPatch):
    pytest.importorskip("envpool")
    monkeypatch.setattr(contenders, "ENVPOOL_WORLDS", 4)
    rate = contenders.envpool("Rough", 1)
    assert rate is not None and rate() > 0


def test_vector_environments_keep_to_their_best_size():
    made: list[int] = []

    def kind(envs: list[Any]) -> Any:
        made.append(len(envs))
        return gymnasium.vector.SyncVectorEnv(envs)

    rate = contenders.peer(kind, 1)
    assert rate() > 0 and made == [1, 4, 16]
    assert rate() > 0 and made[3:] in ([1], [4], [16])


def test_what_the_computer_of_a_robot_takes():
    found = onboard.measure(200)
    wall = list(found["wall_ms"].values())
    assert 0 < wall[0] <= wall[1] <= wall[2] and found["memory_mib"] > 10
    assert "control step, wall time, quantile 0.99" in terminal.text(onboard.table(found))
