"""Spaces in TOML files: what they say is drawn, what they get wrong is named."""

from pathlib import Path

import pytest

from grek.envs.distributions import Constant, Uniform
from grek.envs.robots import GREK
from grek.envs.scenarios import space_file
from grek.envs.scenarios.ranges import TRAIN
from grek.envs.scenarios.spaces import SPACES, command_ranges, parse, space, zone
from grek.errors import InputError
from grek.eval.scores import suites

HEAD = 'schema = 1\nname = "mine"\n'


@pytest.fixture(autouse=True)
def no_space_stays():
    known = dict(SPACES)
    yield
    SPACES.clear()
    SPACES.update(known)


@pytest.fixture
def written(tmp_path):
    """Function that writes a file and returns its path."""

    def write(text, name="mine.toml"):
        path = tmp_path / name
        path.write_text(text)
        return str(path)

    return write


def test_what_a_file_leaves_out_is_as_in_training(written):
    assert space_file.read(Path(written(HEAD))).ranges == TRAIN


def test_a_number_is_constant_and_a_pair_is_uniform(written):
    found = space(
        written(
            HEAD + "body.payload = 2\nmotors.strength = [0.6, 0.7]\nsensors.latency = [0, 0.5]\n"
            "body.base_com = { x = [0.01, 0.02], y = 0, z = -0.03 }\ncommands.forward = 0.25\n"
            "sensors.tilt = { roll = 0.01, pitch = [-0.02, 0] }\ndisturbances.push = 0\n"
        )
    )
    assert found.base is not None
    assert found.base.payload == Constant(2.0)
    assert found.base.motors["strength"] == Uniform(0.6, 0.7)
    assert found.base.motors["damping"] == TRAIN.motors["damping"]
    drawn = [parse(f"mine/sand:{i}") for i in range(200)]
    assert {s.body.payload for s in drawn} == {2.0}
    for values, low, high in (
        ([s.motors.strength for s in drawn], 0.6, 0.7),
        ([s.sensors.delay for s in drawn], 0.0, 0.5),
        ([s.body.base_com[0] for s in drawn], 0.01, 0.02),
        ([s.sensors.tilt[1] for s in drawn], -0.02, 0.0),
    ):
        width = high - low
        assert low <= min(values) < low + 0.05 * width and high - 0.05 * width < max(values) <= high
    assert {s.body.base_com[1:] for s in drawn} == {(0.0, -0.03)}
    assert all(push.velocity == (0, 0) for s in drawn for push in s.pushes)
    assert command_ranges("mine")[0] == (0.25, 0.25)


def test_offsets_go_by_the_names_of_joints(written):
    lines = [f"{name} = {k / 100}" for k, name in enumerate(GREK.joints)]
    name = written(HEAD + "[sensors.joint_offset]\n" + "\n".join(reversed(lines)))
    offsets = parse(f"{name}/sand:0").sensors.joint_offset
    assert offsets == tuple(k / 100 for k in range(10))


def test_ground(written):
    name = written(
        HEAD + '[ground]\nmaterials = ["ice", "sand"]\nmixed = 0\nfriction = 0.5\n'
        'shapes = { level = 1, "slope+relief" = 3 }\nsizes = { slope = [0.02, 0.03] }\n'
    )
    assert [c.value for c in space(name).contexts] == ["ice", "sand"]
    drawn = [parse(f"mine/ice:{i}") for i in range(400)]
    assert {s.surface.materials for s in drawn} == {("ice",)}
    level = [s for s in drawn if not s.shape]
    assert 0.19 < len(level) / 400 < 0.31  # a quarter, within three deviations of 400 draws
    sloped = next(s for s in drawn if s.shape)
    assert [part.kind for part in sloped.shape] == ["slope", "relief"]
    assert 0.02 <= sloped.shape[0].values["rise"] <= 0.03


def test_it_is_known_by_its_name_and_only_once(written):
    first = written(HEAD + "body.payload = 1\n")
    assert space(first) is space("mine") is space(written(HEAD + "body.payload = 1\n", "b.toml"))
    with pytest.raises(
        InputError, match=r"c\.toml: its name is 'mine', but another space has that"
    ):
        space(written(HEAD + "body.payload = 2\n", "c.toml"))
    with pytest.raises(InputError, match="its name is 'train'"):
        space(written('schema = 1\nname = "train"\n', "d.toml"))
    assert zone("mine", space("mine").contexts[0]) is None


def test_a_suite_has_its_contexts(written):
    suite = suites.suite(written(HEAD + 'ground.materials = ["sand", "mud"]\n'))
    names = [s.name for s in suites.scenarios(suite, episodes=2)]
    first = 300_000
    assert names == [f"mine/{m}:{first + i}" for i in range(2) for m in ("sand", "mud")]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "missing required field `schema`"),
        ('schema = 2\nname = "a"', "Invalid enum value 2 - at `..schema`"),
        ('schema = 1\nname = "A b"', "name 'A b' is not of the form"),
        (HEAD + "[motor]\nstrength = 1", "contains unknown field `motor`"),
        (HEAD + "[motors]\nforce = 1", "unknown motors.force; there are: strength, stiffness,"),
        (HEAD + "[motors]\nstrength = 9", r"motors.strength 9 is outside \[0.05, 5\]"),
        (HEAD + "[motors]\nstrength = nan", r"motors.strength nan is outside \[0.05, 5\]"),
        (HEAD + "[motors]\nstrength = [0.9, 0.8]", r"\[0.9, 0.8\] has its ends in the wrong order"),
        (HEAD + "[motors]\nstrength = [0.9]", "Expected `array` of length 2"),
        (HEAD + '[motors]\nstrength = "1"', "`float | array`, got `str` - at `.*motors"),
        (HEAD + "[body]\npayload = { x = 1 }", "body.payload is a table"),
        (HEAD + "[body]\nbase_com = { x = 0, y = 0 }", "body.base_com lacks z"),
        (HEAD + "[body]\nbase_com = { w = 0 }", "unknown body.base_com.w; there are: x, y, z"),
        (HEAD + "[sensors.joint_offset]\ntail = 0", "unknown sensors.joint_offset.tail"),
        (HEAD + '[ground]\nmaterials = ["cheese"]', "unknown material 'cheese'"),
        (HEAD + "[ground]\nmaterials = []", "ground.materials names no material"),
        (HEAD + "[ground]\nmixed = 2", r"ground.mixed 2 is outside \[0, 1\]"),
        (HEAD + "[ground]\nshapes = { level = -1 }", "ground.shapes takes shares"),
        (HEAD + "[ground]\nshapes = { cliffs = 1 }", "'cliffs'"),
        (HEAD + "[ground]\nsizes = { slope = 5 }", "ground.sizes.slope 5 is outside"),
        (HEAD + 'robot = "r2"', "unknown robot 'r2'"),
        ("schema = ", "Invalid value"),
    ],
)
def test_what_is_wrong_is_named(written, text, said):
    with pytest.raises(InputError, match=said) as raised:
        space(written(text))
    assert "\n" not in str(raised.value)


def test_a_file_that_is_not_there():
    with pytest.raises(InputError, match=r"none\.toml cannot be read: No such file"):
        space("none.toml")
