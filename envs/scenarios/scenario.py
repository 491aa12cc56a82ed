"""A scenario: everything random about one world, as plain data."""

import dataclasses
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from grek.envs.ground import materials, shapes
from grek.envs.ground.shapes import Shape
from grek.envs.ground.surface import Surface
from grek.errors import InputError

EPISODE = 20.0  # [s]
FIRMEST = 3.0  # bearing of the easiest soft ground over its own
_BEARING = materials.index("bearing")
_STONES = [materials.index(name) for name in ("relief", "collapse_share")]


class Context(NamedTuple):
    """An axis and a value on it: a row of a scorecard."""

    axis: str
    """For example "material" or "slope"."""
    value: str
    """For example "ice", "near" or "far"."""

    @property
    def slug(self) -> str:
        """Its part in the name of a scenario: "ice", "slope-far"."""
        named = self.value in ("near", "far")
        return f"{self.axis}-{self.value}" if named else self.value


_NOMINAL = Context("material", "dry_concrete")


@dataclass(frozen=True)
class Body:
    """Deviations of this robot's body from the nominal one."""

    mass_scale: float = 1.0
    """Factor of mass and inertia of every link [-]."""
    payload: float = 0.0
    """Extra mass in the base [kg]."""
    base_com: tuple[float, float, float] = (0.0, 0.0, 0.0)
    """Shift of the base's centre of mass [m]."""
    head_scale: float = 1.0
    """Factor of mass and inertia of the head on top of `mass_scale` [-]."""


@dataclass(frozen=True)
class Motors:
    """Deviations of its motors; factors of the nominal motor unless a unit is given."""

    strength: float = 1.0
    """Peak torque and voltage of the acting joints."""
    stiffness: float = 1.0
    damping: float = 1.0
    armature: float = 1.0
    friction: float = 1.0
    delay: float = 0.0
    """From a joint target to the motor, acting joints [s]; takes effect at the next physics step.
    """


@dataclass(frozen=True)
class Sensors:
    """Errors of its sensors: standard deviations of white noise, and constant offsets."""

    gyro_noise: float = 0.0
    """[rad/s]"""
    gyro_bias: tuple[float, float, float] = (0.0, 0.0, 0.0)
    """[rad/s]"""
    gravity_noise: float = 0.0
    """Of each component of the unit gravity vector [-]."""
    tilt: tuple[float, float] = (0.0, 0.0)
    """Mounting error of the IMU in roll and pitch [rad]."""
    joint_noise: float = 0.0
    """[rad]"""
    joint_offset: tuple[float, ...] = ()
    """Encoder zero error of each acting joint [rad]; motors share the encoders. Empty: none."""
    velocity_noise: float = 0.0
    """[rad/s]"""
    delay: int = 0
    """Control steps by which readings arrive late."""


@dataclass(frozen=True)
class Command:
    """What the robot is commanded from `time` on."""

    time: float
    """[s]"""
    velocity: tuple[float, float]
    """Forward and left, in the heading frame [m/s]."""
    yaw_rate: float
    """[rad/s]"""
    look: tuple[float, float] = (0.0, 0.0)
    """Head pitch and yaw [rad]."""


@dataclass(frozen=True)
class Push:
    """A horizontal push on the base."""

    time: float
    """Begin [s]."""
    velocity: tuple[float, float]
    """Impulse over the robot's nominal mass, world frame [m/s]."""


@dataclass(frozen=True)
class Numerics:
    """Settings of the solver, for checking that a policy does not lean on one contact model."""

    timestep: float = 0.005
    """[s]"""
    integrator: str = "implicitfast"
    cone: str = "elliptic"
    impratio: float = 3.0
    iterations: int = 10
    contact_time: float = 0.012
    """Time constant of the contacts (solref) [s]."""


@dataclass(frozen=True)
class Scenario:
    """Everything random about one world."""

    name: str = "nominal"
    """SPACE/CONTEXT:INDEX, by which it is drawn again."""
    context: Context = _NOMINAL
    """The axis and the value that this scenario probes: its row in a scorecard."""
    seed: int = 0
    """Of what is drawn while it runs: sensor noise and the phase of the gait at the start."""
    heading: float = 0.0
    """Yaw at the start [rad]."""
    shape: Shape = ()
    surface: Surface = field(default_factory=Surface)
    body: Body = Body()
    motors: Motors = Motors()
    sensors: Sensors = Sensors()
    numerics: Numerics = Numerics()
    commands: tuple[Command, ...] = (Command(0.0, (0.0, 0.0), 0.0),)
    pushes: tuple[Push, ...] = ()

    @property
    def space(self) -> str:
        """The space it was drawn from."""
        return self.name.partition("/")[0]

    def eased(self, level: float) -> "Scenario":
        """This world made easier, for `level` in [0, 1).

        Unevenness, pushes and, by half, commands scale with `level`; soft ground is up to FIRMEST
        times as firm, and stones lie smoother and faster.
        """
        if level >= 1:
            return self
        factors = np.ones(len(materials.PARAMETERS))
        factors[_BEARING], factors[_STONES] = FIRMEST ** (1 - level), level
        rows = tuple(tuple((factors * row).tolist()) for row in self.surface.parameters)
        speed = 0.5 + 0.5 * level
        return dataclasses.replace(
            self,
            shape=shapes.eased(self.shape, level),
            surface=dataclasses.replace(self.surface, parameters=rows),
            commands=tuple(
                dataclasses.replace(
                    c, velocity=_scaled(c.velocity, speed), yaw_rate=c.yaw_rate * speed
                )
                for c in self.commands
            ),
            pushes=tuple(
                dataclasses.replace(p, velocity=_scaled(p.velocity, level)) for p in self.pushes
            ),
        )


def to_plain(scenario: Scenario) -> dict[str, Any]:
    """The scenario as JSON takes it."""
    return dataclasses.asdict(scenario)


def from_plain(content: Any) -> Scenario:
    """The scenario of what `to_plain` returned; raises InputError naming what does not fit."""
    import msgspec  # late: most scenarios are drawn, not read

    try:
        return msgspec.convert(content, Scenario)
    except msgspec.ValidationError as error:
        raise InputError(f"not a scenario: {error}") from None


def _scaled(vector: tuple[float, float], factor: float) -> tuple[float, float]:
    return vector[0] * factor, vector[1] * factor
