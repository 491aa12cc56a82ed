"""Settings of a training run and their defaults, also the flags of `grek train`."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal

from tyro.conf import Suppress, arg

Symmetry = Literal["none", "augment", "loss"]


@dataclass(frozen=True)
class PPOConfig:
    """Hyperparameters of PPO (Schulman et al. 2017)."""

    rollout: int = 32
    """Control steps of each world between two updates."""
    minibatches: int = 4
    """Minibatches per epoch."""
    epochs: int = 5
    """Passes over the samples of a rollout in an update."""
    gamma: float = 0.985
    """Discount factor per control step of 20 ms, in [0, 1]; the initial one with final-gamma."""
    final_gamma: float | None = None
    """Discount factor at the end of the run; its horizon 1 / (1 - gamma) changes by the same factor
    in equal shares of the run. By default gamma all the time."""
    gae_lambda: float = 0.95
    """Lambda of generalised advantage estimation (Schulman et al. 2016), in [0, 1]."""
    clip: float = 0.2
    """Clip range: the probability ratio is clipped to [1 - clip, 1 + clip]."""
    entropy: float = 0.006
    """Initial entropy coefficient; it decreases linearly to 0 at the end of the run."""
    value: float = 0.5
    """Value loss coefficient."""
    max_gradient: float = 1.0
    """Maximum norm of the gradient; larger gradients are scaled down to it."""
    learning_rate: float = 1e-3
    """Initial learning rate of Adam, later adapted to --ppo.kl-target within [1e-4, 1e-3]."""
    kl_target: float = 0.02
    """Target KL divergence of an update [nat] (Rudin et al. 2022).
    The learning rate is divided by 1.5 above twice this value, multiplied by 1.5 below half."""
    hidden: tuple[int, ...] = (256, 128)
    """Widths of the hidden layers, the same for actor and critic."""
    log_std: float = -0.6
    """Initial natural logarithm of the standard deviation of actions."""
    symmetry: Symmetry = "augment"
    """Use of the left-right symmetry of the robot; a robot without mirror map trains with "none".
    "augment" replaces each sample of a minibatch by its mirror image with probability 0.5.
    "loss" penalises the squared asymmetry of the mean action."""


@dataclass(frozen=True)
class TrainConfig:
    """Train a policy."""

    out: Path = Path("runs/walk")
    """Run directory to create."""
    minutes: float | None = None
    """Training time [min]; 10 if neither --minutes nor --steps is given."""
    steps: int | None = None
    """Environment steps to train for, summed over all worlds, instead of --minutes."""
    worlds: int = 256
    """Number of worlds simulated in parallel, in [1, 65536]."""
    threads: int = 0
    """Threads for simulation and updates, of all processes together; 0 uses all cores."""
    processes: int = 0
    """Processes that share worlds, threads and updates; their number must divide --worlds.
    0 takes that of the run to resume, or 1: two were no faster on two cores. The same seed and
    number of processes give the same policy."""
    seed: int = 0
    """Seed of scenarios, initial weights and exploration."""
    skills: str = "walk"
    """Skills to train: "walk", the task grek/Walk-v0; "all", or names separated by commas, the task
    grek/Stage-v0 in the space stage: stand, walk, sit, jump, dance."""
    task: str = "grek/Walk-v0"
    """Registered task: "grek/Walk-v0", or one that an extension adds (docs/extending.md)."""
    space: str = "train"
    """Space to draw scenarios from: train, or everywhere, which is train and heldout together.
    The latter is the reference for what a policy loses by not having trained there.
    Or a file FILE.toml with ranges of your own, such as `grek identify` writes."""
    materials: str = "all"
    """Materials to train on, separated by commas, or "all" training materials.
    `grek materials` lists the names."""
    scenarios: int = 300_000  # spaces.TRAINING_SCENARIOS, whose module takes 0.2 s to import
    """Number of different training scenarios to draw from, in [1, 300000]."""
    replay: float = 0.5
    """Probability that a new episode replays a scenario that ended in a fall, in [0, 1]."""
    start: Annotated[str | None, arg(name="from")] = None
    """Policy to start from instead of random weights: the shipped "walk" or "grek", or a run
    directory.
    Observation, action scale and motion are those of its contract."""
    resume: Path | None = None
    """Run directory to continue, from its last complete checkpoint and with its settings.
    It trains for another --minutes or --steps; --threads may differ, other settings may not."""
    force: bool = False
    """Replace an existing run directory."""
    film_every: float | None = None
    """Time between two short films, in RUN/films, of the policy as it is [min]; none by default.
    Each is made beside the training by a process of low priority."""
    given: Annotated[tuple[str, ...], Suppress] = ()
    """Names of the settings that were given, which --resume checks; others may be defaults."""
    history: int = 4
    """Number of past control steps whose sensor readings are in the observation, in [0, 50]."""
    past_actions: int = 0
    """Number of actions before the last one that are in the observation, in [0, 50]."""
    weights: tuple[str, ...] = ()
    """Weights of reward terms to change [1/s]: `--weights linear=3 impact=-0.2`.
    An unknown term lists those of the task with their weights."""
    motion: tuple[str, ...] = ()
    """Parameters of the reference motion to change: `--motion lift=0.04 gain=1.2,1,1`.
    An unknown parameter lists those of the gait with their values."""
    phase_rate: float = 0.0
    """Largest relative change of the motion's rate that the policy may ask for, in [0, 1)."""
    action_scale: float = 1.0
    """Factor of the task's action scales: joint angle per unit of action."""
    ppo: PPOConfig = field(default_factory=PPOConfig)
