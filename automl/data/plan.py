"""Which column of which table each part of a data description is; everything that can be told before rows are read."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import pyarrow as pa

from automl.config import DataConfig
from automl.data.tables import Table, open_table
from automl.data.times import is_made
from automl.data.windows import Locate, Split, split_mistakes, split_of
from search_spaces.errors import InputError, Mistake, Position

LOG = -1
MADE = -2


@dataclass(frozen=True, slots=True)
class Source:
    """A column and its table: the log (-1), a side table (0, 1, ...) or made from the time (-2)."""

    table: int
    column: str


@dataclass(frozen=True, slots=True)
class Plan:
    """A data description that fits its tables."""

    config: DataConfig
    at: Locate
    log: Table
    sides: tuple[Table, ...]
    categorical: tuple[Source, ...]
    dense: tuple[Source, ...]
    cluster: Source | None
    split: Split
    timezone: str

    @property
    def log_columns(self) -> tuple[str, ...]:
        """Columns of the log that must be read: all of them where duplicates are to be found."""
        if self.config.drop_duplicates:
            return self.log.columns
        config = self.config
        named: list[str | None] = [config.label.column, config.label.given, config.weight]
        named += [config.time.column if config.time else None, *(join.on for join in config.join)]
        named += [source.column for source in self.sources if source.table == LOG]
        return tuple(dict.fromkeys(name for name in named if name is not None))

    def side_columns(self, side: int) -> tuple[str, ...]:
        """Columns of a side table that must be read, its key first."""
        used = [source.column for source in self.sources if source.table == side]
        return tuple(dict.fromkeys([self.config.join[side].on, *used]))

    @property
    def sources(self) -> tuple[Source, ...]:
        return (*self.categorical, *self.dense, *((self.cluster,) if self.cluster else ()))


def at_nothing(*path: str | int) -> Position:
    """Position of a description that comes from no file: its path stands for one."""
    return Position(".".join(["data", *map(str, path)]))


def make_plan(config: DataConfig, base: Path, at: Locate = at_nothing) -> Plan:
    """Open the tables and find the columns.

    Raises:
        InputError: with every mistake that the description and the schemas of its tables show.
    """
    tables = _open_all(config, base, at)
    log, sides = tables[0], tables[1:]
    timezone = config.time.timezone if config.time else "UTC"
    finder = _Finder(config, at, log, sides)
    mistakes = _timezone_mistakes(timezone, at) or split_mistakes(config.split, at)
    finder.log_columns()
    categorical = [finder.feature(name, "features", "categorical", name) for name in config.features.categorical]
    dense = [finder.feature(name, "features", "dense", name) for name in config.features.dense]
    cluster = finder.feature(config.cluster, "cluster") if config.cluster else None
    finder.dense_are_numbers(dense)
    mistakes += finder.mistakes
    if mistakes:
        raise InputError(mistakes)
    found = tuple(source for source in categorical if source), tuple(source for source in dense if source)
    return Plan(config, at, log, sides, *found, cluster, split_of(config.split, timezone), timezone)


def _open_all(config: DataConfig, base: Path, at: Locate) -> tuple[Table, ...]:
    asked = [(config.path, at("path")), *((join.path, at("join", k, "path")) for k, join in enumerate(config.join))]
    tables: list[Table] = []
    mistakes: list[Mistake] = []
    for path, position in asked:
        try:
            tables.append(open_table(path, base, position))
        except InputError as error:
            mistakes += error.mistakes
    if mistakes:
        raise InputError(mistakes)
    return tuple(tables)


def _timezone_mistakes(timezone: str, at: Locate) -> list[Mistake]:
    try:
        ZoneInfo(timezone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        hint = "a name like Asia/Shanghai or UTC"
        return [Mistake(at("time", "timezone"), "timezone must be one of the tz database", timezone, hint)]
    return []


class _Finder:
    """Looks columns up and gathers what is wrong."""

    def __init__(self, config: DataConfig, at: Locate, log: Table, sides: tuple[Table, ...]) -> None:
        self.config, self.at, self.log, self.sides = config, at, log, sides
        self.mistakes: list[Mistake] = []

    def log_columns(self) -> None:
        """Label, given, weight, time and the keys of joins belong to the log itself."""
        config = self.config
        self._in_log(config.label.column, "label", "column")
        self._in_log(config.label.given, "label", "given")
        self._in_log(config.weight, "weight")
        if config.time is not None and self._in_log(config.time.column, "time", "column"):
            self._check_time(config.time.column)
        for k, (join, side) in enumerate(zip(config.join, self.sides, strict=True)):
            self._in_log(join.on, "join", k, "on")
            if join.on not in side.columns:
                self._missing(join.on, side.columns, f"a column of {side.name}", "join", k, "on")
            elif join.on in self.log.columns:
                self._check_keys(join.on, side, k)

    def feature(self, name: str, *path: str | int) -> Source | None:
        """Where a feature comes from; None, and a mistake noted, where that cannot be said."""
        if name.startswith("@"):
            return self._made(name, *path)
        if name in (self.config.label.column, self.config.weight):
            what = "the label" if name == self.config.label.column else "the weight"
            self._note(f"a feature must be known before the label is; {name} is {what}", "", "leave it out", *path)
            return None
        holders = [(LOG, self.log)] if name in self.log.columns else []
        keys = [join.on for join in self.config.join]
        holders += [(k, side) for k, side in enumerate(self.sides) if name in side.columns and name != keys[k]]
        if len(holders) > 1:
            found = " and ".join(table.name for _, table in holders)
            self._note(f"{name} must be a column of one table", found, "rename it in one of them", *path)
            return None
        if not holders:
            columns = [*self.log.columns, *(column for side in self.sides for column in side.columns)]
            self._missing(name, columns, "a column of the log or of a joined table", *path)
            return None
        index, table = holders[0]
        if pa.types.is_nested(table.type_of(name)):
            self._note(f"{name} must hold one value a row", str(table.type_of(name)), "", *path)
            return None
        return Source(index, name)

    def dense_are_numbers(self, sources: Iterable[Source | None]) -> None:
        for source in sources:
            if source is None or source.table == MADE:
                continue
            kind = (self.log if source.table == LOG else self.sides[source.table]).type_of(source.column)
            if not (_is_number(kind) or pa.types.is_boolean(kind)):
                hint = "name it under categorical instead"
                self._note(f"{source.column} must be numeric", str(kind), hint, "features", "dense", source.column)

    def _made(self, name: str, *path: str | int) -> Source | None:
        if not is_made(name):
            self._missing(name, ["@hour", "@weekday", "@day"], "@hour, @weekday or @day", *path)
        elif self.config.time is None:
            self._note(f"{name} must have a time column to be made from", "none", "give data.time", *path)
        elif name == "@day" and path[:1] == ("features",):
            self._note("@day must not be a feature", "", "later days are never seen in training", *path)
        else:
            return Source(MADE, name)
        return None

    def _in_log(self, name: str | None, *path: str | int) -> bool:
        if name is None or name in self.log.columns:
            return name is not None
        self._missing(name, self.log.columns, f"a column of {self.log.name}", *path)
        return False

    def _check_time(self, column: str) -> None:
        kind = self.log.type_of(column)
        text = pa.types.is_string(kind) or pa.types.is_large_string(kind)
        if not (_is_number(kind) or text or pa.types.is_timestamp(kind) or pa.types.is_date(kind)):
            must = f"{column} must be a timestamp, a date, ISO 8601 text or a number"
            self._note(must, str(kind), "", "time", "column")

    def _check_keys(self, key: str, side: Table, k: int) -> None:
        ours, theirs = self.log.type_of(key), side.type_of(key)
        if _is_number(ours) != _is_number(theirs):
            must = f"{key} must be of one kind in {self.log.name} and {side.name}"
            self._note(must, f"{ours} and {theirs}", "", "join", k, "on")

    def _missing(self, name: str, columns: Iterable[str], what: str, *path: str | int) -> None:
        self.mistakes.append(missing_column(self.at(*path), name, columns, what))

    def _note(self, must: str, found: str, hint: str, *path: str | int) -> None:
        self.mistakes.append(Mistake(self.at(*path), must, found, hint))


def missing_column(position: Position, name: str, columns: Iterable[str], what: str) -> Mistake:
    """A name that is no column, with the one that was perhaps meant."""
    close = difflib.get_close_matches(name, list(columns), n=1)
    return Mistake(position, f"{name} must be {what}", "no such column", f"did you mean {close[0]}?" if close else "")


def _is_number(kind: pa.DataType) -> bool:
    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind))
