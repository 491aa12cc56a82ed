"""Show: skills one after the other, as commanded; the reference motion of all of them together.

An act that is due begins in the phase that `transitions` names, else it waits. Where one reference
takes over from another, joints and torso pass smoothly from the one to the other. A skill without a
clip follows the gait; where the last row of a clip is held, a robot that tips steps on the spot.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from grek.envs.motions.act import Act
from grek.envs.motions.clip import Clip
from grek.envs.motions.gait import Gait, GaitMotion
from grek.envs.motions.motion import Reference
from grek.envs.motions.planner import smooth
from grek.envs.robots import Robot
from grek.envs.robots.robot import CONTROL_STEP
from grek.envs.skills import SKILLS
from grek.envs.skills.skill import Skill
from grek.envs.skills.transitions import WAITS, phase
from grek.envs.vectors import Array

AHEAD = (5, 10, 20)  # control steps at which the policy sees the reference to come
BLEND = 0.4  # time in which one reference passes into another [s]
RAMP = 1.0  # time in which the gait reaches a new velocity [s]


_LONG = 10**6  # control steps since an act began before all acts


@dataclass(frozen=True)
class Preview(Reference):
    """Reference with what it will be, should no other act begin."""

    ahead: Array
    """Joints [rad], height [m], roll and pitch [rad], and contacts at each of AHEAD
    (n, AHEAD, A + 3 + F)."""


@dataclass(frozen=True)
class Show:
    """Reference motion of the acts in the scenario; raises InputError for a malformed gait."""

    gait: Gait = field(default_factory=Gait)

    def start(self, robot: Robot, worlds: int) -> "ShowMotion":
        """State for `worlds` worlds, all standing; raises InputError for a robot without `legs`."""
        return ShowMotion(self.gait, robot, worlds)

    def describe(self) -> dict[str, Any]:
        """Parameters of the gait, for a policy's contract."""
        return self.gait.describe()

    def from_description(self, values: Any) -> "Show":
        """Inverse of `describe`; raises InputError for other values."""
        return Show(self.gait.from_description(values))


class ShowMotion:
    """State of a show in n worlds: present act, row of its clip, and acts to come."""

    def __init__(self, gait: Gait, robot: Robot, worlds: int) -> None:
        self._robot, self._gait = robot, GaitMotion(gait, robot, worlds)
        self._skills = list(SKILLS.values())
        self._acting, self._feet = len(robot.joints), len(robot.feet)
        self._clock = 2 * self._acting + 8  # first column of the clock
        self._home = _table(clip_of_act(robot, "stand", (), ""))[0]
        self._acts: list[tuple[Act, ...]] = [()] * worlds
        self._rows = np.tile(self._home, (worlds, 1, 1))  # of the clips (n, most rows, columns)
        self._free = np.ones((worlds, 1), bool)
        self._beats: list[Array] = [np.zeros(1)] * worlds
        self._length = np.ones(worlds, int)
        self._before = np.tile(self._home, (worlds, 1))  # row from which it passes to the present
        self._speed_before, self._speed = np.zeros((worlds, 3)), np.zeros((worlds, 3))
        self._due = np.full(worlds, np.inf)  # time of the next act [s]
        self._next, self._present = np.zeros(worlds, int), np.full(worlds, -1)  # acts
        self._skill, self._step = np.zeros(worlds, int), np.zeros(worlds, int)
        self._time = np.zeros(worlds, int)  # [control steps], as the two below
        self._since, self._ramped = np.zeros(worlds, int), np.zeros(worlds, int)
        self._walking, self._leaving = np.zeros(worlds, bool), np.zeros(worlds, bool)
        self.waiting = np.zeros(worlds, bool)
        """Worlds in which a command waits (n,)."""
        self.now: Reference = self._reference()

    # -- acts ------------------------------------------------------------------------------

    def perform(self, worlds: NDArray, acts: Sequence[tuple[Act, ...]]) -> None:
        """Acts (m,), in order of time, for the next `reset` of `worlds` (m,)."""
        for world, each in zip(worlds, acts, strict=True):
            self._acts[world] = each

    def command(self, world: int, act: Act) -> None:
        """Replace the acts to come in `world` by `act`, whose time counts from now."""
        time = act.time + self._time[world] * CONTROL_STEP
        now = Act(time, act.skill, act.values, act.motion)
        self._acts[world] = (*self._acts[world][: self._next[world]], now)
        self._due[world] = time

    def acts(self, world: int) -> tuple[Act, ...]:
        """Acts of `world` since its last reset, and those to come."""
        return self._acts[world]

    def caption(self, world: int) -> str:
        """Present skill of `world`, its beat, and what waits."""
        skill = self._skills[self._skill[world]].name
        if self._leaving[world]:
            skill = "stand up"
        act = self._acts[world][self._present[world]] if self._present[world] >= 0 else None
        if act is not None and act.motion:
            beat = self._beats[world][self._step[world]]
            skill = f"{skill} {act.motion}, beat {beat:4.1f}"
        if not self.waiting[world]:
            return skill
        coming = self._acts[world][self._next[world]].skill
        reason = WAITS[phase(self._skills[self._skill[world]], coming)]
        return f"{skill}   ({coming} waits {reason})"

    def on_beat(self, world: int) -> bool:
        """True if the dance of `world` is at the first control step of a beat."""
        step, beats = self._step[world], self._beats[world]
        dances = self._skills[self._skill[world]].dances and step + 1 < len(beats)
        return bool(dances and (step == 0 or int(beats[step] + 1e-9) > int(beats[step - 1] + 1e-9)))

    # -- motion ----------------------------------------------------------------------------

    def reset(self, worlds: NDArray, seeds: NDArray[np.uint64], command: Array) -> None:
        """Begin the acts in `worlds` (m,), the gait at a phase of `seeds` (m,)."""
        ids = np.asarray(worlds)
        self._gait.reset(ids, seeds, np.zeros((len(ids), 3)))
        zeroed: tuple[NDArray, ...] = (
            *(self._next, self._skill, self._step, self._time, self._ramped),
            *(self._speed_before, self._speed, self._walking, self._leaving, self.waiting),
        )
        for state in zeroed:
            state[ids] = 0
        self._present[ids] = -1
        self._since[ids] = _LONG
        self._before[ids] = self._home
        for world in ids:
            self._fill(world, self._home[None], np.ones(1, bool), np.zeros(1))
            self._look_ahead(world)
            while self._due[world] <= 0 and self._begins(world):
                pass
        self.now = self._reference()

    def advance(self, command: Array, gyro: Array, gravity: Array, rate: Array) -> None:
        """Advance by a control step, with IMU readings (n, 3); the acts are the command."""
        for count in (self._time, self._since, self._ramped):
            count += 1
        self._step = np.minimum(self._step + 1, self._length - 1)
        self._gait.advance(self._velocity(), gyro, gravity, rate)
        self._gait.calm(~(self._walking | self._steps()))
        for world in np.flatnonzero(self._time * CONTROL_STEP >= self._due - 1e-9):
            self._begins(world)
        self.now = self._reference()

    def _begins(self, world: int | np.int64) -> bool:
        """Begin the act that is due in `world`, if it may; else go towards the phase it needs."""
        act, present = self._acts[world][self._next[world]], self._skills[self._skill[world]]
        over = self._step[world] == self._length[world] - 1
        needed = phase(present, act.skill)
        may = {
            "now": True,
            "free": over or self._free[world, self._step[world]],
            "halted": not self._gait.now.moving[world],
            "seated": over and self._leaving[world],
        }[needed]
        if needed == "seated" and over and not self._leaving[world]:
            assert present.leave is not None
            self._play(world, left(self._robot, present.name))
            self._leaving[world] = True
        if needed == "halted" and self._speed[world].any():
            self._steer(world, (0.0, 0.0, 0.0))
        self.waiting[world] = not may
        if may:
            self._next[world] += 1
            self._look_ahead(world)
            if not (present.leave is not None and act.skill == present.name):  # stays there
                self._begin(world, act)
        return bool(may)

    def _begin(self, world: int | np.int64, act: Act) -> None:
        """Make `act` the present one of `world`."""
        self._before[world], self._since[world] = self._packed((0,))[world, 0], 0
        self._present[world] = self._next[world] - 1
        self._set(world, act)
        of = self._skills[self._skill[world]]
        names = of.velocity or ()
        self._steer(world, tuple(of.value(act, name) for name in names) or (0.0, 0.0, 0.0))

    def _set(self, world: int | np.int64, act: Act) -> None:
        """Let `world` follow the reference of `act`, from its beginning."""
        self._skill[world] = [skill.name for skill in self._skills].index(act.skill)
        of = self._skills[self._skill[world]]
        self._leaving[world], self._walking[world] = False, of.clip is None
        if of.clip is None:
            self._fill(world, self._home[None], np.ones(1, bool), np.zeros(1))
        else:
            self._play(world, clip_of(self._robot, act))

    def _play(self, world: int | np.int64, clip: Clip) -> None:
        self._fill(world, _table(clip), clip.free, clip.beat)

    def _fill(self, world: int | np.int64, rows: Array, free: NDArray, beat: Array) -> None:
        """Let `world` be at the first of `rows` (T, columns)."""
        more = len(rows) - self._rows.shape[1]
        if more > 0:
            self._rows = np.pad(self._rows, ((0, 0), (0, more), (0, 0)))
            self._free = np.pad(self._free, ((0, 0), (0, more)))
        self._rows[world, : len(rows)], self._free[world, : len(rows)] = rows, free
        self._beats[world] = beat
        self._length[world], self._step[world] = len(rows), 0

    def _look_ahead(self, world: int | np.int64) -> None:
        """Set the time at which the next act of `world` is due."""
        acts, coming = self._acts[world], self._next[world]
        self._due[world] = acts[coming].time if coming < len(acts) else np.inf

    def _steer(self, world: int | np.int64, velocity: tuple[float, ...]) -> None:
        """Let the gait of `world` reach `velocity`."""
        self._speed_before[world] = self._velocity()[world]
        self._speed[world], self._ramped[world] = velocity, 0

    def _velocity(self) -> Array:
        """Velocity of the gait (n, 3), 0 where none walks."""
        share = np.minimum(self._ramped * (CONTROL_STEP / RAMP), 1)[:, None]
        now = self._speed_before + (self._speed - self._speed_before) * share
        return now * self._walking[:, None]

    def _steps(self) -> NDArray[np.bool_]:
        """Worlds that step on the spot when they tip (n,)."""
        may = np.array([skill.steps for skill in self._skills])[self._skill]
        return may & ~self._walking & (self._step == self._length - 1)

    # -- reference -------------------------------------------------------------------------

    def _packed(self, later: tuple[int, ...]) -> Array:
        """Rows (n, k, columns) of the reference, `later` (k,) control steps from now."""
        each, after = np.arange(len(self._step))[:, None], np.array(later)
        rows = self._rows[each, np.minimum(self._step[:, None] + after, self._length[:, None] - 1)]
        stepping = self._walking | (self._gait.now.moving & self._steps())
        ids = np.flatnonzero(stepping)
        if len(ids):
            gait = _pack(self._gait.ahead(ids, later, self._velocity()[ids]))
            gait = gait.reshape(len(ids), len(later), -1)
            walking, a = self._walking[ids, None, None], self._acting
            pose = np.where(walking, self._home[:a], rows[ids, :, :a])  # that it steps in
            gait[..., :a] += pose - self._home[:a]
            held = slice(a, self._clock)  # lead, height, attitude, velocity, look
            gait[..., held] = np.where(walking, gait[..., held], rows[ids, :, held])
            rows[ids] = gait
        share = smooth(np.minimum((self._since[:, None] + after) * (CONTROL_STEP / BLEND), 1))
        before, soft = self._before[:, None], slice(0, self._clock + 4)  # contacts pass at once
        passed = before[..., soft] + share[..., None] * (rows[..., soft] - before[..., soft])
        rows[..., soft] = passed
        return rows

    def _reference(self) -> Preview:
        a, f, c = self._acting, self._feet, self._clock
        rows = self._packed((0, *AHEAD))
        seen = [*range(a), *range(2 * a, 2 * a + 3), *range(c + 5 + f, c + 5 + 2 * f)]
        now = rows[:, 0]
        return Preview(
            joints=now[:, :a],
            lead=now[:, a : 2 * a],
            height=now[:, 2 * a],
            attitude=now[:, 2 * a + 1 : 2 * a + 3],
            velocity=now[:, 2 * a + 3 : 2 * a + 6],
            look=now[:, 2 * a + 6 : c],
            clock=now[:, c : c + 4],
            rest=now[:, c + 4],
            clearance=now[:, c + 5 : c + 5 + f],
            contact=now[:, c + 5 + f :] > 0.5,
            moving=np.where(self._walking, self._gait.now.moving, self._step < self._length - 1),
            skill=self._skill.copy(),
            ahead=rows[:, 1:][..., seen],
        )

    # -- snapshots -------------------------------------------------------------------------

    _KEPT = (
        *("_next", "_present", "_skill", "_time", "_since", "_ramped", "_walking", "_leaving"),
        *("_before", "_speed_before", "_speed", "_due", "waiting"),
    )

    def snapshot(self) -> dict[str, Array]:
        """State for `restore`, without the acts and their clips."""
        kept = {name: getattr(self, name).copy() for name in self._KEPT}
        return {**kept, "_step": self._step.copy(), **self._gait.snapshot()}

    def restore(self, saved: dict[str, Array], command: Array) -> None:
        """Continue from a snapshot; call `perform` with the same acts first."""
        for world, (present, leaving) in enumerate(
            zip(saved["_present"], saved["_leaving"], strict=True)
        ):
            if present >= 0:
                self._set(world, self._acts[world][present])
            if leaving:
                self._play(world, left(self._robot, self._skills[saved["_skill"][world]].name))
        for name in self._KEPT:
            getattr(self, name)[:] = saved[name]
        self._step = saved["_step"].copy()
        self._gait.restore(saved, self._velocity())
        self.now = self._reference()


def clip_of_act(
    robot: Robot, skill: str, values: tuple[tuple[str, float], ...], motion: str
) -> Clip:
    """Clip of a skill with `values` by name."""
    of = SKILLS.named(skill)
    assert of.clip is not None
    return of.clip(robot, Act(0.0, skill, dict(values), motion))


_remembered = lru_cache(maxsize=512)(clip_of_act)


def clip_of(robot: Robot, act: Act) -> Clip:
    """Clip of `act`; a file is read anew, as it may have changed.

    Raises InputError, naming beat and joint, for one that the motors cannot do.
    """
    found = clip_of_act if act.motion.endswith(".toml") else _remembered
    return found(robot, act.skill, tuple(sorted(act.values.items())), act.motion)


@lru_cache(maxsize=32)
def left(robot: Robot, skill: str) -> Clip:
    """Motion that leaves the end of a skill."""
    of: Skill = SKILLS.named(skill)
    assert of.leave is not None
    return of.leave(robot)


def _table(clip: Clip) -> Array:
    """Rows of `clip` (T, columns)."""
    return _pack(clip.rows)


def _pack(r: Reference) -> Array:
    """Columns of `r` in the order of `ShowMotion._reference`."""
    return np.concatenate(
        [
            *(r.joints, r.lead, r.height[:, None], r.attitude, r.velocity, r.look, r.clock),
            *(r.rest[:, None], r.clearance, r.contact.astype(float)),
        ],
        1,
    )
