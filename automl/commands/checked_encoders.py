"""Rows of the log's own tables, read as they are when served: they must be what the model was trained on.

B rows of a table, F id fields, D dense features.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from automl.data.columns.numbers import as_floats
from automl.data.encode.plan import Plan
from automl.data.past.past import Past
from automl.data.store.encoders import Encoders, ServedTime
from automl.data.store.keyed import whole
from automl.data.store.log import EncodedLog
from automl.data.store.side_table import SideTable
from automl.data.tables.finder import key_kind
from automl.data.tables.sources import LOG
from automl.runtime.errors import RunError

CHECKED_ROWS = 2048
_MOST = 32  # times as many rows are held at most, to check what earlier ones tell


def check_encoders(encoders: Encoders, plan: Plan, log: EncodedLog) -> int:
    """Encode the first examples of the log again, without what is made of earlier rows: each must be among the encoded
    rows of its time. How many were; none without windows of days.

    Raises:
        RunError: where a row is not.
    """
    time = encoders.time
    if time is None or log.times_N is None or plan.config.split.random is not None:
        return 0
    past = plan.config.features.past_names
    known = encoders.select(encoders.fields, [name for name in encoders.dense if name not in past])
    ours = [source.column for source in plan.features if source.table == LOG]
    given = plan.config.label.given
    columns = [*ours, time.column, *(join.on for join in plan.config.join), *([given] if given else [])]
    found: list[pa.Table] = []
    for table in _tables(plan, columns, lambda batch: _is_example(plan, time, batch)):
        found.append(table)
        if sum(part.num_rows for part in found) >= CHECKED_ROWS:
            break
    rows = _joined(pa.concat_tables(found).slice(0, CHECKED_ROWS), plan)
    _hold_encoded(known, rows, plan, log)
    return int(rows.num_rows)


def check_past(past: Past, encoders: Encoders, plan: Plan, log: EncodedLog) -> int:
    """Serve the rows of the log that `past` has not counted: each example must be among the encoded rows of its time.
    How many were; none where so many are of one time that they are not held.

    Raises:
        RunError: where a row is not.
    """
    time = encoders.time
    if time is None or log.times_N is None:
        return 0
    cut, end = past.state.last, int(log.times_N[-1])

    def is_later(batch: pa.RecordBatch) -> NDArray[np.bool_]:
        times_B = _times(time, batch)
        return np.asarray((times_B <= end) & (True if cut is None else times_B > cut))

    found: list[pa.Table] = []
    for table in _tables(plan, plan.log_columns, is_later):
        found.append(table)
        if sum(part.num_rows for part in found) > _MOST * CHECKED_ROWS:
            return 0
    rows = past.with_features(_joined(pa.concat_tables(found), plan), plan.log.name)
    rows = rows.filter(pa.array(_is_example(plan, time, rows)))
    _hold_encoded(encoders, rows, plan, log)
    return int(rows.num_rows)


def _hold_encoded(encoders: Encoders, rows: pa.Table, plan: Plan, log: EncodedLog) -> None:
    assert encoders.time is not None
    assert log.times_N is not None
    ids_BF, dense_BD = encoders.encode(rows, plan.log.name)
    at_D = [log.dense.index(name) for name in encoders.dense]
    times_B = _times(encoders.time, rows)
    first_B = np.searchsorted(log.times_N, times_B, "left")
    last_B = np.searchsorted(log.times_N, times_B, "right")
    for b, (first, last) in enumerate(zip(first_B.tolist(), last_B.tolist(), strict=True)):
        same = (log.ids_NF[first:last] == ids_BF[b]).all(1) & (log.dense_ND[first:last, at_D] == dense_BD[b]).all(1)
        if not same.any():
            raise RunError(
                f"the encoders must give what the model was trained on, but row {b} of {plan.log.name} does not"
            )


def _tables(
    plan: Plan, columns: Sequence[str], keep: Callable[[pa.RecordBatch], NDArray[np.bool_]]
) -> Iterator[pa.Table]:
    """Rows of the log that are kept, a batch at a time; the first table has none."""
    columns = tuple(dict.fromkeys(columns))
    yield pa.schema([plan.log.schema.field(name) for name in columns]).empty_table()
    for batch in plan.log.batches(columns):
        yield pa.Table.from_batches([batch]).filter(pa.array(keep(batch)))


def _is_example(plan: Plan, time: ServedTime, rows: pa.RecordBatch | pa.Table) -> NDArray[np.bool_]:
    times_B = _times(time, rows)
    keep: NDArray[np.bool_] = plan.split.window(times_B, np.zeros(len(times_B))) >= 0
    given = plan.config.label.given
    return keep if given is None else keep & (as_floats(whole(rows.column(given))) == 1)


def _times(time: ServedTime, rows: pa.RecordBatch | pa.Table) -> NDArray[np.int64]:
    return np.asarray(time.nanoseconds(whole(rows.column(time.column))).to_numpy(zero_copy_only=False))


def _joined(rows: pa.Table, plan: Plan) -> pa.Table:
    """With the columns of the side tables."""
    needed = [source.column for source in plan.sources]
    for k, (join, side) in enumerate(zip(plan.config.join, plan.sides, strict=True)):
        held = side.read(plan.side_columns(k))
        rows = SideTable(join.on, held, side.name, key_kind(plan.log, side, join.on)).join(rows, needed, plan.log.name)
    return rows
