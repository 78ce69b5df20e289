"""What a scaled study found, from its history."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from automl.study.history import Repeat, Trial
from automl.study.scale_up import core_seconds, scale_up_of
from automl.study.scaled import Scaled
from tests.worlds.studies import (
    HUMAN,
    baseline_repeat,
    candidates,
    complete,
    failed,
    history,
    measured,
    running,
    stopped,
)

SCALED = Scaled(factor=8.0, brought_flops=1000, flops=8000, widened=HUMAN)
MODELS = candidates(6)


def trial(number: int, ne: float, ratio: float, seconds: float = 360.0) -> Trial:
    return complete(running(number, MODELS[number]), ne=ne, ratio=ratio, cpu_seconds=seconds)


def test_ne_at_equal_cost_and_cost_at_equal_ne() -> None:
    trials = [
        trial(0, 0.880, 0.9),  # the lowest NE, too slow
        trial(1, 0.890, 1.1),
        trial(2, 0.899, 2.0),
        trial(3, 0.910, 4.0),  # the fastest, worse
        stopped(running(4, MODELS[4]), ne=0.80, ratio=3.0),
        failed(running(5, MODELS[5])),
    ]
    found = scale_up_of(history(trials), [], SCALED)
    assert found.equal_cost is not None
    assert (found.equal_cost.trial, found.equal_cost.qps_ratio) == (1, 1.1)
    assert found.equal_cost.gain_pct == pytest.approx(100 * (0.89 / 0.9 - 1))
    assert found.equal_ne is not None
    assert (found.equal_ne.trial, found.equal_ne.qps_ratio) == (2, 2.0)
    assert found.core_hours == pytest.approx(0.4)
    assert found.gain_per_core_hour_pct == pytest.approx(found.equal_cost.gain_pct / 0.4)


def test_nothing_found_is_none_and_gains_nothing() -> None:
    slow = scale_up_of(history([trial(0, 0.88, 0.9)]), [], SCALED)
    assert (slow.equal_cost, slow.equal_ne, slow.gain_per_core_hour_pct) == (None, None, 0.0)
    worse = scale_up_of(history([trial(0, 0.91, 1.2)]), [], SCALED)
    assert worse.equal_cost is not None
    assert worse.equal_cost.gain_pct > 0
    assert (worse.equal_ne, worse.gain_per_core_hour_pct) == (None, 0.0)
    empty = scale_up_of(history([]), [], SCALED)
    assert (empty.core_hours, empty.gain_per_core_hour_pct) == (0.0, 0.0)


def test_what_capacity_is_worth_is_told_order_by_order() -> None:
    brought = [baseline_repeat(repeat, ne) for repeat, ne in enumerate((0.908, 0.909, 0.910))]
    brought = [complete(one, ne=one.measurement.ne, ratio=6.0) for one in brought if one.measurement]
    found = scale_up_of(history([]), brought, SCALED)
    assert found.brought_ne == pytest.approx(0.909)
    assert found.brought_ne_std == pytest.approx(0.001)
    assert found.brought_qps_ratio == 6.0
    assert found.capacity_gain_pct == pytest.approx(100 * (0.9 / 0.909 - 1), abs=1e-4)
    assert found.capacity_error_pct < 0.001, "what an order does to both cancels"
    none = scale_up_of(history([]), [], SCALED)
    assert math.isnan(none.brought_ne)
    assert math.isnan(none.capacity_gain_pct)


def test_repeats_are_spent_too() -> None:
    repeat = Repeat(order=1, measurement=measured(MODELS[0], ne=0.89), cpu_seconds=40.0)
    spent = [replace(trial(0, 0.89, 1.0, seconds=60.0), repeats=(repeat,)), running(1, MODELS[1])]
    assert core_seconds(spent) == 100.0
