"""Dials of the world: read and change a scenario, and leave the rest of it as it is."""

import json
from dataclasses import replace

import pytest

from grek.drive import dials
from grek.drive.dials import Choice, Dial
from grek.envs.ground import materials
from grek.envs.scenarios.scenario import Scenario, from_plain, read, to_plain
from grek.envs.scenarios.spaces import parse
from grek.envs.tasks import TaskBatch, walking
from grek.errors import InputError
from grek.eval.films import filming

ALL = {control.label: control for control in (*dials.ground(), *dials.shape(), *dials.body())}
MIXED = replace(
    filming.world(None, "dry_concrete"),
    surface=ALL["Mixed with"].write(filming.world(None, "dry_concrete"), "sand").surface,
)


def value_for(control):
    """A value other than that of the mixed world, in the middle of the control."""
    if isinstance(control, Dial):
        return control.low + control.step * round(0.6 * (control.high - control.low) / control.step)
    return next(option for option in control.options if option != control.read(MIXED))


@pytest.mark.parametrize("label", ALL)
def test_a_control_reads_what_it_wrote(label):
    control = ALL[label]
    value = value_for(control)
    made = dials.changed(MIXED, control, value)
    if isinstance(control, Dial):
        assert control.read(made) == pytest.approx(value)
    else:
        assert control.read(made) == value
    assert control.accepts(value)
    assert made.name == dials.NAME


@pytest.mark.parametrize("label", ALL)
def test_every_world_of_a_control_can_be_walked_in_saved_and_read(label, tmp_path):
    control = ALL[label]
    ends = (control.low, control.high) if isinstance(control, Dial) else control.options[:4]
    batch = TaskBatch(walking(), 1)
    for value in ends:
        made = dials.changed(MIXED, control, value)
        batch.reset([0], [made])
        path = tmp_path / "world.json"
        path.write_text(json.dumps(to_plain(made)))
        assert read(path) == made == from_plain(to_plain(made))


def test_controls_refuse_what_is_out_of_range():
    friction, material = ALL["Friction"], ALL["Material"]
    for value in (-1.0, 1.3, float("nan"), float("inf"), "0.5", None, True):
        assert not friction.accepts(value), value
    for value in ("lava", 3, None, ["sand"]):
        assert not material.accepts(value), value


def test_a_turned_dial_keeps_all_else_of_a_drawn_world():
    drawn = parse("heldout/slope-far:7")
    made = dials.changed(drawn, ALL["Payload [kg]"], 2.0)
    same = replace(made, name=drawn.name, context=drawn.context, body=drawn.body)
    assert same == drawn
    assert made.body == replace(drawn.body, payload=2.0)


def test_a_size_scales_the_part_that_is_there():
    drawn = parse("heldout/slope-far:7")
    slope = ALL["slope [%]"]
    assert isinstance(slope, Dial)
    before = next(p for p in drawn.shape if p.kind == "slope").values
    after = next(p for p in dials.changed(drawn, slope, 5.0).shape if p.kind == "slope").values
    assert after == {**before, "rise": 0.05}
    assert not any(p.kind == "slope" for p in dials.changed(drawn, slope, 0.0).shape)


def test_puddles_make_concrete_wet_and_leave_wet_concrete_its_own_film():
    row = {name: i for i, name in enumerate(p.name for p in materials.PARAMETERS)}
    puddles = ALL["Puddles"]
    dry = dials.changed(filming.world(None, "dry_concrete"), puddles, 0.4).surface.parameters[0]
    wet = materials.material("wet_concrete")
    assert dry[row["wet_area"]] == 0.4
    assert dry[row["wet_ratio_high"]] == wet.quantity("wet_ratio_high").nominal
    leaves = filming.world(None, "wet_leaves")
    found = dials.changed(leaves, puddles, 0.4).surface.parameters[0]
    own = leaves.surface.parameters[0]
    assert [i for i in range(len(own)) if own[i] != found[i]] in ([row["wet_area"]], [])


def test_files_that_hold_no_scenario_are_named(tmp_path):
    path = tmp_path / "world.json"
    for text, reason in (
        ("", "is empty"),
        ("[1]", "is not a scenario"),
        ('{"seed": -1}', "seed"),
        ('{"numerics": {"iterations": 0}}', "iterations"),
    ):
        path.write_text(text)
        with pytest.raises(InputError, match=reason):
            filming.world(str(path), None)
    with pytest.raises(InputError, match="cannot be read"):
        filming.world(str(tmp_path / "none.json"), None)


def test_controls_are_choices_or_dials_with_their_own_labels():
    made = (*dials.ground(), *dials.shape(), *dials.body())
    assert len(ALL) == len(made)
    for control in made:
        assert isinstance(control, Choice | Dial)
        if isinstance(control, Dial):
            assert control.low < control.high and control.step > 0
            shown = min(max(control.read(Scenario()), control.low), control.high)
            assert control.accepts(shown)
