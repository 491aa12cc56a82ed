"""Scenarios: the same for ever, disjoint, and every factor in them really does something."""

import dataclasses
import json
import math

import numpy as np
import pytest

from grek.envs.ground.materials import MATERIALS, index
from grek.envs.ground.shapes import Shape
from grek.envs.scenarios.scenario import (
    TRAINING_SCENARIOS,
    Body,
    Command,
    Motors,
    Numerics,
    Push,
    Scenario,
    ScenarioSpace,
    Sensors,
    Surface,
    parse,
)
from grek.envs.scenarios.spaces import SPACES, zone
from grek.envs.tasks.walk import Walk
from grek.errors import InputError

FRICTION = index("friction")


def material(name: str) -> tuple[float, ...]:
    return tuple(MATERIALS[name].nominal().tolist())


BASE = Scenario(
    shape=Shape(slope=0.03, wave_height=0.02, roughness=0.004, step_height=0.01, step_length=0.1),
    surface=Surface(
        ("dry_concrete", "wet_concrete"),
        (material("dry_concrete"),) * 2,
        "strips",
        length=0.05,
    ),
    sensors=Sensors(gyro_noise=0.1),
    commands=(Command(0.0, (0.3, 0.0), 0.2),),
    pushes=(Push(0.1, (0.3, 0.0)),),
)

# A changed value for every factor; the test below fails if one is missing here.
CHANGES = {
    "seed": 7,
    "heading": 1.0,
    "shape.slope": 0.06,
    "shape.slope_heading": 1.0,
    "shape.wave_height": 0.04,
    "shape.wave_length": 0.8,
    "shape.wave_heading": 1.0,
    "shape.roughness": 0.008,
    "shape.roughness_length": 0.2,
    "shape.step_height": 0.03,
    "shape.step_length": 0.3,
    "shape.step_heading": 1.0,
    "shape.seed": 5,
    "surface.parameters": (material("ice"), material("ice")),
    "surface.layout": "patches",
    "surface.length": 0.12,
    "surface.heading": 1.0,
    "surface.seed": 5,
    "body.mass_scale": 1.1,
    "body.payload": 1.0,
    "body.torso_com": (0.01, 0.0, 0.0),
    "body.head_scale": 1.2,
    "motors.strength": 0.2,
    "motors.stiffness": 0.8,
    "motors.damping": 1.2,
    "motors.armature": 1.2,
    "motors.friction": 1.5,
    "motors.delay": 0.015,
    "sensors.gyro_noise": 0.2,
    "sensors.gyro_bias": (0.1, 0.0, 0.0),
    "sensors.gravity_noise": 0.1,
    "sensors.tilt": (0.05, 0.0),
    "sensors.joint_noise": 0.01,
    "sensors.joint_offset": (0.02,) * 10,
    "sensors.velocity_noise": 0.5,
    "sensors.delay": 1,
    "numerics.timestep": 0.0025,
    "numerics.integrator": "implicit",
    "numerics.cone": "pyramidal",
    "numerics.impratio": 1.0,
    "numerics.iterations": 1,
    "numerics.contact_time": 0.03,
    "commands": (Command(0.0, (0.0, 0.2), 0.2),),
    "pushes": (),
}
NAMES_ONLY = {"name", "context", "surface.materials"}  # labels: nothing is computed from them


def factors() -> list[str]:
    """Every leaf of Scenario, dotted."""
    found = []
    for outer in dataclasses.fields(Scenario):
        value = getattr(BASE, outer.name)
        if dataclasses.is_dataclass(value):
            found += [f"{outer.name}.{inner.name}" for inner in dataclasses.fields(value)]
        else:
            found.append(outer.name)
    return found


def life(scenario: Scenario) -> np.ndarray:
    """What a droid sees and does in the first 0.8 s of `scenario`."""
    walk = Walk(1)
    walk.reset([0], [scenario])
    rng = np.random.default_rng(0)
    seen = []
    for _ in range(40):
        walk.step(rng.normal(size=(1, 10)) * 0.3)
        seen.append(np.concatenate([walk.observe(privileged=True)[0], walk.state.position_w[0]]))
    return np.array(seen)


@pytest.mark.parametrize("factor", [f for f in factors() if f not in NAMES_ONLY])
def test_every_factor_changes_physics_or_observation(factor):
    base = BASE
    if factor in ("surface.layout", "surface.length", "surface.heading", "surface.seed"):
        two = (material("dry_concrete"), material("ice"))
        base = dataclasses.replace(BASE, surface=dataclasses.replace(BASE.surface, parameters=two))
    outer, _, inner = factor.partition(".")
    value = CHANGES[factor]
    if inner:
        value = dataclasses.replace(getattr(base, outer), **{inner: value})
    other = dataclasses.replace(base, **{outer: value})
    assert np.abs(life(other) - life(base)).max() > 1e-6


def test_no_factor_is_forgotten():
    assert set(factors()) == set(CHANGES) | NAMES_ONLY


def test_the_same_life_twice():
    assert np.array_equal(life(BASE), life(BASE))


@pytest.mark.parametrize("space", list(SPACES))
def test_an_index_is_the_same_world_for_ever(space):
    assert ScenarioSpace(space).draw(41) == ScenarioSpace(space).draw(41)
    assert parse(f"{space}:41") == ScenarioSpace(space).draw(41)
    assert json.loads(json.dumps(dataclasses.asdict(ScenarioSpace(space).draw(41))))


def test_worlds_differ():
    drawn = [ScenarioSpace(space).draw(i) for space in ("train", "heldout") for i in range(200)]
    drawn += [
        ScenarioSpace("numerics").draw(i * len(SPACES["numerics"].contexts)) for i in range(9)
    ]
    assert len({s.seed for s in drawn}) == len(drawn)


def test_every_context_has_its_turn_and_means_what_it_says():
    for name, ranges in SPACES.items():
        space = ScenarioSpace(name)
        count = len(space.contexts)
        drawn = [space.draw(i) for i in range(3 * count)]
        assert [s.context for s in drawn] == list(ranges.contexts) * 3
        for scenario in drawn:
            axis, value = scenario.context
            if axis == "material":
                assert scenario.surface.materials[0] == value


AXES = {  # what each held-out axis draws, and the largest of it in training
    "slope": (lambda s: s.shape.slope, 0.10),
    "waves": (lambda s: s.shape.wave_height, 0.04),
    "roughness": (lambda s: s.shape.roughness, 0.008),
    "steps": (lambda s: s.shape.step_height, 0.025),
    "friction": (lambda s: -s.surface.parameters[0][FRICTION], -0.55),
    "payload": (lambda s: s.body.payload, 0.5),
    "mass_centre": (lambda s: min(abs(c) for c in s.body.torso_com), 0.015),
    "head": (lambda s: s.body.head_scale, 1.1),
    "strength": (lambda s: -s.motors.strength, -0.85),
    "stiffness": (lambda s: -s.motors.stiffness, -0.85),
    "delay": (lambda s: s.motors.delay, 0.015),
    "sensors": (lambda s: min(s.sensors.gyro_noise / 0.15, abs(s.sensors.tilt[0]) / 0.02), 1.0),
    "pushes": (lambda s: min(math.hypot(*p.velocity) for p in s.pushes), 0.35),
    "speed": (
        lambda s: min((c.velocity[0] for c in s.commands if c.velocity[0]), default=0.6),
        0.6,
    ),
}


def test_held_out_axes_begin_where_training_ends():
    held, train = ScenarioSpace("heldout"), ScenarioSpace("train")
    count = len(held.contexts)
    assert {axis for axis, _ in held.contexts} == {"material", *AXES}
    for i in range(5 * count):
        scenario = held.draw(i)
        axis, _ = scenario.context
        assert zone("heldout", *scenario.context) in ("near", "far")
        for name, (value, most) in AXES.items():
            if name == axis:
                assert value(scenario) >= most - 1e-12
            elif name != "friction":  # the materials have theirs
                assert value(scenario) <= most
        if axis != "material":
            assert MATERIALS[scenario.surface.materials[0]].trained
    assert all(zone("train", *context) == "inside" for context in train.contexts)


def test_far_is_farther_than_near():
    held = ScenarioSpace("heldout")
    count = len(held.contexts)
    drawn = [held.draw(i) for i in range(8 * count)]
    for axis, (value, _) in AXES.items():
        near, far = (
            [value(s) for s in drawn if s.context == (axis, zone)] for zone in ("near", "far")
        )
        assert sum(far) / len(far) > sum(near) / len(near)


def test_held_out_materials_are_never_trained_on():
    space = ScenarioSpace("train")
    for i in range(500):
        assert all(MATERIALS[m].trained for m in space.draw(i).surface.materials)
    for name in ("ice", "snow", "mud", "grass", "wet_leaves"):
        assert not MATERIALS[name].trained


def test_numerics_are_the_same_worlds_solved_otherwise():
    space = ScenarioSpace("numerics")
    count = len(space.contexts)
    worlds = [
        dataclasses.replace(space.draw(i), name="", context=("", ""), numerics=Numerics())
        for i in range(count)
    ]
    assert all(world == worlds[0] for world in worlds)
    assert len({space.draw(i).numerics for i in range(count)}) == count


def test_eased_worlds_are_easier():
    full = ScenarioSpace("train").draw(8)
    easy = full.eased(0.0)
    assert easy.shape.slope == easy.shape.roughness == easy.shape.step_height == 0
    assert all(push.velocity == (0, 0) for push in easy.pushes)
    assert full.eased(1.0) == full
    assert easy.commands[0].velocity[0] == pytest.approx(0.5 * full.commands[0].velocity[0])


@pytest.mark.parametrize("name", ["train:x", "train", "train:-1", "mars:3", "train:1.5", ""])
def test_bad_names_are_refused(name):
    with pytest.raises(InputError, match=r"SPACE:INDEX|unknown space"):
        parse(name)


def test_materials_can_be_restricted():
    for i in range(20):
        drawn = ScenarioSpace("train").draw(i, ("dry_concrete",))
        assert drawn.surface.materials == ("dry_concrete",)
    assert TRAINING_SCENARIOS == 300_000
    assert (Body(), Motors()) == (Scenario().body, Scenario().motors)


def test_other_numerics_meet_every_material_alike():
    space = ScenarioSpace("numerics")
    rows, materials = len(space.contexts), space.ranges.materials
    for turn in range(10):
        same = [space.draw(turn * rows + i).surface for i in range(rows)]
        assert all(surface == same[0] for surface in same)
        assert same[0].materials[0] == materials[turn % len(materials)]
