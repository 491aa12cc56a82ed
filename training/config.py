"""Every setting of a training run, with its default; the command line is made from it."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from grek.envs.scenarios.scenario import TRAINING_SCENARIOS

Symmetry = Literal["none", "augment", "loss"]


@dataclass(frozen=True)
class PPOConfig:
    """PPO as tried on two cores; sizes are per update of all worlds together."""

    rollout: int = 32
    """Steps of each world between updates."""
    minibatches: int = 4
    """Parts into which the samples of an update are split."""
    epochs: int = 5
    """Times that an update goes through its samples."""
    gamma: float = 0.985
    """Discount of a step."""
    gae_lambda: float = 0.95
    """Of generalised advantage estimation (Schulman et al. 2016)."""
    clip: float = 0.2
    """How far the ratio of probabilities counts, from 1."""
    entropy: float = 0.006
    """Weight of the entropy at the start; it fades to nothing by the end of the run."""
    value: float = 0.5
    """Weight of the critic's loss."""
    max_gradient: float = 1.0
    """Norm to which gradients are cut."""
    learning_rate: float = 1e-3
    """At the start; then it follows the KL divergence."""
    kl_target: float = 0.02
    """Divergence of an update above twice of which the learning rate sinks; it rises below half."""
    hidden: tuple[int, ...] = (256, 128)
    """Widths of the hidden layers of actor and critic."""
    log_std: float = -0.6
    """Logarithm of the first deviation of actions."""
    symmetry: Symmetry = "augment"
    """How the droid's left-right symmetry is used."""


@dataclass(frozen=True)
class TrainConfig:
    """Train a policy."""

    out: Path = Path("runs/walk")
    """Run directory to create."""
    minutes: float | None = None
    """Stop after this many minutes; ten if neither this nor `steps` is given."""
    steps: int | None = None
    """Stop after this many environment steps."""
    worlds: int = 256
    """Droids that learn side by side."""
    threads: int = 0
    """Simulation threads; all cores by default."""
    seed: int = 0
    """Of the worlds, the first weights and the exploration."""
    materials: str = "all"
    """Ground to train on: "all", or names joined by commas."""
    scenarios: int = TRAINING_SCENARIOS
    """How many different worlds to draw from."""
    again: float = 0.5
    """Chance that a world in which the droid fell comes again: hard ones are met more often."""
    resume: Path | None = None
    """Run directory to continue; its settings are kept, `minutes` or `steps` are added."""
    force: bool = False
    """Replace an existing run directory."""
    history: int = 4
    """Older sensor readings in the observation."""
    ppo: PPOConfig = field(default_factory=PPOConfig)
