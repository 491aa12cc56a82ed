"""Is a candidate worse than a baseline? A paired non-inferiority test of two scorecards.

Both ran in the same worlds, so episodes are compared one by one. The whole suite must be shown not
to lose more than the margin: too little data is no pass. A single row, axis or space alarms only
if its loss is real after Holm's correction over all of them, and it fails the margin too.
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
from grek.eval.scores.resampling import Sample
from grek.eval.scores.rows import Episode, stratum, worlds
from grek.eval.scores.statistics import Verdict, holm, judge, mcnemar, non_inferiority

MARGIN = 0.05  # of traversal
ALPHA = 0.05
ALL = "all"  # in place of a space, axis or context: all of them together

Key = tuple[str, str, str]
"""Space, axis, context."""


@dataclass(frozen=True)
class Line:
    """One group of paired episodes and what they say."""

    key: Key
    baseline: float
    """Mean traversal, each world counted once."""
    candidate: float
    test: Verdict

    @property
    def name(self) -> str:
        """As a person says it: "heldout material ice", "train, all", "all"."""
        named = [part for part in self.key if part != ALL]
        return " ".join(named) + (", all" if 0 < len(named) < 3 else "") or ALL


@dataclass(frozen=True)
class Comparison:
    """The verdict on a candidate, overall and for each space, axis and context."""

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
    """Exact McNemar p of the worlds in which the candidate fell more, and less."""
    notes: tuple[str, ...] = ()

    @property
    def regressions(self) -> tuple[Line, ...]:
        """What fails: the overall test unless passed, and every line with a real loss."""
        failed = self.overall.test.verdict in ("inferior", "inconclusive")
        worse = [line for line in self.lines if line.test.verdict == "inferior"]
        worse.sort(key=lambda line: line.test.mean)
        return (*((self.overall,) if failed else ()), *worse)

    @property
    def exit_code(self) -> int:
        """1 if there is a regression, else 0."""
        return int(bool(self.regressions))

    def summary(self) -> str:
        """One line: what came out."""
        test = self.overall.test
        change = f"traversal {_change(self.overall)}"
        if not self.regressions:
            return (
                f"no regression: {self.candidate} is {test.verdict} to {self.baseline}"
                f" within {self.margin:g}: {change}"
            )
        if self.regressions == (self.overall,) and test.verdict == "inconclusive":
            return (
                f"regression not ruled out: {change}, at worst {_signed(test.low)}, and only"
                f" {-self.margin:g} is allowed; more episodes would tell"
            )
        named = [f"{line.name}: {_change(line)}" for line in self.regressions[:4]]
        more = len(self.regressions) - len(named)
        return (
            f"regression, a loss that is real and may be beyond {self.margin:g}: "
            + "; ".join(named)
            + (f"; and {more} more" if more else "")
        )

    def text(self) -> str:
        """A table of all lines, then falls, notes and the summary."""
        return terminal.text(*tables.comparison(self))


def compare(
    baseline: Mapping[str, Any], candidate: Mapping[str, Any], margin: float = MARGIN
) -> Comparison:
    """Test `candidate` against `baseline`, both scorecards as `scorecard.read` returns them.

    `margin` is the loss of traversal that is still acceptable. Raises InputError, naming what
    differs, unless both have the same schema, suite, seed, episodes and worlds.
    """
    check_margin(margin)
    _same_worlds(baseline, candidate)
    pairs = list(zip(baseline["episodes"], candidate["episodes"], strict=True))
    groups = _groups([first for first, _ in pairs])
    overall = _line((ALL, ALL, ALL), pairs, margin)
    lines = [_line(key, [pairs[i] for i in ids], margin) for key, ids in groups.items()]
    survived = np.array([[bool(e["survived"]) for e in pair] for pair in pairs])  # (n, 2)
    balance: dict[object, int] = {}  # of each world: falls mended less falls new
    for world, (before, now) in zip(worlds(candidate["episodes"]), survived, strict=True):
        balance[world] = balance.get(world, 0) + int(now) - int(before)
    worlds_won = np.array(list(balance.values()))
    return Comparison(
        baseline=_name(baseline, "the baseline"),
        candidate=_name(candidate, "the candidate"),
        margin=margin,
        overall=overall,
        lines=tuple(_judged(lines, margin)),
        new_falls=int((survived[:, 0] & ~survived[:, 1]).sum()),
        mended_falls=int((~survived[:, 0] & survived[:, 1]).sum()),
        falls_p=mcnemar(worlds_won < 0, worlds_won > 0),
        notes=_notes(baseline, candidate),
    )


def check_margin(margin: float) -> None:
    """Raise InputError unless `margin` is a share of traversal that can be lost."""
    if not 0 < margin < 1:
        raise InputError(f"margin {margin} is outside (0, 1)")


def _same_worlds(baseline: Mapping[str, Any], candidate: Mapping[str, Any]) -> None:
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
    met = [
        [(e["scenario"], e["space"], e["contexts"]) for e in card["episodes"]]
        for card in (baseline, candidate)
    ]
    if len(met[0]) != len(met[1]):
        counts = f"{len(met[0])} and {len(met[1])}"
        raise InputError(f"cannot compare scorecards of {counts} episodes")
    for first, second in zip(*met, strict=True):
        if first != second:
            raise InputError(f"cannot compare {first[0]} of the baseline with {second[0]}")


def _groups(episodes: Sequence[Episode]) -> dict[Key, list[int]]:
    """Which episodes belong to each context, then to each axis and space of more than one part."""
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
    pairs = [p for p in pairs if all(e["traversal"] is not None for e in p)]
    before, now = (np.array([float(pair[i]["traversal"]) for pair in pairs]) for i in (0, 1))
    met = worlds([first for first, _ in pairs])
    test = non_inferiority(
        now - before,
        margin,
        seed=zlib.crc32("/".join(key).encode()),
        strata=[stratum(first) for first, _ in pairs],
        alpha=ALPHA,
        worlds=met,
    )
    baseline, candidate = (
        float(scores.mean()) if len(scores) else math.nan
        for scores in (Sample.of(part, worlds=met).values for part in (before, now))
    )
    return Line(key, baseline, candidate, test)


def _judged(lines: Sequence[Line], margin: float) -> list[Line]:
    """The lines with verdicts for which losses and gains had to stand Holm's correction."""
    loss = holm([line.test.p_loss for line in lines]) < ALPHA
    gain = holm([line.test.p_gain for line in lines]) < ALPHA
    return [
        replace(
            line,
            test=replace(
                line.test, verdict=judge(line.test.low, margin, bool(gain[i]), bool(loss[i]))
            ),
        )
        for i, line in enumerate(lines)
    ]


def _notes(baseline: Mapping[str, Any], candidate: Mapping[str, Any]) -> tuple[str, ...]:
    first, second = baseline["versions"], candidate["versions"]
    return tuple(
        f"note: made with {key} {first.get(key)} and {second.get(key)}"
        for key in ("grek", "mujoco", "numpy")
        if first.get(key) != second.get(key)
    )


def _name(card: Mapping[str, Any], otherwise: str) -> str:
    """One printable line, whatever a file says."""
    name = "".join(c for c in str(card["policy"].get("name", "")) if c.isprintable())
    return name[:60] or otherwise


def _change(line: Line) -> str:
    return f"{line.baseline:.3f} -> {line.candidate:.3f} ({_signed(line.test.mean)})"


def _signed(value: float) -> str:
    return f"{value:+.3f}"
