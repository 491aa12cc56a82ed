"""The gate of a test suite: score a policy again in the worlds of a stored scorecard, and compare.

Suite, seed and episodes come from the stored one, so that the two cannot disagree.
"""

from dataclasses import dataclass

from grek.errors import InputError
from grek.eval.scores import compare, evaluate, suites
from grek.eval.scores.compare import MARGIN, Comparison
from grek.eval.scores.policies import Policy
from grek.eval.scores.scorecard import Card


@dataclass(frozen=True)
class Gate:
    """The new scorecard, and how it compares."""

    card: Card
    comparison: Comparison

    def fault(self, strict: bool = True) -> str | None:
        """What to tell a person: one line, then the contexts, axes and spaces that got worse.

        None if the policy passes; unless `strict` it also does where a loss is only not ruled out.
        """
        failed = self.comparison.regressions
        worse = [line.name for line in failed if line.test.verdict == "inferior"]
        if not (failed if strict else worse):
            return None
        named = f"\nworse: {', '.join(worse)}" if worse else ""
        return self.comparison.summary() + named


def gate(policy: str | Policy, baseline: Card, margin: float = MARGIN, threads: int = 1) -> Gate:
    """Score `policy` as `baseline` was scored, and compare.

    Raises InputError, before anything is simulated, for a baseline whose worlds this version does
    not have, for a policy that there is not, and for an absurd margin.
    """
    compare.check_margin(margin)
    suite = baseline["suite"]
    name, seed, episodes = (suite.get(key) for key in ("name", "seed", "episodes"))
    if not (isinstance(seed, int) and isinstance(episodes, int)):
        raise InputError("the baseline does not say on which seed and episodes it was scored")
    worlds = suites.scenarios(suites.suite(str(name)), seed, episodes)
    if suites.digest(worlds) != suite.get("sha256"):
        raise InputError(
            f"the baseline was scored in other worlds than the suite {name!r} of this version;"
            f" write it anew: grek eval POLICY --suite {name} --episodes {episodes} --seed {seed}"
        )
    card = evaluate.score(policy, str(name), episodes, seed, threads)
    return Gate(card, compare.compare(baseline, card, margin))
