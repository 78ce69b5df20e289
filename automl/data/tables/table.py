"""Tables on disk: a file, a folder, a glob, hive partitions, or an address. All files of a table have one schema.

Each file is read in the types that it has; the table's are those that hold the values of all files exactly. What has
no types, text files and the names of partitions, is read as text: a column becomes numbers or times where it is used.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote

import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.fs as pafs

from automl.data.columns.kinds import ClashError, MisfitError, cast, common, is_list
from automl.data.describe.text import ColumnKind, CsvConfig
from automl.data.tables.formats import Format, format_of
from automl.data.tables.listing import Listing, list_files
from automl.data.tables.text import TextFile
from search_spaces.errors import InputError, Mistake, Position, first_line

BATCH_ROWS = 1 << 16
ASKED: Mapping[ColumnKind, pa.DataType] = {"text": pa.string(), "integer": pa.int64(), "number": pa.float64()}
_NO_PARTITION = "__HIVE_DEFAULT_PARTITION__"
_LEAN = ds.ParquetFragmentScanOptions(use_buffered_stream=True, pre_buffer=False)


@dataclass(frozen=True, slots=True)
class Share:
    """What is read of one file of a table: all of it, or some row groups."""

    file: int
    groups: tuple[int, ...] | None = None


@dataclass(frozen=True, slots=True)
class DataFile:
    """One file: `name` below the table's path, its own columns, and what the names of its folders say."""

    path: str
    name: str
    format: Format
    source: ds.Fragment | TextFile
    kinds: Mapping[str, pa.DataType]
    partition: Mapping[str, str | None]

    @property
    def untyped(self) -> bool:
        return self.format.text

    def batches(
        self, columns: tuple[str, ...], rows: int, groups: Sequence[int] | None = None
    ) -> Iterator[pa.RecordBatch]:
        """These columns, of those that the file itself has; of Parquet one row group is held at most, and only those
        are read that are asked for."""
        if isinstance(self.source, TextFile):
            yield from self.source.batches(columns)
            return
        if not isinstance(self.source, ds.ParquetFileFragment):
            yield from self.source.to_batches(columns=list(columns), batch_size=rows, cache_metadata=False)
            return
        source = self.source if groups is None else self.source.subset(row_group_ids=list(groups))
        for piece in source.split_by_row_group():
            yield from piece.to_batches(
                columns=list(columns), batch_size=rows, cache_metadata=False, fragment_scan_options=_LEAN
            )

    def group_rows(self) -> list[int] | None:
        """Rows of each row group of a Parquet file; None of others, which are read whole."""
        if not isinstance(self.source, ds.ParquetFileFragment):
            return None
        return [group.num_rows for group in self.source.row_groups]


@dataclass(frozen=True, slots=True)
class Table:
    """One table: `name` as the study file writes it, its files in the order of their rows."""

    name: str
    schema: pa.Schema
    filesystem: pafs.FileSystem
    parts: tuple[DataFile, ...]
    position: Position
    clashes: Mapping[str, Mistake] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    @property
    def files(self) -> tuple[str, ...]:
        return tuple(part.path for part in self.parts)

    @property
    def relative(self) -> tuple[str, ...]:
        return tuple(part.name for part in self.parts)

    @property
    def columns(self) -> tuple[str, ...]:
        return tuple(self.schema.names)

    def type_of(self, column: str) -> pa.DataType:
        return self.schema.field(column).type

    def is_untyped(self, column: str) -> bool:
        """Whether a column is text only because it stands in text files or in the names of folders."""
        return pa.types.is_string(self.type_of(column)) and all(
            part.untyped or column not in part.kinds for part in self.parts
        )

    def told_rows(self) -> int:
        """Rows as the footers of Parquet files tell them; 0 where there are other files, which must be read for it."""
        told = [part.group_rows() for part in self.parts]
        return 0 if None in told else sum(sum(rows or ()) for rows in told)

    def count_rows(self) -> int:
        """Rows of all files."""
        total = 0
        for part in self.parts:
            if isinstance(part.source, TextFile):
                total += sum(batch.num_rows for batch in part.batches(tuple(part.kinds)[:1], BATCH_ROWS))
            else:
                total += part.source.count_rows()
        return total

    def batches(self, columns: Sequence[str], rows: int = BATCH_ROWS) -> Iterator[pa.RecordBatch]:
        """The table in order, a batch at a time, so that memory stays flat.

        Raises:
            InputError: where a file cannot be read, or holds a value that the column's type cannot.
        """
        for _, batch in self.by_file(columns, rows):
            yield batch

    def by_file(
        self, columns: Sequence[str], rows: int = BATCH_ROWS, shares: Sequence[Share] | None = None
    ) -> Iterator[tuple[str, pa.RecordBatch]]:
        """Batches, each with the name of its file; of the whole table, or of some shares of it."""
        clashes = [self.clashes[name] for name in columns if name in self.clashes]
        if clashes:
            raise InputError(clashes)
        schema = pa.schema([self.schema.field(name) for name in columns])
        for share in map(Share, range(len(self.parts))) if shares is None else shares:
            part = self.parts[share.file]
            own = tuple(name for name in columns if name in part.kinds)
            try:
                # a file without any of the columns still has rows, told by a column of its own
                for batch in part.batches(own or tuple(part.kinds)[:1], rows, share.groups):
                    yield part.name, self._typed(batch, part, schema)
            except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError, OSError) as error:
                must = f"{part.name} must be readable"
                raise InputError([Mistake(self.position, must, first_line(error))]) from error

    def read(self, columns: Sequence[str]) -> pa.Table:
        """These columns of the whole table, in memory: for side tables."""
        schema = pa.schema([self.schema.field(name) for name in columns])
        return pa.Table.from_batches(self.batches(columns), schema)

    def _typed(self, batch: pa.RecordBatch, part: DataFile, schema: pa.Schema) -> pa.RecordBatch:
        columns = []
        for name, kind in zip(schema.names, schema.types, strict=True):
            if name in part.kinds:
                columns.append(self._cast(batch.column(name), kind, name, part))
            else:
                told = part.partition.get(name)
                text = pa.repeat(pa.scalar(told, pa.string()), batch.num_rows)
                here = pa.nulls(batch.num_rows, kind) if told is None else self._cast(text, kind, name, part)
                columns.append(here)
        return pa.RecordBatch.from_arrays(columns, schema=schema)

    def _cast(self, column: pa.Array, kind: pa.DataType, name: str, part: DataFile) -> pa.Array:
        try:
            return cast(column, kind)
        except MisfitError as error:
            others = [other.name for other in self.parts if other.kinds.get(name, kind) == kind and other != part]
            as_in = f", as in {others[0]}" if others else ""
            must = f"{name} of {part.name} must hold {_words(kind)}{as_in}"
            hint = ""
            if part.untyped:
                hint = f"data: {{types: {{{name}: text}}}} takes every value as it stands"
            elif pa.types.is_floating(kind):
                hint = f"no float is this number: data: {{types: {{{name}: text}}}} takes both as text"
            raise InputError([Mistake(self.position, must, str(error), hint)]) from error


def open_table(
    path: str,
    base: Path,
    position: Position,
    csv: CsvConfig | None = None,
    types: Mapping[str, ColumnKind] | None = None,
) -> Table:
    """Open a table by a path relative to `base`, or by an address like s3://bucket/log.

    Args:
        csv: how text files are written, where their names do not tell.
        types: of columns, in place of those that the files have.

    Raises:
        InputError: where nothing is there, a file cannot be opened, or files are of several formats.
    """
    listing = list_files(path, base, position)
    try:
        parts, left_out = _opened(listing, csv, position)
    except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError, OSError) as error:
        raise InputError([Mistake(position, f"{path} must be readable", first_line(error))]) from error
    if not parts:
        must = f"{path} must hold Parquet, Arrow, CSV, TSV or JSON lines"
        hint = "csv: {separator: ...} says how a text file of any name is written"
        raise InputError([Mistake(position, must, left_out[0][0], hint)])
    if len({part.untyped for part in parts}) > 1:
        first = {str(part.format): part.name for part in reversed(parts)}
        found = " and ".join(f"{told} ({name})" for told, name in sorted(first.items()))
        raise InputError([Mistake(position, f"{path} must hold files with types or text files, not both", found)])
    schema, clashes = _schema(parts, types or {}, position)
    notes = [f"{path}: {name} is left out: {why}" for name, why in left_out]
    return Table(path, schema, listing.filesystem, tuple(parts), position, clashes, tuple(notes))


def _opened(
    listing: Listing, csv: CsvConfig | None, position: Position
) -> tuple[list[DataFile], list[tuple[str, str]]]:
    """The files that are a table's, and the names of those that are not, with the reason."""
    parts: list[DataFile] = []
    left_out = [(listing.relative(name), "hidden by its name") for name in listing.hidden if _looks_like_data(name)]
    for file in listing.files:
        name = listing.relative(file)
        told = format_of(listing.filesystem, file, csv is not None, alone=len(listing.files) == 1)
        if told.format is None:
            left_out.append((name, told.reason))
            continue
        if told.format.text:
            source = TextFile(listing.filesystem, file, name, told.format, told.codec, csv or CsvConfig(), position)
            schema = source.schema()
        else:
            source = _fragment(listing.filesystem, file, told.format)
            schema = source.physical_schema
        _hold_names(schema.names, name, position)
        kinds = dict(zip(schema.names, schema.types, strict=True))
        parts.append(DataFile(file, name, told.format, source, kinds, _partition(name)))
    return parts, left_out


def _fragment(filesystem: pafs.FileSystem, file: str, told: Format) -> ds.Fragment:
    if told is Format.ARROW:
        return ds.IpcFileFormat().make_fragment(file, filesystem)
    return ds.ParquetFileFormat().make_fragment(file, filesystem)


def _looks_like_data(name: str) -> bool:
    """Not the marks and checksums that writers leave beside it."""
    return name.endswith((".parquet", ".csv", ".tsv", ".arrow", ".feather", ".jsonl")) and not name.endswith(".crc")


def _partition(name: str) -> dict[str, str | None]:
    pairs = (part.partition("=") for part in name.split("/")[:-1] if "=" in part)
    return {unquote(key): None if value == _NO_PARTITION else unquote(value) for key, _, value in pairs}


def _hold_names(columns: Sequence[str], name: str, position: Position) -> None:
    """Columns have names, and each one of its own."""
    values = [column for column in columns if re.fullmatch(r"-?\d+(\.\d+)?|", column)]
    if len(values) > len(columns) / 2:
        must, shown = f"{name} must name its columns in its first line", ", ".join(columns[:6])
        raise InputError([Mistake(position, must, shown, "a header is missing")])
    twice = sorted({column for column in columns if list(columns).count(column) > 1})
    if twice:
        raise InputError([Mistake(position, f"{name} must name a column once", f"{', '.join(twice)} more than once")])


def _schema(
    parts: Sequence[DataFile], types: Mapping[str, ColumnKind], position: Position
) -> tuple[pa.Schema, dict[str, Mistake]]:
    """One type a column, and of columns that have none what two files say of them."""
    seen: dict[str, dict[pa.DataType, str]] = {}  # of a column its types, each with the first file that has it
    for part in parts:
        for name, kind in part.kinds.items():
            seen.setdefault(name, {}).setdefault(kind, part.name)
        for name in part.partition:
            if name not in part.kinds:
                seen.setdefault(name, {}).setdefault(pa.string(), part.name)
    fields, clashes = [], {}
    for name, kinds in seen.items():
        kind = ASKED[types[name]] if name in types else None
        if kind is None:
            try:
                kind = common(list(kinds))
            except ClashError as error:
                kind = next(iter(kinds))
                clashes[name] = _clash(name, kinds, error, position)
        fields.append(pa.field(name, kind))
    return pa.schema(fields), clashes


def _clash(name: str, kinds: Mapping[pa.DataType, str], error: ClashError, position: Position) -> Mistake:
    first, *others = kinds.items()
    for kind, file in others:
        try:
            common([first[0], kind])
        except ClashError:
            found = f"{first[0]} in {first[1]} and {kind} in {file}"
            no_text = "zone" in str(error) or is_list(first[0]) or is_list(kind)
            hint = "" if no_text else f"data: {{types: {{{name}: text}}}} takes both as text"
            return Mistake(position, f"{name} must be of one kind in all files", found, hint)
    return Mistake(position, f"{name} must be of one kind in all files", str(error))


def _words(kind: pa.DataType) -> str:
    if pa.types.is_integer(kind):
        return "whole numbers"
    return "numbers" if pa.types.is_floating(kind) or pa.types.is_decimal(kind) else str(kind)
