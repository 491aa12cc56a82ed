"""`grek drive` from a terminal: bad use in one line, Ctrl-C, and files that the page saves."""

import json
import signal
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from grek.__main__ import main
from grek.envs.scenarios.scenario import to_plain
from grek.envs.scenarios.spaces import parse

ROOT = Path(__file__).resolve().parents[2]


def refused(capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    """The one line that the command says before it exits with 2."""
    assert main([str(a) for a in arguments]) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1 and said.startswith("grek: "), said
    return said


def test_a_port_that_is_taken_is_named(capsys):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        said = refused(capsys, "drive", "zero", "--port", port)
    assert f"cannot listen at 127.0.0.1:{port}: Address already in use" in said


def test_without_its_extra_it_says_what_to_install(capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "viser", None)
    assert "grek[drive]" in refused(capsys, "drive")


@pytest.mark.parametrize(
    "arguments, reason",
    [
        (["nobody"], "unknown policy 'nobody'"),
        (["--scenario", "heldout/lava:3"], "unknown context 'lava'"),
        (["--scenario", "nowhere.json"], "cannot be read"),
        (["--material", "lava"], "unknown material 'lava'"),
        (["--material", "sand", "--scenario", "train/sand:1"], "not both"),
        (["--port", "70000"], "port 70000 is outside"),
        (["--host", "no.such.host.invalid"], "cannot listen at no.such.host.invalid"),
    ],
)
def test_what_is_wrong_is_named(capsys, arguments, reason):
    assert reason in refused(capsys, "drive", *arguments)


@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_ends_it_cleanly(stop):
    command = [sys.executable, "-m", "grek", "drive", "zero", "--port", "0"]
    process = subprocess.Popen(
        [*command, "--scenario", "heldout/ice:3"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    line = process.stdout.readline()
    assert line.startswith("zero in heldout/ice:3: http://127.0.0.1:"), line
    address = line.split()[-1]
    with urllib.request.urlopen(address) as page:
        assert b"<title>Grek</title>" in page.read()
    process.send_signal(stop)
    out, err = process.communicate()
    assert (process.returncode, out, err) == (130, "", "grek: interrupted\n")


def test_a_file_of_a_world_is_scored_as_its_name_is(tmp_path, capsys):
    path = tmp_path / "world.json"
    path.write_text(json.dumps(to_plain(parse("train/carpet:3"))))
    tables = []
    for scenario in (path, "train/carpet:3"):
        options = ["--scenario", str(scenario), "--episodes", "2", "--threads", "1"]
        assert main(["eval", "zero", *options]) == 0
        tables.append(capsys.readouterr().out)
    assert tables[0] == tables[1]
    assert "carpet" in tables[0]
    said = refused(capsys, "eval", "zero", "--scenario", path, "--out", tmp_path / "out")
    assert "leave out --out" in said
    assert not (tmp_path / "out").exists()
