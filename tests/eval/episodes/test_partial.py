"""Interrupted evaluations: resumption, damaged files, files of other evaluations."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest

from grek.__main__ import main
from grek.eval.episodes import partial
from grek.eval.scores import policies, rollout

IN_BATCHES = (
    "import sys; from grek.eval.scores import rollout; rollout.WORLDS = 2\n"
    "from grek.__main__ import main; sys.exit(main(sys.argv[1:]))"
)
GAIT = ("eval", "gait", "--suite", "train", "--episodes", "2", "--threads", "1", "--out")


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """Files of an uninterrupted evaluation."""
    out = tmp_path_factory.mktemp("whole")
    subprocess.run([sys.executable, "-c", IN_BATCHES, *GAIT, str(out)], check=True)
    return contents(out)


def evaluated(kept):
    """What the kept episodes are of."""
    return json.loads(kept.read_text().splitlines()[0])["of"]


def batches(kept):
    """Kept episodes, of all batches."""
    lines = kept.read_text().splitlines()[1:]
    return [episode for line in lines for episode in json.loads(json.loads(line)["episodes"])]


def contents(directory):
    return {path.name: path.read_bytes() for path in directory.iterdir()}


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_evaluation_goes_on_to_the_same_bytes(number, whole, tmp_path):
    command = [sys.executable, "-c", IN_BATCHES, *GAIT, str(tmp_path)]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, stdout=-3, text=True)
    kept = tmp_path / partial.NAME
    for _ in range(600):
        if kept.exists():
            break
        time.sleep(0.02)
    process.send_signal(number)
    said = process.communicate(timeout=60)[1].splitlines()[-1]
    assert process.returncode == 130, said
    assert said.startswith("grek: interrupted; the same command continues") and str(kept) in said
    assert list(contents(tmp_path)) == [partial.NAME]
    done = len(batches(kept))
    assert 0 < done < 10 and done % 2 == 0

    again = subprocess.run(command, capture_output=True, text=True, check=False)
    assert again.returncode == 0, again.stderr
    assert f"{done}/10 episodes" in again.stderr and "0/10" not in again.stderr[:4]
    assert contents(tmp_path) == whole


@pytest.fixture(scope="module")
def two_episodes(tmp_path_factory):
    """Partial file of an evaluation interrupted after two of ten episodes."""
    out = tmp_path_factory.mktemp("stopped")
    save = partial.save

    def stop(*arguments):
        save(*arguments)
        os.kill(os.getpid(), signal.SIGTERM)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rollout, "WORLDS", 2)
        patch.setattr(partial, "save", stop)
        assert main([*GAIT, str(out)]) == 130
    return (out / partial.NAME).read_bytes()


@pytest.fixture
def stopped(two_episodes, tmp_path, monkeypatch):
    """Path of a partial file of two episodes."""
    monkeypatch.setattr(rollout, "WORLDS", 2)
    (tmp_path / partial.NAME).write_bytes(two_episodes)
    return tmp_path / partial.NAME


def test_finished_episodes_are_not_run_again(stopped, whole, monkeypatch, capsys):
    ran = []
    real = rollout.driven

    def run(task, scenarios, *rest):
        ran.extend(scenarios)
        return real(task, scenarios, *rest)

    monkeypatch.setattr(rollout, "driven", run)
    assert main([*GAIT, str(stopped.parent)]) == 0
    assert len(ran) == 8
    assert contents(stopped.parent) == whole


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        ({1: "zero"}, "policy"),
        ({3: "heldout"}, "suite"),
        ({5: "3"}, "episodes is '2', not '3'"),
        ({8: "1", 7: "--seed"}, "seed is '0', not '1'"),
    ],
)
def test_a_file_of_another_evaluation_is_refused(changed, named, stopped, capsys):
    before = stopped.read_bytes()
    arguments = [changed.get(i, word) for i, word in enumerate(GAIT)]
    if 7 in changed:
        arguments = [*GAIT[:-1], "--seed", "1", "--out"]
    assert main([*arguments, str(stopped.parent)]) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1 and named in said and "--force" in said
    assert contents(stopped.parent) == {partial.NAME: before}


def test_a_file_of_another_version_is_refused_or_replaced(stopped, whole, monkeypatch, capsys):
    with monkeypatch.context() as patch:
        patch.setattr("grek.provenance.__version__", "9.9")
        assert main([*GAIT, str(stopped.parent)]) == 2
        assert "its grek is '0.1.0', not '9.9'" in capsys.readouterr().err
    evaluation, episodes = evaluated(stopped), batches(stopped)
    stopped.unlink()
    partial.save(stopped, {**evaluation, "numpy": "1.0"}, episodes)
    assert main([*GAIT, str(stopped.parent), "--force"]) == 0
    assert contents(stopped.parent) == whole


DAMAGE = {
    "cut": lambda text: text[: len(text) // 2],
    "edited": lambda text: text.replace(rb"\"survived\": false", rb"\"survived\": true", 1),
    "empty": lambda text: b"",
    "list": lambda text: b"[]",
    "binary": lambda text: b"\xff\xfe\x00",
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_file_is_deleted_with_a_warning(damage, stopped, capsys):
    evaluation = evaluated(stopped)
    assert len(partial.load(stopped, evaluation)) == 2
    stopped.write_bytes(DAMAGE[damage](stopped.read_bytes()))
    assert len(partial.load(stopped, evaluation)) == 0
    said = capsys.readouterr().err
    assert said == f"grek: {stopped} is damaged; all episodes are run again\n"
    assert not stopped.exists()


def test_after_damage_all_episodes_are_run_again(stopped, whole, capsys):
    stopped.write_bytes(DAMAGE["edited"](stopped.read_bytes()))
    assert main([*GAIT, str(stopped.parent)]) == 0
    assert f"{stopped} is damaged" in capsys.readouterr().err
    assert contents(stopped.parent) == whole


def test_batches_before_the_damage_are_kept(stopped, whole, capsys):
    """A batch whose writing was cut short, as by a kill, costs that batch."""
    evaluation = evaluated(stopped)
    partial.save(stopped, evaluation, batches(stopped)[:2], 2)
    two = stopped.read_bytes()
    stopped.write_bytes(two[:-20])
    assert len(partial.load(stopped, evaluation)) == 2
    assert "all but 2 episodes are run again" in capsys.readouterr().err
    partial.save(stopped, evaluation, batches(stopped)[:2], 2)
    assert stopped.read_bytes() == two
    assert len(partial.load(stopped, evaluation)) == 4


def test_undefined_numbers_and_events_survive_the_file(tmp_path):
    episode = {
        **{"scenario": "train:1", "space": "train", "contexts": {"material": "sand"}, "world": 5},
        **{"survived": False, "slip": float("nan"), "distance": 0.1 + 0.2, "delay": 0.01},
        **{"pushes": [[0.1, 0.2, 1.0]], "stretches": [], "fall": [float("inf"), 2.0]},
        "shape": {"slope": 0.05},
    }
    partial.save(tmp_path / "x", {"policy": "a"}, [episode])
    found = partial.load(tmp_path / "x", {"policy": "a"})
    assert found[0] == {
        **{key: episode[key] for key in ("scenario", "space", "contexts", "world", "survived")},
        **{"slip": None, "distance": 0.1 + 0.2},
    }
    assert found.details["delay"] == [0.01] and found.details["shape/slope"] == [0.05]
    assert found.events["pushes"][1].tolist() == [[0.1, 0.2, 1.0]]
    assert len(found.events["stretches"][0]) == 0
    assert found.events["fall"][1].tolist() == [[float("inf"), 2.0]]


def test_interrupted_before_anything_is_done(tmp_path, monkeypatch, capsys):
    def stop(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(policies, "load", stop)
    assert main([*GAIT, str(tmp_path / "out")]) == 130
    assert capsys.readouterr().err == "grek: interrupted\n"
    assert not (tmp_path / "out").exists()
