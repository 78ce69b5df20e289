"""The join against loops, for any times and arrivals; what the checks of causality let through."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from automl.data.columns.times import NEVER
from automl.exfm.das.causality import CausalityError, check_rows
from automl.exfm.das.counts import AGE_EDGES_HOURS, Counts, ages_of
from automl.exfm.das.join import Waiting, due_of, join, wait_for
from automl.exfm.das.tables import scored_schema
from automl.exfm.das.ticks import Tick
from experiments.das_stream import HOUR_NS, DiskStream

END = 20
Row = tuple[int, int | None, int | None, bool]  # time, delay of each label (None: never), second label defined
rows_of_streams = st.lists(
    st.tuples(st.integers(0, END - 1), st.none() | st.integers(-2, 30), st.none() | st.integers(-2, 30), st.booleans()),
    max_size=30,
)


def stream_of(rows: list[Row]) -> DiskStream:
    rows = sorted(rows, key=lambda row: row[0])
    times = np.array([row[0] for row in rows], np.int64)
    delays = [[row[1], row[2]] for row in rows]
    arrivals = [[NEVER if d is None else row[0] + d for d in pair] for row, pair in zip(rows, delays, strict=True)]
    labels = np.array([[k % 2, 1.0 if row[3] else np.nan] for k, row in enumerate(rows)], np.float32)
    count = len(rows)
    return DiskStream(
        Path("none"),
        "none",
        np.zeros((count, 1), np.int32),
        np.zeros((count, 1), np.float32),
        labels.reshape(count, 2),
        times,
        np.array(arrivals, np.int64).reshape(count, 2),
        np.arange(count),
    )


def scored(stream: DiskStream, rows_N: np.ndarray, tick: Tick) -> pa.Table:
    count = len(rows_N)
    columns = {
        field.name: pa.nulls(count, field.type) if field.nullable else pa.array(np.zeros(count, np.int64))
        for field in scored_schema(["a", "b"])
    }
    columns |= {
        "row": pa.array(rows_N),
        "tick": pa.array(np.full(count, tick.index, np.int32)),
        "window": pa.repeat("w", count),
        "fm_logit_a": pa.array(rows_N.astype(np.float32)),
    }
    return pa.table(columns, scored_schema(["a", "b"]))


@given(rows_of_streams, st.sets(st.integers(1, END - 1), max_size=6), st.none() | st.integers(0, 10))
def test_each_label_is_joined_in_the_first_tick_that_ends_after_it(
    rows: list[Row], cuts: set[int], horizon: int | None
) -> None:
    stream = stream_of(rows)
    edges = [0, *sorted(cuts), END]
    spots = np.searchsorted(stream.times_N, edges)
    ticks = [
        Tick(k, 0, "w", slice(int(spots[k]), int(spots[k + 1])), edges[k], edges[k + 1]) for k in range(len(edges) - 1)
    ]
    waiting: Waiting | None = None
    found, missed = set(), Counts()
    for tick in ticks:
        rows_N = np.arange(tick.rows.start, tick.rows.stop)
        due_NT, more = due_of(stream, rows_N, horizon)
        missed += more
        table, waiting = join(wait_for(waiting, scored(stream, rows_N, tick), due_NT), tick, stream, ["a", "b"])
        assert set(table["tick"].to_pylist()) <= {tick.index}
        for row in table.to_pylist():
            assert row["fm_logit_a"] == row["row"], "what the teacher said goes with its row"
            assert row["arrived"] < tick.end_ns
            assert (row["label_a"], row["label_b"]) != (None, None)
            for task, name in enumerate("ab"):
                if row[f"label_{name}"] is not None:
                    assert row[f"label_{name}"] == stream.labels_NT[row["row"], task]
                    assert (row["row"], task) not in {pair[:2] for pair in found}
                    found.add((row["row"], task, tick.index))
    wanted, late, never, open_ = set(), 0, 0, 0
    for row, (time, label, arrival) in enumerate(
        zip(stream.times_N.tolist(), stream.labels_NT, stream.arrivals_NT.tolist(), strict=True)
    ):
        for task in range(2):
            if np.isnan(label[task]):
                continue
            due = max(arrival[task], time)
            if arrival[task] == NEVER:
                never += 1
            elif horizon is not None and due - time > horizon:
                late += 1
            elif due >= END:
                open_ += 1
            else:
                first = next(t.index for t in ticks if due < t.end_ns)
                wanted.add((row, task, first))
    assert found == wanted
    assert (missed.late, missed.never) == (late, never)
    assert waiting is not None
    assert waiting.labels == open_


@given(
    st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9), st.integers(0, 9)), min_size=1, max_size=8),
    st.integers(-1, 9),
    st.integers(-1, 9),
)
def test_only_the_past_may_be_known(rows: list[tuple[int, int, int]], trained_to: int, published: int) -> None:
    stream = stream_of([(time, first, second, True) for time, first, second in rows])
    count = len(rows)

    def check() -> None:
        whole = np.full(count, trained_to), np.full(count, published)
        check_rows(["s"], np.zeros(count, np.int64), *whole, np.arange(count), stream)

    holds = all(
        trained_to <= time and published <= time and trained_to < min(arrivals)
        for time, arrivals in zip(stream.times_N.tolist(), stream.arrivals_NT.tolist(), strict=True)
    )
    if holds:
        check()
    else:
        with pytest.raises(CausalityError, match="snapshot s must"):
            check()


def test_counts_are_kept_and_summed() -> None:
    ages = ages_of(np.array([0, 1, 23, 24, 1000]) * HOUR_NS, 0)
    assert ages == tuple(np.bincount([0, 1, 5, 6, 11], minlength=len(AGE_EDGES_HOURS) + 1).tolist())
    one = Counts(examples=10, scored=5, calls=8, ages=ages, seconds=0.5)
    assert Counts.from_json(one.to_json()) == one
    both = one + Counts(examples=2, scored=3, calls=3, seconds=1.5)
    assert (both.coverage, both.calls_per_example, both.rows_per_second) == (8 / 12, 11 / 8, 4.0)
    assert np.isnan(Counts().coverage)
