"""`automl predict`: an exported model over a table on disk, a batch at a time. Loads no more than serving needs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import chain
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as pq

from automl.data.describe.text import CsvConfig
from automl.data.store.encoders import Encoders
from automl.data.store.side_table import SideTable
from automl.data.store.skew import Shares, Skew
from automl.data.tables.finder import key_kind
from automl.data.tables.table import Table, open_table
from automl.files.whole import whole_file
from automl.ranking.features import Features
from automl.ranking.served import Served, load_served
from search_spaces.errors import InputError, Mistake, Position

_DIGITS = 8
Tell = Callable[[Sequence[str]], None]


def _nobody(lines: Sequence[str]) -> None:
    pass


def predict_lines(file: Path, table: str, joins: Sequence[str], tell: Tell = _nobody) -> Iterator[str]:
    """CSV: a header, then a line a row. `tell` hears of serving skew."""
    parts = predictions(file, table, joins, tell)
    for k, part in enumerate(parts):
        if k == 0:
            yield ",".join(part.column_names)
        for row in zip(*(column.to_pylist() for column in part.columns), strict=True):
            yield ",".join(f"{value:.{_DIGITS}g}" for value in row)


def predict_to(file: Path, table: str, joins: Sequence[str], out: Path, tell: Tell = _nobody) -> int:
    """Write a Parquet or CSV file of the same columns, full precision; its rows.

    Raises:
        InputError: where the file's name ends otherwise, or as predictions() does.
    """
    if out.suffix not in (".parquet", ".csv"):
        raise InputError.of(str(out), "must be a .parquet or a .csv file", out.suffix or "no ending")
    parts = predictions(file, table, joins, tell)
    first = next(parts)
    kind = pq.ParquetWriter if out.suffix == ".parquet" else pacsv.CSVWriter
    rows = 0
    with whole_file(out) as beside, kind(str(beside), first.schema) as writer:
        for part in _with(first, parts):
            writer.write_table(part)
            rows += part.num_rows
    return rows


def predictions(file: Path, table: str, joins: Sequence[str], tell: Tell = _nobody) -> Iterator[pa.Table]:
    """Batches of probabilities in the order of the rows: one column `probability`, or one a task.

    An empty first batch comes before all others, so that the columns are known of a table without rows. `tell` hears
    lines of what is missing and unknown, after the first rows and at the end.

    Raises:
        InputError: with everything that is wrong with the file, the tables and their columns.
    """
    served = load_served(file)
    skew, of_log, first = Skew(), _of_log(served), list[str]()
    for k, part in enumerate(tables_as_logged(served.encoders, table, joins)):
        features = served.encoders.encode(part, table)
        skew.add(served.encoders, part, features[0])
        yield _predicted(served, Features.of(*features))
        if k == 1:
            first = skew.lines(of_log)
            tell(first)
    if skew.rows and skew.lines(of_log) != first:
        tell(skew.lines(of_log))


def _of_log(served: Served) -> dict[str, Shares]:
    """A file from before shares were kept, and a student, have none."""
    told = served.facts["about"].get("features", {})
    return {name: Shares(**shares) for name, shares in told.items()}


def tables_as_logged(encoders: Encoders, table: str, joins: Sequence[str]) -> Iterator[pa.Table]:
    """A table on disk, a batch at a time, joined and in the types of the log; the first one has no rows.

    Raises:
        InputError: with everything that is wrong with the tables and their columns.
    """
    rows = opened(table, encoders)
    needed = encoders.columns
    sides, untyped = _sides(joins, rows, encoders)
    untyped |= {name for name in rows.columns if rows.is_untyped(name)}
    there = [name for name in dict.fromkeys((*needed, *(side.key for side in sides))) if name in rows.columns]
    empty = pa.schema([rows.schema.field(name) for name in there]).empty_table()
    for held in chain([empty], (pa.Table.from_batches([batch]) for batch in rows.batches(there))):
        yield encoders.typed(_joined(held, sides, needed, table), untyped, table)


def opened(path: str, encoders: Encoders) -> Table:
    """A table that is written as the log was."""
    origin = encoders.origin
    csv = None if origin.csv is None else CsvConfig.model_validate(origin.csv)
    return open_table(path, Path.cwd(), Position(path), csv, origin.types)


def _predicted(served: Served, features: Features) -> pa.Table:
    found = served.probabilities(features).reshape(len(features), len(served.tasks))
    names = ["probability"] if len(served.tasks) == 1 else [f"probability_{task}" for task in served.tasks]
    return pa.table({column: np.ascontiguousarray(found[:, t]) for t, column in enumerate(names)})


def _joined(rows: pa.Table, sides: Sequence[SideTable], needed: Sequence[str], name: str) -> pa.Table:
    for side in sides:
        rows = side.join(rows, needed, name)
    return rows


def _sides(joins: Sequence[str], rows: Table, encoders: Encoders) -> tuple[list[SideTable], set[str]]:
    """Side tables by their keys, and which of their columns have no types."""
    needed = encoders.columns
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


def _with(first: pa.Table, rest: Iterator[pa.Table]) -> Iterator[pa.Table]:
    yield first
    yield from rest
