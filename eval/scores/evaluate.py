"""Evaluation of a policy on a suite: scenarios, rollouts, metrics, scorecard (`grek eval`)."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from grek import files
from grek.assets import asset_path
from grek.envs.scenarios.scenario import DRAKE, Scenario
from grek.envs.scenarios.spaces import engine_of
from grek.envs.simulation.engines import ENGINES
from grek.errors import InputError
from grek.eval import report
from grek.eval.episodes import partial
from grek.eval.episodes.episodes import Episodes
from grek.eval.scores import breakdown, policies, rollout, rows, scorecard, suites
from grek.eval.scores.policies import Policy
from grek.eval.scores.scorecard import Card
from grek.provenance import code, dirty, versions

Elsewhere = Callable[[Iterator[Sequence[Scenario]]], Iterator[list[dict[str, Any]]]]
"""Runs batches of scenarios on other machines; yields the episodes of each, in order."""


def score(
    policy: str | Policy,
    suite: str = "quick",
    episodes: int | None = None,
    seed: int = 0,
    threads: int = 1,
    progress: Callable[[int, int], None] = lambda done, total: None,
    partial_file: Path | None = None,
    force: bool = False,
    driver: rollout.Driver | None = None,
    elsewhere: Elsewhere | None = None,
    worlds: int | None = None,
) -> Card:
    """Scorecard of `policy` on `suite`; `progress` is called with the episodes done and in total.

    Every finished batch of episodes is saved to `partial_file`; a call with the same arguments
    resumes from it. `driver` is that of `rollout.rollouts`; the suite of faulty links needs one.
    A batch has `worlds` worlds, rollout.WORLDS by default, and is run `elsewhere` if that is given.
    Raises InputError for an unknown policy or suite, an engine that is not installed, numbers out
    of range, invalid actions, and, unless `force`, a `partial_file` of another evaluation.
    """
    chosen = suites.suite(suite)
    if "faults" in chosen.spaces and driver is None:
        raise InputError(f"suite {suite} needs a driver with links, such as that of `grek eval`")
    if "engines" in chosen.spaces:
        ENGINES[DRAKE].check_installed()
    loaded = policies.load(policy) if isinstance(policy, str) else policy
    task = loaded.task
    scenarios = suites.scenarios(chosen, seed, episodes, task.robot)
    about = {
        "name": chosen.name,
        "sha256": suites.digest(scenarios),
        "seed": seed,
        "episodes": chosen.episodes if episodes is None else episodes,
    }
    made_with = versions("mujoco", "numpy")
    evaluation = {
        "policy": loaded.sha256,
        "suite": chosen.name,
        "seed": seed,
        "episodes": about["episodes"],
        "worlds": about["sha256"],
        **made_with,
    }
    parts = [] if partial_file is None else [partial.load(partial_file, evaluation, force)]
    total, resumed = len(scenarios), sum(map(len, parts))
    done = resumed
    size = worlds or rollout.WORLDS
    batches = (scenarios[first : first + size] for first in range(resumed, total, size))

    def tick(episodes: int) -> None:
        progress(done + episodes, total)

    here = (measured(loaded, batch, threads, tick, driver) for batch in batches)
    for batch in elsewhere(batches) if elsewhere else here:
        parts.append(Episodes.of(batch))
        done += len(batch)
        if partial_file is not None:
            partial.save(partial_file, evaluation, batch)
        progress(done, total)
    named = {"name": loaded.name, "sha256": loaded.sha256, "contract": loaded.contract}
    training = loaded.contract.get("training") or {}
    provenance = {
        "commit": made_with["commit"],
        "dirty": dirty(),
        "code": code(),
        "weights": training.get("weights"),
        "trained_with": training.get("versions"),
        "runs_with": made_with,
    }
    episodes_run = Episodes.concatenated(parts)
    return scorecard.build(named, about, made_with, episodes_run, provenance, trained_there())


def measured(
    policy: Policy,
    scenarios: Sequence[Scenario],
    threads: int = 1,
    progress: Callable[[int], None] = lambda episodes: None,
    driver: rollout.Driver | None = None,
) -> list[dict[str, Any]]:
    """Episodes of `policy` in `scenarios`, for `scorecard.build`; those of an engine run side by
    side."""
    order = sorted(range(len(scenarios)), key=lambda i: engine_of(scenarios[i]))
    found: dict[int, dict[str, Any]] = {}
    for run in rollout.rollouts(
        policy,
        [scenarios[i] for i in order],
        threads,
        len(scenarios),
        progress=progress,
        driver=driver,
    ):
        metrics = {name: metric(run.log) for name, metric in policy.task.metrics.items()}
        details = breakdown.details(run.log)
        done = scorecard.episodes_of(run.scenarios, metrics, details)
        found.update(zip(order[len(found) :], done, strict=False))
    episodes = [found[i] for i in range(len(scenarios))]
    for episode, scenario in zip(episodes, scenarios, strict=True):
        episode["shape"] = breakdown.shape(scenario)
        episode["delay"] = breakdown.delay(scenario)
        if episode["space"] == "numerics":  # adds the row of its material
            episode["contexts"]["material"] = scenario.surface.materials[0]
    return episodes


def in_world(
    policy: Policy,
    scenario: Scenario,
    episodes: int = 12,
    seed: int = 0,
    threads: int = 1,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> dict[str, Any]:
    """Row of a scorecard: `episodes` of `policy` in one `scenario`, which differ in its seed alone.

    The first has the scenario's own seed if `seed` is 0. Raises InputError for numbers out of range
    and for invalid actions.
    """
    suites.check_block(episodes, seed)
    first = scenario.seed + seed * suites.BLOCK
    worlds = [replace(scenario, seed=(first + i) % 2**31) for i in range(episodes)]
    done: list[dict[str, Any]] = []
    for run in rollout.rollouts(
        policy, worlds, threads, progress=lambda count: progress(count, episodes)
    ):
        found = {name: metric(run.log) for name, metric in policy.task.metrics.items()}
        done += scorecard.episodes_of(run.scenarios, found)
    progress(episodes, episodes)
    return rows.row(scenario.space, *scenario.context, Episodes.of(done))


def trained_there() -> Card | None:
    """Shipped scorecard of the policy that trained on the held-out ranges too, None without one."""
    path = asset_path("policies") / "everywhere.json"
    return scorecard.read(path) if path.is_file() else None


def write(
    card: Card, directory: Path, policy: str, films: Mapping[str, str] | None = None
) -> list[Path]:
    """Write scorecard.json, .md and .html into `directory` and return their paths.

    `policy` names the policy on the command line; `films` is the result of `filming.picked`.
    """
    paths = [directory / f"scorecard.{kind}" for kind in ("json", "md", "html")]
    files.write(paths[1], report.markdown(card, policy))
    files.write(paths[2], report.html(card, policy, films or {}))
    scorecard.write(card, paths[0])  # last: its presence marks a complete result
    return paths
