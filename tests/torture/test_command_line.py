"""Random command lines: exit codes 0, 1 and 2 only, one line on refusal, and 1 means regression."""

import shlex
from pathlib import Path

import numpy as np
import pytest

from grek.__main__ import main
from grek.eval.scores import scorecard

from ..eval import cards
from .attack import tries

NASTY = (
    *("", " ", "-1", "0", "nan", "inf", "1e400", "99999999999999999999", "x", "None", "[]", "--"),
    *("../..", "/dev/null", "/proc/self/mem", "\x1b[2J", "é\u202e", "a" * 3000, "a,b", "=", "*"),
    *("sand", "walk", "zero", "train/sand:3", "heldout/ice:-1", "train/sand:1e3", "0.5", "card"),
)
SMALL = {  # a command line that works, and is quick
    "train": "--out OUT --steps 16 --worlds 2 --threads 1 --ppo.rollout 8 --ppo.minibatches 1",
    "eval": "zero --suite train --episodes 1 --threads 1 --out OUT",
    "compare": "card card",
    "table": "card",
    "render": "zero --seconds 0.02 --out OUT.txt",
    "scenario": "train/sand:41",
    "materials": "--plot OUT.txt",
    "bench": "--repeats 0",
    "onboard": "walk --plant 127.0.0.1:9 --patience 0.05 --log OUT.mcap",
    "replay": "card",
}
FLAGS = {
    "train": "--out --steps --seed --materials --scenarios --replay --from --resume --force --task"
    " --history --past-actions --weights --motion --action-scale --minutes --threads --ppo.gamma"
    " --ppo.hidden --ppo.symmetry --ppo.kl-target --given",
    "eval": "--suite --episodes --seed --threads --out --force",
    "compare": "--margin",
    "table": "--rows",
    "render": "--scenario --material --seconds --fps --out --force",
    "scenario": "--name",
    "materials": "--plot --force",
    "bench": "--out --repeats --minutes --plot --force",
    "onboard": "--plant --filter --log --force",
    "replay": "--force",
}


def line(rng: np.random.Generator) -> list[str]:
    """A command, of the forms that work with up to three values replaced, added or left out."""
    command = str(rng.choice(list(SMALL)))
    words = shlex.split(SMALL[command])
    for _ in range(rng.integers(1, 4)):
        value = NASTY[rng.integers(len(NASTY))]
        flag = str(rng.choice(FLAGS[command].split()))
        kind, at = rng.integers(4), int(rng.integers(len(words)))
        if kind == 0:
            words[at] = value
        elif kind == 1:
            words += [flag, value]
        elif kind == 2:
            words += [flag]
        elif len(words) > 1:
            del words[at]
    return [command if rng.random() < 0.97 else NASTY[rng.integers(len(NASTY))], *words]


def too_much(words: list[str]) -> bool:
    """Training without a small budget, a suite at its full length, or a long wait for a body."""
    budget = {"train": "--steps 16", "eval": "--episodes 1", "bench": "--repeats 0"}
    budget["onboard"] = "--patience 0.05"
    return budget.get(words[0], "") not in " ".join(words) or "--minutes" in words


def test_random_command_lines(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    scorecard.write(cards.card(cards.episodes(3)), tmp_path / "card")
    for number, rng in enumerate(tries(150, 20)):
        words = [word.replace("OUT", f"out{number}") for word in line(rng)]
        if too_much(words):
            continue
        try:
            code = main(words)
        except SystemExit as exit:
            code = exit.code
        said = capsys.readouterr()
        assert code in (0, 1, 2), (words, code)
        assert code != 1 or words[0] == "compare", words
        if code == 2:
            last = said.err.strip().splitlines()[-1]
            assert last.startswith("grek: ") and last.isprintable() and len(last) < 1200, words
        assert "Traceback" not in said.err
        assert not list(Path().rglob("*.part*")), words


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8"])
def test_any_encoding_of_the_terminal(encoding, tmp_path, run_grek):
    scorecard.write(cards.card(cards.episodes(3)), tmp_path / "card.json")
    for arguments in (["table", "card.json"], ["materials"], ["compare", "card.json", "card.json"]):
        ended = run_grek(arguments, tmp_path, PYTHONIOENCODING=encoding)
        assert ended.returncode == 0 and not ended.stderr
