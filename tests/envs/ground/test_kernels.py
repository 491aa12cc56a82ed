"""Compilation: announced, cached, without a C compiler or a place to write; any kind of process."""

import multiprocessing
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import grek
from grek.envs.scenarios.spaces import parse
from grek.envs.simulation.simulation import Simulation

NAMES = ("train/sand:3", "train/gravel:1", "train/dry_concrete:5") * 30
ROOT = Path(grek.__file__).parents[1]
FOLDERS = ("grek", "envs", "assets")
SCRIPT = """
import numpy as np
from grek.envs.scenarios.spaces import parse
from grek.envs.simulation.simulation import Simulation
simulation = Simulation(1)
simulation.reset([0], [parse("train/sand:3")])
print(simulation.step(simulation._home[None]).contact.any())
"""


def walked() -> bytes:
    """Poses of 90 worlds on two threads after four control steps."""
    simulation = Simulation(len(NAMES), threads=2)
    simulation.reset(range(len(NAMES)), [parse(name) for name in NAMES])
    for _ in range(4):
        state = simulation.step(np.tile(simulation._home, (len(NAMES), 1)))
    return state.position_w.tobytes() + state.joint_position.tobytes()


def test_a_spawned_process_moves_the_same_worlds_to_the_same_bits():
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        assert pool.apply(walked) == walked()


def test_a_forked_process_moves_the_same_worlds_to_the_same_bits():
    """Forked after the parent has used its threads, which the child does not inherit."""
    here = walked()
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(writer, b"same" if walked() == here else b"other")
        os._exit(0)
    os.close(writer)
    assert os.waitpid(child, 0)[1] == 0
    assert os.read(reader, 5) == b"same"


@pytest.fixture(scope="module")
def copied(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the package that was never run."""
    root = tmp_path_factory.mktemp("installed")
    for folder in FOLDERS:
        kept = shutil.ignore_patterns("__pycache__", "policies", "textures")
        shutil.copytree(ROOT / folder, root / folder, ignore=kept)
    shutil.copy(ROOT / "pyproject.toml", root)
    return root


def run(root: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Step a world with the package in `root`, without any program on the path."""
    return subprocess.run(
        [sys.executable, "-c", SCRIPT],
        cwd=root,
        env={"PATH": "", "PYTHONPATH": str(root), "HOME": str(root), **environment},
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )


def test_compilation_is_announced_once_and_older_caches_are_deleted(copied):
    caches = copied / "envs" / "ground" / "__pycache__"
    (caches / "kernels-older").mkdir(parents=True)
    first, second = run(copied), run(copied)
    assert first.stdout == second.stdout == "True\n"
    assert "compiling the ground" in first.stderr and len(first.stderr.splitlines()) == 1
    assert second.stderr == ""
    assert len(list(caches.glob("kernels-*"))) == 1 and not (caches / "kernels-older").exists()


def test_it_compiles_in_every_process_where_nothing_can_be_written(copied):
    """Every place of a cache is a file; the permission bits would not stop a superuser."""
    for folder in (*copied.rglob("__pycache__"),):
        shutil.rmtree(folder)
    for folder in {source.parent for source in copied.rglob("*.py")}:
        (folder / "__pycache__").touch()
    (copied / "home").touch()
    home = str(copied / "home")
    found = run(copied, HOME=home, XDG_CACHE_HOME=home, PYTHONDONTWRITEBYTECODE="1")
    assert found.stdout == "True\n"
    assert all(path.is_file() for path in copied.rglob("__pycache__"))
