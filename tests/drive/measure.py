"""Measure `grek drive` on this machine: real-time factor, delay of keys, bytes, and a soak.

    python tests/drive/measure.py                 # one and two visitors, concrete and sand
    python tests/drive/measure.py --soak 60       # minutes of random driving

The droid runs in a process of its own; visitors are websocket clients here, without a browser.
"""

import argparse
import contextlib
import os
import random
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from client import Visitor, visiting  # this file is a script, beside it

ROOT = Path(__file__).resolve().parents[2]
KEYS = ("KeyW", "KeyS", "KeyA", "KeyD", "KeyQ", "KeyE", "ArrowUp", "ArrowLeft")
MATERIALS = ("dry_concrete", "sand", "gravel", "ice", "snow", "mud", "carpet", "grass")
PERIOD = 20.0  # over which a real-time factor is measured [s]
PRESSES = 60  # of which delays are measured


@dataclass(frozen=True)
class Drive:
    """A `grek drive` that runs."""

    process: subprocess.Popen[str]
    address: str

    def used(self) -> float:
        """Processor time of all threads so far [s]."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def memory(self) -> float:
        """Resident memory [MiB]."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        found = re.search(r"VmRSS:\s+(\d+)", status)
        assert found
        return int(found[1]) / 1024


@contextlib.contextmanager
def driving(material: str) -> Iterator[Drive]:
    """`grek drive` on a material, ended by an interrupt."""
    command = [sys.executable, "-m", "grek", "drive", "walk", "--port", "0", "--material", material]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        yield Drive(process, process.stdout.readline().split()[-1])
    finally:
        process.send_signal(2)
        begun = time.perf_counter()
        process.wait()
        print(
            f"  ended {time.perf_counter() - begun:.2f} s after the interrupt: {process.returncode}"
        )


def pace(drive: Drive, count: int) -> tuple[float, float, float]:
    """Real-time factor, cores that real time takes, and bytes per second and visitor [kB/s]."""
    with contextlib.ExitStack() as stack:
        visitors = [stack.enter_context(visiting(drive.address)) for _ in range(count)]
        one = visitors[0]
        one.wait(lambda: one.news.get("visitors") == count, "all visitors")
        one.hold("KeyW")
        one.wait(lambda: one.news["position"][0] > 0.1, "a walk")
        time.sleep(3)  # until the first ground has been sent
        first, since, sent = one.news["step"], one.heard, sum(v.received for v in visitors)
        before = drive.used()
        time.sleep(PERIOD)
        last, until, used = one.news["step"], one.heard, drive.used() - before
        kilobytes = (sum(v.received for v in visitors) - sent) / 1000
        simulated, real = 0.02 * (last - first), until - since
        return simulated / real, used / simulated, kilobytes / count / real


def delays(drive: Drive) -> np.ndarray:
    """From a key to the news that the command follows it, there and back [ms] (PRESSES,)."""
    found = []
    with visiting(drive.address) as one:
        one.wait(lambda: one.news.get("step"), "news")
        for _ in range(PRESSES):
            one.wait(lambda: one.news["command"][:3] == [0, 0, 0], "a standing droid")
            time.sleep(random.uniform(0.05, 0.3))
            begun = time.perf_counter()
            one.hold("KeyD")
            one.wait(lambda: one.news["command"][2] != 0, "the command")
            found.append(1000 * (time.perf_counter() - begun))
            one.hold()
    return np.array(found)


def table(material: str) -> None:
    """Print the figures of a material."""
    print(material)
    with driving(material) as drive:
        for count in (1, 2):
            factor, cores, kilobytes = pace(drive, count)
            print(
                f"  {count} visitors: real time x {factor:.3f}, which takes {cores:.2f} cores,"
                f" {kilobytes:.0f} kB/s each"
            )
        found = delays(drive)
        low, high = np.percentile(found, (50, 95))
        print(f"  key to command, there and back: median {low:.0f} ms, p95 {high:.0f} ms")
        print(f"  memory {drive.memory():.0f} MiB")


def soak(minutes: float, seed: int) -> None:
    """Drive at random; print memory, falls and releases that were missed."""
    rng = random.Random(seed)
    missed = released = turned = 0
    with driving("dry_concrete") as drive, visiting(drive.address) as watcher:
        watcher.wait(lambda: watcher.news.get("step"), "news")
        end, told = time.monotonic() + 60 * minutes, 0.0
        while time.monotonic() < end:
            one = Visitor(drive.address)
            one.wait(lambda: "Friction" in one.controls and one.news, "a page")  # noqa: B023
            for _ in range(rng.randint(2, 12)):
                one.hold(*rng.sample(KEYS, rng.randint(1, 3)))
                time.sleep(rng.uniform(0.1, 1.5))
                if rng.random() < 0.3:
                    one.set("Material", rng.choice(MATERIALS))
                    turned += 1
                if rng.random() < 0.2:
                    one.set("slope [%]", rng.choice((0.0, 3.0, 6.0)))
                    one.set("Payload [kg]", rng.choice((0.0, 1.0, 2.0)))
                    turned += 2
                if rng.random() < 0.3:
                    one.tap(rng.choice(("KeyP", "Space", "KeyR")))
            rude = rng.random() < 0.5
            if not rude:
                one.hold()
            one.close(politely=not rude)
            released += 1
            try:
                watcher.wait(lambda: watcher.news["driver"] is None, "a release")
            except AssertionError:
                missed += 1
            if time.monotonic() - told > 60:
                told = time.monotonic()
                news = watcher.news
                print(
                    f"  {news['step'] * 0.02 / 60:5.1f} min: {drive.memory():.0f} MiB,"
                    f" {news['falls']} falls, {turned} changes, {released} visitors,"
                    f" {missed} missed releases, {news['dropped']} dropped, {news['pace']}",
                    flush=True,
                )
        print(f"  {released} visitors who left, half of them with keys held: {missed} missed")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--soak", type=float, help="minutes of random driving")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    if arguments.soak:
        soak(arguments.soak, arguments.seed)
    else:
        for name in ("dry_concrete", "sand"):
            table(name)
