"""The body of a robot: a world of the gym that takes joint targets from a computer elsewhere.

`Body` is the world with its watchdog; `run` connects it to a UDP socket, in real time or in
lockstep with the computer.
"""

import dataclasses
import secrets
import socket
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from grek.envs.robots import GREK, Robot
from grek.envs.scenarios.scenario import Scenario
from grek.envs.scenarios.spaces import engine_of
from grek.envs.simulation.simulation import CONTROL_STEP, GRAVITY
from grek.envs.tasks import TaskBatch, walking
from grek.envs.vectors import Array
from grek.errors import InputError
from grek.onboard.computer import SILENCE, Record, message_of
from grek.onboard.controller import Reading
from grek.onboard.wire import (
    MOST,
    Header,
    Kind,
    Mode,
    Receiver,
    Targets,
    encode,
    reading_payload,
)

HOLD = 5  # control steps without targets after which the body holds the last ones
LIMP = 25  # and after which it goes limp
WAIT = 0.005  # for the answer to a reading before the control step begins without it [s]
AFTER_FALL = 50  # control steps that a run goes on after a fall
RESEND = 0.25  # in lockstep, without an answer [s]
GIVE_UP = 10.0  # in lockstep, without an answer [s]
_STEP = round(CONTROL_STEP * 1e9)  # [ns]


class Watchdog:
    """Motors of a robot between joint targets: hold the last ones for a while, then go limp."""

    def __init__(self, robot: Robot) -> None:
        self.events: Counter[str] = Counter()
        self.mode = Mode.DRIVE
        self._low, self._high = np.array(robot.joint_range).T
        stand = np.array(robot.home) + np.array(robot.static_offset)
        self._targets, self._silent = np.clip(stand, self._low, self._high), 0

    def take(self, targets: Targets) -> None:
        """Follow `targets` from now on; targets beyond the joints' ranges are refused."""
        beyond = (targets.joints < self._low) | (targets.joints > self._high)
        if beyond.any() or not np.isfinite(targets.joints).all():
            self.events["out_of_range"] += 1
            return
        self._targets, self.mode, self._silent = targets.joints, targets.mode, -1

    def advance(self, measured: Array) -> Array:
        """Joint targets (J,) [rad] of the coming control step, at `measured` positions (J,) [rad].

        A limp motor is told to stay where it is, which leaves it damping, and stiffness for no
        longer than a control step.
        """
        self._silent += 1
        for limit, name in ((HOLD, "hold"), (LIMP, "limp")):
            if self._silent == limit:
                self.events[name] += 1
        if self._silent >= LIMP:
            self.mode = Mode.LIMP
        if self.mode is Mode.DRIVE:
            return self._targets
        return np.clip(measured, self._low, self._high)


class Body:
    """A droid in `scenario`: its motors, its sensors and a watchdog over its targets.

    `hung` holds its base in the air, as a stand does. `engine` is that of the scenario by default.
    """

    def __init__(
        self,
        scenario: Scenario,
        robot: Robot = GREK,
        hung: bool = False,
        engine: str | None = None,
    ) -> None:
        self.engine = engine or engine_of(scenario)
        self.batch = TaskBatch(walking(robot), 1, engine=self.engine)
        self.batch.reset([0], [scenario])
        if hung:
            self.batch.simulation.hang([0])
        self.scenario = scenario
        self.watchdog = Watchdog(robot)
        self.fell: int | None = None  # control step of the fall
        self.broken = False
        self._velocity_w = self.batch.state.velocity_w[0]
        self._force = np.zeros(3)  # specific force, base frame [m/s^2]
        self._sense()

    @property
    def step(self) -> int:
        """Control steps since the start."""
        return int(self.batch.age[0])

    def reading(self, time: float) -> Reading:
        """Present sensor reading; `time` is the body's clock [s]."""
        return dataclasses.replace(reading(self.batch, 0, time), accelerometer=self._force)

    def advance(self) -> Array:
        """Advance by a control step; returns the joint targets that acted (J,) [rad]."""
        acting = self.watchdog.advance(measured(self.batch, 0))
        self.follow(acting)
        return acting

    def follow(self, targets: Array) -> None:
        """Advance by a control step under joint `targets` (J,) [rad]."""
        outcome = self.batch.follow(targets[None])
        if outcome.terminated[0] and self.fell is None:
            self.fell = self.step
        self.broken |= bool(self.batch.state.broken[0])
        self._sense()

    def _sense(self) -> None:
        """Specific force over the last control step."""
        state = self.batch.state
        change = (state.velocity_w[0] - self._velocity_w) / CONTROL_STEP
        self._velocity_w = state.velocity_w[0]
        self._force = state.rotation[0].T @ (change + np.array([0.0, 0.0, GRAVITY]))


def reading(batch: TaskBatch, world: int, time: float) -> Reading:
    """Present sensor reading of a world, at `time` [s] of its clock."""
    newest = {f.name: batch.sensors.newest(f.name)[world] for f in batch.task.measured}
    seed = batch.simulation.scenarios[world].seed
    step, command = int(batch.age[world]), batch.command[world].copy()
    return Reading(step=step, time=time, command=command, seed=seed, **newest)


def measured(batch: TaskBatch, world: int) -> Array:
    """Joint positions (J,) [rad] of a world, of the acting joints as their sensors say."""
    positions = batch.state.joint_position[world].copy()
    sensed = batch.sensors.newest("joint_position")[world]
    positions[: len(sensed)] = sensed + np.array(batch.task.robot.home[: len(sensed)])
    return positions


@dataclass(frozen=True)
class Run:
    """Result of a run of a body."""

    steps: int
    fell: bool
    distance: float
    """From start to end [m]."""
    events: Counter[str]
    """Of the watchdog."""
    dropped: Counter[str]
    """Datagrams, by reason."""
    lacking: int
    """Control steps that began without the answer to their reading."""

    def text(self) -> str:
        """The result on one line."""
        end = "fell" if self.fell else "stood"
        counted = {**self.events, **{f"dropped {name}": n for name, n in self.dropped.items() if n}}
        events = ", ".join(f"{name} {n}" for name, n in sorted(counted.items()))
        return (
            f"{end} after {self.steps * CONTROL_STEP:.2f} s, {self.distance:.2f} m from the start;"
            f" late answers: {self.lacking}; events: {events or 'none'}"
        )


class Link:
    """Datagrams to and from the computer; the first one that greets is the computer.

    Another may greet after a second of silence: one that was started anew.
    """

    def __init__(self, socket: socket.socket, robot: Robot) -> None:
        self._socket = socket
        self._session = secrets.randbits(31) + 1
        self._peer: tuple[str, int] | None = None
        self._heard = -SILENCE
        self._sequence = self._echo = 0
        joints = len(robot.joints), len(robot.all_joints)
        self._new = lambda: Receiver(*joints, self._is_session)
        self._receiver = self._new()
        self.strangers = 0
        """Datagrams of others than the computer."""
        self.dropped: Counter[str] = Counter()

    @property
    def met(self) -> bool:
        """True once a computer has greeted."""
        return self._peer is not None

    def send(self, kind: Kind, clock: int, payload: bytes = b"") -> None:
        """Send a datagram stamped with the body's `clock` [ns]."""
        if self._peer is None:
            return
        self._sequence += 1
        data = encode(Header(kind, self._session, self._sequence, clock, self._echo), payload)
        try:
            self._socket.sendto(data, self._peer)
        except OSError:  # the computer is away; the watchdog counts
            return

    def receive(self, until: int) -> Targets | None:
        """Next targets that come before `until` on the monotonic clock [ns], else None."""
        while True:
            left = until - time.monotonic_ns()
            self._socket.settimeout(max(left, 0) * 1e-9)
            try:
                data, sender = self._socket.recvfrom(MOST + 1)
            except (TimeoutError, BlockingIOError, ConnectionError):
                if left <= 0 or until <= time.monotonic_ns():
                    return None
                continue
            found = self._accept(data, sender)
            if found is not None or until <= time.monotonic_ns():
                return found

    def _is_session(self, kind: Kind, session: int) -> bool:
        """True for the session of this body; a computer that greets may not know it yet."""
        return session == self._session or (kind is Kind.HELLO and session == 0)

    def _accept(self, data: bytes, sender: tuple[str, int]) -> Targets | None:
        now = time.monotonic_ns()
        if sender != self._peer:
            stranger = self._new()
            found = stranger.accept(data)
            self.dropped += stranger.dropped
            if found is None or found.header.kind is not Kind.HELLO or now - self._heard < SILENCE:
                self.strangers += 1
                return None
            self._peer, self._receiver = sender, stranger
        else:
            before = self._receiver.dropped.copy()
            found = self._receiver.accept(data)
            self.dropped += self._receiver.dropped - before
            if found is None:
                return None
        self._heard, self._echo = now, found.header.time
        return found.targets


def run(
    body: Body,
    link: Link,
    seconds: float,
    lockstep: bool,
    record: Record = lambda topic, time, message: None,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Run:
    """Let `body` be driven over `link` for `seconds` [s], or until shortly after a fall.

    Waits for the computer first. Raises InputError if, in lockstep, it does not answer.
    """
    while not link.met:
        link.receive(time.monotonic_ns() + 100_000_000)
    steps, lacking = round(seconds / CONTROL_STEP), 0
    begin = body.batch.state.position_w[0, :2].copy()
    epoch = time.monotonic_ns()
    due = epoch  # when the next control step begins
    try:
        for step in range(steps):
            clock = step * _STEP if lockstep else time.monotonic_ns() - epoch
            reading = body.reading(clock * 1e-9)
            link.send(Kind.READING, clock, reading_payload(reading, lockstep))
            if lockstep:
                body.watchdog.take(_answer(link, reading, clock))
            else:
                lacking += not _answered(body, link, step, time.monotonic_ns() + round(WAIT * 1e9))
            acted = body.advance()
            record("/reading", clock, message_of(reading))
            mode = body.watchdog.mode.name.lower()
            record("/applied", clock, {"step": step, "mode": mode, "joints": acted.tolist()})
            record("/state", clock, _state(body))
            progress(step + 1, steps)
            if body.broken or (body.fell is not None and body.step - body.fell >= AFTER_FALL):
                break
            if (
                not lockstep
            ):  # until the next control step begins, targets that come late still count
                due += _STEP
                while (found := link.receive(due)) is not None:
                    body.watchdog.take(found)
                if time.monotonic_ns() - due > _STEP:  # this machine is too slow
                    body.watchdog.events["lag"] += 1
                    due = time.monotonic_ns()
    finally:
        for _ in range(3):  # datagrams may be lost
            link.send(Kind.BYE, body.step * _STEP)
    distance = float(np.sqrt(((body.batch.state.position_w[0, :2] - begin) ** 2).sum()))
    dropped = link.dropped + Counter(stranger=link.strangers)
    return Run(body.step, body.fell is not None, distance, body.watchdog.events, dropped, lacking)


def _answered(body: Body, link: Link, step: int, until: int) -> bool:
    """True if the answer to the reading of `step` comes before `until` [ns]."""
    while (found := link.receive(until)) is not None:
        body.watchdog.take(found)
        if found.step >= step:
            return True
    return False


def _answer(link: Link, reading: Reading, clock: int) -> Targets:
    """Answer to `reading` in lockstep, which is sent again where it is lost."""
    for _ in range(round(GIVE_UP / RESEND)):
        until = time.monotonic_ns() + round(RESEND * 1e9)
        while (found := link.receive(until)) is not None:
            if found.step == reading.step:
                return found
        link.send(Kind.READING, clock, reading_payload(reading, True))
    raise InputError(f"the computer has not answered for {GIVE_UP:g} s")


def _state(body: Body) -> dict[str, Any]:
    """True state of the body, as a message of a log."""
    state = body.batch.state
    return {
        "step": body.step,
        "position": state.position_w[0].tolist(),
        "rotation": state.rotation[0].ravel().tolist(),
        "joint_position": state.joint_position[0].tolist(),
        "contact": state.contact[0].tolist(),
        "fell": body.fell is not None,
    }
