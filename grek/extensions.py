"""Extensions: modules that register materials, shapes, robots and tasks when they are imported."""

import importlib
import os
import sys
from importlib.metadata import entry_points
from pathlib import Path

from grek.errors import InputError

VARIABLE = "GREK_EXTENSIONS"
GROUP = "grek.extensions"


def load() -> None:
    """Import the entry points of GROUP, then the files and modules in the variable VARIABLE.

    VARIABLE is separated like PATH. The folder of a file is appended to `sys.path`, so that files
    can import each other. Raises InputError for a module that cannot be imported.
    """
    named = [text for text in os.environ.get(VARIABLE, "").split(os.pathsep) if text]
    for point in entry_points(group=GROUP):
        _import(point.value)
    for text in named:
        if text.endswith(".py"):
            path = Path(text).resolve()
            if not path.is_file():
                raise InputError(f"{VARIABLE}: there is no file {text!r}")
            if str(path.parent) not in sys.path:
                sys.path.append(str(path.parent))
            text = path.stem
        _import(text)


def _import(name: str) -> None:
    try:
        importlib.import_module(name)
    except Exception as error:  # third-party code may raise anything
        raise InputError(f"extension {name!r}: {type(error).__name__}: {error}") from error
