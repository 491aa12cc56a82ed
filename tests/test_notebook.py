"""The notebook is kept without outputs, and runs in a kernel, with smaller numbers."""

import json
import os
import sys
from pathlib import Path

import pytest

from .envs.rendering.drawing import needs_opengl

ROOT = Path(__file__).resolve().parent.parent
NOTEBOOK = ROOT / "notebooks/walk.ipynb"
SMALLER = {  # replacements that make minutes seconds
    "--minutes 1 ": "--steps 1024 --worlds 16 --threads 1 --ppo.hidden 16 ",
    "--suite quick --episodes 2": "--suite train --episodes 1 --threads 1",
    "--seconds 4 ": "--seconds 0.2 ",
}


def test_it_is_kept_small_and_without_outputs() -> None:
    text = NOTEBOOK.read_text()
    assert len(text) < 10_000
    cells = [cell for cell in json.loads(text)["cells"] if cell["cell_type"] == "code"]
    assert cells and not any(cell["outputs"] or cell["execution_count"] for cell in cells)


@needs_opengl
def test_it_runs_from_the_first_cell_to_the_last(tmp_path, monkeypatch):
    nbclient, nbformat = pytest.importorskip("nbclient"), pytest.importorskip("nbformat")
    pytest.importorskip("ipykernel")
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv(
        "PATH", os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"]))
    )
    text = NOTEBOOK.read_text()
    for shown, smaller in SMALLER.items():
        assert shown in text
        text = text.replace(shown, smaller)
    notebook = nbformat.reads(text, as_version=4)
    nbformat.validate(notebook)
    client = nbclient.NotebookClient(
        notebook, timeout=600, kernel_name="python3", resources={"metadata": {"path": tmp_path}}
    )
    client.execute()
    printed = "\n".join(
        output.get("text", "")
        for cell in notebook.cells
        for output in cell.get("outputs", ())
        if output.get("name") == "stdout"
    )
    assert "fell: True" in printed and "policy: runs/mine/policy.onnx" in printed
    assert "| `walk` |" in printed and "| `policy` |" in printed
    (film,) = [o for c in notebook.cells for o in c.get("outputs", ()) if "data" in o]
    assert "<video" in film["data"]["text/html"]
    assert (tmp_path / "scores/walk/scorecard.html").is_file()
