"""Episode metrics: pure functions from a log of control steps to one number per episode.

Metrics are apart from rewards: no weights, nothing tuned. Every function takes an `EpisodeLog` of
T steps and n worlds and returns (n,). Only the time until the fall counts; a world whose state is
no longer finite counts as fallen. NaN means undefined, and each function says when that is.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]

LEVER_ARM = 0.5  # [m] a radian of turning counts as half a metre of walking; half the droid's reach
SHORTEST = 0.2  # [m] below this distance nothing is said per metre: swaying is no travelling
SATURATED = 0.99  # of the torque limit
NEAR_LIMIT = 0.02  # [rad] from a joint limit, about a degree
GRAVITY = 9.81  # [m/s^2]


@dataclass(frozen=True)
class EpisodeLog:
    """One episode in each of n worlds, control step by control step."""

    alive: NDArray[np.bool_]
    """The step ended with the droid still up; False from the fall on (T, n)."""
    position_w: NDArray[np.floating]
    """Base (T, n, 3) [m]."""
    yaw: NDArray[np.floating]
    """Heading of the base, wrapped or not (T, n) [rad]."""
    velocity_b: NDArray[np.floating]
    """Of the base in the heading frame: forward, left, up (T, n, 3) [m/s]."""
    yaw_rate: NDArray[np.floating]
    """(T, n) [rad/s]"""
    command: NDArray[np.floating]
    """Forward, left [m/s] and yaw rate [rad/s] in the heading frame (T, n, 3)."""
    moving: NDArray[np.bool_]
    """Whether the command asks to move, as the task says; else it means "stand" (T, n)."""
    torque: NDArray[np.floating]
    """(T, n, joints) [N m]"""
    torque_limit: NDArray[np.floating]
    """What the torque-speed curve allows at that moment (T, n, joints) [N m]."""
    joint_velocity: NDArray[np.floating]
    """(T, n, joints) [rad/s]"""
    joint_margin: NDArray[np.floating]
    """To the nearest joint limit (T, n, joints) [rad]."""
    action: NDArray[np.floating]
    """(T, n, joints) [-]"""
    foot_slip: NDArray[np.floating]
    """How far a loaded foot slid in this step (T, n, 2) [m]."""
    push: NDArray[np.floating]
    """Acceleration by a shove, forward and left in the heading frame (T, n, 2) [m/s^2]."""
    foot_impact: NDArray[np.floating]
    """Downward speed of a foot at touch-down, 0 otherwise (T, n, 2) [m/s]."""
    dt: float
    """Control step [s]."""
    stride: float
    """Time over which tracking is averaged, so that swaying within a stride costs nothing [s]."""
    mass: NDArray[np.floating]
    """Whole droid (n,) [kg]."""


Metric = Callable[[EpisodeLog], Array]
"""One number for each episode (n,)."""


def survival(log: EpisodeLog) -> Array:
    """1 for a droid that stood to the end, else 0."""
    return standing(log)[-1].astype(float)


def traversal(log: EpisodeLog) -> Array:
    """Distance made good along the command, over distance commanded, in [0, 1].

    A command c = (vx, vy, LEVER_ARM * yaw rate) and the motion d of each step, in the same three
    coordinates of the heading frame, make one number: d . c / |c|. So a turn on the spot is scored
    by the angle made good and an arc by both. It is summed over each leg, a stretch of one command
    and of going over into it, until the fall: net, so rocking to and fro earns nothing. A leg earns
    no less than nothing and no more than was commanded in that time, so hurrying in one leg does
    not pay for dawdling in another. The commanded distance of the full episode is what it is
    divided by.
    Commands that mean "stand" are left out; if there is nothing else, traversal is survival.
    """
    up = standing(log)
    command = _clean(log.command).copy()  # (T, n, 3)
    moving = log.moving
    command[..., 2] *= LEVER_ARM
    speed = np.sqrt((command**2).sum(2)) * moving
    along = (_motion_h(log, up) * command).sum(2) / np.where(speed > 0, speed, 1)

    worlds = up.shape[1]
    changes = np.ones(up.shape, bool)  # the first command is a change too
    changes[1:] = (np.diff(command, axis=0) != 0).any(2)
    begins = changes.copy()  # where it begins to change: going over is part of the leg
    begins[1:] &= ~changes[:-1]
    leg = np.cumsum(begins, 0) - 1
    legs = leg.max(initial=0) + 1
    key = leg + legs * np.arange(worlds)

    def per_leg(values: Array) -> Array:
        sums = np.bincount(key.ravel(), values.ravel(), minlength=worlds * legs)
        return sums.astype(float).reshape(worlds, legs)

    asked_while_up = per_leg(speed * up * log.dt)
    made_good = np.clip(per_leg(along * up * moving), 0, asked_while_up).sum(1)
    asked = speed.sum(0) * log.dt
    # Rounding may leave a perfect walk a hair above 1.
    score = np.minimum(made_good / np.where(asked > 0, asked, 1), 1)
    return np.where(asked > 0, score, survival(log))


def velocity_error(log: EpisodeLog) -> Array:
    """Root mean square of (planar velocity - command), both averaged over a stride [m/s].

    Over all strides while up; NaN where the droid fell before its first stride was over.
    """
    return _tracking_error(log, log.velocity_b[..., :2], log.command[..., :2])


def yaw_error(log: EpisodeLog) -> Array:
    """As `velocity_error`, of the yaw rate [rad/s]."""
    return _tracking_error(log, log.yaw_rate[..., None], log.command[..., 2:])


def distance(log: EpisodeLog) -> Array:
    """Length of the way walked until the fall [m], in chords of a stride: swaying adds nothing."""
    up = standing(log)
    starts = np.arange(0, len(up), _window(log))
    chords = np.add.reduceat(_motion_w(log, up), starts, axis=0)  # (strides, n, 2)
    return np.sqrt((chords**2).sum(2)).sum(0)


def cost_of_transport(log: EpisodeLog) -> Array:
    """Mechanical work over weight times distance [-]: sum |torque * speed| dt / (m g distance).

    Braking costs as much as driving: the motors give nothing back. NaN below SHORTEST.
    """
    up = standing(log)
    power = np.abs(_clean(log.torque) * _clean(log.joint_velocity)).sum(2)  # (T, n) [W]
    return _per_metre(log, (power * up).sum(0) * log.dt / (log.mass * GRAVITY))


def slip_per_metre(log: EpisodeLog) -> Array:
    """How far loaded feet slid per metre walked [-]; NaN below SHORTEST."""
    return _per_metre(log, (_clean(log.foot_slip).sum(2) * standing(log)).sum(0))


def falls_per_km(survived: Array, distances: Array) -> float:
    """Falls of some episodes (n,) over the distance (n,) [m] of all; NaN below SHORTEST."""
    total = float(np.sum(distances))
    falls = float(np.sum(1 - np.asarray(survived, float)))
    return falls / total * 1000 if total >= SHORTEST else float("nan")


def torque_saturation(log: EpisodeLog) -> Array:
    """Share of joints and steps within 1 % of the torque limit; NaN without a step up.

    Torque is that of the last physics step, the limit that of the speed at its end: on the sloping
    part of the motors' curve the share is a little too low while a joint brakes.
    """
    full = np.abs(log.torque) >= SATURATED * np.maximum(log.torque_limit, 0)
    return _mean_up(full.mean(2), standing(log))


def joint_limit_time(log: EpisodeLog) -> Array:
    """Share of the time with a joint within NEAR_LIMIT of its limit; NaN without a step up."""
    return _mean_up((log.joint_margin < NEAR_LIMIT).any(2).astype(float), standing(log))


def foot_impact(log: EpisodeLog) -> Array:
    """Mean downward speed at touch-down [m/s]; NaN without a touch-down."""
    impact = _clean(log.foot_impact) * standing(log)[..., None]
    count = (impact > 0).sum((0, 2))
    return np.where(count > 0, impact.sum((0, 2)) / np.maximum(count, 1), np.nan)


def action_jerk(log: EpisodeLog) -> Array:
    """Mean square of the third difference of the actions [-]; NaN below four steps up."""
    third = np.diff(_clean(log.action), 3, axis=0)  # (T - 3, n, joints)
    return _mean_up((third**2).mean(2), standing(log)[3:])


WALKING: dict[str, Metric] = {
    "survived": survival,
    "traversal": traversal,
    "velocity_error": velocity_error,
    "yaw_error": yaw_error,
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
    """Steps (T, n) before the fall; a fall is final, and so is a state that is not finite."""
    finite = np.isfinite(log.position_w).all(2) & np.isfinite(log.yaw)
    return np.logical_and.accumulate(log.alive & finite, axis=0)


def _clean(values: NDArray[np.floating]) -> Array:
    """As float64, 0 for what is not finite: a mask times NaN would still be NaN."""
    return np.nan_to_num(values.astype(float), nan=0.0, posinf=0.0, neginf=0.0)


def _window(log: EpisodeLog) -> int:
    """Control steps in a stride."""
    return max(round(log.stride / log.dt), 1)


def _motion_w(log: EpisodeLog, up: Mask) -> Array:
    """How far the base moved in each step (T, n, 2) [m], world frame; 0 when not up.

    The log begins after the first step, so that step is taken from its velocity.
    """
    position = _clean(log.position_w[..., :2])
    forward, left = _clean(log.velocity_b[0, :, 0]), _clean(log.velocity_b[0, :, 1])
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


def _motion_h(log: EpisodeLog, up: Mask) -> Array:
    """Motion of each step (T, n, 3) [m]: forward, left, LEVER_ARM * turned; 0 when not up."""
    motion = _motion_w(log, up)
    yaw = _clean(log.yaw)
    turned = np.empty(yaw.shape)
    turned[0] = _clean(log.yaw_rate[0]) * log.dt
    turned[1:] = (np.diff(yaw, axis=0) + np.pi) % (2 * np.pi) - np.pi
    turned *= up
    middle = yaw - turned / 2  # the heading halfway through the step
    cos, sin = np.cos(middle), np.sin(middle)
    x, y = motion[..., 0], motion[..., 1]
    return np.stack([x * cos + y * sin, y * cos - x * sin, LEVER_ARM * turned], 2)


def _tracking_error(log: EpisodeLog, actual: NDArray, wanted: NDArray) -> Array:
    """Root mean square of the difference (T, n, k) averaged over every stride while up."""
    up, window = standing(log), _window(log)
    if len(up) < window:
        return np.full(up.shape[1], np.nan)
    total = np.cumsum(_clean(actual) - _clean(wanted), axis=0)  # (T, n, k)
    mean = total[window - 1 :].copy()
    mean[1:] -= total[:-window]
    square = ((mean / window) ** 2).sum(2)
    return np.sqrt(_mean_up(square, up[window - 1 :]))


def _mean_up(values: Array, up: Mask) -> Array:
    """Mean of `values` (T, n) over the steps that are `up`; NaN where there is none."""
    count = up.sum(0)
    total = np.where(up, values, 0).sum(0)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)


def _per_metre(log: EpisodeLog, total: Array) -> Array:
    walked = distance(log)
    return np.where(walked >= SHORTEST, total / np.maximum(walked, SHORTEST), np.nan)
