"""A log counted at once, and cut anywhere in time and counted on from what was kept: the same features, bit for bit."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from automl.data.columns.times import NEVER
from automl.data.past.counting import Counting
from automl.data.past.features import CounterBlock, Key, PastFeatures, PastLabel, RecentBlock
from automl.data.past.rows import TIMELESS, Gathered, PastRows
from automl.data.past.state import State

ZONES = st.sampled_from(["Asia/Shanghai", "America/New_York"])  # where the sixth day has 23 hours
MINUTE = 60 * 10**9
START = 1_709_500_000 * 10**9  # in the evening of a day in Shanghai
COLUMNS = ("user", "item", "tab")


def key(*columns: str) -> Key:
    return Key(columns, ())


@st.composite
def wanted(draw: st.DrawFn) -> PastFeatures:
    keys = st.lists(st.sampled_from([("user",), ("item",), ("user", "item"), ("tab", "user", "item")]), min_size=1,
                    max_size=3, unique=True).map(lambda found: tuple(key(*columns) for columns in found))  # fmt: skip
    block = st.builds(
        CounterBlock,
        keys=keys,
        labels=st.sampled_from([(0,), (1,), (1, 0)]),
        every=st.sampled_from([600.0, 5400.0, 86_400.0]),
        half_life=st.sampled_from([None, 20.0, 3600.0, 259_200.0]),
        prior=st.sampled_from([1.0, 20.0]),
    )
    blocks = draw(st.lists(block, max_size=2))
    recent = st.builds(RecentBlock, keys, st.sampled_from([0.5, 3600.0, 86_400.0]))
    found = draw(recent if not blocks else st.one_of(st.none(), recent))
    return PastFeatures((PastLabel("click"), PastLabel("buy", 3600.0)), tuple(blocks), found, draw(ZONES))


def log(seed: int, rows: int, spread: int, columns: int) -> PastRows:
    """With ties, missing keys, labels that are not defined, come late or never."""
    rng = np.random.default_rng(seed)
    times = START + np.sort(rng.integers(0, spread, rows)) * MINUTE // 2 + rng.integers(0, 2, rows) * 1_500_000
    times = np.sort(times)
    labels = rng.integers(0, 2, (rows, 2)).astype(np.float32)
    labels[rng.random((rows, 2)) < 0.2] = np.nan
    arrivals = times[:, None] + rng.integers(0, 200, (rows, 2)) * MINUTE
    arrivals[rng.random((rows, 2)) < 0.1] = NEVER
    return PastRows(times, rng.integers(0, 4, (columns, rows)).astype(np.int32), labels, arrivals)


def part(rows: PastRows, span: slice) -> PastRows:
    return PastRows(rows.times_N[span], rows.codes_KN[:, span], rows.labels_NL[span], rows.arrivals_NL[span])


def count(
    what: PastFeatures, state: State, rows: PastRows, late: PastRows | None = None
) -> tuple[NDArray[np.float32], State]:
    late = late or part(rows, slice(0))
    with tempfile.TemporaryDirectory() as folder:
        gathered = Gathered(len(what.columns), 2, Path(folder), [state.tail, late, rows])
        counting = Counting(what, state, gathered, len(state.tail) + len(late))
        return np.stack(list(counting.features())), counting.after()


@settings(max_examples=150, deadline=None)
@given(
    wanted(),
    st.integers(0, 2**32 - 1),
    st.integers(2, 60),
    st.sampled_from([3, 100, 20_000]),
    st.lists(st.floats(0, 1), min_size=1, max_size=4),
)
def test_a_log_cut_in_time_is_counted_on(
    what: PastFeatures, seed: int, rows: int, spread: int, shares: list[float]
) -> None:
    all_rows = log(seed, rows, spread, len(what.columns))
    at_once, end = count(what, State.nothing(what), all_rows)
    # a cut never parts rows of one time
    cuts = {int(np.searchsorted(all_rows.times_N, all_rows.times_N[int(share * (rows - 1))])) for share in shares}
    state, parts = State.nothing(what), []
    for first, last in pairwise(sorted({0, *cuts, rows})):
        features, state = count(what, state, part(all_rows, slice(first, last)))
        parts.append(features)
    np.testing.assert_array_equal(np.concatenate(parts, 1), at_once)
    hold_equal(state, end)


@settings(max_examples=100, deadline=None)
@given(
    wanted(),
    st.integers(0, 2**32 - 1),
    st.integers(2, 60),
    st.sampled_from([3, 100, 2_000]),
    st.lists(st.floats(0, 1), min_size=1, max_size=4),
)
def test_labels_may_come_once_they_are_known(
    what: PastFeatures, seed: int, rows: int, spread: int, shares: list[float]
) -> None:
    """Without their rows, which were counted nights before."""
    all_rows = log(seed, rows, spread, len(what.columns))
    at_once, end = count(what, State.nothing(what), all_rows)
    cuts = {int(np.searchsorted(all_rows.times_N, all_rows.times_N[int(share * (rows - 1))])) for share in shares}
    state, parts, told = State.nothing(what), [], np.isnan(all_rows.labels_NL)
    for first, last in pairwise(sorted({0, *cuts, rows})):
        until = all_rows.times_N[last] if last < rows else NEVER
        known = (all_rows.arrivals_NL < until) & ~told & (np.arange(rows) < last)[:, None]
        labelled = replace(all_rows, labels_NL=np.where(known, all_rows.labels_NL, np.nan).astype(np.float32))
        told |= known
        late = part(labelled, slice(0, first))
        late = replace(late, times_N=np.full(first, TIMELESS))
        features, state = count(what, state, part(labelled, slice(first, last)), late)
        parts.append(features)
    np.testing.assert_array_equal(np.concatenate(parts, 1), at_once)
    hold_equal(state, end, tails=False)


def hold_equal(state: State, end: State, tails: bool = True) -> None:
    assert (state.last, state.rows) == (end.last, end.rows)
    if tails:
        np.testing.assert_array_equal(state.tail.times_N, end.tail.times_N)
    for one, other in zip(state.blocks, end.blocks, strict=True):
        assert (one.edge, one.base) == (other.edge, other.base)
        np.testing.assert_array_equal(one.overall_L2, other.overall_L2)
        for a, b in zip(one.keys, other.keys, strict=True):
            order, again = np.lexsort(a.codes_PS), np.lexsort(b.codes_PS)
            np.testing.assert_array_equal(a.codes_PS[:, order], b.codes_PS[:, again])
            np.testing.assert_array_equal(a.counts_LS[:, order], b.counts_LS[:, again])
            np.testing.assert_array_equal(a.seen_S[order], b.seen_S[again])


def test_what_is_kept_does_not_grow_with_the_log() -> None:
    """Twenty days of the same ten users: the sums of ten keys, and the rows of the last hours."""
    what = PastFeatures(
        (PastLabel("click"),),
        (CounterBlock((key("user"),), (0,), 600.0, 86_400.0, 20.0),),
        RecentBlock((key("user"),), 3600.0),
        "UTC",
    )
    state, sizes = State.nothing(what), []
    for day in range(20):
        times = START + day * 1440 * MINUTE + np.arange(1440) * MINUTE
        rows = PastRows(
            times,
            (np.arange(1440) % 10 + 1)[None].astype(np.int32),
            np.ones((1440, 1), np.float32),
            times[:, None] + 30 * MINUTE,
        )
        with tempfile.TemporaryDirectory() as folder:
            gathered = Gathered(1, 1, Path(folder), [state.tail, rows])
            counting = Counting(what, state, gathered, len(state.tail))
            list(counting.features())
            state = counting.after()
        sizes.append((len(state.blocks[0].keys[0].seen_S), len(state.tail)))
    assert set(sizes[1:]) == {(10, 61)}
    assert state.rows == 20 * 1440
