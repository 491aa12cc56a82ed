"""Log of a training run: one row per update in progress.csv, TensorBoard and on the terminal."""

import csv
import sys
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from rich.console import RenderableType
from stable_baselines3.common.callbacks import BaseCallback

from grek import files
from grek.envs.simulation.simulation import CONTROL_STEP
from grek.sanitize import printable
from grek.training.curriculum import Curriculum, Shares
from grek.training.monitor.table import Sight, table
from grek.training.parallel import collectives
from grek.training.ppo import PPO
from grek.training.stopping import Budget
from grek.training.vec_env import GrekVecEnv

LINE_EVERY = 30.0  # time between two lines where stderr is not a terminal [s]
RECENT = 100  # episodes of a material over which its survival is taken
_LOSSES = ("kl", "learning_rate", "std", "value_loss", "explained_variance")


class Statistics(BaseCallback):
    """Sums of reward terms, episodes and falls over the control steps since the last `clear`.

    Survival is over the last RECENT episodes of each material; an episode on two counts for both.
    Also advances the curriculum, which depends on the same falls. Several processes add theirs up
    after a rollout: until then each counts its own, and the level stays.
    """

    def __init__(self, curriculum: Curriculum, shares: Shares | None = None) -> None:
        super().__init__()
        self.curriculum, self.shares = curriculum, shares
        self.survived: dict[str, deque[bool]] = {}  # of each material's last episodes
        self.broken: list[str] = []  # scenarios in which the simulation failed
        self.known = 0  # number of those of this process that are among them
        self.clear()

    def clear(self) -> None:
        """Reset the sums to zero."""
        self.control_steps = self.episodes = self.falls = 0
        self.terms: dict[str, float] = {}
        self.fallen: list[int] = []  # falls of this process in each control step
        self.ends: list[tuple[str, bool]] = []  # its ended episodes' materials, and survival there

    def _on_rollout_start(self) -> None:
        self.clear()

    def _on_step(self) -> bool:
        env: GrekVecEnv = self.training_env  # type: ignore[assignment]
        outcome = env.outcome
        assert outcome is not None
        for name, term in outcome.terms.items():
            self.terms[name] = self.terms.get(name, 0.0) + float(term.mean())
        falls = int(outcome.terminated.sum())
        self.falls += falls
        self.episodes += falls + int(outcome.truncated.sum())
        self.control_steps += 1
        if self.shares is not None:
            env.episodes.shares = self.shares.record(env.axes, env.follows, outcome.terminated)
        ends = [
            (name, not outcome.terminated[world])
            for world, materials in env.ended.items()
            for name in materials
        ]
        if collectives.size() == 1:
            self._remember(ends)
            env.episodes.level = self.curriculum.record(falls, env.num_envs)
        else:
            self.ends += ends
            self.fallen.append(falls)
        return True

    def _on_rollout_end(self) -> None:
        env: GrekVecEnv = self.training_env  # type: ignore[assignment]
        processes = collectives.size()
        if processes > 1:
            own = [self.episodes, self.falls, *self.terms.values(), *self.fallen]
            summed = collectives.total(torch.tensor(own, dtype=torch.float64)).tolist()
            self.episodes, self.falls = int(summed[0]), int(summed[1])
            means = [value / processes for value in summed[2 : 2 + len(self.terms)]]
            self.terms = dict(zip(self.terms, means, strict=True))
            for falls in summed[2 + len(means) :]:
                env.episodes.level = self.curriculum.record(int(falls), env.num_envs * processes)
        broken = env.episodes.batch.broken
        for ends, names in collectives.gathered((self.ends, broken[self.known :])):
            self.broken += names
            self._remember(ends)
        self.known = len(broken)

    def _remember(self, ends: list[tuple[str, bool]]) -> None:
        for name, survived in ends:
            self.survived.setdefault(name, deque(maxlen=RECENT)).append(survived)

    def reward(self) -> dict[str, float]:
        """Return the mean rate of each reward term over worlds and control steps [1/s]."""
        steps = max(self.control_steps, 1)
        return {name: total / steps / CONTROL_STEP for name, total in self.terms.items()}

    def falls_per_minute(self, worlds: int) -> float:
        """Return the falls per simulated minute of one of `worlds` robots [1/min]."""
        return 60 * self.falls / (max(self.control_steps, 1) * worlds * CONTROL_STEP)

    def survival(self) -> dict[str, tuple[float, int]]:
        """Return the share of recent episodes without a fall, and their number, by material."""
        return {name: (sum(r) / len(r), len(r)) for name, r in self.survived.items()}


class Log:
    """Rows of progress.csv and TensorBoard in the directory `run`, and progress on stderr.

    `draw` draws the live table; if None, a line is printed every LINE_EVERY seconds.
    """

    def __init__(
        self,
        run: Path,
        budget: Budget,
        statistics: Statistics,
        draw: Callable[[RenderableType], None] | None,
    ) -> None:
        self.run, self.budget, self.statistics, self.draw = run, budget, statistics, draw
        self.printed = -LINE_EVERY  # the first update prints a line
        self.failures = 0  # number of reported scenarios

    def update(self, model: PPO, film: Path | None = None) -> None:
        """Log the last update of `model` and the last `film`."""
        row = self._row(model)
        for key, value in row.items():
            if key != "steps":
                model.logger.record(key if "/" in key else f"run/{key}", value)
        for name, (share, _) in self.statistics.survival().items():
            model.logger.record(f"survival/{name}", share)
        model.logger.dump(model.num_timesteps)
        append(self.run / "progress.csv", row)
        env: GrekVecEnv = model.env  # type: ignore[assignment]
        if self.draw is None:
            self._print(row)
        else:
            self._draw(row, film, env.num_envs * collectives.size())
        self._report(self.statistics.broken)

    def _row(self, model: PPO) -> dict[str, Any]:
        statistics, seconds = self.statistics, self.budget.elapsed()
        row: dict[str, Any] = {
            "steps": model.num_timesteps,
            "seconds": round(seconds, 1),
            "steps_per_second": round((model.num_timesteps - self.budget.first_step) / seconds),
            "level": round(statistics.curriculum.level, 3),
            "episodes": statistics.episodes,
            "falls": statistics.falls,
            "broken": len(statistics.broken),
        }
        logged = model.logger.name_to_value
        row |= {key: round(float(logged[f"train/{key}"]), 6) for key in _LOSSES}
        env: GrekVecEnv = model.env  # type: ignore[assignment]
        for name, share in (env.episodes.shares or {}).items():
            row[f"share/{name}"] = round(share, 3)
        reward = statistics.reward()
        row["reward"] = round(sum(reward.values()), 4)
        return row | {f"reward/{name}": round(value, 4) for name, value in reward.items()}

    def _draw(self, row: dict[str, Any], film: Path | None, worlds: int) -> None:
        assert self.draw is not None
        sight = Sight(
            row,
            fraction=self.budget.fraction(row["steps"]),
            left=self.budget.left(row["steps"]),
            falls_per_minute=self.statistics.falls_per_minute(worlds),
            survival=self.statistics.survival(),
            film=film,
        )
        self.draw(table(sight))

    def _print(self, row: dict[str, Any]) -> None:
        if time.monotonic() - self.printed > LINE_EVERY:
            self.printed = time.monotonic()
            print(
                f"{row['seconds']:.0f} s, {row['steps']} steps, {row['steps_per_second']} steps/s,"
                f" level {row['level']}, reward {row['reward']:.2f}",
                file=sys.stderr,
            )

    def _report(self, broken: list[str]) -> None:
        """Name the scenarios in which the simulation failed since the last call."""
        for name in broken[self.failures :]:
            said = f"the simulation failed in {printable(name)}; that episode was ended"
            print(said, file=sys.stderr)
        self.failures = len(broken)


def trim(path: Path, steps: int) -> None:
    """Remove rows of a CSV file that are cut off or of more than `steps` env steps."""
    if not path.exists():
        return
    text = path.read_text(errors="replace")
    complete = text[: text.rfind("\n") + 1]  # a last line without an end may lack digits
    head, *rows = [*csv.reader(complete.splitlines())] or [[]]
    known = "steps" in head
    kept = [
        row
        for row in rows
        if known
        and len(row) == len(head)
        and row[head.index("steps")].isdecimal()
        and int(row[head.index("steps")]) <= steps
    ]
    if not kept:
        path.unlink()
        return
    with files.written(path) as part, part.open("w", newline="") as file:
        csv.writer(file).writerows([head, *kept])


def append(path: Path, row: dict[str, Any]) -> None:
    """Append `row` to a CSV file, with a header if the file is new."""
    new = not path.exists()
    with path.open("a", newline="") as file:
        writer = csv.DictWriter(file, row)
        if new:
            writer.writeheader()
        writer.writerow(row)
