"""Excitation: safe targets, a base that stays where it is held, soles that stay on the ground."""

import numpy as np
import pytest

from grek.envs.robots import GREK
from grek.envs.scenarios.scenario import Body, Motors, Scenario
from grek.envs.simulation.simulation import Simulation
from grek.errors import InputError
from grek.onboard import plant
from grek.onboard.controller import Reading
from grek.onboard.excitation import Excitation, excitation
from grek.onboard.supervisor import Limits, State, Supervisor

KINDS = ("air", "ground")


@pytest.mark.parametrize("kind", KINDS)
def test_targets_are_within_limits_and_begin_and_end_at_home(kind):
    targets = excitation(kind).targets
    low, high = np.array(GREK.joint_range).T
    assert (targets >= low).all() and (targets <= high).all()
    assert np.abs(np.diff(targets, axis=0)).max() / 0.02 < Limits().target_speed
    home = np.array(GREK.home) + np.array(GREK.static_offset)
    assert targets[[0, -1]] == pytest.approx(np.tile(home, (2, 1)), abs=1e-9)
    moved = np.ptp(targets, axis=0)
    assert (moved[:10] > 0.05).all() and not moved[10:].any()


def test_multisines_of_joints_are_not_proportional():
    targets = excitation("air").targets[50:200, :10]
    correlation = np.corrcoef(targets.T) - np.eye(10)
    assert np.abs(correlation).max() < 0.8


def test_a_base_that_hangs_stays_where_it_is():
    """Whatever the legs do, and without a foot on the ground; until the next reset."""
    body = plant.Body(Scenario(), hung=True)
    start = body.batch.state.position_w[0].copy()
    body.follow(excitation("air").targets[0])
    start = body.batch.state.position_w[0].copy()
    for targets in excitation("air").targets[:150]:
        body.follow(targets)
        assert not body.batch.state.contact.any()
    assert np.abs(body.batch.state.position_w[0] - start).max() < 1e-4
    assert np.abs(body.batch.state.gyro_b).max() < 1e-4
    assert body.batch.state.rotation[0] == pytest.approx(np.eye(3), abs=1e-4)
    body.batch.simulation.reset([0], [Scenario()])
    simulation: Simulation = body.batch.simulation
    for _ in range(25):
        simulation.step(excitation("air").targets[:1])
    assert simulation.state().contact.all()


def test_the_torso_moves_over_soles_that_stay():
    """For a heavy, soft body too, whose ankles bend most."""
    bodies = [Scenario(), Scenario(body=Body(1.1, 1.0), motors=Motors(stiffness=0.9))]
    simulation = Simulation(len(bodies))
    simulation.reset(range(len(bodies)), bodies)
    feet, low = simulation.state().foot_w.copy(), []
    for targets in excitation("ground").targets:
        state = simulation.step(np.tile(targets, (len(bodies), 1)))
        assert state.rotation[:, 2, 2].min() > np.cos(np.radians(25))
        low.append(state.position_w[:, 2])
    assert np.abs(state.foot_w - feet)[..., :2].max() < 0.02
    assert (np.ptp(low, axis=0) > 0.04).all()


def test_a_supervisor_runs_it_and_keeps_watch():
    supervisor, wanted = Supervisor(excitation("ground")), excitation("ground").targets
    body = plant.Body(Scenario())
    for step in range(40):
        answer = supervisor.offer(body.reading(0.02 * step), None)
        assert answer is not None and np.array_equal(answer.joints, wanted[step])
        body.follow(answer.joints)
    tipped = Reading(
        *(40, 0.8, np.zeros(3), np.array([0.9, 0.0, -0.2])),
        *(np.zeros(10), np.zeros(10), np.zeros(5)),
    )
    for step in range(40, 46):
        supervisor.offer(Reading(step, *list(vars(tipped).values())[1:]), None)
    assert supervisor.state is State.LIMP


def test_an_unknown_one_is_named():
    with pytest.raises(InputError, match="'swing'; there are: excite:air, excite:ground"):
        excitation("swing")
    assert isinstance(excitation("air"), Excitation)
