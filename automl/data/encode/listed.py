"""Lists of events that stand in the tables, as they are read: those of the log in its runs, those of a side table once.

n rows, E events of a run, P events of a pool, S rows of a side table (0: none).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from automl.data.columns.lists import EventClock, Lists, before_in, plain_of, read_lists
from automl.data.columns.times import nanoseconds
from automl.data.describe.tables import TablesConfig
from automl.data.encode.common import kind_of
from automl.data.encode.scan import Scan
from automl.data.encode.seen import Seen
from automl.data.encode.sides import Side
from automl.data.encode.spill import Rows
from automl.data.tables.sources import LOG, SequenceSource, Source, Tables

Ints = NDArray[np.int64]
PARTS = 5  # columns of a run for each list: values, codes, times, kinds and their codes
_EVENT_BYTES = 16


@dataclass(frozen=True, eq=False, slots=True)
class SideLists:
    """All lists of a side table, and where that of each row begins and ends."""

    lists: Lists
    start_S: Ints
    stop_S: Ints


class ListReader:
    """Reads the list columns of a log and of its side tables. Values of a run are numbered within it."""

    def __init__(self, tables: Tables[TablesConfig], scan: Scan, sides: Sequence[Side], seen: Seen) -> None:
        """`seen` hears what is wrong with side tables."""
        self._tables, self._scan = tables, scan
        self.of_sides = [
            None if _table(sequence) == LOG else self._side(sequence, sides[_table(sequence)], seen)
            for sequence in tables.listed
        ]
        self.own = [k for k, lists in enumerate(self.of_sides) if lists is None]
        self._taken: list[Lists] = []

    @property
    def row_bytes(self) -> int:
        """Of the lists of a row that stand in the log, at most."""
        return _EVENT_BYTES * sum(self._tables.listed[k].most for k in self.own)

    def fill(
        self, batch: pa.RecordBatch, times: Ints, rows: Rows, side_rows: Sequence[NDArray[np.int32]], seen: Seen
    ) -> None:
        """Where the list of each row stands, and how many events it has: those that are earlier than the row, the last
        ones."""
        self._taken = []
        for k, (sequence, of_side) in enumerate(zip(self._tables.listed, self.of_sides, strict=True)):
            if of_side is None:
                found = self._read(sequence, lambda source: batch.column(source.column), seen)
                found, late = found.before(times)
                found = found.last(sequence.most)
                self._taken.append(found)
                count_n = found.counts_N
                at_n = np.cumsum(count_n) - count_n
            else:
                of_rows = side_rows[_table(sequence)]
                start_n, end_n = of_side.start_S[of_rows], of_side.stop_S[of_rows]
                stop_n = end_n
                if of_side.lists.times_E is not None:
                    stop_n = before_in(of_side.lists.times_E, start_n, end_n, times)
                late = int((stop_n < end_n).sum())
                count_n = np.minimum(stop_n - start_n, sequence.most)
                at_n = stop_n - count_n
            if late:
                seen.late[sequence.name] = seen.late.get(sequence.name, 0) + late
            rows["at"][:, k], rows["count"][:, k] = at_n, count_n

    def taken(self) -> list[pa.Array]:
        """The events of the rows that were just filled in, as columns of their run; none where there were none."""
        found = self._taken or [self._nothing(k) for k in self.own]
        self._taken = []
        return [column for lists in found for column in _columns(lists)]

    def kinds(self, k: int) -> tuple[pa.DataType, pa.DataType]:
        """Of one of the lists: the types of its ids and of its actions."""
        sequence = self._tables.listed[k]
        actions = sequence.actions
        table = None if actions is None else self._tables.of(actions)
        of_actions = pa.null() if table is None or actions is None else plain_of(table.type_of(actions.column))
        return kind_of(self._tables, sequence.of), of_actions

    def _nothing(self, k: int) -> Lists:
        of_ids, of_actions = self.kinds(k)
        return Lists(np.zeros(0, np.int64), np.zeros(0, np.int32), pa.array([], of_ids), kinds=pa.array([], of_actions))

    def _side(self, sequence: SequenceSource, side: Side, seen: Seen) -> SideLists:
        found = self._read(sequence, lambda source: side.column(source.column), seen)
        if found.times_E is None:
            found = found.last(sequence.most)
        stop_S = np.concatenate([[0], np.cumsum(found.counts_N)])
        return SideLists(found, np.concatenate([[0], stop_S[:-1]]), stop_S)

    def _read(self, sequence: SequenceSource, column: Callable[[Source], pa.Array], seen: Seen) -> Lists:
        """A batch or a side table; what is wrong is noted."""
        time, scan = self._tables.config.time, self._scan
        form = time.format if time else None
        found = read_lists(
            column(ids_of(sequence)),
            kind_of(self._tables, sequence.of),
            None if sequence.times is None else column(sequence.times),
            None if sequence.actions is None else column(sequence.actions),
            EventClock(
                lambda values: nanoseconds(values, scan.unit, self._tables.timezone, form), scan.unit, scan.span
            ),
        )
        for wrong in found.wrong:
            source = {"column": sequence.ids, "times": sequence.times, "actions": sequence.actions}[wrong.part]
            assert source is not None
            table = self._tables.of(source)
            name = source.column if table is None or source.table == LOG else f"{source.column} of {table.name}"
            path = ("features", "sequence", sequence.name, wrong.part)
            seen.note(wrong.count, wrong.example, f"{name} {wrong.must}", path)
        return found


def ids_of(sequence: SequenceSource) -> Source:
    """The list column of a sequence that stands in the tables."""
    assert sequence.ids is not None
    return sequence.ids


def _table(sequence: SequenceSource) -> int:
    return ids_of(sequence).table


def _columns(lists: Lists) -> list[pa.Array]:
    """PARTS of them."""
    times_E = np.zeros(0, np.int64) if lists.times_E is None else lists.times_E
    kinds_E = np.zeros(0, np.int32) if lists.kinds_E is None else lists.kinds_E
    return [lists.values, pa.array(lists.codes_E), pa.array(times_E), lists.kinds, pa.array(kinds_E)]
