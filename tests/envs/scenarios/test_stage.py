"""Acts of the stage: drawn by name, within what skills accept, and apart from all other factors."""

import dataclasses

import pytest

from grek.envs.scenarios.scenario import Command, from_plain, to_plain
from grek.envs.scenarios.spaces import FIRST_EVALUATED, parse, space
from grek.envs.scenarios.stage import GUESTS, SHOWN, walked
from grek.envs.skills import SKILLS
from grek.errors import InputError

MATERIALS = ("dry_concrete", "wet_concrete", "sand", "gravel", "carpet")


def test_contexts_are_skills_and_materials():
    stage = space("stage").contexts
    assert {c.value for c in stage} == set(MATERIALS)
    assert [c.axis for c in stage[::5]] == [*SHOWN, "show"] and len(stage) == 30
    tour = space("tour").contexts
    assert [c for c in tour if c.value in GUESTS] == [c for c in tour[7:]]
    assert len(tour) == 7 + 25 and len(space("transitions").contexts) == 20
    assert len({c.slug for c in (*stage, *tour)}) == 62


def test_a_scenario_is_on_its_material_with_its_skill():
    for context in space("stage").contexts:
        drawn = space("stage").draw(context, 3)
        assert drawn.surface.materials[0] == context.value
        named = {act.skill for act in drawn.acts}
        if context.axis == "show":
            assert named <= set(SHOWN)
        else:
            assert context.axis in named <= {context.axis, "stand"}
        times = [act.time for act in drawn.acts]
        assert times[0] == 0 and times == sorted(times) and times[-1] < 20


def test_acts_are_accepted_by_their_skills():
    for name in ("stage", "tour", "transitions"):
        for context in space(name).contexts:
            for act in space(name).draw(context, 11).acts:
                SKILLS[act.skill].check(act)


def test_hand_made_dances_are_held_out():
    trained = [space("stage").draw(c, i) for c in space("stage").contexts for i in range(4)]
    assert all(a.motion.startswith("drawn:") for s in trained for a in s.acts if a.motion)
    on_tour = [space("tour").draw(c, 0) for c in space("tour").contexts]
    assert not any(a.motion.startswith("drawn:") for s in on_tour for a in s.acts)
    bow = parse("tour/dance-bow:5")
    assert {a.motion for a in bow.acts if a.skill == "dance"} == {"bow"}


def test_a_transition_goes_from_one_skill_to_the_other():
    acts = parse("transitions/transition-walk_to_jump:2").acts
    assert [act.skill for act in acts[:3]] == ["stand", "walk", "jump"]
    assert {act.skill for act in acts[2:]} == {"jump"}


def test_commands_are_those_of_the_acts():
    drawn = parse("stage/walk-sand:7")
    assert len(drawn.acts) == len(drawn.commands)
    for act, command in zip(drawn.acts, drawn.commands, strict=True):
        wanted = [SKILLS["walk"].value(act, n) for n in ("forward", "left", "turn")]
        assert [*command.velocity, command.yaw_rate] == (wanted if act.skill == "walk" else [0] * 3)
    sit = parse("stage/sit-sand:7")
    assert all(command.velocity == (0, 0) and command.yaw_rate == 0 for command in sit.commands)


def test_acts_leave_all_other_factors_alone():
    """A world of the stage is another one with acts: body, ground and pushes are no function of
    them."""
    drawn = parse("stage/jump-sand:9")
    programme = space("stage").listed()[drawn.context]["acts"]
    other = dataclasses.replace(programme, skills=("sit",))
    listed = {drawn.context: {"first": "sand", "acts": other}}
    again = dataclasses.replace(space("stage"), listed=lambda: listed).draw(drawn.context, 9)
    assert again.acts != drawn.acts
    same = {"acts": drawn.acts, "commands": drawn.commands}
    assert dataclasses.replace(again, **same) == drawn


def test_worlds_without_acts_are_written_as_before():
    """Digests of suites, and so stored scorecards, stay as they were."""
    assert "acts" not in to_plain(parse(f"train/sand:{FIRST_EVALUATED}"))
    drawn = parse("stage/show-sand:4")
    assert from_plain(to_plain(drawn)) == drawn


def test_an_easier_world_asks_for_less():
    drawn = parse("stage/walk-sand:7")
    eased = drawn.eased(0.0)
    for act, less in zip(drawn.acts, eased.acts, strict=True):
        for name in ("forward", "left", "turn"):
            assert less.values.get(name, 0) == pytest.approx(act.values.get(name, 0) / 2)


def test_a_name_may_end_in_a_script():
    drawn = parse("train/ice:5#walk 0.2 2s; sit")
    assert [act.skill for act in drawn.acts] == ["walk", "sit"]
    assert parse(drawn.name) == drawn
    before = parse("train/ice:5")
    assert drawn.surface == before.surface and drawn.pushes == before.pushes
    with pytest.raises(InputError, match="script, act 1 'swim': unknown skill"):
        parse("train/ice:5#swim")


def test_commands_of_walking_are_acts():
    commands = (Command(0, (0.3, 0.1), -0.2), Command(4, (0.0, 0.0), 0.0, (0.1, 0.2)))
    first, second = walked(commands)
    assert (first.skill, first.values) == ("walk", {"forward": 0.3, "left": 0.1, "turn": -0.2})
    assert (second.time, second.skill, second.values) == (4, "stand", {})
