"""Text of a space file around an identified body: intervals, widened by drift, with comments."""

import re

from grek.envs.scenarios.ranges import TRAIN, Each
from grek.envs.scenarios.space_file import COMPONENTS, ENTRIES, SCHEMA
from grek.errors import InputError
from grek.identify.fit import Estimate, Identified

LEARNED = 0.1  # least share of the variance that logs removed for an entry to be written
_NOISES = {
    "gyro_noise": "gyro",
    "gravity_noise": "gravity",
    "joint_noise": "joint_position",
    "velocity_noise": "joint_velocity",
}
_NOISE = 0.2  # relative half-width of the ranges of noise


def text(found: Identified, name: str, drift: float) -> str:
    """TOML file of a space `name` around `found`.

    Each interval is widened on both sides by `drift` times half the range of training. Numbers of
    which the logs told next to nothing are left out, and so are as in training.
    """
    lines = [
        "# Scenarios around an identified body: for grek train --space and grek eval --suite.",
        "# A number, or [lowest, highest]: intervals of the estimates, widened for drift.",
        "# What is not here is as in training. Format: docs/identify.md.",
        f"schema = {SCHEMA}",
        f'name = "{name}"',
        f'robot = "{found.robot.name}"',
    ]
    components = {**COMPONENTS, "joint_offset": found.robot.joints}
    left_out = []
    for section in ("body", "motors", "sensors"):
        lines += ["", f"[{section}]"]
        tables = []
        for entry, bounds in ENTRIES[section].items():
            where = f"{section}.{entry}"
            if entry in _NOISES:
                if _NOISES[entry] in found.noise:
                    sd = found.noise[_NOISES[entry]]
                    lines.append(_line(entry, (1 - _NOISE) * sd, (1 + _NOISE) * sd, bounds.unit))
                continue
            parts = components.get(entry, ())
            names = [f"{where}.{part}" for part in parts] or [where]
            if max(found.estimates[n].learned for n in names) < LEARNED:
                left_out.append(where)
                continue
            ranges = [_range(found.estimates[n], _trained(entry), drift) for n in names]
            ranges = [(max(low, bounds.low), min(high, bounds.high)) for low, high in ranges]
            said = [_said(found.estimates[n]) for n in names]
            if not parts:
                lines.append(_line(entry, *ranges[0], f"{bounds.unit}; {said[0]}"))
                continue
            tables += ["", f"[{where}]  # {bounds.unit}"]
            tables += [
                _line(part, *ends, note)
                for part, ends, note in zip(parts, ranges, said, strict=True)
            ]
        lines += tables
    if left_out:
        lines += ["", f"# The logs tell too little of: {', '.join(left_out)}."]
    return "\n".join(lines) + "\n"


def name_of(stem: str) -> str:
    """Name of the space of a file called `stem`; raises InputError if none can be made of it."""
    name = re.sub("[^a-z0-9_]", "_", stem.lower())
    if not re.fullmatch("[a-z][a-z0-9_]{0,39}", name):
        raise InputError(f"file name {stem!r} begins with no letter, or is longer than 40 letters")
    return name


def _trained(entry: str) -> Each:
    """Range of an entry in training."""
    for group in (TRAIN.motors, TRAIN.sensors):
        if entry in group:
            return group[entry]
    found: Each = getattr(TRAIN, entry)
    return found


def _range(estimate: Estimate, trained: Each, drift: float) -> tuple[float, float]:
    """Ends of an entry: the interval and drift, or the range of training if nothing was learned."""
    assert not isinstance(trained, tuple)
    if estimate.learned < LEARNED:
        return trained.low, trained.high
    wider = drift * (trained.high - trained.low) / 2
    return estimate.low - wider, estimate.high + wider


def _said(estimate: Estimate) -> str:
    if estimate.learned < LEARNED:
        return "as in training"
    return f"estimate {estimate.value:.4g} ({estimate.low:.4g} to {estimate.high:.4g})"


def _line(name: str, low: float, high: float, note: str) -> str:
    return f"{name} = [{low:.4g}, {high:.4g}]  # {note}"
