"""List columns of events, against plain loops."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from automl.data.columns.kinds import cast
from automl.data.columns.lists import (
    MS,
    EventClock,
    Lists,
    action_names,
    alike,
    before_in,
    holds_lists,
    places,
    plain_of,
    read_lists,
)

EVENT = st.tuples(st.sampled_from([None, 1, 2, 3]), st.one_of(st.none(), st.integers(0, 9)), st.sampled_from("ab"))
ROWS = st.lists(st.one_of(st.none(), st.lists(EVENT, max_size=6)), max_size=8)


def events_of(lists: Lists) -> list[list[tuple[Any, ...]]]:
    assert lists.times_E is not None
    assert lists.kinds_E is not None
    of_all = [
        (lists.values[code - 1].as_py(), time // MS, lists.kinds[kind - 1].as_py())
        for code, time, kind in zip(lists.codes_E.tolist(), lists.times_E.tolist(), lists.kinds_E.tolist(), strict=True)
    ]
    ends = np.cumsum(lists.counts_N).tolist()
    return [of_all[end - count : end] for end, count in zip(ends, lists.counts_N.tolist(), strict=True)]


@given(ROWS, st.integers(1, 4), st.integers(0, 10))
def test_events_are_those_of_a_loop(rows: list[Any], most: int, now: int) -> None:
    """Those with an id and a time; then the earlier ones; then the last ones."""
    rows = [row if row is None else sorted(row, key=lambda event: event[1] or 0) for row in rows]
    kinds = (pa.int64(), pa.int64(), pa.string())
    columns = [
        pa.array([row if row is None else [event[k] for event in row] for row in rows], pa.list_(kind))
        for k, kind in enumerate(kinds)
    ]
    found = read_lists(columns[0], pa.int64(), columns[1], columns[2], EventClock(nanoseconds))
    assert not found.wrong
    wanted = [[event for event in row or [] if None not in event] for row in rows]
    assert events_of(found) == wanted
    early, late = found.before(np.full(len(rows), now * MS, np.int64))
    assert events_of(early) == [[event for event in row if event[1] < now] for row in wanted]
    assert late == sum(any(event[1] >= now for event in row) for row in wanted)
    assert events_of(found.last(most)) == [row[-most:] for row in wanted]


def nanoseconds(ms: pa.Array) -> pa.Array:
    return pa.array([None if value is None else value * MS for value in ms.to_pylist()], pa.int64())


@given(st.lists(st.lists(st.integers(0, 9), max_size=7), min_size=1, max_size=6), st.integers(0, 10))
def test_a_list_ends_before_the_time_of_a_row(lists: list[list[int]], now: int) -> None:
    lists = [sorted(times) for times in lists]
    stop = np.cumsum([len(times) for times in lists], dtype=np.int64)
    start = stop - np.array([len(times) for times in lists])
    times_P = np.array([time * MS for times in lists for time in times], np.int64)
    if len(times_P):
        found = before_in(times_P, start, stop, np.full(len(lists), now * MS, np.int64)) - start
        assert found.tolist() == [sum(time < now for time in times) for times in lists]
        assert places(stop, stop - start).tolist() == list(range(len(times_P)))


@pytest.mark.parametrize(
    ("kind", "of", "untyped", "fits"),
    [
        (pa.int32(), pa.int64(), False, True),
        (pa.float64(), pa.int64(), False, True),
        (pa.large_string(), pa.string(), False, True),
        (pa.int64(), pa.string(), False, False),
        (pa.int64(), pa.string(), True, True),
        (pa.string(), pa.int64(), False, False),
        (pa.null(), pa.int64(), False, True),
        (pa.string(), pa.dictionary(pa.int32(), pa.string()), False, True),
    ],
)
def test_which_lists_hold_values_of_a_column(kind: pa.DataType, of: pa.DataType, untyped: bool, fits: bool) -> None:
    assert alike(kind, of, untyped) is fits


def test_what_holds_lists() -> None:
    assert all(map(holds_lists, (pa.null(), pa.list_(pa.int64()), pa.large_list(pa.string()), pa.list_(pa.int8(), 3))))
    assert not any(map(holds_lists, (pa.int64(), pa.string(), pa.list_(pa.list_(pa.int64())))))
    assert plain_of(pa.list_(pa.dictionary(pa.int32(), pa.string()))) == pa.string()


@pytest.mark.parametrize("view", [pa.list_view, pa.large_list_view])
def test_views_of_lists_of_which_some_are_missing(view: Any) -> None:
    """Arrow's own cast of them ends in an error, in other lists or in a fault of memory."""
    column = pa.array([[7], [1, 2], None, [], [3, None]] * 2, view(pa.int64())).slice(1)
    assert holds_lists(column.type)
    found = read_lists(column, pa.int64())
    assert found.counts_N.tolist() == [2, 0, 0, 1, 1, 2, 0, 0, 1]
    assert found.values.take(pa.array(found.codes_E - 1)).to_pylist() == [1, 2, 3, 7, 1, 2, 3]
    kind = pa.large_list(pa.int64())
    assert cast(column, kind).equals(pa.array(column.to_pylist(), kind))


DAY_NS = 86_400 * 10**9
SPAN = (19_700 * DAY_NS, 19_707 * DAY_NS)


@pytest.mark.parametrize("factor", [10**3, 10**6, 10**9])
def test_times_of_another_unit_are_wrong(factor: int) -> None:
    """Those that a larger unit would put near the log; not those of long ago, of before 1970, or of no time at all."""
    times = pa.array([[-1, 0, 1, 9_000 * DAY_NS], [SPAN[0], SPAN[1] + DAY_NS]], pa.list_(pa.int64()))
    ids = pa.array([[1] * 4, [1] * 2])
    clock = EventClock(lambda values: values, "ms", SPAN)
    assert not read_lists(ids, None, times, clock=clock).wrong
    (wrong,) = read_lists(pa.array([[1]]), None, pa.array([[SPAN[0] // factor]]), clock=clock).wrong
    assert (wrong.part, wrong.count, wrong.example[:7]) == ("times", 1, "1970-01")
    assert wrong.must == "must hold times in its lists that lie near the log; numbers are read in ms, as the log's time"
    assert not read_lists(ids, None, times, clock=EventClock(clock.read)).wrong


def test_ids_as_doubles_are_exact_or_wrong() -> None:
    exact, far = ([[float(1 << 53), None, float("nan")]], [[2.0**60]])
    assert not read_lists(pa.array(exact), pa.int64()).wrong
    (wrong,) = read_lists(pa.array(far), pa.int64()).wrong
    assert (wrong.part, wrong.example) == ("column", str(1 << 60))
    assert wrong.must == "must hold int64 in its lists; as doubles they are exact up to 2**53"


@pytest.mark.parametrize(
    ("kinds", "names"),
    [
        (pa.array([1, 2], pa.int8()), ["1", "2"]),
        (pa.array([1.0, 2.5]), ["1", "2.5"]),
        (pa.array(["1.0", "2", "v1.0", "like"]), ["1", "2", "v1.0", "like"]),
        (pa.array([True, False]), ["1", "0"]),
        (pa.array([Decimal("1.00"), Decimal("-2.50")]), ["1", "-2.50"]),
    ],
)
def test_an_action_has_one_name_however_it_is_written(kinds: pa.Array, names: list[str]) -> None:
    assert action_names(kinds) == names
