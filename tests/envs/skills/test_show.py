"""Shows: acts begin when they may, references pass smoothly, scripts are read."""

import numpy as np
import pytest

from grek.envs.motions.act import Act
from grek.envs.robots import GREK
from grek.envs.skills.script import acts as read
from grek.envs.skills.show import AHEAD, Show, ShowMotion
from grek.errors import InputError

LEVEL = np.array([[0.0, 0.0, -1.0]])
SEED = np.array([5], np.uint64)


def show(*acts: Act) -> ShowMotion:
    found = Show().start(GREK, 1)
    found.perform(np.arange(1), [acts])
    found.reset(np.arange(1), SEED, np.zeros((1, 3)))
    return found


def advance(of: ShowMotion, steps: int = 1, gyro: float = 0.0) -> None:
    for _ in range(steps):
        of.advance(np.zeros((1, 3)), np.full((1, 3), gyro), LEVEL, np.zeros(1))


def begins(of: ShowMotion, steps: int) -> list[tuple[float, str]]:
    """Times at which the caption changes, beats left out."""
    said = [(0.0, of.caption(0).split(",")[0])]
    for step in range(1, steps + 1):
        advance(of)
        if (now := of.caption(0).split(",")[0]) != said[-1][1]:
            said.append((round(step * 0.02, 2), now))
    return said


def test_what_may_not_begin_waits_and_says_so():
    of = show(Act(0, "walk", {"forward": 0.4}), Act(1, "sit"), Act(2.5, "jump"))
    said = begins(of, 400)
    assert said[0] == (0.0, "walk")
    assert said[1] == (1.0, "walk   (sit waits until it has halted)")
    # 0.4 m/s ramps to 0 in 1 s, and the steps end below 0.05 m/s, after 0.875 s.
    assert said[2][1] == "sit" and said[2][0] == pytest.approx(1.9, abs=0.021)
    assert said[3] == (2.5, "sit   (jump waits until it has stood up)")
    down, up = 1.75, 1.6
    assert said[4][1].startswith("stand up")
    assert said[4][0] == pytest.approx(said[2][0] + down, abs=0.041)
    assert said[5][1] == "jump" and said[5][0] == pytest.approx(said[4][0] + up, abs=0.041)


def test_a_dance_gives_way_when_both_feet_stand():
    of = show(Act(0, "dance", {}, "heron"), Act(6.9, "sit"))  # beat 8.3: on one foot
    for _ in range(1000):
        before = of.caption(0)
        advance(of)
        if of.caption(0) == "sit":
            break
    assert "waits until both feet stand" in before
    assert of._time[0] * 0.02 == pytest.approx(8.75 * 60 / 72, abs=0.05)


def test_references_pass_smoothly():
    """No joint moves faster than 12 rad/s where skills change; a push-off does 16."""
    of = show(
        Act(0, "stand", {"height": -0.05, "lean": 0.1}),
        Act(1, "walk", {"forward": 0.3}),
        Act(3, "stand"),
        Act(6, "sit"),
    )
    last, fastest = of.now.joints.copy(), 0.0
    for _ in range(450):
        advance(of)
        fastest = max(fastest, np.abs(of.now.joints - last).max() / 0.02)
        last = of.now.joints.copy()
    assert fastest < 12


def test_the_preview_is_what_comes():
    of = show(Act(0, "jump", {"height": 0.06}))
    advance(of, 20)
    seen = [(of.now.ahead[0, k].copy(), later) for k, later in enumerate(AHEAD)]
    for step in range(1, max(AHEAD) + 1):
        advance(of)
        for columns, later in seen:
            if later == step:
                assert columns[:10] == pytest.approx(of.now.joints[0])
                assert columns[10] == pytest.approx(of.now.height[0])
                assert columns[-2:] == pytest.approx(of.now.contact[0].astype(float))


def test_the_preview_of_a_walk_is_what_comes():
    of = show(Act(0, "walk", {"forward": 0.4}))
    advance(of, 100)  # at constant speed
    columns, later = of.now.ahead[0, 1].copy(), AHEAD[1]
    advance(of, later)
    assert columns[:10] == pytest.approx(of.now.joints[0])


def test_the_walk_is_the_gait():
    from grek.envs.motions.gait import Gait, GaitMotion

    of, gait = show(Act(0, "walk", {"forward": 0.4})), GaitMotion(Gait(), GREK, 1)
    gait.reset(np.arange(1), SEED, np.zeros((1, 3)))
    for step in range(1, 150):
        advance(of)
        command = np.array([[0.4 * min(step * 0.02, 1), 0, 0]])
        gait.advance(command, np.zeros((1, 3)), LEVEL, np.zeros(1))
        if step > 25:  # after the passage from the home pose
            assert of.now.joints == pytest.approx(gait.now.joints)
            assert np.array_equal(of.now.contact, gait.now.contact)


def test_only_who_stands_steps_when_it_tips():
    of = show(Act(0, "stand"), Act(1, "sit"))
    advance(of, 10, gyro=3.0)  # capture point 0.54 rad away
    assert not of.now.contact.all() or of.now.clearance.any()
    advance(of, 200)
    advance(of, 10, gyro=3.0)
    assert of.now.contact.all()


def test_a_show_goes_on_from_a_snapshot():
    acts = (Act(0, "walk"), Act(0.6, "sit"), Act(4, "jump"), Act(6, "dance", {}, "drawn:7"))
    first, second = show(*acts), show(*acts)
    for _ in range(8):
        advance(first, 45)
        second.restore(first.snapshot(), np.zeros((1, 3)))
        assert np.array_equal(first.now.joints, second.now.joints)
        assert np.array_equal(first.now.ahead, second.now.ahead)
        assert first.caption(0) == second.caption(0)


def test_a_live_command_replaces_what_was_to_come():
    of = show(Act(0, "stand"), Act(1, "sit"))
    advance(of, 10)
    of.command(0, Act(0.1, "jump"))
    assert begins(of, 100)[-1] == (0.1, "jump")


def test_a_click_on_every_beat():
    """bow: 8 beats at 60 a minute."""
    of = show(Act(0, "stand"), Act(1, "dance", {}, "bow"))
    times = []
    for step in range(1, 460):
        advance(of)
        if of.on_beat(0):
            times.append(step * 0.02)
    assert times == pytest.approx(list(np.arange(1.0, 9.0)), abs=0.021)


# -- scripts -------------------------------------------------------------------------------


def test_a_script_is_read():
    found, seconds = read("walk 0.3 turn=0.2 3s; jump 0.06; dance bow; sit 4s; stand 2s")
    assert [act.skill for act in found] == ["walk", "jump", "dance", "sit", "stand"]
    assert found[0].values == {"forward": 0.3, "turn": 0.2}
    assert found[1].values == {"height": 0.06} and found[2].motion == "bow"
    # 3 s; 1 s to halt and 2.5 s of jump; 8.5 s of dance; 4 s; 1.62 s to stand up and 2 s.
    assert [act.time for act in found] == pytest.approx([0, 3, 6.5, 15, 19])
    assert seconds == pytest.approx(22.62)


@pytest.mark.parametrize(
    ("script", "told"),
    [
        ("", r"act 1 '': unknown skill ''; there are: stand, walk"),
        ("stand; fly", r"act 2 'fly': unknown skill 'fly'; there are: stand, walk, sit"),
        ("walk fast", r"act 1 'walk fast': 'fast' is not a number"),
        ("walk nan", "'nan' is not a number"),
        ("jump 1", r"height 1 is not in 0.02 to 0.09 m"),
        ("sit 0.1", r"what is '0.1'\? Parameters of sit: none"),
        ("sit 0s", r"0 s is not in 0 to 600 s"),
        ("jump 0.05 height=0.05", "height is given twice"),
        ("dance", "dance names a motion"),
        ("dance tango", "unknown motion 'tango'; give a .toml file or one of: bow"),
        ("dance drawn:x", "motion 'drawn:x' is not drawn:INDEX"),
        (";".join(["stand"] * 65), "a script has at most 64 acts, got 65"),
    ],
)
def test_a_script_at_fault_is_refused(script, told):
    with pytest.raises(InputError, match=told):
        read(script)
