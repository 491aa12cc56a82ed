"""Choreographies: what is written happens on its beat, and what no motor can do is refused."""

import dataclasses
import math
from pathlib import Path

import mujoco
import numpy as np
import pytest

from grek.envs.motions import choreography as choreographies
from grek.envs.motions.choreography import Choreography, Hop, Key, Lift, Spin, Step, read, shipped
from grek.envs.motions.feasibility import check, positions
from grek.envs.motions.planner import Plan, plan
from grek.envs.robots import GREK
from grek.envs.robots.robot import Layout
from grek.errors import InputError

WEIGHT = 15.4 * 9.81  # [N]


def made(*keys: Key, beats: float = 8, tempo: float = 60, interval: float = 0.02) -> Plan:
    """Plan of `keys` at one beat a second."""
    return plan(Choreography("test", "Test", tempo, beats, keys), GREK, interval)


def at(found: Plan, beat: float) -> int:
    return int(np.abs(found.beat - beat).argmin())


# -- the plan ------------------------------------------------------------------------------


def test_without_words_it_stands():
    found = made(Key(beat=4))
    assert found.joints == pytest.approx(np.tile(GREK.home[:10], (401, 1)), abs=1e-9)
    assert found.contact.all() and not found.look.any()
    assert found.position == pytest.approx(np.tile([0, 0, 0.295], (401, 1)), abs=1e-9)


def test_held_quantities_are_reached_on_their_beat():
    key = Key(beat=4, height=0.26, lean=0.2, tilt=0.05, twist=-0.1, sway=0.01, look_yaw=0.3)
    found = made(key)
    i = at(found, 4)
    assert found.position[i] == pytest.approx([0, 0.01, 0.26])
    assert found.attitude[i] == pytest.approx([0.05, 0.2, -0.1])
    assert found.look[i] == pytest.approx([0, 0.3])
    for values in (found.position, found.attitude, found.look):
        assert values[0] == pytest.approx(values[-1])
    height = found.position[:, 2]
    assert (np.diff(height[: i + 1]) <= 1e-12).all() and (np.diff(height[i:]) >= -1e-12).all()


def test_the_tempo_sets_the_time_of_a_beat():
    found = made(Key(beat=4, height=0.27), tempo=150)
    assert found.time[-1] == pytest.approx(8 * 60 / 150)
    assert found.time[found.position[:, 2].argmin()] == pytest.approx(4 * 60 / 150)


def test_a_step_puts_a_foot_elsewhere_and_takes_the_torso_along():
    step = Step(foot="left", to=(0.06, 0.02), turn=0.2, height=0.03, beats=2)
    found = made(Key(beat=3, step=step))
    ankle = np.array(GREK.legs.home_ankles[0])
    assert found.feet[-1, 0] == pytest.approx([ankle[0] + 0.06, ankle[1] + 0.02, 0, 0.2])
    assert found.feet[-1, 1, :2] == pytest.approx(GREK.legs.home_ankles[1][:2])
    assert found.feet[:, 0, 2].max() == pytest.approx(0.03)
    assert found.beat[~found.contact[:, 0]].min() == pytest.approx(3.02)
    assert found.beat[~found.contact[:, 0]].max() == pytest.approx(4.98)
    assert found.attitude[-1, 2] == pytest.approx(0.1)  # the mean heading of the feet
    middle = (found.feet[-1, 0, :2] + found.feet[-1, 1, :2]) / 2
    home = np.array([np.cos(0.1), np.sin(0.1)]) * ankle[0]
    assert found.position[-1, :2] == pytest.approx(middle - home)


def test_a_lifted_foot_is_held_at_its_height():
    found = made(Key(beat=2, lift=Lift(foot="right", height=0.05, beats=1)))
    height = found.feet[:, 1, 2]
    assert height[at(found, 2.2) : at(found, 2.8)] == pytest.approx(0.05)
    assert not height[found.contact[:, 1]].any()
    assert not found.feet[:, 0, 2].any()


def test_a_spin_turns_both_feet_by_the_whole_angle():
    found = made(Key(beat=1, spin=Spin(turn=-1.0, steps=6)))
    assert found.feet[-1, :, 3] == pytest.approx([-1.0, -1.0])
    assert found.attitude[-1, 2] == pytest.approx(-1.0)
    assert (
        not found.contact[at(found, 1.25), 1] and found.contact[at(found, 1.25), 0]
    )  # right first
    ankles = np.array(GREK.legs.home_ankles)[:, :2]
    turned = np.array([[math.cos(1), math.sin(1)], [-math.sin(1), math.cos(1)]])
    middle = ankles.mean(0)
    assert found.feet[-1, :, :2] == pytest.approx((ankles - middle) @ turned.T + middle)


@pytest.mark.parametrize("height", [0.03, 0.06, 0.09])
def test_a_hop_flies_as_a_thrown_body_does(height):
    """On the beat, by 0.6 of its height: at sqrt(1.2 g h), for 2 sqrt(1.2 h / g).

    The torso is 1.25 times as fast on the ground, and pulls the legs along; soles are drawn up."""
    found = made(Key(beat=4, hop=Hop(height=height, forward=0.1, turn=0.2)), interval=0.002)
    air = ~found.contact.any(1)
    assert found.contact.all(1)[~air].all()
    flight = 2 * math.sqrt(1.2 * height / 9.81)
    assert air.sum() * 0.002 == pytest.approx(flight, abs=0.004)
    assert found.beat[air].min() == pytest.approx(4, abs=0.003)
    assert found.feet[..., 2].max() == pytest.approx(height, abs=1e-4)
    z = found.position[:, 2]
    assert np.diff(z[air], 2) / 0.002**2 == pytest.approx(-9.81, rel=1e-3)
    speed = np.diff(z) / 0.002
    pull = 0.25 * math.sqrt(1.2 * 9.81 * height)
    change = np.sort(np.abs(np.diff(speed)))
    assert change[-2:] == pytest.approx([pull, pull], abs=0.08)  # at take-off and landing
    assert change[-3] < 0.12
    assert found.position[-1, 0] - found.position[0, 0] == pytest.approx(0.1, abs=0.005)
    assert found.feet[-1, :, 3] == pytest.approx([0.2, 0.2])
    assert z[-1] == pytest.approx(0.295)


def test_joints_put_the_soles_where_the_plan_has_them():
    """With everything at once; the soles stay level in pitch, and turn as the feet do."""
    found = made(
        Key(beat=2, height=0.26, lean=0.3, tilt=0.06, twist=0.2, sway=-0.02),
        Key(beat=3, step=Step(foot="right", to=(0.05, -0.02), turn=-0.2)),
        Key(beat=5, height=0.27, lean=-0.1),
    )
    spec = GREK.load_spec()
    model = spec.compile()
    data, layout = mujoco.MjData(model), Layout.of(model, GREK)
    above = 0.295 + GREK.legs.home_ankles[0][2]
    for i, row in enumerate(positions(found, GREK, model, layout)):
        data.qpos[:] = row
        mujoco.mj_kinematics(model, data)
        ankles = data.xpos[layout.feet] - [0, 0, above]
        assert ankles == pytest.approx(found.feet[i, :, :3], abs=2e-3)
        ahead = data.xmat[layout.feet].reshape(2, 3, 3)[:, :, 0]
        # Exact for a torso that is level: roll and pitch turn the axes of the hips.
        assert np.arctan2(ahead[:, 1], ahead[:, 0]) == pytest.approx(found.feet[i, :, 3], abs=0.1)
        assert np.abs(ahead[:, 2]).max() < 0.05


# -- what a robot can do -------------------------------------------------------------------


def test_standing_takes_the_torque_of_standing():
    """Half of the weight on each leg, over the lever of the knee: about 4 N m."""
    demand = check(made(Key(beat=4)), GREK)
    data = demand.torque[100]
    assert not demand.velocity.any()
    assert data[:5] == pytest.approx(data[5:] * [-1, -1, 1, 1, 1], abs=1e-9)
    stiffness = np.array([40, 60, 60, 60, 40.0])
    # The static offsets of the robot are this torque over the stiffness of its motors.
    assert data[:5] == pytest.approx(np.array(GREK.static_offset[:5]) * stiffness, abs=0.6)


def test_pushing_off_takes_more_than_the_weight():
    """Virtual work over a crouch: the torques do the work that lifting the torso takes."""
    found = made(Key(beat=4, height=0.24), interval=0.01)
    demand = check(found, GREK)
    work = float((demand.torque * demand.velocity).sum(1)[at(found, 4) :].sum() * 0.01)
    assert work == pytest.approx(0.055 * WEIGHT * 0.87, rel=0.1)  # the feet and shins stay low


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        (
            (Key(beat=4, hop=Hop(height=0.15)),),
            r"beat 3\.\d\d: \w+ needs .* N m at .* rad/s, its motor",
        ),
        ((Key(beat=4, height=0.36),), "beat .*foot cannot reach its place, by"),
        ((Key(beat=4, twist=0.9),), r"beat .*hip_yaw at -?0\.\d\d rad is outside \[-0\.5, 0\.5\]"),
        ((Key(beat=4, tilt=0.7),), r"beat .*hip_roll at .* rad is outside"),
    ],
)
def test_what_no_motor_can_follow_is_refused(keys, said):
    with pytest.raises(InputError, match=f"^motion test: {said}"):
        check(made(*keys), GREK)


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ((Key(beat=4), Key(beat=4)), "beat 4 is not after beat 4"),
        ((Key(beat=0),), "beat 0 is not after beat 0"),
        ((Key(beat=8),), "and before the end, beat 8"),
        (
            (Key(beat=2, step=Step(foot="left", beats=2)), Key(beat=3, lift=Lift(foot="right"))),
            "beat 3: the right foot cannot move, as a foot is in the air until beat 4.00",
        ),
        ((Key(beat=7, step=Step(foot="left", beats=2)),), "still in the air at its end"),
        ((Key(beat=0.2, hop=Hop()),), "takes beat -0.* which is not free"),
        ((Key(beat=4, hop=Hop()), Key(beat=4.6, hop=Hop())), "beat 4.6: the hop, .* not free"),
    ],
)
def test_movements_that_do_not_fit_are_refused(keys, said):
    with pytest.raises(InputError, match=said):
        made(*keys)


def test_a_robot_without_legs_has_no_choreographies():
    statue = dataclasses.replace(GREK, name="statue", legs=None)
    with pytest.raises(InputError, match="robot statue has no leg kinematics"):
        plan(choreographies.choreography("bow"), statue, 0.02)


@pytest.mark.parametrize("name", shipped())
def test_shipped_motions_can_be_done(name):
    of = choreographies.choreography(name)
    found = plan(of, GREK, 0.02)
    demand = check(found, GREK)
    assert demand.share < 1
    assert found.joints[0] == pytest.approx(GREK.home[:10])
    assert found.time[-1] == pytest.approx(of.seconds, abs=0.01)


def test_there_are_slow_and_fast_ones_hops_and_one_foot():
    every = [choreographies.choreography(name) for name in shipped()]
    assert len(every) >= 6
    assert sum(of.tempo <= 72 for of in every) >= 2 and sum(of.tempo >= 120 for of in every) >= 2
    assert any(key.hop for of in every for key in of.keys)
    assert any(key.lift for of in every for key in of.keys)


# -- files ---------------------------------------------------------------------------------

WHOLE = """
title = "Nod"
tempo = 60
beats = 4
[[key]]
beat = 2
look_pitch = 0.3
"""


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("tempo = 60", "tempo = 0"), r"Expected `float` >= 20.* `\$.tempo`"),
        (("tempo = 60", 'tempo = "fast"'), r"Expected `float`, got `str` - at `\$.tempo`"),
        (("look_pitch", "wiggle"), r"unknown field `wiggle` - at `\$.key\[0\]`"),
        (("beat = 2", "beat = -2"), r"`float` >= 0.* `\$.key\[0\].beat`"),
        (("beat = 2", "beat = 9"), "beat 9 is not after beat 0 and before the end, beat 4"),
        (("[[key]]", "[key"), "is not TOML: .*line 5"),
        (('title = "Nod"', ""), "missing required field `title`"),
        (("look_pitch = 0.3", 'step = {foot = "tail"}'), r"Invalid enum value 'tail'"),
        (("look_pitch = 0.3", "hop = {height = 2}"), r"`float` <= 0.15.* `\$.key\[0\].hop.height`"),
        (("look_pitch = 0.3", "height = nan"), r"key\[0\]\.height is nan"),
        (("look_pitch = 0.3", "step = {foot = 'left', to = [inf, 0]}"), r"step\.to\[0\] is inf"),
    ],
)
def test_files_that_are_no_choreography(change, said, tmp_path):
    (tmp_path / "nod.toml").write_text(WHOLE)
    assert read(tmp_path / "nod.toml").keys[0].look_pitch == 0.3
    (tmp_path / "nod.toml").write_text(WHOLE.replace(*change))
    with pytest.raises(InputError, match=said):
        plan(read(tmp_path / "nod.toml"), GREK, 0.02)


def test_a_name_that_is_none():
    with pytest.raises(
        InputError, match=r"unknown motion 'waltz'; give a \.toml file or one of: bow,"
    ):
        choreographies.choreography("waltz")
    with pytest.raises(InputError, match="cannot be read"):
        read(Path("nowhere.toml"))


def test_the_example_of_the_docs_can_be_done(tmp_path):
    page = (Path(__file__).parents[3] / "docs/motions.md").read_text()
    (tmp_path / "greeting.toml").write_text(page.split("```toml\n")[1].split("```")[0])
    assert check(plan(read(tmp_path / "greeting.toml"), GREK, 0.02), GREK).share < 1
