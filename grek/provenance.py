"""Provenance of results: versions of packages and commit of the checkout."""

import platform
import subprocess
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
