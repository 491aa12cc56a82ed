"""Logs as measurements: what is taken from them, and that others are refused in one line."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from grek.__main__ import main
from grek.envs.robots import GREK
from grek.envs.scenarios.scenario import Scenario, Sensors
from grek.envs.scenarios.spaces import SPACES
from grek.errors import InputError
from grek.identify import fit, logs
from grek.onboard import log
from grek.onboard.excitation import excitation

from ..torture.attack import damaged, mutated, tries
from .bodies import logged

STEPS = logs.FEWEST + 1
SPACE = """schema = 1
name = "mine"
robot = "grek"
[body]
payload = [0.4, 0.6]
base_com = { x = [0.0, 0.01], y = 0.0, z = 0.01 }
[motors]
strength = 0.7
delay = [0.01, 0.015]
[sensors]
latency = [0.2, 0.4]
[ground]
materials = ["sand", "mud"]
mixed = 0.1
shapes = { level = 1.0, "slope+relief" = 2 }
sizes = { slope = [0.0, 0.05] }
"""


class Fits(InputError):
    """Raised in the place of a fit: the log was accepted."""


@pytest.fixture(autouse=True)
def no_fit(monkeypatch):
    def accepted(*arguments: Any, **options: Any) -> None:
        raise Fits("accepted")

    monkeypatch.setattr(fit, "identify", accepted)


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> Path:
    """Log of a body that hangs."""
    path = tmp_path_factory.mktemp("logs") / "air.mcap"
    logged(Scenario(sensors=Sensors(joint_noise=0.003), seed=5), "air", path, STEPS)
    return path


def refused(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    """What the command says as it refuses, in one line of plain text."""
    code, said = main(arguments), capsys.readouterr().err
    assert code == 2 and said.startswith("grek: ") and said.count("\n") == 1, said
    assert said.strip().isprintable() and len(said) < 1200, said
    return said


def test_what_is_read(whole):
    robot, (measured,) = logs.read([whole])
    assert robot is GREK and measured.hung
    assert np.array_equal(measured.targets, excitation("air").targets[:STEPS])
    assert measured.readings.shape == (STEPS, 26)
    assert measured.readings[0, 3:6] == pytest.approx([0, 0, -1])
    assert 0.001 < measured.readings[0, 6:16].std() < 0.01  # the noise of the encoders


def test_the_true_world_and_state_are_not_used(whole, tmp_path):
    """As of a robot, whose log has neither."""
    about, messages = log.read(whole)
    assert "scenario" in about
    path = write(
        tmp_path / "bare.mcap", {"robot": "grek", "base": "held"}, {**messages, "/state": []}
    )
    _, (bare,) = logs.read([path])
    _, (full,) = logs.read([whole])
    assert np.array_equal(bare.targets, full.targets)
    assert np.array_equal(bare.readings, full.readings)


def write(path: Path, about: dict[str, str], messages: dict[str, list[Any]]) -> Path:
    path.unlink(missing_ok=True)
    with log.recording(path, about) as record:
        for topic, found in messages.items():
            for k, message in enumerate(found):
                record(topic, k, message)
    return path


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda about, m: about.update(robot="r2"), "unknown robot 'r2'"),
        (lambda about, m: about.update(base="loose"), "its base is 'loose', neither free nor held"),
        (lambda about, m: m["/applied"].clear(), "is not the log of a body"),
        (lambda about, m: m["/applied"].pop(3), "/applied does not have every control step once"),
        (lambda about, m: m["/reading"].reverse(), "/reading does not have every control step"),
        (lambda about, m: m["/applied"][0].pop("step"), "without the number of its control step"),
        (lambda about, m: m["/reading"][9].update(gyro=[0, 0]), "gyro is not 3 finite numbers"),
        (lambda about, m: m["/state"][50].update(fell=True), "the body fell in control step 51"),
        (
            lambda about, m: [m[topic].__delitem__(slice(100, None)) for topic in list(m)],
            f"has 100 control steps, not {logs.FEWEST} to",
        ),
    ],
)
def test_what_is_wrong_is_named(whole, tmp_path, capsys, change, said):
    about, messages = log.read(whole)
    change(about, messages)
    assert said in refused(["identify", str(write(tmp_path / "l.mcap", about, messages))], capsys)


def test_mutated_logs(whole, tmp_path, capsys):
    """A few messages of a log replaced by anything: refused, or accepted as measurements."""
    about, messages = log.read(whole)
    accepted = 0
    for rng in tries(500):
        topics = dict(messages)
        for _ in range(rng.integers(1, 3)):
            topic = str(rng.choice(["/reading", "/applied", "/state"]))
            at = int(rng.integers(STEPS))
            topics[topic] = [*topics[topic]]
            topics[topic][at] = mutated(topics[topic][at], rng)
        told = about if rng.random() < 0.8 else mutated(about, rng)
        if not (isinstance(told, dict) and all(isinstance(v, str) for v in told.values())):
            told = about
        path = write(tmp_path / "log.mcap", told, topics)
        accepted += "accepted" in refused(["identify", str(path)], capsys)
    assert 0 < accepted < 400


def test_damaged_logs(whole, tmp_path, capsys):
    content, path = whole.read_bytes(), tmp_path / "log.mcap"
    for rng in tries(500):
        path.write_bytes(damaged(content, rng))
        refused(["identify", str(path)], capsys)


def test_mutated_space_files(tmp_path, capsys):
    """Lines changed, letter by letter or for others: the scenario is drawn, or refused by name."""
    path, known, drawn = tmp_path / "mine.toml", dict(SPACES), 0
    for rng in tries(1000):
        lines = SPACE.splitlines()
        for _ in range(rng.integers(1, 4)):
            at = int(rng.integers(len(lines)))
            line = lines[at]
            kind = rng.integers(5)
            if kind == 0:
                del lines[at]
            elif kind == 1:
                lines.insert(int(rng.integers(len(lines))), line)
            elif kind == 2:
                name, _, _ = line.partition("=")
                nasty = mutated([0.5, [1, 2]], rng)
                lines[at] = f"{name}= {json.dumps(nasty)}"
            else:
                k = int(rng.integers(len(line) + 1))
                lines[at] = (
                    line[:k] + str(rng.choice([*"[]{}=.,-9\"'#\x00é", "e9", ""])) + line[k + 1 :]
                )
            lines = lines or [""]
        path.write_bytes("\n".join(lines).encode("utf-8", "surrogatepass"))
        code = main(["scenario", f"{path}/sand:3"])
        said = capsys.readouterr()
        assert code in (0, 2)
        drawn += code == 0
        if code == 2:
            assert said.err.count("\n") == 1 and said.err.strip().isprintable(), said.err
        SPACES.clear()
        SPACES.update(known)
    assert 50 < drawn < 800


def test_damaged_space_files(tmp_path, capsys):
    path, known = tmp_path / "mine.toml", dict(SPACES)
    for rng in tries(200):
        path.write_bytes(damaged(SPACE.encode(), rng))
        if main(["scenario", f"{path}/sand:3"]) == 2:
            assert capsys.readouterr().err.count("\n") == 1
        SPACES.clear()
        SPACES.update(known)


def test_arguments_out_of_range(whole, tmp_path, capsys):
    for more, said in (
        (["--mass", "0"], "--mass 0.0 is outside (0, 1000]"),
        (["--mass", "nan"], "--mass nan is outside"),
        (["--drift", "-1"], "--drift -1.0 is outside"),
        (["--out", "a.json"], "does not end in .toml"),
        (["--threads", "-1"], "--threads -1"),
    ):
        assert said in refused(["identify", str(whole), *more], capsys)
    assert "at least one log" in refused(["identify"], capsys)
    assert "cannot be read" in refused(["identify", str(tmp_path / "no.mcap")], capsys)
