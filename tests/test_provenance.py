"""Provenance: the commit is that of grek, never that of another project."""

import shutil
import subprocess
from pathlib import Path

from grek import provenance

ROOT = Path(__file__).resolve().parent.parent


def test_the_commit_is_of_grek_itself(tmp_path, monkeypatch):
    installed = tmp_path / ".venv" / "grek" / "provenance.py"
    installed.parent.mkdir(parents=True)
    shutil.copy(ROOT / "grek" / "provenance.py", installed)
    for command in ("init -q", "add .", "-c user.name=a -c user.email=a@b commit -qm x"):
        subprocess.run(["git", "-C", str(tmp_path), *command.split()], check=True)
    monkeypatch.setattr(provenance, "__file__", str(installed))
    assert provenance.commit() == "unknown"  # not that of the project it is installed in


def test_scores_depend_on_logic_not_on_words(tmp_path):
    before = tmp_path / "before.py"
    before.write_text('"""Doc."""\n\ndef f(x):\n    """Double."""\n    return 2 * x  # twice\n')
    after = tmp_path / "after.py"
    after.write_text("def f(x):\n\n    return 2 * x\n")
    other = tmp_path / "other.py"
    other.write_text("def f(x):\n    return 3 * x\n")
    assert provenance._logic(before) == provenance._logic(after) != provenance._logic(other)
    assert len(provenance.code()) == 64
