"""Drawing of one scenario from ranges: each factor is a quantile at a hash of its name.

A factor is the quantile of its distribution at a hash of space, context, index and factor name.
"""

import numpy as np

from grek.envs import hashing
from grek.envs.distributions import Distribution, Uniform
from grek.envs.ground import materials
from grek.envs.ground.materials import MATERIALS
from grek.envs.ground.shapes import SHAPES, Shape, ShapePart
from grek.envs.ground.surface import LAYOUTS, Surface
from grek.envs.scenarios import stage
from grek.envs.scenarios.ranges import Each, Ranges
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

_FRICTION = materials.index("friction")
_ANGLE = Uniform(-np.pi, np.pi)  # [rad]


def drawn(
    ranges: Ranges, key: tuple[str, str, int], context: Context, name: str, joints: int
) -> Scenario:
    """Scenario `name` of `context` with factors from `ranges`, for `joints` acting joints.

    `key` is space, context and index, of which each factor is a function. The first material is
    that of a context of the axis "material"; `ranges.first`; one of `ranges.materials` in turn by
    index if `key` names no context; else drawn.
    """
    _, shared, index = key
    draw = _Draw(*key)
    if context.axis == "material":
        first = context.value
    elif ranges.first is not None:
        first = ranges.first
    elif not shared:  # balanced over materials
        first = ranges.materials[index % len(ranges.materials)]
    else:
        first = draw.choice("surface.first", ranges.materials)
    acts = () if ranges.acts is None else stage.drawn(ranges.acts, draw)
    return Scenario(
        name=name,
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
        sensors=_errors(ranges, draw, joints),
        numerics=Numerics(**ranges.numerics),
        commands=stage.commands(acts) or _commands(ranges, draw),
        pushes=_pushes(ranges, draw),
        acts=acts,
    )


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

    def each(self, name: str, distributions: Each, count: int) -> tuple[float, ...]:
        """Independent samples of a factor's `count` components."""
        if not isinstance(distributions, tuple):
            distributions = (distributions,) * count
        return tuple(self(name, d, k) for k, d in zip(range(count), distributions, strict=True))

    def one(self, name: str, distributions: Each) -> float:
        """Sample of a factor with one component."""
        return self.each(name, distributions, 1)[0]

    def pair(self, name: str, distributions: Each) -> tuple[float, float]:
        """Samples of a factor with two components."""
        first, second = self.each(name, distributions, 2)
        return first, second

    def triple(self, name: str, distributions: Each) -> tuple[float, float, float]:
        """Samples of a factor with three components."""
        first, second, third = self.each(name, distributions, 3)
        return first, second, third

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
    return Sensors(
        gyro_noise=draw.one("sensors.gyro_noise", errors["gyro_noise"]),
        gyro_bias=draw.triple("sensors.gyro_bias", errors["gyro_bias"]),
        gravity_noise=draw.one("sensors.gravity_noise", errors["gravity_noise"]),
        tilt=draw.pair("sensors.tilt", errors["tilt"]),
        joint_noise=draw.one("sensors.joint_noise", errors["joint_noise"]),
        joint_offset=draw.each("sensors.joint_offset", errors["joint_offset"], joints),
        velocity_noise=draw.one("sensors.velocity_noise", errors["velocity_noise"]),
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
