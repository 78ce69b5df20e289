"""Lists of earlier events, against a plain loop."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from automl.data.past.counting import Counting
from automl.data.past.features import PastFeatures, SequenceBlock
from automl.data.past.rows import Gathered, PastRows
from automl.data.past.sequences import Events, listed
from automl.data.past.state import State

BASE = 1_704_067_200_000_000_000


@dataclass(frozen=True)
class World:
    """Rows in the order of time: nanoseconds, codes of two key columns and of an id (0: missing), bits."""

    times: list[int]
    keys: list[tuple[int, int]]
    ids: list[int]
    bits: list[int]


@st.composite
def worlds(draw: Any, most: int = 30) -> World:
    """Steps of parts of a millisecond and more, so that times are equal, or nearly."""
    rows = draw(st.integers(0, most))
    few = st.integers(0, 2)
    steps = draw(st.lists(st.sampled_from([0, 1, 400_000, 1_000_000, 3_500_000, 10**9]), min_size=rows, max_size=rows))
    return World(
        (BASE + np.cumsum(steps, dtype=np.int64)).tolist(),
        draw(st.lists(st.tuples(few, few), min_size=rows, max_size=rows)),
        draw(st.lists(st.integers(0, 4), min_size=rows, max_size=rows)),
        draw(st.lists(st.integers(0, 3), min_size=rows, max_size=rows)),
    )


def naive(world: World, most: int, delay_ms: int, columns: int) -> list[list[tuple[int, int, int]]]:
    """Of each row (time, id, bits) of the events that it sees."""
    found = []
    for time, key in zip(world.times, world.keys, strict=True):
        seen = [
            (then, what, bits)
            for then, of, what, bits in zip(world.times, world.keys, world.ids, world.bits, strict=True)
            if of[:columns] == key[:columns]
            and 0 not in of[:columns]
            and what > 0
            and bits > 0
            and then // 10**6 < time // 10**6 - delay_ms
        ]
        found.append(seen[-most:])
    return found


def rows_of(world: World, first: int = 0, end: int | None = None) -> PastRows:
    part = slice(first, end)
    times = np.array(world.times[part], np.int64)
    codes = np.array([(*key, what) for key, what in zip(world.keys, world.ids, strict=True)], np.int32).reshape(-1, 3)
    none = np.zeros((len(times), 0))
    events = np.array([world.bits], np.uint8).reshape(1, -1)[:, part]
    return PastRows(times, codes[part].T, none.astype(np.float32), none.astype(np.int64), events)


def features(most: int, delay_ms: int, columns: int) -> PastFeatures:
    block = SequenceBlock("watched", "video", ("user", "tab")[:columns], ("click", "like"), most, delay_ms / 1000)
    return PastFeatures((), (), None, "UTC", (), (block,))


def told(what: PastFeatures, state: State, rows: PastRows) -> tuple[list[list[tuple[int, int, int]]], State]:
    """Lists as the loop has them, and the state after these rows."""
    at = [("user", "tab", "video").index(column) for column in what.columns]
    rows = PastRows(rows.times_N, rows.codes_KN[at], rows.labels_NL, rows.arrivals_NL, rows.events_SN)
    with TemporaryDirectory() as folder:
        gathered = Gathered(len(at), 0, Path(folder), [state.tail, rows], 1)
        counting = Counting(what, state, gathered, len(state.tail))
        (found,) = counting.sequences()
        list(counting.features())
        events, lists = found.events, []
        for stop, count in zip(found.stop_N.tolist(), found.count_N.tolist(), strict=True):
            columns = (events.times_E, events.ids_E, events.bits_E)
            part = [column[stop - count : stop].tolist() for column in columns]
            lists.append(list(zip(*part, strict=True)))
        return lists, counting.after()


@settings(max_examples=150, deadline=None)
@given(worlds(), st.integers(1, 4), st.sampled_from([0, 1, 3, 1000]), st.integers(1, 2))
def test_they_are_those_of_a_loop(world: World, most: int, delay_ms: int, columns: int) -> None:
    what = features(most, delay_ms, columns)
    found, _ = told(what, State.nothing(what), rows_of(world))
    assert found == naive(world, most, delay_ms, columns)


@settings(max_examples=150, deadline=None)
@given(worlds(), st.integers(1, 4), st.sampled_from([0, 1, 3, 1000]), st.integers(1, 2), st.integers(0, 30))
def test_a_state_gives_later_rows_what_the_whole_gives_them(
    world: World, most: int, delay_ms: int, columns: int, cut: int
) -> None:
    """Wherever the log is cut between two times."""
    cut = min(cut, len(world.times))
    while 0 < cut < len(world.times) and world.times[cut] == world.times[cut - 1]:
        cut -= 1
    what = features(most, delay_ms, columns)
    first, state = told(what, State.nothing(what), rows_of(world, 0, cut))
    then, after = told(what, state, rows_of(world, cut))
    assert first + then == naive(world, most, delay_ms, columns)
    held = after.sequences[0]
    _, whole = told(what, State.nothing(what), rows_of(world))
    if world.times[cut:]:
        assert sorted(held.times_E.tolist()) == sorted(whole.sequences[0].times_E.tolist())


def test_a_state_keeps_of_a_key_what_may_still_be_seen() -> None:
    events = Events(
        BASE + np.arange(10, dtype=np.int64) * 10**9,
        np.array([[1, 2] * 5], np.int32),
        np.arange(1, 11, dtype=np.int32),
        np.ones(10, np.uint8),
    )
    assert events.left(2, 0.0, BASE + 9 * 10**9).ids_E.tolist() == [6, 7, 8, 9, 10]  # 10 is not earlier than the last
    assert events.left(1, 3.0, BASE + 9 * 10**9).ids_E.tolist() == [5, 6, 7, 8, 9, 10]


def test_keys_that_no_event_has_and_nobody() -> None:
    none = Events.none(1)
    found = listed(none, [np.array([0, 5], np.int32)], np.array([BASE, BASE], np.int64), 3, 0.0)
    assert (found.stop_N.tolist(), found.count_N.tolist(), len(found.events)) == ([0, 0], [0, 0], 0)
