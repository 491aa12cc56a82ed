"""Policy of a robot's computer: network and contract, read without simulator or gym."""

import json
import math
from dataclasses import dataclass
from typing import Any, NoReturn

from grek.assets import SHIPPED
from grek.envs.motions.gait import Gait
from grek.envs.motions.motion import HomePose, ReferenceMotion
from grek.envs.motions.residual import Residual
from grek.envs.network import OLDER, SCHEMA, Network, locate
from grek.envs.robots import Robot, robot
from grek.envs.robots.robot import CONTROL_STEP
from grek.errors import InputError

MOST_PAST = 50  # largest number of past readings or actions accepted from a file

Entry = tuple[str, int, int]
"""A block of the observation: name without its number, that number (0 for the present one), and
columns."""


@dataclass(frozen=True)
class Policy:
    """A network with what its contract says of the robot around it."""

    name: str
    robot: Robot
    entries: tuple[Entry, ...]
    """Blocks of the observation, in column order."""
    residual: Residual
    motion: ReferenceMotion
    network: Network

    @property
    def past(self) -> int:
        """Number of past readings or actions that the observation needs."""
        return max(number for _, number, _ in self.entries)


def load(text: str) -> Policy:
    """Policy named by `text`: an ONNX file, a run directory or a shipped policy.

    Raises InputError naming the first entry of its contract that is missing, malformed or does not
    fit its robot.
    """
    path = locate(text)
    if path is None:
        raise InputError(
            f"unknown policy {text!r}; give an ONNX file, a run directory, or one of:"
            f" {', '.join(SHIPPED)}"
        )
    network = Network(path.read_bytes(), str(path))
    try:
        contract = json.loads(network.contract, parse_constant=_refuse)
        if not isinstance(contract, dict):
            raise InputError("is not a JSON object")
        return _policy(text if text in SHIPPED else path.stem, {**OLDER, **contract}, network)
    except InputError as error:
        raise InputError(f"{path}: the contract: {error}") from None
    except (KeyError, TypeError, ValueError, OverflowError, RecursionError) as error:
        raise InputError(f"{path}: the contract lacks or garbles {str(error)[:200]}") from None


def _policy(name: str, contract: dict[str, Any], network: Network) -> Policy:
    body = robot(str(contract["robot"]))
    acting = len(body.joints)
    if len(body.joint_range) != len(body.all_joints):
        raise InputError(f"robot {body.name} has no joint_range of each joint, which this needs")
    for entry, wanted in (
        ("schema", SCHEMA),
        ("control_dt", CONTROL_STEP),
        ("joints", list(body.joints)),
        ("default_pose", list(body.home[:acting])),
    ):
        if contract[entry] != wanted:
            raise InputError(f"{entry} is {str(contract[entry])[:200]}, not {wanted}")
    scale = tuple(_finite(x) for x in contract["action_scale"])
    limit, phase_rate = _finite(contract["action_limit"]), _finite(contract["phase_rate"])
    if len(scale) != acting or limit <= 0 or not 0 <= phase_rate < 1:
        raise InputError(
            f"action_scale has {len(scale)} values for {acting} joints, action_limit is {limit:g},"
            f" phase_rate {phase_rate:g}"
        )
    ranges = contract["commands"]
    if ranges is not None:
        ranges = tuple((_finite(low), _finite(high)) for low, high in ranges)
        if len(ranges) != 3 or not all(low <= 0 <= high for low, high in ranges):
            raise InputError(f"commands are three ranges that contain 0, got {ranges}")
    base: ReferenceMotion = Gait() if body.legs else HomePose()
    motion = base.from_description(contract["gait"])
    entries = _entries(contract["observation"], acting, phase_rate > 0)
    network.check(sum(size for _, _, size in entries), acting + (phase_rate > 0))
    residual = Residual(body, scale, limit, phase_rate, ranges)
    return Policy(name, body, entries, residual, motion, network)


def _entries(observation: Any, acting: int, rated: bool) -> tuple[Entry, ...]:
    """Blocks of `observation`, columns by name; raises InputError for gaps and unknown names."""
    readings = {"gyro": 3, "gravity": 3, "joint_position": acting, "joint_velocity": acting}
    exact = {
        "command": 3,
        "look": 2,
        "last_action": acting,
        "phase": 4,
        **({"rate": 1} if rated else {}),
    }
    entries: list[Entry] = []
    end = 0
    for name, (first, last) in sorted(observation.items(), key=lambda item: item[1]):
        kind, _, number = name.rpartition("_")
        past = int(number) if number.isdecimal() and len(number) < 3 else 0
        sizes = {**readings, "action": acting} if past else {**readings, **exact}
        kind = kind if past else name
        if kind not in sizes or past > MOST_PAST:
            raise InputError(f"this computer cannot observe {name!r}")
        if (first, last) != (end, end + sizes[kind]):
            raise InputError(f"observation {name!r} has columns {first} to {last}, not {end} on")
        entries.append((kind, past, last - first))
        end = last
    return tuple(entries)


def _finite(x: Any) -> float:
    """`x` as a float; raises ValueError unless it is a finite number."""
    if isinstance(x, bool) or not isinstance(x, int | float) or not math.isfinite(x):
        raise ValueError(f"number {x!r}")
    return float(x)


def _refuse(text: str) -> NoReturn:
    raise ValueError(f"number {text}")
