"""An encoded log by its days."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace

import numpy as np
import pytest

from automl.data.store.log import EncodedLog
from automl.study.problem import load_problem
from tests.worlds.judged import write_judged_study


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> EncodedLog:
    return load_problem(write_judged_study(tmp_path_factory.mktemp("days"), three_days=True)).log


def test_a_window_is_its_days_one_after_the_other(log: EncodedLog) -> None:
    days = log.days("test")
    assert [day for day, _ in days] == [dt.date(2024, 3, day) for day in (9, 10, 11)]
    assert log.times_N is not None
    for day, rows in days:
        seen = np.unique(log.times_N[rows] // (86_400 * 10**9))
        assert [dt.date.fromtimestamp(0) + dt.timedelta(days=int(k)) for k in seen] == [day]
    bounds = [edge for _, rows in days for edge in (rows.start, rows.stop)]
    assert (bounds[0], bounds[-1]) == (log.windows["test"].start, log.windows["test"].stop)
    assert bounds[1:-1:2] == bounds[2::2], "no row is left out"


def test_days_are_those_of_the_logs_timezone(log: EncodedLog) -> None:
    assert log.times_N is not None
    there = replace(log, timezone="Asia/Shanghai").days("test")
    assert [day.day for day, _ in there] == [9, 10, 11, 12], "its midnight is 16:00 UTC"
    hour = 3600 * 10**9
    assert log.times_N[there[1][1].start] // hour % 24 >= 16
    assert log.times_N[there[1][1].start - 1] // hour % 24 < 16


def test_a_day_without_rows_is_none(log: EncodedLog) -> None:
    assert log.times_N is not None
    last = log.days("test")[-1][1]
    times = log.times_N.copy()
    times[last] += 2 * 86_400 * 10**9
    assert [day.day for day, _ in replace(log, times_N=times).days("test")] == [9, 10, 13]
    assert replace(log, times_N=None).days("test") == ()
