"""Finished episodes of an interrupted evaluation, stored in its output directory.

A file of lines: a JSON object of what is evaluated, then one of each finished batch of episodes
under a digest. Lines are appended and flushed to the disk, so that a kill costs the batch at work.
"""

import contextlib
import hashlib
import json
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from grek.errors import InputError
from grek.eval.episodes.episodes import Episode, Episodes
from grek.sanitize import printable

NAME = "scorecard.partial.jsonl"
_DAMAGE = (ValueError, KeyError, TypeError, AttributeError, RecursionError, OverflowError)


def save(
    path: Path, evaluation: Mapping[str, Any], episodes: Sequence[Episode], first: int = 0
) -> None:
    """Append finished `episodes` of an evaluation, which the values in `evaluation` identify.

    `first` is the number of episodes before them. Raises InputError if the file cannot be written.
    """
    text = json.dumps(list(episodes))
    line = json.dumps({"first": first, "digest": _digest(first, text), "episodes": text}) + "\n"
    before = path.stat().st_size if path.exists() else 0
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if not before:
            line = json.dumps({"of": dict(evaluation)}) + "\n" + line
        with path.open("a") as file:
            file.write(line)
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        with contextlib.suppress(OSError):  # nothing half-written stays
            os.truncate(path, before) if before else path.unlink(missing_ok=True)
        raise InputError(f"cannot write {path}: {error.strerror or error}") from None


def load(path: Path, evaluation: Mapping[str, Any], force: bool = False) -> Episodes:
    """Episodes stored at `path`, none if there is no file.

    Batches that are damaged or do not follow the one before, and all after them, are cut off with a
    warning. A file of another evaluation is deleted if `force`, else it raises InputError.
    """
    if not path.exists():
        return Episodes.of(())
    parts: list[Episodes] = []
    with path.open("rb") as file:
        head = file.readline()
        other = _difference(head, evaluation)
        whole, done = len(head), 0  # bytes and episodes of undamaged lines
        if other is None:
            for line in file:
                batch = _batch(line, done)
                if batch is None:
                    break
                parts.append(batch)
                whole, done = whole + len(line), done + len(batch)
    if other and not force:
        said = f"{path} is part of another evaluation: {other}"
        raise InputError(f"{said}; use --force to start over")
    if other is not None or not parts:
        path.unlink()
        whole = 0
    elif whole < path.stat().st_size:
        os.truncate(path, whole)
    else:
        return Episodes.concatenated(parts)
    if not other:
        lost = f"all but {done}" if whole else "all"
        print(f"grek: {printable(path)} is damaged; {lost} episodes are run again", file=sys.stderr)
    return Episodes.concatenated(parts)


def _difference(head: bytes, evaluation: Mapping[str, Any]) -> str | None:
    """Difference of `evaluation` from the first line of a file: None, or "" if that is damaged."""
    try:
        known = dict(json.loads(head)["of"])
    except _DAMAGE:
        return ""
    for key, value in evaluation.items():
        if known.get(key) != value:
            return f"its {key} is {str(known.get(key))[:40]!r}, not {str(value)[:40]!r}"
    return None


def _batch(line: bytes, first: int) -> Episodes | None:
    """Episodes of a line that begins with the episode `first`; None for a damaged one."""
    try:
        content = json.loads(line)
        fits = content["first"] == first and line.endswith(b"\n")
        if not fits or content["digest"] != _digest(first, content["episodes"]):
            return None
        return Episodes.of(json.loads(content["episodes"]))
    except _DAMAGE:
        return None


def _digest(first: int, text: str) -> str:
    return hashlib.sha256(f"{first} {text}".encode()).hexdigest()
