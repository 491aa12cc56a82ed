"""Regression gate: score a policy in the scenarios of a baseline and compare the two.

The baseline is a stored scorecard, whose suite, seed and number of episodes are used, or a policy,
which is scored in the same worlds as the candidate. A stored scorecard costs half as much. But
whoever chooses the better of several candidates on the same worlds, and stores its scorecard as the
next baseline, selects for luck in these worlds too; fresh worlds by another seed have none of it.
"""

from dataclasses import dataclass

from grek.errors import InputError
from grek.eval.scores import compare, evaluate, policies, suites
from grek.eval.scores.compare import MARGIN, Comparison
from grek.eval.scores.policies import Policy
from grek.eval.scores.scorecard import Card


@dataclass(frozen=True)
class Gate:
    """New scorecard and its comparison with the stored one."""

    card: Card
    comparison: Comparison

    def fault(self, strict: bool = True) -> str | None:
        """Message that names what is inferior, None if the policy passes.

        Unless `strict`, an inconclusive result passes too.
        """
        failed = self.comparison.regressions
        worse = [line.name for line in failed if line.test.verdict == "inferior"]
        if not (failed if strict else worse):
            return None
        named = f"\nworse: {', '.join(worse)}" if worse else ""
        return self.comparison.summary() + named


def gate(policy: str | Policy, baseline: Card, margin: float = MARGIN, threads: int = 1) -> Gate:
    """Score `policy` in the scenarios of `baseline` and compare.

    Raises InputError, before anything is simulated, for a baseline whose scenarios differ from
    those of this version, for an unknown policy, and for a margin outside (0, 1).
    """
    compare.check_margin(margin)
    suite = baseline["suite"]
    name, seed, episodes = (suite.get(key) for key in ("name", "seed", "episodes"))
    if not (isinstance(seed, int) and isinstance(episodes, int)):
        raise InputError("the baseline lacks the seed or the number of episodes of its suite")
    loaded = policies.load(policy) if isinstance(policy, str) else policy
    scenarios = suites.scenarios(suites.suite(str(name)), seed, episodes, loaded.task.robot)
    if suites.digest(scenarios) != suite.get("sha256"):
        raise InputError(
            f"the baseline was scored in other worlds than the suite {name!r} of this version;"
            f" score it again: grek eval POLICY --suite {name} --episodes {episodes} --seed {seed}"
        )
    card = evaluate.score(loaded, str(name), episodes, seed, threads)
    return Gate(card, compare.compare(baseline, card, margin))


def fresh_gate(
    policy: str | Policy,
    baseline: str | Policy,
    suite: str = "train",
    seed: int = 0,
    episodes: int | None = None,
    margin: float = MARGIN,
    threads: int = 1,
) -> Gate:
    """Score `policy` and the policy `baseline` in the same worlds and compare.

    Raises InputError as `evaluate.score` does, and for a margin outside (0, 1).
    """
    compare.check_margin(margin)
    before, after = (
        evaluate.score(each, suite, episodes, seed, threads) for each in (baseline, policy)
    )
    return Gate(after, compare.compare(before, after, margin))
