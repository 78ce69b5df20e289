"""One look at the columns of a table: kinds, distinct values, ranges, how they go with a label. For drafting only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from automl.data.columns.kinds import MisfitError, cast, is_list, plain, trimmed
from automl.data.columns.lists import holds_lists, read_lists
from automl.data.columns.numbers import as_floats
from automl.data.columns.times import is_number
from automl.data.columns.vectors import NotVectorsError, as_vectors, width_in
from automl.data.columns.vocabulary import found_in
from automl.data.tables.table import Table
from automl.files.passed import Passed, unheard
from automl.stats.metrics import auc
from search_spaces.errors import InputError

_SAMPLE_ROWS = 400_000
_LISTS = "holds lists"
_MANY = 20  # values of a list column, and of the column whose values they are
_MOST = 0.5  # of its values are in that column
Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Column:
    """What a sample tells of a column. low, middle and high are None where it is no number."""

    name: str
    kind: pa.DataType
    values: pa.Array
    distinct: int
    missing: int
    low: float | None
    middle: float | None
    high: float | None
    whole: bool

    @property
    def number(self) -> bool:
        return self.low is not None

    @property
    def binary(self) -> bool:
        return self.number and self.distinct == 2 and self.low == 0 and self.high == 1 and not self.missing

    @property
    def ends(self) -> tuple[float, float]:
        """Lowest and highest value; NaN where it is no number."""
        nan = float("nan")
        return (nan if self.low is None else self.low), (nan if self.high is None else self.high)


@dataclass(frozen=True, slots=True)
class Sample:
    """Columns that are understood, those of vectors with their widths, and of the others why not; rows of the whole
    table. `listed`: of columns of lists, the column whose values they hold."""

    columns: Mapping[str, Column]
    vectors: Mapping[str, int]
    others: Mapping[str, str]
    rows: int
    listed: Mapping[str, str] = field(default_factory=dict)


def sample_columns(table: Table, passed: Passed = unheard) -> Sample:
    """Profiles from batches spread over the whole table. A column that is not understood fails nothing."""
    vectors = {name: width for name in table.columns if (width := _vector_width(table, name))}
    others = {name: why for name in table.columns if name not in vectors and (why := _not_read(table, name))}
    names = [name for name in table.columns if name not in vectors and name not in others]
    if not names:
        return Sample({}, vectors, others, 0)
    rows = table.count_rows()
    try:
        batches = _sampled(table, names, rows, passed)
    except InputError:
        others |= {name: "cannot be read" for name in names if not _is_read(table, name)}
        names = [name for name in names if name not in others]
        if not names:
            raise
        batches = _sampled(table, names, rows, passed)
    if not batches:
        return Sample({}, {}, {}, 0)
    sample = pa.Table.from_batches(batches).combine_chunks()
    columns: dict[str, Column] = {}
    for done, name in enumerate(names):
        passed("columns looked at", done, len(names))
        try:
            columns[name] = _profile(name, _values(table, name, sample[name].combine_chunks()))
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError, MisfitError):
            others[name] = f"holds {table.type_of(name)}, which is not understood"
    lists = (name for name, why in others.items() if why == _LISTS)
    listed = {name: of for name in lists if (of := _listed(table, name, columns)) is not None}
    return Sample(columns, vectors, others, rows, listed)


def _sampled(table: Table, names: Sequence[str], rows: int, passed: Passed) -> list[pa.RecordBatch]:
    """Batches spread evenly over the table."""
    every, done, kept = max(1, rows // _SAMPLE_ROWS), 0, []
    for k, batch in enumerate(table.batches(names)):
        if k % every == 0:
            kept.append(batch)
        done += batch.num_rows
        passed("rows looked at", done, rows)
    return kept


def _is_read(table: Table, name: str) -> bool:
    try:
        return all(True for _ in table.batches([name]))
    except InputError:
        return False


def _vector_width(table: Table, name: str) -> int | None:
    """Of a column of fractions in lists of one length, that length, as its first batch says; None of any other column:
    whole numbers are ids of something."""
    kind = table.type_of(name)
    if name in table.clashes or not is_list(kind) or not pa.types.is_floating(kind.value_type):
        return None
    first = next(iter(table.batches([name])), None)
    if first is None:
        return None
    width = width_in(first.column(0))
    try:
        return width if width and as_vectors(first.column(0), width).shape[1] > 1 else None
    except NotVectorsError:
        return None


def _not_read(table: Table, name: str) -> str | None:
    kind = table.type_of(name)
    if name in table.clashes:
        return "of another kind in other files"
    if pa.types.is_struct(kind):
        return "holds structs"
    if pa.types.is_map(kind):
        return "holds maps"
    if pa.types.is_nested(kind):
        return _LISTS
    return "holds spans of time" if pa.types.is_duration(kind) or pa.types.is_interval(kind) else None


def _listed(table: Table, name: str, columns: Mapping[str, Column]) -> str | None:
    """The column whose values the lists hold, as the first batch says; None where there is none."""
    first = next(iter(table.batches([name])), None)
    if first is None or not holds_lists(first.column(0).type):
        return None
    found = read_lists(first.column(0), None).values
    shares = {}
    for column in columns.values():
        if min(len(found), column.distinct) >= _MANY:
            shares[column.name] = float((found_in(column.values, found) > 0).mean())
    best = max(shares, key=lambda of: shares[of], default=None)
    return best if best is not None and shares[best] >= _MOST else None


def _values(table: Table, name: str, values: pa.Array) -> pa.Array:
    """A sample as check will read it: categories as what they are of, and of a file without types numbers that look
    like numbers. 007 is none."""
    values = cast(values, plain(values.type))
    if pa.types.is_dictionary(values.type):
        values = values.dictionary_decode()
    if pa.types.is_decimal(values.type):
        return values.cast(pa.float64())
    if not table.is_untyped(name):
        return values
    text = trimmed(values)
    if pc.any(pc.match_substring_regex(text, r"^[+-]?0\d")).as_py():
        return values
    for kind in (pa.int64(), pa.uint64(), pa.float64()):
        try:
            return text.cast(kind)
        except pa.ArrowInvalid:
            continue
    words = set(pc.utf8_lower(text).unique().to_pylist()) - {None}
    return pc.equal(pc.utf8_lower(text), "true") if words and words <= {"true", "false"} else values


def _profile(name: str, values: pa.Array) -> Column:
    kind = values.type
    distinct = 0 if pa.types.is_null(kind) else pc.count_distinct(values, mode="only_valid").as_py()
    low = middle = high = None
    whole = pa.types.is_integer(kind) or pa.types.is_boolean(kind)
    if is_number(kind) or pa.types.is_boolean(kind):
        numbers = as_floats(values)
        known = numbers[np.isfinite(numbers)]
        if len(known):
            low, middle, high = (float(q) for q in np.quantile(known, [0.0, 0.5, 1.0]))
            whole = whole or bool((known == np.floor(known)).all())
    return Column(name, kind, values, distinct, values.null_count, low, middle, high, whole)


def after_the_label(column: Column, labels: Floats) -> str | None:
    """Why a column looks as if it were known only after the label; None where it does not."""
    if column.number:
        numbers = np.nan_to_num(as_floats(column.values), nan=0.0)
        seen = numbers != 0
        share, base = _mean(labels[seen]), _mean(labels)
        if seen.sum() >= 20 and not seen.all() and share > 1 - (1 - base) * 1e-3:
            return "only ever set on positive rows: known after the label?"
        zero = _mean(labels[~seen])
        if column.binary and seen.sum() >= 20 and zero < 1 and share / max(1 - share, 1e-9) > 10 * base / (1 - base):
            return f"{100 * share:.0f}% positive where it is set: known after the label?"
        area = auc(labels, numbers)
    elif column.distinct <= 100:
        area = auc(labels, _rates(column.values, labels))
    else:
        return None
    sure = max(area, 1 - area)
    return f"tells the label almost alone (AUC {sure:.2f}): known after it?" if sure > 0.9 else None


def _rates(values: pa.Array, labels: Floats) -> Floats:
    codes = np.asarray(pc.fill_null(values.dictionary_encode().indices, -1).to_numpy(zero_copy_only=False)) + 1
    rates: Floats = np.bincount(codes, labels) / np.maximum(np.bincount(codes), 1)
    return np.asarray(rates[codes])


def _mean(values: Floats) -> float:
    return float(values.mean()) if len(values) else 0.0


def labels_of(columns: Mapping[str, Column], label: str) -> Floats:
    return as_floats(columns[label].values)
