"""Motion of sixteen worlds to the last bit, against a file; each is a scenario as explicit data.

They have every material, mixed ground, pushes, late sensors and other numerics. Bits depend on the
processor and on MuJoCo and NumPy (OpenBLAS and NumPy's loops choose instructions at run time), so
they are compared where all are those of the file; poses after two seconds, which other processors
change by less than 1e-5, are compared everywhere.

`python tests/envs/tasks/test_trajectories.py` writes the file anew where a change of the physics is
meant.
"""

import hashlib
import json
from pathlib import Path
from typing import Any

import mujoco
import numpy as np
import pytest
from numpy._core._multiarray_umath import __cpu_features__

from grek.envs.motions.gait import Gait
from grek.envs.scenarios.scenario import Scenario, from_plain, to_plain
from grek.envs.tasks import TaskBatch, walking

FILE = Path(__file__).with_name("trajectories.json")
STEPS = 100  # of control
# Its own gait, so that another default changes nothing here.
TASK = walking(motion=Gait(sway=0.03, gain=(1.9, 1.25, 1.0)))
ACTING = len(TASK.robot.joints)


def run(scenarios: list[Scenario], threads: int = 1) -> list[dict[str, Any]]:
    """Digest of all poses of each world's run, and its last pose, rounded."""
    batch = TaskBatch(TASK, len(scenarios), threads)
    batch.reset(range(len(scenarios)), scenarios)
    poses = []
    for step in range(STEPS):
        action = 0.3 * np.sin(0.13 * step + np.arange(ACTING))
        batch.step(np.tile(action, (len(scenarios), 1)))
        state = batch.state
        poses.append(
            np.concatenate(
                [
                    state.position_w,
                    state.rotation.reshape(-1, 9),
                    state.joint_position,
                    state.joint_velocity,
                ],
                1,
            )
        )
    path = np.stack(poses, 1)  # (worlds, steps, 12 + 2 joints)
    joints = state.joint_position.shape[1]
    return [
        {
            "sha256": hashlib.sha256(np.ascontiguousarray(world).tobytes()).hexdigest(),
            "position": _rounded(world[-1, :3]),
            "rotation": _rounded(world[-1, 3:12]),
            "joints": _rounded(world[-1, 12 : 12 + joints]),
        }
        for world in path
    ]


def _rounded(values: np.ndarray) -> list[float]:
    return [round(float(value), 6) for value in values]


def machine() -> str:
    """Versions and processor features on which the bits depend."""
    features = " ".join(name for name, there in sorted(__cpu_features__.items()) if there)
    return f"MuJoCo {mujoco.__version__}, NumPy {np.__version__}, {features}"


def content() -> dict[str, Any]:
    return json.loads(FILE.read_text())


def read() -> tuple[list[Scenario], list[dict[str, Any]]]:
    return [from_plain(plain) for plain in content()["scenarios"]], content()["runs"]


def test_the_file_has_what_it_should():
    scenarios, runs = read()
    assert len(scenarios) == len(runs) == 16
    made_of = {name for scenario in scenarios for name in scenario.surface.materials}
    assert len(made_of) == 13
    assert {scenario.surface.layout for scenario in scenarios} == {"single", "strips", "patches"}
    kinds = {part.kind for scenario in scenarios for part in scenario.shape}
    assert kinds == {"slope", "relief", "waves", "steps"}
    assert {scenario.sensors.delay for scenario in scenarios} == {0, 1}
    assert len({scenario.numerics for scenario in scenarios}) > 1
    assert sum(any(p.time < STEPS * 0.02 for p in s.pushes) for s in scenarios) == 13
    assert len({run["sha256"] for run in runs}) == 16


@pytest.fixture(scope="module")
def runs() -> list[dict[str, Any]]:
    return run(read()[0])


def test_worlds_move_as_they_did(runs):
    for world, (now, then) in enumerate(zip(runs, read()[1], strict=True)):
        for name in ("position", "rotation", "joints"):
            assert now[name] == pytest.approx(then[name], abs=1e-4), (world, name)


def test_to_the_last_bit(runs):
    if machine() != content()["machine"]:
        pytest.skip(f"the bits in the file are those of {content()['machine']}")
    assert runs == read()[1]


def test_order_and_threads_change_no_bit(runs):
    scenarios, _ = read()
    order = np.random.default_rng(0).permutation(len(scenarios))
    found = run([scenarios[i] for i in order], threads=2)
    assert found == [runs[i] for i in order]


def write(scenarios: list[Scenario]) -> None:
    """Write the file, a scenario and a run a line."""
    parts = {"scenarios": [to_plain(s) for s in scenarios], "runs": run(scenarios)}
    blocks = (
        f' "{name}": [\n' + ",\n".join(f"  {json.dumps(row)}" for row in rows) + "\n ]"
        for name, rows in parts.items()
    )
    FILE.write_text(f'{{\n "machine": {json.dumps(machine())},\n' + ",\n".join(blocks) + "\n}\n")


if __name__ == "__main__":
    write(read()[0])
