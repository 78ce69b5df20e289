"""`automl predict`: an exported model over a table on disk, a batch at a time. Loads no more than serving needs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import chain
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as pq

from automl.commands.served_tables import as_logged, opened, rows_to_count
from automl.data.past.files import past_beside, read_past
from automl.data.past.past import Made, Past
from automl.data.store.skew import Shares, Skew
from automl.data.tables.table import Table
from automl.files.passed import Passed, unheard
from automl.files.whole import need_folder, whole_file
from automl.ranking.features import Features, read_encoded
from automl.ranking.served import Served, load_served
from search_spaces.errors import InputError

_DIGITS = 8
Tell = Callable[[Sequence[str]], None]


def _nobody(lines: Sequence[str]) -> None:
    pass


def predict_lines(
    file: Path, table: str, joins: Sequence[str], tell: Tell = _nobody, past: Path | None = None
) -> Iterator[str]:
    """CSV: a header, then a line a row. `tell` hears of serving skew."""
    parts = predictions(file, table, joins, tell, past)
    for k, part in enumerate(parts):
        if k == 0:
            yield ",".join(part.column_names)
        for row in zip(*(column.to_pylist() for column in part.columns), strict=True):
            yield ",".join(f"{value:.{_DIGITS}g}" for value in row)


def predict_to(
    file: Path,
    table: str,
    joins: Sequence[str],
    out: Path,
    tell: Tell = _nobody,
    past: Path | None = None,
    passed: Passed = unheard,
) -> int:
    """Write a Parquet or CSV file of the same columns, full precision; its rows. `passed` hears how far it is.

    Raises:
        InputError: where the file's name ends otherwise or its folder is not there, or as predictions() does.
    """
    need_folder(out)
    if out.suffix not in (".parquet", ".csv"):
        raise InputError.of(str(out), "must be a .parquet or a .csv file", out.suffix or "no ending")
    parts = predictions(file, table, joins, tell, past, passed)
    first = next(parts)
    kind = pq.ParquetWriter if out.suffix == ".parquet" else pacsv.CSVWriter
    rows = 0
    with whole_file(out) as beside, kind(str(beside), first.schema) as writer:
        for part in chain([first], parts):
            writer.write_table(part)
            rows += part.num_rows
    return rows


def predictions(
    file: Path,
    table: str,
    joins: Sequence[str],
    tell: Tell = _nobody,
    past: Path | None = None,
    passed: Passed = unheard,
) -> Iterator[pa.Table]:
    """Batches of probabilities in the order of the rows: one column `probability`, or one a task.

    An empty first batch comes before all others, so that the columns are known of a table without rows. `tell` hears
    lines of what is missing and unknown, after the first rows and at the end. What is made of earlier rows and is no
    column of the table is told by the file `past`, or by the one beside the model.

    Raises:
        InputError: with everything that is wrong with the files, the tables and their columns.
    """
    served = load_served(file)
    skew, of_log, first = Skew(), _of_log(served), list[str]()
    rows = opened(table, served.encoders)
    total, done = rows.told_rows(), 0
    for k, part in enumerate(_as_read(served, file, rows, joins, tell, past)):
        found = served.encoders.encode(part, table)
        skew.add(served.encoders, part, found)
        yield _predicted(served, read_encoded(found))
        done += part.num_rows
        passed("rows scored", done, total)
        if k == 1:
            first = skew.lines(of_log)
            tell(first)
    if skew.rows and skew.lines(of_log) != first:
        tell(skew.lines(of_log))


def _as_read(
    served: Served, file: Path, rows: Table, joins: Sequence[str], tell: Tell, asked: Path | None
) -> Iterator[pa.Table]:
    """The table with all that the model reads. Where that is made of earlier rows the table is gone through twice: what
    a row sees is known once all rows before it are, in whatever order they stand."""
    table = rows.name
    parts = as_logged(rows, served.encoders, joins)
    empty = next(parts)
    past = _past(served, file, empty.schema.names, table, asked)
    if past is None:
        yield empty
        yield from parts
        return
    served.encoders.check(past.nothing().beside(empty).schema, table)
    with TemporaryDirectory() as folder:
        made = past.features(rows_to_count(past, table, joins), Path(folder), table)
        tell([_how_far(past, table, made)])
        done = 0
        for part in chain([empty], parts):
            yield made.beside(part, done)
            done += part.num_rows


def _how_far(past: Past, table: str, made: Made) -> str:
    """A past that nobody went on with is seen here."""
    begins = "" if made.first_ns is None else f"; {table} begins {past.lag(made.first_ns)} later"
    return f"what earlier rows tell: of {past.state.rows:,} rows up to {past.until}{begins}"


def _past(served: Served, file: Path, columns: Sequence[str], table: str, asked: Path | None) -> Past | None:
    """The past that tells what the table does not; None where it tells all, or the model reads nothing of the kind.

    Raises:
        InputError: where there is none, or that of another model.
    """
    if asked is None and (not served.past_names or served.brings_past(columns) or served.facts.get("past") is None):
        return None
    beside = past_beside(file) if asked is None else asked
    if asked is None and not beside.exists():
        must = f"must have columns {', '.join(served.past_names[:2])}, ..., or their past must lie beside the model"
        raise InputError.of(table, must, f"no {beside}", "--past FILE names another place")
    past = served.with_past(read_past(beside), str(beside)).past
    if served.brings_past(columns):
        raise InputError.of(table, "must have what is made of earlier rows by its columns or by --past, not both")
    return past


def _of_log(served: Served) -> dict[str, Shares]:
    """A file from before shares were kept, and a student, have none."""
    told = served.facts["about"].get("features", {})
    return {name: Shares(**shares) for name, shares in told.items()}


def _predicted(served: Served, features: Features) -> pa.Table:
    found = served.probabilities(features).reshape(len(features), len(served.tasks))
    names = ["probability"] if len(served.tasks) == 1 else [f"probability_{task}" for task in served.tasks]
    return pa.table({column: np.ascontiguousarray(found[:, t]) for t, column in enumerate(names)})
