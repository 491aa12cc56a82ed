"""Cost of the computer of a robot: time of a control step, of the import, and memory.

Measured in a process of its own on one core, which other processes may share.
"""

import json
import subprocess
import sys
from collections.abc import Mapping
from typing import Any

from rich.table import Table

from grek import terminal

QUANTILES = (0.5, 0.99, 0.999)
_CODE = """
import json, os, sys, time
steps, name = int(sys.argv[1]), sys.argv[2]
if hasattr(os, "sched_setaffinity"):
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
begin = time.perf_counter()
import grek.onboard.computer
from grek.onboard import Reading, load
from grek.onboard.supervisor import Supervisor
imported = time.perf_counter() - begin
policy = load(name)
loaded = time.perf_counter() - begin - imported
import numpy as np
random, supervisor = np.random.default_rng(0), Supervisor(policy)
acting = len(policy.robot.joints)
command = np.array([0.3, 0.0, 0.2, 0.0, 0.0])
walls, cpus = np.zeros(steps), np.zeros(steps)
for step in range(-100, steps):
    reading = Reading(
        step + 100, 0.02 * step, 0.2 * random.normal(size=3), np.array([0.0, 0.0, -1.0]),
        0.05 * random.normal(size=acting), random.normal(size=acting), command)
    wall, cpu = time.perf_counter(), time.process_time()
    supervisor.offer(reading, None)
    walls[step], cpus[step] = time.perf_counter() - wall, time.process_time() - cpu
assert not supervisor.events.keys() - {"slowed"}, supervisor.events
of = [float(q) for q in sys.argv[3:]]
with open("/proc/self/status") as status:  # ru_maxrss would be the parent's
    peak = next(line for line in status if line.startswith("VmHWM"))
print(json.dumps({
    "import_s": imported, "load_s": loaded, "steps": steps,
    "memory_mib": int(peak.split()[1]) / 1024,
    "wall_ms": dict(zip(sys.argv[3:], (1e3 * np.quantile(walls, of)).tolist())),
    "cpu_ms": dict(zip(sys.argv[3:], (1e3 * np.quantile(cpus, of)).tolist())),
}))
"""


def measure(steps: int = 20_000, policy: str = "walk") -> dict[str, Any]:
    """Quantiles of a control step of `policy` [ms], import and load times [s], peak memory [MiB].

    A control step is from a reading to joint targets, its checks included; the first 100 are left
    out.
    """
    command = [sys.executable, "-c", _CODE, str(steps), policy, *map(str, QUANTILES)]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return dict(json.loads(said))


def table(found: Mapping[str, Any]) -> Table:
    """Table of the result of `measure`."""
    rows = [
        *(
            (f"control step, {clock} time, quantile {q}", f"{found[f'{clock}_ms'][str(q)]:.3f} ms")
            for clock in ("wall", "cpu")
            for q in QUANTILES
        ),
        ("import", f"{found['import_s']:.2f} s"),
        ("load policy", f"{found['load_s']:.2f} s"),
        ("peak memory", f"{found['memory_mib']:.0f} MiB"),
    ]
    return terminal.table(("computer of a robot", "value"), rows, "<>")
