"""The files of docs/extending.md, written out and used from the command line.

They add a material, a shape, an observation field, a reward term, a task and a robot from outside
the package; then the task trains, is scored and filmed, and every other world stays as it was.
"""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parent.parent
PAGE = (ROOT / "docs" / "extending.md").read_text()
FILES = dict(re.findall(r"<!-- file: (\S+) -->\n```\w+\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE))
EXTENSIONS = "cinder.py:ditches.py:quadruped.py:crouch.py"


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    """Directory with the files of the page and a policy trained for two updates."""
    place = tmp_path_factory.mktemp("lab")
    for name, text in FILES.items():
        (place / name).write_text(text)
    grek(
        place,
        *("train", "--task", "lab/Crouch-v0", "--materials", "cinder,sand", "--out", "run"),
        *("--steps", "512", "--worlds", "16", "--threads", "1"),
        *("--ppo.rollout", "16", "--ppo.hidden", "16", "--ppo.minibatches", "2"),
    )
    return place


def grek(place: Path, *arguments: str, code: int = 0, extensions: str = EXTENSIONS) -> str:
    """Run the command in `place` with the extensions; returns stdout and stderr."""
    done = subprocess.run(
        [sys.executable, "-m", "grek", *arguments],
        capture_output=True,
        text=True,
        cwd=place,
        env={
            **os.environ,
            "GREK_EXTENSIONS": extensions,
            "PYTHONPATH": str(ROOT),
            "OMP_NUM_THREADS": "1",
        },
        check=False,
    )
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout + done.stderr


def test_the_page_names_its_files():
    assert set(FILES) == {
        "cinder.py",
        "ditches.py",
        "quadruped.xml",
        "quadruped.py",
        "crouch.py",
    }
    assert f"GREK_EXTENSIONS={EXTENSIONS}" in PAGE


def test_it_trains_two_updates(lab):
    rows = (lab / "run" / "progress.csv").read_text().splitlines()
    assert len(rows) == 3
    assert "reward/crouch" in rows[0]


def test_the_contract_names_what_was_added(lab):
    import onnx

    model = onnx.load(lab / "run" / "policy.onnx")
    contract = json.loads({p.key: p.value for p in model.metadata_props}["grek.contract"])
    assert contract["task"] == "lab/Crouch-v0"
    assert contract["robot"] == "quadruped"
    assert len(contract["joints"]) == 8
    begin, end = contract["observation"]["foot_contact"]
    assert end - begin == 4
    assert "foot_contact_4" in contract["observation"]  # measured, so it has a history


def test_it_is_scored_on_new_and_old_rows(lab):
    grek(lab, "eval", "run", "--suite", "train", "--episodes", "1", "--threads", "1", "--out", "s")
    card = json.loads((lab / "s" / "scorecard.json").read_text())
    rows = [(row["axis"], row["context"]) for row in card["rows"]]
    assert ("material", "cinder") in rows and ("shape", "ditches") in rows
    assert ("material", "sand") in rows
    assert (lab / "s" / "scorecard.html").is_file()


def test_it_is_filmed(lab):
    from grek.eval.films.film import check_filming

    try:
        check_filming()
    except Exception as error:
        pytest.skip(str(error))
    for scenario in ("train/cinder:0", "heldout/ditches-far:0"):
        out = f"{scenario.replace('/', '-').replace(':', '-')}.mp4"
        grek(lab, "render", "run", "--scenario", scenario, "--seconds", "0.1", "--out", out)
        assert (lab / out).stat().st_size > 1000


def test_without_the_extension_the_policy_is_refused_by_name(lab):
    said = grek(lab, "eval", "run", "--suite", "train", "--episodes", "1", code=2, extensions="")
    assert "unknown task 'lab/Crouch-v0'" in said


def test_an_extension_that_does_not_import_is_one_line(tmp_path):
    (tmp_path / "broken.py").write_text("import nothing_of_that_name\n")
    for named, what in (("broken.py", "nothing_of_that_name"), ("missing.py", "missing.py")):
        said = grek(tmp_path, "scenario", "train/sand:1", code=2, extensions=named)
        assert what in said and len(said.splitlines()) == 1


def test_every_other_world_stays_as_it_was(lab):
    """In processes of their own: other tests add spaces to this one."""
    code = (
        "import json\n"
        "from grek import extensions; extensions.load()\n"
        "from grek.envs.scenarios.scenario import to_plain\n"
        "from grek.envs.scenarios.spaces import SPACES, parse\n"
        "names = [f'{space.name}/{context.slug}:{index}' for space in SPACES.values()\n"
        "         for context in space.contexts for index in (0, 7, 300_000)]\n"
        "print(json.dumps({name: to_plain(parse(name)) for name in names}))\n"
    )
    plain, extended = (
        json.loads(
            subprocess.run(
                [sys.executable, "-c", code],
                capture_output=True,
                text=True,
                cwd=lab,
                env={**os.environ, "GREK_EXTENSIONS": names, "PYTHONPATH": str(ROOT)},
                check=True,
            ).stdout
        )
        for names in ("", EXTENSIONS)
    )
    assert len(plain) > 500
    assert {name: extended[name] for name in plain} == plain


def test_the_gradient_of_the_shape_is_that_of_its_height():
    names: dict = {}
    code = FILES["ditches.py"].split("register(\n")[0].replace(", register", "")
    exec(code, names)
    coefficients = names["coefficients"]({"spacing": 1.1, "depth": 0.03})
    x, out = np.linspace(-2, 2, 20_001), np.empty((20_001, 3))
    for k in range(len(x)):
        names["elevation"](coefficients, x[k], 0.0, out[k])
    height, along, aside = out.T
    assert height.min() < -0.029 and height.max() <= 0
    assert np.allclose(np.gradient(height, x)[1:-1], along[1:-1], atol=1e-6)
    assert not aside.any()
