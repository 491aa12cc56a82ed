"""Scenarios: the same for ever, disjoint, and every factor in them really does something."""

import dataclasses
import json
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from grek.envs.ground.materials import MATERIALS, index
from grek.envs.ground.shapes import part, sizes
from grek.envs.ground.surface import Surface
from grek.envs.motions.act import Act
from grek.envs.robots import GREK
from grek.envs.scenarios.scenario import (
    EASIEST_BEARING,
    Body,
    Command,
    Context,
    Motors,
    Numerics,
    Push,
    Scenario,
    Sensors,
    from_plain,
    to_plain,
)
from grek.envs.scenarios.spaces import (
    SPACES,
    TRAINING_SCENARIOS,
    command_ranges,
    parse,
    space,
    zone,
)
from grek.envs.tasks import TaskBatch, staging, walking
from grek.errors import InputError

FRICTION = index("friction")


def material(name: str) -> tuple[float, ...]:
    return tuple(MATERIALS[name].nominal().tolist())


BASE = Scenario(
    shape=(
        part("slope", rise=0.03, heading=0.0),
        part("waves", height=0.02, length=1.0, heading=0.0, phase=1.7),
        part("relief", deviation=0.004, length=0.3, seed=0),
        part("steps", height=0.01, length=0.1, heading=0.0, seed=0),
    ),
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
    "shape.slope.rise": 0.06,
    "shape.slope.heading": 1.0,
    "shape.waves.height": 0.04,
    "shape.waves.length": 0.8,
    "shape.waves.heading": 1.0,
    "shape.waves.phase": 3.0,
    "shape.relief.deviation": 0.008,
    "shape.relief.length": 0.2,
    "shape.relief.seed": 5,
    "shape.steps.height": 0.03,
    "shape.steps.length": 0.3,
    "shape.steps.heading": 1.0,
    "shape.steps.seed": 5,
    "surface.parameters": (material("ice"), material("ice")),
    "surface.layout": "patches",
    "surface.length": 0.12,
    "surface.heading": 1.0,
    "surface.seed": 5,
    "body.mass_scale": 1.1,
    "body.payload": 1.0,
    "body.base_com": (0.01, 0.0, 0.0),
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
    "sensors.attitude_time": 1.0,
    "numerics.timestep": 0.0025,
    "numerics.integrator": "implicit",
    "numerics.cone": "pyramidal",
    "numerics.impratio": 1.0,
    "numerics.iterations": 1,
    "numerics.contact_time": 0.03,
    "commands": (Command(0.0, (0.0, 0.2), 0.2),),
    "pushes": (),
    "acts": (Act(0.0, "sit"),),
}
NAMES_ONLY = {"name", "context", "surface.materials"}  # labels: nothing is computed from them


def factors() -> list[str]:
    """Every leaf of Scenario, dotted."""
    found = []
    for outer in dataclasses.fields(Scenario):
        value = getattr(BASE, outer.name)
        if dataclasses.is_dataclass(value):
            found += [f"{outer.name}.{inner.name}" for inner in dataclasses.fields(value)]
        elif outer.name == "shape":
            found += [f"shape.{p.kind}.{name}" for p in value for name in p.values]
        else:
            found.append(outer.name)
    return found


def changed(scenario: Scenario, factor: str, value: Any) -> Scenario:
    """`scenario` with another value of one factor."""
    outer, *inner = factor.split(".")
    if outer == "shape":
        kind, name = inner
        parts = tuple(
            dataclasses.replace(p, values={**p.values, name: value}) if p.kind == kind else p
            for p in scenario.shape
        )
        return dataclasses.replace(scenario, shape=parts)
    if inner:
        value = dataclasses.replace(getattr(scenario, outer), **{inner[0]: value})
    return dataclasses.replace(scenario, **{outer: value})


def life(scenario: Scenario) -> np.ndarray:
    """Observations and positions in the first 0.8 s of `scenario`."""
    walk = TaskBatch(staging() if scenario.acts else walking(), 1)
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
        base = changed(BASE, "surface.parameters", two)
    if factor == "acts":
        base = changed(BASE, "acts", (Act(0.0, "stand"),))
    other = changed(base, factor, CHANGES[factor])
    assert np.abs(life(other) - life(base)).max() > 1e-6


def test_no_factor_is_forgotten():
    assert set(factors()) == set(CHANGES) | NAMES_ONLY


def test_the_same_life_twice():
    assert np.array_equal(life(BASE), life(BASE))


@pytest.mark.parametrize("name", list(SPACES))
def test_an_index_is_the_same_world_for_ever(name):
    first = space(name).contexts[0]
    assert space(name).draw(first, 41) == space(name).draw(first, 41)
    assert parse(f"{name}/{first.slug}:41") == space(name).draw(first, 41)
    assert parse(f"{name}:41") == space(name).numbered(41)
    assert json.loads(json.dumps(to_plain(space(name).numbered(41))))


def test_worlds_differ():
    drawn = [space(name).numbered(i) for name in ("train", "heldout") for i in range(200)]
    drawn += [space("numerics").draw(space("numerics").contexts[0], i) for i in range(9)]
    assert len({s.seed for s in drawn}) == len(drawn)


def test_every_context_has_its_turn_and_means_what_it_says():
    for each in SPACES.values():
        count = len(each.contexts)
        drawn = [each.numbered(i) for i in range(3 * count)]
        assert [s.context for s in drawn] == list(each.contexts) * 3
        for scenario in drawn:
            axis, value = scenario.context
            if axis == "material":
                assert scenario.surface.materials[0] == value


def size(kind: str) -> Callable[[Scenario], float]:
    """Size of one kind of unevenness of a world; 0 where it has no such part."""
    return lambda s: sizes(s.shape).get(kind, 0.0)


AXES = {  # what each held-out axis draws, and the largest of it in training
    "slope": (size("slope"), 0.10),
    "waves": (size("waves"), 0.04),
    "relief": (size("relief"), 0.008),
    "steps": (size("steps"), 0.025),
    "friction": (lambda s: -s.surface.parameters[0][FRICTION], -0.55),
    "payload": (lambda s: s.body.payload, 0.5),
    "mass_centre": (lambda s: min(abs(c) for c in s.body.base_com), 0.015),
    "head": (lambda s: s.body.head_scale, 1.1),
    "strength": (lambda s: -s.motors.strength, -0.85),
    "stiffness": (lambda s: -s.motors.stiffness, -0.85),
    "delay": (lambda s: s.sensors.delay * 0.02 + s.motors.delay, 0.035),
    "sensors": (lambda s: min(s.sensors.gyro_noise / 0.15, abs(s.sensors.tilt[0]) / 0.02), 1.0),
    "pushes": (lambda s: min(math.hypot(*p.velocity) for p in s.pushes), 0.35),
    "speed": (
        lambda s: min((c.velocity[0] for c in s.commands if c.velocity[0]), default=0.6),
        0.6,
    ),
}


def test_held_out_axes_begin_where_training_ends():
    held, train = space("heldout"), space("train")
    count = len(held.contexts)
    assert {axis for axis, _ in held.contexts} == {"material", *AXES}
    for i in range(5 * count):
        scenario = held.numbered(i)
        axis, _ = scenario.context
        within = scenario.context in (("material", "wood"), ("friction", "near"))
        assert (zone("heldout", scenario.context) == "inside") == within
        for name, (value, most) in AXES.items():
            if name == axis:
                assert value(scenario) >= most - 1e-12
            elif name != "friction":  # the materials have theirs
                assert value(scenario) <= most
        if axis != "material":
            assert MATERIALS[scenario.surface.materials[0]].trained
    assert all(zone("train", context) == "inside" for context in train.contexts)


def test_everywhere_is_training_and_held_out_in_worlds_of_its_own():
    train, held, both = space("train"), space("heldout"), space("everywhere")
    assert both.contexts == (*train.contexts, *held.contexts)
    assert all(zone("everywhere", context) == "inside" for context in both.contexts)
    for of in (train, held):
        for context in of.contexts:
            one, other = of.draw(context, 5), both.draw(context, 5)
            assert (one.seed != other.seed and one.shape != other.shape) or not one.shape
    assert command_ranges("train") == ((-0.35, 0.6), (-0.2, 0.2), (-0.8, 0.8))
    assert command_ranges("everywhere") == ((-0.35, 0.9), (-0.2, 0.2), (-0.8, 0.8))


def test_the_tuning_space_is_within_training_and_shares_no_world_with_it():
    tune = space("tune")
    least = {  # what each difficult context is sure to have
        "late_sensors": (lambda s: s.sensors.delay, 0.8),
        "pushes": (lambda s: min(math.hypot(*p.velocity) for p in s.pushes), 0.25),
        "slope": (size("slope"), 0.05),
        "relief": (size("relief"), 0.004),
        "mixed": (lambda s: len(s.surface.materials), 2),
    }
    assert [c.value for c in tune.contexts if c.axis == "hard"] == list(least)
    for context in tune.contexts:
        assert zone("tune", context) == "inside"
        for i in range(20):
            scenario = tune.draw(context, i)
            assert all(MATERIALS[name].trained for name in scenario.surface.materials)
            for name, (value, most) in AXES.items():
                assert name == "friction" or value(scenario) <= most + 1e-12
            if context.axis == "hard":
                value, low = least[context.value]
                assert value(scenario) >= low - 1e-12
    trained = {space("train").draw(space("train").contexts[0], i).seed for i in range(200)}
    assert not trained & {tune.draw(tune.contexts[0], i).seed for i in range(200)}


def test_far_is_farther_than_near():
    held = space("heldout")
    count = len(held.contexts)
    drawn = [held.numbered(i) for i in range(8 * count)]
    for axis, (value, _) in AXES.items():
        near, far = (
            [value(s) for s in drawn if s.context == (axis, zone)] for zone in ("near", "far")
        )
        assert sum(far) / len(far) > sum(near) / len(near)


def test_held_out_materials_are_never_trained_on():
    for i in range(500):
        assert all(MATERIALS[m].trained for m in space("train").numbered(i).surface.materials)
    for name in ("ice", "snow", "mud", "grass", "wet_leaves"):
        assert not MATERIALS[name].trained


def test_numerics_are_the_same_worlds_solved_otherwise():
    numerics = space("numerics")
    drawn = [numerics.draw(context, 0) for context in numerics.contexts]
    same = {"name": "", "context": Context("", ""), "numerics": Numerics()}
    worlds = [dataclasses.replace(scenario, **same) for scenario in drawn]
    assert all(world == worlds[0] for world in worlds)
    assert len({scenario.numerics for scenario in drawn}) == len(numerics.contexts)


def test_eased_worlds_are_easier():
    full = dataclasses.replace(parse("train/gravel:8"), shape=BASE.shape)
    easy = full.eased(0.0)
    assert sizes(easy.shape) == {}
    assert full.pushes and all(push.velocity == (0, 0) for push in easy.pushes)
    assert full.eased(1.0) == full
    assert easy.commands[0].velocity[0] == pytest.approx(0.5 * full.commands[0].velocity[0])
    half = full.eased(0.5)
    assert sizes(half.shape) == pytest.approx({k: v / 2 for k, v in sizes(full.shape).items()})
    before, after = full.surface.parameters[0], half.surface.parameters[0]
    names = ("bearing", "relief", "collapse_share", "friction")
    factors = [after[index(name)] / before[index(name)] for name in names]
    assert EASIEST_BEARING == 3.0
    assert factors == pytest.approx([3**0.5, 0.5, 0.5, 1.0])


@pytest.mark.parametrize(
    "name", ["train:x", "train", "train:-1", "mars:3", "train:1.5", "", "train/:3", "train/sand"]
)
def test_bad_names_are_refused(name):
    with pytest.raises(InputError, match=r"SPACE/CONTEXT:INDEX|unknown space"):
        parse(name)


def test_defaults_and_the_number_of_training_scenarios():
    assert TRAINING_SCENARIOS == 300_000
    assert (Body(), Motors()) == (Scenario().body, Scenario().motors)


def test_other_numerics_meet_every_material_alike():
    numerics = space("numerics")
    materials = ("dry_concrete", "wet_concrete", "sand", "gravel", "carpet")
    for turn in range(10):
        same = [numerics.draw(context, turn).surface for context in numerics.contexts]
        assert all(surface == same[0] for surface in same)
        assert same[0].materials[0] == materials[turn % len(materials)]


def test_plain_data_make_the_same_scenario():
    for scenario in (BASE, parse("heldout/relief-far:3"), parse("numerics/pyramidal:4")):
        assert from_plain(json.loads(json.dumps(to_plain(scenario)))) == scenario


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"heading": "north"}, r"Expected `float`, got `str` - at `\$.heading`"),
        ({"sensors": {"delay": "late"}}, r"Expected `float`.* at `\$.sensors.delay`"),
        ({"pushes": [{"time": 1.0}]}, r"missing required field `velocity`.*pushes\[0\]"),
        ({"surface": {"materials": ["a", "b", "c"]}}, "1 to 2 materials"),
    ],
)
def test_what_makes_no_scenario_is_refused(change, told):
    with pytest.raises(InputError, match=told):
        from_plain({**to_plain(BASE), **change})


def test_errors_of_encoders_are_drawn_for_every_joint_of_the_robot():
    tripod = dataclasses.replace(
        GREK,
        name="tripod",
        joints=GREK.joints[:3],
        pose_joints=(),
        home=(0.0,) * 3,
        static_offset=(),
        action_scale=(),
        look=None,
        lateral_joints=(),
    )
    three, ten = parse("train/sand:4", tripod), parse("train/sand:4")
    assert len(three.sensors.joint_offset) == 3
    offset = ten.sensors.joint_offset
    assert len(offset) == 10 and three.sensors.joint_offset == offset[:3]
    sensors = dataclasses.replace(three.sensors, joint_offset=offset)
    assert dataclasses.replace(three, sensors=sensors) == ten
