"""Paired non-inferiority test of two scorecards: a candidate against a baseline.

Both ran the same scenarios, so episodes form pairs. Non-inferiority must be shown over the whole
suite: too little data is a failure. A context, axis or space fails only if non-inferiority is not
shown and its loss is significant after Holm's correction over all of them. The p value of n worlds
is at least 2^-n, so groups of few worlds cannot fail by themselves.
"""

import math
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from grek import terminal
from grek.errors import InputError
from grek.eval.report import tables
from grek.eval.scores.rows import Episode, clusters, stratum
from grek.eval.scores.statistics import (
    ALPHA,
    Sample,
    Verdict,
    classify,
    holm,
    mcnemar,
    non_inferiority,
)
from grek.sanitize import printable

MARGIN = 0.05  # default non-inferiority margin, a loss of traversal
ALL = "all"  # wildcard for a space, axis or context

Key = tuple[str, str, str]
"""Space, axis, context."""


@dataclass(frozen=True)
class Line:
    """Test of one group of paired episodes."""

    key: Key
    baseline: float
    """Mean traversal, each world counted once."""
    candidate: float
    """Mean traversal of the candidate."""
    test: Verdict

    @property
    def name(self) -> str:
        """Display name: "heldout material ice", "train, all" or "all"."""
        named = [part for part in self.key if part != ALL]
        return " ".join(named) + (", all" if 0 < len(named) < 3 else "") or ALL


@dataclass(frozen=True)
class Comparison:
    """Verdicts on a candidate, overall and for each space, axis and context."""

    baseline: str
    candidate: str
    margin: float
    overall: Line
    lines: tuple[Line, ...]
    new_falls: int
    """Episodes in which only the candidate fell."""
    mended_falls: int
    """Episodes in which only the baseline fell."""
    falls_p: float
    """p of McNemar's exact test on worlds with more falls and worlds with fewer falls."""
    notes: tuple[str, ...] = ()

    @property
    def regressions(self) -> tuple[Line, ...]:
        """The overall line unless it passed, then the inferior lines, largest loss first."""
        failed = self.overall.test.verdict in ("inferior", "inconclusive")
        worse = [line for line in self.lines if line.test.verdict == "inferior"]
        worse.sort(key=lambda line: line.test.mean)
        return (*((self.overall,) if failed else ()), *worse)

    @property
    def exit_code(self) -> int:
        """1 if there is a regression, else 0."""
        return int(bool(self.regressions))

    def summary(self) -> str:
        """The result in one line."""
        test = self.overall.test
        change = f"traversal {_change(self.overall)}"
        if not self.regressions:
            return (
                f"no regression: {self.candidate} is {test.verdict} to {self.baseline}"
                f" within {self.margin:g}: {change}"
            )
        if self.regressions == (self.overall,) and test.verdict == "inconclusive":
            return (
                f"regression not ruled out: {change}, lower bound {_signed(test.low)}, margin"
                f" {-self.margin:g}; run more episodes"
            )
        named = [f"{line.name}: {_change(line)}" for line in self.regressions[:4]]
        more = len(self.regressions) - len(named)
        return (
            f"regression, significant loss that may exceed the margin {self.margin:g}: "
            + "; ".join(named)
            + (f"; and {more} more" if more else "")
        )

    def text(self) -> str:
        """Plain text: a table of all lines, then falls, notes and the summary."""
        return terminal.text(*tables.comparison(self))


def compare(
    baseline: Mapping[str, Any], candidate: Mapping[str, Any], margin: float = MARGIN
) -> Comparison:
    """Test `candidate` against `baseline`, both scorecards as `scorecard.read` returns them.

    `margin` is the tolerated loss of traversal. Raises InputError, naming what differs, unless both
    have the same schema, suite, seed and episodes.
    """
    check_margin(margin)
    _check_pairs(baseline, candidate)
    pairs = list(zip(baseline["episodes"], candidate["episodes"], strict=True))
    groups = _groups([first for first, _ in pairs])
    overall = _line((ALL, ALL, ALL), pairs, margin)
    lines = [_line(key, [pairs[i] for i in ids], margin) for key, ids in groups.items()]
    survived = np.array([[bool(e["survived"]) for e in pair] for pair in pairs])  # (n, 2)
    gains: dict[object, int] = {}  # change in the number of episodes survived, by world
    for world, (before, after) in zip(clusters(candidate["episodes"]), survived, strict=True):
        gains[world] = gains.get(world, 0) + int(after) - int(before)
    gain = np.array(list(gains.values()))
    return Comparison(
        baseline=_name(baseline, "the baseline"),
        candidate=_name(candidate, "the candidate"),
        margin=margin,
        overall=overall,
        lines=tuple(_corrected(lines, margin)),
        new_falls=int((survived[:, 0] & ~survived[:, 1]).sum()),
        mended_falls=int((~survived[:, 0] & survived[:, 1]).sum()),
        falls_p=mcnemar(gain < 0, gain > 0),
        notes=_notes(baseline, candidate),
    )


def check_margin(margin: float) -> None:
    """Raise InputError unless `margin`, a loss of traversal, is inside (0, 1)."""
    if not 0 < margin < 1:
        raise InputError(f"margin {margin} is outside (0, 1)")


def _check_pairs(baseline: Mapping[str, Any], candidate: Mapping[str, Any]) -> None:
    """Raise InputError unless the episodes of both scorecards form pairs."""
    if baseline["schema"] != candidate["schema"]:
        raise InputError(
            f"cannot compare scorecards of schema {baseline['schema']} and {candidate['schema']}"
        )
    for key in ("name", "seed", "episodes", "sha256"):
        first, second = baseline["suite"].get(key), candidate["suite"].get(key)
        if first != second:
            raise InputError(
                f"cannot compare scorecards of different suites: {key} is {str(first)[:40]!r}"
                f" in the baseline and {str(second)[:40]!r} in the candidate"
            )
    counts = [len(card["episodes"]) for card in (baseline, candidate)]
    if counts[0] != counts[1]:
        raise InputError(f"cannot compare scorecards of {counts[0]} and {counts[1]} episodes")
    for before, after in zip(baseline["episodes"], candidate["episodes"], strict=True):
        if any(before[key] != after[key] for key in ("scenario", "space", "contexts")):
            raise InputError(
                f"cannot compare {before['scenario']} of the baseline with {after['scenario']}"
            )


def _groups(episodes: Sequence[Episode]) -> dict[Key, list[int]]:
    """Indices of the episodes of each context, then of each axis and space with several parts."""
    contexts: dict[Key, list[int]] = {}
    wider: dict[Key, list[int]] = {}
    parts: dict[Key, set[str]] = {}
    for i, episode in enumerate(episodes):
        space = episode["space"]
        wider.setdefault((space, ALL, ALL), []).append(i)
        for axis, context in episode["contexts"].items():
            contexts.setdefault((space, axis, context), []).append(i)
            wider.setdefault((space, axis, ALL), []).append(i)
            parts.setdefault((space, axis, ALL), set()).add(context)
            parts.setdefault((space, ALL, ALL), set()).add(axis)
    return {**contexts, **{key: ids for key, ids in wider.items() if len(parts[key]) > 1}}


def _line(key: Key, pairs: Sequence[tuple[Episode, Episode]], margin: float) -> Line:
    """Test of `pairs`, those with an undefined traversal left out."""
    pairs = [p for p in pairs if all(e["traversal"] is not None for e in p)]
    before, after = (np.array([float(pair[i]["traversal"]) for pair in pairs]) for i in (0, 1))
    labels = clusters([first for first, _ in pairs])
    test = non_inferiority(
        after - before,
        margin,
        seed=zlib.crc32("/".join(key).encode()),
        strata=[stratum(first) for first, _ in pairs],
        clusters=labels,
    )
    baseline, candidate = (
        float(values.mean()) if len(values) else math.nan
        for values in (Sample.of(scores, clusters=labels).values for scores in (before, after))
    )
    return Line(key, baseline, candidate, test)


def _corrected(lines: Sequence[Line], margin: float) -> list[Line]:
    """Lines with verdicts from p values after Holm's correction over all lines."""
    loss = holm([line.test.p_loss for line in lines]) < ALPHA
    gain = holm([line.test.p_gain for line in lines]) < ALPHA
    verdicts = [
        classify(line.test.low, margin, bool(gain[i]), bool(loss[i]))
        for i, line in enumerate(lines)
    ]
    return [
        replace(line, test=replace(line.test, verdict=verdict))
        for line, verdict in zip(lines, verdicts, strict=True)
    ]


def _notes(baseline: Mapping[str, Any], candidate: Mapping[str, Any]) -> tuple[str, ...]:
    """Notes on different versions of packages that affect scores."""
    first, second = baseline["versions"], candidate["versions"]
    return tuple(
        f"note: made with {key} {first.get(key)} and {second.get(key)}"
        for key in ("grek", "mujoco", "numpy")
        if first.get(key) != second.get(key)
    )


def _name(card: Mapping[str, Any], otherwise: str) -> str:
    """Name of the policy of `card` without unprintable characters, or `otherwise`."""
    return printable(card["policy"].get("name", ""))[:60].strip() or otherwise


def _change(line: Line) -> str:
    return f"{line.baseline:.3f} -> {line.candidate:.3f} ({_signed(line.test.mean)})"


def _signed(value: float) -> str:
    return f"{value:+.3f}"
