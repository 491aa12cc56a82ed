"""The scorecard: what a suite found about a policy, as JSON that is the same to the last byte.

`build` makes it from episodes; `write` and `read` are its only way to and from a file. An episode
carries the rows it belongs to as `contexts`, {"material": "ice"}; the first is what the suite was
stratified by. A digest over all of it shows when a file was edited.
"""

import hashlib
import json
import math
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from grek.errors import InputError
from grek.eval.scores import breakdown
from grek.eval.scores.rows import SCORES, Episode, row, summary

Card = dict[str, Any]

SCHEMA = 1
_SIX_DIGITS = ".6g"

_KEYS = {
    "schema": int,
    "policy": dict,
    "suite": dict,
    "versions": dict,
    "rows": list,
    "summary": dict,
    "episodes": list,
    "digest": str,
}
_PARTS = {
    "rows": ("space", "axis", "context", "episodes", *SCORES),
    "episodes": ("scenario", "space", "contexts", "survived", "traversal", "velocity_error"),
}


def build(
    policy: Mapping[str, Any],
    suite: Mapping[str, Any],
    versions: Mapping[str, Any],
    episodes: Sequence[Episode],
) -> Card:
    """The scorecard of `episodes` in the order given.

    `policy` {"name", "sha256", "contract"}, `suite` {"name", "sha256", "seed", "episodes"} and
    `versions` are kept as they are. An episode is {"scenario", "space", "contexts": {axis:
    context}} and the numbers of `metrics.measure`; NaN becomes null. What `breakdown` adds to an
    episode is kept in bins. Episodes of one space with the
    same "world" are not taken for independent. Raises InputError without episodes.
    """
    if not episodes:
        raise InputError("a scorecard needs at least one episode")
    parts = breakdown.gather(episodes)
    episodes = [
        _tidy({k: v for k, v in episode.items() if k not in breakdown.KEYS}) for episode in episodes
    ]
    groups: dict[tuple[str, str, str], list[Episode]] = {}
    for episode in episodes:
        for axis, context in episode["contexts"].items():
            groups.setdefault((episode["space"], axis, context), []).append(episode)
    rows = [row(*key, group) for key, group in groups.items()]
    card = {
        "schema": SCHEMA,
        "policy": _plain(policy),
        "suite": _plain(suite),
        "versions": _plain(versions),
        "rows": _tidy(rows),
        "summary": _tidy(summary(episodes, rows)),
        "episodes": episodes,
        **_tidy(parts),
    }
    return {**card, "digest": digest(card)}


def episodes_of(
    scenarios: Sequence[Any],
    measured: Mapping[str, np.ndarray],
    details: Sequence[Mapping[str, Any]] | None = None,
) -> list[dict[str, Any]]:
    """One dict per scenario from what `metrics.measure` and `breakdown.details` return.

    A scenario has a `.name`, a `.context` and a `.seed`, which those of the same world share.
    """
    episodes: list[dict[str, Any]] = []
    for i, scenario in enumerate(scenarios):
        axis, context = scenario.context
        numbers = {name: float(values[i]) for name, values in measured.items()}
        episodes.append(
            {
                "scenario": scenario.name,
                "space": scenario.name.partition(":")[0],
                "contexts": {axis: context},
                "world": int(scenario.seed),
                **numbers,
                **(details[i] if details else {}),
                "survived": bool(numbers["survived"]),
            }
        )
    return episodes


def dumps(card: Card) -> str:
    """The text of a scorecard file."""
    return json.dumps(card, indent=1, allow_nan=False) + "\n"


def write(card: Card, path: Path) -> None:
    """Write `card` to `path` whole or not at all, replacing what is there."""
    write_text(path, dumps(card))


def write_text(path: Path, text: str) -> None:
    """Write to a file beside `path`, then rename: a reader never meets half of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        part.write_bytes(text.encode("utf-8", "backslashreplace"))
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def digest(card: Mapping[str, Any]) -> str:
    """sha256 of everything in `card` but its digest, in canonical JSON."""
    content = {key: value for key, value in card.items() if key != "digest"}
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


# -- reading -------------------------------------------------------------------------------


def read(path: Path) -> Card:
    """The scorecard in a file, or in a directory as scorecard.json.

    Raises InputError, in one line, for a file that is missing, empty, cut off, edited, of a newer
    schema or no scorecard at all.
    """
    path = path / "scorecard.json" if path.is_dir() else path
    try:
        text = path.read_bytes().decode("utf-8")
    except OSError as error:
        raise InputError(f"cannot read scorecard {path}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise InputError(f"{path} is not a scorecard: it is not text") from None
    if not text.strip():
        raise InputError(f"{path} is empty, not a scorecard")
    try:
        card = json.loads(text, parse_constant=_refuse)
    except json.JSONDecodeError as error:
        raise InputError(
            f"{path} is cut off or not JSON: line {error.lineno}, {error.msg}"
        ) from None
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path} is not a scorecard: {error}") from None
    validate(card, str(path))
    return card


def validate(card: Any, name: str = "scorecard") -> None:
    """Raise InputError, naming what is wrong, unless `card` is a whole scorecard of this schema."""
    if not isinstance(card, dict) or "schema" not in card:
        raise InputError(f"{name} is not a scorecard: it has no schema")
    schema = card["schema"]
    if not isinstance(schema, int) or isinstance(schema, bool) or schema < 1:
        raise InputError(f"{name}: schema {str(schema)[:40]!r} is not known; this grek reads 1")
    if schema > SCHEMA:
        raise InputError(f"{name} has schema {schema}, of a newer grek; this one reads {SCHEMA}")
    for key, kind in _KEYS.items():
        if key not in card:
            raise InputError(f"{name} is not a scorecard: it has no {key!r}")
        if not isinstance(card[key], kind):
            raise InputError(f"{name}: {key!r} is not of type {kind.__name__}")
    try:
        genuine = digest(card) == card["digest"]
    except ValueError:  # a number too large for a float
        genuine = False
    if not genuine:
        raise InputError(f"{name} was edited: its digest does not match what it says")
    for part, keys in _PARTS.items():
        if not card[part]:
            raise InputError(f"{name} is empty: it has no {part}")
        for i, item in enumerate(card[part]):
            for key in keys:
                if not isinstance(item, dict) or key not in item:
                    raise InputError(f"{name}: {part}[{i}] has no {key!r}")
                if not _fits(part, key, item[key]):
                    raise InputError(f"{name}: {part}[{i}] has a {key!r} of the wrong type")


def _fits(part: str, key: str, value: Any) -> bool:
    """Is this what a row or an episode may hold under `key`?"""
    if key in ("space", "axis", "context", "scenario"):
        return isinstance(value, str)
    if key == "contexts":
        return isinstance(value, dict) and bool(value)
    if part == "rows" and key in SCORES:
        ends = ("mean", "low", "high")
        return isinstance(value, dict) and all(_number(value.get(end)) for end in ends)
    return _number(value)


def _number(value: Any) -> bool:
    return value is None or isinstance(value, int | float)


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is no JSON number")


# -- plain JSON ----------------------------------------------------------------------------


def _plain(content: Mapping[str, Any]) -> dict[str, Any]:
    """`content` as a JSON file would give it back, not rounded."""
    plain: dict[str, Any] = json.loads(json.dumps(dict(content), allow_nan=False))
    return plain


def _tidy(value: Any) -> Any:
    """Plain JSON: six significant digits, null for what is not finite, no -0, no NumPy types."""
    if isinstance(value, Mapping):
        return {str(key): _tidy(item) for key, item in value.items()}
    if isinstance(value, list | tuple | np.ndarray):
        return [_tidy(item) for item in value]
    if isinstance(value, np.generic):
        return _tidy(value.item())
    if isinstance(value, float):
        return float(format(value, _SIX_DIGITS)) + 0.0 if math.isfinite(value) else None
    return value
