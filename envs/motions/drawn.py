"""Choreographies drawn by their index: what a policy practises instead of the hand-made ones.

A drawn dance is a sequence of bars, each of one kind: still, swaying and nodding poses, a pair of
steps, a lifted foot, a hop or a turn on the spot. Tempo, kinds, sizes and directions are hashes of
the index, as the factors of a scenario are of its name. Sizes are drawn within what the motors can
do in nearly every case; a draw that fails the check of `feasibility` gives way to the next one.
"""

from collections.abc import Callable
from typing import Any

from grek.envs import hashing
from grek.envs.distributions import Distribution, LogUniform, Signed, Uniform
from grek.envs.motions.choreography import Choreography, Hop, Key, Lift, Side, Spin, Step
from grek.envs.motions.feasibility import Demand, check
from grek.envs.motions.planner import Plan, plan
from grek.envs.robots import Robot
from grek.envs.robots.robot import CONTROL_STEP
from grek.errors import InputError

NUMBER = 300_000  # of drawn choreographies
BAR = 4  # beats
ATTEMPTS = 20  # draws for one index before giving up
_BARS = Uniform(1, 4)  # rounded down
_TEMPO = LogUniform(66, 140)  # [beats per minute]
_QUICK = Uniform(0.32, 0.48)  # duration of a step or lift [s]
_HOP = 0.75  # time that a hop needs before and after its beat [s]
_HEIGHT = Uniform(0.25, 0.30)  # of the torso [m]
_LOOK = Uniform(-0.5, 0.5)  # [rad]
_POSE = {  # quantities of a pose: distribution, and the largest rate of change [1/s]
    "height": (_HEIGHT, 0.10),
    "lean": (Uniform(-0.10, 0.20), 0.5),
    "tilt": (Uniform(-0.05, 0.05), 0.3),
    "twist": (Uniform(-0.25, 0.25), 0.8),
    "sway": (Uniform(-0.025, 0.025), 0.10),
    "look_pitch": (Uniform(-0.3, 0.4), 2.0),
    "look_yaw": (_LOOK, 2.0),
}


class _Draw:
    """Random values of an index, each a function of its name and number."""

    def __init__(self, index: int, attempt: int) -> None:
        self._key = hashing.combine(hashing.name_key("choreography"), index, attempt)

    def __call__(self, name: str, distribution: Distribution, number: int = 0) -> float:
        """Sample of `distribution`."""
        return distribution.quantile(self.uniform(name, number))

    def uniform(self, name: str, number: int = 0) -> float:
        """Uniform value in [0, 1)."""
        return hashing.unit(self._key, hashing.name_key(name), number)

    def side(self, bar: int) -> tuple[Side, Side]:
        """First and second foot of a bar."""
        return ("left", "right") if self.uniform("side", bar) < 0.5 else ("right", "left")


def drawn(index: int, robot: Robot) -> tuple[Choreography, Plan, Demand]:
    """Choreography `index` in [0, NUMBER) with its plan and demand; the same for ever.

    Raises InputError for another index, and if ATTEMPTS draws were refused.
    """
    if not 0 <= index < NUMBER:
        raise InputError(f"there are drawn motions 0 to {NUMBER - 1}, got {index}")
    for attempt in range(ATTEMPTS):
        of = sketch(index, attempt)
        try:
            planned = plan(of, robot, CONTROL_STEP)
            return of, planned, check(planned, robot)
        except InputError as error:
            refused = error
    raise InputError(f"no draw of motion {index} can be done: {refused}")


def sketch(index: int, attempt: int = 0) -> Choreography:
    """Draw `attempt` of choreography `index`, not checked."""
    draw = _Draw(index, attempt)
    tempo = round(draw("tempo", _TEMPO))
    held: dict[str, float] = {}
    keys: list[Key] = []
    bars = int(draw("bars", _BARS))
    for bar in range(bars):
        kind = int(draw.uniform("kind", bar) * len(_KINDS))
        for beat, words in _KINDS[kind](draw, bar, tempo, held):
            keys.append(Key(beat=1 + BAR * bar + beat, **words))
    of = f"drawn-{index}"
    return Choreography(of, f"Drawn motion {index}", tempo, 2.0 + BAR * bars, tuple(keys))


_Words = list[tuple[float, dict[str, Any]]]


def _pose(draw: _Draw, number: int, beats: float, tempo: float, held: dict[str, float]) -> dict:
    """Two quantities of a pose, as far as they can change in `beats`; updates `held`."""
    names, time = list(_POSE), beats * 60 / tempo
    words = {}
    for k in range(2):
        name = names[int(draw.uniform(f"pose.{k}", number) * len(names))]
        distribution, rate = _POSE[name]
        before = held.get(name, 0.295 if name == "height" else 0.0)
        wanted = draw(f"pose.{k}.{name}", distribution, number)
        words[name] = before + min(max(wanted - before, -rate * time), rate * time)
    held |= words
    return words


def _still(draw: _Draw, bar: int, tempo: float, held: dict[str, float]) -> _Words:
    """Hold everything for a bar."""
    return [(0.0, dict(held))]


def _poses(draw: _Draw, bar: int, tempo: float, held: dict[str, float]) -> _Words:
    """A pose every beat, or every second one."""
    every = 1.0 if tempo < 100 else 2.0
    count = int(BAR / every)
    return [(every * k, _pose(draw, BAR * bar + k, every, tempo, held)) for k in range(count)]


def _bob(draw: _Draw, bar: int, tempo: float, held: dict[str, float]) -> _Words:
    """Down and up on every beat, and a twist of the body from side to side."""
    depth = min(draw("bob", Uniform(0.01, 0.035), bar), 0.06 * 60 / tempo)
    twist = min(draw("bob.twist", Uniform(0.0, 0.2), bar), 0.3 * 60 / tempo)
    found: _Words = []
    for k in range(BAR):
        words = {
            "height": 0.29 - depth * (k % 2 == 0),
            "twist": twist * (1, 0, -1, 0)[k],
            "look_yaw": draw("bob.look", _LOOK, bar) * (1, 0, -1, 0)[k],
        }
        held |= words
        found.append((float(k), words))
    return found


def _steps(draw: _Draw, bar: int, tempo: float, held: dict[str, float]) -> _Words:
    """A step of one foot, and of the other, to the same relative stance."""
    ahead = draw("step.ahead", Uniform(-0.06, 0.08), bar)
    aside = draw("step.aside", Uniform(-0.05, 0.05), bar)
    first, second = ("left", "right") if aside > 0 else ("right", "left")
    beats = min(draw("step.time", _QUICK, bar) * tempo / 60, 1.9)
    height = draw("step.height", Uniform(0.025, 0.05), bar)

    def step(foot: str) -> dict[str, Any]:
        move = Step(foot=foot, to=(ahead, aside), height=height, beats=beats)  # type: ignore[arg-type]
        return {"step": move}

    return [(0.0, step(first)), (2.0, step(second))]


def _lifts(draw: _Draw, bar: int, tempo: float, held: dict[str, float]) -> _Words:
    """Both feet lifted in turn."""
    beats = min(draw("lift.time", _QUICK, bar) * tempo / 60, 1.9)
    height = draw("lift.height", Uniform(0.025, 0.05), bar)
    feet = draw.side(bar)
    return [
        (2.0 * k, {"lift": Lift(foot=foot, height=height, beats=beats)})
        for k, foot in enumerate(feet)
    ]


def _hops(draw: _Draw, bar: int, tempo: float, held: dict[str, float]) -> _Words:
    """A hop in the middle of the bar; quicker bars are too short for one, and are still."""
    if BAR * 60 / tempo < 2 * _HOP:
        return _still(draw, bar, tempo, held)
    kind = draw.uniform("hop.kind", bar)
    hop = Hop(
        height=draw("hop.height", Uniform(0.03, 0.075), bar),
        forward=draw("hop.forward", Uniform(-0.06, 0.10), bar) if kind < 0.3 else 0.0,
        turn=draw("hop.turn", Signed(0.1, 0.5), bar) if kind > 0.7 else 0.0,
    )
    rest = {name: 0.0 for name, value in held.items() if name != "height" and value}
    held.clear()
    return [(0.0, rest), (2.0, {"hop": hop})] if rest else [(2.0, {"hop": hop})]


def _turn(draw: _Draw, bar: int, tempo: float, held: dict[str, float]) -> _Words:
    """A turn on the spot, in steps of half a beat; of a beat's in quick dances."""
    if 30 / tempo < 0.28:
        return _lifts(draw, bar, tempo, held)
    turn = draw("turn", Signed(0.2, 0.8), bar)
    return [(0.0, {"spin": Spin(turn=turn, steps=4, height=0.035)})]


_KINDS: tuple[Callable[[_Draw, int, float, dict[str, float]], _Words], ...] = (
    _still,
    _poses,
    _poses,
    _bob,
    _steps,
    _lifts,
    _hops,
    _turn,
)
"""Kinds of bars, each as likely as the others; poses twice."""
