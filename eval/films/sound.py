"""Sound of a film: a click on every beat, synthesised, and joined to the picture by ffmpeg."""

import subprocess
import tempfile
import wave
from collections.abc import Sequence
from pathlib import Path

import imageio_ffmpeg  # type: ignore[import-untyped]
import numpy as np
from numpy.typing import NDArray

from grek import files
from grek.errors import InputError

RATE = 44_100  # samples a second
PITCH, DECAY, LENGTH = 1200.0, 0.012, 0.08  # of a click: [Hz], time constant [s], [s]


def click_track(clicks: Sequence[float], seconds: float) -> NDArray[np.int16]:
    """Samples of `seconds` [s] at RATE with a decaying tone at each of `clicks` [s]."""
    time = np.arange(round(LENGTH * RATE)) / RATE
    tone = 0.5 * np.sin(2 * np.pi * PITCH * time) * np.exp(-time / DECAY)
    track = np.zeros(round(seconds * RATE) + len(tone))
    for at in clicks:
        first = round(at * RATE)
        if first < round(seconds * RATE):
            track[first : first + len(tone)] += tone
    return np.asarray(np.clip(track, -1, 1)[: round(seconds * RATE)] * 32767).astype(np.int16)


def add_clicks(film: Path, clicks: Sequence[float]) -> None:
    """Replace the .mp4 `film` by one that clicks at `clicks` [s].

    Raises InputError if ffmpeg fails; the film is then as it was.
    """
    seconds = float(imageio_ffmpeg.count_frames_and_secs(str(film))[1])
    with tempfile.TemporaryDirectory() as place:
        track = Path(place) / "clicks.wav"
        with wave.open(str(track), "wb") as sound:
            sound.setparams((1, 2, RATE, 0, "NONE", ""))
            sound.writeframes(click_track(clicks, seconds).tobytes())
        with files.written(film) as part:
            inputs = ["-i", str(film), "-i", str(track)]
            codecs = ["-c:v", "copy", "-c:a", "aac", "-movflags", "+faststart", "-f", "mp4"]
            command = [imageio_ffmpeg.get_ffmpeg_exe(), "-y", "-v", "error", *inputs, *codecs]
            done = subprocess.run(
                [*command, str(part)], capture_output=True, text=True, check=False
            )
            if done.returncode:
                raise InputError(f"ffmpeg cannot add sound to {film}: {done.stderr.strip()[:200]}")
