"""Stage task: follow the reference of any skill without falling.

The policy sees the reference now and at a few moments ahead, not the skill's name.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from grek.envs.motions.motion import Reference
from grek.envs.robots import GREK, Robot
from grek.envs.skills import SKILLS
from grek.envs.skills.show import AHEAD, Preview, Show
from grek.envs.tasks import observations, performance, rewards
from grek.envs.tasks.observations import foot_mirror, signed
from grek.envs.tasks.task import Columns, Field, StepData, Task, Term, action_bounds, joint_mirror
from grek.envs.tasks.walk import STRIDE
from grek.envs.vectors import Array

NAME = "grek/Stage-v0"
SEAT_SHARE = 0.5  # share of weight on the seat that has the full reward


def staging(robot: Robot = GREK, name: str = NAME, **options: Any) -> Task:
    """Stage task for `robot`, which needs `legs`; `options` are those of `Task`."""
    return Task(
        name=name,
        robot=robot,
        fields=(*observations.measured(robot), *_exact(robot), *_privileged(robot)),
        terms=_terms(robot),
        motion=Show(),
        termination=fallen,
        moving=performance.moving,
        metrics=performance.STAGE,
        stride=STRIDE,
        records=performance.records(robot),
        space="stage",
        **options,
    )


def fallen(data: StepData) -> NDArray[np.bool_]:
    """Tilt beyond `robot.fall_cosine`, or base below the share of the reference's height that
    `robot.fall_height` is of standing (n,)."""
    state, robot = data.state, data.robot
    lowest = robot.fall_height / robot.stand_height * data.reference.height
    return (state.rotation[:, 2, 2] < robot.fall_cosine) | (state.height < lowest)


# -- observation ---------------------------------------------------------------------------


def _exact(robot: Robot) -> tuple[Field, ...]:
    """Reference now and ahead, look command, last action and phase."""
    acting, home = len(robot.joints), np.array(robot.home[: len(robot.joints)])
    columns = _mirror(robot)
    block = acting + 3 + len(robot.feet)
    ahead = columns and _repeated(columns, block, len(AHEAD))

    def now(m: StepData) -> Array:
        r = m.reference
        parts = (r.joints - home, r.height[:, None] - robot.stand_height, r.attitude, r.contact)
        return np.concatenate(parts, 1)

    def later(m: StepData) -> Array:
        assert isinstance(m.reference, Preview)
        found = m.reference.ahead.copy()
        found[..., :acting] -= home
        found[..., acting] -= robot.stand_height
        return found.reshape(len(found), -1)

    look = (Field("look", 2, lambda m: m.command[:, 3:], signed(1, -1)),) if robot.look else ()
    return (
        Field("reference", block, now, columns),
        Field("reference_ahead", block * len(AHEAD), later, ahead),
        Field("reference_velocity", 3, lambda m: m.reference.velocity, signed(1, -1, -1)),
        Field("rest", 1, lambda m: m.reference.rest[:, None], signed(1), bounds=lambda t: (0, 1)),
        *look,
        Field("last_action", acting, lambda m: m.action, joint_mirror(robot), bounds=action_bounds),
        Field(
            "phase",
            4,
            lambda m: m.reference.clock,
            signed(-1, -1, 1, 1),
            bounds=lambda task: (-1, 1),
        ),
    )


def _mirror(robot: Robot) -> Columns | None:
    """Reflection of joints, height, roll, pitch and contacts."""
    joints, feet = joint_mirror(robot), foot_mirror(robot)
    if joints is None or feet is None:
        return None
    acting = len(robot.joints)
    order = (*joints[0], acting, acting + 1, acting + 2, *(acting + 3 + i for i in feet[0]))
    return order, (*joints[1], 1.0, -1.0, 1.0, *feet[1])


def _repeated(columns: Columns, size: int, times: int) -> Columns:
    """Reflection of `times` blocks of `size` columns."""
    order, sign = columns
    return tuple(size * k + i for k in range(times) for i in order), sign * times


def _privileged(robot: Robot) -> tuple[Field, ...]:
    """Fields of the critic: those of walking, and the load of the seat over the weight."""
    return (
        *observations.privileged(robot),
        Field(
            "seat_share",
            1,
            lambda m: (m.state.seat_load / m.weight)[:, None],
            signed(1),
            privileged=True,
        ),
    )


# -- rewards -------------------------------------------------------------------------------


def _terms(robot: Robot) -> tuple[Term, ...]:
    """Reward terms: tracking, cost, and those of single skills."""
    acting = len(robot.joints)
    common = {term.name: term for term in rewards.walking(robot)}
    kept = (
        *("contact", "foot_height", "tilt_rate", "slip", "impact", "torque", "acceleration"),
        *("action_rate", "action_jerk", "feet_apart"),
    )
    tracking = (
        Term(
            "joints",
            2.0,
            lambda m: joints(m.reference.joints, m.state.joint_position[:, :acting]),
        ),
        Term(
            "linear",
            2.5,
            lambda m: rewards.linear(m.reference.velocity[:, :2], m.stride_velocity[:, :2]),
        ),
        Term(
            "angular",
            1.5,
            lambda m: rewards.angular(m.reference.velocity[:, 2], m.stride_velocity[:, 2]),
        ),
        Term("attitude", 1.0, lambda m: attitude(m.reference.attitude, m.state.gravity_b)),
        Term("height", 1.0, lambda m: rewards.base_height(m.reference.height, m.state.height)),
        Term("alive", 0.5, lambda m: np.ones(len(m.actions))),
    )
    own = {
        "seat": lambda m: seat(m.reference.rest, m.state.seat_load / m.weight),
        "air": lambda m: air(m.reference, m.state.contact),
    }
    return (
        *tracking,
        *(common[name] for name in kept if name in common),
        *(Term(name, 1.0, _of_skills(name, value)) for name, value in own.items()),
        common["fall"],
    )


def _of_skills(name: str, value: Any) -> Any:
    """`value` times the weight of the term `name` in the skill at work."""
    weights = np.array([skill.weights.get(name, 0.0) for skill in SKILLS.values()])
    return lambda m: weights[m.reference.skill] * value(m)


def joints(wanted: Array, actual: Array) -> Array:
    """exp(-|e|^2 / 0.3) (n,) of the errors e of the joints (n, A) [rad]."""
    return np.exp(-((actual - wanted) ** 2).sum(1) / 0.3)


def attitude(wanted: Array, gravity_b: Array) -> Array:
    """exp(-|e|^2 / 0.05) (n,) of the error e of the unit gravity vector (n, 3), base frame, whose
    roll and pitch shall be `wanted` (n, 2) [rad]."""
    roll, pitch = wanted.T
    ahead, left = np.sin(pitch), -np.sin(roll) * np.cos(pitch)
    return np.exp(-((gravity_b[:, :2] - np.stack([ahead, left], 1)) ** 2).sum(1) / 0.05)


def seat(rest: Array, share: Array) -> Array:
    """Share of weight on the seat over SEAT_SHARE, at most 1, where the legs shall rest (n,)."""
    return rest * np.minimum(share / SEAT_SHARE, 1)


def air(reference: Reference, contact: NDArray[np.bool_]) -> Array:
    """1 where no foot shall touch the ground and none does (n,)."""
    return (~reference.contact.any(1) & ~contact.any(1)).astype(float)
