"""Packaging: every folder is installed, and imports run one way."""

import ast
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
ROOMS = ("assets", "envs", "training", "eval")
ALLOWED = {  # what a room may import from, besides itself
    "assets": set(),
    "envs": {"assets"},
    "training": {"assets", "envs"},
    "eval": {"assets", "envs"},
}
TIERS = {  # what a part of envs may import from, besides itself and the tools beside it
    "robots": set(),
    "motions": {"robots"},
    "ground": {"robots"},
    "scenarios": {"robots", "ground"},
    "simulation": {"robots", "ground", "scenarios"},
    "tasks": {"robots", "motions", "ground", "scenarios", "simulation"},
    "rendering": {"robots", "ground", "scenarios", "simulation"},
}
TOOLS = {
    "distributions",
    "hashing",
    "network",
    "registry",
    "vectors",
}  # no concept of their own
SHARED = {
    "errors",
    "extensions",
    "files",
    "progress",
    "provenance",
    "sanitize",
    "terminal",
}  # of the package grek


def imports(path: Path) -> set[str]:
    """Full names of all imports in `path`, those inside functions included."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


@pytest.mark.parametrize("room", ROOMS)
def test_imports_run_one_way(room):
    for path in (ROOT / room).rglob("*.py"):
        for name in imports(path):
            package, _, rest = name.partition(".")
            if package == "grek":
                other = rest.split(".")[0]
                assert other in ALLOWED[room] | SHARED | {room, "__version__"}, (path.name, name)
            if room in ("envs", "eval", "assets"):
                assert package not in ("torch", "stable_baselines3"), (path.name, name)


def test_every_folder_of_code_is_packaged():
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]
    rooms = {p.parent.relative_to(ROOT).as_posix() for p in ROOT.glob("*/**/*.py")}
    rooms = {r for r in rooms if r.split("/")[0] in (*ROOMS, "grek")}
    folders = settings["package-dir"]
    mapped = {
        "/".join([folders.get(".".join(parts[:2]), "/".join(parts[:2])), *parts[2:]])
        for parts in (package.split(".") for package in settings["packages"])
    }
    assert rooms == mapped
    for room in ROOMS:
        assert (ROOT / "typings" / "grek" / room).resolve() == ROOT / room


@pytest.mark.parametrize("part", TIERS)
def test_parts_of_envs_import_one_way(part):
    for path in (ROOT / "envs" / part).glob("*.py"):
        for name in imports(path):
            if name.startswith("grek.envs."):
                other = name.split(".")[2]
                assert other in TIERS[part] | TOOLS | {part}, (path.name, name)


@pytest.mark.parametrize("folder", [*ROOMS, "grek"])
def test_folders_hold_about_twelve_files(folder):
    for place in (ROOT / folder, *(p for p in (ROOT / folder).rglob("*") if p.is_dir())):
        if place.name != "textures" and "__pycache__" not in place.parts:
            files = [p for p in place.iterdir() if p.is_file() and p.name != "__init__.py"]
            assert len(files) <= 12, place


def test_a_wheel_holds_the_droid_the_policies_and_the_templates(tmp_path):
    command = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation", "-q"]
    built = subprocess.run(
        [*command, "-w", str(tmp_path), str(ROOT)], capture_output=True, text=True, check=False
    )
    if "No module named 'setuptools'" in built.stderr or "BackendUnavailable" in built.stderr:
        pytest.skip("no setuptools to build with")
    assert built.returncode == 0, built.stderr
    names = set(zipfile.ZipFile(next(tmp_path.glob("*.whl"))).namelist())
    for name in ("grek/py.typed", "grek/envs/tasks/walk.py", "grek/eval/films/film.py"):
        assert name in names
    data = (*(ROOT / "assets").rglob("*"), *(ROOT / "eval/report/templates").iterdir())
    shipped = {p.relative_to(ROOT).as_posix() for p in data if p.is_file()}
    shipped = {f"grek/{name}" for name in shipped if "__pycache__" not in name}
    assert shipped <= names
    assert not any(name.startswith(("envs/", "tests/", "eval/")) for name in names)
