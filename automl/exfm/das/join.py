"""Labels meet their predictions: a scored example waits until its labels have arrived.

N waiting rows, T tasks. What waits is a function of the stream and the ticks, so that nothing of it has to be saved.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from automl.data.columns.times import NEVER
from automl.exfm.das.causality import effective_arrivals
from automl.exfm.das.counts import Counts
from automl.exfm.das.scorer import Stream
from automl.exfm.das.ticks import Tick


@dataclass(frozen=True, slots=True)
class Waiting:
    """Rows of `scored`, and when their labels come: NEVER where there is nothing to wait for."""

    rows: pa.Table
    due_NT: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.due_NT)

    @property
    def labels(self) -> int:
        """(example, task) pairs that are still to come."""
        return int((self.due_NT != NEVER).sum())


def due_of(stream: Stream, rows_N: NDArray[np.int64], horizon_ns: int | None) -> tuple[NDArray[np.int64], Counts]:
    """When the labels of these rows are to be joined (N, T), and how many are late or never come.

    A label that is not defined is not waited for, nor one that comes later than the horizon after its impression.
    """
    times_N, labels_NT = stream.times_N[rows_N], stream.labels_NT[rows_N]
    arrivals_NT = np.asarray(stream.arrivals_NT[rows_N])
    defined_NT = ~np.isnan(labels_NT)
    never_NT = defined_NT & (arrivals_NT == NEVER)
    due_NT = np.where(defined_NT & ~never_NT, effective_arrivals(times_N, arrivals_NT), NEVER)
    late_NT = np.zeros_like(never_NT)
    if horizon_ns is not None:
        late_NT = (due_NT != NEVER) & (due_NT - times_N[:, None] > horizon_ns)
        due_NT[late_NT] = NEVER
    return due_NT, Counts(late=int(late_NT.sum()), never=int(never_NT.sum()))


def wait_for(waiting: Waiting | None, scored: pa.Table, due_NT: NDArray[np.int64]) -> Waiting:
    """Rows that wait, and those just scored behind them."""
    if waiting is None or not len(waiting):
        return Waiting(scored, due_NT)
    return Waiting(pa.concat_tables([waiting.rows, scored]), np.concatenate([waiting.due_NT, due_NT]))


def join(waiting: Waiting, tick: Tick, stream: Stream, tasks: Sequence[str]) -> tuple[pa.Table, Waiting]:
    """The rows with labels that have arrived before the tick's end, one row for all of them, and who still waits.

    Half-open like the ticks: a label at the very end is of the next tick, as a row of that time would be.
    """
    due_NT = waiting.due_NT < tick.end_ns
    some_N = due_NT.any(1)
    found = waiting.rows.filter(pa.array(some_N))
    labels_NT = np.where(due_NT[some_N], stream.labels_NT[found["row"].to_numpy()], np.nan)
    arrived_N = np.where(due_NT[some_N], waiting.due_NT[some_N], -1).max(1, initial=-1)
    augmented = _stamped(found, tick)
    for k, task in enumerate(tasks):
        augmented = augmented.append_column(f"label_{task}", _or_null(labels_NT[:, k]))
    augmented = augmented.append_column("arrived", pa.array(arrived_N, pa.int64()))
    left_NT = np.where(due_NT, NEVER, waiting.due_NT)
    stays_N = (left_NT != NEVER).any(1)
    rest = waiting.rows.filter(pa.array(stays_N)).combine_chunks()
    return augmented, Waiting(rest, left_NT[stays_N])


def _stamped(rows: pa.Table, tick: Tick) -> pa.Table:
    """The rows as of this tick and window."""
    count = rows.num_rows
    for name, value in (
        ("tick", pa.array(np.full(count, tick.index, np.int32))),
        ("window", pa.repeat(tick.window_name, count)),
    ):
        rows = rows.set_column(rows.schema.get_field_index(name), name, value)
    return rows


def _or_null(values_N: NDArray[np.float32]) -> pa.Array:
    return pa.array(values_N.astype(np.float32), pa.float32(), mask=np.isnan(values_N))
