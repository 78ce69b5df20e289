"""A stream of any log's batches as records: joined, timed, ids numbered, dense values raw."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from automl.data.columns.kinds import MisfitError, cast
from automl.data.columns.numbers import LARGEST, NotNumbersError, as_floats
from automl.data.columns.times import (
    NotTimesError,
    Unit,
    is_number,
    like_a_day,
    made_column,
    nanoseconds,
    time_values,
    unit_of,
    way_of,
)
from automl.data.columns.vocabulary import Numbering
from automl.data.describe.tables import TablesConfig, TimeConfig
from automl.data.encode.spill import Rows, Spill, record_type
from automl.data.tables.finder import key_kind
from automl.data.tables.sources import LOG, MADE, Source, Tables
from search_spaces.errors import InputError, Mistake, Position

Floats = NDArray[np.float64]
_HASH_KEYS = (0, (1 << 63) - 1)


@dataclass(frozen=True, slots=True)
class Scan:
    """What a first look at the whole log tells: rows, the unit of its time and the span of keys to sort by.

    `span` is the first and the last time of the whole log, nanoseconds UTC; None where it has no time.
    """

    rows: int
    unit: Unit | None
    keys: tuple[int, int]
    notes: tuple[str, ...] = ()
    span: tuple[int, int] | None = None


def scan(plan: Tables[TablesConfig], within: tuple[int, int] | None = None) -> Scan:
    """Count the rows and, where the log has a time, find its span, or the part of it that is asked for.

    Raises:
        InputError: where the log is empty, or its time cannot be read.
    """
    time = plan.config.time
    clock = Clock(plan, time) if time else None
    rows = 0
    for file, batch in plan.log.by_file([time.column] if time else list(plan.named[:1])):
        rows += batch.num_rows
        if clock is not None:
            clock.see(batch.column(0), file)
    if not rows:
        raise InputError([Mistake(plan.at("path"), f"{plan.log.name} must hold rows", "none")])
    if clock is None:
        keys = _HASH_KEYS if plan.config.drop_duplicates else (0, rows - 1)
        return Scan(rows, None, keys)
    unit, span, notes = clock.told()
    first, last = span
    if within is not None:
        first, last = max(first, within[0]), min(last, within[1])
    return Scan(rows, unit, (first, max(first, last)), notes, span)


class Clock:
    """What the time column of a log says, file by file: it must say it in one way."""

    def __init__(self, plan: Tables[TablesConfig], time: TimeConfig) -> None:
        self.plan, self.time = plan, time
        self._ways: dict[str, str] = {}  # how it is written: the first file that does
        self._ends: dict[str, tuple[float, float]] = {}  # of a file; of numbers as they are, else nanoseconds

    def see(self, column: pa.Array, file: str) -> None:
        if column.null_count == len(column):
            return
        values = _told_times(self.plan, column)
        number, way = is_number(values.type), way_of(values.type)
        self._ways.setdefault(way, file)
        ends = pc.min_max(values if number else _times(self.plan, values, None))
        if not ends["min"].is_valid:
            return
        low, high = ends["min"].as_py(), ends["max"].as_py()
        before = self._ends.get(file, (low, high))
        self._ends[file] = min(before[0], low), max(before[1], high)

    def told(self) -> tuple[Unit | None, tuple[int, int], tuple[str, ...]]:
        """Unit of numbers, first and last time in nanoseconds, notes.

        Raises:
            InputError: where files write their times in two ways, or none holds one.
        """
        column = self.time.column
        if not self._ends:
            self._raise(f"{column} must hold times", "only missing values")
        if len(self._ways) > 1:
            found = " and ".join(f"{way} in {file}" for way, file in self._ways.items())
            self._raise(f"{column} must be written in one way in all files", found)
        low, high = min(low for low, _ in self._ends.values()), max(high for _, high in self._ends.values())
        if "as numbers" not in self._ways:
            return None, (int(low), int(high)), ()
        unit = self.time.unit or self._guessed(low, high)
        notes = () if self.time.unit else (f"time {column} is taken to be in {unit}, told by its size",)
        ends = _times(self.plan, pa.array([low, high]), unit).to_pylist()
        return unit, (ends[0], ends[1]), notes

    def _guessed(self, low: float, high: float) -> Unit:
        units = {unit_of(high): file for file, (_, high) in self._ends.items()}
        if len(units) > 1:
            found = " and ".join(f"{unit} in {file}" for unit, file in units.items())
            self._raise(f"{self.time.column} must have one unit", found, "told by its size; rewrite one of the files")
        form = like_a_day(low, high)
        if form is not None:
            hint = f'time: {{column: {self.time.column}, format: "{form}"}}; or give its unit'
            self._raise(
                f"{self.time.column} must be a time", f"{low:.0f} to {high:.0f}, days as they are written", hint
            )
        return unit_of(high)

    def _raise(self, must: str, found: str, hint: str = "") -> NoReturn:
        raise InputError([Mistake(self.plan.at("time", "column"), must, found, hint)])


def _told_times(plan: Tables[TablesConfig], column: pa.Array) -> pa.Array:
    time = plan.config.time
    name = time.column if time else ""
    try:
        return time_values(column, time.format if time else None)
    except NotTimesError as error:
        raise InputError([Mistake(plan.at("time", "column"), f"{name} must hold times", str(error))]) from error


def _times(plan: Tables[TablesConfig], column: pa.Array, unit: Unit | None) -> pa.Array:
    time = plan.config.time
    return times_of(column, unit, plan.timezone, plan.at("time", "column"), time.column if time else "")


def times_of(column: pa.Array, unit: Unit | None, timezone: str, position: Position, name: str) -> pa.Array:
    """int64 nanoseconds UTC, null where missing.

    Raises:
        InputError: where the column holds no times.
    """
    try:
        return nanoseconds(column, unit, timezone)
    except NotTimesError as error:
        raise InputError([Mistake(position, f"{name} must hold times", str(error))]) from error


class Side:
    """A side table in memory: row 0 stands for a key that is not in it."""

    def __init__(self, plan: Tables[TablesConfig], index: int) -> None:
        self.key = plan.config.join[index].on
        self.unmatched = 0
        side = plan.sides[index]
        self._kind, self._at = key_kind(plan.log, side, self.key), plan.at("join", index, "on")
        self._names = plan.log.name, side.name
        table = side.read(plan.side_columns(index)).combine_chunks()
        table = table.filter(table[self.key].is_valid())
        self._numbers = Numbering()
        codes = self._numbers.add(self._as_key(table[self.key].combine_chunks(), side.name))
        if len(self._numbers) != table.num_rows:
            twice = int(np.bincount(codes).argmax())
            value = table[self.key].combine_chunks().filter(pa.array(codes == twice))[0]
            must = f"{self.key} must be unique in {side.name}"
            found = f"{value} in {np.bincount(codes).max()} rows"
            raise InputError([Mistake(self._at, must, found)])
        self._table = table

    def rows(self, keys: pa.Array, counted: bool = True) -> NDArray[np.int32]:
        """Row of each key, from 1; those without a partner are counted, unless they are no examples."""
        found = self._numbers.find(self._as_key(keys, self._names[0]))
        self.unmatched += int((found == 0).sum()) if counted else 0
        return found

    def _as_key(self, column: pa.Array, name: str) -> pa.Array:
        """Keys in the type that both tables have; a table without types in that of the other."""
        if self._kind is None or pa.types.is_dictionary(column.type):
            return column
        try:
            return cast(column, self._kind)
        except MisfitError as error:
            must = f"{self.key} must be of one kind in {' and '.join(self._names)} ({self._kind})"
            raise InputError([Mistake(self._at, must, f"{error} in {name}")]) from error

    def codes(self, column: str, numbering: Numbering) -> NDArray[np.int32]:
        return np.concatenate([np.zeros(1, np.int32), numbering.add(self._table[column])])

    def column(self, name: str) -> pa.Array:
        return self._table[name].combine_chunks()


class RowReader(ABC):
    """Turns batches into records, and keeps the numberings of ids and what was wrong with the rows."""

    def __init__(self, tables: Tables[TablesConfig], scan: Scan, labels: int) -> None:
        self.tables, self.scan, self.labels = tables, scan, labels
        self.record = record_type(len(tables.coded), len(tables.dense), labels)
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
        times = _times(self.tables, _told_times(self.tables, batch.column(time.column)), self.scan.unit)
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
