"""Looks the columns of a data description up in its tables; everything that can be told before rows are read."""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TypedDict
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import pyarrow as pa

from automl.data.columns.kinds import ClashError, common, is_numeric, is_text, plain
from automl.data.columns.lists import alike, holds_lists, plain_of
from automl.data.columns.times import is_made
from automl.data.columns.vectors import holds_vectors, width_in
from automl.data.describe.sequences import SequenceConfig
from automl.data.describe.tables import TablesConfig
from automl.data.tables.sources import LOG, MADE, SequenceSource, Source, VectorSource
from automl.data.tables.table import Table, open_table
from automl.data.tables.windows import Locate
from search_spaces.errors import InputError, Mistake, Position


def open_all(config: TablesConfig, base: Path, at: Locate) -> tuple[Table, ...]:
    asked = [(config.path, at("path")), *((join.path, at("join", k, "path")) for k, join in enumerate(config.join))]
    tables: list[Table] = []
    mistakes: list[Mistake] = []
    for path, position in asked:
        try:
            tables.append(open_table(path, base, position, config.csv, config.types))
        except InputError as error:
            mistakes += error.mistakes
    for table in tables:
        mark = other_separator(table.columns)
        if mark is not None and table.is_untyped(table.columns[0]):
            hint = f"data: {{csv: {{separator: {json.dumps(mark)}}}}}?"
            must = f"{table.name} must hold several columns"
            mistakes.append(Mistake(table.position, must, f"one, {table.columns[0][:120]!r}", hint))
    mistakes += _types_of_nothing(config, tables, at) if not mistakes else []
    if mistakes:
        raise InputError(mistakes)
    return tuple(tables)


def _types_of_nothing(config: TablesConfig, tables: Iterable[Table], at: Locate) -> list[Mistake]:
    columns = [column for table in tables for column in table.columns]
    what = "a column of the log or of a joined table"
    return [missing_column(at("types", name), name, columns, what) for name in config.types if name not in columns]


def timezone_mistakes(timezone: str, at: Locate) -> list[Mistake]:
    try:
        ZoneInfo(timezone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        hint = "a name like Asia/Shanghai or UTC"
        return [Mistake(at("time", "timezone"), "timezone must be one of the tz database", timezone, hint)]
    return []


class Columns(TypedDict):
    """What a Finder finds."""

    categorical: tuple[Source, ...]
    dense: tuple[Source, ...]
    vectors: tuple[VectorSource, ...]
    extra: tuple[Source, ...]
    cluster: Source | None
    sequences: tuple[SequenceSource, ...]


class Finder:
    """Looks columns up and gathers what is wrong. `known_later` says of columns that are no features what they are."""

    def __init__(
        self, config: TablesConfig, at: Locate, log: Table, sides: tuple[Table, ...], known_later: Mapping[str, str]
    ) -> None:
        self.config, self.at, self.log, self.sides, self.known_later = config, at, log, sides, known_later
        self.mistakes: list[Mistake] = []

    def columns(self, segments: Iterable[tuple[str, str]] = ()) -> Columns:
        """Features, keys of counters, of sequences and of segments, cluster."""
        features = self.config.features
        categorical = [self.feature(name, "features", "categorical", name) for name in features.categorical]
        dense = [self.feature(name, "features", "dense", name) for name in features.dense]
        self.dense_are_numbers(dense)
        vectors = [self.vector(name, asked.width) for name, asked in features.vectors.items()]
        keys: list[Source | None] = []
        for b, block in enumerate(features.blocks):
            for k, key in enumerate(block.keys):
                keys += [self.feature(column, *features.block_path(b), "keys", k) for column in key]
        for k, key in enumerate(features.recent.keys if features.recent is not None else ()):
            keys += [self.feature(column, "features", "recent", "keys", k) for column in key]
        ids = dict(zip(features.categorical, categorical, strict=True))
        sequences = [self.sequence(name, part, ids) for name, part in features.sequence.items()]
        keys += [key for sequence in sequences if sequence is not None for key in sequence.by]
        keys += [self.feature(column, "segments", name) for name, column in segments]
        found = tuple(source for source in categorical if source is not None)
        return Columns(
            categorical=found,
            dense=tuple(source for source in dense if source is not None),
            vectors=tuple(vector for vector in vectors if vector is not None),
            extra=tuple(dict.fromkeys(key for key in keys if key is not None and key not in found)),
            cluster=self.feature(self.config.cluster, "cluster") if self.config.cluster else None,
            sequences=tuple(sequence for sequence in sequences if sequence is not None),
        )

    def time_and_keys(self) -> None:
        """The time and the keys of joins belong to the log itself."""
        config = self.config
        if config.time is not None and self.in_log(config.time.column, "time", "column"):
            self.check_time(config.time.column, "time", "column")
        for k, (join, side) in enumerate(zip(config.join, self.sides, strict=True)):
            self.in_log(join.on, "join", k, "on")
            if join.on not in side.columns:
                self._missing(join.on, side.columns, f"a column of {side.name}", "join", k, "on")
            elif join.on in self.log.columns:
                self._check_keys(join.on, side, k)

    def feature(self, name: str, *path: str | int, nested: bool = False) -> Source | None:
        """Where a feature comes from; None, and a mistake noted, where that cannot be said. `nested`: of lists."""
        if name.startswith("@"):
            return self._made(name, *path)
        if name in self.known_later:
            what = self.known_later[name]
            self.note(f"a feature must be known before the label is; {name} is {what}", "", "leave it out", *path)
            return None
        holders = [(LOG, self.log)] if name in self.log.columns else []
        keys = [join.on for join in self.config.join]
        holders += [(k, side) for k, side in enumerate(self.sides) if name in side.columns and name != keys[k]]
        if len(holders) > 1:
            found = " and ".join(table.name for _, table in holders)
            self.note(f"{name} must be a column of one table", found, "rename it in one of them", *path)
            return None
        if not holders:
            columns = [*self.log.columns, *(column for side in self.sides for column in side.columns)]
            self._missing(name, columns, "a column of the log or of a joined table", *path)
            return None
        index, table = holders[0]
        kind = table.type_of(name)
        if pa.types.is_nested(kind) and not nested:
            hint = "name it under vectors" if holds_vectors(kind) else ""
            self.note(f"{name} must hold one value a row", str(kind), hint, *path)
            return None
        return Source(index, name)

    def vector(self, name: str, width: int | None) -> VectorSource | None:
        """A column of vectors and their width; None, and a mistake noted, where it holds none."""
        path = ("features", "vectors", name)
        source = self._nested(name, *path)
        if source is None:
            return None
        table = self._table(source)
        if not holds_vectors(table.type_of(name)):
            self.note(f"{name} must hold vectors: lists of numbers", str(table.type_of(name)), "", *path)
            return None
        try:
            first = next((found for batch in table.batches([name]) if (found := width_in(batch.column(0)))), None)
        except InputError as error:
            self.mistakes += error.mistakes
            return None
        if first is None or (width is not None and width != first):
            numbers = "numbers" if width is None else f"{width} numbers"
            told = "none in any row" if first is None else f"{first} in {table.name}"
            self.note(f"{name} must hold vectors of {numbers}", told, "", *path)
            return None
        return VectorSource(source, first)

    def sequence(self, name: str, part: SequenceConfig, ids: Mapping[str, Source | None]) -> SequenceSource | None:
        """Where the lists of a sequence come from; None, and mistakes noted, where that cannot be said. `ids`: the id
        features as they were found."""
        path = ("features", "sequence", name)
        columns = [column for column in ids if not column.startswith("@")]
        of = ids[part.of] if part.of in columns else None
        if part.of not in columns:
            close = difflib.get_close_matches(part.of, columns, n=1)
            hint = f"did you mean {close[0]}?" if close else "name it under categorical: its table is shared"
            self.note(f"{part.of} must be an id feature with a column", "none", hint, *path, "of")
        if part.by is not None:
            by = [self.feature(column, *path, "by") for column in part.by]
            there = [self.in_log(column, *path, "actions") for column in part.action_columns]
            if of is None or not all(there) or None in by:
                return None
            return SequenceSource(name, of, part.max_len, by=tuple(source for source in by if source is not None))
        column, actions = part.column or name, part.actions if isinstance(part.actions, str) else None
        beside = (("column", column), ("times", part.times), ("actions", actions))
        found = {key: self._lists(asked, *path, key) for key, asked in beside if asked is not None}
        if of is None or None in found.values():
            return None
        lists = SequenceSource(name, of, part.max_len, ids=found["column"], times=found.get("times"),
                               actions=found.get("actions"))  # fmt: skip
        mistakes = len(self.mistakes)
        self._lists_fit(lists, *path)
        return lists if len(self.mistakes) == mistakes else None

    def _nested(self, name: str, *path: str | int) -> Source | None:
        """A column of which each row may hold several values."""
        if name.startswith("@"):
            self.note(f"{name} must be a column of the log or of a joined table", "a made feature", "", *path)
            return None
        return self.feature(name, *path, nested=True)

    def _lists(self, name: str, *path: str | int) -> Source | None:
        """A list column."""
        source = self._nested(name, *path)
        if source is None:
            return None
        kind = self._table(source).type_of(name)
        if not holds_lists(kind):
            self.note(f"{name} must hold lists", str(kind), "by: [...] builds them from the log's own rows", *path)
            return None
        return source

    def _lists_fit(self, lists: SequenceSource, *path: str | int) -> None:
        """Whether the list columns of a sequence stand in one table, and hold what they must."""
        ids, of = lists.ids, self._table(lists.of)
        assert ids is not None
        kind, wanted = plain_of(self._table(ids).type_of(ids.column)), of.type_of(lists.of.column)
        no_types = is_text(kind) and all(part.untyped for part in self._table(ids).parts)
        if not (alike(kind, wanted, of.is_untyped(lists.of.column)) or (no_types and is_numeric(wanted))):
            must = f"{ids.column} must hold lists of {lists.of.column} ({wanted})"
            self.note(must, f"lists of {kind}", "", *path, "column")
        for key, source in (("times", lists.times), ("actions", lists.actions)):
            if source is not None and source.table != ids.table:
                must = f"{source.column} must stand in one table with {ids.column}"
                self.note(must, self._table(source).name, self._table(ids).name, *path, key)
        if lists.times is None:
            return
        time = self.config.time
        if time is None:
            self.note(
                f"{lists.times.column} must have a time column beside it", "none", "give data.time", *path, "times"
            )
        elif time.column in self.log.columns:
            of_lists = plain_of(self._table(lists.times).type_of(lists.times.column))
            of_rows = self.log.type_of(time.column)
            if is_numeric(of_lists) and not (is_numeric(of_rows) or is_text(of_rows)):
                must = f"{lists.times.column} must be of the kind of the time {time.column}"
                self.note(must, f"{of_lists} and {of_rows}", "", *path, "times")

    def _table(self, source: Source) -> Table:
        return self.log if source.table == LOG else self.sides[source.table]

    def dense_are_numbers(self, sources: Iterable[Source | None]) -> None:
        for source in sources:
            if source is None or source.table == MADE:
                continue
            table, name = self._table(source), source.column
            kind = table.type_of(name)
            number = is_numeric(kind) or pa.types.is_boolean(kind) or pa.types.is_null(kind)
            if not number and not table.is_untyped(name):
                hint = "" if pa.types.is_temporal(kind) else "name it under categorical instead"
                if is_text(kind):
                    hint = f"name it under categorical, or say data: {{types: {{{name}: number}}}}"
                self.note(f"{name} must be numeric", str(kind), hint, "features", "dense", name)

    def _made(self, name: str, *path: str | int) -> Source | None:
        if not is_made(name):
            self._missing(name, ["@hour", "@weekday", "@day"], "@hour, @weekday or @day", *path)
        elif self.config.time is None:
            self.note(f"{name} must have a time column to be made from", "none", "give data.time", *path)
        elif name == "@day" and path[:1] == ("features",):
            self.note("@day must not be a feature", "", "later days are never seen in training", *path)
        else:
            return Source(MADE, name)
        return None

    def in_log(self, name: str | None, *path: str | int) -> bool:
        if name is None or name in self.log.columns:
            return name is not None
        self._missing(name, self.log.columns, f"a column of {self.log.name}", *path)
        return False

    def check_time(self, column: str, *path: str | int) -> None:
        kind = self.log.type_of(column)
        if not (is_numeric(kind) or is_text(kind) or pa.types.is_timestamp(kind) or pa.types.is_date(kind)):
            must = f"{column} must be a timestamp, a date, ISO 8601 text or a number"
            self.note(must, str(kind), "", *path)

    def _check_keys(self, key: str, side: Table, k: int) -> None:
        ours, theirs = self.log.type_of(key), side.type_of(key)
        if key_kind(self.log, side, key) is None:
            must = f"{key} must be of one kind in {self.log.name} and {side.name}"
            hint = f"data: {{types: {{{key}: text}}}} takes both as text"
            self.note(must, f"{ours} and {theirs}", hint, "join", k, "on")

    def _missing(self, name: str, columns: Iterable[str], what: str, *path: str | int) -> None:
        there = list(columns)
        mistake = missing_column(self.at(*path), name, there, what)
        self.mistakes.append(replace(mistake, hint=mistake.hint or _of_columns(there)))

    def note(self, must: str, found: str, hint: str, *path: str | int) -> None:
        self.mistakes.append(Mistake(self.at(*path), must, found, hint))


def _of_columns(columns: Sequence[str]) -> str:
    """What is there instead."""
    return f"the columns are {', '.join(name[:40] for name in columns[:12])}{', ...' if len(columns) > 12 else ''}"


def other_separator(columns: Sequence[str]) -> str | None:
    """The mark that separates the names of a text file of one column, which is a line as it stands."""
    marks = (";", "\t", "|", ",", "\x01") if len(columns) == 1 else ()
    return next((mark for mark in marks if mark in columns[0]), None)


def missing_column(position: Position, name: str, columns: Iterable[str], what: str) -> Mistake:
    """A name that is no column, with the one that was perhaps meant."""
    close = difflib.get_close_matches(name, list(columns), n=1)
    return Mistake(position, f"{name} must be {what}", "no such column", f"did you mean {close[0]}?" if close else "")


def key_kind(log: Table, side: Table, key: str) -> pa.DataType | None:
    """The type in which a key is looked up: what both tables hold exactly, and of one without types the other's; None
    where there is none."""
    ours, theirs = (plain(table.type_of(key)) for table in (log, side))
    ours, theirs = (kind.value_type if pa.types.is_dictionary(kind) else kind for kind in (ours, theirs))
    if log.is_untyped(key) or side.is_untyped(key):
        return theirs if log.is_untyped(key) else ours
    if is_text(ours) != is_text(theirs):
        return None
    try:
        return common([ours, theirs])
    except ClashError:
        return None
