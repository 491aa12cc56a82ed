"""Plugin of pytest: the fixture `grek_gate` fails a test when a policy walks worse than it did.

pytest loads this wherever grek is installed, so what it needs is imported when a gate runs.
"""

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import pytest

from grek.errors import InputError

if TYPE_CHECKING:
    from grek.eval.scores.gate import Gate
    from grek.eval.scores.policies import Policy


class GrekGate(Protocol):
    """What the fixture `grek_gate` is."""

    def __call__(
        self,
        policy: "str | os.PathLike[str] | Policy",
        baseline: str | os.PathLike[str],
        margin: float = 0.05,
        strict: bool = True,
        threads: int = 0,
    ) -> dict[str, Any]:
        """Score `policy` in the worlds of the scorecard `baseline`; returns the new scorecard.

        Fails the test if the policy lost traversal, in all or in some space, axis or context, and a
        loss beyond `margin` is not ruled out; unless `strict`, only if a loss is shown to be real.
        Paths are taken from pytest's root directory. No `threads` means all cores.
        """


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add --grek-report."""
    parser.getgroup("grek").addoption(
        "--grek-report",
        metavar="DIR",
        type=lambda text: Path(text).absolute(),
        help="write the scorecard of every grek_gate (JSON, Markdown, HTML) and its comparison"
        " into DIR, replacing earlier ones",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Refuse a report directory that cannot be one before any test runs."""
    directory = config.getoption("--grek-report")
    if directory is None:
        return
    there = next(p for p in (directory, *directory.parents) if p.exists())
    if not there.is_dir() or not os.access(there, os.W_OK):
        raise pytest.UsageError(f"--grek-report {directory}: {there} is no writable directory")


@pytest.fixture(scope="session")
def grek_gate(pytestconfig: pytest.Config) -> GrekGate:
    """Call it with a policy and a stored scorecard: fails if the policy walks worse than it."""

    def run(
        policy: "str | os.PathLike[str] | Policy",
        baseline: str | os.PathLike[str],
        margin: float = 0.05,
        strict: bool = True,
        threads: int = 0,
    ) -> dict[str, Any]:
        from grek.eval.scores import policies, scorecard
        from grek.eval.scores.gate import gate

        root, refused = pytestconfig.rootpath, ""
        try:
            if isinstance(policy, policies.Policy):
                name = policy.name
            else:
                name = os.fspath(policy)
                known = name in (*policies.SHIPPED, *policies.REFERENCES)
                policy = policies.load(name if known else str(root / name))
            before = scorecard.read(root / baseline)
            result = gate(policy, before, margin, threads or os.cpu_count() or 1)
            if pytestconfig.getoption("--grek-report"):
                _report(result, name, pytestconfig.getoption("--grek-report"))
        except (InputError, OSError) as error:
            refused = f"grek: {' '.join(str(error).split())}"
        if refused:  # said out here, or pytest would show the exception as well
            pytest.fail(refused, pytrace=False)
        fault = result.fault(strict)
        if fault:
            pytest.fail(f"grek: {fault}", pytrace=False)
        return result.card

    return run


def _report(result: "Gate", policy: str, directory: Path) -> None:
    """Write into a directory of `directory` that is named after policy, suite and seed."""
    from grek.eval.scores import evaluate, scorecard

    card, suite = result.card, result.card["suite"]
    title = f"{card['policy']['name']}-{suite['name']}-{suite['seed']}"
    place = directory / re.sub(r"[^\w.-]+", "_", title)
    evaluate.write(card, place, policy)
    scorecard.write_text(place / "comparison.txt", result.comparison.text() + "\n")
