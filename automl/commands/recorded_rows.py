"""Rows of a log's own tables as they stand there, and which of its encoded rows each of them is.

B rows of a table, N encoded rows, F id fields, D dense features.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from automl.data.columns.row_hashes import mixed
from automl.data.describe.tables import TablesConfig
from automl.data.past.past import Past
from automl.data.store.encoders import Encoders, ServedTime
from automl.data.store.history import History
from automl.data.store.keyed import whole
from automl.data.store.served_lists import EncodedLists
from automl.data.store.side_table import SideTable
from automl.data.tables.finder import key_kind
from automl.data.tables.sources import Tables

CHECKED_ROWS = 2048
_AT_ONCE = 1 << 16  # encoded rows
MOST = 32  # times as many rows are held at most, to check what earlier ones tell

Keep = Callable[[pa.RecordBatch], NDArray[np.bool_]]


class Timed(Protocol):
    """Encoded rows in the order of time."""

    @property
    def ids_NF(self) -> NDArray[np.int32]: ...  # noqa: N802

    @property
    def dense_ND(self) -> NDArray[np.float32]: ...  # noqa: N802

    @property
    def times_N(self) -> NDArray[np.int64] | None: ...  # noqa: N802


def found_rows(plan: Tables[TablesConfig], columns: Sequence[str], keep: Keep, enough: int) -> pa.Table:
    """Rows of the log that are kept, with these columns, until there are enough."""
    columns = tuple(dict.fromkeys(columns))
    found = [pa.schema([plan.log.schema.field(name) for name in columns]).empty_table()]
    for batch in plan.log.batches(columns):
        found.append(pa.Table.from_batches([batch]).filter(pa.array(keep(batch))))
        if sum(part.num_rows for part in found) >= enough:
            break
    return pa.concat_tables(found)


def times_of(time: ServedTime, rows: pa.RecordBatch | pa.Table) -> NDArray[np.int64]:
    """Nanoseconds UTC."""
    return np.asarray(time.nanoseconds(whole(rows.column(time.column))).to_numpy(zero_copy_only=False))


def joined(rows: pa.Table, plan: Tables[TablesConfig]) -> pa.Table:
    """With the columns of the side tables."""
    needed = [source.column for source in plan.sources]
    for k, (join, side) in enumerate(zip(plan.config.join, plan.sides, strict=True)):
        held = side.read(plan.side_columns(k))
        rows = SideTable(join.on, held, side.name, key_kind(plan.log, side, join.on)).join(rows, needed, plan.log.name)
    return rows


def later_rows(plan: Tables[TablesConfig], time: ServedTime, past: Past, end: int) -> pa.Table:
    """All rows of the log up to `end` that a past has not counted, joined, with what it tells of them; none where there
    are so many that they are not held."""
    after, most = past.state.last, MOST * CHECKED_ROWS

    def is_later(batch: pa.RecordBatch) -> NDArray[np.bool_]:
        times_B = times_of(time, batch)
        return np.asarray((times_B <= end) & (True if after is None else times_B > after))

    found = found_rows(plan, plan.log_columns, is_later, most + 1)
    return past.with_features(joined(found.slice(0, 0 if found.num_rows > most else None), plan), plan.log.name)


def encoded_rows(
    encoders: Encoders,
    rows: pa.Table,
    log: Timed,
    at_F: Sequence[int],
    at_D: Sequence[int],
    among_N: NDArray[np.bool_] | None = None,
    histories: Sequence[History] = (),
) -> NDArray[np.int64]:
    """Of each raw row an encoded row of its time that holds the same, -1 where none does: one `among` them if there is
    one. `at` are the places of the encoders' features among those of the log, `histories` the log's own of their
    sequences."""
    assert encoders.time is not None
    assert log.times_N is not None
    encoded = encoders.encode(rows)
    ids_BF, dense_BD = encoded.ids_BF, encoded.dense_BD
    times_B = times_of(encoders.time, rows)
    first_B = np.searchsorted(log.times_N, times_B, "left")
    last_B = np.searchsorted(log.times_N, times_B, "right")
    found_B = np.full(len(times_B), -1, np.int64)
    for b, (first, last) in enumerate(zip(first_B.tolist(), last_B.tolist(), strict=True)):
        same_ids = (log.ids_NF[first:last, at_F] == ids_BF[b]).all(1)
        same = same_ids & (log.dense_ND[first:last, at_D] == dense_BD[b]).all(1)
        for history, lists in zip(histories, encoded.histories, strict=True):
            same[same] = [_same_list(history, first + n, lists, b) for n in np.flatnonzero(same).tolist()]
        if among_N is not None and (same & among_N[first:last]).any():
            same &= among_N[first:last]
        if same.any():
            found_B[b] = first + int(same.argmax())
    return found_B


def rows_by_content(
    encoders: Encoders,
    rows: pa.Table,
    log: Timed,
    at_F: Sequence[int],
    at_D: Sequence[int],
) -> NDArray[np.int64]:
    """The same of a log that is not in the order of time: all of it is gone through, in flat memory."""
    found = encoders.encode(rows)
    ids_BF, dense_BD = found.ids_BF, found.dense_BD
    keys_B, found_B = _keys(ids_BF, dense_BD), np.full(len(ids_BF), -1, np.int64)
    for start in range(0, len(log.ids_NF), _AT_ONCE):
        part = slice(start, start + _AT_ONCE)
        ids_nF, dense_nD = np.asarray(log.ids_NF[part])[:, at_F], np.asarray(log.dense_ND[part])[:, at_D]
        keys, places = np.unique(_keys(ids_nF, dense_nD), return_index=True)
        left = np.flatnonzero(found_B < 0)
        at = places[np.minimum(np.searchsorted(keys, keys_B[left]), len(keys) - 1)]
        same = (ids_nF[at] == ids_BF[left]).all(1) & (dense_nD[at] == dense_BD[left]).all(1)
        found_B[left[same]] = start + at[same]
    return found_B


def _same_list(history: History, n: int, lists: EncodedLists, b: int) -> bool:
    """Whether row n of a log and row b that was encoded have the same events."""
    of_log, of_row = (
        slice(int(stop) - int(count), int(stop))
        for stop, count in ((history.stop_N[n], history.count_N[n]), (lists.stop_B[b], lists.count_B[b]))
    )
    pairs = (
        (history.ids_P, lists.ids_P),
        (history.times_P, lists.times_P),
        (history.actions_P, lists.actions_P),
    )
    return all(
        np.array_equal(known[of_log], found[of_row])
        for known, found in pairs
        if known is not None and found is not None
    )


def _keys(ids_BF: NDArray[np.int32], dense_BD: NDArray[np.float32]) -> NDArray[np.uint64]:
    """A hash of each row; 0 and -0 are one."""
    total_B = np.zeros(len(ids_BF), np.uint64)
    for column in (*ids_BF.T, *(dense_BD + np.float32(0)).view(np.uint32).T):
        total_B = mixed(total_B, column.astype(np.uint64))
    return total_B
