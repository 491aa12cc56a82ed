"""Where a result comes from: versions of what it depends on, and the commit of a checkout."""

import platform
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from grek import __version__


def versions(*packages: str) -> dict[str, str]:
    """Versions of grek, Python and `packages`, and the checked-out commit."""
    found = {"grek": __version__, "python": platform.python_version(), "commit": commit()}
    for name in packages:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "not installed"
    return found


def commit() -> str:
    """The checked-out commit of grek, or "unknown" where it is installed without its checkout."""
    root = Path(__file__).resolve().parent.parent
    if not (root / "pyproject.toml").is_file():  # the commit would be that of the user's project
        return "unknown"
    command = ["git", "-C", str(root), "rev-parse", "--short=12", "HEAD"]
    try:
        result = subprocess.run(command, capture_output=True, text=True, check=False)
    except FileNotFoundError:  # no git
        return "unknown"
    return result.stdout.strip() or "unknown"
