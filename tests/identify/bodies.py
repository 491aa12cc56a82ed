"""Bodies with hidden numbers, and the logs that they give."""

from pathlib import Path

import numpy as np

from grek.envs.scenarios.scenario import Body, Motors, Scenario, Sensors
from grek.identify.parameters import PHYSICS_STEP, parameters
from grek.onboard import log, plant, replay
from grek.onboard.computer import message_of
from grek.onboard.excitation import Excited, excitation


def hidden(rng: np.random.Generator) -> Scenario:
    """A body that stands on its own stiffness, with numbers up to twice as far out as in training.

    Mass and offsets are those of bodies as built: logs alone do not tell all of them.
    """
    u = rng.uniform
    return Scenario(
        "hidden",
        seed=int(rng.integers(2**31)),
        body=Body(u(0.9, 1.1), u(-0.5, 1.0), tuple(u(-0.02, 0.02, 3).tolist()), u(0.8, 1.3)),
        motors=Motors(
            strength=u(0.7, 1.1),
            stiffness=u(0.9, 1.3),
            damping=u(0.7, 1.3),
            armature=u(0.7, 1.4),
            friction=u(0.5, 2.0),
            delay=u(0.0, 0.025),
        ),
        sensors=Sensors(
            gyro_noise=u(0.01, 0.15),
            gyro_bias=tuple(u(-0.05, 0.05, 3).tolist()),
            gravity_noise=u(0.003, 0.03),
            tilt=tuple(u(-0.02, 0.02, 2).tolist()),
            joint_noise=u(0.001, 0.01),
            joint_offset=tuple(u(-0.02, 0.02, 10).tolist()),
            velocity_noise=u(0.05, 0.6),
            delay=u(0.0, 1.0),
            attitude_time=u(0.5, 2.0),
        ),
    )


def values(scenario: Scenario) -> dict[str, float]:
    """Numbers of a body by the names of the parameters."""
    motors, body, sensors = scenario.motors, scenario.body, scenario.sensors
    numbers = (
        *(motors.strength, motors.stiffness, motors.damping, motors.armature, motors.friction),
        motors.delay,
        *(body.mass_scale, body.payload, *body.base_com, body.head_scale),
        *(sensors.delay, sensors.attitude_time, *sensors.tilt, *sensors.gyro_bias),
        *sensors.joint_offset,
    )
    names = [p.name for p in parameters(plant.GREK)]
    return dict(zip(names, map(float, numbers), strict=True))


def logged(
    scenario: Scenario, kind: str, path: Path, steps: int = 401, engine: str | None = None
) -> float:
    """Write the log of a body under the excitation `kind`; returns its mass [kg]."""
    held = kind == "air"
    body, driver = plant.Body(scenario, hung=held, engine=engine), Excited(excitation(kind))
    with log.recording(path, replay.about(scenario, plant.GREK.name, held)) as record:
        for step in range(steps):
            reading = body.reading(0.02 * step)
            targets = driver.step(reading)
            body.follow(targets)
            clock = round(0.02e9 * step)
            record("/reading", clock, message_of(reading))
            applied = {"step": step, "mode": "drive", "joints": targets.tolist()}
            record("/applied", clock, applied)
            record("/state", clock, plant._state(body))
    return float(body.batch.simulation.engine.mass[0])


def acts(delay: float) -> float:
    """Delay [s] that acts: whole physics steps."""
    return max(float(np.ceil(delay / PHYSICS_STEP - 1e-9)), 1.0) * PHYSICS_STEP
