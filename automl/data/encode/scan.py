"""A first look at a whole log: its rows, and what its time column says, file by file: it must say it in one way."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NoReturn

import pyarrow as pa
import pyarrow.compute as pc

from automl.data.columns.times import (
    NotTimesError,
    Unit,
    is_number,
    like_a_day,
    nanoseconds,
    time_values,
    unit_of,
    way_of,
)
from automl.data.describe.tables import TablesConfig, TimeConfig
from automl.data.tables.sources import Tables
from automl.files.passed import Passed, unheard
from search_spaces.errors import InputError, Mistake

_HASH_KEYS = (0, (1 << 63) - 1)


@dataclass(frozen=True, slots=True)
class Scan:
    """What a first look at the whole log tells: rows, the unit of its time and the span of keys to sort by.

    `span` is the first and the last time of the whole log, nanoseconds UTC; None where it has no time. `counts` are the
    rows of each file.
    """

    rows: int
    unit: Unit | None
    keys: tuple[int, int]
    notes: tuple[str, ...] = ()
    span: tuple[int, int] | None = None
    counts: tuple[int, ...] = ()


def scan(plan: Tables[TablesConfig], within: tuple[int, int] | None = None, passed: Passed = unheard) -> Scan:
    """Count the rows and, where the log has a time, find its span, or the part of it that is asked for.

    Raises:
        InputError: where the log is empty, or its time cannot be read.
    """
    time = plan.config.time
    clock = Clock(plan, time) if time else None
    of_files = dict.fromkeys(plan.log.relative, 0)
    seen, total = 0, plan.log.told_rows()
    for file, batch in plan.log.by_file([time.column] if time else list(plan.named[:1])):
        of_files[file] += batch.num_rows
        seen += batch.num_rows
        passed("rows looked at", seen, total)
        if clock is not None:
            clock.see(batch.column(0), file)
    counts = tuple(of_files.values())
    rows = sum(counts)
    if not rows:
        raise InputError([Mistake(plan.at("path"), f"{plan.log.name} must hold rows", "none")])
    if clock is None:
        keys = _HASH_KEYS if plan.config.drop_duplicates else (0, rows - 1)
        return Scan(rows, None, keys, counts=counts)
    unit, span, notes = clock.told()
    first, last = span
    if within is not None:
        first, last = max(first, within[0]), min(last, within[1])
    return Scan(rows, unit, (first, max(first, last)), notes, span, counts)


class Clock:
    """What the time column of a log says, file by file: it must say it in one way."""

    def __init__(self, plan: Tables[TablesConfig], time: TimeConfig) -> None:
        self.plan, self.time = plan, time
        self._ways: dict[str, str] = {}  # how it is written: the first file that does
        self._ends: dict[str, tuple[float, float]] = {}  # of a file; of numbers as they are, else nanoseconds

    def see(self, column: pa.Array, file: str) -> None:
        if column.null_count == len(column):
            return
        values = told_times(self.plan, column)
        number, way = is_number(values.type), way_of(values.type)
        self._ways.setdefault(way, file)
        ends = pc.min_max(values if number else times_in(self.plan, values, None))
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
        ends = times_in(self.plan, pa.array([low, high]), unit).to_pylist()
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


def told_times(plan: Tables[TablesConfig], column: pa.Array) -> pa.Array:
    time = plan.config.time
    name = time.column if time else ""
    try:
        return time_values(column, time.format if time else None)
    except NotTimesError as error:
        raise InputError([Mistake(plan.at("time", "column"), f"{name} must hold times", str(error))]) from error


def times_in(plan: Tables[TablesConfig], column: pa.Array, unit: Unit | None) -> pa.Array:
    """int64 nanoseconds UTC, null where missing.

    Raises:
        InputError: where the column holds no times.
    """
    try:
        return nanoseconds(column, unit, plan.timezone)
    except NotTimesError as error:
        name = plan.config.time.column if plan.config.time else ""
        raise InputError([Mistake(plan.at("time", "column"), f"{name} must hold times", str(error))]) from error
