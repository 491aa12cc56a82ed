"""What happens around training: progress, logs, curriculum, checkpoints, and when to stop."""

import csv
import signal
import sys
import time
from pathlib import Path
from types import FrameType
from typing import Any

from stable_baselines3.common.callbacks import BaseCallback
from tqdm import tqdm

from grek.envs.simulation.simulation import CONTROL_STEP
from grek.training import checkpoint
from grek.training.config import TrainConfig
from grek.training.curriculum import Curriculum
from grek.training.ppo import PPO
from grek.training.vec_env import WalkVecEnv

CHECKPOINT_EVERY = 120.0  # [s]
LINE_EVERY = 30.0  # [s]
DEFAULT_MINUTES = 10.0


class Watch(BaseCallback):
    """Progress, logs, curriculum, checkpoints, and when to stop."""

    def __init__(self, config: TrainConfig, run: Path, curriculum: Curriculum, start: int) -> None:
        super().__init__()
        self.config, self.run, self.curriculum, self.start = config, run, curriculum, start
        minutes = config.minutes
        if minutes is None and config.steps is None:
            minutes = DEFAULT_MINUTES
        self.seconds = None if minutes is None else 60 * minutes
        self.interrupted = False
        self.began = self.saved = time.monotonic()
        self.spoke = -LINE_EVERY  # the first update is told at once
        self.terms: dict[str, float] = {}
        self.sums = {"episodes": 0, "falls": 0}
        self.lived = 0  # steps since the last row
        self.named = 0  # failures of the simulator told so far

    @property
    def done(self) -> bool:
        """Time is up, or somebody asked to stop."""
        late = self.seconds is not None and time.monotonic() - self.began > self.seconds
        return late or self.interrupted

    def progress(self, steps: int) -> float:
        """How much of the run is over at `steps`, in [0, 1]; in steps, what came before counts."""
        shares = [0.0]
        if self.config.steps:
            shares.append(steps / (self.start + self.config.steps))
        if self.seconds:
            shares.append((time.monotonic() - self.began) / self.seconds)
        return min(max(shares), 1.0)

    def __enter__(self) -> "Watch":
        total = self.config.steps if self.config.steps else round(self.seconds or 0)
        unit = "step" if self.config.steps else "s"
        self.bar = tqdm(total=total, unit=unit, smoothing=0.1, disable=not sys.stderr.isatty())
        self.handlers = {s: signal.signal(s, self._stop) for s in (signal.SIGINT, signal.SIGTERM)}
        return self

    def __exit__(self, *_: object) -> None:
        self.bar.close()
        for number, handler in self.handlers.items():
            signal.signal(number, handler)

    def _stop(self, number: int, frame: FrameType | None) -> None:
        """Finish this update, then save and stop; a second signal ends at once."""
        if self.interrupted:
            raise KeyboardInterrupt
        self.interrupted = True

    def _on_step(self) -> bool:
        env: WalkVecEnv = self.training_env  # type: ignore[assignment]
        outcome = env.outcome
        assert outcome is not None
        for name, term in outcome.terms.items():
            self.terms[name] = self.terms.get(name, 0.0) + float(term.mean())
        fallen = int(outcome.terminated.sum())
        ended = fallen + int(outcome.truncated.sum())
        self.sums["episodes"] += ended
        self.sums["falls"] += fallen
        env.episodes.level = self.curriculum.record(fallen, env.num_envs)
        self.lived += 1
        return True

    def after_update(self, model: PPO) -> None:
        """Log a row, move the bar, and save when it is time."""
        env: WalkVecEnv = self.training_env  # type: ignore[assignment]
        seconds = time.monotonic() - self.began
        steps = model.num_timesteps - self.start
        row: dict[str, Any] = {
            "steps": model.num_timesteps,
            "seconds": round(seconds, 1),
            "steps_per_second": round(steps / seconds),
            "level": round(self.curriculum.level, 3),
            "episodes": self.sums["episodes"],
            "falls": self.sums["falls"],
            "broken": len(env.episodes.walk.broken),
        }
        logged = model.logger.name_to_value
        for key in ("kl", "learning_rate", "std", "value_loss", "explained_variance"):
            row[key] = round(float(logged[f"train/{key}"]), 6)
        reward = {k: v / max(self.lived, 1) / CONTROL_STEP for k, v in self.terms.items()}
        row["reward"] = round(sum(reward.values()), 4)
        row |= {f"reward/{k}": round(v, 4) for k, v in reward.items()}
        for key, value in row.items():
            if key != "steps":
                model.logger.record(key if "/" in key else f"run/{key}", value)
        model.logger.dump(model.num_timesteps)
        self._write(row)
        self._say(row, env)
        self.bar.update((steps if self.config.steps else round(seconds)) - self.bar.n)
        self.terms, self.lived = {}, 0
        self.sums = dict.fromkeys(self.sums, 0)
        if time.monotonic() - self.saved > CHECKPOINT_EVERY:
            checkpoint.save(self.run / "checkpoints", model, env, self.curriculum)
            self.saved = time.monotonic()

    def _say(self, row: dict[str, Any], env: WalkVecEnv) -> None:
        """The bar on a terminal, a line now and then when piped; failures by name in any case."""
        said = (
            f"{row['steps_per_second']} steps/s, level {row['level']}, reward {row['reward']:.2f}"
        )
        self.bar.set_postfix_str(said)
        if self.bar.disable and time.monotonic() - self.spoke > LINE_EVERY:
            self.spoke = time.monotonic()
            print(f"{row['seconds']:.0f} s, {row['steps']} steps, {said}", file=sys.stderr)
        for name in env.episodes.walk.broken[self.named :]:
            print(f"the simulator failed in {name}; that episode ended", file=sys.stderr)
        self.named = len(env.episodes.walk.broken)

    def _write(self, row: dict[str, Any]) -> None:
        path = self.run / "progress.csv"
        new = not path.exists()
        with path.open("a", newline="") as file:
            writer = csv.DictWriter(file, row)
            if new:
                writer.writeheader()
            writer.writerow(row)
