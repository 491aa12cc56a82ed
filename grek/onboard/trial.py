"""Trial of body and computer over a faulty link, in one process and in virtual time."""

from collections import Counter
from dataclasses import dataclass

from grek.envs.robots.robot import CONTROL_STEP
from grek.envs.scenarios.scenario import Scenario
from grek.onboard.computer import Computer
from grek.onboard.faults import Channel, Faults
from grek.onboard.plant import WAIT, Body
from grek.onboard.policy import Policy
from grek.onboard.supervisor import Limits, State
from grek.onboard.wire import Header, Kind, Receiver, encode, reading_payload

_SESSION = 1


@dataclass(frozen=True)
class Trial:
    """How a trial ended."""

    survived: bool
    """Neither fallen nor stopped by computer or watchdog at the end."""
    fell: bool
    stopped: bool
    """A stop of the computer, or limp by the body's watchdog."""
    events: Counter[str]
    """Of computer and body, and datagrams dropped by either."""


def run(
    policy: Policy,
    scenario: Scenario,
    faults: Faults,
    seed: int,
    seconds: float,
    limits: Limits | None = None,
) -> Trial:
    """Let `policy` drive a body in `scenario` for `seconds` [s], with `faults` both ways.

    The same arguments give the same trial: computing takes no time in it.
    """
    body, robot = Body(scenario, policy.robot), policy.robot
    computer = Computer(policy, limits, clock=lambda: 0.0)
    receiver = Receiver(len(robot.joints), len(robot.all_joints), lambda s: s == _SESSION)
    up, down = Channel(faults, 2 * seed), Channel(faults, 2 * seed + 1)

    def pump(until: float) -> None:
        """Let datagrams arrive, and deadlines pass, until a time [s]."""
        while True:
            due = float("inf") if computer.due is None else computer.due * 1e-9
            now = min(up.next(), down.next(), due)
            if now > until:
                return
            if (data := down.receive(now)) is not None:
                found = receiver.accept(data)
                if found is not None and found.targets is not None:
                    body.take(found.targets)
                continue
            clock = round(now * 1e9)
            data = up.receive(now)
            answers = computer.tick(clock) if data is None else computer.receive(data, clock)
            for answer in answers:
                down.send(answer, now)

    for step in range(round(seconds / CONTROL_STEP)):
        now = step * CONTROL_STEP
        header = Header(Kind.READING, _SESSION, step + 1, round(now * 1e9))
        up.send(encode(header, reading_payload(body.reading(now))), now)
        pump(now + WAIT)
        body.advance()
        if body.fell is not None or body.broken:
            break
        pump(now + CONTROL_STEP - 1e-9)
    fell = body.fell is not None or body.broken
    state = computer.supervisor.state if computer.supervisor else State.READY
    stopped = state is not State.WALKING or "limp" in body.events
    dropped = computer.receiver.dropped + receiver.dropped
    events = (
        computer.events + body.events + Counter({f"dropped_{k}": n for k, n in dropped.items()})
    )
    return Trial(not fell and not stopped, fell, stopped, events)
