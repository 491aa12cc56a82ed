"""Log of a training run: one row per update in progress.csv, TensorBoard and on the terminal."""

import csv
import sys
import time
from pathlib import Path
from typing import Any

from stable_baselines3.common.callbacks import BaseCallback

from grek import files
from grek.envs.simulation.simulation import CONTROL_STEP
from grek.progress import Show
from grek.sanitize import printable
from grek.training.curriculum import Curriculum, Shares
from grek.training.ppo import PPO
from grek.training.stopping import Budget
from grek.training.vec_env import GrekVecEnv

LINE_EVERY = 30.0  # time between two lines where stderr is not a terminal [s]
_LOSSES = ("kl", "learning_rate", "std", "value_loss", "explained_variance")


class Statistics(BaseCallback):
    """Sums of reward terms, episodes and falls over the control steps since the last `clear`.

    Also advances the curriculum, which depends on the same falls.
    """

    def __init__(self, curriculum: Curriculum, shares: Shares | None = None) -> None:
        super().__init__()
        self.curriculum, self.shares = curriculum, shares
        self.clear()

    def clear(self) -> None:
        """Reset the sums to zero."""
        self.control_steps = self.episodes = self.falls = 0
        self.terms: dict[str, float] = {}

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
        env.episodes.level = self.curriculum.record(falls, env.num_envs)
        if self.shares is not None:
            env.episodes.shares = self.shares.record(env.axes, env.follows, outcome.terminated)
        return True

    def reward(self) -> dict[str, float]:
        """Return the mean rate of each reward term over worlds and control steps [1/s]."""
        steps = max(self.control_steps, 1)
        return {name: total / steps / CONTROL_STEP for name, total in self.terms.items()}


class Log:
    """Rows of progress.csv and TensorBoard in the directory `run`, and progress on stderr.

    `show` draws a progress bar; if None, a line is printed every LINE_EVERY seconds.
    """

    def __init__(
        self, run: Path, budget: Budget, statistics: Statistics, show: Show | None
    ) -> None:
        self.run, self.budget, self.statistics, self.show = run, budget, statistics, show
        self.printed = -LINE_EVERY  # the first update prints a line
        self.failures = 0  # number of reported scenarios

    def update(self, model: PPO) -> None:
        """Log the last update of `model` and clear the statistics."""
        row = self._row(model)
        for key, value in row.items():
            if key != "steps":
                model.logger.record(key if "/" in key else f"run/{key}", value)
        model.logger.dump(model.num_timesteps)
        append(self.run / "progress.csv", row)
        self._show(row)
        env: GrekVecEnv = model.env  # type: ignore[assignment]
        self._report(env.episodes.batch.broken)
        self.statistics.clear()

    def _row(self, model: PPO) -> dict[str, Any]:
        env: GrekVecEnv = model.env  # type: ignore[assignment]
        statistics, seconds = self.statistics, self.budget.elapsed()
        row: dict[str, Any] = {
            "steps": model.num_timesteps,
            "seconds": round(seconds, 1),
            "steps_per_second": round((model.num_timesteps - self.budget.first_step) / seconds),
            "level": round(statistics.curriculum.level, 3),
            "episodes": statistics.episodes,
            "falls": statistics.falls,
            "broken": len(env.episodes.batch.broken),
        }
        logged = model.logger.name_to_value
        row |= {key: round(float(logged[f"train/{key}"]), 6) for key in _LOSSES}
        for name, share in (env.episodes.shares or {}).items():
            row[f"share/{name}"] = round(share, 3)
        reward = statistics.reward()
        row["reward"] = round(sum(reward.values()), 4)
        return row | {f"reward/{name}": round(value, 4) for name, value in reward.items()}

    def _show(self, row: dict[str, Any]) -> None:
        note = (
            f"{row['steps_per_second']} steps/s, level {row['level']}, reward {row['reward']:.2f}"
        )
        if self.show is None:
            if time.monotonic() - self.printed > LINE_EVERY:
                self.printed = time.monotonic()
                print(f"{row['seconds']:.0f} s, {row['steps']} steps, {note}", file=sys.stderr)
        elif self.budget.steps:
            steps = row["steps"] - self.budget.first_step
            self.show(min(steps, self.budget.steps), self.budget.steps, note)
        else:
            seconds = self.budget.seconds or 0.0
            self.show(min(row["seconds"], seconds), seconds, note)

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
