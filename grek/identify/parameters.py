"""Numbers of a body that are estimated, and the scenario that they stand for."""

from dataclasses import dataclass

from grek.envs.robots import Robot
from grek.envs.scenarios.scenario import Body, Motors, Scenario, Sensors
from grek.envs.vectors import Array

PHYSICS_STEP = 0.005  # of the model, to which a motor's delay is rounded up [s]


@dataclass(frozen=True)
class Parameter:
    """A number of a body, with what is known of it beforehand."""

    name: str
    """Section and entry of a space file, such as "motors.strength"."""
    unit: str
    """Unit, "-" for none."""
    nominal: float
    """Value by design."""
    spread: float
    """Standard deviation of bodies as built about `nominal`: a weak prior."""
    low: float
    """Lowest value considered."""
    high: float
    """Highest value considered."""


def parameters(robot: Robot) -> tuple[Parameter, ...]:
    """Numbers of `robot`, in the order in which `scenario` takes them."""
    scales = ("strength", "stiffness", "damping", "armature", "friction")
    return (
        *(Parameter(f"motors.{name}", "-", 1.0, 0.4, 0.05, 4.0) for name in scales),
        Parameter("motors.delay", "s", 0.012, 0.01, PHYSICS_STEP, 0.055),
        Parameter("body.mass_scale", "-", 1.0, 0.06, 0.5, 2.0),
        Parameter("body.payload", "kg", 0.0, 1.0, -3.0, 8.0),
        *(Parameter(f"body.base_com.{axis}", "m", 0.0, 0.02, -0.15, 0.15) for axis in "xyz"),
        Parameter("body.head_scale", "-", 1.0, 0.25, 0.2, 4.0),
        Parameter("sensors.latency", "control steps", 0.5, 0.4, 0.0, 3.0),
        Parameter("sensors.attitude_time", "s", 1.0, 0.5, 0.1, 10.0),
        *(Parameter(f"sensors.tilt.{axis}", "rad", 0.0, 0.015, -0.3, 0.3) for axis in TILT),
        *(Parameter(f"sensors.gyro_bias.{axis}", "rad/s", 0.0, 0.05, -1.0, 1.0) for axis in "xyz"),
        *(
            Parameter(f"sensors.joint_offset.{joint}", "rad", 0.0, 0.015, -0.3, 0.3)
            for joint in robot.joints
        ),
    )


TILT = ("roll", "pitch")


def scenario(values: Array) -> Scenario:
    """A body of `values`, in the order of `parameters`, on level concrete, without noise."""
    v = [float(value) for value in values]
    return Scenario(
        motors=Motors(*v[:6]),
        body=Body(v[6], v[7], (v[8], v[9], v[10]), v[11]),
        sensors=Sensors(
            delay=v[12],
            attitude_time=v[13],
            tilt=(v[14], v[15]),
            gyro_bias=(v[16], v[17], v[18]),
            joint_offset=tuple(v[19:]),
        ),
    )
