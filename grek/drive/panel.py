"""Controls beside the droid: sliders for commands and pushes, dials of the world, buttons."""

import re
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import viser

from grek import sanitize
from grek.drive import dials
from grek.drive.dials import Choice, Control, Dial
from grek.drive.server import Server
from grek.envs.motions.choreography import shipped
from grek.envs.scenarios.scenario import Scenario
from grek.envs.skills import Act, Skill
from grek.envs.vectors import Array

HEAD = ((-0.5, 0.6), (-0.9, 0.9))  # pitch and yaw of the look sliders [rad]
HARDEST = 1.0  # push [m/s]
LOOKS = ("look_pitch", "look_yaw")  # parameters of skills that the look sliders command


class Panel:
    """All controls, whose values the loop reads; `do` is called with the name of a button.

    `ranges` are the commands (vx, vy [m/s], yaw rate [rad/s]) that the sliders offer. Each of
    `skills` without a velocity has a button of its name.
    """

    def __init__(
        self,
        server: Server,
        scenario: Scenario,
        ranges: tuple[tuple[float, float], ...],
        do: Callable[[str, viser.ClientHandle | None], None],
        skills: Sequence[Skill] = (),
    ) -> None:
        self._server, self._gui, self._do = server, server.viser.gui, do
        gui = self._gui
        gui.configure_theme(show_logo=False, show_share_button=False, brand_color=(26, 107, 120))
        gui.set_panel_label("Grek")
        self.title = gui.add_markdown("")
        with gui.add_folder("Command"):
            labels = ("Forward [m/s]", "Left [m/s]", "Turn [rad/s]")
            self._cruise = [
                self._slider(label, low, high, 0.05)
                for label, (low, high) in zip(labels, ranges, strict=True)
            ]
            self._look = [
                self._slider(label, low, high, 0.05)
                for label, (low, high) in zip(
                    ("Look down [rad]", "Look left [rad]"), HEAD, strict=True
                )
            ]
            if not skills:
                self._button("Stand", "stand", "All commands to 0 (space)")
            self._button("Begin again", "begin", "Stand up at the origin of this world (R)")
        self._acts: dict[str, tuple[dict[str, Any], Any]] = {}  # sliders, and motions to choose
        if skills:
            with gui.add_folder("Skills"):
                for skill in skills:
                    if skill.velocity is None:
                        self._add_skill(skill)
        with gui.add_folder("Push"):
            self._from = self._slider(
                "From [°]", -180, 180, 5, 90, "0 from behind, 90 from the left, 180 from ahead"
            )
            self._strength = self._slider(
                "Strength [m/s]", 0, HARDEST, 0.05, 0.3, "Change of velocity; 0 to 0.35 in training"
            )
            self._button(
                "Push", "push", "As set above (P). A click on the droid pushes it from there"
            )
        self._controls: list[tuple[Control, Any]] = []
        for title, controls in (
            ("Ground", dials.ground()),
            ("Shape", dials.shape()),
            ("Body and motors", dials.body()),
        ):
            with gui.add_folder(title, expand_by_default=title != "Body and motors"):
                for control in controls:
                    self._controls.append((control, self._control(control, scenario)))
        with gui.add_folder("Keep"):
            self.record = self._button("Record", "record", "Film what is driven from now on")
            self._button("Save this world", "save", "A scenario file for grek render and grek eval")
            self.kept = gui.add_markdown("")
        with gui.add_folder("View", expand_by_default=False):
            self._turns = gui.add_checkbox("Turn with the droid", False)
            self._allow(self._turns, lambda value: isinstance(value, bool))
        self._shown = [handle.value for _, handle in self._controls]

    # -- what is asked for ---------------------------------------------------------------------

    @property
    def command(self) -> Array:
        """Command (5,) of the sliders."""
        return np.array([slider.value for slider in (*self._cruise, *self._look)], float)

    @property
    def turns(self) -> bool:
        """Turn the view with the droid."""
        return bool(self._turns.value)

    @property
    def strength(self) -> float:
        """Change of velocity by a push [m/s]."""
        return float(self._strength.value)

    def push(self, heading: Array) -> Array:
        """Change of velocity (2,) [m/s] by a push as set, of a droid of `heading` (2,)."""
        angle = np.radians(self._from.value)
        forward, left = np.cos(angle), -np.sin(angle)
        (cos, sin), strength = heading, self.strength
        return strength * np.array([cos * forward - sin * left, sin * forward + cos * left])

    def stand(self) -> None:
        """Set all command sliders to 0."""
        for slider in (*self._cruise, *self._look):
            slider.value = 0.0

    def act(self, skill: str) -> Act:
        """Command of the skill of this name, as its controls are set."""
        sliders, motion = self._acts[skill]
        values = {name: float(slider.value) for name, slider in sliders.items()}
        return Act(0.0, skill, values, "" if motion is None else str(motion.value))

    def asked(self, scenario: Scenario) -> Scenario | None:
        """`scenario` with the dials that were turned since the last call; None if none was."""
        new = None
        for i, (control, handle) in enumerate(self._controls):
            value = handle.value
            if value != self._shown[i]:
                self._shown[i] = value
                new = dials.changed(new or scenario, control, value)
        return new

    def show(self, scenario: Scenario) -> None:
        """Set all dials to `scenario`, except for those that are turned just now."""
        for i, (control, handle) in enumerate(self._controls):
            value = _shown(control, scenario)
            if handle.value == self._shown[i] != value:
                handle.value = self._shown[i] = value

    # -- making --------------------------------------------------------------------------------

    def _allow(self, handle: Any, check: Callable[[object], bool]) -> None:
        """Let pages set the value of a control where `check` holds."""
        self._server.checks[handle._impl.uuid] = check

    def _slider(
        self, label: str, low: float, high: float, step: float, at: float = 0.0, hint: str = ""
    ) -> Any:
        dial = Dial(label, low, high, step, lambda s: at, lambda s, value: s, hint)
        return self._control(dial, Scenario())

    def _add_skill(self, skill: Skill) -> None:
        """Add the parameters of `skill`, its motions, and its button."""
        title = skill.name.capitalize()
        sliders = {
            p.name: self._slider(
                f"{title}: {p.name} [{p.unit}]", p.lowest, p.highest, 0.01, p.default, p.about
            )
            for p in skill.parameters
            if p.name not in LOOKS
        }
        motion = None
        if skill.dances:
            names = shipped()
            motions = Choice(
                f"{title}: motion", names, lambda s: names[0], lambda s, name: s, "grek motions"
            )
            motion = self._control(motions, Scenario())
        self._acts[skill.name] = sliders, motion
        self._button(title, skill.name, "As set above; it begins when the present one lets it")

    def _control(self, control: Control, scenario: Scenario) -> Any:
        value = _shown(control, scenario)
        handle: Any
        if isinstance(control, Dial):
            handle = self._gui.add_slider(
                control.label,
                float(control.low),
                float(control.high),
                float(control.step),
                value,
                hint=control.hint or None,
            )
        else:
            handle = self._gui.add_dropdown(
                control.label, control.options, initial_value=value, hint=control.hint
            )
        self._allow(handle, control.accepts)
        return handle

    def _button(self, label: str, name: str, hint: str) -> viser.GuiButtonHandle:
        button = self._gui.add_button(label, hint=hint)
        self._allow(button, lambda value: isinstance(value, bool))

        async def clicked(event: viser.GuiEvent[Any]) -> None:
            self._do(name, event.client)

        button.on_click(clicked)
        return button


def literal(text: object) -> str:
    """`text` as it can stand in Markdown, which viser runs as a program: without its signs."""
    return re.sub(r"[^\w/:.,()+ -]", " ", sanitize.message(text))


def _shown(control: Control, scenario: Scenario) -> Any:
    """Value of `control` in `scenario`, within what the control can show."""
    value = control.read(scenario)
    if isinstance(control, Dial):
        return float(min(max(float(value), control.low), control.high))
    return value
