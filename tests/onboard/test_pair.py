"""Body and computer over UDP: the gym's walk to the last bit, watchdog, restarts, commands."""

import re
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from grek.__main__ import main
from grek.envs.scenarios.scenario import Command, Push, Scenario
from grek.envs.scenarios.spaces import parse
from grek.envs.tasks import TaskBatch
from grek.eval.scores import policies
from grek.onboard import load, plant, replay
from grek.onboard.computer import Computer, serve
from grek.onboard.controller import Reading
from grek.onboard.wire import Header, Kind, Mode, Targets, encode, targets_payload

POLICY = load("walk")
STAND = Scenario("stand", commands=(Command(0.0, (0.0, 0.0), 0.0),), seed=12)
PUSHED = Scenario("pushed", pushes=(Push(0.4, (-0.6, 0.1)),), seed=3)  # takes recovery steps


def open_link(robot: Any = POLICY.robot) -> tuple[plant.Link, tuple[str, int], socket.socket]:
    listening = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    listening.bind(("127.0.0.1", 0))
    return plant.Link(listening, robot), listening.getsockname(), listening


def paired(
    scenario: Scenario, seconds: float, computer: Computer | None = None, **options: Any
) -> tuple[plant.Run, Computer, dict[str, list[Any]]]:
    """Run a body here and a computer on a thread; also returns what the body recorded."""
    link, address, listening = open_link()
    computer = computer or Computer(POLICY)
    kept: dict[str, list[Any]] = {}

    def record(topic: str, time: int, message: Any) -> None:
        kept.setdefault(topic, []).append(message)

    thread = threading.Thread(target=serve, args=(computer, address, 20.0))
    thread.start()
    with listening:
        run = plant.run(plant.Body(scenario), link, seconds, record=record, **options)
        thread.join()
    return run, computer, kept


# -- lockstep ------------------------------------------------------------------------------


SCENARIOS = [STAND, PUSHED, parse("train/sand:42"), parse("heldout/sensors-far:7")]


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
def test_in_lockstep_the_pair_walks_as_the_gym_does(scenario):
    steps = 150
    run, computer, kept = paired(scenario, steps * 0.02, lockstep=True)
    walk = policies.load("walk")
    batch = TaskBatch(walk.task, 1)
    batch.reset([0], [scenario])
    seeds = np.array([scenario.seed], np.uint64)
    for step in range(steps):
        action = np.asarray(walk.act(batch.observe(), seeds, step), float)
        assert kept["/applied"][step]["joints"] == batch.targets(np.clip(action, -4, 4))[0].tolist()
        batch.step(action)
        state = kept["/state"][step]
        assert state["position"] == batch.state.position_w[0].tolist(), step
        assert state["joint_position"] == batch.state.joint_position[0].tolist(), step
    assert run.steps == computer.steps == steps and not run.fell
    assert not computer.events and not computer.receiver.dropped and not +run.dropped


# -- watchdog ------------------------------------------------------------------------------


def targets(step: int, mode: Mode = Mode.DRIVE, **other: float) -> Targets:
    joints = np.array(POLICY.residual.held)
    for joint, value in other.items():
        joints[POLICY.robot.all_joints.index(joint)] = value
    return Targets(step, mode, joints)


def test_the_watchdog_holds_after_100_ms_and_goes_limp_after_half_a_second():
    body = plant.Body(STAND)
    body.watchdog.take(targets(0))
    for step in range(60):
        acted = body.advance()
        held = np.array_equal(acted, targets(0).joints)
        assert held == (step < plant.LIMP), step
        assert ("hold" in body.watchdog.events) == (step >= plant.HOLD)
    assert body.fell is not None  # a droid without torque does not stand


def test_a_limp_droid_obeys_targets_again():
    body = plant.Body(STAND)
    body.watchdog.take(targets(0, Mode.LIMP))
    assert not np.array_equal(body.advance(), targets(0).joints)
    body.watchdog.take(targets(1))
    assert np.array_equal(body.advance(), targets(1).joints)


@pytest.mark.parametrize("value", [0.2, np.nan, -3.0])
def test_the_body_refuses_targets_beyond_a_joint(value):
    body = plant.Body(STAND)
    body.watchdog.take(targets(0))
    body.watchdog.take(targets(1, left_knee=value))
    assert np.array_equal(body.advance(), targets(0).joints)
    assert dict(body.watchdog.events) == {"out_of_range": 1}


def test_a_computer_killed_and_started_again_takes_over(monkeypatch):
    """In real time: the body holds, goes limp, and obeys the next one."""
    monkeypatch.setattr(plant, "AFTER_FALL", 10**6)
    link, address, listening = open_link()
    modes: list[str] = []
    body = plant.Body(STAND)

    def record(topic: str, time: int, message: Any) -> None:
        if topic == "/applied":
            modes.append(message["mode"])

    place = f"127.0.0.1:{address[1]}"
    command = [sys.executable, "-m", "grek", "onboard", "walk", "--plant", place]
    first = subprocess.Popen(command, stdout=subprocess.PIPE)
    running = threading.Thread(target=plant.run, args=(body, link, 120.0, False, record))
    with listening:
        running.start()
        wait_for(lambda: len(modes) > 20)
        first.kill()
        first.wait()
        wait_for(lambda: modes[-1] == "limp")
        limp = len(modes)
        second = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        wait_for(lambda: "drive" in modes[limp:])
        body.broken = True  # ends the run
        said, _ = second.communicate(timeout=60)
        running.join()
    assert body.watchdog.events["hold"] >= 1 and body.watchdog.events["limp"] >= 1
    assert second.returncode == 0
    assert int(re.findall(r"(\d+) control steps", said)[0]) > 0


def wait_for(condition: Any, seconds: float = 60.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


def test_strangers_and_damage_do_not_reach_the_motors():
    link, address, listening = open_link()
    datagrams = (socket.AF_INET, socket.SOCK_DGRAM)
    with listening, socket.socket(*datagrams) as friend, socket.socket(*datagrams) as stranger:
        friend.sendto(encode(Header(Kind.HELLO, 0, 1, 0)), address)
        assert link.receive(time.monotonic_ns() + 200_000_000) is None and link.met
        link.send(Kind.READING, 0, b"")
        session = int.from_bytes(friend.recv(100)[8:12], "little")
        payload = targets_payload(targets(0))
        stranger.sendto(encode(Header(Kind.HELLO, 0, 1, 0)), address)
        stranger.sendto(encode(Header(Kind.TARGETS, session, 9, 0), payload), address)
        good = encode(Header(Kind.TARGETS, session, 2, 0), payload)
        friend.sendto(good[:-1] + bytes([good[-1] ^ 1]), address)
        friend.sendto(encode(Header(Kind.TARGETS, session + 1, 3, 0), payload), address)
        assert link.receive(time.monotonic_ns() + 300_000_000) is None
        friend.sendto(good, address)
        found = link.receive(time.monotonic_ns() + 300_000_000)
        assert found is not None and found.step == 0
    assert link.strangers == 2
    assert dict(link.dropped) == {"checksum": 1, "session": 1}


def test_a_body_that_starts_anew_gets_a_new_controller():
    now, computer = 0, Computer(POLICY)
    first = _reading(session=1, sequence=50)
    assert computer.receive(first, now)
    before = computer.supervisor
    assert not computer.receive(_reading(session=2, sequence=1), 500_000_000)
    assert computer.receive(_reading(session=2, sequence=1), 1_600_000_000)
    assert computer.supervisor is not before and computer.receiver.dropped["session"] == 1


def _reading(session: int, sequence: int) -> bytes:
    from grek.onboard.wire import reading_payload

    none = np.zeros(10)
    reading = Reading(0, 0.0, np.zeros(3), np.array([0, 0, -1.0]), none, none, np.zeros(5))
    return encode(Header(Kind.READING, session, sequence, 0), reading_payload(reading))


# -- commands ------------------------------------------------------------------------------


def grek(*arguments: object, **options: Any) -> "subprocess.Popen[str]":
    command = [sys.executable, "-m", "grek", *map(str, arguments)]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    return subprocess.Popen(command, text=True, **pipes, **options)


def waiting(*arguments: object) -> "tuple[subprocess.Popen[str], str]":
    """A body that waits, and its address."""
    body = grek("plant", "--port", 0, "--seconds", "1", *arguments)
    assert body.stdout is not None
    found = re.search(r"127\.0\.0\.1:\d+", body.stdout.readline())
    assert found
    return body, found[0]


@pytest.mark.parametrize("filters", [(), ("--filter",)], ids=["attitude", "filter"])
def test_the_commands_walk_log_and_replay(tmp_path, filters, capsys):
    body, address = waiting("--material", "carpet", "--lockstep", "--log", tmp_path / "body.mcap")
    told = tmp_path / "computer.mcap"
    computer = grek("onboard", "walk", "--plant", address, "--log", told, *filters)
    said, error = body.communicate(timeout=120)
    assert body.returncode == 0, error
    assert "stood after 1.00 s" in said and "events: none" in said
    said, error = computer.communicate(timeout=60)
    assert computer.returncode == 0 and "50 control steps; events: none" in said, error
    assert main(["replay", str(tmp_path / "body.mcap")]) == 0
    said = capsys.readouterr().out
    assert re.search(r"difference +0\n", said) and re.search(r"survived +1\n", said)
    recorded = replay.read(tmp_path / "body.mcap")
    assert len(recorded.targets) == 50
    assert main(["replay", str(told)]) == 2
    assert "not the log of a body" in capsys.readouterr().err


def test_the_commands_of_the_page_run_as_shown(tmp_path, monkeypatch):
    """Both sides at the port that they take by themselves, for a moment; without the film."""
    monkeypatch.chdir(tmp_path)
    page = (Path(__file__).parents[2] / "docs" / "onboard.md").read_text()
    shown = [line.split("#")[0].split() for line in page.splitlines() if line[:5] == "grek "]
    (body,), (computer,), (again,) = (
        [words[1:] for words in shown if words[1] == name]
        for name in ("plant", "onboard", "replay")
    )
    sides = [grek(*body, "--seconds", "0.5"), grek(*computer)]
    for side in sides:
        _, error = side.communicate(timeout=120)
        assert side.returncode == 0, error
    assert main(again[: again.index("--film")]) == 0


@pytest.mark.parametrize("arguments", [("plant", "--port", "0"), ("onboard", "walk")])
def test_ctrl_c_ends_either_side_with_130(arguments):
    side = grek(*arguments)
    assert side.stdout is not None and side.stdout.readline()
    side.send_signal(signal.SIGINT)
    _, error = side.communicate(timeout=30)
    assert side.returncode == 130 and error == "grek: interrupted\n"


@pytest.mark.parametrize(("times", "least", "most"), [(1, 30, 80), (2, 0, 25)])
def test_ctrl_c_is_a_safe_stop_and_twice_an_emergency(times, least, most, monkeypatch):
    monkeypatch.setattr(plant, "AFTER_FALL", 10**6)
    link, address, listening = open_link()
    modes: list[str] = []
    body = plant.Body(STAND)

    def record(topic: str, time: int, message: Any) -> None:
        if topic == "/applied":
            modes.append(message["mode"])

    computer = grek("onboard", "walk", "--plant", f"127.0.0.1:{address[1]}")
    running = threading.Thread(target=plant.run, args=(body, link, 60.0, False, record))
    with listening:
        running.start()
        wait_for(lambda: len(modes) > 20)
        before = len(modes)
        for _ in range(times):
            computer.send_signal(signal.SIGINT)
            time.sleep(0.1)
        said, error = computer.communicate(timeout=60)
        wait_for(lambda: modes[-1] == "limp")
        body.broken = True
        running.join()
    assert computer.returncode == 130 and error == "grek: interrupted\n"
    assert "limp" in said or times == 2
    assert least <= modes.index("limp") - before <= most


def test_a_log_survives_ctrl_c(tmp_path):
    body, address = waiting(
        "--material", "carpet", "--seconds", "100", "--log", tmp_path / "b.mcap"
    )
    computer = grek("onboard", "walk", "--plant", address)
    time.sleep(3)
    body.send_signal(signal.SIGINT)
    assert body.communicate(timeout=60) and body.returncode == 130
    assert len(replay.read(tmp_path / "b.mcap").targets) > 5
    computer.kill()
    computer.communicate()


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["plant", "--port", "70000"], "70000"),
        (["plant", "--port", "-1"], "-1"),
        (["plant", "--host", "no.such.host.invalid"], "no.such.host.invalid"),
        (["plant", "--host", "192.0.2.1"], "192.0.2.1"),
        (["plant", "--scenario", "mars:1"], "mars"),
        (["plant", "--material", "lava"], "lava"),
        (["plant", "--material", "ice", "--scenario", "train:1"], "not both"),
        (["plant", "--seconds", "0"], "0"),
        (["plant", "--log", "."], "is a directory"),
        (["onboard", "nobody"], "nobody"),
        (["onboard", "walk", "--plant", "here"], "here"),
        (["onboard", "walk", "--plant", "127.0.0.1:0"], "0"),
        (["onboard", "walk", "--plant", "127.0.0.1:99999"], "99999"),
        (["onboard", "walk", "--patience", "-1"], "-1"),
        (["onboard", "walk", "--patience", "0.2", "--plant", "127.0.0.1:9"], "127.0.0.1:9"),
        (["replay", "nothing.mcap"], "nothing.mcap"),
        (["replay", __file__], "not a whole MCAP file"),
    ],
)
def test_bad_input_is_one_line_and_exit_2(arguments, named, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(arguments) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1 and said.startswith("grek: ") and named in said
    assert not list(tmp_path.iterdir())


def test_a_port_in_use_is_named(capsys):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        assert main(["plant", "--port", str(port)]) == 2
    assert f"127.0.0.1:{port}" in capsys.readouterr().err


def test_logs_that_are_cut_off_are_refused(tmp_path, capsys):
    body, address = waiting("--lockstep", "--log", tmp_path / "body.mcap")
    computer = grek("onboard", "walk", "--plant", address)
    assert body.communicate(timeout=60) and computer.communicate(timeout=60)
    whole = (tmp_path / "body.mcap").read_bytes()
    random = np.random.default_rng(1)
    cut = tmp_path / "cut.mcap"
    for size in random.integers(0, len(whole), 20).tolist():
        cut.write_bytes(whole[:size])
        assert main(["replay", str(cut)]) == 2
        assert capsys.readouterr().err.count("\n") == 1
    for place in random.integers(0, len(whole), 30).tolist():
        damaged = bytearray(whole)
        damaged[place] ^= 0xFF
        cut.write_bytes(bytes(damaged))
        assert main(["replay", str(cut)]) in (0, 2)
        assert "Traceback" not in capsys.readouterr().err
