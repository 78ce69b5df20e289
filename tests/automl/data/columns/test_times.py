from __future__ import annotations

import datetime as dt
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from automl.data.columns.times import (
    NANOSECONDS,
    NotTimesError,
    Unit,
    days_of,
    edges_of,
    made_column,
    midnight,
    nanoseconds,
    unit_of,
)

ZONES = ("UTC", "Asia/Shanghai", "America/New_York", "Australia/Lord_Howe")  # the last one shifts by half an hour
HOUR = 3600 * 10**9
TIMES = st.lists(st.integers(10**18, 2 * 10**18), min_size=1, max_size=20)


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
def test_the_unit_is_told_by_the_size_of_a_time_of_these_days(unit: Unit) -> None:
    assert unit_of(1.7e18 / NANOSECONDS[unit]) == unit


@given(TIMES, st.sampled_from(ZONES))
def test_hours_weekdays_and_days_are_those_of_the_wall(times: list[int], zone: str) -> None:
    ns = np.array(times, np.int64)
    wall = [dt.datetime.fromtimestamp(time // 10**9, ZoneInfo(zone)) for time in times]
    assert made_column("@hour", ns, zone).to_pylist() == [at.hour for at in wall]
    assert made_column("@weekday", ns, zone).to_pylist() == [at.weekday() for at in wall]
    epoch = dt.date(1970, 1, 1)
    days = [(at.date() - epoch).days for at in wall]
    assert (made_column("@day", ns, zone).to_numpy() // 86_400).tolist() == days


@given(TIMES, st.sampled_from(ZONES), st.sampled_from([600.0, 3600.0, 21_600.0, 86_400.0]))
def test_boundaries_hold_all_times_and_begin_anew_at_midnight(times: list[int], zone: str, every: float) -> None:
    first = min(times)
    last = min(max(times), first + 5 * 24 * HOUR)
    edges = edges_of(first, last, every, zone)
    assert edges[0] <= first
    assert edges[-1] > last
    assert (np.diff(edges) > 0).all()
    midnights = {midnight(day, zone) for day in days_of(first, last, zone)}
    assert {edge for edge in midnights if first < edge <= last} <= set(edges.tolist())


def test_a_day_that_loses_an_hour_has_an_interval_less() -> None:
    zone, day = "America/New_York", dt.date(2024, 3, 10)
    start, end = midnight(day, zone), midnight(day + dt.timedelta(days=1), zone)
    assert end - start == 23 * HOUR
    assert len(edges_of(start, end - 1, 3600.0, zone)) == 24


def test_a_fraction_of_a_second_is_kept_and_missing_stays_missing() -> None:
    found = nanoseconds(pa.array([1.5, None]), "s", "UTC")
    assert found.to_pylist() == [1_500_000_000, None]
    with pytest.raises(NotTimesError, match="without a unit"):
        nanoseconds(pa.array([1]), None, "UTC")


def test_text_without_a_zone_is_wall_time() -> None:
    texts = pa.array(["2024-03-04T08:00:00"])
    there = nanoseconds(texts, None, "Asia/Shanghai").to_pylist()[0]
    assert there == midnight(dt.date(2024, 3, 4), "UTC")
    assert nanoseconds(pa.array(["2024-03-04T00:00:00Z"]), None, "Asia/Shanghai").to_pylist() == [there]


@pytest.mark.parametrize(
    "text",
    ["2024-03-01 00:03:53 UTC", "2024/03/01 00:03:53Z", "20240301T000353Z", "2024-03-01 08:03:53 +0800",
     "2024-03-01 00:03:53,000+00:00"],
)  # fmt: skip
def test_years_first_are_read_in_many_ways_to_write_them(text: str) -> None:
    (found,) = nanoseconds(pa.array([text]), None, "Asia/Tokyo").to_pylist()
    assert found == 1_709_251_433 * 10**9


@pytest.mark.parametrize(
    ("values", "form"),
    [
        (["20240229", "20240230"], "%Y%m%d"),
        ([20240430, 20240431], "%Y%m%d"),
        (["24-03-01 23", "24-02-30 01"], "%y-%m-%d %H"),
    ],
)
def test_days_that_are_none_are_refused(values: list[object], form: str) -> None:
    with pytest.raises(NotTimesError, match="which is no"):
        nanoseconds(pa.array(values), None, "UTC", form)
    assert nanoseconds(pa.array(values[:1]), None, "UTC", form).null_count == 0
