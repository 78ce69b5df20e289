"""A stream of the log's batches as records: joined, timed, windowed, ids numbered, dense values raw."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from automl.data.hashing import hash_rows, unit_of_hash
from automl.data.plan import LOG, MADE, Plan, Source
from automl.data.spill import record_type
from automl.data.times import Unit, is_number, made_column, nanoseconds, unit_of
from automl.data.vocabulary import Numbering
from automl.data.windows import DaySplit
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


def scan(plan: Plan) -> Scan:
    """Count the rows and, where the log has a time, find its span.

    Raises:
        InputError: where the log is empty, or its time cannot be read.
    """
    time = plan.config.time
    rows, low, high = 0, None, None
    for batch in plan.log.batches([time.column] if time else [plan.config.label.column]):
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
    if isinstance(plan.split, DaySplit):
        ends_ns = [max(ends_ns[0], plan.split.starts[0]), min(ends_ns[1], plan.split.ends[-1])]
    return Scan(rows, unit, (ends_ns[0], max(ends_ns)), notes)


def _times(plan: Plan, column: pa.Array, unit: Unit | None) -> pa.Array:
    try:
        return nanoseconds(column, unit, plan.timezone)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        time = plan.config.time
        must = f"{time.column if time else ''} must hold times"
        raise InputError([Mistake(plan.at("time", "column"), must, str(error).splitlines()[0])]) from error


class Side:
    """A side table in memory: row 0 stands for a key that is not in it."""

    def __init__(self, plan: Plan, index: int) -> None:
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


class Reader:
    """Turns batches into records, and keeps the numberings of ids and what was wrong with the rows."""

    def __init__(self, plan: Plan, scan: Scan) -> None:
        self.plan, self.scan = plan, scan
        self.record = record_type(len(plan.categorical), len(plan.dense))
        self.numberings = [Numbering() for _ in plan.categorical]
        self.rows = self.outside = self.not_given = 0
        self.mistakes: dict[tuple[Position, str], tuple[int, str]] = {}
        self.sides = [Side(plan, index) for index in range(len(plan.sides))]
        self._clusters = Numbering()
        self._ids = [
            self.sides[source.table].codes(source.column, numbering) if source.table >= 0 else None
            for source, numbering in zip(plan.categorical, self.numberings, strict=True)
        ]
        self._dense = [
            self.sides[source.table].numbers(source.column) if source.table >= 0 else None for source in plan.dense
        ]
        split = plan.config.split.random
        self._draws = np.random.default_rng(split.seed) if split else None

    def records(self) -> Iterator[tuple[NDArray[Any], NDArray[np.int8]]]:
        """Records of the rows that are examples, with their windows."""
        for batch in self.plan.log.batches(self.plan.log_columns):
            if batch.num_rows:
                yield self._records(batch)
                self.rows += batch.num_rows

    def _records(self, batch: pa.RecordBatch) -> tuple[NDArray[Any], NDArray[np.int8]]:
        config, plan = self.plan.config, self.plan
        count = batch.num_rows
        hashes = hash_rows(batch.select(sorted(batch.schema.names))) if config.drop_duplicates else None
        times = self._row_times(batch)
        unit = self._units(count, hashes)
        window = plan.split.window(times, unit)
        given = np.ones(count, bool)
        if config.label.given is not None:
            given = as_floats(batch.column(config.label.given)) == 1
        keep = (window >= 0) & given
        self.outside += int((window < 0).sum())
        self.not_given += int(((window >= 0) & ~given).sum())
        order = np.arange(self.rows, self.rows + count) if hashes is None else (hashes >> np.uint64(1)).view(np.int64)
        batch, times, order = batch.filter(pa.array(keep)), times[keep], order[keep]

        rows = np.zeros(batch.num_rows, self.record)
        rows["key"] = times if config.time is not None else order
        rows["time"] = times
        if hashes is not None:
            rows["hash"] = hashes[keep]
        rows["label"] = self._labels(batch)
        rows["weight"] = self._weights(batch)
        self._features(batch, times, rows)
        return rows, window[keep]

    def _units(self, count: int, hashes: NDArray[np.uint64] | None) -> Floats:
        """Draws of the random split: by content where duplicates are dropped, so that copies fall together."""
        split = self.plan.config.split.random
        if split is None or self._draws is None:
            return np.zeros(count)
        return self._draws.random(count) if hashes is None else unit_of_hash(hashes, split.seed)

    def _row_times(self, batch: pa.RecordBatch) -> NDArray[np.int64]:
        time = self.plan.config.time
        if time is None:
            return np.zeros(batch.num_rows, np.int64)
        times = _times(self.plan, batch.column(time.column), self.scan.unit)
        self._note(times.null_count, "none", f"{time.column} must be given in every row", "time", "column")
        return np.asarray(pc.fill_null(times, 0).to_numpy(zero_copy_only=False))

    def _labels(self, batch: pa.RecordBatch) -> Floats:
        name = self.plan.config.label.column
        column = batch.column(name)
        try:
            labels = as_floats(column)
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
            labels = np.full(len(column), np.nan)
        bad = (labels != 0) & (labels != 1)
        example = str(column[int(bad.argmax())]) if bad.any() else ""
        self._note(int(bad.sum()), example, f"{name} must be 0 or 1", "label", "column")
        return labels

    def _weights(self, batch: pa.RecordBatch) -> Floats:
        name = self.plan.config.weight
        if name is None:
            return np.ones(batch.num_rows)
        weights = as_floats(batch.column(name))
        bad = ~(np.isfinite(weights) & (weights >= 0))
        example = str(weights[bad.argmax()]) if bad.any() else ""
        self._note(int(bad.sum()), example, f"{name} must be finite and not negative", "weight")
        return weights

    def _features(self, batch: pa.RecordBatch, times: NDArray[np.int64], rows: NDArray[Any]) -> None:
        plan = self.plan
        side_rows = [side.rows(batch.column(side.key)) for side in self.sides]

        def column(source: Source) -> pa.Array:
            made = source.table == MADE
            return made_column(source.column, times, plan.timezone) if made else batch.column(source.column)

        for k, (source, codes) in enumerate(zip(plan.categorical, self._ids, strict=True)):
            rows["ids"][:, k] = (
                self.numberings[k].add(column(source)) if codes is None else codes[side_rows[source.table]]
            )
        for k, (source, numbers) in enumerate(zip(plan.dense, self._dense, strict=True)):
            values = as_floats(column(source)) if numbers is None else numbers[side_rows[source.table]]
            wild = int(np.isinf(values).sum())
            self._note(wild, "inf", f"{source.column} must be finite or missing", "features", "dense", source.column)
            rows["dense"][:, k] = values
        if plan.cluster is not None:
            source = plan.cluster
            if source.table in (LOG, MADE):
                rows["cluster"] = self._clusters.add(column(source))
            else:
                codes = self.sides[source.table].codes(source.column, self._clusters)
                rows["cluster"] = codes[side_rows[source.table]]

    def _note(self, count: int, example: str, must: str, *path: str | int) -> None:
        if count:
            key = (self.plan.at(*path), must)
            before, first = self.mistakes.get(key, (0, example))
            self.mistakes[key] = (before + count, first)

    def raise_mistakes(self) -> None:
        """Raise what was wrong with the rows, each kind once with its number of rows."""
        mistakes = [
            Mistake(position, must, f"{found} ({count} rows)")
            for (position, must), (count, found) in self.mistakes.items()
        ]
        for k, side in enumerate(self.sides):
            if side.unmatched and side.unmatched == self.rows - self.outside - self.not_given:
                must = f"{side.key} of {self.plan.log.name} must be found in {self.plan.sides[k].name}"
                mistakes.append(Mistake(self.plan.at("join", k, "on"), must, "no row that has one"))
        if mistakes:
            raise InputError(mistakes)


def as_floats(column: pa.Array) -> Floats:
    """float64, NaN where missing; booleans are 0 and 1."""
    if pa.types.is_boolean(column.type):
        column = column.cast(pa.int8())
    return np.asarray(pc.fill_null(column.cast(pa.float64(), safe=False), float("nan")).to_numpy(zero_copy_only=False))
