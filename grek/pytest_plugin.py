"""pytest plugin with the fixture `grek_gate`, which fails a test on a regression of a policy.

pytest loads it wherever grek is installed; heavy modules are imported when a gate runs.
"""

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import pytest

from grek.errors import InputError
from grek.sanitize import message

if TYPE_CHECKING:
    from grek.eval.scores.gate import Gate
    from grek.eval.scores.policies import Policy


class GrekGate(Protocol):
    """Type of the fixture `grek_gate`."""

    def __call__(
        self,
        policy: "str | os.PathLike[str] | Policy",
        baseline: str | os.PathLike[str],
        margin: float = 0.05,
        strict: bool = True,
        threads: int = 0,
        seed: int | None = None,
        suite: str = "train",
        episodes: int | None = None,
    ) -> dict[str, Any]:
        """Score `policy` in the scenarios of the scorecard `baseline`; return the new scorecard.

        With a `seed`, `baseline` is a policy, and both are scored in the worlds of that seed of
        `suite`, `episodes` per row (by default the suite's own number).

        Fails the test unless traversal is non-inferior by `margin`, overall and in each space, axis
        and context that lost traversal. If not `strict`, fails only on a significant loss.
        Paths are relative to pytest's root directory; `threads` 0 uses all cores.
        """


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option --grek-report."""
    parser.getgroup("grek").addoption(
        "--grek-report",
        metavar="DIR",
        type=lambda text: Path(text).absolute(),
        help="write the scorecard of every grek_gate (JSON, Markdown, HTML) and its comparison"
        " into DIR, replacing earlier ones",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Check that the report directory can be written, before any test runs."""
    directory = config.getoption("--grek-report")
    if directory is None:
        return
    there = next(p for p in (directory, *directory.parents) if p.exists())
    if not there.is_dir() or not os.access(there, os.W_OK):
        raise pytest.UsageError(f"--grek-report {directory}: {there} is not a writable directory")


@pytest.fixture(scope="session")
def grek_gate(pytestconfig: pytest.Config) -> GrekGate:
    """Function that fails the test if a policy is worse than a stored scorecard (`GrekGate`)."""

    def run(
        policy: "str | os.PathLike[str] | Policy",
        baseline: str | os.PathLike[str],
        margin: float = 0.05,
        strict: bool = True,
        threads: int = 0,
        seed: int | None = None,
        suite: str = "train",
        episodes: int | None = None,
    ) -> dict[str, Any]:
        from grek.assets import SHIPPED
        from grek.eval.scores import policies, scorecard
        from grek.eval.scores.gate import fresh_gate, gate

        root, refused = pytestconfig.rootpath, ""

        def load(policy: "str | os.PathLike[str] | Policy") -> "tuple[str, Policy]":
            if isinstance(policy, policies.Policy):
                return policy.name, policy
            name = os.fspath(policy)
            known = name in (*SHIPPED, *policies.REFERENCES)
            return name, policies.load(name if known else str(root / name))

        count = threads or os.cpu_count() or 1
        try:
            name, policy = load(policy)
            if seed is not None:
                _, trusted = load(baseline)
                result = fresh_gate(policy, trusted, suite, seed, episodes, margin, count)
            else:
                result = gate(policy, scorecard.read(root / baseline), margin, count)
            if pytestconfig.getoption("--grek-report"):
                _report(result, name, pytestconfig.getoption("--grek-report"))
        except (InputError, OSError) as error:
            refused = f"grek: {message(error)}"
        if refused:  # outside `except`, where pytest would print the exception too
            pytest.fail(refused, pytrace=False)
        fault = result.fault(strict)
        if fault:
            pytest.fail(f"grek: {fault}", pytrace=False)
        return result.card

    return run


def _report(result: "Gate", policy: str, directory: Path) -> None:
    """Write scorecard and comparison to `directory`/POLICY-SUITE-SEED."""
    from grek import files
    from grek.eval.scores import evaluate

    card, suite = result.card, result.card["suite"]
    title = f"{card['policy']['name']}-{suite['name']}-{suite['seed']}"
    place = directory / re.sub(r"[^\w.-]+", "_", title)
    evaluate.write(card, place, policy)
    files.write(place / "comparison.txt", result.comparison.text() + "\n")
