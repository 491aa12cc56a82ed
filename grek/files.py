"""Files of Grek: written whole or not at all, and JSON read from outside.

What each kind of file promises is in docs/files.md.
"""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from grek.errors import InputError

T = TypeVar("T")


@contextlib.contextmanager
def written(path: Path) -> Iterator[Path]:
    """Path of a temporary file beside `path`, which replaces `path` when the context ends.

    It is flushed to the disk before, so that a file of the final name is complete. An exception
    deletes it and leaves `path` as it was; an OSError, such as a full disk, becomes an InputError.
    """
    part = path.with_name(f".{path.stem}.{os.getpid()}.part{path.suffix}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield part
        with part.open("rb") as file:
            os.fsync(file.fileno())
        part.replace(path)
    except OSError as error:
        raise InputError(f"cannot write {path}: {error.strerror or error}") from None
    finally:
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)


def write(path: Path, content: str | bytes) -> None:
    """Write `content` to `path` by `written`; text as UTF-8, lone surrogates escaped."""
    if isinstance(content, str):
        content = content.encode("utf-8", "backslashreplace")
    with written(path) as part:
        part.write_bytes(content)


def remove_parts(directory: Path) -> None:
    """Delete temporary files in `directory` that a killed process left; none may be in use."""
    for part in directory.glob(".*.part*"):
        part.unlink(missing_ok=True)


def read_json(path: Path, name: str) -> Any:
    """`json_of` the file `path`; raises InputError also if it cannot be read."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise InputError(f"{name} cannot be read: {error.strerror or error}") from None
    return json_of(content, name)


def json_of(content: str | bytes, name: str) -> Any:
    """Value of the JSON text `content`; raises InputError, naming `name`, if it is not JSON.

    Strict: no NaN, no Infinity, no number beyond a float, no nesting deeper than Python's stack.
    """
    if not content.strip():
        raise InputError(f"{name} is empty")
    try:
        return msgspec.json.decode(content)
    except msgspec.DecodeError as error:
        raise InputError(f"{name} is cut off or not JSON: {error}") from None
    except (ValueError, RecursionError) as error:
        raise InputError(f"{name} is not JSON: {error}") from None


def converted(value: Any, kind: type[T], name: str) -> T:
    """`value` of a file as the type `kind`; raises InputError naming an entry that does not fit."""
    try:
        return msgspec.convert(value, kind, dec_hook=lambda wanted, found: wanted(found))
    except (ValueError, TypeError, RecursionError) as error:  # msgspec's are ValueErrors
        raise InputError(f"{name}: {error}") from None
