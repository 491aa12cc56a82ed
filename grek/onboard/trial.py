"""Trials of body and computer over faulty links, in one process and in virtual time.

Computing takes no time in them, so the same arguments give the same trial.
"""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from grek.envs.robots.robot import CONTROL_STEP
from grek.envs.scenarios.links import LINKS, Faults
from grek.envs.scenarios.scenario import Scenario
from grek.envs.tasks import Outcome, TaskBatch
from grek.envs.vectors import Array
from grek.errors import InputError
from grek.eval.scores.rollout import Drive, Driver
from grek.onboard.computer import Computer
from grek.onboard.controller import Reading
from grek.onboard.faults import Channel
from grek.onboard.plant import WAIT, Body, Watchdog, measured, reading
from grek.onboard.policy import Policy
from grek.onboard.supervisor import Limits, State
from grek.onboard.wire import Header, Kind, Receiver, encode, reading_payload

_SESSION = 1


class Pair:
    """Computer and motors of one robot, with `faults` between them that are drawn from `seed`."""

    def __init__(
        self, policy: Policy, faults: Faults, seed: int, limits: Limits | None = None
    ) -> None:
        robot = policy.robot
        self.computer = Computer(policy, limits, clock=lambda: 0.0)
        self.watchdog = Watchdog(robot)
        self._up, self._down = Channel(faults, 2 * seed), Channel(faults, 2 * seed + 1)
        joints = len(robot.joints), len(robot.all_joints)
        self._receiver = Receiver(*joints, lambda kind, session: session == _SESSION)
        self._sequence = 0

    def exchange(self, reading: Reading, positions: Array) -> Array:
        """Joint targets (J,) [rad] of a control step that starts with `reading`.

        `positions` (J,) [rad] are those that joints have now.
        """
        now = reading.step * CONTROL_STEP
        self._pump(now - 1e-9)
        self._sequence += 1
        header = Header(Kind.READING, _SESSION, self._sequence, round(now * 1e9))
        self._up.send(encode(header, reading_payload(reading)), now)
        self._pump(now + WAIT)
        return self.watchdog.advance(positions)

    def _pump(self, until: float) -> None:
        """Let datagrams arrive, and deadlines pass, until a time [s]."""
        computer = self.computer
        while True:
            due = math.inf if computer.due is None else computer.due * 1e-9
            now = min(self._up.next(), self._down.next(), due)
            if now > until:
                return
            if (data := self._down.receive(now)) is not None:
                found = self._receiver.accept(data)
                if found is not None and found.targets is not None:
                    self.watchdog.take(found.targets)
                continue
            clock = round(now * 1e9)
            data = self._up.receive(now)
            answers = computer.tick(clock) if data is None else computer.receive(data, clock)
            for answer in answers:
                self._down.send(answer, now)

    @property
    def action(self) -> Array:
        """Last action of the joints (A,) [-]; zeros before the first reading."""
        supervisor = self.computer.supervisor
        acting = len(self.computer.policy.robot.joints)
        return np.zeros(acting) if supervisor is None else supervisor.controller.action

    @property
    def stopped(self) -> bool:
        """True if the computer has stopped, or never started, or the motors have gone limp."""
        supervisor = self.computer.supervisor
        walking = supervisor is not None and supervisor.state is State.WALKING
        return not walking or "limp" in self.watchdog.events

    @property
    def events(self) -> Counter[str]:
        """Of computer and motors, and datagrams dropped by either."""
        dropped = self.computer.receiver.dropped + self._receiver.dropped
        counted = Counter({f"dropped_{name}": n for name, n in dropped.items()})
        return self.computer.events + self.watchdog.events + counted


@dataclass(frozen=True)
class Trial:
    """Result of a trial."""

    fell: bool
    stopped: bool
    """As `Pair.stopped`."""
    events: Counter[str]
    """As `Pair.events`."""

    @property
    def survived(self) -> bool:
        """Neither fallen nor stopped."""
        return not self.fell and not self.stopped


def run(policy: Policy, scenario: Scenario, faults: Faults, seed: int, seconds: float) -> Trial:
    """Let `policy` drive a body in `scenario` for `seconds` [s], with `faults` both ways."""
    body, pair = Body(scenario, policy.robot), Pair(policy, faults, seed)
    for step in range(round(seconds / CONTROL_STEP)):
        joints = pair.exchange(body.reading(step * CONTROL_STEP), measured(body.batch, 0))
        body.follow(joints)
        if body.fell is not None or body.broken:
            break
    return Trial(body.fell is not None or body.broken, pair.stopped, pair.events)


def driver(policy: Policy) -> Driver:
    """Driver of worlds by body and computer over the links of the space `faults`.

    Raises InputError for scenarios of another space.
    """

    def make(scenarios: Sequence[Scenario]) -> Drive:
        pairs = [Pair(policy, _link(scenario), scenario.seed) for scenario in scenarios]
        actions = np.zeros((len(pairs), policy.residual.actions))
        stand = np.tile(policy.residual.held, (len(pairs), 1))

        def drive(batch: TaskBatch, step: int, alive: NDArray[np.bool_]) -> tuple[NDArray, Outcome]:
            targets = stand.copy()
            for world in np.flatnonzero(alive).tolist():
                pair, now = pairs[world], reading(batch, world, step * CONTROL_STEP)
                targets[world] = pair.exchange(now, measured(batch, world))
                actions[world, : len(pair.action)] = pair.action
            return actions.copy(), batch.follow(targets)

        return drive

    return make


def _link(scenario: Scenario) -> Faults:
    if scenario.context.axis != "link":
        raise InputError(f"{scenario.name} says nothing of a link; those of faults do")
    return LINKS[scenario.context.value]
