"""Scenario spaces: training, tuning, held-out and solver variations.

A space is an ordered list of contexts (rows of a scorecard) over common ranges; each context
changes one axis, so its row measures the effect of that axis. A scenario is named
SPACE/CONTEXT:INDEX, for example train/sand:41 or heldout/slope-far:7. Each of its factors is the
quantile of the factor's distribution at a hash of space, context, index and factor name. Given the
distributions and the robot's number of joints, the name therefore determines the scenario, and a
new material, shape, axis or factor changes no existing draw.

A registered material or shape becomes a context of its own. The materials and shapes drawn in all
other contexts are fixed lists, `Ranges.materials` and `Ranges.shapes`.
"""

import dataclasses
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

import numpy as np

from grek.envs import hashing
from grek.envs.distributions import Constant, Distribution, Signed, Uniform
from grek.envs.ground import materials
from grek.envs.ground.materials import MATERIALS
from grek.envs.ground.shapes import SHAPES, Shape, ShapePart
from grek.envs.ground.surface import LAYOUTS, Surface
from grek.envs.registry import Registry
from grek.envs.robots import GREK, Robot
from grek.envs.scenarios import stage
from grek.envs.scenarios.links import LINKS
from grek.envs.scenarios.scenario import (
    EPISODE,
    Body,
    Command,
    Context,
    Motors,
    Numerics,
    Push,
    Scenario,
    Sensors,
)
from grek.errors import InputError

TRAINING_SCENARIOS = 300_000  # largest number in training, over all contexts of a space
FIRST_EVALUATED = 300_000  # index in every context from which evaluation draws
_FRICTION = materials.index("friction")
_NAME = re.compile(r"([a-z]+)(?:/([a-z0-9_-]+))?:([0-9]{1,18})")
_ANGLE = Uniform(-np.pi, np.pi)  # [rad]
_COMMON = ("dry_concrete", "wet_concrete", "sand", "gravel", "carpet")


def _frozen(**items: Any) -> Any:
    """Dataclass field whose default is a read-only mapping of `items`."""
    return field(default_factory=lambda: MappingProxyType(items))


@dataclass(frozen=True)
class Ranges:
    """Distributions of the scenario's factors; units as in `grek.envs.scenarios.scenario`."""

    materials: tuple[str, ...] = _COMMON
    """Drawn where the context names no material, and as second material of mixed worlds."""
    friction: Distribution | None = None
    """Coulomb friction [-]; None for the material's own distribution."""
    mixed: float = 0.25
    """Probability of a second material."""
    shapes: Mapping[tuple[str, ...], float] = field(
        default_factory=lambda: MappingProxyType(
            {
                (): 0.3,
                ("slope",): 0.15,
                ("waves",): 0.15,
                ("relief",): 0.2,
                ("steps",): 0.1,
                ("slope", "relief"): 0.1,
            }
        )
    )
    """Relative frequency of each combination of shapes."""
    sizes: Mapping[str, Distribution] = _frozen()
    """Size by shape kind; the kind's training range where it is not listed."""
    mass_scale: Distribution = Uniform(0.9, 1.1)
    payload: Distribution = Uniform(-0.5, 0.5)
    base_com: Distribution = Uniform(-0.015, 0.015)
    head_scale: Distribution = Uniform(0.9, 1.1)
    motors: Mapping[str, Distribution] = _frozen(
        strength=Uniform(0.85, 1.0),
        stiffness=Uniform(0.85, 1.15),
        damping=Uniform(0.8, 1.2),
        armature=Uniform(0.8, 1.2),
        friction=Uniform(0.5, 1.5),
        delay=Uniform(0.0, 0.015),
    )
    sensors: Mapping[str, Distribution] = _frozen(
        gyro_noise=Uniform(0.0, 0.15),
        gyro_bias=Uniform(-0.05, 0.05),
        gravity_noise=Uniform(0.0, 0.03),
        tilt=Uniform(-0.02, 0.02),
        joint_noise=Uniform(0.0, 0.01),
        joint_offset=Uniform(-0.02, 0.02),
        velocity_noise=Uniform(0.0, 0.6),
    )
    latency: Distribution = Uniform(0.0, 1.0)
    """Sensor latency [control steps]; with `motors["delay"]` the delay of the control loop."""
    attitude_time: Distribution = Uniform(0.5, 2.0)
    """Time constant of the attitude estimate [s]; Mahony et al. 2008 take 1 s."""
    forward: Distribution = Uniform(-0.35, 0.6)
    """Commanded forward velocity [m/s]."""
    sideways: Distribution = Uniform(-0.2, 0.2)
    """Commanded velocity to the left [m/s]."""
    yaw_rate: Distribution = Uniform(-0.8, 0.8)
    """Commanded yaw rate [rad/s]."""
    push: Distribution = Uniform(0.0, 0.35)
    """Impulse of a push over the robot's mass [m/s]."""
    numerics: Mapping[str, Any] = _frozen()
    """Fields of `Numerics` that differ from their defaults."""
    first: str | None = None
    """Material; that of the context, or drawn, by default."""
    acts: stage.Programme | None = None
    """Acts of tasks with skills, which command in place of velocities."""


TRAIN = Ranges()

Change = Callable[[Any], Mapping[str, Any]]
"""Distribution of an axis to the fields of `Ranges` that it replaces."""


def _entry(group: str, part: str) -> Change:
    """Change that replaces the distribution `part` in the mapping `group` of the ranges."""
    return lambda d: {group: {**getattr(TRAIN, group), part: d}}


def _sensors(factor: Uniform) -> dict[str, Any]:
    """Magnitude of every sensor error: `factor` times its largest value in training."""
    return {
        "sensors": {
            name: (Signed if d.low < 0 else Uniform)(factor.low * d.high, factor.high * d.high)
            for name, d in TRAIN.sensors.items()
        }
    }


def _loop_delay(motors: Distribution) -> dict[str, Any]:
    """Motor delay `motors` [s] behind the largest sensor latency of training.

    Alone, a longer motor delay lies within the loop delays of training.
    """
    return {**_entry("motors", "delay")(motors), "latency": Constant(TRAIN.latency.high)}


_AXES: dict[str, tuple[Change, Distribution, Distribution]] = {  # change, near and far range
    "friction": (
        lambda d: {"materials": ("dry_concrete",), "friction": d},
        Uniform(0.25, 0.38),
        Uniform(0.12, 0.25),
    ),
    "payload": (lambda d: {"payload": d}, Uniform(0.5, 1.0), Uniform(1.0, 2.5)),
    "mass_centre": (lambda d: {"base_com": d}, Signed(0.015, 0.025), Signed(0.025, 0.04)),
    "head": (lambda d: {"head_scale": d}, Uniform(1.1, 1.3), Uniform(1.3, 1.7)),
    "strength": (_entry("motors", "strength"), Uniform(0.75, 0.85), Uniform(0.6, 0.75)),
    "stiffness": (_entry("motors", "stiffness"), Uniform(0.75, 0.85), Uniform(0.65, 0.75)),
    "delay": (_loop_delay, Uniform(0.015, 0.020), Uniform(0.020, 0.025)),
    "sensors": (_sensors, Uniform(1.0, 1.5), Uniform(1.5, 2.5)),
    "pushes": (lambda d: {"push": d}, Uniform(0.35, 0.5), Uniform(0.5, 0.7)),
    "speed": (lambda d: {"forward": d}, Uniform(0.6, 0.75), Uniform(0.75, 0.9)),
}
_NUMERICS: dict[str, Mapping[str, Any]] = {
    "as_trained": {},
    "half_timestep": {"timestep": 0.0025},
    "euler": {"integrator": "Euler", "timestep": 0.0025},
    "implicit": {"integrator": "implicit"},
    "pyramidal": {"cone": "pyramidal", "impratio": 1.0},
    "stiff_contact": {"contact_time": 0.01},
    "soft_contact": {"contact_time": 0.04},
    "exact_solver": {"iterations": 50},
}


_HARD: dict[str, Mapping[str, Any]] = {  # the difficult end of single training ranges
    "late_sensors": {"latency": Uniform(0.8, 1.0)},
    "pushes": {"push": Uniform(0.25, 0.35)},
    "slope": {"shapes": {("slope",): 1.0}, "sizes": {"slope": Uniform(0.05, 0.10)}},
    "relief": {"shapes": {("relief",): 1.0}, "sizes": {"relief": Uniform(0.004, 0.008)}},
    "mixed": {"mixed": 1.0},
}


def _trained() -> dict[Context, Mapping[str, Any]]:
    """Contexts of training: trained materials, and registered shapes not in `Ranges.shapes`."""
    listed = {kind for kinds in TRAIN.shapes for kind in kinds}
    own = [Context("shape", name) for name in SHAPES if name not in listed]
    return {
        **{Context("material", m.name): {} for m in MATERIALS.values() if m.trained},
        **{context: {"shapes": {(context.value,): 1.0}} for context in own},
    }


def _held_out() -> dict[Context, Mapping[str, Any]]:
    """Held-out contexts: materials, then each axis near (just outside training) and far."""
    found: dict[Context, Mapping[str, Any]] = {
        Context("material", m.name): {"mixed": 0.0} for m in MATERIALS.values() if not m.trained
    }
    for kind in SHAPES.values():
        for zone, size in (("near", kind.near), ("far", kind.far)):
            found[Context(kind.name, zone)] = {
                "shapes": {(kind.name,): 1.0},
                "sizes": {kind.name: size},
            }
    for axis, (change, near, far) in _AXES.items():
        found[Context(axis, "near")], found[Context(axis, "far")] = change(near), change(far)
    return found


def _everywhere() -> dict[Context, Mapping[str, Any]]:
    """Contexts of training and held-out contexts together."""
    return {**_trained(), **_held_out()}


def _tuning() -> dict[Context, Mapping[str, Any]]:
    """Contexts to choose settings on: trained materials and difficult ends of training ranges."""
    return {
        **{Context("material", m.name): {} for m in MATERIALS.values() if m.trained},
        **{Context("hard", name): ranges for name, ranges in _HARD.items()},
    }


def _numerics() -> dict[Context, Mapping[str, Any]]:
    """Contexts of solver settings."""
    return {Context("numerics", name): {"numerics": s} for name, s in _NUMERICS.items()}


def _faults() -> dict[Context, Mapping[str, Any]]:
    """Contexts of links between body and computer, in worlds as trained."""
    return {Context("link", name): {} for name in LINKS}


@dataclass(frozen=True)
class Space:
    """A named family of scenarios."""

    name: str
    listed: Callable[[], Mapping[Context, Mapping[str, Any]]] = field(repr=False)
    """Contexts in order, each with the fields of TRAIN it replaces; reads the registries anew."""
    any_material: bool = False
    """Accept held-out materials as contexts, too."""
    same_worlds: bool = False
    """Make scenario i the same world in all contexts, for paired comparison of contexts."""

    @property
    def contexts(self) -> tuple[Context, ...]:
        """Contexts in order, the rows of a scorecard."""
        return tuple(self.listed())

    def context(self, slug: str) -> Context:
        """Context with this slug; raises InputError naming the known ones."""
        contexts = {context.slug: context for context in self.contexts}
        if slug not in contexts and self.any_material and slug in MATERIALS:
            return Context("material", slug)
        if slug not in contexts:
            raise InputError(
                f"unknown context {slug!r} of {self.name}; there are: {', '.join(contexts)}"
            )
        return contexts[slug]

    def draw(self, context: Context, index: int, robot: Robot = GREK) -> Scenario:
        """Scenario `index` (>= 0) of `context`; `robot` sets the number of encoder offsets."""
        ranges = dataclasses.replace(TRAIN, **self.listed().get(context, {}))
        draw = _Draw(self.name, "" if self.same_worlds else context.slug, index)
        if context.axis == "material":
            first = context.value
        elif ranges.first is not None:
            first = ranges.first
        elif self.same_worlds:  # balanced over materials
            first = ranges.materials[index % len(ranges.materials)]
        else:
            first = draw.choice("surface.first", ranges.materials)
        acts = () if ranges.acts is None else stage.drawn(ranges.acts, draw)
        return Scenario(
            name=f"{self.name}/{context.slug}:{index}",
            context=context,
            seed=draw.seed("seed"),
            heading=draw("heading", _ANGLE),
            shape=_shape(ranges, draw),
            surface=_surface(ranges, draw, first),
            body=Body(
                mass_scale=draw("body.mass_scale", ranges.mass_scale),
                payload=draw("body.payload", ranges.payload),
                base_com=draw.triple("body.base_com", ranges.base_com),
                head_scale=draw("body.head_scale", ranges.head_scale),
            ),
            motors=Motors(**{k: draw(f"motors.{k}", d) for k, d in ranges.motors.items()}),
            sensors=_errors(ranges, draw, len(robot.joints)),
            numerics=Numerics(**ranges.numerics),
            commands=stage.commands(acts) or _commands(ranges, draw),
            pushes=_pushes(ranges, draw),
            acts=acts,
        )

    def numbered(self, number: int, robot: Robot = GREK) -> Scenario:
        """Scenario of the short form SPACE:NUMBER, which cycles through the contexts.

        Its meaning changes when a context is added; that of a full name does not.
        """
        contexts = self.contexts
        index, context = divmod(number, len(contexts))
        return self.draw(contexts[context], index, robot)


SPACES = Registry(
    "space",
    Space("train", _trained, any_material=True),
    Space("tune", _tuning),
    Space("heldout", _held_out),
    Space("numerics", _numerics, same_worlds=True),
    Space("everywhere", _everywhere),
    Space("faults", _faults, same_worlds=True),
    Space("stage", stage.trained),
    Space("tour", stage.touring),
    Space("transitions", stage.transitions),
)
space = SPACES.named

TRAINABLE = ("train", "everywhere", "stage")
"""Spaces to train in. A policy that trained "everywhere" has met the held-out ranges, in worlds of
its own: what another loses against it on held-out rows is lack of transfer, not difficulty."""

GROUPS = ("materials", "shapes", "bodies", "commands", "disturbances")
"""Kinds of held-out axes, whose losses are averaged apart."""
_GROUP = {
    **dict.fromkeys(("material", "friction"), "materials"),
    **dict.fromkeys(("payload", "mass_centre", "head"), "bodies"),
    **dict.fromkeys(("strength", "stiffness", "delay", "sensors"), "bodies"),
    "speed": "commands",
    "pushes": "disturbances",
}


def command_ranges(name: str) -> tuple[tuple[float, float], ...]:
    """Smallest and largest vx, vy [m/s] and yaw rate [rad/s] commanded in any context of a space.

    Raises InputError for an unknown space.
    """
    contexts = [dataclasses.replace(TRAIN, **fields) for fields in space(name).listed().values()]
    columns = [(c.forward, c.sideways, c.yaw_rate) for c in contexts]
    return tuple(
        (min(d.low for d in column), max(d.high for d in column))
        for column in zip(*columns, strict=True)
    )


def axis_group(axis: str) -> str:
    """Member of GROUPS that a held-out axis belongs to; a registered shape is a shape."""
    return _GROUP.get(axis, "shapes")


_INSIDE = (Context("material", "wood"), Context("friction", "near"))
"""Held-out rows within training in effect: wood is concrete of another friction, 5 in 6 draws
within its range, and the film of wet concrete reaches the friction of the other in fast slip."""
_FAR = ("ice", "snow", "mud", "wet_leaves", "soft_contact", "pyramidal", "far")


def parse(text: str, robot: Robot = GREK) -> Scenario:
    """Scenario named SPACE/CONTEXT:INDEX, or SPACE:NUMBER for short; #SCRIPT after it is its acts.

    Raises InputError for another format, an unknown space or context, or a script at fault.
    """
    if isinstance(text, str) and "#" in text:
        name, _, script = text.partition("#")
        return stage.scripted(parse(name, robot), script)
    found = _NAME.fullmatch(text) if isinstance(text, str) else None
    if not found:
        raise InputError(f"scenario {text!r} is not SPACE/CONTEXT:INDEX, for example train/sand:41")
    name, slug, index = found.groups()
    drawn = space(name)
    if slug is None:
        return drawn.numbered(int(index), robot)
    return drawn.draw(drawn.context(slug), int(index), robot)


def zone(space: str, context: Context) -> str | None:
    """Distance of a row from the training ranges: "inside", "near" (just outside) or "far".

    The tuning space lies inside: settings are chosen on it, never on a space that measures
    transfer. So do held-out rows that differ from training in name but hardly in effect. None for
    rows of the numerics space that average over solver settings.
    """
    if (
        space in ("train", "tune", "everywhere", "stage", "transitions")
        or context.value == "as_trained"
        or context in _INSIDE
    ):
        return "inside"
    if space == "numerics" and context.axis != "numerics":
        return None  # a material, averaged over solver settings
    return "far" if context.value in _FAR else "near"


class _Draw:
    """Random values of one scenario, each a function of its factor's name."""

    def __init__(self, space: str, context: str, index: int) -> None:
        self._key = hashing.combine(hashing.name_key(space), hashing.name_key(context), index)

    def uniform(self, name: str, number: int = 0) -> float:
        """Uniform value in [0, 1) for repetition `number` of the factor `name`."""
        return hashing.unit(self._key, hashing.name_key(name), number)

    def __call__(self, name: str, distribution: Distribution, number: int = 0) -> float:
        """Sample of `distribution`."""
        return distribution.quantile(self.uniform(name, number))

    def seed(self, name: str) -> int:
        """Integer in [0, 2^31)."""
        return int(self.uniform(name) * 2**31)

    def triple(self, name: str, distribution: Distribution) -> tuple[float, float, float]:
        """Three independent samples of `distribution`."""
        return self(name, distribution), self(name, distribution, 1), self(name, distribution, 2)

    def choice(self, name: str, among: tuple[str, ...]) -> str:
        """Element of `among`, all with equal probability."""
        return among[int(self.uniform(name) * len(among))]


def _shape(ranges: Ranges, draw: _Draw) -> Shape:
    """Shape of one of the combinations in `ranges.shapes`."""
    shares = np.cumsum(list(ranges.shapes.values()))
    chosen = (shares / shares[-1]).searchsorted(draw.uniform("shape.kinds"), "right")
    return tuple(
        ShapePart(name, _values(name, ranges, draw)) for name in list(ranges.shapes)[chosen]
    )


def _values(name: str, ranges: Ranges, draw: _Draw) -> dict[str, float]:
    """Parameters of the shape kind `name`; one called "seed" is truncated to an integer."""
    kind, values = SHAPES[name], {}
    for parameter in kind.parameters:
        size = ranges.sizes.get(name) if parameter.name == kind.size else None
        value = draw(f"shape.{name}.{parameter.name}", size or parameter.range)
        values[parameter.name] = float(int(value)) if parameter.whole else value
    return values


def _surface(ranges: Ranges, draw: _Draw, first: str) -> Surface:
    """Surface of the material `first` and, in mixed worlds, a second one."""
    names, layout = [first], LAYOUTS[0]
    others = tuple(name for name in ranges.materials if name != first)
    if others and draw.uniform("surface.mixed") < ranges.mixed:
        names.append(draw.choice("surface.second", others))
        layout = draw.choice("surface.layout", LAYOUTS[1:])
    friction = ranges.friction
    rows = []
    for slot, name in enumerate(names):
        row = MATERIALS[name].draw(
            lambda parameter, slot=slot: draw.uniform(f"surface.{parameter}", slot)  # type: ignore[misc]
        )
        if friction is not None:
            row[_FRICTION] = draw("surface.friction", friction, slot)
        rows.append(tuple(row.tolist()))
    return Surface(
        materials=tuple(names),
        parameters=tuple(rows),
        layout=layout,
        length=draw("surface.length", Uniform(0.3, 1.2)),
        heading=draw("surface.heading", _ANGLE),
        seed=draw.seed("surface.seed"),
    )


def _errors(ranges: Ranges, draw: _Draw, joints: int) -> Sensors:
    """Sensor errors for `joints` acting joints."""
    errors = ranges.sensors
    tilt, offset = errors["tilt"], errors["joint_offset"]
    return Sensors(
        gyro_noise=draw("sensors.gyro_noise", errors["gyro_noise"]),
        gyro_bias=draw.triple("sensors.gyro_bias", errors["gyro_bias"]),
        gravity_noise=draw("sensors.gravity_noise", errors["gravity_noise"]),
        tilt=(draw("sensors.tilt", tilt), draw("sensors.tilt", tilt, 1)),
        joint_noise=draw("sensors.joint_noise", errors["joint_noise"]),
        joint_offset=tuple(draw("sensors.joint_offset", offset, k) for k in range(joints)),
        velocity_noise=draw("sensors.velocity_noise", errors["velocity_noise"]),
        delay=draw("sensors.late", ranges.latency),
        attitude_time=draw("sensors.attitude_time", ranges.attitude_time),
    )


def _commands(ranges: Ranges, draw: _Draw) -> tuple[Command, ...]:
    """Commands of an episode, each for 4 to 8 s; 28 % walk straight, 12 % turn, 10 % stand."""
    commands: list[Command] = []
    time = 0.0
    while time < EPISODE:
        k = len(commands)
        kind = draw.uniform("command.kind", k)
        forward, left, turn = (
            draw(f"command.{name}", getattr(ranges, name), k)
            for name in ("forward", "sideways", "yaw_rate")
        )
        if kind < 0.10:  # stand
            forward = left = turn = 0.0
        elif kind < 0.22:  # turn in place
            forward = left = 0.0
        elif kind < 0.50:  # walk straight
            left = turn = 0.0
        look = (
            draw("command.look_pitch", Uniform(-0.3, 0.4), k),
            draw("command.look_yaw", Uniform(-0.8, 0.8), k),
        )
        commands.append(Command(time, (forward, left), turn, look))
        time += draw("command.duration", Uniform(4.0, 8.0), k)
    return tuple(commands)


def _pushes(ranges: Ranges, draw: _Draw) -> tuple[Push, ...]:
    """Pushes of an episode in uniform directions, 4 to 8 s apart."""
    pushes: list[Push] = []
    time = draw("push.first", Uniform(2.0, 8.0))
    while time < EPISODE:
        k = len(pushes)
        speed, angle = draw("push.speed", ranges.push, k), draw("push.angle", _ANGLE, k)
        pushes.append(Push(time, (float(speed * np.cos(angle)), float(speed * np.sin(angle)))))
        time += draw("push.interval", Uniform(4.0, 8.0), k)
    return tuple(pushes)
