"""Skills: their references are what was asked for, and the motors can do them."""

import itertools

import numpy as np
import pytest

from grek.envs.motions.act import Act
from grek.envs.robots import GREK
from grek.envs.skills import SKILLS, jump, sit, stand
from grek.envs.skills.skill import Parameter, Skill
from grek.envs.skills.transitions import phase
from grek.envs.tasks.performance import STAGE
from grek.envs.tasks.stage import staging
from grek.errors import InputError

HOME = np.array(GREK.home[:10])


@pytest.mark.parametrize("name", ["stand", "sit", "jump"])
def test_a_skill_begins_in_the_home_pose(name):
    rows = SKILLS[name].clip(GREK, Act(0, name)).rows
    assert rows.joints[0] == pytest.approx(HOME, abs=1e-6)
    assert rows.contact[0].all() and rows.height[0] == pytest.approx(0.295)


def test_a_pose_is_reached_and_held():
    rows = stand.clip(GREK, Act(0, "stand", {"height": -0.05, "lean": 0.1})).rows
    assert rows.height[-1] == pytest.approx(0.245)
    assert rows.attitude[-1] == pytest.approx([0, 0.1])
    assert rows.contact.all()


def test_sitting_ends_on_the_tail_pod_at_rest():
    """The lowest point of the pod, a capsule of radius 45 mm from (-0.115, -0.110) to (-0.065,
    -0.110) in the torso's frame, meets the ground within 2 mm."""
    down = sit.down(GREK, Act(0, "sit"))
    height, (_, pitch) = down.rows.height[-1], down.rows.attitude[-1]
    x, z = np.array([-0.115, -0.065]), -0.110
    lowest = height + (-x * np.sin(pitch) + z * np.cos(pitch)).min() - 0.045
    assert lowest == pytest.approx(0, abs=0.002)
    assert down.rows.rest[0] == 0 and down.rows.rest[-1] == 1
    offset = np.array(GREK.static_offset[:10])
    assert down.rows.lead[-1] == pytest.approx(-offset)  # no torque where joints are as planned
    assert len(down.beat) * 0.02 < 2  # down and up within 2 s each
    up = sit.up(GREK)
    assert len(up.beat) * 0.02 < 2
    assert up.rows.joints[0] == pytest.approx(down.rows.joints[-1])
    assert up.rows.joints[-1] == pytest.approx(HOME, abs=1e-6)


def test_a_jump_flies_as_a_thrown_body():
    """80 mm, of them 0.6 by flight: 2 sqrt(2 * 0.6 * 0.08 / g) = 0.198 s in the air."""
    act = Act(0, "jump", {"height": 0.08, "forward": 0.15})
    found = jump.clip(GREK, act).rows
    air = ~found.contact.any(1)
    assert air.sum() * 0.02 == pytest.approx(0.198, abs=0.021)
    assert found.clearance.max() == pytest.approx(0.08, abs=0.003)
    speed = found.velocity[:, 0]
    way = (np.diff(speed, prepend=0) * 0.3 + speed * 0.02).sum()  # undoes the average of 0.3 s
    assert way == pytest.approx(0.15, abs=0.005)


def test_every_act_of_training_can_be_done():
    """Corners of the ranges of each kind of act, and what lies between."""
    for of in SKILLS.values():
        for kind in of.kinds if of.clip and not of.dances else ():
            for shares in itertools.product((0.0, 0.5, 0.999), repeat=len(kind)):
                values = {
                    name: each.quantile(share)
                    for (name, each), share in zip(kind.items(), shares, strict=True)
                }
                of.clip(GREK, Act(0, of.name, values))  # raises InputError


def test_a_jump_pushes_off_in_its_direction():
    """At take-off the torso is ahead of its place in the crouch, 15 mm back, on landing behind."""
    from grek.envs.motions.choreography import Choreography, Hop, Key
    from grek.envs.motions.planner import plan

    hop = Hop(height=0.08, forward=0.15, turn=0.5)
    found = plan(Choreography("hop", "Hop", 60, 2, (Key(beat=0.9, hop=hop),)), GREK, 0.02)
    ahead = found.position[:, 0] - found.feet[..., 0].mean(1)
    twist = found.attitude[:, 2] - found.feet[..., 3].mean(1)
    air = np.flatnonzero(~found.contact.any(1))
    assert ahead[air[0]] > ahead[0] - 0.015 > ahead[air[-1]]
    assert twist[air[0]] > 0 > twist[air[-1]]
    speed = np.diff(found.position[:, 0]) / 0.02
    assert np.ptp(speed[air[0] : air[-1]]) < 0.02  # nothing pushes in the air
    feet = GREK.legs.home_ankles[0][0]  # which the turn is about
    assert found.position[-1, 0] == pytest.approx(0.15 + feet - feet * np.cos(0.5))
    assert twist[-1] == pytest.approx(0)


def test_transitions_are_all_in_the_table():
    wanted = {"stand": "now", "walk": "halted", "sit": "seated", "jump": "free", "dance": "free"}
    for skill in SKILLS.values():
        for other in SKILLS:
            same = skill.name == other and skill.name in ("walk", "sit")
            assert phase(skill, other) == ("now" if same else wanted[skill.name])
    own = Skill("bow", clip=stand.clip)
    assert phase(own, "walk") == "free"
    assert phase(Skill("crawl"), "walk") == "halted"
    assert phase(Skill("lie", clip=stand.clip, leave=sit.up), "walk") == "seated"


def test_a_skill_names_terms_and_metrics_that_exist():
    terms = {term.name for term in staging().terms}
    for skill in SKILLS.values():
        assert set(skill.weights) <= terms and set(skill.measures) <= set(STAGE)
        for kind in skill.kinds:
            assert set(kind) <= {p.name for p in skill.parameters}


@pytest.mark.parametrize(
    ("act", "told"),
    [
        (Act(0, "jump", {"height": 0.2}), "height 0.2 is not in 0.02 to 0.09 m"),
        (Act(0, "jump", {"depth": 0.2}), "jump has no 'depth'; its parameters: height, forward"),
        (Act(0, "sit", {"height": 0.2}), "sit has no 'height'; its parameters: none"),
        (Act(0, "dance"), "dance names a motion"),
        (Act(0, "sit", {}, "bow"), "sit takes no motion, got 'bow'"),
    ],
)
def test_an_act_out_of_range_is_refused(act, told):
    with pytest.raises(InputError, match=told):
        SKILLS[act.skill].check(act)


def test_what_is_drawn_is_accepted():
    for skill in SKILLS.values():
        for kind in skill.kinds:
            for level in (0.0, 0.999):
                values = {name: d.quantile(level) for name, d in kind.items()}
                skill.check(Act(0, skill.name, values, "bow" if skill.dances else ""))


def test_parameters_have_their_defaults_in_range():
    for skill in SKILLS.values():
        for p in skill.parameters:
            assert isinstance(p, Parameter) and p.lowest <= p.default <= p.highest
