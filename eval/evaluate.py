"""Score a policy on a suite: scenarios, rollouts, metrics, scorecard. `grek eval` from Python."""

from collections.abc import Callable, Mapping
from pathlib import Path

from grek.eval import breakdown, metrics, policies, report, rollout, scorecard, suites
from grek.eval.policies import Policy
from grek.eval.scorecard import Card
from grek.provenance import versions


def score(
    policy: str | Policy,
    suite: str = "quick",
    episodes: int | None = None,
    seed: int = 0,
    threads: int = 1,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Card:
    """The scorecard of `policy` on `suite`; `progress` gets episodes done and in all.

    Raises InputError for an unknown policy or suite, absurd numbers, or a policy that acts up.
    """
    chosen = suites.suite(suite)
    scenarios = suites.scenarios(chosen, seed, episodes)
    judged = policies.load(policy) if isinstance(policy, str) else policy
    done = 0

    def count(more: int) -> None:
        nonlocal done
        done += more
        progress(done, len(scenarios))

    found = []
    for run in rollout.rollouts(judged, scenarios, threads, progress=count):
        details = breakdown.details(run.log)
        found += scorecard.episodes_of(run.scenarios, metrics.measure(run.log), details)
    for episode, scenario in zip(found, scenarios, strict=True):
        episode["shape"] = breakdown.shape(scenario)
        if episode["space"] == "numerics":  # the other spaces name their material by themselves
            episode["contexts"]["material"] = scenario.surface.materials[0]
    return scorecard.build(
        {"name": judged.name, "sha256": judged.sha256, "contract": judged.contract},
        {
            "name": chosen.name,
            "sha256": suites.digest(scenarios),
            "seed": seed,
            "episodes": chosen.episodes if episodes is None else episodes,
        },
        versions("mujoco", "numpy"),
        found,
    )


def write(
    card: Card, directory: Path, policy: str, films: Mapping[str, str] | None = None
) -> list[Path]:
    """Write scorecard.json, .md and .html into `directory`; returns their paths.

    `policy` is how to name the policy on the command line, `films` what `filming.picked` returns.
    """
    paths = [directory / f"scorecard.{kind}" for kind in ("json", "md", "html")]
    scorecard.write(card, paths[0])
    scorecard.write_text(paths[1], report.markdown(card, policy))
    scorecard.write_text(paths[2], report.html(card, policy, films or {}))
    return paths
