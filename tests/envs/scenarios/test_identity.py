"""A scenario is a function of its name: nothing that is added elsewhere changes it."""

import dataclasses
import math
from collections.abc import Iterator
from itertools import combinations
from types import MappingProxyType
from typing import Any

import numpy as np
import pytest
from scipy import stats

from grek.envs.distributions import Uniform
from grek.envs.episodes import EpisodeConfig, Episodes
from grek.envs.ground import materials, shapes
from grek.envs.ground.materials import MATERIALS, Look, Material, index, uniform
from grek.envs.ground.shapes import SHAPES, SLOPE, Parameter
from grek.envs.scenarios import draw, ranges
from grek.envs.scenarios.ranges import TRAIN
from grek.envs.scenarios.scenario import Context, Motors, Numerics, Scenario, to_plain
from grek.envs.scenarios.spaces import FIRST_EVALUATED, SPACES, parse, space
from grek.errors import InputError

NAMES = [
    f"{each.name}/{context.slug}:{number}"
    for each in SPACES.values()
    for context in each.contexts
    for number in (0, 7, 4711, FIRST_EVALUATED)
] + ["train/ice:5", "train/wood:300001"]


def plain(names: list[str] = NAMES) -> list[dict[str, Any]]:
    return [to_plain(parse(name)) for name in names]


@pytest.fixture(scope="module")
def before() -> list[dict[str, Any]]:
    """Every scenario of NAMES as it is without additions."""
    return plain()


# -- additions -----------------------------------------------------------------------------


@pytest.fixture
def clay(request: pytest.FixtureRequest) -> Iterator[Material]:
    """A material, trained on or not."""
    look = Look((0.6, 0.3, 0.2))
    quantities = {"friction": uniform(0.4, 0.3, 0.5)}
    yield materials.register(Material("clay", "clay", request.param, look, quantities))
    del MATERIALS["clay"]


@pytest.mark.parametrize("clay", [True, False], indirect=True)
def test_a_material_changes_no_other_world(before, clay):
    assert plain() == before
    of = space("train" if clay.trained else "heldout")
    assert Context("material", "clay") in of.contexts
    drawn = [parse(f"{of.name}/clay:{i}") for i in range(20)]
    assert {scenario.surface.materials[0] for scenario in drawn} == {"clay"}
    friction = [scenario.surface.parameters[0][index("friction")] for scenario in drawn]
    assert 0.3 <= min(friction) < 0.35 and 0.45 < max(friction) <= 0.5


@pytest.fixture
def crater() -> Iterator[None]:
    """A shape."""
    depth = Parameter("depth", "m", Uniform(0.0, 0.02), "of the middle")
    near, far = Uniform(0.02, 0.03), Uniform(0.03, 0.05)
    kind = dataclasses.replace(
        SLOPE, name="crater", parameters=(depth,), size="depth", near=near, far=far
    )
    shapes.register(kind)
    yield
    del SHAPES["crater"]


def test_a_shape_changes_no_other_world(before, crater):
    assert plain() == before
    for name, low, high in (
        ("train/crater:3", 0.0, 0.02),
        ("heldout/crater-near:3", 0.02, 0.03),
        ("heldout/crater-far:3", 0.03, 0.05),
    ):
        (part,) = parse(name).shape
        assert part.kind == "crater" and low <= part.values["depth"] <= high


def test_an_axis_changes_no_other_world(before, monkeypatch):
    axis = (lambda d: {"mass_scale": d}), Uniform(1.1, 1.2), Uniform(1.2, 1.4)
    monkeypatch.setattr(ranges, "AXES", {"heft": axis, **ranges.AXES})
    assert plain() == before
    assert 1.1 <= parse("heldout/heft-near:0").body.mass_scale <= 1.2
    assert 1.2 <= parse("heldout/heft-far:0").body.mass_scale <= 1.4


def test_a_factor_changes_no_other_factor(before, monkeypatch):
    """A new first entry of the motors, drawn before all others."""

    @dataclasses.dataclass(frozen=True)
    class MoreMotors(Motors):
        backlash: float = 0.0

    motors = {"backlash": Uniform(0.01, 0.02), **TRAIN.motors}
    monkeypatch.setattr(draw, "Motors", MoreMotors)
    monkeypatch.setattr(
        ranges, "TRAIN", dataclasses.replace(TRAIN, motors=MappingProxyType(motors))
    )
    after = plain()
    added = [scenario["motors"].pop("backlash") for scenario in after]
    assert after == before
    # A world of its own each, but for spaces whose contexts share their worlds.
    shared = tuple(each.name for each in SPACES.values() if each.same_worlds)
    numbered = {(n.split("/")[0], n.split(":")[1]) for n in NAMES if n.startswith(shared)}
    others = sum(not n.startswith(shared) for n in NAMES)
    assert len(set(added)) == others + len(numbered)
    assert all(0.01 <= value <= 0.02 for value in added)


def test_other_ranges_of_one_factor_change_no_other(before, monkeypatch):
    """Twice the payload: twice the payload."""
    wider = dataclasses.replace(TRAIN, payload=Uniform(-1.0, 1.0))
    monkeypatch.setattr(ranges, "TRAIN", wider)
    for old, new in zip(before, plain(), strict=True):
        if old["context"][0] != "payload":
            assert new["body"].pop("payload") == pytest.approx(2 * old["body"]["payload"])
            old = {**old, "body": {k: v for k, v in old["body"].items() if k != "payload"}}
        assert new == old


# -- names ---------------------------------------------------------------------------------


def test_names_round_trip():
    for each in SPACES.values():
        for context in each.contexts:
            drawn = each.draw(context, 17)
            assert drawn.name == f"{each.name}/{context.slug}:17"
            assert drawn.space == each.name and drawn.context == context
            assert parse(drawn.name) == drawn
            assert each.context(context.slug) == context
    assert len({parse(name).name for name in NAMES}) == len(NAMES)


def test_names_of_the_contract():
    assert parse("train/sand:41").context == Context("material", "sand")
    assert parse("heldout/slope-far:7").context == Context("slope", "far")
    assert parse("numerics/half_timestep:1").context == Context("numerics", "half_timestep")


def test_the_short_form_is_printed_in_full():
    """Number n of five trained materials is index n // 5 of material n % 5."""
    assert parse("train:41").name == "train/wet_concrete:8"
    assert parse("train:41") == parse("train/wet_concrete:8")
    assert parse("numerics:8").name == "numerics/as_trained:1"
    assert parse("heldout:0").name == "heldout/ice:0"


def test_any_material_can_be_asked_for_in_the_worlds_of_training():
    drawn = [parse(f"train/ice:{i}") for i in range(200)]
    assert all(scenario.surface.materials[0] == "ice" for scenario in drawn)
    assert {len(scenario.surface.materials) for scenario in drawn} == {1, 2}
    assert Context("material", "ice") not in space("train").contexts


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("heldout/sand:1", "unknown context 'sand' of heldout; there are: ice, snow, mud"),
        ("train/lava:1", "unknown context 'lava' of train; there are: dry_concrete, wet_concrete"),
        ("train/slope-far:1", "unknown context 'slope-far' of train"),
        ("numerics/sand:1", "unknown context 'sand' of numerics; there are: as_trained"),
        ("heldout/slope:1", "unknown context 'slope' of heldout"),
        ("moon/sand:1", "unknown space 'moon'; there are: train, tune, heldout, numerics"),
        ("moon:1", "unknown space 'moon'; there are: train, tune, heldout, numerics"),
    ],
)
def test_unknown_names_list_the_known_ones(name, told):
    with pytest.raises(InputError, match=told):
        parse(name)


def test_numerics_share_their_worlds():
    ways = space("numerics").contexts
    for number in range(10):
        drawn = [space("numerics").draw(context, number) for context in ways]
        assert len({scenario.numerics for scenario in drawn}) == len(ways)
        label: dict[str, Any] = {"name": "", "context": ways[0], "numerics": Numerics()}
        same = [to_plain(dataclasses.replace(scenario, **label)) for scenario in drawn]
        assert all(world == same[0] for world in same)


class Last:
    """A generator that draws the largest number first, then one less each time."""

    def __init__(self) -> None:
        self.drawn = 0

    def integers(self, high: int) -> int:
        self.drawn += 1
        return high - self.drawn


@pytest.mark.parametrize(
    ("chosen", "last"), [(None, 59_999), (("sand",), 299_999), (("sand", "gravel"), 149_999)]
)
def test_training_never_meets_what_is_evaluated(chosen, last):
    """The last index of 300,000 worlds over five contexts, one or two."""
    episodes = Episodes(1, config=EpisodeConfig(materials=chosen))
    index = int(episodes._new(Last()).name.partition(":")[2])
    assert last - 100 < index <= last < FIRST_EVALUATED


def test_worlds_trained_on_may_be_of_some_materials_only():
    for chosen in (("dry_concrete",), ("sand", "ice")):
        episodes = Episodes(40, config=EpisodeConfig(materials=chosen))
        episodes.seed(0)
        episodes.start(range(40))
        found = {name for scenario in episodes.scenarios for name in scenario.surface.materials}
        assert found == set(chosen)


# -- distributions -------------------------------------------------------------------------

DRAWS = 3000


@pytest.fixture(scope="module")
def drawn() -> list[Scenario]:
    """Worlds of training, of each material in turn."""
    return [space("train").numbered(i) for i in range(DRAWS)]


def sigma(share: float, count: int) -> float:
    return math.sqrt(share * (1 - share) / count)


def assert_share(found: list[bool], expected: float) -> None:
    """Within three standard deviations of a binomial distribution."""
    assert abs(np.mean(found) - expected) < 3 * sigma(expected, len(found))


def test_shares(drawn):
    mixed = [s for s in drawn if len(s.surface.materials) == 2]
    assert_share([len(s.surface.materials) == 2 for s in drawn], 0.25)
    assert_share([s.surface.layout == "strips" for s in mixed], 0.5)
    assert {s.surface.layout for s in mixed} == {"strips", "patches"}
    for kinds, share in TRAIN.shapes.items():
        assert_share([tuple(p.kind for p in s.shape) == kinds for s in drawn], share)
    assert sum(TRAIN.shapes.values()) == pytest.approx(1)
    for other in ("dry_concrete", "sand", "gravel", "carpet"):
        on_wet = [s for s in mixed if s.surface.materials[0] == "wet_concrete"]
        assert_share([s.surface.materials[1] == other for s in on_wet], 0.25)


def test_shares_of_commands(drawn):
    commands = [c for s in drawn for c in s.commands]
    still = [c.velocity == (0, 0) and c.yaw_rate == 0 for c in commands]
    turning = [c.velocity == (0, 0) and c.yaw_rate != 0 for c in commands]
    straight = [c.velocity[0] != 0 and c.velocity[1] == 0 and c.yaw_rate == 0 for c in commands]
    for found, share in ((still, 0.10), (turning, 0.12), (straight, 0.28)):
        assert_share(found, share)


def test_commands_and_pushes_follow_each_other(drawn):
    for scenario in drawn[:500]:
        times = [c.time for c in scenario.commands]
        assert times[0] == 0 and times[-1] < 20
        assert all(4 <= gap <= 8 for gap in np.diff([*times, max(times[-1] + 4, 20)])[:-1])
        assert times[-1] + 8 > 20
        times = [p.time for p in scenario.pushes]
        assert 2 <= times[0] <= 8 and times[-1] < 20 < times[-1] + 8
        assert all(4 <= gap <= 8 for gap in np.diff(times))


def uniform_factors(scenario: Scenario) -> dict[str, float]:
    """Factors of a world that are uniform in [0, 1] if its draws are, and independent."""
    body, motors, sensors = scenario.body, scenario.motors, scenario.sensors
    command, push = scenario.commands[0], scenario.pushes[0]
    return {
        "seed": scenario.seed / 2**31,
        "heading": scenario.heading / (2 * np.pi) + 0.5,
        "mass_scale": (body.mass_scale - 0.9) / 0.2,
        "payload": body.payload + 0.5,
        **{f"com_{i}": c / 0.03 + 0.5 for i, c in enumerate(body.base_com)},
        "head_scale": (body.head_scale - 0.9) / 0.2,
        "strength": (motors.strength - 0.85) / 0.15,
        "stiffness": (motors.stiffness - 0.85) / 0.3,
        "damping": (motors.damping - 0.8) / 0.4,
        "armature": (motors.armature - 0.8) / 0.4,
        "friction": motors.friction - 0.5,
        "delay": motors.delay / 0.015,
        "gyro_noise": sensors.gyro_noise / 0.15,
        **{f"gyro_bias_{i}": b / 0.1 + 0.5 for i, b in enumerate(sensors.gyro_bias)},
        "gravity_noise": sensors.gravity_noise / 0.03,
        **{f"tilt_{i}": t / 0.04 + 0.5 for i, t in enumerate(sensors.tilt)},
        "joint_noise": sensors.joint_noise / 0.01,
        **{f"offset_{i}": o / 0.04 + 0.5 for i, o in enumerate(sensors.joint_offset)},
        "velocity_noise": sensors.velocity_noise / 0.6,
        "latency": sensors.delay,
        "attitude_time": (sensors.attitude_time - 0.5) / 1.5,
        "look_pitch": (command.look[0] + 0.3) / 0.7,
        "look_yaw": command.look[1] / 1.6 + 0.5,
        "second_command": (scenario.commands[1].time - 4) / 4,
        "first_push": (push.time - 2) / 6,
        "push": math.hypot(*push.velocity) / 0.35,
        "push_angle": math.atan2(push.velocity[1], push.velocity[0]) / (2 * np.pi) + 0.5,
        "surface_length": (scenario.surface.length - 0.3) / 0.9,
        "surface_heading": scenario.surface.heading / (2 * np.pi) + 0.5,
        "surface_seed": scenario.surface.seed / 2**31,
    }


@pytest.fixture(scope="module")
def factors(drawn) -> dict[str, np.ndarray]:
    rows = [uniform_factors(scenario) for scenario in drawn]
    return {name: np.array([row[name] for row in rows]) for name in rows[0]}


def test_factors_are_uniform(factors):
    for name, values in factors.items():
        assert values.min() >= 0 and values.max() <= 1, name
        assert stats.kstest(values, "uniform").pvalue > 1e-3, name


def test_factors_are_independent(factors):
    """The largest of 780 correlations of 3,000 is about 3.2 standard deviations."""
    names = list(factors)
    correlation = np.corrcoef(np.stack(list(factors.values())))
    for (i, a), (j, b) in combinations(enumerate(names), 2):
        assert abs(correlation[i, j]) < 4.5 / math.sqrt(DRAWS), (a, b)


def test_neighbours_contexts_and_spaces_are_independent(factors):
    """Worlds of one index in two contexts have nothing in common, nor those of two indices."""

    def payload(context: str) -> np.ndarray:
        return np.array([parse(f"{context}:{i}").body.payload for i in range(1000)])

    names = ("train/sand", "train/gravel", "heldout/snow", "heldout/delay-far")
    columns = [*(payload(name) for name in names), payload("train/sand")[np.arange(1, 1001) % 1000]]
    correlation = np.corrcoef(np.stack(columns)) - np.eye(len(columns))
    assert np.abs(correlation).max() < 4 / math.sqrt(1000)


def test_commanded_speeds_are_uniform_where_it_walks(drawn):
    commands = [c for s in drawn for c in s.commands if c.velocity[0] != 0]
    forward = np.array([c.velocity[0] for c in commands])
    assert stats.kstest(forward, "uniform", args=(-0.35, 0.95)).pvalue > 1e-3
    aside = np.array([c.velocity[1] for c in commands if c.velocity[1] != 0])
    assert stats.kstest(aside, "uniform", args=(-0.2, 0.4)).pvalue > 1e-3


def test_materials_are_drawn_from_their_ranges(drawn):
    """Sand: friction uniform, bearing uniform in its logarithm; both slots from the same."""
    column = {name: index(name) for name in ("friction", "bearing")}
    rows = np.array(
        [
            row
            for s in drawn
            for name, row in zip(s.surface.materials, s.surface.parameters, strict=True)
            if name == "sand"
        ]
    )
    assert len(rows) > 600  # a fifth as the first material and some as the second
    friction, bearing = rows[:, column["friction"]], np.log(rows[:, column["bearing"]])
    assert stats.kstest(friction, "uniform", args=(0.49, 0.24)).pvalue > 1e-3
    low, high = np.log(6.5e3), np.log(30e3)
    assert stats.kstest(bearing, "uniform", args=(low, high - low)).pvalue > 1e-3
    assert abs(np.corrcoef(friction, bearing)[0, 1]) < 4 / math.sqrt(len(rows))


def test_either_sign_is_as_likely_outside_of_training():
    shift = np.array([parse(f"heldout/mass_centre-far:{i}").body.base_com for i in range(1000)])
    away = np.abs(shift).ravel()
    assert stats.kstest(away, "uniform", args=(0.025, 0.015)).pvalue > 1e-3
    assert_share((shift > 0).ravel().tolist(), 0.5)
