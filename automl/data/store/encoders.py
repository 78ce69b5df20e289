"""Encoders of an encoded log, for rows that come later: the same ids and numbers, as values.

B rows, F id fields, D dense features. Needs NumPy and pyarrow only; nothing is unpickled.
"""

from __future__ import annotations

import difflib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from automl.data.columns.kinds import MisfitError, cast, is_numeric, is_text, plain, trimmed
from automl.data.columns.lists import EventClock, alike, holds_lists, inexact, plain_of
from automl.data.columns.numbers import LARGEST, NotNumbersError, Scales, as_floats
from automl.data.columns.times import NotTimesError, Unit, is_made, made_column, nanoseconds, near, time_values, way_of
from automl.data.columns.vector_places import plain_among, vectors_among
from automl.data.columns.vectors import NotVectorsError, as_vectors, holds_vectors
from automl.data.columns.vocabulary import Numbering, numbering_of
from automl.data.store.keyed import whole
from automl.data.store.served_lists import EncodedLists, EncodedRows, ServedSequence, encoded_lists
from search_spaces.errors import InputError, Mistake, Position

if TYPE_CHECKING:
    from automl.data.describe.text import ColumnKind  # loads pydantic, which serving does without

Rows: TypeAlias = pa.Table | pa.RecordBatch


@dataclass(frozen=True, slots=True)
class ServedTime:
    """The time column; `unit` is that of a number, told or found when the log was encoded, `format` that of a text.

    `span` is the first and the last time of the log, nanoseconds UTC; `way` how it wrote them (way_of).
    """

    column: str
    unit: Unit | None
    timezone: str
    format: str | None = None
    span: tuple[int, int] | None = None
    way: str | None = None

    def nanoseconds(self, column: pa.Array) -> pa.Array:
        """int64 nanoseconds UTC, null where missing.

        Raises:
            NotTimesError: where the column holds no times, or wall times where the log had others, or the other way
                round: which zone is meant cannot be known.
        """
        values = time_values(column, self.format)
        zones = {"with a zone", "without a zone"}
        way = way_of(values.type)
        other = self.way is not None and values.null_count < len(values) and way != self.way
        if other and (way == "without a zone" or {way, self.way} == zones):
            raise NotTimesError(f"times {way}, where the log had them {self.way}")
        return nanoseconds(values, self.unit, self.timezone)

    def day_far_from_log(self, times_ns: NDArray[np.int64]) -> str | None:
        """A day that lies decades from the log: a time in another unit. None where there is none."""
        if self.span is None or not len(times_ns):
            return None
        first, last = near(self.span)
        far = times_ns[(times_ns < first) | (times_ns > last)]
        return str(far[0].astype("datetime64[ns]").astype("datetime64[D]")) if len(far) else None


@dataclass(frozen=True, slots=True)
class SideColumns:
    """Which columns a log's side table gave, and by which key."""

    key: str
    columns: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Origin:
    """How the log's own tables were written, so that others are read alike.

    `csv` is that part of the data description, as plain values. `untyped` are id fields that were text only because
    they stood in a text file, `single` dense features that were float32.
    """

    csv: Mapping[str, Any] | None = None
    types: Mapping[str, ColumnKind] | None = None
    untyped: tuple[str, ...] = ()
    single: tuple[str, ...] = ()


UNTOLD = Origin()


@dataclass(frozen=True, eq=False)
class Encoders:
    """Rows of a table to what a model reads. id k of field f is values[f][k - 1]; 0 is missing or unknown.

    Of a field with `buckets` (none of any where it is empty) these are the first ids, of all values that are unknown.
    """

    fields: tuple[str, ...]
    dense: tuple[str, ...]
    values: tuple[pa.Array, ...]
    scales: Scales
    time: ServedTime | None = None
    sides: tuple[SideColumns, ...] = ()
    origin: Origin = UNTOLD
    sequences: tuple[ServedSequence, ...] = ()
    buckets: tuple[int, ...] = ()

    @property
    def columns(self) -> tuple[str, ...]:
        """Columns that a table must have. `@hour` and `@weekday` are made from its time."""
        lists = (name for sequence in self.sequences for name in sequence.columns)
        needed = [name for name in (*self.fields, *self.plain_dense, *self.vectors, *lists) if not is_made(name)]
        return tuple(dict.fromkeys([*needed, *((self.time.column,) if self.time and self.reads_time else ())]))

    @property
    def reads_time(self) -> bool:
        """Whether a feature is made from the time, or a sequence has times."""
        return any(map(is_made, (*self.fields, *self.dense))) or self.is_timed

    @property
    def is_timed(self) -> bool:
        """Whether a sequence has times."""
        return any(sequence.times is not None for sequence in self.sequences)

    @property
    def past_columns(self) -> tuple[str, ...]:
        """Columns that are made of earlier rows: of features, and of the sequences that are built."""
        dense = (name for name in self.plain_dense if name.startswith("@") and not is_made(name))
        return (*dense, *(name for sequence in self.sequences if sequence.built for name in sequence.columns))

    @property
    def vectors(self) -> Mapping[str, slice]:
        """The places of each vector's numbers among the dense features."""
        return vectors_among(self.dense)

    @property
    def plain_dense(self) -> tuple[str, ...]:
        """Dense features that are columns of their own."""
        return plain_among(self.dense)

    def encode(self, table: Rows, name: str = "table") -> EncodedRows:
        """What the encoded log has for the same rows; `name` names the table in errors.

        Raises:
            InputError: where columns are missing or hold something else than those of the log.
        """
        self.check(table.schema, name)
        times = self.times(table, name) if self.reads_time else np.zeros(0, np.int64)
        ids_BF = np.zeros((table.num_rows, len(self.fields)), np.int32)
        for f, numbering in enumerate(self.numberings):
            ids_BF[:, f] = numbering.find(self.id_column(table, f, times, name))
        dense_BD = np.zeros((table.num_rows, len(self.dense)), np.float64)
        mistakes = []
        for d, feature in enumerate(self.plain_dense):
            try:
                dense_BD[:, d] = self._numbers(self._column(table, feature, times), feature)
            except NotNumbersError as error:
                mistakes.append(Mistake(Position(name), f"{feature} must be numeric", repr(error.example)))
            wild = np.abs(dense_BD[:, d]) > LARGEST
            if wild.any():
                found = f"{dense_BD[wild.argmax(), d]:g}"
                must = "finite or missing" if "inf" in found else f"within float32 (up to {LARGEST:.1e})"
                mistakes.append(Mistake(Position(name), f"{feature} must be {must}", found))
        for vector, place in self.vectors.items():
            try:
                dense_BD[:, place] = as_vectors(whole(table.column(vector)), place.stop - place.start)
            except NotVectorsError as error:
                must = f"{vector} must hold vectors of {place.stop - place.start} numbers"
                mistakes.append(Mistake(Position(name), must, error.example))
            if np.isinf(dense_BD[:, place]).any():
                must = f"{vector} must be within float32 (up to {LARGEST:.1e})"
                mistakes.append(Mistake(Position(name), must, "inf"))
        histories = [self._lists(table, sequence, times, name, mistakes) for sequence in self.sequences]
        if mistakes:
            raise InputError(mistakes)
        scaled_BD = self.scales.standardised(dense_BD)
        return EncodedRows(ids_BF, scaled_BD, tuple(histories), times if self.is_timed else None)

    def typed(self, table: pa.Table, untyped: Collection[str], name: str = "table") -> pa.Table:
        """Id columns that are text for want of types, in the types that the log had.

        Raises:
            InputError: where a value is none of that type.
        """
        mistakes = []
        for field, values in zip(self.fields, self.values, strict=True):
            if field not in untyped or field not in table.column_names or not len(values) or is_text(values.type):
                continue
            try:
                column = cast(trimmed(whole(table[field])), values.type)
                table = table.set_column(table.column_names.index(field), field, column)
            except MisfitError as error:
                must = f"{field} must hold {_family(values.type)}s as the log did"
                mistakes.append(Mistake(Position(name), must, str(error)))
        if mistakes:
            raise InputError(mistakes)
        return table

    def check(self, schema: pa.Schema, name: str = "table") -> None:
        """Whether a table can be encoded, told from its columns.

        Raises:
            InputError: with every column that is missing or of another kind.
        """
        mistakes = [self._missing(column, schema.names, name) for column in self.columns if column not in schema.names]
        for field, values in zip(self.fields, self.values, strict=True):
            if (
                field in schema.names
                and not is_made(field)
                and not self._alike(schema.field(field).type, field, values)
            ):
                must = f"{field} must hold {_family(values.type)}s as the log did"
                mistakes.append(Mistake(Position(name), must, str(schema.field(field).type)))
        for vector in self.vectors:
            if vector in schema.names and not holds_vectors(plain(schema.field(vector).type)):
                must = f"{vector} must hold vectors: lists of numbers"
                mistakes.append(Mistake(Position(name), must, str(schema.field(vector).type)))
        for sequence in self.sequences:
            mistakes += self._misfits(sequence, schema, name)
        for feature in self.plain_dense:
            if feature in schema.names and _family(schema.field(feature).type) not in ("number", "null", "word"):
                found = str(schema.field(feature).type)
                mistakes.append(Mistake(Position(name), f"{feature} must be numeric", found))
        if mistakes:
            raise InputError(mistakes)

    def select(self, fields: Sequence[str], dense: Sequence[str], sequences: Collection[str] = ()) -> Encoders:
        """The encoders of some of the features, in the order given: for a model that reads only those. The fields must
        hold those of the sequences."""
        at_F, at_D = [self.fields.index(name) for name in fields], [self.dense.index(name) for name in dense]
        chosen = replace(
            self,
            fields=tuple(fields),
            dense=tuple(dense),
            values=tuple(self.values[f] for f in at_F),
            scales=self.scales.select(at_D),
            sequences=tuple(sequence for sequence in self.sequences if sequence.name in sequences),
            buckets=tuple(self.buckets[f] for f in at_F) if self.buckets else (),
        )
        read = set(chosen.columns)
        sides = (SideColumns(side.key, tuple(name for name in side.columns if name in read)) for side in self.sides)
        return replace(chosen, sides=tuple(side for side in sides if side.columns))

    def cut(self, table_rows: Sequence[int]) -> Encoders:
        """Without the ids from table_rows[f] on: a model's cut-off gives them row 0, as it does to unknown ones. Of a
        field with buckets all are kept: what is unknown has another row there."""
        kept = tuple(
            values if buckets else values.slice(0, max(rows - 1, 0))
            for values, rows, buckets in zip(self.values, table_rows, self.buckets_F, strict=True)
        )
        return replace(self, values=kept)

    @property
    def buckets_F(self) -> tuple[int, ...]:  # noqa: N802
        """Of each id field, 0 for none."""
        return self.buckets or (0,) * len(self.fields)

    @cached_property
    def numberings(self) -> tuple[Numbering, ...]:
        return tuple(map(numbering_of, self.values, self.buckets_F))

    def id_column(self, table: Rows, f: int, times: NDArray[np.int64], name: str) -> pa.Array:
        """What a table has of an id field, as the values of the log can be found in it.

        Raises:
            InputError: where it holds doubles that stand for several ids.
        """
        column, kind = self._column(table, self.fields[f], times), self.values[f].type
        if is_text(kind) and pa.types.is_integer(column.type):
            column = column.cast(pa.string())
        if pa.types.is_integer(kind) and pa.types.is_floating(column.type):
            far = inexact(column)
            if far is not None:
                must = f"{self.fields[f]} must hold whole numbers as the log did; as doubles they are exact up to 2**53"
                raise InputError.of(name, must, far)
        return column

    def times(self, table: Rows, name: str = "table") -> NDArray[np.int64]:
        """Of every row, nanoseconds UTC.

        Raises:
            InputError: where one is missing, cannot be read, or lies decades from the log.
        """
        if self.time is None:
            raise ValueError("encoders of a log without a time must not be asked for times")
        must = f"{self.time.column} must hold a time in every row"
        try:
            times = self.time.nanoseconds(whole(table.column(self.time.column)))
        except NotTimesError as error:
            raise InputError.of(name, must, str(error)) from error
        if times.null_count:
            raise InputError.of(name, must, f"{times.null_count} without one")
        times_B = np.asarray(times.to_numpy(zero_copy_only=False))
        day = self.time.day_far_from_log(times_B)
        if day is not None:
            ends = np.array(self.time.span).astype("datetime64[ns]").astype("datetime64[D]")
            hint = f"numbers are read in {self.time.unit}, as in the log" if self.time.unit else ""
            must = f"{self.time.column} must lie near the log ({ends[0]} to {ends[1]})"
            raise InputError.of(name, must, day, hint)
        return times_B

    def _lists(
        self, table: Rows, sequence: ServedSequence, times: NDArray[np.int64], name: str, mistakes: list[Mistake]
    ) -> EncodedLists:
        """Of one sequence; what is wrong is added to the mistakes."""
        f, time = self.fields.index(sequence.of), self.time

        def read(values: pa.Array) -> pa.Array:
            unit, timezone, form = (None, "UTC", None) if time is None else (time.unit, time.timezone, time.format)
            return nanoseconds(values, unit, timezone, form)

        clock = EventClock(read) if time is None else EventClock(read, time.unit, time.span)
        found, wrong = encoded_lists(
            sequence, lambda column: whole(table.column(column)), self.numberings[f], self.values[f].type, times, clock
        )
        mistakes += [
            Mistake(Position(name), f"{sequence.column(one)} {one.must}", f"{one.example} ({one.count} rows)")
            for one in wrong
        ]
        return found

    def _misfits(self, sequence: ServedSequence, schema: pa.Schema, name: str) -> list[Mistake]:
        """Columns of a sequence that hold no lists, or lists of other values than the log's."""
        found = []
        values = self.values[self.fields.index(sequence.of)]
        for column in sequence.columns:
            kind = plain(schema.field(column).type) if column in schema.names else pa.null()
            if not holds_lists(kind):
                found.append(Mistake(Position(name), f"{column} must hold lists", str(kind)))
            elif column == sequence.ids and len(values):
                told, untyped = plain_of(kind), sequence.of in self.origin.untyped
                if not (alike(told, values.type, untyped) or (is_text(told) and is_numeric(values.type))):
                    must = f"{column} must hold lists of {_family(values.type)}s as the log did"
                    found.append(Mistake(Position(name), must, str(kind)))
        return found

    def _column(self, table: Rows, name: str, times: NDArray[np.int64]) -> pa.Array:
        if self.time is not None and is_made(name):
            return made_column(name, times, self.time.timezone)
        column = whole(table.column(name))
        return cast(column, plain(column.type))

    def _numbers(self, column: pa.Array, feature: str) -> NDArray[np.float64]:
        """float64 as the log had them: rounded to float32 where it held those; a float32 is what it is written as."""
        if feature in self.origin.single:
            return as_floats(column).astype(np.float32).astype(np.float64)
        if pa.types.is_float32(column.type) or pa.types.is_float16(column.type):
            column = column.cast(pa.float32()).cast(pa.string())
        return as_floats(column)

    def _alike(self, kind: pa.DataType, field: str, values: pa.Array) -> bool:
        """Numbers equal numbers of any width, and words words; an empty vocabulary or column says nothing. Whole
        numbers equal the text of a log that had no types."""
        if field in self.origin.untyped and pa.types.is_integer(kind):
            return True
        return not len(values) or _family(kind) in ("null", _family(values.type))

    def _missing(self, column: str, there: Sequence[str], name: str) -> Mistake:
        key = next((side.key for side in self.sides if column in side.columns), None)
        close = difflib.get_close_matches(column, there, n=1)
        hint = f"did you mean {close[0]}?" if close else ""
        if key is not None:
            hint = f"the log had it from a side table: --join {key}=PATH"
        elif column.startswith("@"):
            hint = "made of earlier rows: by the past of the model, or given with all others as columns of their names"
        return Mistake(Position(name), f"must have a column {column}", "none", hint)


def _family(kind: pa.DataType) -> str:
    kind = plain(kind)
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    if is_numeric(kind) or pa.types.is_boolean(kind):
        return "number"
    if is_text(kind):
        return "word"
    if pa.types.is_null(kind):
        return "null"
    return str(kind).partition("[")[0]
