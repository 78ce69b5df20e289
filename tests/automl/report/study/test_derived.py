"""Front, progress and picks against plain definitions."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from automl.report.common.plot import Figure
from automl.report.study.data import ReportData
from automl.report.study.derived import View, busy_seconds
from automl.report.study.front_figure import front
from automl.stats import pareto
from automl.study.history import CurvePoint, Failure, History, Limit, Metric, State, Trial
from tests.worlds.report_studies import (
    complete,
    failed,
    history_of,
    make_facts,
    make_finals,
    on_part,
    rich_data,
    rich_history,
    roles_of,
)


def view_of(history: History, **more: object) -> View:
    return View(ReportData(facts=make_facts(), history=history, **more))  # type: ignore[arg-type]


def figures(trial: Trial) -> tuple[float, float]:
    assert trial.measurement is not None
    return trial.measurement.ne, trial.measurement.speed.qps_ratio


def test_front_is_what_no_complete_trial_beats() -> None:
    view = view_of(rich_history())
    done = view.history.of_state(State.COMPLETE)
    beaten = {
        a.number
        for a in done
        for b in done
        if figures(b)[0] <= figures(a)[0] and figures(b)[1] >= figures(a)[1] and figures(a) != figures(b)
    }
    assert {p.trial.number for p in view.front} == {t.number for t in done} - beaten
    ratios = [p.qps_ratio for p in view.front]
    assert ratios == sorted(ratios)


def test_stopped_trials_are_shown_but_never_on_the_front() -> None:
    good = complete(1, gain=-5.0, ratio=3.0)
    view = view_of(history_of(replace(good, state=State.STOPPED), complete(2, gain=0.1, ratio=0.9)))
    assert [(p.trial.number, p.on_front) for p in view.points] == [(1, False), (2, True)]


def test_the_chart_tells_trials_on_a_part_from_those_that_were_stopped() -> None:
    good, early = (complete(number, gain=-1.0, ratio=2.0) for number in (1, 2))
    early = replace(early, state=State.STOPPED, curve=(CurvePoint(100, 0.9, 0.9),))
    drawn = front(view_of(history_of(good, early, on_part(3, 0.9, -1.0, pilot=False))))
    assert isinstance(drawn, Figure)
    dots = {trace["name"]: trace["customdata"] for trace in drawn.data if "customdata" in trace}
    assert (dots["stopped early"], dots["on a part"]) == ([2], [3])
    assert {"stopped early, NE extrapolated", "on a part of the rows, NE foretold"} <= {
        text for _, text in drawn.legend
    }


def test_a_stopped_trial_without_an_extrapolation_has_no_point() -> None:
    trial = complete(1, gain=math.nan, ratio=1.0)
    assert view_of(history_of(replace(trial, state=State.STOPPED))).points == ()


@pytest.mark.parametrize(
    ("limit", "kept"),
    [
        (Limit(Metric.QPS_RATIO, low=0.95), {2}),
        (Limit(Metric.QPS_RATIO, high=0.95), {1}),
        (Limit(Metric.NE_GAIN_PCT, high=-0.2), {1}),
        (Limit(Metric.TRAIN_QPS_RATIO, low=0.9), {2}),
    ],
)
def test_limits_keep_trials_off_the_front(limit: Limit, kept: set[int]) -> None:
    trials = (complete(1, gain=-0.3, ratio=0.8), complete(2, gain=-0.1, ratio=1.3))
    view = view_of(history_of(*trials, limits=(limit,)))
    assert {p.trial.number for p in view.front} == kept


def test_progress_is_that_of_every_prefix() -> None:
    view = view_of(rich_history())
    ended = sorted(view.history.trials, key=lambda t: (t.ended_at, t.number))
    progress = view.progress
    for count in (1, 7, 30, len(ended)):
        seen = [t for t in ended[:count] if t.state is State.COMPLETE]
        gains = np.array([view.gain_pct(t) for t in seen])
        ratios = np.array([figures(t)[1] for t in seen])
        known = pareto.hypervolume(pareto.objectives(gains, ratios)) if seen else 0.0
        assert progress.hypervolume[count - 1] == pytest.approx(known)
        if seen:
            assert progress.best_gain_pct[count - 1] == gains.min()
        fast = gains[ratios >= 1]
        assert np.array_equal(progress.best_gain_at_speed_pct[count - 1], fast.min() if len(fast) else np.nan, True)
        good = ratios[gains <= 0]
        assert np.array_equal(progress.best_ratio_at_quality[count - 1], good.max() if len(good) else np.nan, True)
    cores = sum(t.cpu_seconds or 0.0 for t in ended) / 3600
    assert progress.core_hours[-1] == pytest.approx(cores)
    assert progress.seconds[-1] <= max(t.ended_at or 0.0 for t in ended) - min(t.started_at or 0.0 for t in ended)


@given(st.lists(st.tuples(st.integers(0, 60), st.integers(0, 20)), max_size=12))
def test_busy_time_counts_each_second_once(spans: list[tuple[int, int]]) -> None:
    intervals = [(float(start), float(start + length)) for start, length in spans]
    for (_, end), busy in zip(intervals, busy_seconds(intervals), strict=True):
        held = {s for a, b in intervals for s in range(int(a), int(b)) if s < end}
        assert busy == len(held)


def test_busy_time_of_a_trial_without_times_is_not_known() -> None:
    assert np.isnan(busy_seconds([(None, None)])[0])


def test_failures_are_grouped_by_kind_and_reason() -> None:
    trials = [
        failed(1, "memory", "a"),
        failed(2, "diverged", "b"),
        failed(3, "diverged", "c"),
        failed(4, "diverged", "b"),
    ]
    bare = replace(failed(5), failure=None)
    counts = view_of(history_of(*trials, bare)).failure_counts
    assert counts[0] == ("diverged", [("b", [2, 4]), ("c", [3])])
    assert ("error", [("not recorded", [5])]) in counts
    assert Failure("memory", "a") == trials[0].failure


def test_picks_of_the_search_are_ordered_and_known() -> None:
    history = history_of(complete(1, gain=-0.1, ratio=1.2), complete(2, gain=-0.2, ratio=0.7), failed(3))
    view = view_of(history, picks={"unlimited": 2, "accurate": 1, "fast": 3, "balanced": 99})
    assert [(role, p.trial.number) for role, p in view.picks] == [("accurate", 1), ("unlimited", 2)]


def test_without_picks_the_extremes_of_the_front_stand_in() -> None:
    trials = (
        complete(1, gain=-0.1, ratio=1.2),
        complete(2, gain=-0.2, ratio=0.7),
        complete(3, gain=-0.02, ratio=1.9),
        complete(4, gain=0.5, ratio=4.0),
    )
    view = view_of(history_of(*trials))
    assert [(role, p.trial.number) for role, p in view.picks] == [("accurate", 1), ("fast", 3), ("unlimited", 2)]


def test_picks_of_the_finals_are_what_the_page_marks() -> None:
    history = rich_history()
    finals = make_finals(history, ("no better",))
    view = View(replace(rich_data(), finals=finals))
    assert [p.trial.number for _, p in view.picks] == [finals.picks[0].trial]
    assert {p.trial.number for _, p in view.search_picks} == set(roles_of(history).values())
