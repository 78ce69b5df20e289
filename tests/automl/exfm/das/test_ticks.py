"""Ticks cut windows, and nothing is lost between them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from automl.data.store.stream import Window
from automl.exfm.das.ticks import ticks_of


def test_a_tick_is_a_window_where_no_interval_is_given() -> None:
    times = np.array([0, 5, 10, 15], np.int64)
    windows = [Window("a", slice(0, 2), 0, 10), Window("b", slice(2, 4), 10, 20)]
    ticks = ticks_of(times, windows, None)
    assert [(t.index, t.window, t.window_name, t.rows, t.start_ns, t.end_ns) for t in ticks] == [
        (0, 0, "a", slice(0, 2), 0, 10),
        (1, 1, "b", slice(2, 4), 10, 20),
    ]


def test_the_last_tick_of_a_window_ends_with_it_and_empty_ones_stay() -> None:
    times = np.array([0, 3, 4, 9, 10], np.int64)
    ticks = ticks_of(times, [Window("a", slice(0, 4), 0, 10), Window("b", slice(4, 5), 10, 14)], 4)
    assert [(t.start_ns, t.end_ns, t.rows.start, t.rows.stop) for t in ticks] == [
        (0, 4, 0, 2),
        (4, 8, 2, 3),
        (8, 10, 3, 4),
        (10, 14, 4, 5),
    ]
    assert ticks_of(times[:1], [Window("a", slice(0, 1), 0, 10)], 5)[1].rows == slice(1, 1)


def test_rows_stay_in_their_window_where_times_are_equal() -> None:
    times = np.array([1, 2, 2, 2], np.int64)
    windows = [Window("rows 0-2", slice(0, 2), 1, 2), Window("rows 2-4", slice(2, 4), 2, 3)]
    assert [t.rows for t in ticks_of(times, windows, 1)] == [slice(0, 2), slice(2, 4)]


@given(
    st.lists(st.integers(0, 99), max_size=60),
    st.lists(st.integers(1, 99), max_size=4, unique=True),
    st.none() | st.integers(1, 120),
)
def test_ticks_follow_each_other(times: list[int], cuts: list[int], every: int | None) -> None:
    times_N = np.sort(np.array(times, np.int64))
    edges = [0, *sorted(cuts), 100]
    spots = np.searchsorted(times_N, edges)
    windows = [
        Window(str(k), slice(int(spots[k]), int(spots[k + 1])), edges[k], edges[k + 1]) for k in range(len(edges) - 1)
    ]
    ticks = ticks_of(times_N, windows, every)
    assert [t.index for t in ticks] == list(range(len(ticks)))
    assert np.concatenate([np.arange(len(times))[t.rows] for t in ticks]).tolist() == list(range(len(times)))
    for tick in ticks:
        assert ((times_N[tick.rows] >= tick.start_ns) & (times_N[tick.rows] < tick.end_ns)).all()
        window = windows[tick.window]
        assert window.start_ns <= tick.start_ns < tick.end_ns <= window.end_ns
        assert every is None or tick.end_ns - tick.start_ns <= every
    assert [t.start_ns for t in ticks][1:] == [t.end_ns for t in ticks][:-1]


def test_an_interval_must_be_positive() -> None:
    with pytest.raises(ValueError, match="positive"):
        ticks_of(np.empty(0, np.int64), [], 0)
