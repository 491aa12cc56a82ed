"""Damaged and malicious files: refused in one line, or read for what they are."""

import contextlib
import json
from pathlib import Path
from typing import Any

import onnx
import pytest

from grek.__main__ import fail, main
from grek.envs.scenarios.scenario import from_plain, to_plain
from grek.envs.scenarios.spaces import parse
from grek.envs.tasks import TaskBatch, walking
from grek.errors import InputError
from grek.eval import report
from grek.eval.scores import compare, policies, scorecard
from grek.training import checkpoint, run_directory
from grek.training.config import PPOConfig, TrainConfig
from grek.training.train import train

from ..eval import cards
from .attack import damaged, mutated, tries

WALK = Path(__file__).parents[2] / "assets/policies/walk.onnx"


def run(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> int:
    """Exit code of the command, which prints one line of plain text where it refuses."""
    code = main(arguments)
    said = capsys.readouterr().err
    assert code in (0, 2), said
    if code == 2:
        refused_in_a_line(said)
    return code


def refused_in_a_line(said: str) -> None:
    assert said.startswith("grek: ") and said.count("\n") == 1 and len(said) < 1200, said
    assert said.strip().isprintable(), said


# -- scorecards ----------------------------------------------------------------------------


def test_mutated_scorecards(tmp_path, capsys):
    """With a digest that fits: edited on purpose, or made by another program."""
    whole = scorecard.plain(cards.card(cards.episodes(3)))
    scorecard.write(whole, tmp_path / "whole.json")
    for rng in tries(200):
        card = mutated(whole, rng)
        if isinstance(card, dict):
            card["digest"] = scorecard.digest(card)
        (tmp_path / "card.json").write_text(json.dumps(card))
        try:
            read = scorecard.read(tmp_path / "card.json")
        except InputError:
            assert run(["table", str(tmp_path / "card.json")], capsys) == 2
            continue
        run(["table", str(tmp_path / "card.json")], capsys)
        run(["table", str(tmp_path / "card.json"), "--rows"], capsys)
        for pair in ((read, whole), (whole, read), (read, read)):
            with contextlib.suppress(InputError):
                compare.compare(*pair).text()
        assert "\x1b" not in report.html(read) and "\x1b" not in report.markdown(read)


def test_damaged_scorecards(tmp_path, capsys):
    text = scorecard.dumps(cards.card(cards.episodes(2))).encode()
    for rng in tries(200, 1):
        content = damaged(text, rng)
        if content == text:
            continue
        (tmp_path / "card.json").write_bytes(content)
        try:
            read = scorecard.read(tmp_path / "card.json")
        except InputError:
            continue
        assert (
            json.loads(content) == scorecard.plain(read) == json.loads(text)
        )  # damage to white space only


# -- policies ------------------------------------------------------------------------------


def loaded(path: Path, capsys: pytest.CaptureFixture[str]) -> int:
    try:
        policies.load(str(path))  # runs the network once
    except InputError as error:
        fail(str(error))
        refused_in_a_line(capsys.readouterr().err)
        return 2
    return 0


def test_damaged_policies(tmp_path, capsys):
    whole, read = WALK.read_bytes(), 0
    for rng in tries(150, 2):
        (tmp_path / "policy.onnx").write_bytes(damaged(whole, rng))
        read += loaded(tmp_path / "policy.onnx", capsys) == 0
    assert read  # a flipped bit of a weight is a policy with another hash


def test_mutated_contracts(tmp_path, capsys):
    model = onnx.load(str(WALK))
    (entry,) = (p for p in model.metadata_props if p.key == "grek.contract")
    contract = json.loads(entry.value)
    for rng in tries(100, 3):
        entry.value = json.dumps(mutated(contract, rng))
        onnx.save(model, str(tmp_path / "policy.onnx"))
        loaded(tmp_path / "policy.onnx", capsys)


# -- runs ----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def short_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    ppo = PPOConfig(rollout=8, minibatches=2, epochs=1, hidden=(16,))
    out = tmp_path_factory.mktemp("short") / "run"
    return train(TrainConfig(out=out, steps=32, worlds=2, threads=1, seed=5, ppo=ppo))


def test_mutated_settings(short_run, capsys):
    path = short_run / "config.json"
    whole = path.read_text()
    try:
        for rng in tries(200, 4):
            path.write_text(json.dumps(mutated(json.loads(whole), rng)))
            with contextlib.suppress(InputError):
                run_directory.prepare(TrainConfig(resume=short_run, steps=8))
    finally:
        path.write_text(whole)
        capsys.readouterr()


def test_damaged_checkpoints(short_run):
    """None is taken for whole, none runs code."""
    path = max((short_run / "checkpoints").glob("*.pt"))
    whole = path.read_bytes()
    for rng in tries(200, 5):
        content = damaged(whole, rng)
        if content != whole:
            with pytest.raises(Exception):  # noqa: B017 - `newest` takes any for damage
                checkpoint._load(content)


def test_damaged_learners(short_run, tmp_path):
    whole = (short_run / checkpoint.LEARNER).read_bytes()
    for rng in tries(200, 6):
        (tmp_path / "learner.safetensors").write_bytes(damaged(whole, rng))
        try:
            tensors, contract, level = checkpoint.read_learner(str(tmp_path))
        except InputError:
            continue
        assert all(value.isfinite().all() for value in tensors.values())
        assert isinstance(contract, dict) and 0 <= level <= 1


def test_mutated_scenarios():
    batch = TaskBatch(walking(), 1)
    whole: Any = json.loads(json.dumps(to_plain(parse("train/sand:7"))))
    for rng in tries(100, 7):
        try:
            batch.reset([0], [from_plain(mutated(whole, rng))])
        except InputError:
            continue
        assert batch.state.position_w.shape == (1, 3)
