"""Metrics against hand-computed numbers on logs small enough to see through."""

import dataclasses
from typing import Any

import numpy as np
import pytest

from grek.envs.motions import gait
from grek.envs.tasks import metrics
from grek.envs.tasks.metrics import EpisodeLog

DT = 0.02


def make(steps: int = 100, worlds: int = 1, dt: float = DT, **arrays: Any) -> EpisodeLog:
    """A droid that stands for `steps`; `arrays` replaces what differs, broadcast to its shape."""
    shapes = {
        "position_w": (3,),
        "yaw": (),
        "velocity_h": (3,),
        "yaw_rate": (),
        "command": (3,),
        "torque": (10,),
        "joint_velocity": (10,),
        "action": (10,),
        "foot_slip": (2,),
        "foot_impact": (2,),
        "push": (2,),
    }
    log: dict[str, Any] = {k: np.zeros((steps, worlds, *s)) for k, s in shapes.items()}
    log["alive"] = np.ones((steps, worlds), bool)
    log["moving"] = np.zeros((steps, worlds), bool)
    log["torque_limit"] = np.full((steps, worlds, 10), 10.0)
    log["joint_margin"] = np.full((steps, worlds, 10), 1.0)
    for name, value in arrays.items():
        log[name] = np.broadcast_to(value, log[name].shape).copy()
    if "moving" not in arrays:
        log["moving"] = gait.moving(log["command"])
    return EpisodeLog(**log, dt=dt, stride=0.6, mass=np.full(worlds, 10.0))


def walk(velocity_h: Any, yaw_rate: Any, command: Any, steps: int = 100, **more: Any) -> EpisodeLog:
    """One droid that moves as told: heading-frame velocity (T, 2) and yaw rate (T,), integrated."""
    velocity = np.broadcast_to(np.asarray(velocity_h, float), (steps, 2))
    turning = np.broadcast_to(np.asarray(yaw_rate, float), (steps,))
    yaw = np.cumsum(turning) * DT
    middle = yaw - turning * DT / 2
    step = np.stack(
        [
            velocity[:, 0] * np.cos(middle) - velocity[:, 1] * np.sin(middle),
            velocity[:, 0] * np.sin(middle) + velocity[:, 1] * np.cos(middle),
        ],
        1,
    )
    position = np.zeros((steps, 1, 3))
    position[:, 0, :2] = np.cumsum(step, 0) * DT
    velocity_3 = np.zeros((steps, 1, 3))
    velocity_3[:, 0, :2] = velocity
    wanted = np.broadcast_to(np.asarray(command, float), (steps, 3))[:, None]
    return make(
        steps,
        position_w=position,
        yaw=((yaw + np.pi) % (2 * np.pi) - np.pi)[:, None],
        velocity_h=velocity_3,
        yaw_rate=turning[:, None],
        command=wanted,
        **more,
    )


def fallen_at(step: int, steps: int = 100) -> np.ndarray:
    return (np.arange(steps) < step)[:, None]


class TestSurvival:
    def test_stood_and_fell(self) -> None:
        alive = np.ones((5, 3), bool)
        alive[3:, 1] = False
        alive[2, 2] = False  # a log that says "up" again after a fall is not believed
        np.testing.assert_array_equal(metrics.survival(make(5, 3, alive=alive)), [1, 0, 0])

    def test_state_that_is_not_finite_is_a_fall(self) -> None:
        position = np.zeros((5, 2, 3))
        position[3:, 1, 0] = np.nan
        log = make(5, 2, position_w=position)
        np.testing.assert_array_equal(metrics.survival(log), [1, 0])
        assert np.isfinite(metrics.traversal(log)).all()


class TestTraversal:
    @pytest.mark.parametrize(
        "command",
        [(0.4, 0, 0), (-0.3, 0, 0), (0, 0.2, 0), (0, 0, 0.8), (0, 0, -0.8), (0.3, -0.1, 0.5)],
    )
    def test_doing_as_told_scores_1_and_standing_still_0(self, command: tuple) -> None:
        done = walk(command[:2], command[2], command, steps=500)
        np.testing.assert_allclose(metrics.traversal(done), 1, atol=1e-6)
        np.testing.assert_array_equal(metrics.traversal(walk((0, 0), 0, command)), [0])

    def test_never_above_1(self) -> None:
        assert metrics.traversal(walk((0.9, 0), 0, (0.3, 0, 0)))[0] == 1
        assert metrics.traversal(walk((0.3, 0), 0, (0.3, 0, 0)))[0] <= 1

    def test_half_the_speed_is_half_the_way(self) -> None:
        assert metrics.traversal(walk((0.2, 0), 0, (0.4, 0, 0)))[0] == pytest.approx(0.5)

    def test_backwards_earns_nothing(self) -> None:
        assert metrics.traversal(walk((-0.2, 0), 0, (0.4, 0, 0)))[0] == 0

    def test_only_the_part_along_the_command_counts(self) -> None:
        # 0.4 m/s at 60 degrees from the command: half of it.
        velocity = (0.4 * np.cos(np.pi / 3), 0.4 * np.sin(np.pi / 3))
        assert metrics.traversal(walk(velocity, 0, (0.4, 0, 0)))[0] == pytest.approx(0.5)

    def test_a_turn_on_the_spot_is_scored_by_angle_across_the_wrap(self) -> None:
        # 20 s at 0.6 of 0.8 rad/s passes pi twice.
        log = walk((0, 0), 0.6, (0, 0, 0.8), steps=1000)
        assert metrics.traversal(log)[0] == pytest.approx(0.75)

    def test_arc_without_turning(self) -> None:
        # c = (0.3, 0, 0.5 * 0.8), and d = 0.3 dt (cos, -sin) of the 0.8 t by which the command has
        # turned: d.c / c.c is 0.09 cos(0.8 t) / 0.25, over 2 s 0.36 sin(1.6) / 1.6.
        log = walk((0.3, 0), 0, (0.3, 0, 0.8))
        assert metrics.traversal(log)[0] == pytest.approx(0.36 * np.sin(1.6) / 1.6, rel=1e-4)

    def test_drifting_off_costs(self) -> None:
        # At 0.5 rad/s of yaw that nobody asked for: sin(1) / 1 of 2 s, in each of two legs.
        log = walk((0.4, 0), 0.5, (0.4, 0, 0))
        assert metrics.traversal(log)[0] == pytest.approx(np.sin(1), rel=1e-4)
        command = np.full((200, 3), (0.4, 0, 0)) * np.where(np.arange(200) < 100, 1, 0.9)[:, None]
        velocity = command[:, :2]
        again = walk(velocity, 0.5, command, 200)  # begins anew where it is headed
        assert metrics.traversal(again)[0] == pytest.approx(np.sin(1), rel=0.01)

    def test_a_fall_ends_it_over_the_whole_commanded_distance(self) -> None:
        log = walk((0.4, 0), 0, (0.4, 0, 0), alive=fallen_at(25))
        assert metrics.traversal(log)[0] == pytest.approx(0.25)

    def test_rushing_before_a_fall_is_capped_by_what_was_commanded_until_then(self) -> None:
        log = walk((1.6, 0), 0, (0.4, 0, 0), alive=fallen_at(25))
        assert metrics.traversal(log)[0] == pytest.approx(0.25)

    def test_sliding_on_after_the_fall_counts_nothing(self) -> None:
        velocity = np.zeros((100, 2))
        velocity[50:, 0] = 2.0
        log = walk(velocity, 0, (0.4, 0, 0), alive=fallen_at(50))
        assert metrics.traversal(log)[0] == 0

    def test_rocking_earns_nothing(self) -> None:
        # Half a second to and fro, for 10 s: no way made good.
        sign = np.where(np.arange(500) // 25 % 2 == 0, 1.0, -1.0)
        velocity = np.stack([0.4 * sign, 0 * sign], 1)
        log = walk(velocity, 0, (0.4, 0, 0), steps=500)
        assert metrics.traversal(log)[0] == pytest.approx(0, abs=1e-9)

    def test_one_leg_does_not_pay_for_another(self) -> None:
        command = np.zeros((100, 3))
        command[:50, 0], command[50:, 1] = 0.4, 0.2
        velocity = np.zeros((100, 2))
        velocity[:50, 0] = 0.8  # twice as fast in the first leg, still in the second
        # 0.4 of 0.4 + 0.2 m.
        assert metrics.traversal(walk(velocity, 0, command))[0] == pytest.approx(2 / 3)

    def test_going_back_and_forth_on_command_is_all_made_good(self) -> None:
        command = np.zeros((100, 3))
        command[:50, 0], command[50:, 0] = 0.4, -0.4
        assert metrics.traversal(walk(command[:, :2], 0, command))[0] == pytest.approx(1)

    def test_time_told_to_stand_is_left_out(self) -> None:
        command = np.zeros((100, 3))
        command[:50, 0] = 0.4
        command[50:, 0] = 0.04  # below gait.STANDING: means stand
        velocity = np.zeros((100, 2))
        velocity[:50, 0] = 0.3
        velocity[50:, 0] = -1
        assert metrics.traversal(walk(velocity, 0, command))[0] == pytest.approx(0.75)

    def test_the_task_says_what_asks_to_move(self) -> None:
        """Half of the time at 0.3 of 0.4 m/s, told to walk throughout; the task knows better."""
        velocity = np.zeros((100, 2))
        velocity[:50, 0] = 0.3
        moving = (np.arange(100) < 50)[:, None]
        log = walk(velocity, 0, (0.4, 0, 0))
        assert metrics.traversal(log)[0] == pytest.approx(0.375)
        told = dataclasses.replace(log, moving=moving)
        assert metrics.traversal(told)[0] == pytest.approx(0.75)
        still = dataclasses.replace(log, moving=np.zeros((100, 1), bool))
        np.testing.assert_array_equal(metrics.traversal(still), metrics.survival(still))

    def test_nothing_commanded_is_survival(self) -> None:
        assert metrics.traversal(walk((0, 0), 0, (0, 0, 0)))[0] == 1
        fell = walk((0, 0), 0, (0, 0, 0), alive=fallen_at(99))
        assert metrics.traversal(fell)[0] == 0

    def test_rocking_while_a_command_goes_over_earns_nothing(self) -> None:
        """A ramp is of the leg it leads into: what is made good in it is net as well."""
        command = np.zeros((200, 3))
        command[:, 0] = np.clip(np.arange(200) / 50, 0, 1) * 0.5
        velocity = np.zeros((200, 2))
        velocity[:, 0] = 0.3 * np.where(np.arange(200) // 10 % 2 == 0, 1, -1)
        log = walk(velocity, np.zeros(200), command, 200)
        assert metrics.traversal(log)[0] == pytest.approx(0, abs=1e-9)

    def test_heading_of_the_world_does_not_matter(self) -> None:
        log = walk((0.3, 0.1), 0.4, (0.4, 0.0, 0.5))
        turn = 2.1
        rotation = np.array(
            [[np.cos(turn), -np.sin(turn), 0], [np.sin(turn), np.cos(turn), 0], [0, 0, 1]]
        )
        turned = dataclasses.replace(
            log, position_w=log.position_w @ rotation.T + [7, -3, 0], yaw=log.yaw + turn
        )
        np.testing.assert_allclose(metrics.traversal(turned), metrics.traversal(log), rtol=1e-9)

    def test_worlds_do_not_mix(self) -> None:
        parts = [walk((v, 0), 0, (0.4, 0, 0)) for v in (0.1, 0.2, 0.4)]
        fields = ("alive", "position_w", "yaw", "velocity_h", "yaw_rate", "command", "moving")
        together = {f: np.concatenate([getattr(p, f) for p in parts], 1) for f in fields}
        log = make(100, 3, **together)
        np.testing.assert_allclose(metrics.traversal(log), [0.25, 0.5, 1], rtol=1e-9)


class TestTracking:
    def test_constant_error(self) -> None:
        log = walk((0.3, 0.4), 0.5, (0, 0, 0.2))
        # Astray by 0.3 rad/s, the mean of a stride is sin(0.09) / 0.09 of 0.5 m/s.
        assert metrics.velocity_error(log)[0] == pytest.approx(0.5 * np.sin(0.09) / 0.09, rel=1e-3)
        assert metrics.yaw_error(log)[0] == pytest.approx(0.3)

    def test_drifting_off_is_an_error_of_velocity(self) -> None:
        # Two strides at right angles to the command: sqrt(2) of the speed.
        log = dataclasses.replace(
            walk((0.4, 0), 0, (0.4, 0, 0), 60), yaw=np.full((60, 1), np.pi / 2)
        )
        assert metrics.velocity_error(log)[0] == pytest.approx(0.0)  # headed so from the start
        turned = np.where(np.arange(90) < 30, 0.0, np.pi / 2)[:, None]
        log = dataclasses.replace(walk((0.4, 0), 0, (0.4, 0, 0), 90), yaw=turned)
        last = dataclasses.replace(log, alive=(np.arange(90) >= 0)[:, None])
        assert 0.4 < metrics.velocity_error(last)[0] < 0.4 * np.sqrt(2)

    def test_heading_drift_is_per_second_of_a_leg(self) -> None:
        # 0.1 rad/s too much over the leg of 1 s that asks to move, 0.3 in the next one.
        command = np.zeros((150, 3))
        command[:50], command[50:100] = (0.3, 0, 0.2), (0.0, 0.2, 0.0)
        rate = np.where(np.arange(150) < 50, 0.3, 0.3)
        log = walk(command[:, :2], rate, command, 150)
        assert metrics.heading_drift(log)[0] == pytest.approx((0.1 + 0.3) / 2, rel=0.1)
        fell = dataclasses.replace(log, alive=fallen_at(70, 150))
        assert metrics.heading_drift(fell)[0] == pytest.approx(0.1)
        assert np.isnan(metrics.heading_drift(make(50))[0])

    def test_yaw_oscillation_is_about_the_mean_of_a_stride(self) -> None:
        phase = 2 * np.pi * np.arange(300) / 30
        log = walk((0.3, 0), 0.4 + 0.5 * np.sin(phase), (0.3, 0, 0.4), 300)
        assert metrics.yaw_oscillation(log)[0] == pytest.approx(0.5 / np.sqrt(2), rel=3e-3)
        assert metrics.yaw_oscillation(walk((0, 0), 0.7, (0, 0, 0.7)))[0] == pytest.approx(0)
        assert np.isnan(metrics.yaw_oscillation(make(10))[0])

    def test_sway_within_a_stride_costs_nothing(self) -> None:
        phase = 2 * np.pi * np.arange(300) / 30  # 30 steps of 0.02 s: one stride
        velocity = np.stack([0.3 + 0.1 * np.sin(phase), 0.2 * np.cos(phase)], 1)
        log = walk(velocity, np.cos(phase), (0.3, 0, 0), steps=300)
        # The yaw of 0.095 rad leaves 1 - J0(0.095) of the speed, and turns the sway.
        assert metrics.velocity_error(log)[0] == pytest.approx(0, abs=0.01)
        assert metrics.yaw_error(log)[0] == pytest.approx(0, abs=1e-9)

    def test_root_mean_square_over_strides(self) -> None:
        # 31 steps, two strides of 30: the first all at error 0, the second with one step at 3 m/s.
        velocity = np.zeros((31, 2))
        velocity[30, 0] = 3.0
        log = walk(velocity, 0, (0, 0, 0), steps=31)
        assert metrics.velocity_error(log)[0] == pytest.approx(0.1 / np.sqrt(2))

    def test_only_while_up_and_undefined_before_the_first_stride(self) -> None:
        velocity = np.zeros((100, 2))
        velocity[60:, 0] = 9.0
        log = walk(velocity, 0, (0.2, 0, 0), alive=fallen_at(60))
        assert metrics.velocity_error(log)[0] == pytest.approx(0.2)
        early = walk(velocity, 0, (0.2, 0, 0), alive=fallen_at(29))
        assert np.isnan(metrics.velocity_error(early)[0])
        assert np.isnan(metrics.yaw_error(make(10))[0])


class TestPerMetre:
    def test_distance_is_the_way_and_not_the_sway(self) -> None:
        phase = 2 * np.pi * np.arange(300) / 30
        velocity = np.stack([np.full(300, 0.5), 0.3 * np.cos(phase)], 1)
        assert metrics.distance(walk(velocity, 0, 0, steps=300))[0] == pytest.approx(3.0)
        # There and back is two ways.
        there = np.where(np.arange(300) < 150, 0.5, -0.5)
        back = walk(np.stack([there, 0 * there], 1), 0, 0, steps=300)
        assert metrics.distance(back)[0] == pytest.approx(3.0)

    def test_distance_ends_with_the_fall(self) -> None:
        log = walk((0.5, 0), 0, 0, alive=fallen_at(50))
        assert metrics.distance(log)[0] == pytest.approx(0.5)

    def test_cost_of_transport(self) -> None:
        # 10 joints at |2 N m * -3 rad/s| = 60 W for 2 s over 1 m with 10 kg: 120 / (98.1 * 1).
        log = walk((0.5, 0), 0, 0, torque=2.0, joint_velocity=-3.0)
        assert metrics.cost_of_transport(log)[0] == pytest.approx(120 / 98.1)

    def test_slip(self) -> None:
        # 2 feet * 100 steps * 1 mm = 0.2 m over 1 m.
        log = walk((0.5, 0), 0, 0, foot_slip=0.001)
        assert metrics.slip_per_metre(log)[0] == pytest.approx(0.2)

    def test_undefined_without_a_distance(self) -> None:
        log = make(torque=2.0, joint_velocity=1.0, foot_slip=0.001)
        assert np.isnan(metrics.cost_of_transport(log)[0])
        assert np.isnan(metrics.slip_per_metre(log)[0])

    def test_falls_per_km(self) -> None:
        survived = np.array([1.0, 0.0, 0.0, 1.0])
        assert metrics.falls_per_km(survived, np.array([4.0, 1.0, 1.0, 4.0])) == pytest.approx(200)
        assert metrics.falls_per_km(np.ones(2), np.array([3.0, 4.0])) == 0
        assert np.isnan(metrics.falls_per_km(np.zeros(2), np.zeros(2)))


class TestShares:
    def test_torque_saturation(self) -> None:
        torque = np.zeros((4, 1, 10))
        torque[0, 0, 0] = -9.95  # within 1 % of 10
        torque[1, 0, :2] = 10.0
        torque[2, 0, 0] = 9.8  # not
        torque[3] = 10.0  # after the fall
        log = make(4, torque=torque, alive=np.array([1, 1, 1, 0], bool)[:, None])
        assert metrics.torque_saturation(log)[0] == pytest.approx(3 / 30)

    def test_joint_limit_time(self) -> None:
        margin = np.full((4, 1, 10), 0.5)
        margin[1, 0, 3:5] = 0.01  # two joints at once are one step
        margin[2, 0, 0] = -0.001  # beyond the limit
        assert metrics.joint_limit_time(make(4, joint_margin=margin))[0] == pytest.approx(0.5)

    def test_foot_impact_is_the_mean_over_touch_downs(self) -> None:
        impact = np.zeros((6, 1, 2))
        impact[1, 0, 0], impact[3, 0, 1], impact[5, 0, 0] = 0.2, 0.4, 9.0
        log = make(6, foot_impact=impact, alive=fallen_at(5, 6))
        assert metrics.foot_impact(log)[0] == pytest.approx(0.3)
        assert np.isnan(metrics.foot_impact(make(6))[0])

    def test_action_jerk(self) -> None:
        # t^3 has the third difference 6 everywhere; one of ten joints: 36 / 10.
        action = np.zeros((8, 1, 10))
        action[:, 0, 0] = np.arange(8.0) ** 3
        assert metrics.action_jerk(make(8, action=action))[0] == pytest.approx(3.6)
        # A ramp or a parabola has none.
        action[:, 0, 0] = np.arange(8.0) ** 2
        assert metrics.action_jerk(make(8, action=action))[0] == pytest.approx(0, abs=1e-12)

    def test_undefined_when_never_up(self) -> None:
        never = make(8, alive=False)
        for name in ("torque_saturation", "joint_limit_time", "action_jerk", "velocity_error"):
            assert np.isnan(getattr(metrics, name)(never)[0]), name
        assert metrics.distance(never)[0] == 0
        assert metrics.traversal(never)[0] == 0


def test_metrics_are_finite_where_defined_whatever_the_dead_log() -> None:
    broken = {
        name: np.where(np.arange(100)[:, None, None] < 50, 0.1, np.nan)
        for name in ("position_w", "velocity_h", "torque", "joint_velocity", "action", "foot_slip")
    }
    velocity = {"command": (0.4, 0, 0), "alive": fallen_at(50)}
    log = make(**broken, **velocity)
    measured = {name: metric(log) for name, metric in metrics.WALKING.items()}
    assert all(value.shape == (1,) for value in measured.values())
    for name in ("survived", "traversal", "velocity_error", "distance", "torque_saturation"):
        assert np.isfinite(measured[name]).all(), name


def test_float32_logs_give_float64_metrics() -> None:
    log = walk((0.3, 0), 0, (0.4, 0, 0))
    single = {
        f.name: value.astype(np.float32)
        for f in dataclasses.fields(log)
        if isinstance(value := getattr(log, f.name), np.ndarray) and value.dtype == float
    }
    score = metrics.traversal(dataclasses.replace(log, **single))
    assert score.dtype == np.float64
    assert score[0] == pytest.approx(0.75, abs=1e-5)
