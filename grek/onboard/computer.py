"""The computer of a robot: datagrams of its body in, datagrams to its body out.

`Computer` does no input or output and is told the time; `serve` connects it to a UDP socket.
"""

import dataclasses
import socket
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

from grek.envs.robots.robot import CONTROL_STEP
from grek.errors import InputError
from grek.onboard.attitude import AttitudeFilter
from grek.onboard.controller import Reading
from grek.onboard.excitation import Excitation
from grek.onboard.policy import Policy
from grek.onboard.supervisor import Limits, State, Supervisor
from grek.onboard.wire import (
    MOST,
    Header,
    Kind,
    Mode,
    Receiver,
    Targets,
    encode,
    targets_payload,
)

SILENCE = 1_000_000_000  # without a datagram after which another session may begin [ns]
GREETING = 100_000_000  # between two greetings [ns]
SLACK = 0.5  # of a control step, that a reading may come after it is due

Record = Callable[[str, int, dict[str, Any]], None]
"""Called with a topic, the time [ns] and a message, for a log."""


class Computer:
    """Runs a policy or an excitation for one body after another.

    A new session of a body starts from the beginning.

    `filters` estimates the attitude from gyro and accelerometer instead of taking the body's;
    `clock` [s] measures computing times.
    """

    def __init__(
        self,
        policy: Policy | Excitation,
        limits: Limits | None = None,
        filters: bool = False,
        record: Record = lambda topic, time, message: None,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self.policy, self._limits, self._filters, self._record = policy, limits, filters, record
        self._clock = clock
        robot = policy.robot
        self.receiver = Receiver(len(robot.joints), len(robot.all_joints), self._is_session)
        self.events: Counter[str] = Counter()  # of all supervisors
        self.steps = 0  # control steps answered
        self.ended = False
        self.supervisor: Supervisor | None = None
        self._session = 0
        self._sequence = 0
        self.heard = -SILENCE  # last accepted datagram [ns]
        self._echo = 0
        self._now = 0
        self._due: int | None = None  # when the next reading is overdue [ns]
        self._answer: Targets | None = None

    @property
    def due(self) -> int | None:
        """When to call `tick` unless a reading comes before [ns]; None for never."""
        return self._due

    def text(self) -> str:
        """Steps, counted events and dropped datagrams on one line."""
        counted = ", ".join(f"{name} {n}" for name, n in sorted(self.events.items()))
        dropped = ", ".join(f"{name} {n}" for name, n in sorted(self.receiver.dropped.items()))
        return (
            f"{self.steps} control steps; events: {counted or 'none'};"
            f" datagrams dropped: {dropped or 'none'}"
        )

    @property
    def state(self) -> State:
        """State of the supervisor."""
        return State.READY if self.supervisor is None else self.supervisor.state

    def stop(self, reason: str) -> None:
        """Begin a safe stop."""
        if self.supervisor is not None:
            self.supervisor.stop(reason)

    def emergency(self, now: int) -> list[bytes]:
        """Go limp at once: datagrams that say so, at `now` [ns]."""
        if self.supervisor is None or self._answer is None:
            return []
        self.supervisor.emergency("asked")
        limp = dataclasses.replace(self._answer, mode=Mode.LIMP)
        return [self._send(Kind.TARGETS, now, targets_payload(limp)) for _ in range(3)]

    def hello(self, now: int) -> bytes:
        """Greeting that asks the body for readings."""
        return self._send(Kind.HELLO, now)

    def receive(self, data: bytes, now: int) -> list[bytes]:
        """Answers to a datagram that came at `now` [ns]."""
        self._now = now
        found = self.receiver.accept(data)
        if found is None:
            return []
        if found.header.session != self._session or self.supervisor is None:
            self._begin(found.header.session)
        self.heard, self._echo = now, found.header.time
        if found.header.kind == Kind.BYE:
            self.ended, self._due = True, None
        if found.reading is None:
            return []
        return self._offer(found.reading, found.lockstep, now)

    def tick(self, now: int) -> list[bytes]:
        """Targets for a reading that is overdue at `now` [ns]."""
        self._now = now
        if self.supervisor is None or self._due is None:
            return []
        self._due = now + round(CONTROL_STEP * 1e9)
        return self._reply(self.supervisor.overdue(), None, now)

    def silent(self, now: int) -> bool:
        """True if nothing was accepted for long enough to greet the body anew."""
        return now - self.heard > SILENCE

    def _offer(self, reading: Reading, lockstep: bool, now: int) -> list[bytes]:
        assert self.supervisor is not None
        targets = self.supervisor.offer(reading, None if lockstep else now * 1e-9)
        if targets is not None:
            late = round((1 + SLACK) * CONTROL_STEP * 1e9)
            self._due = None if lockstep else now + late
        elif lockstep and self._answer is not None and self._answer.step == reading.step:
            return [self._send(Kind.TARGETS, now, targets_payload(self._answer))]
        return self._reply(targets, reading, now)

    def _reply(self, targets: Targets | None, reading: Reading | None, now: int) -> list[bytes]:
        if targets is None or self.supervisor is None:
            return []
        self.steps += 1
        self._answer = targets
        message: dict[str, Any] = {
            "step": targets.step,
            "mode": targets.mode.name.lower(),
            "state": self.supervisor.state.value,
            "joints": targets.joints.tolist(),
            "action": self.supervisor.controller.action.tolist(),
            "computing": self.supervisor.computing,
        }
        if reading is not None:
            self._record("/reading", now, message_of(reading))
        self._record("/targets", now, message)
        return [self._send(Kind.TARGETS, now, targets_payload(targets))]

    def _begin(self, session: int) -> None:
        """A new session: a new supervisor, standing."""

        def note(kind: str, step: int, detail: str) -> None:
            self.events[kind] += 1
            self._record("/event", self._now, {"step": step, "kind": kind, "detail": detail})

        attitude = AttitudeFilter() if self._filters else None
        self.supervisor = Supervisor(self.policy, self._limits, attitude, note, self._clock)
        self._session, self._answer = session, None

    def _is_session(self, kind: Kind, session: int) -> bool:
        """True for the present session, or for a new one after silence."""
        if session == self._session:
            return session != 0
        if self._now - self.heard < SILENCE:
            return False
        self.receiver.forget()
        return session != 0

    def _send(self, kind: Kind, now: int, payload: bytes = b"") -> bytes:
        self._sequence += 1
        return encode(Header(kind, self._session, self._sequence, now, self._echo), payload)


def message_of(reading: Reading) -> dict[str, Any]:
    """`reading` as a JSON-serialisable message of a log."""
    fields = {name: getattr(reading, name) for name in Reading.__dataclass_fields__}
    return {
        name: value.tolist() if hasattr(value, "tolist") else value
        for name, value in fields.items()
        if value is not None
    }


def serve(
    computer: Computer,
    address: tuple[str, int],
    patience: float,
    say: Callable[[str], None] = lambda text: None,
) -> None:
    """Run `computer` with the body at `address` until it says goodbye.

    A KeyboardInterrupt begins a safe stop and is raised after it; a second one, or one before the
    first reading, is an emergency stop. Raises InputError if the body is silent for `patience` [s].
    """
    stopped: KeyboardInterrupt | None = None
    state = State.READY
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as link:
        link.connect(address)
        greeted, began = -GREETING, time.monotonic_ns()
        while not computer.ended:
            try:
                now = time.monotonic_ns()
                if computer.silent(now) and now - greeted >= GREETING:
                    greeted = now
                    _send(link, [computer.hello(now)])
                if now - max(began, computer.heard) > patience * 1e9:
                    raise InputError(f"no body answers at {address[0]}:{address[1]}")
                _turn(computer, link, now + GREETING)
            except KeyboardInterrupt as stop:
                if stopped is not None or computer.state is not State.WALKING:
                    _send(link, computer.emergency(time.monotonic_ns()))
                    raise
                stopped = stop
                computer.stop("interrupted")
            if computer.state is not state:
                state = computer.state
                say(state.value)
            if stopped is not None and state is State.LIMP:
                break
    if stopped is not None:
        raise stopped


def _turn(computer: Computer, link: socket.socket, until: int) -> None:
    """Handle the next datagram, or a deadline that passes; wait `until` [ns] at most."""
    due = min(until, computer.due or until)
    link.settimeout(max(due - time.monotonic_ns(), 1000) * 1e-9)
    try:
        data = link.recv(MOST + 1)
    except (TimeoutError, ConnectionRefusedError):  # nobody listens there yet, or any more
        data = None
    now = time.monotonic_ns()
    if data is not None:
        _send(link, computer.receive(data, now))
    if computer.due is not None and now >= computer.due:
        _send(link, computer.tick(now))


def _send(link: socket.socket, datagrams: list[bytes]) -> None:
    for data in datagrams:
        try:
            link.send(data)
        except ConnectionRefusedError:  # nobody listens there yet, or any more
            return
