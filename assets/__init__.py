"""What the world is made of: the droid's model and the shipped policies."""

from pathlib import Path

_ROOT = Path(__file__).resolve().parent


def asset_path(name: str) -> Path:
    """Path of the asset `name`, for example "grek/grek.xml"; raises FileNotFoundError naming it."""
    path = _ROOT / name
    if not path.exists():
        raise FileNotFoundError(f"no asset {name!r} in {_ROOT}")
    return path
