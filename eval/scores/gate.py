"""Regression gate: score a policy in the scenarios of a stored scorecard and compare the two.

Suite, seed and number of episodes come from the stored scorecard, so that episodes form pairs.
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
