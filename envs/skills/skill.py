"""Skill: something a robot does on command, as a value."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from grek.envs.distributions import Constant, Distribution
from grek.envs.motions.act import Act
from grek.envs.motions.clip import Clip
from grek.envs.robots import Robot
from grek.errors import InputError


@dataclass(frozen=True)
class Parameter:
    """A number that a command of a skill takes."""

    name: str
    unit: str
    default: float
    lowest: float
    highest: float
    about: str


@dataclass(frozen=True)
class Skill:
    """A skill; its reference begins in the home pose, both feet on the ground."""

    name: str
    parameters: tuple[Parameter, ...] = ()
    clip: Callable[[Robot, Act], Clip] | None = None
    """Reference of an act, held after its last row; None for the gait, under `velocity`."""
    velocity: tuple[str, str, str] | None = None
    """Names of the parameters that are vx, vy [m/s] and yaw rate [rad/s]."""
    leave: Callable[[Robot], Clip] | None = None
    """Motion from the end of `clip` back to the home pose; None where it ends there."""
    dances: bool = False
    """True if an act names a choreography."""
    steps: bool = True
    """True if a robot that tips while the last row of `clip` is held steps on the spot, as a robot
    that stands does."""
    seconds: float = 2.0
    """Time that an act takes in a script that does not say [s]."""
    kinds: tuple[Mapping[str, Distribution], ...] = ({},)
    """Kinds of acts in training, each as likely as the others: distributions of the parameters that
    are not at their defaults."""
    lasts: Distribution = Constant(3.0)
    """Time in training until the next act [s]."""
    pause: Distribution | None = None
    """Time of standing before each act, where the skill is trained alone [s]; None for none."""
    weights: Mapping[str, float] = field(default_factory=dict)
    """Reward terms of `grek.envs.tasks.stage` beyond tracking, with their weights [1/s]."""
    measures: tuple[str, ...] = ()
    """Metrics of `grek.envs.tasks.performance` of this skill alone."""

    def value(self, act: Act, name: str) -> float:
        """Parameter `name` of `act`."""
        default = next(p.default for p in self.parameters if p.name == name)
        return float(act.values.get(name, default))

    def check(self, act: Act) -> None:
        """Raise InputError, naming the skill, for a parameter unknown or out of range."""
        known = {p.name: p for p in self.parameters}
        for name, value in act.values.items():
            if name not in known:
                there = ", ".join(known) or "none"
                raise InputError(f"{self.name} has no {name!r}; its parameters: {there}")
            p = known[name]
            if not p.lowest <= value <= p.highest:
                raise InputError(
                    f"{self.name}: {name} {value:g} is not in {p.lowest:g} to {p.highest:g}"
                    f" {p.unit}"
                )
        if bool(act.motion) != self.dances:
            raise InputError(
                f"{self.name} names a motion"
                if self.dances
                else f"{self.name} takes no motion, got {act.motion!r}"
            )
