"""Live plots and the score beside the droid."""

from collections import deque
from typing import Any

import numpy as np
import viser

from grek.drive.droid import Droid
from grek.envs.simulation.simulation import CONTROL_STEP
from grek.envs.vectors import Array

EVERY = 4  # control steps between two samples
SPAN = 8.0  # of the plots [s]
COLOURS = ("#1a6b78", "#f2683a", "#7a5ea8", "#3d9a50", "#c08a1e", "#b3261e")
FAINT = "#9fb0bb"
SCORES = {
    "traversal": ("traversal", "{:.2f}"),
    "velocity_error": ("error", "{:.3f} m/s"),
    "cost_of_transport": ("transport cost", "{:.2f}"),
    "slip_per_metre": ("slip per m", "{:.2f} m"),
    "torque_saturation": ("saturated", "{:.1%}"),
}
"""Metrics of the table, by their names in a scorecard: title and format."""


class Plots:
    """Plots of `droid` on `server`, in a panel of their own."""

    def __init__(self, server: viser.ViserServer, droid: Droid) -> None:
        gui, robot = server.gui, droid.policy.task.robot
        self._joints = [name.removeprefix("left_").removeprefix("right_") for name in robot.joints]
        kinds = list(dict.fromkeys(self._joints))
        feet = [foot.body.replace("_", " ") for foot in robot.feet]
        self._rows: deque[Array] = deque(maxlen=round(SPAN / (EVERY * CONTROL_STEP)))
        self._charts: list[tuple[Any, slice]] = []
        self._size = 1  # of a row, so far
        panel = gui.add_panel()
        with panel.add_tab("Live"):
            self._score = gui.add_markdown("")
            speed = ("forward asked", "forward", "left asked", "left")
            self._add(gui, "speed [m/s]", speed, (-0.5, 0.8), 110, asked=True)
            self._add(gui, "turn [rad/s]", ("asked", "turn"), (-1.2, 1.2), 80, asked=True)
            named = tuple(kind.replace("_", " ") for kind in kinds)
            self._add(gui, "torque over its limit", named, (0, 1.05), 110)
            self._add(gui, "contact", tuple(feet), (-0.2, 1.5 * len(feet)), 60)
            self._add(gui, "tilt [°]", ("roll", "pitch"), (-30, 30), 80)
            actions = tuple(f"action {i}" for i in range(len(droid.action)))
            self._add(gui, "action", actions, (-3, 3), 80, legend=False)
        panel.dock_left()
        panel.set_width(310)
        self._kinds = [np.array([joint == kind for joint in self._joints]) for kind in kinds]

    def _add(
        self,
        gui: viser.GuiApi,
        title: str,
        names: tuple[str, ...],
        span: tuple[float, float],
        height: int,
        asked: bool = False,
        legend: bool = True,
    ) -> None:
        """Add a plot of the next columns; with `asked`, every other one is what was asked for."""
        series: list[Any] = [{"label": "s"}]
        for i, name in enumerate(names):
            of = i // 2 if asked else i
            line: dict[str, Any] = {"label": name, "width": 1.5, "points": {"show": False}}
            line["stroke"] = COLOURS[of % len(COLOURS)]
            if asked and i % 2 == 0:
                line |= {"dash": [4, 3], "width": 1}
            series.append(line)
        columns = slice(self._size, self._size + len(names))
        self._size = columns.stop
        axis: Any = {"size": 30, "font": "10px system-ui", "stroke": "#5b6b77", "gap": 2}
        handle = gui.add_uplot(
            (np.zeros(2), *(np.zeros(2) for _ in names)),
            tuple(series),
            title=title,
            scales={
                "x": {"time": False, "range": (-SPAN, 0.0)},
                "y": {"range": span},
            },
            axes=({**axis, "show": False, "size": 0}, axis),
            legend={"show": legend, "live": False},
            cursor={"show": False},
            height=height,
            padding=(4, 6, 4, 0),
        )
        self._charts.append((handle, columns))

    def sample(self, droid: Droid, time: float) -> None:
        """Add what `droid` did in its last control step, at `time` [s]."""
        row, state = droid.row, droid.state
        asked, moved = row["command"][0], row["velocity_h"][0]
        share = np.abs(row["torque"][0]) / np.maximum(np.abs(row["torque_limit"][0]), 1e-6)
        down = state.rotation[0, 2]
        roll, pitch = np.degrees(
            [np.arctan2(down[1], down[2]), -np.arcsin(np.clip(down[0], -1, 1))]
        )
        contact = state.contact[0] + 1.5 * np.arange(len(state.contact[0]))
        values = (
            *(asked[0], moved[0], asked[1], moved[1], asked[2], row["yaw_rate"][0]),
            *(share[kind].max() for kind in self._kinds),
            *contact,
            *(roll, pitch),
            *droid.action,
        )
        self._rows.append(np.array([time, *values], float))

    def draw(self) -> None:
        """Send the plots."""
        if len(self._rows) < 2:
            return
        rows = np.nan_to_num(np.array(self._rows))
        time = rows[:, 0] - rows[-1, 0]
        for handle, columns in self._charts:
            handle.data = (time, *(np.ascontiguousarray(c) for c in rows[:, columns].T))

    def clear(self) -> None:
        """Forget all samples: the droid has begun again."""
        self._rows.clear()

    def score(self, droid: Droid, totals: dict[str, str]) -> None:
        """Show the score of `droid` and `totals`, values by title."""
        scores, rows = droid.score(), dict(totals)
        for name, (title, form) in SCORES.items():
            value = scores.get(name, np.nan)
            rows[title] = form.format(value) if np.isfinite(value) else "-"
        cells = [f"{title} | **{text}**" for title, text in rows.items()]
        cells += ["|"] * (len(cells) % 2)
        lines = [f"| {a} | {b} |" for a, b in zip(cells[::2], cells[1::2], strict=True)]
        self._score.content = "\n".join(["| | | | |", "| :-- | --: | :-- | --: |", *lines])
