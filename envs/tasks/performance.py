"""Metrics of skills: pure functions from the log of an episode, whose records they read.

As in `metrics`, a metric takes an `EpisodeLog` of T steps and n worlds and returns (n,), over the
time before the fall; NaN where the episode has none of what it measures.
"""

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from grek.envs.motions.gait import moving
from grek.envs.robots import Robot
from grek.envs.skills import SKILLS
from grek.envs.tasks import metrics
from grek.envs.tasks.metrics import EpisodeLog, Metric, standing
from grek.envs.tasks.task import StepData
from grek.envs.vectors import Array

__all__ = ["STAGE", "moving", "records"]

LONGEST_LAG = 0.3  # of a motion behind its beat that is looked for [s]
SIZES = np.array([0.03, 0.1, 0.1, 0.04, 0.04])  # height [m], roll, pitch [rad], feet [m] of a dance
SETTLED = 0.99  # share of rest from which a robot counts as seated
LANDING = 1.0  # time after a landing in which a robot must be up [s]
TAKEN = 3.0  # time after a change of skills in which a robot must be up [s]
SEATED = 0.5  # share of weight on the seat of a robot that has sat down
RISEN = 0.01  # below the height wanted, of a robot that has stood up [m]


def records(robot: Robot) -> Mapping[str, Callable[[StepData], Array]]:
    """Values of each control step that the metrics of skills read."""
    acting = len(robot.joints)

    def joint_error(m: StepData) -> Array:
        error = m.state.joint_position[:, :acting] - m.reference.joints
        return np.sqrt((error**2).mean(1))

    def tilt_error(m: StepData) -> Array:
        roll, pitch = m.reference.attitude.T
        down = np.stack(
            [np.sin(pitch), -np.sin(roll) * np.cos(pitch), -np.cos(roll) * np.cos(pitch)], 1
        )
        return np.arccos(np.clip((down * m.state.gravity_b).sum(1), -1, 1))

    def moves(m: StepData) -> Array:
        ahead, left = m.state.gravity_b[:, 0], m.state.gravity_b[:, 1]
        is_ = (m.state.height[:, None], -left[:, None], ahead[:, None], m.state.clearance)
        of = m.reference
        wanted = (of.height[:, None], of.attitude, of.clearance)
        return np.stack([np.concatenate(each, 1) for each in (is_, wanted)], 1) / SIZES

    return {
        "joint_error": joint_error,
        "height_error": lambda m: np.abs(m.state.height - m.reference.height),
        "tilt_error": tilt_error,
        "contact_match": lambda m: (m.state.contact == m.reference.contact).mean(1),
        "skill": lambda m: m.reference.skill,
        "wanted_velocity": lambda m: m.reference.velocity,
        "rest": lambda m: m.reference.rest,
        "height": lambda m: np.stack([m.state.height, m.reference.height], 1),
        "moves": moves,
        "seat_share": lambda m: m.state.seat_load / m.weight,
        "torque_square": lambda m: (m.state.torque[:, :acting] ** 2).sum(1),
        "clearance": lambda m: m.state.clearance.min(1),
        "flying": lambda m: ~m.reference.contact.any(1),
    }


def _mean(log: EpisodeLog, name: str) -> Array:
    """Mean of a record before the fall (n,)."""
    return _mean_where(log.records[name].astype(float), standing(log))


def _mean_where(values: NDArray, where: NDArray[np.bool_]) -> Array:
    count = where.sum(0)
    total = np.where(where, np.nan_to_num(values), 0).sum(0)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)


def joint_error(log: EpisodeLog) -> Array:
    """Root mean square over joints of their error against the reference, mean over time [rad]."""
    return _mean(log, "joint_error")


def height_error(log: EpisodeLog) -> Array:
    """Mean absolute error of the torso's height over the ground [m]."""
    return _mean(log, "height_error")


def tilt_error(log: EpisodeLog) -> Array:
    """Mean angle between the torso's vertical and the wanted one [rad]."""
    return _mean(log, "tilt_error")


def contact_agreement(log: EpisodeLog) -> Array:
    """Share of feet and steps whose contact is the wanted one."""
    return _mean(log, "contact_match")


def _doing(log: EpisodeLog, skill: str) -> NDArray[np.bool_]:
    """Steps before the fall in which `skill` is at work (T, n)."""
    return standing(log) & (log.records["skill"] == list(SKILLS).index(skill))


def drift(log: EpisodeLog) -> Array:
    """Distance between the torso's first and last place while standing [m]."""
    doing = _doing(log, "stand")
    worlds = np.arange(doing.shape[1])
    first, last = doing.argmax(0), len(doing) - 1 - doing[::-1].argmax(0)
    way = log.position_w[last, worlds, :2] - log.position_w[first, worlds, :2]
    whole = doing.any(0) & (doing.sum(0) == last - first + 1)  # not interrupted
    return np.where(whole, np.sqrt((way.astype(float) ** 2).sum(1)), np.nan)


def seat_share(log: EpisodeLog) -> Array:
    """Share of weight on the seat while the legs shall rest."""
    seated = _doing(log, "sit") & (log.records["rest"] >= SETTLED)
    return _mean_where(log.records["seat_share"], seated)


def seat_power(log: EpisodeLog) -> Array:
    """Copper loss of the legs, as sum of squared torques, while they rest, over that before and
    between seats, with the torso within 10 mm of the home pose's height."""
    seated = _doing(log, "sit") & (log.records["rest"] >= SETTLED)
    wanted = log.records["height"][..., 1]
    up = _doing(log, "stand") & (np.abs(wanted - wanted[0]) < 0.01)
    square = log.records["torque_square"]
    return _mean_where(square, seated) / np.maximum(_mean_where(square, up), 1e-9)


def _flights(log: EpisodeLog, world: int) -> list[tuple[int, int]]:
    """First step of each wanted flight of a jump, and first one after it, before the fall."""
    flying = log.records["flying"][:, world] & (
        log.records["skill"][:, world] == list(SKILLS).index("jump")
    )
    edges = np.diff(flying.astype(int), prepend=0, append=0)
    begins, ends = np.flatnonzero(edges == 1), np.flatnonzero(edges == -1)
    return [(int(a), int(b)) for a, b in zip(begins, ends, strict=True) if b < len(flying)]


def _per_jump(log: EpisodeLog, value: Callable[[int, int, int], float]) -> Array:
    """Mean over jumps of `value` of world, first step of the flight and first step after it."""
    found = [
        [value(world, *flight) for flight in _flights(log, world)]
        for world in range(log.alive.shape[1])
    ]
    known = [[value for value in each if not np.isnan(value)] for each in found]
    return np.array([np.mean(each) if each else np.nan for each in known])


def jump_clearance(log: EpisodeLog) -> Array:
    """Largest clearance of the lower foot in a jump, from 0.1 s before to 0.1 s after the wanted
    flight [m]; 0 for one after the fall."""
    up, around = standing(log), round(0.1 / log.dt)

    def highest(world: int, begin: int, end: int) -> float:
        rows = slice(max(begin - around, 0), end + around)
        lower = np.where(up[rows, world], log.records["clearance"][rows, world], 0)
        return float(max(lower.max(), 0.0))

    return _per_jump(log, highest)


def landed(log: EpisodeLog) -> Array:
    """Share of jumps after which the robot is up for LANDING."""
    up, after = standing(log), round(LANDING / log.dt)

    def stands(world: int, begin: int, end: int) -> float:
        return float(up[min(end + after, len(up) - 1), world])

    return _per_jump(log, stands)


def jump_way(log: EpisodeLog) -> Array:
    """Distance, LANDING after a jump, from the place it should have led to [m]; jumps that end in a
    fall are left out."""
    return _per_jump(log, lambda *jump: _astray(log, *jump)[0])


def jump_turn(log: EpisodeLog) -> Array:
    """Error of the heading LANDING after a jump [rad], by magnitude; as `jump_way`."""
    return _per_jump(log, lambda *jump: _astray(log, *jump)[1])


def _astray(log: EpisodeLog, world: int, begin: int, end: int) -> tuple[float, float]:
    """Distance [m] and turn [rad] between the motion over a jump and that of its reference."""
    skill = log.records["skill"][:, world]
    other = np.flatnonzero(skill[:begin] != skill[begin])
    start, stop = (other[-1] if len(other) else 0), end + round(LANDING / log.dt)
    if stop >= len(skill) or not standing(log)[stop, world]:
        return np.nan, np.nan
    velocity = log.records["wanted_velocity"][start + 1 : stop + 1, world].astype(float)
    turned = np.cumsum(velocity[:, 2]) * log.dt
    wanted = _rotated(velocity[:, :2], turned).sum(0) * log.dt
    yaw = log.yaw[[start, stop], world].astype(float)
    way = np.diff(log.position_w[[start, stop], world, :2].astype(float), axis=0)[0]
    error = _rotated(way[None], -yaw[:1])[0] - wanted
    turn = yaw[1] - yaw[0] - turned[-1]
    return float(np.hypot(*error)), float(abs(np.arctan2(np.sin(turn), np.cos(turn))))


def _rotated(xy: Array, angle: Array) -> Array:
    """Vectors (n, 2) turned to the left by `angle` (n,) [rad]."""
    x, y, cos, sin = *xy.T, np.cos(angle), np.sin(angle)
    return np.stack([cos * x - sin * y, sin * x + cos * y], 1)


def _first_after(begins: NDArray[np.bool_], done: NDArray[np.bool_], dt: float) -> Array:
    """Mean time from each of `begins` to the first `done` after it, both (T, n) (n,) [s]; NaN where
    nothing begins, or nothing that begins is done."""
    found = []
    for start, reached in zip(begins.T, done.T, strict=True):
        at = np.flatnonzero(reached)
        after = [(at[at >= k][0] - k) * dt for k in np.flatnonzero(start) if (at >= k).any()]
        found.append(np.mean(after) if after else np.nan)
    return np.array(found)


def _rising(flags: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """First steps of intervals in which `flags` (T, n) hold, those from the beginning left out."""
    return np.diff(flags.astype(np.int8), prepend=flags[:1], axis=0) == 1


def sit_down(log: EpisodeLog) -> Array:
    """Time from the beginning of sitting until SEATED [s]."""
    seated = standing(log) & (log.records["seat_share"] >= SEATED)
    return _first_after(_rising(_doing(log, "sit")), seated, log.dt)


def stand_up(log: EpisodeLog) -> Array:
    """Time from the end of rest until the torso is within RISEN of standing height [s]."""
    rest, height = log.records["rest"] >= SETTLED, log.records["height"]
    up = standing(log) & (height[..., 0] >= height[0, :, 1] - RISEN)
    return _first_after(_rising(~rest) & standing(log), up, log.dt)


def transition(log: EpisodeLog) -> Array:
    """Share of changes of skill after which the robot is up for TAKEN."""
    skill, up, after = log.records["skill"], standing(log), round(TAKEN / log.dt)
    changes = (np.diff(skill, prepend=skill[:1], axis=0) != 0) & up
    later = up[np.minimum(np.arange(len(up)) + after, len(up) - 1)]
    return _mean_where(later, changes)


def beat_error(log: EpisodeLog) -> Array:
    """Lag of torso and feet behind their reference in dances [s], by magnitude.

    That of the largest correlation of the changes of height, roll and pitch of the torso and height
    of the feet, in units of SIZES; NaN for a dance that hardly moves them.
    """
    change = np.diff(log.records["moves"].astype(float), axis=0)  # (T - 1, n, 2, quantities)
    doing, most = _doing(log, "dance")[1:], round(LONGEST_LAG / log.dt)
    lags = np.arange(-most, most + 1)
    found = np.full(doing.shape[1], np.nan)
    for world in range(doing.shape[1]):
        actual, wanted = (change[:, world, k] * doing[:, world, None] for k in (0, 1))
        if np.abs(wanted).sum() < 1:
            continue
        match = np.array([(np.roll(wanted, lag, 0) * actual).sum() for lag in lags])
        found[world] = abs(_peak(lags, match)) * log.dt
    return found


def _peak(lags: NDArray, match: Array) -> float:
    """Place of the maximum of `match` at `lags`, by the parabola through its three highest."""
    top = int(match.argmax())
    if not 0 < top < len(match) - 1:
        return float(lags[top])
    before, at, after = match[top - 1 : top + 2]
    return float(lags[top] + 0.5 * (before - after) / (before - 2 * at + after))


STAGE: dict[str, Metric] = {
    **metrics.WALKING,
    "joint_error": joint_error,
    "height_error": height_error,
    "tilt_error": tilt_error,
    "contact_agreement": contact_agreement,
    "drift": drift,
    "seat_share": seat_share,
    "seat_power": seat_power,
    "jump_clearance": jump_clearance,
    "landed": landed,
    "jump_way": jump_way,
    "jump_turn": jump_turn,
    "sit_down": sit_down,
    "stand_up": stand_up,
    "transition": transition,
    "beat_error": beat_error,
}
"""Metrics of the stage, by the names they have in a scorecard; those of walking among them."""
