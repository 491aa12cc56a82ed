"""Provenance of results: versions of packages and commit of the checkout."""

import ast
import hashlib
import io
import platform
import subprocess
import tokenize
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from grek import __version__


def versions(*packages: str) -> dict[str, str]:
    """Return the versions of grek, Python and `packages`, and the commit of grek."""
    found = {"grek": __version__, "python": platform.python_version(), "commit": commit()}
    for name in packages:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "not installed"
    return found


@cache
def code() -> str:
    """SHA-256 of the code that what happens in an episode depends on: `envs` without its pictures,
    rollouts, references, and the files of models and choreographies.

    Comments, docstrings and empty lines do not count.
    """
    from grek import assets, envs
    from grek.eval.scores import policies, rollout

    folders = [Path(module.__path__[0]) for module in (envs, assets)]
    sources = [p for p in folders[0].rglob("*.py") if "rendering" not in p.parts]
    data = [p for kind in ("*.xml", "*.toml") for p in folders[1].rglob(kind)]
    named = {p.relative_to(folders[0]): _logic(p) for p in sources}
    named |= {p.relative_to(folders[1]): p.read_bytes() for p in data}
    named |= {Path(f"{m.__name__}.py"): _logic(Path(str(m.__file__))) for m in (policies, rollout)}
    found = hashlib.sha256()
    for path, content in sorted(named.items()):
        found.update(f"{path.as_posix()} {len(content)}\n".encode() + content)
    return found.hexdigest()


def _logic(source: Path) -> bytes:
    """Lines of a module without comments, docstrings and empty lines."""
    text = source.read_text()
    lines = text.splitlines()
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.COMMENT:
            row, column = token.start
            lines[row - 1] = lines[row - 1][:column]
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):  # a docstring
            lines[node.lineno - 1 : node.end_lineno] = [""] * (
                (node.end_lineno or node.lineno) - node.lineno + 1
            )
    return "\n".join(line.rstrip() for line in lines if line.strip()).encode()


def commit() -> str:
    """Return the commit of grek's checkout, 12 hex digits, or "unknown" without one."""
    return _git("rev-parse", "--short=12", "HEAD") or "unknown"


def dirty() -> bool | None:
    """Return True if tracked files of grek's checkout differ from its commit; None without one."""
    if commit() == "unknown":
        return None
    return bool(_git("status", "--porcelain", "--untracked-files=no"))


def _git(*arguments: str) -> str:
    """Output of git in grek's checkout, empty without git or a checkout."""
    root = Path(__file__).resolve().parent.parent
    if not (root / "pyproject.toml").is_file():  # a commit found here would be another project's
        return ""
    command = ["git", "-C", str(root), *arguments]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()
    except FileNotFoundError:  # no git
        return ""
