"""Plan of a choreography: torso, feet and joints over time, by leg inverse kinematics.

The stage frame has its origin below the torso at the start, x ahead and z up. Both feet stand flat
on level ground; soles follow the torso's roll, as the legs have no ankle roll.
"""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import CubicHermiteSpline, PchipInterpolator

from grek.envs.motions.choreography import Choreography, Hop, Key, Lift, Spin, Step
from grek.envs.robots import Robot
from grek.envs.vectors import Array
from grek.errors import InputError

GRAVITY = 9.81  # [m/s^2]
RISE = 0.2  # time in which a lifted foot rises, and is put down [s]
CROUCH = 0.30  # time from standing to the crouch of a hop, and back [s]
CROUCHED, STRETCHED = 0.72, 0.95  # torso height over standing, in a hop's crouch and at take-off:
# with TUCK and PULL those, of the ones tried for Grek, by which hops of 30 to 90 mm are within its
# motors, forward or turning, and in open loop lift the soles by 83 to 97 % of that
TUCK = 0.4  # share of a hop's height by which the legs are drawn up; the rest is flight
PULL = 1.25  # speed of the torso before take-off over that after it, which pulls the legs along
BACK = 0.015  # torso behind its place over the feet in a hop [m]
HELD = ("height", "lean", "tilt", "twist", "sway", "look_pitch", "look_yaw")
"""Quantities of a key that are interpolated."""


@dataclass(frozen=True)
class Plan:
    """A choreography at T times, with F feet and A acting joints."""

    name: str
    time: Array
    """(T,) [s]"""
    beat: Array
    """(T,)"""
    position: Array
    """Torso (T, 3), stage frame [m]."""
    attitude: Array
    """Roll, pitch and yaw of the torso, stage frame (T, 3) [rad]."""
    feet: Array
    """Ankle x, y, height of the sole above the ground [m] and yaw [rad], stage frame (T, F, 4)."""
    contact: NDArray[np.bool_]
    """Feet on the ground (T, F)."""
    joints: Array
    """Acting joints (T, A) [rad]."""
    look: Array
    """Pitch and yaw of the head relative to its home pose (T, 2) [rad]."""


@dataclass
class _Walk:
    """Movement of one foot: pieces in order of time, and the pose after them."""

    pose: Array
    """x, y [m], yaw [rad] after the last piece (3,)."""
    busy: float = 0.0
    """End of the last piece [s]."""
    pieces: list["_Piece"] = field(default_factory=list)


@dataclass(frozen=True)
class _Piece:
    """A foot in the air from `start` to `end` [s], from one pose to another."""

    start: float
    end: float
    before: Array
    after: Array
    height: float
    kind: type


@dataclass(frozen=True)
class _Leap:
    """A hop that takes off at `start` [s], and its displacement `ahead` (2,) [m]."""

    start: float
    hop: Hop
    ahead: Array
    forward: Array
    """Unit vector of the heading before it (2,)."""


def plan(of: Choreography, robot: Robot, interval: float) -> Plan:
    """Plan of `of` at multiples of `interval` [s].

    Raises InputError, naming the beat, where movements of a foot overlap or leave none on the
    ground, and for a robot without leg kinematics.
    """
    if robot.legs is None:
        raise InputError(f"robot {robot.name} has no leg kinematics, so no choreographies")
    time: Array = np.arange(round(of.seconds / interval) + 1).astype(float) * interval
    held = {name: _held(of, name, robot, time) for name in HELD}
    ankles = np.array(robot.legs.home_ankles)
    walks = [_Walk(np.array([x, y, 0.0])) for x, y, _ in ankles]
    hops: list[_Leap] = []
    for key in of.keys:
        _begin(of, key, robot, walks, hops)
    for walk in walks:
        if walk.busy > of.seconds + 1e-9:
            raise InputError(f"motion {of.name}: a foot is still in the air at its end")
    height = held["height"]
    for leap in hops:
        height = _hop_height(leap.start, leap.hop, height, time, robot.stand_height)
    feet, contact = _feet(walks, time, height - STRETCHED * robot.stand_height)
    yaw = feet[..., 3].mean(1)
    position = _torso(feet, yaw, ankles, held["sway"], height)
    twist = held["twist"]
    for leap in hops:
        offset = _hop_offset(leap.start, leap.hop, time, robot.stand_height)
        twist = twist + offset * leap.hop.turn
        position[:, :2] += offset[:, None] * leap.ahead
        position[:, :2] -= _hop_back(leap, time, robot.stand_height)
    attitude = np.stack([held["tilt"], held["lean"], yaw + twist], 1)
    return Plan(
        name=of.name,
        time=time,
        beat=time * of.tempo / 60,
        position=position,
        attitude=attitude,
        feet=feet,
        contact=contact,
        joints=_joints(robot, position, attitude, feet),
        look=np.stack([held["look_pitch"], held["look_yaw"]], 1),
    )


def posed(name: str, time: Array, position: Array, attitude: Array, robot: Robot) -> Plan:
    """Plan of the torso's `position` and `attitude` (T, 3) at `time` (T,), feet as at home.

    Raises InputError for a robot without leg kinematics. A beat is a second.
    """
    if robot.legs is None:
        raise InputError(f"robot {robot.name} has no leg kinematics, so no motion {name}")
    ankles = np.array(robot.legs.home_ankles)
    feet = np.zeros((len(time), len(ankles), 4))
    feet[..., :2] = ankles[:, :2]
    return Plan(
        name=name,
        time=time,
        beat=time,
        position=position,
        attitude=attitude,
        feet=feet,
        contact=np.ones(feet.shape[:2], bool),
        joints=_joints(robot, position, attitude, feet),
        look=np.zeros((len(time), 2)),
    )


def _held(of: Choreography, name: str, robot: Robot, time: Array) -> Array:
    """A quantity at `time` (T,): monotone cubic between the keys that set it, home at both ends."""
    home = robot.stand_height if name == "height" else 0.0
    known = [(of.time(k.beat), getattr(k, name)) for k in of.keys if getattr(k, name) is not None]
    knots, values = np.array([(0.0, home), *known, (of.seconds, home)], float).T
    slopes = PchipInterpolator(knots, values).derivative()(knots)
    slopes[[0, -1]] = 0
    return np.asarray(CubicHermiteSpline(knots, values, slopes)(time))


def _begin(
    of: Choreography, key: Key, robot: Robot, walks: list[_Walk], hops: list["_Leap"]
) -> None:
    """Add the movements of the feet that begin at `key`."""
    start = of.time(key.beat)
    sides = {1: "left", -1: "right"}
    feet = [sides.get(foot.side, "") for foot in robot.feet]

    def move(foot: int, begin: float, end: float, to: Array, height: float, kind: type) -> None:
        walk = walks[foot]
        others = max((other.busy for i, other in enumerate(walks) if i != foot), default=0.0)
        if begin < walk.busy - 1e-9 or (kind is not Hop and begin < others - 1e-9):
            raise InputError(
                f"motion {of.name}: beat {key.beat:g}: the {feet[foot]} foot cannot move, as a foot"
                f" is in the air until beat {max(walk.busy, others) * of.tempo / 60:.2f}"
            )
        walk.pieces.append(_Piece(begin, end, walk.pose, to, height, kind))
        walk.pose, walk.busy = to, end

    def turned(pose: Array, about: Array, turn: float, ahead: Array) -> Array:
        """Pose after a turn about a point and a displacement."""
        offset = _rotated(pose[:2] - about, turn)
        return np.array([*(about + offset + ahead), pose[2] + turn])

    heading = float(np.mean([walk.pose[2] for walk in walks]))
    middle = np.mean([walk.pose[:2] for walk in walks], 0)
    if isinstance(key.step, Step):
        step, foot = key.step, feet.index(key.step.foot)
        to = walks[foot].pose + np.array([*_rotated(np.array(step.to), heading), step.turn])
        move(foot, start, start + of.time(step.beats), to, step.height, Step)
    if isinstance(key.lift, Lift):
        lift, foot = key.lift, feet.index(key.lift.foot)
        move(foot, start, start + of.time(lift.beats), walks[foot].pose, lift.height, Lift)
    if isinstance(key.spin, Spin):
        spin = key.spin
        first = feet.index("left" if spin.turn > 0 else "right")
        home = [walk.pose for walk in walks]
        for i in range(spin.steps):
            foot, share = (first + i) % 2, min((i + 1) / (spin.steps - 1), 1.0)
            begin, end = (start + of.time(0.5 * n) for n in (i, i + 1))
            to = turned(home[foot], middle, spin.turn * share, np.zeros(2))
            move(foot, begin, end, to, spin.height, Spin)
    if isinstance(key.hop, Hop):
        hop = key.hop
        _, _, flight = _hop_times(hop, robot.stand_height)
        begin, end = _hop_window(start, hop, robot.stand_height)
        if begin < max(walk.busy for walk in walks) - 1e-9 or end > of.seconds + 1e-9:
            raise InputError(
                f"motion {of.name}: beat {key.beat:g}: the hop, with a crouch before and after,"
                f" takes beat {begin * of.tempo / 60:.2f} to {end * of.tempo / 60:.2f}, which is"
                " not free"
            )
        ahead = _rotated(np.array([hop.forward, 0.0]), heading)
        for foot, walk in enumerate(walks):
            to = turned(walk.pose, middle, hop.turn, ahead)
            move(foot, start, start + flight, to, hop.height, Hop)
        for walk in walks:
            walk.busy = end
        hops.append(_Leap(start, hop, ahead, _rotated(np.array([1.0, 0.0]), heading)))


def _hop_times(hop: Hop, stand: float) -> tuple[float, float, float]:
    """Speed after take-off [m/s], duration of the push-off at constant acceleration to PULL times
    that speed, and of the flight [s], of a robot whose torso stands at `stand` [m]."""
    speed = float(np.sqrt(2 * GRAVITY * (1 - TUCK) * hop.height))
    return speed, 2 * (STRETCHED - CROUCHED) * stand / (PULL * speed), 2 * speed / GRAVITY


def _hop_window(start: float, hop: Hop, stand: float) -> tuple[float, float]:
    """Time [s] at which the crouch of a hop that takes off at `start` begins, and that it ends."""
    _, push, flight = _hop_times(hop, stand)
    return start - push - CROUCH, start + flight + push + CROUCH


def _hop_height(start: float, hop: Hop, height: Array, time: Array, stand: float) -> Array:
    """Torso height (T,) with the crouch, push-off, flight and landing of a hop."""
    speed, push, flight = _hop_times(hop, stand)
    begin, end = _hop_window(start, hop, stand)
    low, high = CROUCHED * stand, STRETCHED * stand
    t = time - start
    rising = low + 0.5 * PULL * speed / push * (t + push) ** 2
    flying = high + speed * t - 0.5 * GRAVITY * t**2
    falling = low + 0.5 * PULL * speed / push * (t - flight - push) ** 2
    down, up = (np.clip(x / CROUCH, 0, 1) for x in (time - begin, end - time))
    standing = height + (low - height) * smooth(np.minimum(down, up))
    for until, part in ((flight + push, falling), (flight, flying), (0.0, rising)):
        standing = np.where((t < until) & (t >= -push), part, standing)
    return standing


def _hop_offset(start: float, hop: Hop, time: Array, stand: float) -> Array:
    """Displacement of the torso from over its feet (T,), over that of the hop [-].

    The torso draws back in the crouch, gains its speed at constant acceleration in the push-off,
    keeps it in flight and loses it in the same way, so that feet land ahead of it.
    """
    _, push, flight = _hop_times(hop, stand)
    begin, end = _hop_window(start, hop, stand)
    speed = 1 / (flight + push / 2)
    back = speed * push / 4  # half of the way of the push-off
    t = time - start
    pushing = -back + speed / (2 * push) * np.clip(t + push, 0, push) ** 2
    flying = np.clip(t, 0, flight) * (speed - 1 / flight)  # the feet move by 1 / flight
    landing = speed * (push / 2 - np.clip(flight + push - t, 0, push) ** 2 / (2 * push))
    moving = pushing + flying + np.where(t > flight, landing, 0)
    down, up = (np.clip(x / CROUCH, 0, 1) for x in (time - begin, end - time))
    crouching = np.where(t < -push, -back * smooth(down), back * smooth(up))
    return np.where((t >= -push) & (t <= flight + push), moving, crouching)


def _hop_back(leap: _Leap, time: Array, stand: float) -> Array:
    """Displacement of the torso backward (T, 2) [m], which keeps the hips within their range."""
    begin, end = _hop_window(leap.start, leap.hop, stand)
    inside = np.clip(np.minimum(time - begin, end - time) / CROUCH, 0, 1)
    return BACK * smooth(inside)[:, None] * leap.forward


def _feet(walks: list[_Walk], time: Array, flying: Array) -> tuple[Array, NDArray[np.bool_]]:
    """Pose of each foot (T, F, 4), and where it is on the ground (T, F).

    `flying` (T,) [m] is the torso's height over that at take-off, the soles' height in a hop.
    """
    poses = np.zeros((len(time), len(walks), 4))
    contact = np.ones((len(time), len(walks)), bool)
    for foot, walk in enumerate(walks):
        first = walk.pieces[0].before if walk.pieces else walk.pose
        poses[:, foot, [0, 1, 3]] = first
        for piece in walk.pieces:
            poses[time >= piece.end, foot] = [*piece.after[:2], 0.0, piece.after[2]]
            inside = (time > piece.start + 1e-9) & (time < piece.end - 1e-9)
            contact[inside, foot] = False
            share = (time[inside] - piece.start) / (piece.end - piece.start)
            even = share if piece.kind is Hop else smooth(share)
            moved = piece.before + even[:, None] * (piece.after - piece.before)
            lifted = _lifted(piece, time[inside], flying[inside])
            poses[inside, foot] = np.column_stack([moved[:, :2], lifted, moved[:, 2]])
    return poses, contact


def _lifted(piece: _Piece, time: Array, flying: Array) -> Array:
    """Height of the sole (t,) [m] at times inside `piece`."""
    if piece.kind is Hop:
        share = (time - piece.start) / (piece.end - piece.start)
        return np.maximum(flying, 0) + TUCK * piece.height * np.sin(np.pi * share) ** 2
    if piece.kind is Lift:
        rise = min(RISE, (piece.end - piece.start) / 2)
        nearest = np.minimum(time - piece.start, piece.end - time)
        return piece.height * smooth(np.clip(nearest / rise, 0, 1))
    return piece.height * np.sin(np.pi * (time - piece.start) / (piece.end - piece.start)) ** 2


def _torso(feet: Array, yaw: Array, ankles: Array, sway: Array, height: Array) -> Array:
    """Torso position (T, 3): over the feet as in the home pose, displaced by `sway`."""
    offset = np.stack([np.full(len(yaw), -ankles[:, 0].mean()), sway - ankles[:, 1].mean()], 1)
    return np.column_stack([feet[..., :2].mean(1) + _rotated(offset, yaw), height])


def _joints(robot: Robot, position: Array, attitude: Array, feet: Array) -> Array:
    """Acting joints (T, A) [rad] that put the ankles above the soles, soles level in pitch."""
    assert robot.legs is not None
    ankles = np.array(robot.legs.home_ankles)
    hips = np.array(robot.legs.hips or np.zeros((len(ankles), 2)))
    above = robot.stand_height + ankles[:, 2]  # ankle over sole
    wanted = feet[..., :3].copy()
    wanted[..., 2] += above
    rotation = rotations(attitude)
    seen = np.einsum("tji,tfj->tfi", rotation, wanted - position[:, None])
    yaw = feet[..., 3] - attitude[:, 2:]
    ahead = hips + _rotated(seen[..., :2] - hips, -yaw)
    side = np.array([[float(foot.side) for foot in robot.feet]])
    angles = robot.legs.inverse(ahead[..., 0], ahead[..., 1], seen[..., 2], yaw, side)
    angles[..., -1] -= attitude[:, 1:2]  # the ankle is the last joint of a leg
    return np.asarray(angles.reshape(len(feet), -1))


def rotations(attitude: Array) -> Array:
    """Rotation matrices (T, 3, 3), body to stage, of roll, pitch and yaw (T, 3) [rad]."""
    roll, pitch, yaw = attitude[:, 0], attitude[:, 1], attitude[:, 2]
    (sr, cr), (sp, cp), (sy, cy) = ((np.sin(a), np.cos(a)) for a in (roll, pitch, yaw))
    rows = (
        np.stack([cy * cp, cy * sp * sr - sy * cr, cy * sp * cr + sy * sr], -1),
        np.stack([sy * cp, sy * sp * sr + cy * cr, sy * sp * cr - cy * sr], -1),
        np.stack([-sp, cp * sr, cp * cr], -1),
    )
    return np.stack(rows, 1)


def _rotated(xy: Array, angle: Array | float) -> Array:
    """Vectors (..., 2) turned to the left by `angle` (...) [rad]."""
    x, y, cos, sin = xy[..., 0], xy[..., 1], np.cos(angle), np.sin(angle)
    return np.stack([cos * x - sin * y, sin * x + cos * y], -1)


def smooth(share: Array) -> Array:
    """Polynomial from 0 to 1 that begins and ends at rest and without acceleration."""
    return share**3 * (10 - 15 * share + 6 * share**2)
