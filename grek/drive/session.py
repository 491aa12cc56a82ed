"""The loop that drives a droid in real time and keeps the page up to date."""

import json
import queue
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import viser

from grek import sanitize
from grek.drive import keys, recording
from grek.drive.droid import Droid, impulse, warm_up
from grek.drive.keys import Keys
from grek.drive.panel import Panel, literal
from grek.drive.plots import EVERY, Plots
from grek.drive.recording import Filming, Recording
from grek.drive.scene import Scene
from grek.drive.server import Server, Visitors
from grek.envs.ground import materials
from grek.envs.scenarios.scenario import Scenario, to_plain
from grek.envs.scenarios.spaces import command_ranges
from grek.envs.simulation.simulation import CONTROL_STEP
from grek.envs.skills import SKILLS, Act
from grek.envs.skills.show import BLEND
from grek.envs.skills.walk import WALK
from grek.envs.tasks.commands import PUSH_TIME
from grek.envs.vectors import Array
from grek.errors import InputError
from grek.eval.films.filming import SIZE
from grek.eval.scores.policies import Policy

RATE = np.array([0.8, 0.5, 2.0, 4.0, 6.0])  # at which a command follows [m/s^2, rad/s^2, rad/s]
AFTER_FALL = 1.5  # from a fall to the new beginning [s]
READ = 4.0  # that a message is shown [s]
LATE = 0.1  # behind the clock from which time is dropped [s]
PACE = 2.0  # over which the real-time factor is taken [s]
_DRAW, _PLOT, _SCORE = 2, 10, 100  # control steps between two pictures, plots, scores


class Session:
    """A droid, its page and who is there.

    `name` is the policy as it was given, films go to the directory `out`. Raises InputError if
    the port is taken.
    """

    def __init__(
        self, name: str, policy: Policy, scenario: Scenario, host: str, port: int, out: Path
    ) -> None:
        self._name, self._out = name, out
        self.film_size = SIZE
        self.keys = Keys()
        self.visitors = Visitors(
            lambda visitor, held, taps: self.keys.take(visitor, held, taps, time.monotonic()),
            self.keys.leave,
        )
        self.server = Server(host, port, self.visitors)
        try:
            self._set_up(policy, scenario)
        except BaseException:
            self.server.stop()
            raise

    def _set_up(self, policy: Policy, scenario: Scenario) -> None:
        warm_up(policy)
        self.droid = Droid(policy, scenario)
        skills = () if self.droid.show is None else tuple(SKILLS.values())
        ranges = policy.task.commands or command_ranges("train")
        if skills:
            ranges = tuple((p.lowest, p.highest) for p in WALK.parameters)
        self._low, self._high = (np.array(side) for side in zip(*ranges, strict=True))
        self._asked: queue.SimpleQueue[tuple[Callable[..., None], tuple[Any, ...]]]
        self._asked = queue.SimpleQueue()
        self.panel = Panel(self.server, scenario, ranges, self._press, skills)
        self.scene = Scene(
            self.server.viser, self.droid, lambda *ray: self._asked.put((self._clicked, ray))
        )
        self.plots = Plots(self.server.viser, self.droid)
        self.scene.restart(self.droid)
        self._recording: Recording | None = None
        self._filming: Filming | None = None
        self._wants_film: viser.ClientHandle | None = None
        self._command = np.zeros(5)
        self._skill, self._velocity = "stand", np.zeros(3)  # that was commanded
        self._steered = 0  # control step of the last command to walk or halt
        self._push, self._push_left = np.zeros(2), 0  # acceleration, control steps
        self._steps, self._falls, self._walked = 0, 0, 0.0
        self._fallen = 0  # control steps since the fall
        self._said, self._said_until = "", 0  # message, control step
        self._driver: tuple[int | None, tuple[str, ...]] = (None, ())
        self._lost = 0.0  # time dropped [s]
        self._paced: list[tuple[float, int]] = []  # clock, steps
        self._title()

    # -- loop ----------------------------------------------------------------------------------

    def run(self, steps: int | None = None) -> None:
        """Drive in real time for `steps` control steps, by default until KeyboardInterrupt."""
        due = time.perf_counter()
        while steps is None or self._steps < steps:
            self.step()
            due += CONTROL_STEP
            late = time.perf_counter() - due
            if late < 0:
                time.sleep(-late)
            elif late > LATE:  # never run after lost time
                self._lost += late
                due += late

    def close(self) -> None:
        """End connections and a film that is not complete."""
        if self._filming is not None:
            self._filming.stop()
        self.server.stop()

    def step(self) -> None:
        """One control step of the droid, and what is due on the page."""
        self._answer()
        self._follow()
        before = self.droid.qpos[:2]
        push = self._push if self._push_left > 0 else np.zeros(2)
        self._push_left -= 1
        self._call("advance", self._command.copy(), push)
        self._steps += 1
        self._walked += float(np.nan_to_num(np.hypot(*(self.droid.qpos[:2] - before))))
        if self.droid.fell is not None:
            self._after_fall(self.droid.fell)
        self._film_if_done()
        self._tell()
        if self._steps % EVERY == 0:
            self.plots.sample(self.droid, self._steps * CONTROL_STEP)
        if self.server.viser.get_clients():
            if self._steps % _DRAW == 0:
                self.scene.draw(self.droid, _DRAW * CONTROL_STEP, self.panel.turns)
            self.scene.lay(self.droid)
            if self._steps % _PLOT == 1:
                self.plots.draw()
            if self._steps % _SCORE == 3:
                self._score()

    def _follow(self) -> None:
        """Move the command towards what keys and sliders ask for."""
        _, codes = self.keys.driver(time.monotonic())
        goal = self.panel.command + keys.asked(codes)
        goal[:3] = np.clip(goal[:3], self._low, self._high)
        if self.droid.show is not None:
            self._walk(goal[:3].copy())
            goal[:3] *= self._skill == WALK.name
        most = RATE * CONTROL_STEP
        self._command += np.clip(goal - self._command, -most, most)

    def _walk(self, velocity: Array) -> None:
        """Command a droid of skills to walk at `velocity` (3,) where that has changed, and to stand
        when it has walked; at most once in the time in which one reference passes to the next."""
        soon = self._steps < self._steered + round(BLEND / CONTROL_STEP)
        if soon or (velocity == self._velocity).all():
            return
        self._velocity, self._steered = velocity, self._steps
        if velocity.any():
            values = dict(zip(WALK.velocity or (), velocity.tolist(), strict=True))
            self._perform(Act(0.0, WALK.name, values))
        elif self._skill == WALK.name:
            self._perform(Act(0.0, "stand"))

    def _perform(self, act: Act) -> None:
        """Command a skill; one that the droid cannot do is said, and nothing changes."""
        try:
            self._call("perform", act)
        except InputError as error:
            self._say(sanitize.message(error))
        else:
            self._skill = act.skill

    def _after_fall(self, reason: str) -> None:
        """Say why it fell, and begin again a moment later."""
        if self._fallen == 0:
            self._falls += 1
            self._say(f"fell: {reason}")
        self._fallen += 1
        if self._fallen * CONTROL_STEP >= AFTER_FALL or self.droid.state.broken[0]:
            self._begin(self.droid.scenario)

    def _call(self, method: str, *arguments: Any) -> None:
        """Move the droid by one of its methods, and record that."""
        getattr(self.droid, method)(*arguments)
        if self._recording is not None:
            self._recording.calls.append((method, arguments))
            if len(self._recording.calls) * CONTROL_STEP > recording.LONGEST:
                self._record(None)

    def _begin(self, scenario: Scenario) -> None:
        self._call("begin", scenario)
        self._command[:] = 0
        self._skill, self._velocity = "stand", np.zeros(3)
        self._push_left = self._fallen = 0
        self.plots.clear()
        self.scene.restart(self.droid)

    # -- what pages ask for --------------------------------------------------------------------

    def _press(self, button: str, client: viser.ClientHandle | None) -> None:
        """Take the press of a button, on any thread."""
        actions: dict[str, Callable[..., None]] = {
            "begin": lambda: self._begin(self.droid.scenario),
            "push": lambda: self._shove(self.panel.push(self.droid.state.heading[0])),
        }
        if button in actions:
            self._asked.put((actions[button], ()))
        elif button == "stand" or button in SKILLS:
            self._asked.put((self._begin_skill, (button,)))
        elif button == "record":
            self._asked.put((self._record, (client,)))
        elif button == "save":
            self._asked.put((self._save, (client,)))

    def _begin_skill(self, skill: str) -> None:
        """Take all commands back, and command a skill as its controls are set."""
        self.panel.stand()
        if self.droid.show is not None:
            self._perform(self.panel.act(skill))

    def _clicked(self, origin: Array, direction: Array) -> None:
        """Push the droid if the ray through a click meets it."""
        away = self.scene.away(origin, direction)
        if away is not None:
            self._shove(self.panel.strength * away)

    def _answer(self) -> None:
        """Do what was asked for since the last step."""
        for tap in self.keys.taps():
            self._press({"Space": "stand", "KeyP": "push", "KeyR": "begin"}[tap], None)
        while not self._asked.empty():
            action, arguments = self._asked.get()
            action(*arguments)
        scenario = self.panel.asked(self.droid.scenario)
        if scenario is not None:
            self._change(scenario)

    def _change(self, scenario: Scenario) -> None:
        """Go on in another world; one that it cannot be in is named, and nothing changes."""
        before = self.droid.scenario
        try:
            self._call("change", scenario)
        except InputError as error:
            self._say(sanitize.message(error))
        now = self.droid.scenario
        self.panel.show(now)
        self._title()
        if (before.shape, before.surface) != (now.shape, now.surface):
            self.scene.refresh(self.droid)

    def _shove(self, velocity: Array) -> None:
        """Push so that the velocity changes by `velocity` (2,) [m/s]."""
        self._push, self._push_left = impulse(velocity), round(PUSH_TIME / CONTROL_STEP)

    def _save(self, client: viser.ClientHandle | None) -> None:
        """Send the present world as a scenario file."""
        text = json.dumps(to_plain(self.droid.driven), indent=2) + "\n"
        if client is not None:
            client.send_file_download("world.json", text.encode())
        self.panel.kept.content = (
            f"`grek render {literal(self._name)} --scenario world.json` films it,"
            " `grek eval` scores it."
        )

    def _record(self, client: viser.ClientHandle | None) -> None:
        """Begin to record, or end and film."""
        if self._filming is not None:
            return
        if self._recording is None:
            self._recording = recording.begun(self._name, self.droid)
            self.panel.record.label = "Stop and film"
            self.panel.kept.content = "recording"
            return
        done, self._recording = self._recording, None
        self._out.mkdir(parents=True, exist_ok=True)
        names = (f"drive-{i}.mp4" for i in range(1, 1_000_000))
        self._filming = Filming(done, recording.free(self._out, names), self.film_size)
        self._wants_film = client
        self.panel.record.label = "Record"
        self.panel.record.disabled = True
        self.panel.kept.content = f"filming {done.seconds:.1f} s"

    def _film_if_done(self) -> None:
        if self._filming is None or (failed := self._filming.result()) is None:
            return
        path, self._filming = self._filming.out, None
        self.panel.record.disabled = False
        self.panel.kept.content = literal(failed or f"film: {path}")
        client, self._wants_film = self._wants_film, None
        if not failed and client is not None:
            client.send_file_download(path.name, path.read_bytes())

    # -- what pages are told -------------------------------------------------------------------

    def _title(self) -> None:
        scenario = self.droid.scenario
        names = " and ".join(materials.material(n).title for n in scenario.surface.materials)
        world = f"{literal(names)} (`{literal(scenario.name)}`)"
        self.panel.title.content = f"**{literal(self._name)}** on {world}"

    def _score(self) -> None:
        totals = {
            "time": f"{self._steps * CONTROL_STEP:.0f} s",
            "distance": f"{self._walked:.1f} m",
            "falls": str(self._falls),
        }
        self.plots.score(self.droid, totals)

    def _say(self, text: str) -> None:
        """Show a message for a while."""
        self._said, self._said_until = text, self._steps + round(READ / CONTROL_STEP)

    def _tell(self) -> None:
        """Tell pages who drives and how it goes."""
        driver = self.keys.driver(time.monotonic())
        changed, self._driver = driver != self._driver, driver
        if not changed and self._steps % 5:
            return
        pace = self.pace()
        news = {
            "driver": driver[0],
            "held": driver[1],
            "visitors": self.visitors.count,
            "command": self._command.round(3).tolist(),
            "position": self.droid.qpos[:3].round(3).tolist(),
            "scenario": self.droid.scenario.name,
            "material": self.droid.scenario.surface.materials[0],
            "step": self._steps,
            "fell": self.droid.fell is not None,
            "falls": self._falls,
            "skill": "" if self.droid.show is None else self.droid.show.caption(0),
            "said": self._said if self._steps < self._said_until else "",
            "real_time": round(pace, 3),
            "dropped": self.visitors.dropped,
            "pace": f"real time x {pace:.2f}, {self._lost:.1f} s dropped"
            f", {self.visitors.dropped} messages refused",
        }
        self.visitors.tell(news, at_once=changed)

    def pace(self) -> float:
        """Simulated over real time in the last PACE seconds."""
        now = time.perf_counter()
        self._paced.append((now, self._steps))
        while len(self._paced) > 2 and self._paced[1][0] < now - PACE:
            self._paced.pop(0)
        since, steps = self._paced[0]
        return (self._steps - steps) * CONTROL_STEP / (now - since) if now > since else 1.0
