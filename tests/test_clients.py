"""Blocks of docs/clients.md run in processes of their own, where their libraries are installed.

With CLIENTS=all in the environment, as `make test-clients` sets it, a library that is missing is a
failure.
"""

import ast
import os
import re
import shlex
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from .envs.rendering.drawing import needs_opengl

ROOT = Path(__file__).resolve().parent.parent
PAGE = (ROOT / "docs/clients.md").read_text()
BLOCK = re.compile(r"^(?:<!-- file: (.*?) -->\n)?```(\w*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
BLOCKS = [match.groups() for match in BLOCK.finditer(PAGE)]
FILES = {name: code for name, _, code in BLOCKS if name}
PROGRAMS = [code for name, language, code in BLOCKS if language == "python" and not name]
COMMANDS = [
    shlex.split(line)[1:]
    for _, language, text in BLOCKS
    for line in text.splitlines()
    if not language and line.startswith("python ")
]
ALL = os.environ.get("CLIENTS") == "all"


def modules(code: str) -> list[str]:
    """Top-level modules that `code` imports, those of FILES left out, in order."""
    found = []
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.append(node.module)
    names = dict.fromkeys(name.partition(".")[0] for name in found)
    return [name for name in names if f"{name}.py" not in FILES]


def marked(code: str) -> object:
    """`code` as a parameter of a test, named after its library, which may need OpenGL."""
    own = ("gymnasium", "grek", "torch", "tensordict", "moviepy")
    (library, *_) = [*(name for name in modules(code) if name not in own), "gymnasium"]
    draws = "film" in code or "rgb_array" in code
    return pytest.param(code, marks=[needs_opengl] if draws else [], id=library)


def need(*names: str) -> None:
    """Skip the test if a module is not installed, unless ALL are to be."""
    parts = {"ray": "tree"}  # of RLlib, which the extra `cluster` leaves out
    missing = [name for name in names if find_spec(parts.get(name, name)) is None]
    if missing and not ALL:
        pytest.skip(f"not installed: {', '.join(missing)}")


def run(place: Path, *arguments: str) -> None:
    """Run Python in `place`; the test fails with what it says on stderr."""
    for name, code in FILES.items():
        (place / name).write_text(code)
    path = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=place,
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]


@pytest.mark.parametrize("code", [marked(code) for code in PROGRAMS])
def test_a_program_runs_as_shown(code: str, tmp_path: Path) -> None:
    need(*modules(code))
    (tmp_path / "program.py").write_text(code)
    run(tmp_path, "program.py")
    films = re.findall(r"film\(|RecordVideo\(", code)
    assert bool(list(tmp_path.rglob("*.mp4"))) == bool(films)


@needs_opengl
def test_rl_zoo_trains_enjoys_and_records_as_shown(tmp_path: Path) -> None:
    need("rl_zoo3")
    commands = [words for words in COMMANDS if "rl_zoo3" in words[1]]
    assert len(commands) == 3
    for words in commands:
        run(tmp_path, *words)
    assert list(tmp_path.rglob("grek-Walk-v0.zip")) and list(tmp_path.rglob("*.mp4"))


@needs_opengl
def test_the_single_file_trains_saves_loads_and_films(tmp_path: Path) -> None:
    ((script, *words),) = [words for words in COMMANDS if words[0] not in ("-c", "-m")]
    words[words.index("--steps") + 1] = "512"
    small = ("--num-envs", "8", "--rollout", "32", "--film-steps", "5")
    run(tmp_path, str(ROOT / script), *words, *small)
    assert (tmp_path / "agent.pt").is_file() and list(tmp_path.rglob("*.mp4"))
