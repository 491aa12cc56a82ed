"""Films of a policy in a scenario: rollout, view of the simulated ground, captions."""

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from grek.envs.ground import materials
from grek.envs.ground.surface import Surface
from grek.envs.motions.dance import DanceMotion
from grek.envs.rendering.world_ground import WorldGround
from grek.envs.robots import GREK, Robot
from grek.envs.scenarios import stage
from grek.envs.scenarios.scenario import EPISODE, Command, Context, Scenario, read
from grek.envs.scenarios.spaces import engine_of, parse
from grek.envs.simulation.simulation import CONTROL_STEP
from grek.envs.skills.show import Show, ShowMotion
from grek.envs.tasks import Outcome, TaskBatch
from grek.errors import InputError
from grek.eval.films.film import FPS, Film
from grek.eval.films.sound import add_clicks
from grek.eval.report import wording
from grek.eval.scores.policies import Policy
from grek.eval.scores.rollout import check_action

DEFAULT = "train/dry_concrete:300000"
SIZE = (1280, 720)
SMALL = (640, 360)  # films of a report
TINY = (480, 270)  # animated images
AFTER_FALL = 1.0  # continuation of a film after a fall [s]


def world(scenario: str | None, material: str | None, robot: Robot = GREK) -> Scenario:
    """Scenario by name, or level ground of nominal `material` with a fixed sequence of commands.

    A `scenario` that ends in .json is a file of one. DEFAULT if neither is given. Raises InputError
    for an unknown name, and for a file that holds no scenario.
    """
    if scenario is not None and scenario.endswith(".json"):
        return read(Path(scenario))
    if material is None:
        return parse(scenario or DEFAULT, robot)
    row = materials.material(material)
    parameters = (tuple(row.nominal().tolist()),)
    return Scenario(
        name=material,
        context=Context("material", material),
        surface=Surface((material,), parameters),
        commands=(
            Command(0.0, (0.4, 0.0), 0.0),
            Command(6.0, (0.3, 0.0), 0.5, (0.1, 0.4)),
            Command(10.0, (0.0, 0.15), 0.0),
            Command(13.0, (0.0, 0.0), 0.0, (-0.2, -0.5)),
            Command(15.0, (0.5, 0.0), 0.0),
        ),
    )


def scripted(policy: Policy, scenario: Scenario, script: str) -> Scenario:
    """`scenario` with the acts of `script`; raises InputError for a policy without skills."""
    if not isinstance(policy.task.motion, Show):
        raise InputError(
            f"--script needs a policy of skills: {policy.name} is one of {policy.task.name}"
        )
    return stage.scripted(scenario, script)


def film(
    policy: Policy,
    scenario: Scenario,
    seconds: float,
    fps: int,
    out: Path,
    progress: Callable[[int, int], None] = lambda done, total: None,
    size: tuple[int, int] | None = None,
    advance: Callable[[TaskBatch, int], Outcome] | None = None,
    engine: str | None = None,
    sound: bool = False,
) -> str:
    """Write a film of `policy` in `scenario` to `out`; return a line of text about it.

    The film is `seconds` [s] long, or ends AFTER_FALL after a fall. `size` is SIZE by default, TINY
    for animated images (.webp, .gif). `advance`, given the world and the number of the control
    step, steps the world in place of the policy. `engine` is that of the scenario by default. With
    `sound`, an .mp4 clicks on the beats of dances. Raises InputError for invalid actions, an engine
    that is not installed or does not support the scenario, and as `Film` does.
    """
    batch = TaskBatch(policy.task, 1, engine=engine or engine_of(scenario))
    batch.reset([0], [scenario])
    seeds = np.array([scenario.seed], np.uint64)
    every = round(1 / (fps * CONTROL_STEP))
    steps, fell_at = round(seconds / CONTROL_STEP), None
    clicks: list[float] = []  # [s]
    size = size or (SIZE if out.suffix == ".mp4" else TINY)
    simulation, robot = batch.simulation, policy.task.robot
    with Film(out, WorldGround(simulation), robot.load_spec(), robot.base, fps, size) as picture:
        for step in range(steps):
            if isinstance(batch.motion, ShowMotion) and batch.motion.on_beat(0):
                clicks.append(step * CONTROL_STEP)
            if step % every == 0:
                picture.add(simulation.engine.qpos[0], caption(batch, step))
                progress(step, steps)
            if advance is None:
                action = check_action(policy, policy.act(batch.observe(), seeds, step), 1)
                outcome = batch.step(action)
            else:
                outcome = advance(batch, step)
            if outcome.terminated[0] and fell_at is None:
                fell_at = step
            if fell_at is not None and (step - fell_at) * CONTROL_STEP >= AFTER_FALL:
                break
    progress(steps, steps)
    if sound:
        add_clicks(out, clicks)
    ending = "" if fell_at is None else f", fell after {fell_at * CONTROL_STEP:.1f} s"
    return f"{out}: {policy.name} in {scenario.name}{ending}"


def picked(
    policy: Policy,
    card: Mapping[str, Any],
    directory: Path,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> dict[str, str]:
    """Film the worst, median and best episode of each axis of a scorecard, to `directory`/films.

    Returns the path of each scenario's film relative to `directory`.
    """
    names = dict.fromkeys(
        str(episode["scenario"]) for chosen in wording.picks(card).values() for _, episode in chosen
    )
    films = {name: f"films/{re.sub('[:/]', '-', name)}.mp4" for name in names}
    for done, (name, path) in enumerate(films.items()):
        progress(done, len(films))
        film(policy, parse(name, policy.task.robot), EPISODE, FPS[0], directory / path, size=SMALL)
    progress(len(films), len(films))
    return films


def caption(batch: TaskBatch, step: int) -> str:
    """Caption: time, material under the robot, scenario and command."""
    ground, scenario = WorldGround(batch.simulation), batch.simulation.scenarios[0]
    name = ground.names[ground.material(batch.state.position_w[:1, :2])[0]]
    forward, left, turn = batch.command[0, :3] + 0.0
    known = scenario.name.partition("#")[0]
    where = f"{step * CONTROL_STEP:5.1f} s   {materials.material(name).title}   {known}\n"
    if isinstance(batch.motion, DanceMotion | ShowMotion):
        return where + batch.motion.caption(0)
    return f"{where}forward {forward:+.2f} m/s   left {left:+.2f} m/s   turn {turn:+.2f} rad/s"
