"""Scenario: all random parameters of one world (domain randomisation), as plain data.

Bounds in the types are checked for scenarios from files (`from_plain`).
"""

import dataclasses
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import numpy as np
from msgspec import Meta

from grek import files
from grek.envs.ground import materials, shapes
from grek.envs.ground.planes import CONTACT_TIME
from grek.envs.ground.shapes import Shape
from grek.envs.ground.surface import Surface
from grek.envs.motions.act import Act

EPISODE = 20.0  # [s]
EASIEST_BEARING = 3.0  # factor of bearing at difficulty level 0
Positive = Annotated[float, Meta(gt=0)]
NotNegative = Annotated[float, Meta(ge=0)]
_BEARING = materials.index("bearing")
_GRAINS = [materials.index(name) for name in ("relief", "collapse_share")]


MUJOCO, DRAKE = "mujoco", "drake"  # engines
_PLAIN = ("material", "shape", "hard", "numerics", "link")  # axes whose values are names


class Context(NamedTuple):
    """An axis of variation and a value on it: a row of a scorecard."""

    axis: str
    """Axis, such as "material" or "slope"."""
    value: str
    """Value, such as "ice", "near", "far", or an engine."""

    @property
    def slug(self) -> str:
        """CONTEXT in scenario names: the value, prefixed by the axis unless that is in _PLAIN."""
        named = self.axis not in _PLAIN
        return f"{self.axis}-{self.value}" if named else self.value


_NOMINAL = Context("material", "dry_concrete")


@dataclass(frozen=True)
class Body:
    """Inertial deviations from the nominal robot."""

    mass_scale: Positive = 1.0
    """Scale of mass and inertia of every link [-]."""
    payload: float = 0.0
    """Mass added to the base, without inertia of its own [kg]."""
    base_com: tuple[float, float, float] = (0.0, 0.0, 0.0)
    """Shift of the base's centre of mass, base frame [m]."""
    head_scale: Positive = 1.0
    """Further scale of mass and inertia of the head, multiplied with `mass_scale` [-]."""


@dataclass(frozen=True)
class Motors:
    """Deviations of the acting motors: scales of the nominal value [-] unless a unit is given."""

    strength: Positive = 1.0
    """Peak torque and voltage limit."""
    stiffness: Positive = 1.0
    """Position gain."""
    damping: Positive = 1.0
    """Velocity gain."""
    armature: Positive = 1.0
    """Reflected rotor inertia."""
    friction: NotNegative = 1.0
    """Dry friction of the joint."""
    delay: NotNegative = 0.0
    """From a joint target to the motor [s]; rounded up to whole physics steps."""


@dataclass(frozen=True)
class Sensors:
    """Sensor errors: standard deviations of white noise, constant offsets and latency."""

    gyro_noise: NotNegative = 0.0
    """[rad/s]"""
    gyro_bias: tuple[float, float, float] = (0.0, 0.0, 0.0)
    """[rad/s]"""
    gravity_noise: NotNegative = 0.0
    """Per component of the unit gravity vector [-]."""
    tilt: tuple[float, float] = (0.0, 0.0)
    """Mounting error of the IMU in roll and pitch [rad]."""
    joint_noise: NotNegative = 0.0
    """[rad]"""
    joint_offset: tuple[float, ...] = ()
    """Encoder zero error of each acting joint [rad], shared by its motor; empty for none."""
    velocity_noise: NotNegative = 0.0
    """[rad/s]"""
    delay: NotNegative = 0
    """Latency [control steps]; of a fraction, the reading is interpolated between two steps."""
    attitude_time: NotNegative = 0.0
    """Time constant of the complementary filter that estimates the attitude [s], whose estimate
    follows acceleration as gravity; 0 for an exact attitude."""


@dataclass(frozen=True)
class Command:
    """Command from `time` on, reached by a linear ramp (`grek.envs.tasks.commands.RAMP`)."""

    time: NotNegative
    """[s]"""
    velocity: tuple[float, float]
    """Forward and left, heading frame [m/s]."""
    yaw_rate: float
    """[rad/s]"""
    look: tuple[float, float] = (0.0, 0.0)
    """Head pitch and yaw [rad]."""


@dataclass(frozen=True)
class Push:
    """Horizontal push on the base, of constant force."""

    time: NotNegative
    """Start [s]."""
    velocity: tuple[float, float]
    """Impulse over nominal mass, world frame [m/s]."""


@dataclass(frozen=True)
class Numerics:
    """Integrator and contact solver settings; varied to test robustness to the contact model."""

    timestep: Positive = 0.005
    """[s]"""
    integrator: str = "implicitfast"
    """"Euler", "implicit" or "implicitfast"."""
    cone: str = "elliptic"
    """Friction cone: "elliptic" or "pyramidal"."""
    impratio: Positive = 3.0
    """Frictional to normal constraint impedance [-]."""
    iterations: Annotated[int, Meta(ge=1, le=1000)] = 10
    """Largest number of solver iterations."""
    contact_time: Positive = CONTACT_TIME
    """Contact time constant, the first value of solref [s]."""


@dataclass(frozen=True)
class Scenario:
    """All random parameters of one world; the defaults are the nominal robot, standing."""

    name: str = "nominal"
    """SPACE/CONTEXT:INDEX, from which `spaces.parse` draws the same scenario."""
    context: Context = _NOMINAL
    """Axis and value that this scenario tests: its row in a scorecard."""
    seed: Annotated[int, Meta(ge=0, lt=2**31)] = 0
    """Seed of sensor noise and of the initial gait phase."""
    heading: float = 0.0
    """Initial yaw [rad]."""
    shape: Shape = ()
    surface: Surface = field(default_factory=Surface)
    body: Body = Body()
    motors: Motors = Motors()
    sensors: Sensors = Sensors()
    numerics: Numerics = Numerics()
    commands: tuple[Command, ...] = (Command(0.0, (0.0, 0.0), 0.0),)
    pushes: tuple[Push, ...] = ()
    acts: tuple[Act, ...] = ()
    """Skills commanded, in order of time; of tasks with skills."""

    @property
    def space(self) -> str:
        """Name of the space it was drawn from."""
        return self.name.partition("/")[0]

    def eased(self, level: float) -> "Scenario":
        """This scenario at difficulty `level` in [0, 1]; 1 or more returns it unchanged.

        Size of shapes, relief and share of loose stones, and pushes scale with `level`, velocity
        commands, way and turn of acts with (1 + level) / 2, the bearing of soft ground with
        EASIEST_BEARING^(1 - level).
        """
        if level >= 1:
            return self
        factors = np.ones(len(materials.PARAMETERS))
        factors[_BEARING], factors[_GRAINS] = EASIEST_BEARING ** (1 - level), level
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
            acts=tuple(_eased(act, speed) for act in self.acts),
        )


def to_plain(scenario: Scenario) -> dict[str, Any]:
    """JSON-serialisable form of `scenario`; without "acts" where there are none."""
    plain = dataclasses.asdict(scenario)
    if not scenario.acts:
        del plain["acts"]
    return plain


def from_plain(content: Any) -> Scenario:
    """Inverse of `to_plain`; raises InputError naming an entry of a wrong type or out of range."""
    return files.converted(content, Scenario, "not a scenario")


def read(path: Path) -> Scenario:
    """Scenario of a JSON file made by `to_plain`; raises InputError naming the file and why."""
    name = str(path)
    return files.converted(files.read_json(path, name), Scenario, f"{name} is not a scenario")


def _eased(act: Act, factor: float) -> Act:
    """`act` with `factor` times its way and turn."""
    scaled = {k: v * factor for k, v in act.values.items() if k in ("forward", "left", "turn")}
    return dataclasses.replace(act, values={**act.values, **scaled})


def _scaled(vector: tuple[float, float], factor: float) -> tuple[float, float]:
    return vector[0] * factor, vector[1] * factor
