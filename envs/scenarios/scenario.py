"""A scenario is an index: `ScenarioSpace("train").draw(41)` is the same world for ever.

Everything random about one world is plain data here: the shape of the ground, its materials and
where they lie, the body, motors, sensors, commands, pushes and the numerics of the simulator.
Draws come from SeedSequence((key of the space, index)), so spaces never share a world.
"""

import dataclasses
import zlib
from dataclasses import dataclass, field

import numpy as np

from grek.envs.ground.materials import MATERIALS, PARAMETERS
from grek.envs.ground.materials import index as column
from grek.envs.ground.shapes import Shape
from grek.envs.robots.robot import LEGS
from grek.envs.scenarios.spaces import SPACES, Context, Ranges
from grek.errors import InputError

TRAINING_SCENARIOS = 300_000  # training draws indices below, evaluation from here on
EPISODE = 20.0  # [s]
FIRMER = 3.0  # how much firmer the easiest ground is than the real one
_FRICTION, _BEARING, _STONES = (
    column("friction"),
    column("bearing"),
    [column("relief"), column("collapse_share")],
)


@dataclass(frozen=True)
class Surface:
    """What the ground of one world is made of and where."""

    materials: tuple[str, ...] = ("dry_concrete",)
    parameters: tuple[tuple[float, ...], ...] = (
        tuple(MATERIALS["dry_concrete"].nominal().tolist()),
    )
    """One row of grek.envs.ground.materials.PARAMETERS for each material."""
    layout: str = "single"
    """"single", "strips" or "patches"."""
    length: float = 1.0
    """Width of a strip or correlation length of the patches [m]."""
    heading: float = 0.0
    """Across the strips [rad]."""
    seed: int = 0
    """Of the patches and of the wet film."""


@dataclass(frozen=True)
class Body:
    """How this droid differs from the nominal one."""

    mass_scale: float = 1.0
    """Mass and inertia of every link [-]."""
    payload: float = 0.0
    """Extra mass in the torso [kg]."""
    torso_com: tuple[float, float, float] = (0.0, 0.0, 0.0)
    """Shift of the torso's centre of mass [m]."""
    head_scale: float = 1.0
    """Mass and inertia of the head on top of `mass_scale` [-]."""


@dataclass(frozen=True)
class Motors:
    """How its motors differ; factors of the nominal motor unless a unit is given."""

    strength: float = 1.0
    """Peak torque and voltage of the legs."""
    stiffness: float = 1.0
    damping: float = 1.0
    armature: float = 1.0
    friction: float = 1.0
    delay: float = 0.0
    """From a target to the motor, legs [s]; in effect rounded up to a physics step."""


@dataclass(frozen=True)
class Sensors:
    """How its sensors err: standard deviations of white noise, and constant offsets."""

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
    joint_offset: tuple[float, ...] = (0.0,) * LEGS
    """Encoder zero errors; the motors share the encoders, so they err alike [rad]."""
    velocity_noise: float = 0.0
    """[rad/s]"""
    delay: int = 0
    """Control steps by which sensor readings are late."""


@dataclass(frozen=True)
class Command:
    """What the droid is told from `time` on."""

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
    """A horizontal shove on the torso, PUSH_TIME long."""

    time: float
    """[s]"""
    velocity: tuple[float, float]
    """Impulse over the droid's nominal mass, world frame [m/s]."""


@dataclass(frozen=True)
class Numerics:
    """How the simulator solves: for checking that a policy does not lean on one contact model."""

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
    """SPACE:INDEX, by which it can be drawn again."""
    context: Context = ("material", "dry_concrete")
    """The axis and the value on it that this scenario probes: its row in a scorecard."""
    seed: int = 0
    """Of what is drawn while it runs: sensor noise and the start pose."""
    heading: float = 0.0
    """Where the droid faces at the start [rad]."""
    shape: Shape = Shape()
    surface: Surface = Surface()
    body: Body = Body()
    motors: Motors = Motors()
    sensors: Sensors = Sensors()
    numerics: Numerics = Numerics()
    commands: tuple[Command, ...] = (Command(0.0, (0.0, 0.0), 0.0),)
    pushes: tuple[Push, ...] = ()

    def eased(self, level: float) -> "Scenario":
        """The same world made easier, for `level` in [0, 1): smaller relief, commands and pushes.

        Ground that gives is up to FIRMER times as firm, and stones lie smoother and faster.
        """
        if level >= 1:
            return self
        shape = dataclasses.replace(
            self.shape,
            **{
                part: getattr(self.shape, part) * level
                for part in ("slope", "wave_height", "roughness", "step_height")
            },
        )
        factors = np.ones(len(PARAMETERS))
        factors[_BEARING], factors[_STONES] = FIRMER ** (1 - level), level
        rows = tuple(tuple((factors * row).tolist()) for row in self.surface.parameters)
        surface = dataclasses.replace(self.surface, parameters=rows)
        speed = 0.5 + 0.5 * level
        commands = tuple(
            dataclasses.replace(
                c,
                velocity=(c.velocity[0] * speed, c.velocity[1] * speed),
                yaw_rate=c.yaw_rate * speed,
            )
            for c in self.commands
        )
        pushes = tuple(
            dataclasses.replace(p, velocity=(p.velocity[0] * level, p.velocity[1] * level))
            for p in self.pushes
        )
        return dataclasses.replace(
            self, shape=shape, surface=surface, commands=commands, pushes=pushes
        )


@dataclass(frozen=True)
class ScenarioSpace:
    """A named family of scenarios: "train", "heldout" or "numerics"."""

    name: str
    ranges: Ranges = field(init=False, repr=False)

    def __post_init__(self) -> None:
        if self.name not in SPACES:
            raise InputError(f"unknown space {self.name!r}; there are: {', '.join(SPACES)}")
        object.__setattr__(self, "ranges", SPACES[self.name])

    @property
    def contexts(self) -> tuple[Context, ...]:
        """The rows of this space; scenario i probes contexts[i % len(contexts)]."""
        return self.ranges.contexts

    def draw(self, index: int, materials: tuple[str, ...] | None = None) -> Scenario:
        """Scenario `index` (>= 0) of this space; `materials` restricts the ground to these."""
        if index < 0:
            raise InputError(f"scenario index {index} is negative; indices start at 0")
        turn, context = divmod(index, len(self.contexts))
        axis, value = self.contexts[context]
        key = zlib.crc32(self.name.encode())
        world = turn if self.ranges.same_worlds else index
        rng = np.random.default_rng(np.random.SeedSequence((key, world)))
        ranges = self.ranges.at(axis, value)
        first = value if axis == "material" else None
        if ranges.same_worlds:  # whose contexts name no material: each in turn
            first = ranges.materials[turn % len(ranges.materials)]
        surface = _surface(ranges, rng, first, materials)
        return Scenario(
            name=f"{self.name}:{index}",
            context=(axis, surface.materials[0] if axis == "material" else value),
            seed=int(rng.integers(2**31)),
            heading=rng.uniform(-np.pi, np.pi),
            shape=_shape(ranges, rng),
            surface=surface,
            body=Body(
                mass_scale=ranges.mass_scale.sample(rng),
                payload=ranges.payload.sample(rng),
                torso_com=_triple(ranges.torso_com.sample, rng),
                head_scale=ranges.head_scale.sample(rng),
            ),
            motors=Motors(**{k: d.sample(rng) for k, d in ranges.motors.items()}),
            sensors=_sensors(ranges, rng),
            numerics=Numerics(**dict(ranges.numerics)),
            commands=_commands(ranges, rng),
            pushes=_pushes(ranges, rng),
        )


def parse(text: str, materials: tuple[str, ...] | None = None) -> Scenario:
    """The scenario of a name like "train:41"; raises InputError for anything else."""
    space, _, index = text.partition(":") if isinstance(text, str) else ("", "", "")
    if not (index.isdecimal() and len(index) <= 18):
        raise InputError(f"scenario {text!r} is not SPACE:INDEX, for example train:41")
    return ScenarioSpace(space).draw(int(index), materials)


def _shape(ranges: Ranges, rng: np.random.Generator) -> Shape:
    drawn = {name: d.sample(rng) for name, d in ranges.shape.items()}
    shares = np.cumsum(list(ranges.kinds.values()))
    # What Generator.choice does with shares, without its checks: they cost more than all else here.
    kind = list(ranges.kinds)[(shares / shares[-1]).searchsorted(rng.random(), "right")]
    keep = {
        "flat": (),
        "slope": ("slope",),
        "waves": ("wave_height",),
        "rough": ("roughness",),
        "steps": ("step_height",),
        "mixed": ("slope", "roughness"),
    }[kind]
    for part in ("slope", "wave_height", "roughness", "step_height"):
        if part not in keep:
            drawn[part] = 0.0
    headings = {f"{k}_heading": rng.uniform(-np.pi, np.pi) for k in ("slope", "wave", "step")}
    return Shape(**drawn, **headings, seed=int(rng.integers(2**31)))


def _surface(
    ranges: Ranges,
    rng: np.random.Generator,
    first: str | None,
    allowed: tuple[str, ...] | None,
) -> Surface:
    choices = allowed or ranges.materials
    names = [first or choices[rng.integers(len(choices))]]
    if allowed and names[0] not in allowed:
        names = [allowed[rng.integers(len(allowed))]]
    layout = "single"
    if rng.random() < ranges.mixed and len(choices) > 1:
        others = [name for name in choices if name != names[0]]
        names.append(others[rng.integers(len(others))])
        layout = ("strips", "patches")[rng.integers(2)]
    rows = [MATERIALS[name].draw(rng) for name in names]
    if ranges.friction:
        for row in rows:
            row[_FRICTION] = ranges.friction.sample(rng)
    return Surface(
        materials=tuple(names),
        parameters=tuple(tuple(row.tolist()) for row in rows),
        layout=layout,
        length=rng.uniform(0.3, 1.2),
        heading=rng.uniform(-np.pi, np.pi),
        seed=int(rng.integers(2**31)),
    )


def _sensors(ranges: Ranges, rng: np.random.Generator) -> Sensors:
    noise = ranges.sensors
    return Sensors(
        gyro_noise=noise["gyro_noise"].sample(rng),
        gyro_bias=_triple(noise["gyro_bias"].sample, rng),
        gravity_noise=noise["gravity_noise"].sample(rng),
        tilt=(noise["tilt"].sample(rng), noise["tilt"].sample(rng)),
        joint_noise=noise["joint_noise"].sample(rng),
        joint_offset=tuple(noise["joint_offset"].sample(rng) for _ in range(LEGS)),
        velocity_noise=noise["velocity_noise"].sample(rng),
        delay=int(rng.random() < ranges.late_sensors),
    )


def _commands(ranges: Ranges, rng: np.random.Generator) -> tuple[Command, ...]:
    commands, time = [], 0.0
    while time < EPISODE:
        velocity = (ranges.forward.sample(rng), ranges.sideways.sample(rng))
        yaw_rate = ranges.yaw_rate.sample(rng)
        kind = rng.random()
        if kind < 0.10:  # stand
            velocity, yaw_rate = (0.0, 0.0), 0.0
        elif kind < 0.22:  # turn on the spot
            velocity = (0.0, 0.0)
        elif kind < 0.50:  # walk straight, as people mostly ask
            velocity, yaw_rate = (velocity[0], 0.0), 0.0
        look = (rng.uniform(-0.3, 0.4), rng.uniform(-0.8, 0.8))
        commands.append(Command(time, velocity, yaw_rate, look))
        time += rng.uniform(4.0, 8.0)
    return tuple(commands)


def _pushes(ranges: Ranges, rng: np.random.Generator) -> tuple[Push, ...]:
    pushes, time = [], rng.uniform(2.0, 8.0)
    while time < EPISODE:
        speed, angle = ranges.push.sample(rng), rng.uniform(-np.pi, np.pi)
        pushes.append(Push(time, (speed * np.cos(angle), speed * np.sin(angle))))
        time += rng.uniform(4.0, 8.0)
    return tuple(pushes)


def _triple(sample, rng: np.random.Generator) -> tuple[float, float, float]:  # type: ignore[no-untyped-def]
    return sample(rng), sample(rng), sample(rng)
