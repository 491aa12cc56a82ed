"""Films of a run in progress: which, how many at a time, and what becomes of the training."""

import time
from pathlib import Path

import pytest
import torch
from imageio_ffmpeg import count_frames_and_secs

from grek.training.monitor import films
from grek.training.monitor.films import Films
from grek.training.train import train

from ..envs.rendering.drawing import needs_opengl
from .runs import PER_UPDATE, config, weights


@needs_opengl
def test_films_are_made_beside_a_run_and_leave_its_bits_alone(tmp_path, monkeypatch, capfd):
    monkeypatch.setattr(films, "SECONDS", 0.2)
    monkeypatch.setattr(films, "SIZE", ("96", "64"))
    plain = weights(train(config(tmp_path / "plain", 3)))
    run = train(config(tmp_path / "filmed", 3, film_every=0.0, materials="sand"))
    made = sorted((run / "films").glob("*.mp4"))
    assert made[0].stem == f"step_{PER_UPDATE:012d}"  # of the first update
    assert f"film: {made[0]}" in capfd.readouterr().err
    for film in made:
        assert film.with_suffix(".onnx").is_file()
        assert count_frames_and_secs(str(film))[0] == 5  # 0.2 s at 25 frames a second
    sand = weights(train(config(tmp_path / "sand", 3, materials="sand")))
    assert all(torch.equal(weights(run)[name], sand[name]) for name in sand)
    assert not all(torch.equal(plain[name], sand[name]) for name in sand)


def test_without_an_interval_no_film_is_due(tmp_path):
    assert not Films(tmp_path, None, ("sand",)).due()
    assert not Films(tmp_path, 60.0, ("sand",)).due()
    assert Films(tmp_path, 0.0, ("sand",)).due()


def test_one_film_at_a_time_and_none_after_one_that_failed(tmp_path, capfd):
    (tmp_path / "step_1.onnx").write_bytes(b"damaged")
    with Films(tmp_path, 0.0, ("sand",)) as made:
        made.begin(tmp_path / "step_1.onnx")
        assert not made.due()
    said = capfd.readouterr().err
    assert said.startswith("grek: no more films of this run: grek: ") and said.count("\n") == 1
    assert "step_1.onnx" in said
    assert made.last is None and not made.due()


def test_an_exception_ends_the_film(tmp_path: Path) -> None:
    began = time.monotonic()
    with pytest.raises(KeyboardInterrupt), Films(tmp_path, 0.0, ("sand",)) as made:
        made.begin(tmp_path / "walk")
        assert made._making is not None
        process, _ = made._making
        raise KeyboardInterrupt
    assert process.returncode not in (None, 0) and time.monotonic() - began < 60
    assert not list(tmp_path.glob("*.mp4"))
