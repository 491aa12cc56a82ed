"""The README tells the truth: its tables come from scorecards, its commands and code run.

`make readme` (this file as a script) writes the tables anew.
"""

import contextlib
import io
import re
import shlex
from pathlib import Path

from grek.__main__ import main, parse
from grek.commands import COMMANDS

ROOT = Path(__file__).resolve().parent.parent
README = ROOT / "README.md"
TABLE = re.compile(r"(<!-- (grek [^\n]*?) -->\n)(.*?)(<!-- end -->)", re.DOTALL)


def regenerated(text: str) -> str:
    """`text` with what each marked command prints between its marker and the next end."""

    def run(match: re.Match[str]) -> str:
        said = io.StringIO()
        with contextlib.chdir(ROOT), contextlib.redirect_stdout(said):
            code = main(shlex.split(match[2])[1:])
        assert code == 0, match[2]
        return match[1] + said.getvalue() + match[4]

    return TABLE.sub(run, text)


def test_tables_are_what_their_commands_print():
    text = README.read_text()
    assert text.count("<!-- grek ") == text.count("<!-- end -->") == len(TABLE.findall(text)) > 0
    assert text == regenerated(text), "run: make readme"


def test_a_table_that_lies_is_found():
    text = README.read_text()
    start = text.index("| `walk` | 0.")
    assert regenerated(text[:start] + text[start:].replace("0.", "1.", 1)) == text


def blocks(language: str) -> list[str]:
    """The fenced blocks of the README in `language`, "" for commands."""
    return re.findall(rf"^```{language}\n(.*?)^```", README.read_text(), re.DOTALL | re.MULTILINE)


def test_commands_parse():
    lines = [line for text in (*blocks(""), *blocks("yaml")) for line in text.splitlines()]
    commands = [line.split("run: ")[-1] for line in lines]
    commands = [shlex.split(c, comments=True)[1:] for c in commands if c.startswith("grek ")]
    assert {command[0] for command in commands} == set(COMMANDS)
    for command in commands:
        parse(command)


def test_the_workflow_names_files_that_there_are():
    named = re.findall(r"vendor/grek\b(\S*)", " ".join(blocks("yaml")))
    assert named and all((ROOT / name.strip("/,}")).exists() for name in named)


def test_code_runs_as_shown(pytester, monkeypatch, capsys):
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    monkeypatch.chdir(pytester.path)
    names: dict[str, object] = {}
    code = blocks("python")
    for block in code:
        if "grek_gate" not in block:
            exec(compile(block, "README.md", "exec"), names)
    assert "dry_concrete" in capsys.readouterr().out

    (gated,) = (block for block in code if "grek_gate" in block)
    Path("mine.onnx").rename("policy.onnx")
    command = ["eval", "policy.onnx", "--suite", "train", "--episodes", "1", "--out", "scores"]
    assert main(command) == 0
    Path("tests").mkdir()
    Path("scores", "scorecard.json").rename("tests/walk.json")
    pytester.makepyfile(gated)
    pytester.runpytest_inprocess("-p", "grek.pytest_plugin").assert_outcomes(passed=1)


if __name__ == "__main__":
    README.write_text(regenerated(README.read_text()))
