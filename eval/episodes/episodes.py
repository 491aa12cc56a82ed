"""Episodes of an evaluation, stored by column: a million of them take about 200 MB.

`Episodes` reads as a sequence of mappings, as the entries of a scorecard file are.
"""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, overload

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Indices = NDArray[np.int64]
Episode = Mapping[str, Any]

KEYS = ("pushes", "stretches", "fall", "shape", "delay")
"""Keys of an episode that are aggregated into bins and not stored in a scorecard."""
_NAMED = ("scenario", "space", "contexts", "world", *KEYS)
_EVENTS = {"pushes": 3, "stretches": 5, "fall": 2}  # columns of each
_DIGITS = ".6g"


@dataclass(frozen=True)
class Kind:
    """Space and contexts that episodes share; the first context is what a suite drew them for."""

    space: str
    contexts: tuple[tuple[str, str], ...]
    """Pairs of axis and context."""

    @property
    def stratum(self) -> tuple[str, str, str]:
        """Space, axis and context that the suite drew the episodes for."""
        return (self.space, *self.contexts[0])


@dataclass(frozen=True, eq=False)
class Episodes(Sequence[Episode]):
    """n episodes; undefined numbers are NaN."""

    scenario: NDArray[np.object_]
    """Names (n,); None where an episode has none."""
    kind: Indices
    """Index into `kinds` (n,)."""
    kinds: tuple[Kind, ...]
    world: NDArray[Any]
    """Labels (n,), equal for episodes of a space in one world; None for a world of its own."""
    metrics: dict[str, Array]
    """Values (n,) by name."""
    details: dict[str, Array] = field(default_factory=dict, repr=False)
    """Values (n,) that only bins are made of: "delay" and "shape/KIND"."""
    events: dict[str, tuple[Indices, Array]] = field(
        default_factory=lambda: {key: _ragged((), n) for key, n in _EVENTS.items()}, repr=False
    )
    """Of "pushes", "stretches" and "fall": episode (k,) and values (k, c) of each."""

    @classmethod
    def of(cls, episodes: "Iterable[Episode] | Episodes") -> "Episodes":
        """Columns of `episodes`, as a scorecard holds them or with the entries of `KEYS`.

        Entries beyond those that are neither numbers nor None are left out.
        """
        if isinstance(episodes, Episodes):
            return episodes
        given = list(episodes)
        kinds: dict[Kind, int] = {}
        contexts: dict[tuple[str, ...], int] = {}  # flat, which is quicker to look up than a Kind
        kind = np.empty(len(given), np.int64)
        for i, episode in enumerate(given):
            own = episode["contexts"]
            key = (episode["space"], *own, *own.values())
            if key not in contexts:
                contexts[key] = kinds.setdefault(Kind(key[0], tuple(own.items())), len(kinds))
            kind[i] = contexts[key]
        names = dict.fromkeys(name for e in given for name in e if name not in _NAMED)
        columns = {name: _numbers([e.get(name) for e in given]) for name in names}
        shapes = dict.fromkeys(axis for e in given for axis in e.get("shape") or ())
        details = {
            f"shape/{axis}": _numbers([(e.get("shape") or {}).get(axis) for e in given])
            for axis in shapes
        }
        details["delay"] = _numbers([e.get("delay") for e in given])
        found = [{**e, "fall": [e["fall"]] if e.get("fall") else ()} for e in given]
        events = {key: _ragged([e.get(key) or () for e in found], n) for key, n in _EVENTS.items()}
        return cls(
            scenario=_objects([e.get("scenario") for e in given]),
            kind=kind,
            kinds=tuple(kinds),
            world=_objects([e.get("world") for e in given]),
            metrics={name: column for name, column in columns.items() if column is not None},
            details={name: column for name, column in details.items() if column is not None},
            events=events,
        )

    @classmethod
    def concatenated(cls, parts: "Sequence[Episodes]") -> "Episodes":
        """All `parts` in order."""
        if not parts:
            return cls.of(())
        kinds: dict[Kind, int] = {}
        kind = [
            np.array([kinds.setdefault(k, len(kinds)) for k in part.kinds], np.int64)[part.kind]
            for part in parts
        ]
        starts = np.cumsum([0, *map(len, parts)])

        def joined(group: str) -> dict[str, Array]:
            names = dict.fromkeys(name for part in parts for name in getattr(part, group))
            return {
                name: np.concatenate(
                    [getattr(p, group).get(name, np.full(len(p), math.nan)) for p in parts]
                )
                for name in names
            }

        events = {
            name: (
                np.concatenate(
                    [p.events[name][0] + s for p, s in zip(parts, starts, strict=False)]
                ),
                np.concatenate([p.events[name][1] for p in parts]),
            )
            for name in parts[0].events
        }
        return cls(
            scenario=np.concatenate([p.scenario for p in parts]),
            kind=np.concatenate(kind),
            kinds=tuple(kinds),
            world=np.concatenate([p.world for p in parts]),
            metrics=joined("metrics"),
            details=joined("details"),
            events=events,
        )

    def take(self, which: NDArray) -> "Episodes":
        """Episodes `which`, indices (k,) or a mask (n,), without details and events."""
        used, kind = np.unique(self.kind[which], return_inverse=True)
        return Episodes(
            self.scenario[which],
            kind,
            tuple(self.kinds[i] for i in used),
            self.world[which],
            {name: column[which] for name, column in self.metrics.items()},
        )

    def plain(self) -> "Episodes":
        """These episodes without details and events, metrics rounded to six significant digits."""
        metrics = {name: _six_digits(column) for name, column in self.metrics.items()}
        return Episodes(self.scenario, self.kind, self.kinds, self.world, metrics)

    def column(self, metric: str) -> Array:
        """Values (n,) of `metric`, NaN where undefined or missing."""
        found = self.metrics.get(metric)
        return np.full(len(self), math.nan) if found is None else found

    @property
    def survived(self) -> NDArray[np.bool_]:
        """True for episodes without a fall (n,)."""
        return self.column("survived") > 0

    @cached_property
    def clusters(self) -> Indices:
        """Labels (n,), equal for episodes of one world of one space.

        An episode without a world is a cluster of its own.
        """
        names = dict.fromkeys(self.spaces)
        space = np.array([list(names).index(name) for name in self.spaces], np.int64)[self.kind]
        return _numbered(self.world) * len(names) + space

    @property
    def strata(self) -> Indices:
        """Labels (n,), equal for episodes of one stratum."""
        labels: dict[object, int] = {}
        return np.array(
            [labels.setdefault(kind.stratum, len(labels)) for kind in self.kinds], np.int64
        )[self.kind]

    @property
    def spaces(self) -> list[str]:
        """Space of each of `kinds`."""
        return [kind.space for kind in self.kinds]

    def within(self, space: str) -> NDArray[np.bool_]:
        """Mask (n,) of the episodes of `space`."""
        return np.array([kind.space == space for kind in self.kinds], bool)[self.kind]

    def groups(self) -> dict[tuple[str, str, str], Indices]:
        """Indices of the episodes of each (space, axis, context), ordered by the first of each."""
        members: dict[tuple[str, str, str], list[int]] = {}
        for i, kind in enumerate(self.kinds):
            for pair in kind.contexts:
                members.setdefault((kind.space, *pair), []).append(i)
        found = {key: np.flatnonzero(np.isin(self.kind, own)) for key, own in members.items()}

        def place(key: tuple[str, str, str]) -> tuple[int, int]:
            first = int(found[key][0])
            return first, self.kinds[self.kind[first]].contexts.index(key[1:])

        return {
            key: found[key] for key in sorted(filter(lambda k: len(found[k]), found), key=place)
        }

    @overload
    def __getitem__(self, i: int) -> dict[str, Any]: ...
    @overload
    def __getitem__(self, i: slice) -> "Episodes": ...
    def __getitem__(self, i: int | slice) -> "dict[str, Any] | Episodes":
        if isinstance(i, slice):
            return self.take(np.arange(len(self))[i])
        kind, (world,) = self.kinds[self.kind[i]], self.world[[i]].tolist()
        return {
            "scenario": self.scenario[i],
            "space": kind.space,
            "contexts": dict(kind.contexts),
            **({} if world is None else {"world": world}),
            **{name: _entry(name, float(column[i])) for name, column in self.metrics.items()},
        }

    def __iter__(self) -> Iterator[dict[str, Any]]:
        return (self[i] for i in range(len(self)))

    def __len__(self) -> int:
        return len(self.kind)

    def __eq__(self, other: object) -> bool:
        """Equality of entries; details and events are not compared."""
        return isinstance(other, Episodes) and list(self) == list(other)


def _entry(name: str, value: float) -> float | bool | None:
    if name == "survived":
        return value > 0
    return None if math.isnan(value) else value


def _numbers(values: Sequence[Any]) -> Array | None:
    """`values` (n,) with NaN for None; None if some are not numbers."""
    if not all(value is None or isinstance(value, int | float | np.generic) for value in values):
        return None
    try:
        return np.array([math.nan if value is None else float(value) for value in values])
    except (OverflowError, ValueError):  # a whole number beyond the floats, or text of NumPy
        return None


def _numbered(labels: NDArray[Any]) -> Indices:
    """Number (n,) of each of `labels`; None is a label of its own each time."""
    if labels.dtype != object:
        return np.unique(labels, return_inverse=True)[1]
    given = labels.tolist()
    if all(x is None or (type(x) is int and 0 <= x < 2**63) for x in given):
        numbers = [-1 - i if x is None else x for i, x in enumerate(given)]
        return np.unique(np.array(numbers, np.int64), return_inverse=True)[1]
    codes: dict[object, int] = {}
    numbers = [codes.setdefault((i,) if x is None else x, len(codes)) for i, x in enumerate(given)]
    return np.array(numbers, np.int64)


def _ragged(rows: Sequence[Sequence[Any]], width: int) -> tuple[Indices, Array]:
    """Owner (k,) and values (k, width) of the entries of each of `rows`."""
    owner = np.repeat(np.arange(len(rows)), [len(row) for row in rows])
    values = [entry for row in rows for entry in row]
    return owner, np.array(values, float).reshape(-1, width)


def _objects(values: Sequence[Any]) -> NDArray[np.object_]:
    found = np.empty(len(values), object)
    found[:] = values
    return found


def _six_digits(values: Array) -> Array:
    """`values` (n,) rounded to six significant digits, NaN if not finite, 0 for -0."""
    known = np.isfinite(values)
    found = np.full(len(values), math.nan)
    found[known] = [float(format(value, _DIGITS)) + 0.0 for value in values[known].tolist()]
    return found
