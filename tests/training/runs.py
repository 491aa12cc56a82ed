"""Settings of training runs small enough for tests."""

from pathlib import Path

import torch

from grek.training import checkpoint
from grek.training.config import PPOConfig, TrainConfig

SMALL = PPOConfig(rollout=8, minibatches=2, epochs=2, hidden=(32, 16))
PER_UPDATE = 8 * 8


def config(out: Path, updates: int, **changes: object) -> TrainConfig:
    settings = {"worlds": 8, "threads": 1, "seed": 3, "ppo": SMALL, **changes}
    return TrainConfig(out=out, steps=updates * PER_UPDATE, **settings)  # type: ignore[arg-type]


def weights(run: Path) -> dict[str, torch.Tensor]:
    return checkpoint.newest(run)[0]["policy"]
