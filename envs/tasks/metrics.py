"""Episode metrics: pure functions from a log of control steps to one number per episode.

Metrics are independent of rewards and have no weights. A metric takes an `EpisodeLog` of T steps
and n worlds and returns (n,), over the time before the fall; a world whose state is not finite
counts as fallen. NaN means undefined, where the docstring says so.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from grek.envs.vectors import Array

Mask = NDArray[np.bool_]

LEVER_ARM = 0.5  # distance equivalent to a turn of one radian in traversal [m]
SHORTEST = 0.2  # distance below which metrics per metre are undefined [m]
SATURATED = 0.99  # fraction of the torque limit that counts as saturated
NEAR_LIMIT = 0.02  # distance from a joint limit that counts as at the limit [rad]
GRAVITY = 9.81  # [m/s^2]


@dataclass(frozen=True)
class EpisodeLog:
    """One episode in each of n worlds: T control steps, A acting joints, F feet."""

    alive: NDArray[np.bool_]
    """Not fallen at the end of the step; False from the fall on (T, n)."""
    position_w: NDArray[np.floating]
    """Base position (T, n, 3) [m]."""
    yaw: NDArray[np.floating]
    """Yaw of the base, wrapped or not (T, n) [rad]."""
    velocity_h: NDArray[np.floating]
    """Base velocity: forward and left in the heading frame, then z in the base frame [m/s].

    (T, n, 3)."""
    yaw_rate: NDArray[np.floating]
    """(T, n) [rad/s]"""
    command: NDArray[np.floating]
    """Forward, left [m/s] and yaw rate [rad/s] in the heading frame (T, n, 3)."""
    moving: NDArray[np.bool_]
    """`Task.moving` of the command: False means "stand" (T, n)."""
    torque: NDArray[np.floating]
    """Motor torque (T, n, A) [N m]."""
    torque_limit: NDArray[np.floating]
    """Limit of the torque-speed curve in the torque's direction (T, n, A) [N m]."""
    joint_velocity: NDArray[np.floating]
    """(T, n, A) [rad/s]"""
    joint_margin: NDArray[np.floating]
    """Distance to the nearest joint limit (T, n, A) [rad]."""
    action: NDArray[np.floating]
    """(T, n, A) [-]"""
    foot_slip: NDArray[np.floating]
    """Horizontal sliding distance of each foot in contact (T, n, F) [m]."""
    push: NDArray[np.floating]
    """Acceleration by a push, forward and left in the heading frame (T, n, 2) [m/s^2]."""
    foot_impact: NDArray[np.floating]
    """Downward speed of each foot at touch-down, 0 otherwise (T, n, F) [m/s]."""
    dt: float
    """Control step [s]."""
    stride: float
    """Averaging window of tracking errors and distance, to exclude sway within a stride [s]."""
    mass: NDArray[np.floating]
    """Total mass of the robot (n,) [kg]."""
    records: Mapping[str, NDArray] = field(default_factory=dict)
    """`Task.records` by name (T, n, ...)."""


Metric = Callable[[EpisodeLog], Array]
"""Log of n worlds to one number per episode (n,)."""


def survival(log: EpisodeLog) -> Array:
    """1 for an episode without a fall, else 0."""
    return standing(log)[-1].astype(float)


def traversal(log: EpisodeLog) -> Array:
    """Distance made good along the command, over distance commanded, in [0, 1].

    With c = (vx, vy, LEVER_ARM * yaw rate) of the command and d the motion of a step in the same
    coordinates, in the frame of `commanded_heading`, a step makes good d . c / |c|; turning in
    place is thus scored by angle, an arc by both, and going astray costs. Steps before the fall are
    summed over each leg, and the sum is clipped to [0, distance commanded in these steps]:
    oscillation earns nothing, and excess in one leg does not offset a deficit in another. The
    divisor is the distance commanded over the whole episode. Commands that mean "stand" are
    excluded; an episode without others scores its survival.
    """
    up = standing(log)
    command = _clean(log.command).copy()  # (T, n, 3)
    moving = log.moving
    command[..., 2] *= LEVER_ARM
    speed = np.sqrt((command**2).sum(2)) * moving
    along = (_motion(log, up) * command).sum(2) / np.where(speed > 0, speed, 1)

    worlds = up.shape[1]
    leg = legs(log)
    count = leg.max(initial=0) + 1
    key = leg + count * np.arange(worlds)

    def per_leg(values: Array) -> Array:
        sums = np.bincount(key.ravel(), values.ravel(), minlength=worlds * count)
        return sums.astype(float).reshape(worlds, count)

    asked_while_up = per_leg(speed * up * log.dt)
    made_good = np.clip(per_leg(along * up * moving), 0, asked_while_up).sum(1)
    asked = speed.sum(0) * log.dt
    # Rounding can exceed 1.
    score = np.minimum(made_good / np.where(asked > 0, asked, 1), 1)
    return np.where(asked > 0, score, survival(log))


def legs(log: EpisodeLog) -> NDArray[np.int64]:
    """Number, from 0, of the leg of each step (T, n).

    A leg is the interval of one command, including the ramp to it.
    """
    changes = np.ones(log.alive.shape, bool)  # a leg starts with the episode
    changes[1:] = (np.diff(_clean(log.command), axis=0) != 0).any(2)
    begins = changes.copy()  # at the start of the ramp
    begins[1:] &= ~changes[:-1]
    return np.cumsum(begins, 0) - 1


def commanded_heading(log: EpisodeLog) -> Array:
    """Heading at the end of each step (T, n) [rad]: the robot's at the start of the leg, plus the
    commanded yaw rate integrated since.

    A leg begins where the robot is headed then, averaged over the stride around, as a person who
    steers would have it: what a push turned in one leg does not count in the next.
    """
    turned = np.cumsum(_clean(log.command[..., 2]) * log.dt, 0)  # (T, n)
    yaw, leg = np.unwrap(_clean(log.yaw), axis=0), legs(log)
    astray = yaw - turned
    total = np.cumsum(np.concatenate([np.zeros((1, yaw.shape[1])), astray]), 0)
    first = np.ones(leg.shape, bool)  # steps that begin a leg
    first[1:] = np.diff(leg, axis=0) > 0
    step, half = np.arange(len(leg))[:, None], _window(log) // 2
    begun = np.maximum.accumulate(np.where(first, step, 0))
    start, stop = np.maximum(begun - half, 0), np.minimum(begun + half, len(leg))
    around = np.take_along_axis(total, stop, 0) - np.take_along_axis(total, start, 0)
    at_rest = yaw[0] - _clean(log.yaw_rate[0]) * log.dt  # at the start of the episode
    return np.where(begun > 0, around / (stop - start), at_rest) + turned


def velocity_error(log: EpisodeLog) -> Array:
    """Root mean square of the moving average of (planar velocity - command) [m/s].

    Both in the frame of `commanded_heading`. The window is `stride`; averages that end before the
    fall count. NaN if there is none.
    """
    astray = _clean(log.yaw) - commanded_heading(log)
    forward, left = _clean(log.velocity_h[..., 0]), _clean(log.velocity_h[..., 1])
    cos, sin = np.cos(astray), np.sin(astray)
    velocity = np.stack([cos * forward - sin * left, sin * forward + cos * left], 2)
    return _tracking_error(log, velocity, log.command[..., :2])


def yaw_error(log: EpisodeLog) -> Array:
    """As `velocity_error`, for the yaw rate [rad/s]."""
    return _tracking_error(log, log.yaw_rate[..., None], log.command[..., 2:])


def heading_drift(log: EpisodeLog) -> Array:
    """Heading error at the end of a leg over its duration [rad/s], mean over the legs.

    Of legs that ask to move and end before the fall; NaN if there is none.
    """
    up, leg = standing(log), legs(log)
    error = (_clean(log.yaw) - commanded_heading(log) + np.pi) % (2 * np.pi) - np.pi
    ends = np.ones(leg.shape, bool)
    ends[:-1] = np.diff(leg, axis=0) > 0
    begins = np.concatenate([np.ones((1, leg.shape[1]), bool), ends[:-1]])
    step = np.arange(len(leg))[:, None]
    steps = step + 1 - np.maximum.accumulate(np.where(begins, step, 0))
    counted = ends & up & log.moving
    rate = np.where(counted, np.abs(error) / (steps * log.dt), 0).sum(0)
    count = counted.sum(0)
    return np.where(count > 0, rate / np.maximum(count, 1), np.nan)


def yaw_oscillation(log: EpisodeLog) -> Array:
    """Root mean square of the yaw rate less its average over a stride around it [rad/s].

    Over the time before the fall; NaN for less than a stride.
    """
    up, window = standing(log), _window(log)
    rate = _clean(log.yaw_rate)
    if len(rate) < window:
        return np.full(up.shape[1], np.nan)
    total = np.cumsum(np.concatenate([np.zeros((1, rate.shape[1])), rate]), 0)
    mean = (total[window:] - total[:-window]) / window  # of the steps k to k + window - 1
    middle = rate[window // 2 : window // 2 + len(mean)]
    return np.sqrt(_mean_up((middle - mean) ** 2, up[window - 1 :]))


def distance(log: EpisodeLog) -> Array:
    """Path length before the fall [m], as a polygon sampled once a stride to exclude sway."""
    up = standing(log)
    starts = np.arange(0, len(up), _window(log))
    chords = np.add.reduceat(_motion_w(log, up), starts, axis=0)  # (strides, n, 2)
    return np.sqrt((chords**2).sum(2)).sum(0)


def cost_of_transport(log: EpisodeLog) -> Array:
    """Cost of transport [-]: sum |torque * joint velocity| dt / (m g distance).

    Negative work counts as positive (no regeneration). NaN below SHORTEST.
    """
    up = standing(log)
    power = np.abs(_clean(log.torque) * _clean(log.joint_velocity)).sum(2)  # (T, n) [W]
    return _per_metre(log, (power * up).sum(0) * log.dt / (log.mass * GRAVITY))


def slip_per_metre(log: EpisodeLog) -> Array:
    """Sliding distance of feet in contact per distance walked [-]; NaN below SHORTEST."""
    return _per_metre(log, (_clean(log.foot_slip).sum(2) * standing(log)).sum(0))


def falls_per_km(survived: Array, distances: Array) -> float:
    """Falls per kilometre from survival (n,) and distance (n,) [m]; NaN below SHORTEST in total."""
    total = float(np.sum(distances))
    falls = float(np.sum(1 - np.asarray(survived, float)))
    return falls / total * 1000 if total >= SHORTEST else float("nan")


def torque_saturation(log: EpisodeLog) -> Array:
    """Fraction of joints and steps within 1 % of the torque limit; NaN if there is no step.

    Torque is that of the last physics step, but the limit is taken at the velocity after it, which
    slightly underestimates saturation on the sloping part of the torque-speed curve while braking.
    """
    full = np.abs(log.torque) >= SATURATED * np.maximum(log.torque_limit, 0)
    return _mean_up(full.mean(2), standing(log))


def joint_limit_time(log: EpisodeLog) -> Array:
    """Fraction of time with any joint within NEAR_LIMIT of its limit; NaN if there is no step."""
    return _mean_up((log.joint_margin < NEAR_LIMIT).any(2).astype(float), standing(log))


def foot_impact(log: EpisodeLog) -> Array:
    """Mean downward speed at touch-down [m/s]; NaN without a touch-down."""
    impact = _clean(log.foot_impact) * standing(log)[..., None]
    count = (impact > 0).sum((0, 2))
    return np.where(count > 0, impact.sum((0, 2)) / np.maximum(count, 1), np.nan)


def action_jerk(log: EpisodeLog) -> Array:
    """Mean square third difference of the actions [-]; NaN for fewer than four steps."""
    third = np.diff(_clean(log.action), 3, axis=0)  # (T - 3, n, joints)
    return _mean_up((third**2).mean(2), standing(log)[3:])


WALKING: dict[str, Metric] = {
    "survived": survival,
    "traversal": traversal,
    "velocity_error": velocity_error,
    "yaw_error": yaw_error,
    "heading_drift": heading_drift,
    "yaw_oscillation": yaw_oscillation,
    "distance": distance,
    "cost_of_transport": cost_of_transport,
    "slip_per_metre": slip_per_metre,
    "torque_saturation": torque_saturation,
    "joint_limit_time": joint_limit_time,
    "foot_impact": foot_impact,
    "action_jerk": action_jerk,
}
"""Metrics of walking, by the names they have in a scorecard."""


# -- shared ----------------------------------------------------------------


def standing(log: EpisodeLog) -> Mask:
    """Steps (T, n) before the fall, or before the state is not finite; both are final."""
    finite = np.isfinite(log.position_w).all(2) & np.isfinite(log.yaw)
    return np.logical_and.accumulate(log.alive & finite, axis=0)


def _clean(values: NDArray[np.floating]) -> Array:
    """`values` as float64, with 0 for what is not finite, so that masks can multiply them."""
    return np.nan_to_num(values.astype(float), nan=0.0, posinf=0.0, neginf=0.0)


def _window(log: EpisodeLog) -> int:
    """Control steps in a stride."""
    return max(round(log.stride / log.dt), 1)


def _motion_w(log: EpisodeLog, up: Mask) -> Array:
    """Displacement of the base in each step (T, n, 2) [m], world frame; 0 after the fall.

    The log starts after the first step, whose displacement is taken from its velocity.
    """
    position = _clean(log.position_w[..., :2])
    forward, left = _clean(log.velocity_h[0, :, 0]), _clean(log.velocity_h[0, :, 1])
    yaw = _clean(log.yaw[0])
    first = np.stack(
        [
            forward * np.cos(yaw) - left * np.sin(yaw),
            forward * np.sin(yaw) + left * np.cos(yaw),
        ],
        1,
    )
    motion = np.concatenate([first[None] * log.dt, np.diff(position, axis=0)])
    return motion * up[..., None]


def _motion(log: EpisodeLog, up: Mask) -> Array:
    """Displacement of each step (T, n, 3) [m]: forward, left in the frame of the commanded heading,
    LEVER_ARM * yaw; 0 after the fall."""
    motion = _motion_w(log, up)
    yaw = _clean(log.yaw)
    turned = np.empty(yaw.shape)
    turned[0] = _clean(log.yaw_rate[0]) * log.dt
    turned[1:] = (np.diff(yaw, axis=0) + np.pi) % (2 * np.pi) - np.pi
    turned *= up
    heading = commanded_heading(log) - _clean(log.command[..., 2]) * log.dt / 2  # at mid-step
    cos, sin = np.cos(heading), np.sin(heading)
    x, y = motion[..., 0], motion[..., 1]
    return np.stack([x * cos + y * sin, y * cos - x * sin, LEVER_ARM * turned], 2)


def _tracking_error(log: EpisodeLog, actual: NDArray, wanted: NDArray) -> Array:
    """Root mean square of the moving average of `actual` - `wanted` (T, n, k) before the fall."""
    up, window = standing(log), _window(log)
    if len(up) < window:
        return np.full(up.shape[1], np.nan)
    total = np.cumsum(_clean(actual) - _clean(wanted), axis=0)  # (T, n, k)
    mean = total[window - 1 :].copy()
    mean[1:] -= total[:-window]
    square = ((mean / window) ** 2).sum(2)
    return np.sqrt(_mean_up(square, up[window - 1 :]))


def _mean_up(values: Array, up: Mask) -> Array:
    """Mean of `values` (T, n) over steps where `up`; NaN where there is none."""
    count = up.sum(0)
    total = np.where(up, values, 0).sum(0)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)


def _per_metre(log: EpisodeLog, total: Array) -> Array:
    """`total` (n,) over distance walked; NaN below SHORTEST."""
    walked = distance(log)
    return np.where(walked >= SHORTEST, total / np.maximum(walked, SHORTEST), np.nan)
