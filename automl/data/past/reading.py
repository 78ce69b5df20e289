"""Tables that come after a log, read as rows behind the tail of what it has left behind.

N rows, K key columns, L labels.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from automl.data.columns.kinds import MisfitError
from automl.data.columns.row_hashes import hash_rows
from automl.data.past.coding import Coder
from automl.data.past.features import PastFeatures, PastLabel
from automl.data.past.labels import events_of, labels_of
from automl.data.past.late import late_mistakes
from automl.data.past.rows import TIMELESS, Gathered, PastRows
from automl.data.past.state import State
from automl.data.store.encoders import Encoders, Rows
from automl.data.store.keyed import whole
from search_spaces.errors import InputError, Mistake, Position


@dataclass(frozen=True, eq=False, slots=True)
class NewRows:
    """Rows, of which the first `old` are not new, and what coded them. `count` new ones came; stands_N is the place of
    the one that is counted for each, None: itself. `late` rows were counted before and have labels now."""

    rows: Gathered
    coders: list[Coder]
    old: int
    late: int
    count: int
    stands_N: NDArray[np.int64] | None


@dataclass(frozen=True, eq=False, slots=True)
class PastReader:
    """Reads tables as the log was read; `encoders` are those of the key columns, whose codes the state has."""

    what: PastFeatures
    state: State
    encoders: Encoders

    @property
    def until(self) -> str:
        """The time of the last row that was counted, for a person."""
        return "no row yet" if self.state.last is None else self._told(self.state.last)

    def check(
        self, schema: pa.Schema, name: str = "table", labels: Iterable[PastLabel] = (), actions: Iterable[str] = ()
    ) -> None:
        """Whether the columns of a table are those that are read, with those of some of the labels and actions.

        Raises:
            InputError: with every one that is missing or of another kind.
        """
        mistakes: list[Mistake] = []
        try:
            self.encoders.check(schema, name)
        except InputError as error:
            mistakes += error.mistakes
        of_labels = [column for label in labels for column in label.columns]
        asked = dict.fromkeys([self.time_column, *of_labels, *actions])
        told = {mistake.must for mistake in mistakes}
        for column in asked:
            must = f"must have a column {column}"
            if column not in schema.names and must not in told:
                what = "" if column == self.time_column else "it tells which rows are events of a sequence"
                what = "its labels are counted" if column in of_labels else what
                mistakes.append(Mistake(Position(name), must, "none", what))
        if mistakes:
            raise InputError(mistakes)

    def gathered(
        self,
        folder: Path,
        parts: Iterable[Rows],
        name: str,
        late: Iterable[Rows] = (),
        late_name: str = "",
        labelled: bool = False,
    ) -> NewRows:
        """The tail, labels without rows, and new rows; `labelled`: each label stands in one of the two tables."""
        coders = [
            Coder(numbering, values.type)
            for numbering, values in zip(self.encoders.numberings, self.encoders.values, strict=True)
        ]
        tail = len(self.state.tail)
        hashes = [np.arange(tail, dtype=np.uint64)]  # of the rows that were counted none is like another one
        lengths = {True: 0, False: 0}  # late, new

        actions = [name for block in self.what.sequences for name in block.actions] if labelled else []

        def read(table: Rows, of: str, is_late: bool, needed: Iterable[PastLabel] = ()) -> PastRows:
            self.check(table.schema, of, needed, () if is_late else actions)
            lengths[is_late] += table.num_rows
            if self.what.equal_by:
                hashes.append(hash_rows(_batch(table, self.what.equal_by)))
            times_N = self.encoders.times(table, of)
            codes_KN = self._codes(table, coders, times_N, of)
            labels = labels_of(table, self.what.labels, times_N, self.encoders.time, of)
            if not is_late:
                self._hold_later(times_N, of)
                return PastRows(times_N, codes_KN, *labels, events_of(table, self.what.sequences, of))
            self._hold_known(times_N, *labels, of)
            none_SN = np.zeros((len(self.what.sequences), len(times_N)), np.uint8)
            return PastRows(TIMELESS + times_N, codes_KN, *labels, none_SN)

        def rows() -> Iterator[PastRows]:
            yield self.state.tail
            needed = self.what.labels if labelled else ()
            for part in late:
                there = [label for label in self.what.labels if set(label.columns) <= set(part.schema.names)]
                yield read(part, late_name, True, () if there else self.what.labels)
                needed = tuple(label for label in needed if label not in there)
            for part in parts:
                yield read(part, name, False, needed)

        gathered = Gathered(len(coders), len(self.what.labels), folder, rows(), len(self.what.sequences))
        old = came = tail + lengths[True]
        stands_N = None
        if self.what.equal_by:
            stands_N = gathered.drop_again(np.concatenate(hashes))[came:] - came
            old = int((gathered.order_N < came).sum())
        return NewRows(gathered, coders, old, self._late(gathered, tail, came, late_name), lengths[False], stands_N)

    def _late(self, gathered: Gathered, first: int, end: int, name: str) -> int:
        """How many rows have labels now, among those that came from `first` to `end`.

        Raises:
            InputError: where one was not counted, or its label was.
        """
        if first == end:
            return 0
        late = gathered.some((gathered.order_N >= first) & (gathered.order_N < end))
        mistakes = late_mistakes(self.what, self.state, late, name, self._told)
        if mistakes:
            raise InputError(mistakes)
        return int((~np.isnan(late.labels_NL)).any(axis=1).sum())

    def _codes(self, table: Rows, coders: Sequence[Coder], times_N: NDArray[np.int64], name: str) -> NDArray[np.int32]:
        codes_KN = np.zeros((len(coders), table.num_rows), np.int32)
        for k, coder in enumerate(coders):
            try:
                codes_KN[k] = coder.codes(self.encoders.id_column(table, k, times_N, name))
            except MisfitError as error:
                must = f"{self.encoders.fields[k]} must hold {coder.kind} as the log did"
                raise InputError.of(name, must, str(error)) from error
        return codes_KN

    def _hold_later(self, times_N: NDArray[np.int64], name: str) -> None:
        early = times_N if self.state.last is None else times_N[times_N <= self.state.last]
        if self.state.last is None or not len(early):
            return
        must = f"{self.time_column} must be later than what the past has counted (up to {self.until})"
        found = f"{self._told(int(early.min()))} ({len(early)} of {len(times_N)} rows)"
        hint = "a row is counted once: leave these out, or take a past that ends earlier"
        raise InputError.of(name, must, found, hint)

    def _hold_known(
        self, times_N: NDArray[np.int64], labels_NL: NDArray[np.float32], arrivals_NL: NDArray[np.int64], name: str
    ) -> None:
        """Late labels are of rows that were counted, and no row has seen a boundary after they were known."""
        if not len(times_N):
            return
        other = times_N if self.state.last is None else times_N[times_N > self.state.last]
        if len(other):
            must = f"{self.time_column} must be that of rows that the past has counted (up to {self.until})"
            raise InputError.of(name, must, f"{self._told(int(other.max()))} ({len(other)} of {len(times_N)} rows)")
        for k, label in enumerate(self.what.labels):
            edge = max(
                sums.edge for block, sums in zip(self.what.blocks, self.state.blocks, strict=True) if k in block.labels
            )
            gone = ~np.isnan(labels_NL[:, k]) & (arrivals_NL[:, k] < edge)
            if gone.any():
                must = f"{label.column} must be known at {self._told(edge)} or later"
                found = f"{self._told(int(arrivals_NL[gone, k].min()))} ({int(gone.sum())} of {len(times_N)} rows)"
                hint = "labels are counted up to there: a label comes in the night in which it is known, or never"
                raise InputError.of(name, must, found, hint)

    @property
    def time_column(self) -> str:
        if self.encoders.time is None:
            raise ValueError("a past must have a time")
        return self.encoders.time.column

    def _told(self, time_ns: int) -> str:
        zone = ZoneInfo(self.what.timezone)
        when = dt.datetime.fromtimestamp(time_ns // 10**9, zone).replace(microsecond=time_ns % 10**9 // 1000)
        return when.isoformat(" ", "milliseconds")


def _batch(table: Rows, columns: Sequence[str]) -> pa.RecordBatch:
    """Those of the columns that the table has."""
    there = [name for name in columns if name in table.schema.names]
    return pa.RecordBatch.from_arrays([whole(table.column(name)) for name in there], there)
