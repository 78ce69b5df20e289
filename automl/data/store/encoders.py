"""Encoders of an encoded log, for rows that come later: the same ids and numbers, as values.

B rows, F id fields, D dense features. Needs NumPy and pyarrow only; nothing is unpickled.
"""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TypeAlias

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from automl.data.columns.numbers import Scales, as_floats
from automl.data.columns.times import Unit, is_made, made_column, nanoseconds
from automl.data.columns.vocabulary import Numbering
from automl.data.store.side_table import whole
from search_spaces.errors import InputError, Mistake, Position

Rows: TypeAlias = pa.Table | pa.RecordBatch


@dataclass(frozen=True, slots=True)
class ServedTime:
    """The time column; `unit` is that of a number, told or found when the log was encoded."""

    column: str
    unit: Unit | None
    timezone: str


@dataclass(frozen=True, slots=True)
class SideColumns:
    """Which columns a log's side table gave, and by which key."""

    key: str
    columns: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Encoders:
    """Rows of a table to what a model reads. id k of field f is values[f][k - 1]; 0 is missing or unknown."""

    fields: tuple[str, ...]
    dense: tuple[str, ...]
    values: tuple[pa.Array, ...]
    scales: Scales
    time: ServedTime | None = None
    sides: tuple[SideColumns, ...] = ()

    @property
    def columns(self) -> tuple[str, ...]:
        """Columns that a table must have. `@hour` and `@weekday` are made from its time."""
        names = [*self.fields, *self.dense]
        needed = [name for name in names if not is_made(name)]
        made = len(needed) < len(names) and self.time is not None
        return tuple(dict.fromkeys([*needed, *((self.time.column,) if made and self.time else ())]))

    def encode(self, table: Rows, name: str = "table") -> tuple[NDArray[np.int32], NDArray[np.float32]]:
        """ids (B, F) and dense (B, D), as the encoded log has them for the same rows; `name` names the table in errors.

        Raises:
            InputError: where columns are missing or hold something else than those of the log.
        """
        self.check(table.schema, name)
        times = self._times(table, name)
        ids_BF = np.zeros((table.num_rows, len(self.fields)), np.int32)
        for f, (field, numbering) in enumerate(zip(self.fields, self._numberings, strict=True)):
            ids_BF[:, f] = numbering.find(self._column(table, field, times))
        dense_BD = np.zeros((table.num_rows, len(self.dense)), np.float64)
        for d, feature in enumerate(self.dense):
            dense_BD[:, d] = as_floats(self._column(table, feature, times))
        wild = [feature for d, feature in enumerate(self.dense) if np.isinf(dense_BD[:, d]).any()]
        if wild:
            raise InputError(Mistake(Position(name), f"{w} must be finite or missing", "inf") for w in wild)
        return ids_BF, self.scales.standardised(dense_BD)

    def check(self, schema: pa.Schema, name: str = "table") -> None:
        """Whether a table can be encoded, told from its columns.

        Raises:
            InputError: with every column that is missing or of another kind.
        """
        mistakes = [self._missing(column, schema.names, name) for column in self.columns if column not in schema.names]
        for field, values in zip(self.fields, self.values, strict=True):
            if field in schema.names and not is_made(field) and not _alike(schema.field(field).type, values):
                must = f"{field} must hold {_family(values.type)}s as the log did"
                mistakes.append(Mistake(Position(name), must, str(schema.field(field).type)))
        for feature in self.dense:
            if feature in schema.names and _family(schema.field(feature).type) not in ("number", "null"):
                found = str(schema.field(feature).type)
                mistakes.append(Mistake(Position(name), f"{feature} must be numeric", found))
        if mistakes:
            raise InputError(mistakes)

    def select(self, fields: Sequence[str], dense: Sequence[str]) -> Encoders:
        """The encoders of some of the features, in the order given: for a model that reads only those."""
        at_F, at_D = [self.fields.index(name) for name in fields], [self.dense.index(name) for name in dense]
        return replace(
            self,
            fields=tuple(fields),
            dense=tuple(dense),
            values=tuple(self.values[f] for f in at_F),
            scales=self.scales.select(at_D),
        )

    def cut(self, table_rows: Sequence[int]) -> Encoders:
        """Without the ids from table_rows[f] on: a model's cut-off gives them row 0, as it does to unknown ones."""
        kept = tuple(values.slice(0, max(rows - 1, 0)) for values, rows in zip(self.values, table_rows, strict=True))
        return replace(self, values=kept)

    @cached_property
    def _numberings(self) -> tuple[Numbering, ...]:
        numberings = tuple(Numbering() for _ in self.fields)
        for numbering, values in zip(numberings, self.values, strict=True):
            numbering.add(values)
        return numberings

    def _times(self, table: Rows, name: str) -> NDArray[np.int64]:
        if self.time is None or self.time.column not in self.columns:
            return np.zeros(0, np.int64)
        must = f"{self.time.column} must hold a time in every row"
        try:
            times = nanoseconds(whole(table.column(self.time.column)), self.time.unit, self.time.timezone)
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
            raise InputError.of(name, must, str(error).splitlines()[0]) from error
        if times.null_count:
            raise InputError.of(name, must, f"{times.null_count} without one")
        return np.asarray(times.to_numpy(zero_copy_only=False))

    def _column(self, table: Rows, name: str, times: NDArray[np.int64]) -> pa.Array:
        if self.time is not None and is_made(name):
            return made_column(name, times, self.time.timezone)
        return whole(table.column(name))

    def _missing(self, column: str, there: Sequence[str], name: str) -> Mistake:
        key = next((side.key for side in self.sides if column in side.columns), None)
        close = difflib.get_close_matches(column, there, n=1)
        hint = f"did you mean {close[0]}?" if close else ""
        if key is not None:
            hint = f"the log had it from a side table: --join {key}=PATH"
        elif column.startswith("@"):
            hint = "a counter is known when a row is scored: give its value then as a column of this name"
        return Mistake(Position(name), f"must have a column {column}", "none", hint)


def _alike(kind: pa.DataType, values: pa.Array) -> bool:
    """Numbers equal numbers of any width, and words words; an empty vocabulary or column says nothing."""
    return not len(values) or _family(kind) in ("null", _family(values.type))


def _family(kind: pa.DataType) -> str:
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    if pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_boolean(kind):
        return "number"
    if pa.types.is_decimal(kind):
        return "number"
    if pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind):
        return "word"
    if pa.types.is_null(kind):
        return "null"
    return str(kind).partition("[")[0]
