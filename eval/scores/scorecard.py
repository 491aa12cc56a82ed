"""Scorecard of a policy on a suite: a JSON document, reproducible byte for byte.

`build` makes it from episodes; `write` and `read` store and load it. An episode names its rows as
`contexts`, such as {"material": "ice"}; the first is its stratum. A digest of the content reveals
edited files. More than INLINE episodes go to a Parquet file beside the JSON file, under a digest of
their values.
"""

import hashlib
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any

import msgspec
import numpy as np

from grek import files
from grek.errors import InputError
from grek.eval.episodes import stored
from grek.eval.episodes.episodes import Episode, Episodes
from grek.eval.scores import breakdown
from grek.eval.scores.rows import paired, regret, row, summary, transfer

Card = dict[str, Any]
"""Content of a scorecard file; "episodes" is an `Episodes`, or a list of their entries."""

SCHEMA = 2  # 1 has a "gap" in its summary, and no "transfer", "paired" or "provenance"
INLINE = 1000  # most episodes in the JSON file
_SIX_DIGITS = ".6g"


def build(
    policy: Mapping[str, Any],
    suite: Mapping[str, Any],
    versions: Mapping[str, Any],
    episodes: Iterable[Episode],
    provenance: Mapping[str, Any] = MappingProxyType({}),
    trained_there: Card | None = None,
) -> Card:
    """Scorecard of `episodes` in the order given.

    `trained_there` is the scorecard of a policy that trained on the held-out ranges too; regret
    against it is computed if it is of the same suite.

    `policy` {"name", "sha256", "contract"}, `suite` {"name", "sha256", "seed", "episodes"},
    `versions` and `provenance` are stored unchanged. An episode is {"scenario", "space",
    "contexts": {axis: context}, "world"} and the metrics of the task; NaN becomes null. Episodes of
    one space with the same "world" form a cluster in the statistics. The keys that `breakdown` adds
    to an episode are stored as bins only. Raises InputError without episodes.
    """
    measured = Episodes.of(episodes)
    if not measured:
        raise InputError("a scorecard needs at least one episode")
    bins, kept = breakdown.bins(measured), measured.plain()
    groups = {key: kept.take(ids) for key, ids in kept.groups().items()}
    rows = [row(*key, group) for key, group in groups.items()]
    there: Episodes | None = None
    if trained_there is not None and trained_there["suite"] == _exact(suite):
        there = Episodes.of(trained_there["episodes"])
        for line, group in zip(rows, groups.values(), strict=True):
            if line["space"] == "heldout":
                line["regret"] = regret(group, there, f"regret/{line['axis']}/{line['context']}")
    card = {
        "schema": SCHEMA,
        "policy": _exact(policy),
        "suite": _exact(suite),
        "versions": _exact(versions),
        "provenance": _exact(provenance),
        "rows": _rounded(rows),
        "summary": _rounded(summary(kept, rows)),
        "transfer": _rounded(transfer(kept, there)),
        "paired": _rounded(paired(kept)),
        "episodes": kept,
        **_rounded(bins),
    }
    return {**card, "digest": digest(card)}


def episodes_of(
    scenarios: Sequence[Any],
    measured: Mapping[str, np.ndarray],
    details: Sequence[Mapping[str, Any]] | None = None,
) -> list[dict[str, Any]]:
    """Episodes for `build`, one per scenario, from metrics (n,) by name and `breakdown.details`.

    The seed of a scenario becomes "world": a world that appears in several contexts has one seed.
    """
    episodes: list[dict[str, Any]] = []
    for i, scenario in enumerate(scenarios):
        axis, context = scenario.context
        numbers = {name: float(values[i]) for name, values in measured.items()}
        episodes.append(
            {
                "scenario": scenario.name,
                "space": scenario.space,
                "contexts": {axis: context},
                "world": int(scenario.seed),
                **numbers,
                **(details[i] if details else {}),
                "survived": bool(numbers["survived"]),
            }
        )
    return episodes


def _exact(content: Mapping[str, Any]) -> dict[str, Any]:
    """`content` after a round trip through JSON, not rounded."""
    plain: dict[str, Any] = json.loads(json.dumps(dict(content), allow_nan=False))
    return plain


def _rounded(value: Any) -> Any:
    """`value` as JSON types: six significant digits, null if not finite, 0 for -0."""
    if isinstance(value, Mapping):
        return {str(key): _rounded(item) for key, item in value.items()}
    if isinstance(value, list | tuple | np.ndarray):
        return [_rounded(item) for item in value]
    if isinstance(value, np.generic):
        return _rounded(value.item())
    if isinstance(value, float):
        return float(format(value, _SIX_DIGITS)) + 0.0 if math.isfinite(value) else None
    return value


def dumps(card: Card) -> str:
    """The text of a scorecard file."""
    return json.dumps(plain(card), indent=1, allow_nan=False) + "\n"


def plain(card: Mapping[str, Any]) -> dict[str, Any]:
    """`card` as JSON types: its episodes as a list, or as their number and digest beyond INLINE."""
    episodes = card.get("episodes")
    if not isinstance(episodes, Episodes):
        return dict(card)
    if len(episodes) > INLINE:  # in a file beside
        return {**card, "episodes": {"count": len(episodes), "sha256": stored.digest(episodes)}}
    return {**card, "episodes": list(episodes)}


def write(card: Card, path: Path) -> None:
    """Write `card` to `path` under a new digest, and many episodes to `stored.place` beside.

    Files of the episodes of a scorecard that it replaces are deleted once it is written.
    """
    card = {**card, "episodes": Episodes.of(card["episodes"])}
    text = dumps({**card, "digest": digest(card)})
    beside = None
    if len(card["episodes"]) > INLINE:
        beside = stored.place(path, stored.digest(card["episodes"]))
        stored.write(card["episodes"], beside)
    files.write(path, text)
    for other in stored.places(path):
        if other != beside:
            other.unlink(missing_ok=True)


def digest(content: Mapping[str, Any]) -> str:
    """SHA-256 of `content` without its "digest", as canonical JSON.

    Raises ValueError for a number that is not finite.
    """
    signed = {key: value for key, value in plain(content).items() if key != "digest"}
    text = json.dumps(signed, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def read(path: Path) -> Card:
    """Scorecard in a file, or in scorecard.json of a directory.

    Raises InputError, one line, for a file that is missing, empty, truncated, edited, of a newer
    schema or not a scorecard.
    """
    path = path / "scorecard.json" if path.is_dir() else path
    card = files.read_json(path, f"scorecard {path}")
    validate(card, str(path))
    if isinstance(card["episodes"], list):
        return {**card, "episodes": Episodes.of(card["episodes"])}
    beside = stored.place(path, card["episodes"]["sha256"])
    episodes = stored.read(beside, card["episodes"]["count"])
    if stored.digest(episodes) != card["episodes"]["sha256"]:
        raise InputError(f"{beside} was edited: its digest is not that in {path}")
    return {**card, "episodes": episodes}


def validate(card: Any, name: str = "scorecard") -> None:
    """Raise InputError, naming the fault and its place, unless `card` is a scorecard.

    Keys beyond those of `_Scorecard` are accepted; the digest covers them as well.
    """
    if not isinstance(card, dict) or "schema" not in card:
        raise InputError(f"{name} is not a scorecard: it has no schema")
    schema = card["schema"]
    if isinstance(schema, int) and schema > SCHEMA:
        raise InputError(f"{name} has schema {schema}, of a newer grek; this one reads {SCHEMA}")
    files.converted(card, _Scorecard, f"{name} is not a scorecard")
    try:
        genuine = digest(card) == card["digest"]
    except (ValueError, RecursionError):  # a number too large for a float, or nested too deeply
        genuine = False
    if not genuine:
        raise InputError(f"{name} was edited: its digest does not match its content")


class _Interval(msgspec.Struct):
    mean: float | None
    low: float | None
    high: float | None


class _Row(msgspec.Struct):
    space: str
    axis: str
    context: str
    episodes: int
    survival: _Interval
    traversal: _Interval
    velocity_error: _Interval


class _Episode(msgspec.Struct):
    scenario: str
    space: str
    contexts: Annotated[dict[str, str], msgspec.Meta(min_length=1)]
    survived: bool
    traversal: float | None
    velocity_error: float | None
    world: int | str | None = None


class _Stored(msgspec.Struct):
    count: Annotated[int, msgspec.Meta(ge=1)]
    sha256: Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{64}$")]


class _Scorecard(msgspec.Struct):
    """Keys that readers depend on; used for validation only, the content stays a dict."""

    schema: Annotated[int, msgspec.Meta(ge=1)]
    policy: dict[str, Any]
    suite: dict[str, Any]
    versions: dict[str, Any]
    rows: Annotated[list[_Row], msgspec.Meta(min_length=1)]
    summary: dict[str, Any]
    episodes: Annotated[list[_Episode], msgspec.Meta(min_length=1)] | _Stored
    digest: str
