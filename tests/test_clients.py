"""Blocks of docs/clients.md run in processes of their own, where their libraries are installed."""

import ast
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from .envs.rendering.drawing import needs_opengl

ROOT = Path(__file__).resolve().parent.parent
PAGE = (ROOT / "docs/clients.md").read_text()
BLOCK = re.compile(r"^(?:<!-- (.*?) -->\n)?```(\w*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
BLOCKS = [match.groups() for match in BLOCK.finditer(PAGE)]
PROGRAMS = [
    pytest.param(code, marks=[needs_opengl] if note == "needs OpenGL" else [])
    for note, language, code in BLOCKS
    if language == "python" and not (note or "").startswith("file: ")
]


def modules(code: str) -> set[str]:
    """Top-level modules that `code` imports."""
    found = set()
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
    return {name.partition(".")[0] for name in found}


def run(place: Path, *arguments: str) -> None:
    """Run Python in `place`; the test fails with what it says on stderr."""
    command = [sys.executable, *arguments]
    done = subprocess.run(command, cwd=place, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]


@pytest.mark.parametrize("code", PROGRAMS)
def test_a_program_runs_as_shown(code: str, tmp_path: Path) -> None:
    for name in modules(code):
        pytest.importorskip(name)
    (tmp_path / "program.py").write_text(code)
    run(tmp_path, "program.py")


def test_rl_zoo_trains_as_shown(tmp_path: Path) -> None:
    pytest.importorskip("rl_zoo3")
    ((name, content),) = (
        (note.removeprefix("file: "), code) for note, _, code in BLOCKS if note and "file: " in note
    )
    ((command),) = (code for _, language, code in BLOCKS if "rl_zoo3" in code and not language)
    (tmp_path / name).write_text(content)
    words = shlex.split(command)
    assert words[0] == "python"
    run(tmp_path, *words[1:])
    assert list(tmp_path.rglob("grek-Walk-v0.zip"))
