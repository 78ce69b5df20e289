"""The past of a log as it is served: rows that come after it get the features that an encoding of both would give them.

C features, N rows, K key columns, L labels. Needs NumPy and pyarrow only.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from automl.data.columns.kinds import MisfitError
from automl.data.columns.row_hashes import hash_rows
from automl.data.past.coding import Coder, compacted
from automl.data.past.counting import Counting
from automl.data.past.features import PastFeatures, PastLabel
from automl.data.past.labels import labels_of
from automl.data.past.rows import TIMELESS, Gathered, PastRows
from automl.data.past.state import State
from automl.data.store.encoders import Encoders, Rows
from automl.data.store.keyed import whole
from search_spaces.errors import InputError, Mistake, Position


@dataclass(frozen=True, eq=False)
class Past:
    """What a log has left behind for the rows that come after it. `encoders` are those of its key columns: code k of a
    column is its value k - 1. `fingerprint` tells the features and the log that it began with, however far it went on.
    """

    what: PastFeatures
    state: State
    encoders: Encoders
    fingerprint: str

    @property
    def names(self) -> tuple[str, ...]:
        """Of the features, in the order of their columns."""
        return self.what.names

    @property
    def columns(self) -> tuple[str, ...]:
        """Columns that a table must have: those of the keys, and the time."""
        return tuple(dict.fromkeys([*self.encoders.columns, self._time_column]))

    @property
    def until(self) -> str:
        """The time of the last row that was counted, in the timezone of the log, for a person."""
        return "no row yet" if self.state.last is None else self._told(self.state.last)

    def lag(self, time_ns: int) -> str:
        """How long after all that was counted a row is, in words."""
        hours = (time_ns - (self.state.last or time_ns)) / 3.6e12
        return f"{hours:.1f} hours" if hours < 100 else f"{hours / 24:.0f} days"

    def check(self, schema: pa.Schema, name: str = "table", labels: Iterable[PastLabel] = ()) -> None:
        """Whether the columns of a table are those that are read, with those of some of the labels.

        Raises:
            InputError: with every one that is missing or of another kind.
        """
        mistakes: list[Mistake] = []
        try:
            self.encoders.check(schema, name)
        except InputError as error:
            mistakes += error.mistakes
        asked = dict.fromkeys([self._time_column, *(column for label in labels for column in label.columns)])
        told = {mistake.must for mistake in mistakes}
        for column in asked:
            must = f"must have a column {column}"
            if column not in schema.names and must not in told:
                what = "its labels are counted" if column != self._time_column else ""
                mistakes.append(Mistake(Position(name), must, "none", what))
        if mistakes:
            raise InputError(mistakes)

    def features(self, parts: Iterable[Rows], folder: Path, name: str = "table") -> Made:
        """Features of the rows, raw, NaN where a key is missing; mapped from `folder`.

        The rows are each other's past, as rows of one log are. Of their labels those are counted that the table has and
        that had arrived before a row; one that it does not have is of no row.

        Raises:
            InputError: where columns are missing or hold something else than the log's, or a row is not later than all
                that was counted.
        """
        found = self._gathered(folder, parts, name)
        rows, old = found.rows, found.old
        out = np.lib.format.open_memmap(folder / "features.npy", "w+", np.float32, (len(self.names), found.count))
        place_N = rows.order_N[old:] - old
        for c, feature_N in enumerate(Counting(self.what, self.state, rows, old).features()):
            out[c, place_N] = feature_N
            if found.stands_N is not None:
                out[c] = out[c, found.stands_N]
        return Made(out, None if len(rows) == old else int(rows.times_N[old]))

    def with_features(self, table: Rows, name: str = "table") -> pa.Table:
        """The table with the features as columns of their names.

        Raises:
            InputError: as features() does.
        """
        with tempfile.TemporaryDirectory() as folder:
            found_CN = self.features([table], Path(folder), name).values_CN
            return with_columns(table, self.names, np.array(found_CN))

    def advanced(
        self, parts: Iterable[Rows], name: str = "table", late: Iterable[Rows] = (), late_name: str = "labels"
    ) -> Past:
        """The past once these rows are counted too, with their labels. All must be later than what was counted.

        A label that is not known yet is missing in its row, and comes in `late` once it is: rows that were
        counted, with their time and keys, of which only labels are counted now.

        Raises:
            InputError: as features() does; where a label stands in neither; where one of `late` is of a row that was
                not counted, or was known before a boundary that rows have already seen.
        """
        with tempfile.TemporaryDirectory() as folder:
            found = self._gathered(Path(folder), parts, name, late, late_name, labelled=True)
            counting = Counting(self.what, self.state, found.rows, found.old)
            for _ in counting.features():
                pass
            state = counting.after()
        if found.has_late and not found.count:
            must, hint = (
                "must hold rows that labels are counted with",
                "by its rows a table is known that was counted before",
            )
            raise InputError.of(name, must, "none", hint)
        values = [
            pa.concat_arrays([old, coder.values]) for old, coder in zip(self.encoders.values, found.coders, strict=True)
        ]
        state, kept = compacted(self.what, state, values)
        return replace(self, state=state, encoders=replace(self.encoders, values=kept))

    def _gathered(
        self,
        folder: Path,
        parts: Iterable[Rows],
        name: str,
        late: Iterable[Rows] = (),
        late_name: str = "",
        labelled: bool = False,
    ) -> _Found:
        """The tail, labels without rows, and new rows; `labelled`: each label stands in one of the two tables."""
        coders = [
            Coder(numbering, values.type)
            for numbering, values in zip(self.encoders.numberings, self.encoders.values, strict=True)
        ]
        tail = len(self.state.tail)
        hashes = [np.arange(tail, dtype=np.uint64)]  # of the rows that were counted none is like another one
        lengths = {True: 0, False: 0}  # late, new

        def read(table: Rows, of: str, is_late: bool, needed: Iterable[PastLabel] = ()) -> PastRows:
            self.check(table.schema, of, needed)
            lengths[is_late] += table.num_rows
            if self.what.once:
                hashes.append(hash_rows(_batch(table)))
            times_N = self.encoders.times(table, of)
            codes_KN = self._codes(table, coders, times_N, of)
            labels = labels_of(table, self.what.labels, times_N, self.encoders.time, of)
            if not is_late:
                self._hold_later(times_N, of)
                return PastRows(times_N, codes_KN, *labels)
            self._hold_known(times_N, *labels, of)
            return PastRows(np.full(len(times_N), TIMELESS), codes_KN, *labels)

        def rows() -> Iterator[PastRows]:
            yield self.state.tail
            needed = self.what.labels if labelled else ()
            for part in late:
                there = [label for label in self.what.labels if set(label.columns) <= set(part.schema.names)]
                yield read(part, late_name, True, () if there else self.what.labels)
                needed = tuple(label for label in needed if label not in there)
            for part in parts:
                yield read(part, name, False, needed)

        gathered = Gathered(len(coders), len(self.what.labels), folder, rows())
        old = came = tail + lengths[True]
        stands_N = None
        if self.what.once:
            stands_N = gathered.drop_again(np.concatenate(hashes))[came:] - came
            old = int((gathered.order_N < came).sum())
        return _Found(gathered, coders, old, lengths[True] > 0, lengths[False], stands_N)

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
        must = f"{self._time_column} must be later than what the past has counted (up to {self.until})"
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
            must = f"{self._time_column} must be that of rows that the past has counted (up to {self.until})"
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
    def _time_column(self) -> str:
        if self.encoders.time is None:
            raise ValueError("a past must have a time")
        return self.encoders.time.column

    def _told(self, time_ns: int) -> str:
        zone = ZoneInfo(self.what.timezone)
        when = dt.datetime.fromtimestamp(time_ns // 10**9, zone).replace(microsecond=time_ns % 10**9 // 1000)
        return when.isoformat(" ", "milliseconds")


@dataclass(frozen=True, eq=False, slots=True)
class Made:
    """Features (C, N) of rows in the order in which they came, and the earliest time of one, None of no rows."""

    values_CN: NDArray[np.float32]
    first_ns: int | None


@dataclass(frozen=True, eq=False, slots=True)
class _Found:
    """Rows, of which the first `old` are not new, and what coded them. `count` new ones came; stands_N is the place of
    the one that is counted for each, None: itself."""

    rows: Gathered
    coders: list[Coder]
    old: int
    has_late: bool
    count: int
    stands_N: NDArray[np.int64] | None


def _batch(table: Rows) -> pa.RecordBatch:
    columns = [whole(table.column(name)) for name in table.schema.names]
    return pa.RecordBatch.from_arrays(columns, table.schema.names)


def with_columns(table: Rows, names: Sequence[str], found_CN: NDArray[np.float32]) -> pa.Table:
    """A table with features as columns, as doubles: those of float32 would be read as they are written."""
    for name, found_N in zip(names, found_CN, strict=True):
        table = table.append_column(name, pa.array(found_N.astype(np.float64)))
    return table if isinstance(table, pa.Table) else pa.Table.from_batches([table])


def fingerprint_of(what: PastFeatures, log: str) -> str:
    """16 hex digits of what is made of earlier rows, and of the log that it began with."""
    return hashlib.sha256(json.dumps([what.to_json(), log], sort_keys=True).encode()).hexdigest()[:16]
