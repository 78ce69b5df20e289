"""A stream of any log's batches as records: joined, timed, ids numbered, dense values raw."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from automl.data.columns.numbers import as_floats
from automl.data.columns.times import Unit, is_number, made_column, nanoseconds, unit_of
from automl.data.columns.vocabulary import Numbering
from automl.data.describe.tables import TablesConfig
from automl.data.encode.spill import Rows, Spill, record_type
from automl.data.tables.sources import LOG, MADE, Source, Tables
from search_spaces.errors import InputError, Mistake, Position

Floats = NDArray[np.float64]
_HASH_KEYS = (0, (1 << 63) - 1)


@dataclass(frozen=True, slots=True)
class Scan:
    """What a first look at the whole log tells: rows, the unit of its time and the span of keys to sort by."""

    rows: int
    unit: Unit | None
    keys: tuple[int, int]
    notes: tuple[str, ...] = ()


def scan(plan: Tables[TablesConfig], within: tuple[int, int] | None = None) -> Scan:
    """Count the rows and, where the log has a time, find its span, or the part of it that is asked for.

    Raises:
        InputError: where the log is empty, or its time cannot be read.
    """
    time = plan.config.time
    rows, low, high = 0, None, None
    for batch in plan.log.batches([time.column] if time else list(plan.named[:1])):
        rows += batch.num_rows
        ends = pc.min_max(batch.column(0)) if time else None
        if ends is not None and ends["min"].is_valid:
            low = ends["min"] if low is None or ends["min"].as_py() < low.as_py() else low
            high = ends["max"] if high is None or ends["max"].as_py() > high.as_py() else high
    if not rows:
        raise InputError([Mistake(plan.at("path"), f"{plan.log.name} must hold rows", "none")])
    if time is None:
        keys = _HASH_KEYS if plan.config.drop_duplicates else (0, rows - 1)
        return Scan(rows, None, keys)
    if low is None or high is None:
        raise InputError([Mistake(plan.at("time", "column"), f"{time.column} must hold times", "only missing values")])
    unit: Unit | None = time.unit
    notes: tuple[str, ...] = ()
    if unit is None and is_number(low.type):
        unit = unit_of(high.as_py())
        notes = (f"time {time.column} is taken to be in {unit}, told by its size",)
    ends_ns = _times(plan, pa.array([low.as_py(), high.as_py()], low.type), unit).to_pylist()
    if within is not None:
        ends_ns = [max(ends_ns[0], within[0]), min(ends_ns[1], within[1])]
    return Scan(rows, unit, (ends_ns[0], max(ends_ns)), notes)


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
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise InputError([Mistake(position, f"{name} must hold times", str(error).splitlines()[0])]) from error


class Side:
    """A side table in memory: row 0 stands for a key that is not in it."""

    def __init__(self, plan: Tables[TablesConfig], index: int) -> None:
        self.key = plan.config.join[index].on
        self.unmatched = 0
        table = plan.sides[index].read(plan.side_columns(index)).combine_chunks()
        table = table.filter(table[self.key].is_valid())
        self._numbers = Numbering()
        codes = self._numbers.add(table[self.key])
        if len(self._numbers) != table.num_rows:
            twice = int(np.bincount(codes).argmax())
            value = self._numbers.values(table.schema.field(self.key).type)[twice - 1]
            must = f"{self.key} must be unique in {plan.sides[index].name}"
            found = f"{value} in {np.bincount(codes).max()} rows"
            raise InputError([Mistake(plan.at("join", index, "on"), must, found)])
        self._table = table

    def rows(self, keys: pa.Array) -> NDArray[np.int32]:
        """Row of each key, from 1."""
        found = self._numbers.find(keys)
        self.unmatched += int((found == 0).sum())
        return found

    def codes(self, column: str, numbering: Numbering) -> NDArray[np.int32]:
        return np.concatenate([np.zeros(1, np.int32), numbering.add(self._table[column])])

    def numbers(self, column: str) -> Floats:
        return np.concatenate([[np.nan], as_floats(self._table[column].combine_chunks())])


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
        self._dense = [
            self.sides[source.table].numbers(source.column) if source.table >= 0 else None for source in tables.dense
        ]

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
        times = _times(self.tables, batch.column(time.column), self.scan.unit)
        self.note(times.null_count, "none", f"{time.column} must be given in every row", "time", "column")
        return np.asarray(pc.fill_null(times, 0).to_numpy(zero_copy_only=False))

    def binary(self, batch: pa.RecordBatch, name: str, *path: str | int, missing: bool = False) -> Floats:
        """A column of 0 and 1; NaN where it is missing, if it may be."""
        column = batch.column(name)
        try:
            labels = as_floats(column)
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
            labels, missing = np.full(len(column), np.nan), False
        bad = (labels != 0) & (labels != 1) & ~(missing & np.isnan(labels))
        example = str(column[int(bad.argmax())]) if bad.any() else ""
        self.note(int(bad.sum()), example, f"{name} must be 0 or 1{', or missing' if missing else ''}", *path)
        return labels

    def features(self, batch: pa.RecordBatch, times: NDArray[np.int64], rows: Rows) -> None:
        """Fill ids, dense values and clusters in."""
        plan = self.tables
        self.kept += len(rows)
        side_rows = [side.rows(batch.column(side.key)) for side in self.sides]

        def column(source: Source) -> pa.Array:
            made = source.table == MADE
            return made_column(source.column, times, plan.timezone) if made else batch.column(source.column)

        for k, (source, codes) in enumerate(zip(plan.coded, self._ids, strict=True)):
            rows["ids"][:, k] = (
                self.numberings[k].add(column(source)) if codes is None else codes[side_rows[source.table]]
            )
        for k, (source, numbers) in enumerate(zip(plan.dense, self._dense, strict=True)):
            values = as_floats(column(source)) if numbers is None else numbers[side_rows[source.table]]
            wild = int(np.isinf(values).sum())
            self.note(wild, "inf", f"{source.column} must be finite or missing", "features", "dense", source.column)
            rows["dense"][:, k] = values
        if plan.cluster is not None:
            source = plan.cluster
            if source.table in (LOG, MADE):
                rows["cluster"] = self._clusters.add(column(source))
            else:
                codes = self.sides[source.table].codes(source.column, self._clusters)
                rows["cluster"] = codes[side_rows[source.table]]

    def note(self, count: int, example: str, must: str, *path: str | int) -> None:
        """Remember that so many rows are wrong."""
        if count:
            key = (self.tables.at(*path), must)
            before, first = self.mistakes.get(key, (0, example))
            self.mistakes[key] = (before + count, first)

    def notes(self) -> list[str]:
        """Of keys that are not in their side tables."""
        return [
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
