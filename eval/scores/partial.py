"""What an evaluation has found so far, kept beside its scorecard so that it can be resumed."""

import hashlib
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from grek.errors import InputError
from grek.eval.scores import scorecard
from grek.eval.scores.rows import Episode

NAME = "scorecard.partial.json"


def save(path: Path, of: Mapping[str, Any], episodes: Sequence[Episode]) -> None:
    """Keep the first `episodes` of the evaluation that `of` identifies."""
    content = {"of": of, "episodes": episodes}
    scorecard.write_text(path, json.dumps({**content, "digest": _digest(content)}) + "\n")


def load(path: Path, of: Mapping[str, Any], force: bool = False) -> list[dict[str, Any]]:
    """The episodes kept at `path`; none if there is no file, or a damaged one, with a warning.

    Those of another evaluation than `of` raise InputError unless `force`. What is of no use is
    removed.
    """
    if not path.exists():
        return []
    try:
        content = json.loads(path.read_bytes())
        if content.pop("digest") != _digest(content):
            raise ValueError
        other, episodes = dict(content["of"]), list(content["episodes"])
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        print(f"grek: {path} is damaged; all episodes are run again", file=sys.stderr)
        path.unlink()
        return []
    for key, value in of.items():
        if other.get(key) != value:
            if force:
                path.unlink()
                return []
            raise InputError(
                f"{path} is part of another evaluation: its {key} is {str(other.get(key))[:40]!r},"
                f" not {str(value)[:40]!r}; use --force to begin anew"
            )
    return episodes


def _digest(content: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
