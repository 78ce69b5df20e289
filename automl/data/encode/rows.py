"""A stream of any log's batches as records: joined, timed, ids numbered, dense values raw."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from automl.data.columns.kinds import MisfitError
from automl.data.columns.numbers import LARGEST, NotNumbersError, as_floats
from automl.data.columns.times import made_column
from automl.data.columns.vectors import NotVectorsError, as_vectors
from automl.data.columns.vocabulary import Numbering
from automl.data.describe.tables import TablesConfig
from automl.data.encode.scan import Scan, times_in, told_times
from automl.data.encode.spill import Rows, Spill, record_type
from automl.data.store.keyed import Keyed, whole
from automl.data.tables.finder import key_kind
from automl.data.tables.sources import LOG, MADE, Source, Tables, VectorSource
from search_spaces.errors import InputError, Mistake, Position

Floats = NDArray[np.float64]


class Side:
    """A side table in memory: row 0 stands for a key that is not in it."""

    def __init__(self, plan: Tables[TablesConfig], index: int) -> None:
        self.key = plan.config.join[index].on
        self.unmatched = 0
        side = plan.sides[index]
        self._at, self._names = plan.at("join", index, "on"), (plan.log.name, side.name)
        self._kind = key_kind(plan.log, side, self.key)
        try:
            self._keyed = Keyed(side.read(plan.side_columns(index)), self.key, self._kind)
        except MisfitError as error:
            raise self._misfit(error, side.name) from error
        if self._keyed.spare:
            value, rows = self._keyed.most()
            raise InputError(
                [Mistake(self._at, f"{self.key} must be unique in {side.name}", f"{value} in {rows} rows")]
            )

    def rows(self, keys: pa.Array, counted: bool = True) -> NDArray[np.int32]:
        """Row of each key, from 1; those without a partner are counted, unless they are no examples."""
        try:
            found = self._keyed.rows(keys)
        except MisfitError as error:
            raise self._misfit(error, self._names[0]) from error
        self.unmatched += int((found == 0).sum()) if counted else 0
        return found

    def _misfit(self, error: MisfitError, name: str) -> InputError:
        must = f"{self.key} must be of one kind in {' and '.join(self._names)} ({self._kind})"
        return InputError([Mistake(self._at, must, f"{error} in {name}")])

    def codes(self, column: str, numbering: Numbering) -> NDArray[np.int32]:
        return np.concatenate([np.zeros(1, np.int32), numbering.add(self._keyed.table[column])])

    def column(self, name: str) -> pa.Array:
        return whole(self._keyed.table[name])


class RowReader(ABC):
    """Turns batches into records, and keeps the numberings of ids and what was wrong with the rows."""

    def __init__(self, tables: Tables[TablesConfig], scan: Scan, labels: int) -> None:
        self.tables, self.scan, self.labels = tables, scan, labels
        self.record = record_type(len(tables.coded), len(tables.dense), labels, tables.vector_width)
        self.numberings = [Numbering() for _ in tables.coded]
        self.rows = self.kept = 0
        self.mistakes: dict[tuple[Position, str], tuple[int, str]] = {}
        self.sides = [Side(tables, index) for index in range(len(tables.sides))]
        self._clusters = Numbering()
        self._ids = [
            self.sides[source.table].codes(source.column, numbering) if source.table >= 0 else None
            for source, numbering in zip(tables.coded, self.numberings, strict=True)
        ]
        self._dense = [self._side_numbers(source) if source.table >= 0 else None for source in tables.dense]
        self._vectors = [self._side_vectors(vector) if vector.source.table >= 0 else None for vector in tables.vectors]

    @abstractmethod
    def records(self) -> Iterator[tuple[Rows, NDArray[np.int8]]]:
        """The rows that are kept, and the window of each."""

    def spilled(self, folder: Path) -> Spill:
        """All rows, on disk.

        Raises:
            InputError: with what was wrong with them.
        """
        spill = Spill(folder, self.record, self.scan.keys, self.scan.rows)
        for rows, window in self.records():
            spill.add(rows, window)
        self.raise_mistakes()
        return spill

    def batches(self) -> Iterator[pa.RecordBatch]:
        for batch in self.tables.log.batches(self.tables.log_columns):
            if batch.num_rows:
                yield batch
                self.rows += batch.num_rows

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
        bad = (labels != 0) & (labels != 1) & ~(missing & np.isnan(labels))
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
        self.kept += len(rows)
        side_rows = [side.rows(batch.column(side.key)) for side in self.sides]

        self.ids(batch, times, rows, side_rows)
        for k, (source, numbers) in enumerate(zip(plan.dense, self._dense, strict=True)):
            rows["dense"][:, k] = (
                self._numeric(batch.column(source.column), source)
                if numbers is None
                else numbers[side_rows[source.table]]
            )
        start = 0
        for vector, of_side in zip(plan.vectors, self._vectors, strict=True):
            source = vector.source
            rows["vectors"][:, start : start + vector.width] = (
                self._vector(batch.column(source.column), vector)
                if of_side is None
                else of_side[side_rows[source.table]]
            )
            start += vector.width
        if plan.cluster is not None:
            source = plan.cluster
            if source.table in (LOG, MADE):
                rows["cluster"] = self._clusters.add(self._column(batch, times, source))
            else:
                codes = self.sides[source.table].codes(source.column, self._clusters)
                rows["cluster"] = codes[side_rows[source.table]]

    def ids(
        self, batch: pa.RecordBatch, times: NDArray[np.int64], rows: Rows, side_rows: Sequence[NDArray[np.int32]]
    ) -> None:
        """Fill ids in: codes of the numberings."""
        for k, (source, codes) in enumerate(zip(self.tables.coded, self._ids, strict=True)):
            rows["ids"][:, k] = (
                self.numberings[k].add(self._column(batch, times, source))
                if codes is None
                else codes[side_rows[source.table]]
            )

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
        name, path = vector.source.column, ("features", "vectors", vector.source.column)
        try:
            values_NW = as_vectors(column, vector.width)
        except NotVectorsError as error:
            self.note(error.count, error.example, f"{name} must hold {vector.width} numbers in every row", *path)
            return np.zeros((len(column), vector.width), np.float32)
        wild = np.isinf(values_NW).any(1)
        self.note(int(wild.sum()), "inf", f"{name} must be within float32 (up to {LARGEST:.1e})", *path)
        return values_NW

    def note(self, count: int, example: str, must: str, *path: str | int) -> None:
        """Remember that so many rows are wrong."""
        if count:
            key = (self.tables.at(*path), must)
            before, first = self.mistakes.get(key, (0, example))
            self.mistakes[key] = (before + count, first)

    def notes(self) -> list[str]:
        """Of files that are left out, and of keys that are not in their side tables."""
        return [note for table in (self.tables.log, *self.tables.sides) for note in table.notes] + [
            f"{side.unmatched} rows have no {side.key} in {table.name}: its features are missing"
            for side, table in zip(self.sides, self.tables.sides, strict=True)
            if side.unmatched
        ]

    def raise_mistakes(self) -> None:
        """Raise what was wrong with the rows, each kind once with its number of rows."""
        mistakes = [
            Mistake(position, must, f"{found} ({count} rows)")
            for (position, must), (count, found) in self.mistakes.items()
        ]
        for k, side in enumerate(self.sides):
            if side.unmatched and side.unmatched == self.kept:
                must = f"{side.key} of {self.tables.log.name} must be found in {self.tables.sides[k].name}"
                mistakes.append(Mistake(self.tables.at("join", k, "on"), must, "no row that has one"))
        if mistakes:
            raise InputError(mistakes)
