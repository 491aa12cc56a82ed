"""Finished episodes of an interrupted evaluation, stored in its output directory."""

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from grek import files
from grek.errors import InputError
from grek.eval.scores.rows import Episode
from grek.eval.scores.scorecard import digest
from grek.sanitize import printable

NAME = "scorecard.partial.json"


def save(path: Path, evaluation: Mapping[str, Any], episodes: Sequence[Episode]) -> None:
    """Write the finished `episodes` of an evaluation, which the values in `evaluation` identify."""
    content = {"of": evaluation, "episodes": episodes}
    files.write(path, json.dumps({**content, "digest": digest(content, allow_nan=True)}) + "\n")


def load(path: Path, evaluation: Mapping[str, Any], force: bool = False) -> list[dict[str, Any]]:
    """Episodes stored at `path`, none if there is no file.

    A damaged file is deleted with a warning. A file of another evaluation is deleted if `force`,
    else it raises InputError.
    """
    if not path.exists():
        return []
    try:
        content = json.loads(path.read_bytes())
        if content["digest"] != digest(content, allow_nan=True):
            raise ValueError
        stored, episodes = dict(content["of"]), list(content["episodes"])
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        print(f"grek: {printable(path)} is damaged; all episodes are run again", file=sys.stderr)
        path.unlink()
        return []
    for key, value in evaluation.items():
        if stored.get(key) != value:
            if force:
                path.unlink()
                return []
            raise InputError(
                f"{path} is part of another evaluation: its {key} is {str(stored.get(key))[:40]!r},"
                f" not {str(value)[:40]!r}; use --force to start over"
            )
    return episodes
