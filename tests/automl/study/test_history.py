"""What a limit means: one value, many values, an interval; and which figure of a measurement each metric is."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from automl.stats.seeds import trial_seeds
from automl.study.history import Failure, History, Limit, Metric, Repeat, State, Trial
from search_spaces.space import Candidate
from tests.worlds.studies import (
    BASELINE_NE,
    BASELINE_STD,
    BASELINE_TRAIN_QPS,
    STUDY_SEED,
    baseline,
    candidates,
    complete,
    measured,
    running,
)

NUMBERS = st.floats(-1e6, 1e6)
BOUNDS = st.none() | NUMBERS
LIMITS = st.builds(Limit, st.sampled_from(Metric), low=BOUNDS, high=BOUNDS)


@given(limit=LIMITS, value=NUMBERS)
def test_a_limit_is_kept_between_its_bounds(limit: Limit, value: float) -> None:
    kept = (limit.low is None or value >= limit.low) and (limit.high is None or value <= limit.high)
    assert (limit.excess(value) <= 0) is kept
    assert limit.keeps(np.array([value])).tolist() == [kept]


@given(limit=LIMITS, value=st.sampled_from([math.nan, math.inf, -math.inf]))
def test_a_figure_that_is_not_known_keeps_no_limit(limit: Limit, value: float) -> None:
    assert math.isnan(limit.excess(value))
    assert not limit.keeps(np.array([value])).any()


@given(limit=LIMITS, ends=st.tuples(NUMBERS, NUMBERS).map(sorted), share=st.floats(0, 1))
def test_the_least_excess_of_an_interval_is_that_of_no_value_in_it(
    limit: Limit, ends: list[float], share: float
) -> None:
    """Only an interval that lies beyond as a whole surely breaks a limit."""
    first, last = ends
    assert limit.least_excess(first, last) <= limit.excess(min(max(first + share * (last - first), first), last))
    if limit.low is None or limit.high is None:
        assert limit.least_excess(first, last) == min(limit.excess(first), limit.excess(last))


def _of(candidate: Candidate, **figures: Any) -> Trial:
    return replace(running(1, candidate), state=State.COMPLETE, measurement=measured(candidate, **figures))


def test_every_metric_has_its_figure() -> None:
    (candidate,) = candidates(1)
    found = _of(candidate, ne=BASELINE_NE * 1.02, ratio=1.5, train_qps=BASELINE_TRAIN_QPS / 2)
    figures = {metric: baseline().metric(metric, found) for metric in Metric}
    expected = {Metric.NE_GAIN_PCT: 2.0, Metric.QPS_RATIO: 1.5, Metric.TRAIN_QPS_RATIO: 0.5}
    assert figures == pytest.approx(expected)


@pytest.mark.parametrize("train_qps", [None, 0.0, math.nan])
def test_training_speed_that_was_not_measured_is_no_figure(train_qps: float | None) -> None:
    (candidate,) = candidates(1)
    found = _of(candidate, ne=BASELINE_NE, train_qps=train_qps)
    assert math.isnan(baseline().metric(Metric.TRAIN_QPS_RATIO, found))
    unknown = replace(baseline(), train_qps=math.nan)
    assert math.isnan(unknown.metric(Metric.TRAIN_QPS_RATIO, _of(candidate, ne=BASELINE_NE)))


def test_limits_of_one_metric_count_by_the_worst() -> None:
    (candidate,) = candidates(1)
    limits = (
        Limit(Metric.QPS_RATIO, low=2.0),
        Limit(Metric.QPS_RATIO, high=4.0),
        Limit(Metric.TRAIN_QPS_RATIO, low=1.0),
    )
    found = _of(candidate, ne=BASELINE_NE, ratio=1.5, train_qps=None)
    assert baseline().excess(limits, found) == {Metric.QPS_RATIO: 0.5}
    assert not baseline().keeps(limits, found)
    assert not baseline().keeps(limits[2:], found), "what is not known is not kept"
    assert baseline().keeps((), found)


def repeat(candidate: Candidate, order: int, ne: float) -> Repeat:
    seeds = trial_seeds(STUDY_SEED, order)
    return Repeat(order=order, measurement=measured(candidate, ne=ne), seeds=seeds)


def test_each_training_is_held_against_the_baseline_on_its_own_order() -> None:
    """The baseline has NE - std, NE, NE + std on orders 0, 1, 2: a model that follows it by 1% gains 1% on each."""
    (candidate,) = candidates(1)
    on = [1.01 * (BASELINE_NE + shift) for shift in (-BASELINE_STD, 0.0, BASELINE_STD)]
    seeds = trial_seeds(STUDY_SEED, 0)
    trial = complete(running(1, candidate), ne=on[0], seeds=seeds)
    assert baseline().mean_gain_pct(trial) == pytest.approx(1.0)
    again = replace(trial, repeats=tuple(repeat(candidate, order, on[order]) for order in (1, 2)))
    assert baseline().gains_pct(again) == pytest.approx((1.0, 1.0, 1.0))
    alone = History(baseline(), (trial,))
    together = History(baseline(), (again,))
    assert alone.noise_pct == pytest.approx(100 * BASELINE_STD / BASELINE_NE), "nothing else is known"
    assert together.noise_pct == pytest.approx(alone.noise_pct / math.sqrt(2)), "two trainings more, without luck"
    found = together.gain(again)
    assert (found.pct, found.trainings) == (pytest.approx(1.0), 3)
    assert found.error_pct == pytest.approx(together.noise_pct / math.sqrt(3))


def test_an_order_that_the_baseline_was_not_trained_on_is_held_against_its_mean() -> None:
    (candidate,) = candidates(1)
    assert baseline().gain_pct(0.99 * BASELINE_NE) == pytest.approx(-1.0)
    strange = complete(running(1, candidate), ne=0.99 * BASELINE_NE, seeds={"order": 5})
    assert baseline().mean_gain_pct(strange) == pytest.approx(-1.0)
    assert math.isnan(baseline().mean_gain_pct(running(1, candidate)))


def test_a_repeat_that_failed_makes_its_trial_unfit_but_a_lost_one_does_not() -> None:
    (candidate,) = candidates(1)
    trial = complete(running(1, candidate))
    lost, diverged = Failure("lost", "its process ended"), Failure("diverged", "NE is not a number")
    assert replace(trial, repeats=(Repeat(order=1, failure=lost),)).unfit is None
    unfit = replace(trial, repeats=(Repeat(order=1, failure=lost), Repeat(order=2, failure=diverged)))
    assert unfit.unfit == diverged
    assert len(unfit.trainings) == 1


def test_a_limit_may_be_about_one_of_several_labels() -> None:
    def with_nes(trial: Trial, **nes: float) -> Trial:
        assert trial.measurement is not None
        return replace(trial, measurement=replace(trial.measurement, nes=nes))

    plain = baseline()
    several = replace(plain, trials=tuple(with_nes(trial, ctr=0.8, cvr=BASELINE_NE) for trial in plain.trials))
    assert (plain.tasks, several.tasks) == ((), ("ctr", "cvr"))
    limit = Limit(Metric.NE_GAIN_PCT, high=0.1, task="ctr")
    one, other = candidates(2)
    good, bad = with_nes(_of(one, ne=0.89), ctr=0.8), with_nes(_of(other, ne=0.89), ctr=0.804)
    assert several.mean_gain_pct(bad, "ctr") == pytest.approx(0.5)
    assert [several.keeps([limit], trial) for trial in (good, bad, _of(one, ne=0.89))] == [True, False, False]
    assert several.excess([limit], bad) == {"ne_gain_pct.ctr": pytest.approx(0.4)}
    assert several.excess([limit], _of(one, ne=0.89)) == {}, "what was not measured is no figure"
