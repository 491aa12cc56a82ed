"""Supervisor of a controller: checks readings, limits targets, and stops when it must.

Times are of the clock of the computer in seconds; None, where body and computer go in lockstep,
disables what depends on time.
"""

import dataclasses
import math
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

import numpy as np

from grek.envs.robots.robot import CONTROL_STEP
from grek.envs.vectors import Array, clamp
from grek.onboard.attitude import AttitudeFilter
from grek.onboard.controller import Controller, Reading
from grek.onboard.excitation import Excitation, Excited
from grek.onboard.policy import Policy
from grek.onboard.wire import Mode, Targets

_CHECKED = ("gyro", "joint_position", "joint_velocity", "command", "accelerometer")
_STILL = np.zeros(3)


@dataclass(frozen=True)
class Limits:
    """Bounds of the readings and targets that a supervisor accepts.

    Until they fell, 123 droids of the policy `walk` in the spaces `train` and `heldout` read, in
    8 s, at most 6.2 rad/s, gravity vectors of length 0.88 to 1.14, joints 0.04 rad beyond their
    range and at 19 rad/s; joint targets moved at up to 45 rad/s.
    """

    gyro: float = 20.0
    """Largest component of the angular velocity [rad/s]."""
    gravity: tuple[float, float] = (0.5, 1.5)
    """Length of the gravity vector [-]."""
    force: float = 200.0
    """Largest component of the accelerometer [m/s^2]."""
    joint_margin: float = 0.3
    """Largest reading of a joint beyond its range [rad]."""
    joint_speed: float = 35.0
    """[rad/s]"""
    command: float = 4.0
    """Largest component of the command [m/s, rad/s, rad]."""
    target_speed: float = 60.0
    """Largest rate of joint targets [rad/s]; they are slowed down to it."""
    patience: int = 5
    """Control steps without a valid reading after which it stops."""
    late: float = 0.03
    """Delay of a reading over the shortest one seen that counts as late [s]."""
    budget: float = 0.01
    """Computing time of a control step that counts as an overrun [s]."""
    lapses: int = 10
    """Late readings or overruns in a row after which it stops."""
    tipped: int = 5
    """Readings in a row beyond the robot's tilt of a fall after which it goes limp."""
    stop_time: float = 1.0
    """From the last joint targets to the stand pose in a safe stop [s]; then it goes limp."""


class State(Enum):
    """State of a supervisor; it only ever moves down this list."""

    READY = "ready"
    """No reading yet."""
    WALKING = "walking"
    STOPPING = "stopping"
    """On the way to the stand pose."""
    LIMP = "limp"


Note = Callable[[str, int, str], None]
"""Called with the kind of an event, the control step and a detail."""


class Supervisor:
    """One run of a robot: `offer` readings as they come, `overdue` when one did not.

    `events` counts what happened, by kind; `note` is told of each. After a stop a new run takes a
    new supervisor. `clock` [s] measures computing times.
    """

    def __init__(
        self,
        policy: Policy | Excitation,
        limits: Limits | None = None,
        attitude: AttitudeFilter | None = None,
        note: Note = lambda kind, step, detail: None,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self.limits = limits or Limits()
        self.state = State.READY
        self.events: Counter[str] = Counter()
        self.computing = 0.0  # time of the last control step [s]
        self.controller = Excited(policy) if isinstance(policy, Excitation) else Controller(policy)
        self._robot, self._note, self._attitude = policy.robot, note, attitude
        self._clock = clock
        acting = len(self._robot.joints)
        home = np.array(self._robot.home[:acting])
        low, high = np.array(self._robot.joint_range[:acting]).T
        bound = self.limits
        most = (
            np.full(3, bound.gyro),
            high - home + bound.joint_margin,
            np.full(acting, bound.joint_speed),
            np.full(5, bound.command),
            np.full(3, bound.force),
        )
        least = -np.concatenate(most)
        least[3 : 3 + acting] = low - home - bound.joint_margin
        self._bounds = least, np.concatenate(most)  # of readings, in the order of _CHECKED
        self._last: Reading | None = None  # valid reading
        self._next = 0  # control step that is due
        self._missed = self._lapses = self._tipped = self._stopping = 0
        self._lapsed = ""  # why the present control step is late
        self._fastest = np.inf  # shortest difference of clocks seen [s]
        self._targets = self.controller.stand
        self._from = self._targets  # where a safe stop starts

    # -- events ----------------------------------------------------------------------------

    def stop(self, reason: str) -> None:
        """Begin a safe stop."""
        if self.state in (State.READY, State.WALKING):
            self.state = State.STOPPING
            self._from = self._targets
            self._tell("stop", reason)

    def emergency(self, reason: str) -> None:
        """Go limp at once."""
        if self.state is not State.LIMP:
            self.state = State.LIMP
            self._tell("emergency", reason)

    def _tell(self, kind: str, detail: str = "") -> None:
        self.events[kind] += 1
        self._note(kind, self._next, detail)

    # -- control steps ---------------------------------------------------------------------

    def offer(self, reading: Reading, now: float | None) -> Targets | None:
        """Targets in answer to `reading`, or None if it is refused or comes too late."""
        if reason := self._invalid(reading):
            self._tell(*reason)
            return None
        last = self._last
        if last is not None and reading.step < self._next:
            if reading.step == last.step:
                self._tell("repeated")
            elif reading.step < last.step:
                self._tell("out_of_order", f"step {reading.step}")
            else:  # its control step was done without it
                self._tell("late", f"step {reading.step}")
                self._last, self._missed = reading, 0
                self.controller.revise(reading, self._next - 1 - reading.step)
            return None
        if last is not None:
            self._catch_up(reading.step - self._next)
        if self._attitude is not None and reading.accelerometer is not None:
            passed = (reading.step - last.step) * CONTROL_STEP if last else 0.0
            gravity = self._attitude.update(reading.gyro, reading.accelerometer, passed)
            reading = dataclasses.replace(reading, gravity=gravity)
        self._watch(reading, now)
        self._last, self._next, self._missed = reading, reading.step, 0
        if self.state is State.READY:
            self.state = State.WALKING
        return self._step(reading, now is not None)

    def overdue(self) -> Targets | None:
        """Targets for a control step without a reading; None before the first one."""
        if self._last is None:
            return None
        self._miss()
        return self._step(self._last, True)

    def _catch_up(self, steps: int) -> None:
        """Do the control steps of readings that were lost, without an answer."""
        for _ in range(min(steps, self.limits.patience + 1)):
            self._miss()
            self._step(self._last, False)

    def _miss(self) -> None:
        self._tell("missing")
        self._missed += 1
        if self._missed > self.limits.patience:
            self.stop(f"no reading for {self._missed} control steps")

    def _step(self, reading: Reading | None, timed: bool) -> Targets:
        assert reading is not None
        begin = self._clock()
        targets = self.controller.step(reading)
        self.computing = self._clock() - begin
        if timed and self.computing > self.limits.budget:
            self._tell("overrun", f"{1e3 * self.computing:.1f} ms")
            self._lapsed = "computing takes too long"
        self._lapses = self._lapses + 1 if self._lapsed else 0
        if self._lapses >= self.limits.lapses:
            self.stop(f"{self._lapsed}, {self._lapses} times in a row")
        self._lapsed = ""
        if not np.isfinite(targets).all():
            self._tell("not_finite_target")
            self.stop("the policy gives targets that are not finite")
        answer = self._next
        self._targets = self._limited(self._aim(targets))
        self._next += 1
        mode = Mode.LIMP if self.state is State.LIMP else Mode.DRIVE
        return Targets(answer, mode, self._targets)

    def _aim(self, targets: Array) -> Array:
        """Joint targets (J,) [rad] of the present state, given those of the policy."""
        if self.state is State.WALKING:
            return targets
        if self.state is State.STOPPING:
            self._stopping += 1
            share = self._stopping * CONTROL_STEP / self.limits.stop_time
            if share >= 1:
                self.state = State.LIMP
                self._tell("limp", "the safe stop is complete")
            return self._from + (self.controller.stand - self._from) * min(share, 1.0)
        return self._targets

    def _limited(self, targets: Array) -> Array:
        """`targets` (J,) [rad] at no more than `target_speed` from the last ones."""
        most = self.limits.target_speed * CONTROL_STEP
        limited = clamp(targets, self._targets - most, self._targets + most)
        if (limited != targets).any():
            self._tell("slowed")
        return limited

    # -- checks ----------------------------------------------------------------------------

    def _invalid(self, reading: Reading) -> tuple[str, str] | None:
        """Kind of event and detail if a reading cannot be used, else None."""
        force = reading.accelerometer
        fields = (
            *(reading.gyro, reading.joint_position, reading.joint_velocity, reading.command),
            _STILL if force is None else force,
        )
        read = np.concatenate(fields)
        if not (np.isfinite(read).all() and np.isfinite(reading.gravity).all()):
            return "not_finite", f"step {reading.step}"
        within = (read >= self._bounds[0]) & (read <= self._bounds[1])
        if not within.all():
            first, ends = int(within.argmin()), np.cumsum([len(values) for values in fields])
            name = _CHECKED[int(np.searchsorted(ends, first, "right"))]
            return "out_of_range", f"step {reading.step}: {name}"
        if self._attitude is None or force is None:  # gravity is not estimated here
            low, high = self.limits.gravity
            if not low <= math.sqrt((reading.gravity**2).sum()) <= high:
                return "out_of_range", f"step {reading.step}: gravity"
        return None

    def _watch(self, reading: Reading, now: float | None) -> None:
        """Stop or go limp by what a valid reading says."""
        tilt = -reading.gravity[2] < self._robot.fall_cosine
        self._tipped = self._tipped + 1 if tilt else 0
        if self._tipped >= self.limits.tipped:
            self.emergency("fallen")
        if now is None:
            return
        behind = now - reading.time
        self._fastest = min(self._fastest + 1e-4 * CONTROL_STEP, behind)  # clocks may drift
        if behind - self._fastest > self.limits.late:
            self._tell("delayed", f"{1e3 * (behind - self._fastest):.0f} ms")
            self._lapsed = "readings come too late"
