"""The contract of a policy: what it says, and what is refused by name."""

import dataclasses
import json
from typing import Any

import onnxruntime
import pytest

from grek.assets import SHIPPED, asset_path
from grek.envs import tasks
from grek.envs.contract import contract_of, task_of
from grek.envs.motions.gait import Gait
from grek.envs.motions.motion import HomePose
from grek.envs.robots import GREK
from grek.envs.tasks import Task, walking
from grek.errors import InputError


def same(one: Task, two: Task) -> bool:
    """Fields and terms hold functions, which are equal only to themselves."""
    return all(
        getattr(one, name) == getattr(two, name)
        for name in ("name", "robot", "motion", "history", "action_scale", "action_limit")
    )


def written(task: Task) -> dict[str, Any]:
    """The contract of `task` as a file has it."""
    return json.loads(json.dumps(contract_of(task, steps=7)))


def test_what_a_contract_says():
    contract = written(walking(history=1))
    assert contract["schema"] == 1
    assert (contract["task"], contract["robot"]) == ("grek/Walk-v0", "grek")
    assert contract["observation"]["gravity"] == [3, 6]
    assert contract["joints"][3] == "left_knee" and contract["default_pose"][3] == -1.1
    assert contract["action_scale"] == [0.2, 0.2, 0.3, 0.3, 0.3] * 2
    assert (contract["control_dt"], contract["physics_dt"]) == (0.02, 0.005)
    assert contract["gait"]["period"] == 0.6
    assert contract["training"] == {"steps": 7}


@pytest.mark.parametrize(
    "task",
    [
        walking(),
        walking(history=2, action_scale=(0.1,) * 10),
        walking(past_actions=3, commands=((-0.3, 0.6), (-0.2, 0.2), (-0.8, 0.8))),
        walking(motion=Gait(period=0.7, gain=(1.0, 2.0, 3.0))),
    ],
)
def test_a_task_is_read_back_from_its_contract(task):
    assert same(task_of(written(task), "x.onnx"), task)


@pytest.mark.parametrize("name", SHIPPED)
def test_a_shipped_policy_is_for_the_task_of_today(name):
    session = onnxruntime.InferenceSession(
        asset_path(f"policies/{name}.onnx"), providers=["CPUExecutionProvider"]
    )
    contract = json.loads(session.get_modelmeta().custom_metadata_map["grek.contract"])
    task = task_of(contract, f"{name}.onnx")
    assert task.robot is GREK
    assert task.size() == session.get_inputs()[0].shape[1]


def test_a_policy_from_before_there_were_other_robots():
    contract = written(walking())
    del contract["robot"]
    assert same(task_of(contract, "old.onnx"), walking())


@pytest.mark.parametrize(
    ("entry", "value", "told"),
    [
        ("task", "grek/Fly-v0", "unknown task 'grek/Fly-v0'; there are: grek/Walk-v0"),
        ("robot", "wheels", "the contract's robot is 'wheels', this environment has 'grek'"),
        ("schema", 2, "the contract's schema is 2, this environment has 1"),
        ("history", 3, r"the contract's observation 'gyro_4' is \[123, 126\]"),
        ("history", 60, "the contract's history is 60, this environment has 50"),
        ("history", -1, "the contract's history is -1"),
        ("history", "all", "the contract lacks or garbles"),
        ("action_scale", [0.2] * 9, "action_scale has 9 values, not 10"),
        ("action_scale", [None] * 10, "the contract lacks or garbles number None"),
        ("joints", list(reversed(GREK.joints)), r"the contract's joints is \['right_ankle'"),
        ("control_dt", 0.01, "the contract's control_dt is 0.01, this environment has 0.02"),
        ("gait", None, "a gait has capture, catch, duty"),
        ("gait", {"period": 0.6}, "a gait has capture, catch, duty"),
        ("observation", {}, "the contract's observation 'gyro' is None"),
    ],
)
def test_what_this_version_cannot_meet_is_refused(entry, value, told):
    with pytest.raises(InputError, match=rf"^x\.onnx: .*{told}"):
        task_of({**written(walking()), entry: value}, "x.onnx")


@pytest.mark.parametrize("entry", ["task", "history", "action_scale", "gait", "joints", "schema"])
def test_an_entry_that_is_missing_is_named(entry):
    contract = written(walking())
    del contract[entry]
    with pytest.raises(InputError, match=rf"^x\.onnx: .*{entry}"):
        task_of(contract, "x.onnx")


def test_a_task_of_ones_own_without_a_gait(monkeypatch):
    statue = dataclasses.replace(GREK, name="statue", legs=None)
    task = walking(statue, "own/Stand-v0")
    monkeypatch.setitem(tasks.TASKS, task.name, task)  # removed after the test
    del tasks.TASKS[task.name]
    tasks.register(task)
    contract = written(task)
    assert contract["gait"] is None and contract["robot"] == "statue"
    found = task_of(contract, "x.onnx")
    assert same(found, task) and found.motion == HomePose()
    with pytest.raises(InputError, match="a home pose has no parameters"):
        task_of({**contract, "gait": {"period": 0.6}}, "x.onnx")
    with pytest.raises(InputError, match="task 'own/Stand-v0' exists"):
        tasks.register(task)
