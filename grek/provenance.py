"""Provenance of results: versions of packages and commit of the checkout."""

import ast
import hashlib
import platform
import subprocess
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
    """SHA-256 of the code that scores depend on: `envs` without its pictures, rollouts, the models.

    Comments, docstrings and formatting do not count.
    """
    from grek import assets, envs
    from grek.eval.scores import rollout

    folders = [Path(module.__path__[0]) for module in (envs, assets)]
    sources = [p for p in folders[0].rglob("*.py") if "rendering" not in p.parts]
    models = [p for p in folders[1].rglob("*.xml")]
    named = {p.relative_to(folders[0]): _logic(p) for p in sources}
    named |= {p.relative_to(folders[1]): p.read_bytes() for p in models}
    named |= {Path("rollout.py"): _logic(Path(str(rollout.__file__)))}
    found = hashlib.sha256()
    for path, content in sorted(named.items()):
        found.update(f"{path.as_posix()} {len(content)}\n".encode() + content)
    return found.hexdigest()


def _logic(source: Path) -> bytes:
    """Source of a module as its syntax tree has it, without docstrings."""
    tree = ast.parse(source.read_bytes())
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if isinstance(body, list):
            node.body = [x for x in body if not _is_text(x)]  # type: ignore[attr-defined]
    return ast.unparse(tree).encode()


def _is_text(node: ast.AST) -> bool:
    """True for a docstring, also of a field."""
    return (
        isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    )


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
