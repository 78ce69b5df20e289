"""Lists of events: cut, taken and set side by side as plain Python would."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from automl.ranking.features import Features, read, read_parts
from automl.ranking.lists import Lists, kinds_of_gaps
from tests.worlds.histories import remembered

LOG = remembered(300)
HISTORY = LOG.histories[0]
Event = tuple[int, int, int]  # id, kind of gap, actions


def of_row(n: int) -> list[Event]:
    """As the log has it."""
    assert HISTORY.times_P is not None
    assert HISTORY.actions_P is not None
    assert LOG.times_N is not None
    stop, count = int(HISTORY.stop_N[n]), int(HISTORY.count_N[n])
    span = slice(stop - count, stop)
    gaps = kinds_of_gaps(LOG.times_N[n] - HISTORY.times_P[span])
    return list(zip(HISTORY.ids_P[span].tolist(), gaps.tolist(), HISTORY.actions_P[span].tolist(), strict=True))


def told(lists: Lists) -> list[list[Event]]:
    events = lists.events()
    assert events.gaps_L is not None
    assert events.actions_L is not None
    made: list[list[Event]] = [[] for _ in range(len(lists))]
    for row, *event in zip(events.row_L, events.ids_L, events.gaps_L, events.actions_L, strict=True):
        made[int(row)].append((int(event[0]), int(event[1]), int(event[2])))
    return made


@settings(max_examples=40, deadline=None)
@given(
    rows=st.lists(st.integers(0, 299), max_size=20), most=st.integers(1, 7), action=st.integers(0, 2), data=st.data()
)
def test_the_latest_events_of_an_action(rows: list[int], most: int, action: int, data: st.DataObject) -> None:
    whole = read(LOG, np.array(rows, np.int64)).lists_S[0]
    expected = [[event for event in of_row(n) if not action or event[2] >> (action - 1) & 1][-most:] for n in rows]
    cut = whole.latest(most, action)
    assert told(cut) == expected
    index = data.draw(st.lists(st.integers(0, len(rows) - 1), max_size=9)) if rows else []
    assert told(cut.take(torch.tensor(index, dtype=torch.int64))) == [expected[k] for k in index]
    first = data.draw(st.integers(0, len(rows)))
    assert told(cut[first:]) == expected[first:]


@pytest.mark.parametrize("spare", [False, True])
def test_places_are_those_of_a_matrix(spare: bool) -> None:
    lists = read(LOG, slice(0, 40)).lists_S[0]
    events, count_B = lists.events(spare=spare), lists.count_B
    matrix = torch.full((events.there_BK.numel() + 1,), -1, dtype=torch.int32)
    matrix[events.place_L] = events.ids_L
    matrix_BK = matrix[:-1].view(events.there_BK.shape)
    for b in range(40):
        assert events.there_BK[b].tolist() == [k < count_B[b] for k in range(events.there_BK.shape[1])]
        assert matrix_BK[b, : count_B[b]].tolist() == [event[0] for event in of_row(b)]
    assert len(events.ids_L) == int(count_B.sum()) + spare
    assert events.count_B.tolist() == count_B.tolist()


def test_rows_without_events_are_a_matrix_of_one_empty_cell() -> None:
    events = Features.unknown(LOG.inputs, 3).lists_S[0].events()
    assert len(events.ids_L) == 0
    assert events.there_BK.tolist() == [[False]] * 3


def test_parts_are_the_rows_again() -> None:
    whole = [of_row(n) for n in range(100)]
    for parts in (read(LOG, slice(0, 100)).parts(33), read_parts(LOG, slice(0, 100), 33)):
        assert [row for part in parts for row in told(part.lists_S[0])] == whole


def test_gaps_are_told_by_half_octaves_of_seconds() -> None:
    seconds = np.array([0, 0.4, 1, 3, 86_400, 30 * 86_400, 10**9, -5])
    assert kinds_of_gaps((seconds * 1e9).astype(np.int64)).tolist() == [0, 0, 2, 4, 32, 42, 59, 0]


def test_events_with_times_need_rows_with_times() -> None:
    from dataclasses import replace

    with pytest.raises(ValueError, match="rows with times"):
        read(replace(LOG, times_N=None), slice(0, 5))


def test_an_action_is_asked_of_a_feature_that_has_some() -> None:
    without = remembered(50, actions=0)
    with pytest.raises(ValueError, match="with actions"):
        read(without, slice(0, 5)).lists_S[0].latest(3, 1)
