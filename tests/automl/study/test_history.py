"""What a limit means: one value, many values, an interval; and which figure of a measurement each metric is."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from automl.study.history import Limit, Metric
from tests.worlds.studies import BASELINE_NE, BASELINE_TRAIN_QPS, baseline, candidates, measured

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


def test_every_metric_has_its_figure() -> None:
    (candidate,) = candidates(1)
    found = measured(candidate, ne=BASELINE_NE * 1.02, ratio=1.5, train_qps=BASELINE_TRAIN_QPS / 2)
    figures = {metric: baseline().metric(metric, found) for metric in Metric}
    expected = {Metric.NE_GAIN_PCT: 2.0, Metric.QPS_RATIO: 1.5, Metric.TRAIN_QPS_RATIO: 0.5}
    assert figures == pytest.approx(expected)


@pytest.mark.parametrize("train_qps", [None, 0.0, math.nan])
def test_training_speed_that_was_not_measured_is_no_figure(train_qps: float | None) -> None:
    (candidate,) = candidates(1)
    found = measured(candidate, ne=BASELINE_NE, train_qps=train_qps)
    assert math.isnan(baseline().metric(Metric.TRAIN_QPS_RATIO, found))
    unknown = replace(baseline(), train_qps=math.nan)
    assert math.isnan(unknown.metric(Metric.TRAIN_QPS_RATIO, measured(candidate, ne=BASELINE_NE)))


def test_limits_of_one_metric_count_by_the_worst() -> None:
    (candidate,) = candidates(1)
    limits = (
        Limit(Metric.QPS_RATIO, low=2.0),
        Limit(Metric.QPS_RATIO, high=4.0),
        Limit(Metric.TRAIN_QPS_RATIO, low=1.0),
    )
    found = measured(candidate, ne=BASELINE_NE, ratio=1.5, train_qps=None)
    assert baseline().excess(limits, found) == {Metric.QPS_RATIO: 0.5}
    assert not baseline().keeps(limits, found)
    assert not baseline().keeps(limits[2:], found), "what is not known is not kept"
    assert baseline().keeps((), found)
