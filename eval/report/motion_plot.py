"""Plot of a choreography: a strip of poses over beats, and what it asks of the motors."""

from pathlib import Path
from typing import Any

import matplotlib as mpl
import mujoco
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from grek import files
from grek.envs.motions.choreography import Choreography
from grek.envs.motions.feasibility import Demand, positions
from grek.envs.motions.planner import Plan
from grek.envs.robots import Robot
from grek.envs.robots.robot import Layout
from grek.envs.vectors import Array

POSES = 14  # most poses in the strip
SPACING = 0.42  # between two poses [m]
STYLE: dict[Any, Any] = {"font.size": 8, "axes.spines.top": False, "axes.spines.right": False}
_LEFT, _RIGHT, _BODY = "#1f6fb4", "#d1622b", "0.25"


def plot(of: Choreography, plan: Plan, demand: Demand, robot: Robot, path: Path) -> None:
    """Plot `plan` to `path`, whose suffix selects the format."""
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(14, 7.5), layout="constrained")
        strip, height, feet, torque = figure.subplots(4, 1, height_ratios=[3, 1, 1, 1])
        strip.set_title(f"{of.title}: {of.tempo:g} beats per minute, from the side", loc="left")
        _strip(strip, of, plan, robot)
        height.plot(plan.beat, 1e3 * plan.position[:, 2], color=_BODY)
        height.set_ylabel("torso height [mm]")
        for foot, colour in enumerate((_LEFT, _RIGHT)):
            feet.plot(plan.beat, 1e3 * plan.feet[:, foot, 2], color=colour)
        feet.set_ylabel("sole height [mm]")
        feet.legend([foot.body.replace("_", " ") for foot in robot.feet], frameon=False, ncols=2)
        share = demand.torque / np.where(demand.torque > 0, demand.highest, -demand.lowest)
        torque.plot(plan.beat, 100 * np.abs(share).max(1), color=_BODY)
        torque.set_ylabel("torque over\nits limit [%]")
        torque.set_ylim(0, 105)
        torque.set_xlabel("beat")
        for axes in (height, feet, torque):
            axes.set_xlim(0, of.beats)
            axes.set_xticks(np.arange(0, of.beats + 1, max(round(of.beats / 24), 1)))
            axes.grid(axis="x", color="0.92")
        with files.written(path) as part:
            figure.savefig(part, dpi=110, facecolor="white")


def _strip(axes: Axes, of: Choreography, plan: Plan, robot: Robot) -> None:
    """Draw the robot from its right side on at most POSES beats, evenly spaced."""
    model = robot.load_spec().compile()
    data, layout = mujoco.MjData(model), Layout.of(model, robot)
    qpos = positions(plan, robot, model, layout)
    step = max(int(np.ceil(of.beats / POSES)), 1)
    beats = np.arange(0, int(of.beats) + 1, step)
    for i, beat in enumerate(beats):
        data.qpos[:] = qpos[np.abs(plan.beat - beat).argmin()]
        data.qpos[0] = 0
        mujoco.mj_kinematics(model, data)
        for line, colour in _lines(model, data, layout, robot):
            axes.plot(i * SPACING + line[:, 0], line[:, 2], color=colour, lw=2.2)
        axes.text(i * SPACING, -0.06, str(beat), ha="center", va="top", color="0.4")
    axes.plot([-SPACING / 2, (len(beats) - 0.5) * SPACING], [0, 0], color="0.75", lw=1)
    axes.set_aspect("equal")
    axes.axis("off")


def _lines(
    model: mujoco.MjModel, data: mujoco.MjData, layout: Layout, robot: Robot
) -> list[tuple[Array, str]]:
    """Lines (n, 3) [m] through the joints from each foot and from the head to the torso."""
    found = []
    ends = [(int(body), (_LEFT, _RIGHT)[i % 2]) for i, body in enumerate(layout.feet)]
    if robot.head is not None:
        ends.append((model.body(robot.head).id, _BODY))
    for end, colour in ends:
        chain, body = [], end
        while body != layout.base:
            chain.append(data.xpos[body])
            body = int(model.body_parentid[body])
        line = np.array([*chain, data.xpos[layout.base]])
        if end in layout.feet:  # the sole below the ankle
            foot = robot.feet[list(layout.feet).index(end)]
            turn, length = data.xmat[end].reshape(3, 3), foot.sole_size[0] / 2
            centre = np.array(foot.sole_centre)
            ends_of_sole = (centre + np.array([x, 0, 0]) for x in (length, -length))
            sole = [data.xpos[end] + turn @ point for point in ends_of_sole]
            line = np.concatenate([sole, line])
        found.append((line, colour))
    return found
