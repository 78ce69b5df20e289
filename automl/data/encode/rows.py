"""A stream of any log's batches as records: joined, timed, ids numbered, dense values raw."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from itertools import islice
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from automl.data.columns.numbers import LARGEST, NotNumbersError, as_floats, not_binary
from automl.data.columns.times import made_column
from automl.data.columns.vectors import NotVectorsError, as_vectors
from automl.data.columns.vocabulary import Codes, numbered
from automl.data.describe.tables import TablesConfig
from automl.data.encode.common import kind_of
from automl.data.encode.listed import ListReader
from automl.data.encode.pieces import PIECE_ROWS, Piece, gathered
from automl.data.encode.scan import Scan, times_in, told_times
from automl.data.encode.seen import Seen, Wrong
from automl.data.encode.sides import Side
from automl.data.encode.spill import Buckets, Rows, Run, RunWriter, fill, record_type
from automl.data.tables.sources import MADE, Source, Tables, VectorSource
from search_spaces.errors import InputError, Mistake

Floats = NDArray[np.float64]
EXAMPLES, PAST, SEEN = "examples", "past", "seen.json"
_RUN_BYTES = 64 << 20
_LEAST_ROWS = 1 << 12


class RowReader(ABC):
    """Turns batches into records, a piece of the log at a time; what it finds in a piece does not depend on others.

    Ids are numbered within a run; those of side tables, which every reader holds, are numbered once.
    """

    spans: Mapping[str, tuple[int, int]]  # the kinds of rows that are written, each with the span of its keys

    def __init__(self, tables: Tables[TablesConfig], scan: Scan, labels: int, tasks: int = 1) -> None:
        self.tables, self.scan, self.labels = tables, scan, labels
        sizes = len(tables.coded), len(tables.dense), labels, tables.vector_width, len(tables.listed), len(tables.built)
        self.record = record_type(*sizes, tasks=tasks)
        self.spans = {EXAMPLES: scan.keys}
        self.sides = [Side(tables, index) for index in range(len(tables.sides))]
        self.seen = Seen(unmatched=[0] * len(self.sides))
        self._of_side = {
            column: self.sides[source.table].codes(source.column)
            for column, source in enumerate(self.numbered)
            if source.table >= 0
        }
        self.own = [column for column in range(len(self.numbered)) if column not in self._of_side]
        self._values: dict[int, pa.Array] = {}
        self._dense = [self._side_numbers(source) if source.table >= 0 else None for source in tables.dense]
        self._vectors = [self._side_vectors(vector) if vector.source.table >= 0 else None for vector in tables.vectors]
        self.lists = ListReader(tables, scan, self.sides, self.seen)
        self._of_tables = self.seen

    @property
    def numbered(self) -> tuple[Source, ...]:
        """All columns that become codes: the coded ones and the cluster."""
        cluster = self.tables.cluster
        return (*self.tables.coded, *(() if cluster is None else (cluster,)))

    def side_values(self, column: int) -> pa.Array:
        """Of a numbered column of a side table, by their codes."""
        return self._of_side[column][1]

    def read(self, piece: Piece, folder: Path) -> None:
        """Write a piece's runs to a folder, and what was seen."""
        self.seen = Seen(unmatched=[0] * len(self.sides))
        with ExitStack() as stack:
            writers = {name: stack.enter_context(RunWriter(folder, name, self.buckets(name))) for name in self.spans}
            for name, run in self.runs(piece):
                writers[name].add(run)
        (folder / SEEN).write_text(self.seen.to_json())

    def buckets(self, name: str) -> Buckets:
        """Of one kind of rows."""
        return Buckets.over(self.spans[name], self.scan.rows, self.record)

    @abstractmethod
    def runs(self, piece: Piece) -> Iterator[tuple[str, Run]]:
        """The rows of a piece that are kept, each run with its kind."""

    def batches(self, piece: Piece) -> Iterator[tuple[int, pa.RecordBatch]]:
        """Batches of a piece, each with the number of its first row in the log."""
        start = piece.start
        rows = max(_LEAST_ROWS, min(PIECE_ROWS, _RUN_BYTES // (self.record.itemsize + self.lists.row_bytes)))
        batches = self.tables.log.by_file(self.tables.log_columns, rows, piece.shares)
        for batch in gathered(batches, rows // 4):
            yield start, batch
            start += batch.num_rows
            self.seen.rows += batch.num_rows

    def run(self, rows: Rows, window: NDArray[np.int8]) -> Run:
        """Rows whose features, or ids, were just filled in."""
        none = (pa.array([], kind_of(self.tables, self.numbered[column])) for column in self.own)
        values = [self._values.get(column, empty) for column, empty in zip(self.own, none, strict=True)]
        self._values = {}
        return Run(rows, window, [*values, *self.lists.taken()])

    def times(self, batch: pa.RecordBatch) -> NDArray[np.int64]:
        time = self.tables.config.time
        if time is None:
            return np.zeros(batch.num_rows, np.int64)
        times = times_in(self.tables, told_times(self.tables, batch.column(time.column)), self.scan.unit)
        self.note(times.null_count, "none", f"{time.column} must be given in every row", "time", "column")
        return np.asarray(pc.fill_null(times, 0).to_numpy(zero_copy_only=False))

    def binary(self, batch: pa.RecordBatch, name: str, *path: str | int, missing: bool = False) -> Floats:
        """A column of 0 and 1; NaN where it is missing, if it may be."""
        must = f"{name} must be 0 or 1{', or missing' if missing else ''}"
        column = batch.column(name)
        labels = self.numbers(column, must, *path)
        if labels is None:
            return np.zeros(len(column))
        bad = not_binary(labels, missing=missing)
        example = "missing values"
        if bad.any():
            value = labels[bad.argmax()]
            example = example if np.isnan(value) else f"{value:g}"
        self.note(int(bad.sum()), example, must, *path)
        return labels

    def numbers(self, column: pa.Array, must: str, *path: str | int) -> Floats | None:
        """A column as numbers; None, and what it holds noted, where it holds others."""
        try:
            return as_floats(column)
        except NotNumbersError as error:
            self.note(error.count, repr(error.example), must, *path)
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
            self.note(len(column), str(column.type), must, *path)
        return None

    def features(self, batch: pa.RecordBatch, times: NDArray[np.int64], rows: Rows) -> None:
        """Fill ids, dense values and clusters in."""
        plan = self.tables
        self.seen.kept += len(rows)
        side_rows = self.partners(batch)
        for k, found in enumerate(side_rows):
            self.seen.unmatched[k] += int((found == 0).sum())
        self.ids(batch, times, rows, side_rows)
        dense = [
            self._numeric(batch.column(source.column), source) if numbers is None else numbers[side_rows[source.table]]
            for source, numbers in zip(plan.dense, self._dense, strict=True)
        ]
        fill(rows["dense"], dense)
        start = 0
        for vector, of_side in zip(plan.vectors, self._vectors, strict=True):
            source = vector.source
            rows["vectors"][:, start : start + vector.width] = (
                self._vector(batch.column(source.column), vector)
                if of_side is None
                else of_side[side_rows[source.table]]
            )
            start += vector.width
        self.lists.fill(batch, times, rows, side_rows, self.seen)
        if plan.cluster is not None:
            rows["cluster"] = self._codes(len(plan.coded), batch, times, side_rows)

    def partners(self, batch: pa.RecordBatch) -> list[NDArray[np.int32]]:
        """Of each side table the rows that are joined."""
        return [side.rows(batch.column(side.key)) for side in self.sides]

    def ids(
        self, batch: pa.RecordBatch, times: NDArray[np.int64], rows: Rows, side_rows: Sequence[NDArray[np.int32]]
    ) -> None:
        """Fill ids in: codes of the run's own numbering."""
        fill(rows["ids"], [self._codes(k, batch, times, side_rows) for k in range(len(self.tables.coded))])

    def _codes(
        self, column: int, batch: pa.RecordBatch, times: NDArray[np.int64], side_rows: Sequence[NDArray[np.int32]]
    ) -> Codes:
        source = self.numbered[column]
        if column in self._of_side:
            return np.asarray(self._of_side[column][0][side_rows[source.table]])
        codes, self._values[column] = numbered(self._column(batch, times, source))
        return codes

    def _column(self, batch: pa.RecordBatch, times: NDArray[np.int64], source: Source) -> pa.Array:
        made = source.table == MADE
        return made_column(source.column, times, self.tables.timezone) if made else batch.column(source.column)

    def _side_numbers(self, source: Source) -> Floats:
        return np.concatenate([[np.nan], self._numeric(self.sides[source.table].column(source.column), source)])

    def _numeric(self, column: pa.Array, source: Source) -> Floats:
        """A dense column; what no model can read is noted."""
        name, path = source.column, ("features", "dense", source.column)
        values = self.numbers(column, f"{name} must be numeric", *path)
        if values is None:
            return np.zeros(len(column))
        wild = np.abs(values) > LARGEST
        if wild.any():
            finite = wild & np.isfinite(values)
            self.note(int(np.isinf(values).sum()), "inf", f"{name} must be finite or missing", *path)
            example = f"{values[finite.argmax()]:g}"
            self.note(int(finite.sum()), example, f"{name} must lie within float32 (up to {LARGEST:.1e})", *path)
        return values

    def _side_vectors(self, vector: VectorSource) -> NDArray[np.float32]:
        none = np.full((1, vector.width), np.nan, np.float32)
        source = vector.source
        return np.concatenate([none, self._vector(self.sides[source.table].column(source.column), vector)])

    def _vector(self, column: pa.Array, vector: VectorSource) -> NDArray[np.float32]:
        """A column of vectors; what no model can read is noted."""
        source, path = vector.source, ("features", "vectors", vector.source.column)
        side = self.tables.sides[source.table].name if source.table >= 0 else ""
        name = f"{source.column} of {side}" if side else source.column
        try:
            values_NW = as_vectors(column, vector.width)
        except NotVectorsError as error:
            self.note(error.count, error.example, f"{name} must hold vectors of {vector.width} numbers", *path)
            return np.zeros((len(column), vector.width), np.float32)
        wild = np.isinf(values_NW).any(1)
        self.note(int(wild.sum()), "inf", f"{name} must be within float32 (up to {LARGEST:.1e})", *path)
        return values_NW

    def note(self, count: int, example: str, must: str, *path: str | int) -> None:
        """Remember that so many rows are wrong."""
        self.seen.note(count, example, must, path)

    def notes(self) -> list[str]:
        """Of files that are left out, and of keys that are not in their side tables."""
        return [note for table in (self.tables.log, *self.tables.sides) for note in table.notes] + [
            f"{unmatched} rows have no {side.key} in {table.name}: its features are missing"
            for side, table, unmatched in zip(self.sides, self.tables.sides, self.seen.unmatched, strict=True)
            if unmatched
        ]

    def take_over(self, pieces: Sequence[Piece], parts: Sequence[Seen]) -> None:
        """What was seen of each piece, in the order of the log, in place of what this reader saw.

        Raises:
            InputError: with what was wrong with the rows, each kind once with its number of rows.
        """
        total = Seen.of((self._of_tables, *parts), len(self.sides))
        mistakes = []
        for wrong in total.wrong:
            rows = f"{wrong.count} row{'s' if wrong.count > 1 else ''}{self._first(wrong, pieces, parts)}"
            mistakes.append(Mistake(self.tables.at(*wrong.path), wrong.must, f"{wrong.example} ({rows})"))
        self.seen = total
        for k, (side, unmatched) in enumerate(zip(self.sides, self.seen.unmatched, strict=True)):
            if unmatched and unmatched == self.seen.kept:
                must = f"{side.key} of {self.tables.log.name} must be found in {self.tables.sides[k].name}"
                mistakes.append(Mistake(self.tables.at("join", k, "on"), must, "no row that has one"))
        if mistakes:
            raise InputError(mistakes)

    def _first(self, wrong: Wrong, pieces: Sequence[Piece], parts: Sequence[Seen]) -> str:
        """In which of several files such a row is first, in words: those of the first piece that has one are read
        again, one by one."""
        files = self.tables.log.parts
        there = (piece for piece, part in zip(pieces, parts, strict=True) if len(files) > 1 and part.has(wrong))
        for piece in islice(there, 1):
            for share in piece.shares:
                self.seen = Seen(unmatched=[0] * len(self.sides))
                if any(self.seen.has(wrong) for _ in self.runs(replace(piece, shares=(share,)))):
                    return f", first in {files[share.file].name}"
        return ""
