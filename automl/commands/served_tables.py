"""Tables that come after a log, read as the log was: in its types and null words, joined as its side tables were."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain
from pathlib import Path

import pyarrow as pa

from automl.data.describe.text import CsvConfig
from automl.data.past.past import Past
from automl.data.store.encoders import Encoders
from automl.data.store.side_table import SideTable
from automl.data.tables.finder import key_kind
from automl.data.tables.table import Table, open_table
from search_spaces.errors import InputError, Mistake, Position


def tables_as_logged(
    encoders: Encoders, table: str, joins: Sequence[str], also: Sequence[str] = (), own: Sequence[str] = ()
) -> Iterator[pa.Table]:
    """as_logged() of a table on disk.

    Raises:
        InputError: with everything that is wrong with the tables and their columns.
    """
    return as_logged(opened(table, encoders), encoders, joins, also, own)


def as_logged(
    rows: Table, encoders: Encoders, joins: Sequence[str], also: Sequence[str] = (), own: Sequence[str] = ()
) -> Iterator[pa.Table]:
    """A table, a batch at a time, joined and in the types of the log; the first one has no rows.

    Of all columns those that the encoders read, and `also` these; of the table's `own` these too. What is not there is
    left out.

    Raises:
        InputError: with everything that is wrong with the tables and their columns.
    """
    needed = (*encoders.columns, *also)
    sides, untyped = _sides(joins, rows, encoders, needed)
    untyped |= {name for name in rows.columns if rows.is_untyped(name)}
    asked = dict.fromkeys([*needed, *(side.key for side in sides), *own])
    there = [name for name in asked if name in rows.columns]
    empty = pa.schema([rows.schema.field(name) for name in there]).empty_table()
    for held in chain([empty], (pa.Table.from_batches([batch]) for batch in rows.batches(there))):
        yield encoders.typed(_joined(held, sides, needed, rows.name), untyped, rows.name)


def opened(path: str, encoders: Encoders) -> Table:
    """A table that is written as the log was."""
    origin = encoders.origin
    csv = None if origin.csv is None else CsvConfig.model_validate(origin.csv)
    return open_table(path, Path.cwd(), Position(path), csv, origin.types)


def _joined(rows: pa.Table, sides: Sequence[SideTable], needed: Sequence[str], name: str) -> pa.Table:
    for side in sides:
        rows = side.join(rows, needed, name)
    return rows


def _sides(
    joins: Sequence[str], rows: Table, encoders: Encoders, needed: Sequence[str]
) -> tuple[list[SideTable], set[str]]:
    """Side tables by their keys, and which of their columns have no types."""
    wrong = [text for text in joins if not all(text.partition("="))]
    if wrong:
        raise InputError(Mistake(Position("--join"), "must read KEY=PATH", text) for text in wrong)
    sides: list[SideTable] = []
    untyped: set[str] = set()
    for key, _, path in (text.partition("=") for text in joins):
        table = opened(path, encoders)
        if key not in table.columns:
            raise InputError.of(path, f"must have a column {key}", "none")
        if key not in rows.columns:
            raise InputError.of(rows.name, f"must have a column {key}", "none", f"{path} is joined by it")
        kind = key_kind(rows, table, key)
        if kind is None:
            must = f"{key} must be of one kind in {rows.name} and {path}"
            raise InputError.of(path, must, f"{rows.type_of(key)} and {table.type_of(key)}")
        held = table.read([key, *(name for name in table.columns if name in needed and name != key)])
        sides.append(SideTable(key, held, path, kind))
        untyped |= {name for name in table.columns if name != key and table.is_untyped(name)}
    return sides, untyped


def rows_to_count(past: Past, table: str, joins: Sequence[str]) -> Iterator[pa.Table]:
    """A table as the past counts its rows: with the columns that tell them apart, where equal ones are counted once.

    Raises:
        InputError: as tables_as_logged does.
    """
    also = (*past.columns, *past.what.label_columns)
    return tables_as_logged(past.encoders, table, joins, also, past.what.equal_by)
