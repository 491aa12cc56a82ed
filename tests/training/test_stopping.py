"""Budgets of time and steps, and interruption by signals."""

import signal
from pathlib import Path

import pytest

from grek.training import stopping
from grek.training.config import TrainConfig
from grek.training.stopping import Budget, Interruption


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """A clock whose time is its only element [s]."""
    now = [100.0]
    monkeypatch.setattr(stopping.time, "monotonic", lambda: now[0])
    return now


def test_a_budget_of_steps_begins_at_the_first_and_includes_the_past(clock):
    budget = Budget(TrainConfig(Path(), steps=300), first_step=100)
    clock[0] += 1e6  # time does not matter
    assert [budget.spent(step) for step in (100, 399, 400)] == [False, False, True]
    assert budget.fraction(100) == 0.25  # 100 of 400
    assert budget.fraction(500) == 1.0


def test_a_budget_of_minutes_counts_from_its_construction(clock):
    budget = Budget(TrainConfig(Path(), minutes=2), first_step=100)
    clock[0] += 30
    assert budget.fraction(10**9) == 0.25 and not budget.spent(10**9)
    clock[0] += 91
    assert budget.fraction(0) == 1.0 and budget.spent(0)


def test_a_budget_of_zero_minutes_is_spent_at_once(clock):
    budget = Budget(TrainConfig(Path(), minutes=0), first_step=0)
    clock[0] += 0.1
    assert budget.spent(0) and budget.fraction(0) == 0.0


def test_ten_minutes_are_the_default(clock):
    assert Budget(TrainConfig(), 0).seconds == 600
    assert Budget(TrainConfig(steps=5), 0).seconds is None


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_first_signal_is_a_request_the_second_interrupts(number):
    before = signal.getsignal(number)
    with pytest.raises(KeyboardInterrupt), Interruption() as interruption:
        assert not interruption.requested
        signal.raise_signal(number)
        assert interruption.requested
        signal.raise_signal(number)
    assert signal.getsignal(number) is before
