"""Every `grek` command of README and docs runs, in the order of the pages, with smaller numbers.

Files that a command takes come from the commands before it, or are made here as the pages describe.
tests/test_extending.py runs those of docs/extending.md.
"""

import shutil
from importlib.util import find_spec
from pathlib import Path

import pytest

from grek.__main__ import main
from grek.eval.films import filming
from grek.eval.scores import suites

from .test_docs import PAGES, ROOT, blocks, commands

SMALL = ("--steps", "1024", "--worlds", "16", "--threads", "1", "--ppo.hidden", "16")
ORDER = {"train": 0, "eval": 1}  # what others need


def smaller(command: list[str]) -> list[str]:
    """`command` with budgets that take seconds."""
    words = list(command)
    if words[0] == "train" and "--help" not in words:
        if "--minutes" in words:
            at = words.index("--minutes")
            del words[at : at + 2]
        words += SMALL if "--resume" not in words else ("--steps", "512")
        if "walk" in words:  # --from walk, which has a network of its own
            at = words.index("--ppo.hidden")
            del words[at : at + 2]
    if words[0] == "eval":
        for flag, value in (("--episodes", "1"), ("--threads", "1")):
            if flag in words:
                words[words.index(flag) + 1] = value
            else:
                words += [flag, value]
    if words[0] == "render":
        words += ["--seconds", "0.1"]
    if "--learning" in words:
        words[words.index("--minutes") + 1] = "0.02"
    if "--out" in words or "--plot" in words:
        words += ["--force"]
    return words


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty directory; suites of few rows and films of a moment."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(filming, "EPISODE", 0.1)
    for name in ("quick", "heldout", "stage"):
        few = suites.Suite(name, ("train",), 1)
        monkeypatch.setitem(suites.SUITES, name, few)
    return tmp_path


def test_commands_run(place, capfd):
    listed = [
        command for page in PAGES if page.name != "extending.md" for command in commands(page)
    ]
    unique = {tuple(command): command for command in listed}.values()
    assert len(unique) > 15
    # Rates take minutes whatever the numbers; tests/bench measures each of them by itself.
    # Body and computer wait for each other; tests/onboard and tests/identify run them together.
    # A drive lasts until an interrupt; tests/drive does that.
    apart = ("plant", "onboard", "replay", "identify", "drive")
    (space,) = blocks(ROOT / "docs/identify.md", "toml")
    (place / "my_robot.toml").write_text(space)
    run = [c for c in unique if c[0] not in ("bench", *apart) or "--learning" in c]
    run = [c for c in run if "--cluster" not in c]  # tests/cluster runs those
    for command in sorted(run, key=lambda c: (ORDER.get(c[0], 2), "--resume" in c)):
        if command[0] == "eval":
            for name in ("mine.onnx", "policy.onnx"):
                shutil.copy(place / "runs/mine/policy.onnx", place / name)
        if command[0] == "compare":
            (place / "tests").mkdir(exist_ok=True)
            shutil.copy(place / "scores/baseline/scorecard.json", place / "tests/walk.json")
            shutil.copytree(
                place / "scores/baseline", place / "scores/candidate", dirs_exist_ok=True
            )
        if command[0] == "table":
            shutil.copytree(place / "scores/walk", place / "scores/gait", dirs_exist_ok=True)
        try:
            code = main(smaller(command))
        except SystemExit as leaving:  # after help
            code = leaving.code
        said = capfd.readouterr()
        if not find_spec("pydrake") and any("drake" in w or "engines" in w for w in command):
            assert code == 2 and "grek[drake]" in said.err, (command, said)
            continue
        assert not code or (command[0] == "compare" and code == 1), (command, said)
