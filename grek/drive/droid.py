"""The droid that is driven: a policy in one world, under the commands and pushes of the moment.

Its motion is a function of the calls of `begin`, `change`, `perform` and `advance` alone, so that a
log of them gives the same motion again, bit for bit (`grek.drive.recording`).
"""

from collections import deque
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from grek.envs.ground import materials
from grek.envs.ground.shapes import SHAPES, ShapePart
from grek.envs.ground.surface import Surface
from grek.envs.rendering.world_ground import WorldGround
from grek.envs.robots import Robot
from grek.envs.scenarios import stage
from grek.envs.scenarios.scenario import EPISODE, Scenario
from grek.envs.simulation.simulation import CONTROL_STEP
from grek.envs.simulation.state import State
from grek.envs.skills import SKILLS, Act
from grek.envs.skills.show import ShowMotion, clip_of
from grek.envs.tasks import TaskBatch, metrics
from grek.envs.tasks.commands import PUSH_TIME, Schedule
from grek.envs.tasks.metrics import EpisodeLog
from grek.envs.vectors import Array
from grek.errors import InputError
from grek.eval.scores.policies import Policy
from grek.eval.scores.rollout import check_action, logged

SCORED = round(EPISODE / CONTROL_STEP)  # latest control steps that the score counts
RECENT_PUSH = 2.0  # after a push a fall is put down to it [s]


class Present(Schedule):
    """Command and push of the moment, in place of a schedule."""

    def __init__(self) -> None:
        super().__init__(1)
        self.now = np.zeros(5)
        self.pushing = np.zeros(2)  # acceleration [m/s^2]

    def set(self, world: int, scenario: Scenario) -> None:
        """Disregard commands and pushes of `scenario`."""

    def command(self, time: Array, worlds: NDArray[np.int64] | None = None) -> Array:
        """Present command (1, 5)."""
        return self.now[None].copy()

    def push(self, time: Array) -> Array:
        """Present acceleration by a push (1, 2) [m/s^2]."""
        return self.pushing[None].copy()


class Droid:
    """One world of `policy` that begins in `scenario`; acts of the scenario are disregarded."""

    def __init__(self, policy: Policy, scenario: Scenario) -> None:
        self.policy = policy
        self.batch = TaskBatch(policy.task, 1)
        motion = self.batch.motion
        self.show = motion if isinstance(motion, ShowMotion) else None
        """Skills that it does, if its policy has any."""
        self._present = Present()
        self.batch.schedule = self._present
        self.action = np.zeros(policy.task.actions)
        """Last action."""
        self.row: dict[str, NDArray] = {}
        """Entries of an `EpisodeLog` for the last control step, each (1, ...)."""
        self.begin(scenario)

    @property
    def scenario(self) -> Scenario:
        """The present world."""
        return self.batch.simulation.scenarios[0]

    @property
    def driven(self) -> Scenario:
        """The present world with the skills that were commanded since it began."""
        if self.show is None:
            return self.scenario
        acts = self.show.acts(0)
        return replace(self.scenario, acts=acts, commands=stage.commands(acts))

    @property
    def state(self) -> State:
        """State of its one world."""
        return self.batch.state

    @property
    def qpos(self) -> Array:
        """Generalised positions (nq,), a copy."""
        return self.batch.simulation.engine.qpos[0].copy()

    @property
    def command(self) -> Array:
        """Command of the last step (5,): vx, vy [m/s], yaw rate [rad/s], head pitch, yaw [rad]."""
        return self._present.now

    # -- driving -------------------------------------------------------------------------------

    def begin(self, scenario: Scenario) -> None:
        """Stand at the origin of `scenario`; ground that is the same keeps its prints."""
        batch, sinking = self.batch, self.batch.simulation.sinking
        before = self.scenario
        kept = sinking.prints.snapshot()
        clock = batch.simulation.engine.time[0]
        self._present.now, self._present.pushing = np.zeros(5), np.zeros(2)
        if self.show is not None:
            scenario = replace(scenario, acts=(Act(0.0, "stand"),))
        batch.reset([0], [scenario])
        if (before.shape, before.surface) == (scenario.shape, scenario.surface):
            kept["time"] = kept["time"] - np.float32(clock)  # prints that fade go on to do so
            sinking.prints.restore(kept)
        self.fell: str | None = None
        self._since_push = np.inf  # [s]
        self._log: deque[dict[str, NDArray]] = deque(maxlen=SCORED)

    def change(self, scenario: Scenario) -> None:
        """Go on in `scenario`, in motion; raises InputError for one it cannot be in."""
        self.batch.change([0], [scenario])
        self._log.clear()

    def perform(self, act: Act) -> None:
        """Command `act`; raises InputError for one that it cannot do or a policy without skills."""
        if self.show is None:
            raise InputError(f"policy {self.policy.name} has no skills")
        skill = SKILLS.named(act.skill)
        skill.check(act)
        if skill.clip is not None:
            clip_of(self.policy.task.robot, act)
        self.show.command(0, replace(act, time=act.time + CONTROL_STEP))  # the step to come

    def advance(self, command: Array, push: Array) -> None:
        """Advance by a control step under `command` (5,) and the acceleration `push` (2,) [m/s^2].

        Raises InputError for an invalid action of the policy.
        """
        batch, policy = self.batch, self.policy
        self._present.now, self._present.pushing = command.copy(), push.copy()
        batch.command[:] = command  # the policy observes it at once, not a step later
        before, seeds = batch.state, np.array([self.scenario.seed], np.uint64)
        step = int(batch.age[0])
        action = check_action(policy, policy.act(batch.observe(), seeds, step), 1)
        self.action = action[0]
        outcome = batch.step(action)
        self._since_push = 0.0 if push.any() else self._since_push + CONTROL_STEP
        if outcome.terminated[0] and self.fell is None:
            self.fell = self._reason(batch.state, policy.task.robot)
        alive = np.array([self.fell is None])
        self.row = logged(batch, before, command[None, :3], push[None], action, alive)
        self._log.append(self.row)

    def _reason(self, state: State, robot: Robot) -> str:
        """Cause of the fall that has just ended the episode, in words."""
        if state.broken[0]:
            return "the simulation failed"
        upright = float(state.rotation[0, 2, 2])
        if upright < robot.fall_cosine:
            said = f"tilted by {np.degrees(np.arccos(upright)):.0f}°"
        else:
            said = f"hips {100 * state.height[0]:.0f} cm above the ground"
        ground = WorldGround(self.batch.simulation)
        name = ground.names[ground.material(state.position_w[:, :2])[0]]
        said += f" on {materials.material(name).title}"
        if self._since_push < RECENT_PUSH:
            said += f", {self._since_push:.1f} s after a push"
        return said

    # -- score and log -------------------------------------------------------------------------

    def score(self) -> dict[str, float]:
        """Metrics of its task over at most the last SCORED steps since `begin` or `change`; of a
        policy with skills those of walking.

        Empty before the first stride is over.
        """
        task, rows = self.policy.task, list(self._log)
        if len(rows) * CONTROL_STEP < task.stride:
            return {}
        arrays: dict[str, Any] = {name: np.stack([row[name] for row in rows]) for name in rows[0]}
        mass = self.batch.simulation.engine.mass
        log = EpisodeLog(**arrays, dt=CONTROL_STEP, stride=task.stride, mass=mass)
        wanted = task.metrics if self.show is None else metrics.WALKING
        return {name: float(metric(log)[0]) for name, metric in wanted.items()}

    def snapshot(self) -> dict[str, Any]:
        """State for `restore`; the scenario is not included."""
        present = self._present
        return {
            "batch": self.batch.snapshot(),
            "acts": () if self.show is None else self.show.acts(0),
            "command": present.now.copy(),
            "since_push": self._since_push,
            "fell": self.fell,
        }

    def restore(self, saved: dict[str, Any]) -> None:
        """Go on from a snapshot; `begin` in the same scenario comes first."""
        self._present.now = saved["command"].copy()
        if self.show is not None:
            self.show.perform(np.array([0]), [saved["acts"]])
        self.batch.restore(saved["batch"])
        self._since_push, self.fell = saved["since_push"], saved["fell"]


def warm_up(policy: Policy) -> None:
    """Compile or load all laws of the ground, which would otherwise stop the first droid on it."""
    sand, concrete = (materials.material(name) for name in ("sand", "wet_concrete"))
    rows = tuple(tuple(row.nominal().tolist()) for row in (sand, concrete))
    parts = (
        ShapePart(kind.name, {p.name: p.range.quantile(0.5) for p in kind.parameters})
        for kind in SHAPES.values()
    )
    surface = Surface((sand.name, concrete.name), rows, "patches")
    droid = Droid(policy, Scenario(shape=tuple(parts), surface=surface))
    for _ in range(2):
        droid.advance(np.zeros(5), np.zeros(2))
    droid.change(Scenario())


def impulse(velocity: Array) -> Array:
    """Acceleration (2,) [m/s^2] that changes the velocity by `velocity` (2,) in a push's time."""
    return np.asarray(velocity, float) / PUSH_TIME
