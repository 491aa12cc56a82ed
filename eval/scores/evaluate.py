"""Score a policy on a suite: scenarios, rollouts, metrics, scorecard. `grek eval` from Python."""

from collections.abc import Callable, Mapping
from pathlib import Path

from grek.eval.report import text as report
from grek.eval.scores import breakdown, metrics, partial, policies, rollout, scorecard, suites
from grek.eval.scores.policies import Policy
from grek.eval.scores.scorecard import Card
from grek.provenance import versions


def score(
    policy: str | Policy,
    suite: str = "quick",
    episodes: int | None = None,
    seed: int = 0,
    threads: int = 1,
    progress: Callable[[int, int], None] = lambda done, total: None,
    kept: Path | None = None,
    force: bool = False,
) -> Card:
    """The scorecard of `policy` on `suite`; `progress` gets episodes done and in all.

    The file `kept` takes in every finished batch of episodes, and those of an interrupted call with
    the same arguments are taken from it. Raises InputError for an unknown policy or suite, absurd
    numbers, a policy that acts up, and a `kept` of another evaluation unless `force`.
    """
    chosen = suites.suite(suite)
    scenarios = suites.scenarios(chosen, seed, episodes)
    judged = policies.load(policy) if isinstance(policy, str) else policy
    about = {
        "name": chosen.name,
        "sha256": suites.digest(scenarios),
        "seed": seed,
        "episodes": chosen.episodes if episodes is None else episodes,
    }
    made_with = versions("mujoco", "numpy")
    of = {
        "policy": judged.sha256,
        "suite": chosen.name,
        "seed": seed,
        "episodes": about["episodes"],
        "worlds": about["sha256"],
        **made_with,
    }
    found = [] if kept is None else partial.load(kept, of, force)
    total, before = len(scenarios), len(found)
    runs = rollout.rollouts(
        judged,
        scenarios[before:],
        threads,
        rollout.WORLDS,
        progress=lambda behind: progress(before + behind, total),
    )
    for run in runs:
        details = breakdown.details(run.log)
        measured = scorecard.episodes_of(run.scenarios, metrics.measure(run.log), details)
        for episode, scenario in zip(measured, run.scenarios, strict=True):
            episode["shape"] = breakdown.shape(scenario)
            if episode["space"] == "numerics":  # the others name their material by themselves
                episode["contexts"]["material"] = scenario.surface.materials[0]
        found += measured
        if kept is not None:
            partial.save(kept, of, found)
        progress(len(found), total)
    return scorecard.build(
        {"name": judged.name, "sha256": judged.sha256, "contract": judged.contract},
        about,
        made_with,
        found,
    )


def write(
    card: Card, directory: Path, policy: str, films: Mapping[str, str] | None = None
) -> list[Path]:
    """Write scorecard.json, .md and .html into `directory`; returns their paths.

    `policy` is how to name the policy on the command line, `films` what `filming.picked` returns.
    """
    paths = [directory / f"scorecard.{kind}" for kind in ("json", "md", "html")]
    scorecard.write_text(paths[1], report.markdown(card, policy))
    scorecard.write_text(paths[2], report.html(card, policy, films or {}))
    scorecard.write(card, paths[0])  # last: where it is, the result is whole
    return paths
