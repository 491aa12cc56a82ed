"""Package data: robot models, choreographies, shipped policies and textures."""

from pathlib import Path

SHIPPED = ("walk", "grek")  # policies: an ONNX file and a learner each
_ROOT = Path(__file__).resolve().parent


def asset_path(name: str) -> Path:
    """Path of the file `name`, such as "grek/grek.xml"; raises FileNotFoundError if missing."""
    path = _ROOT / name
    if not path.exists():
        raise FileNotFoundError(f"no asset {name!r} in {_ROOT}")
    return path
