"""Finished episodes of an interrupted evaluation, stored in its output directory.

A file of lines: a JSON object of what is evaluated, then one of each finished batch of episodes
under a digest. Lines are appended and flushed to the disk, so that a kill costs the batch at work.
"""

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


def save(path: Path, evaluation: Mapping[str, Any], episodes: Sequence[Episode]) -> None:
    """Append finished `episodes` of an evaluation, which the values in `evaluation` identify.

    Raises InputError if the file cannot be written.
    """
    text = json.dumps(list(episodes))
    line = json.dumps({"digest": _digest(text), "episodes": text}) + "\n"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists():
            line = json.dumps({"of": dict(evaluation)}) + "\n" + line
        with path.open("a") as file:
            file.write(line)
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise InputError(f"cannot write {path}: {error.strerror or error}") from None


def load(path: Path, evaluation: Mapping[str, Any], force: bool = False) -> Episodes:
    """Episodes stored at `path`, none if there is no file.

    Damaged batches and what follows them are cut off with a warning. A file of another evaluation
    is deleted if `force`, else it raises InputError.
    """
    parts: list[Episodes] = []
    if not path.exists():
        return Episodes.concatenated(parts)
    whole = 0  # bytes of undamaged lines
    stored: dict[str, Any] | None = None
    with path.open("rb") as file:
        for line in file:
            try:
                content = json.loads(line)
                if stored is None:
                    stored = dict(content["of"])
                elif content["digest"] == _digest(content["episodes"]):
                    parts.append(Episodes.of(json.loads(content["episodes"])))
                else:
                    break
            except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
                break
            whole += len(line)
    if whole < path.stat().st_size or stored is None:
        lost = f"all but {sum(map(len, parts))}" if parts else "all"
        print(f"grek: {printable(path)} is damaged; {lost} episodes are run again", file=sys.stderr)
    if not parts:
        path.unlink()
        return Episodes.concatenated(parts)
    os.truncate(path, whole)
    assert stored is not None
    for key, value in evaluation.items():
        if stored.get(key) != value:
            if force:
                path.unlink()
                return Episodes.concatenated([])
            raise InputError(
                f"{path} is part of another evaluation: its {key} is {str(stored.get(key))[:40]!r},"
                f" not {str(value)[:40]!r}; use --force to start over"
            )
    return Episodes.concatenated(parts)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
