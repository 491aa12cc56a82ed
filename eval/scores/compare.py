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
from numpy.typing import NDArray

from grek import terminal
from grek.errors import InputError
from grek.eval.episodes.episodes import Episodes, Indices
from grek.eval.report import tables
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
    before, after = (Episodes.of(card["episodes"]) for card in (baseline, candidate))
    pairs = _Pairs(
        before.column("traversal"), after.column("traversal"), before.clusters, before.strata
    )
    overall = _line((ALL, ALL, ALL), pairs, np.arange(len(before)), margin)
    lines = [_line(key, pairs, ids, margin) for key, ids in _groups(before).items()]
    # Change in the number of episodes survived, by world.
    change = after.survived.astype(int) - before.survived
    gain = np.bincount(after.clusters, change)
    return Comparison(
        baseline=_name(baseline, "the baseline"),
        candidate=_name(candidate, "the candidate"),
        margin=margin,
        overall=overall,
        lines=tuple(_corrected(lines, margin)),
        new_falls=int((change < 0).sum()),
        mended_falls=int((change > 0).sum()),
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
    before, after = (Episodes.of(card["episodes"]) for card in (baseline, candidate))
    if len(before) != len(after):
        raise InputError(f"cannot compare scorecards of {len(before)} and {len(after)} episodes")
    kinds = {kind: i for i, kind in enumerate(before.kinds)}
    same = np.array([kinds.get(kind, -1) for kind in after.kinds], int)[after.kind] == before.kind
    differing = np.flatnonzero(~(same & (before.scenario == after.scenario)))
    if len(differing):
        first = [str(episodes.scenario[differing[0]]) for episodes in (before, after)]
        raise InputError("cannot compare {} of the baseline with {}".format(*first))


def _groups(episodes: Episodes) -> dict[Key, Indices]:
    """Indices of the episodes of each context, then of each axis and space with several parts."""
    contexts: dict[Key, Indices] = dict(episodes.groups())
    wider: dict[Key, list[Indices]] = {}
    parts: dict[Key, set[str]] = {}
    for key, ids in contexts.items():
        space, axis, context = key
        for whole, part in (((space, ALL, ALL), axis), ((space, axis, ALL), context)):
            wider.setdefault(whole, []).append(ids)
            parts.setdefault(whole, set()).add(part)
    several = {key: np.unique(np.concatenate(wider[key])) for key in wider if len(parts[key]) > 1}
    return {**contexts, **several}


@dataclass(frozen=True)
class _Pairs:
    """Traversal before and after, cluster and stratum of each pair of episodes (n,)."""

    before: NDArray[np.float64]
    after: NDArray[np.float64]
    cluster: Indices
    stratum: Indices


def _line(key: Key, pairs: _Pairs, ids: Indices, margin: float) -> Line:
    """Test of the pairs `ids` (k,), those with an undefined traversal left out."""
    ids = ids[~np.isnan(pairs.before[ids] + pairs.after[ids])]
    before, after, labels = pairs.before[ids], pairs.after[ids], pairs.cluster[ids]
    test = non_inferiority(
        after - before,
        margin,
        seed=zlib.crc32("/".join(key).encode()),
        strata=pairs.stratum[ids],
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
