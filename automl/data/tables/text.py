"""Tables in text files: every value is read as the text that stands there, a line a row, and lines are counted."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import BinaryIO

import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.fs as pafs

from automl.data.describe.text import CsvConfig
from automl.data.tables.formats import Format, decoded
from search_spaces.errors import InputError, Mistake, Position, first_line

_BLOCK_BYTES = 4 << 20
_JSON_LINES = 1 << 14
_JSON_LOOK = 10_000  # lines that tell the columns of a JSON file


@dataclass(frozen=True, slots=True)
class TextFile:
    """A text file of a table; `name` as errors tell it."""

    filesystem: pafs.FileSystem
    path: str
    name: str
    format: Format
    codec: str | None
    csv: CsvConfig
    position: Position

    def schema(self) -> pa.Schema:
        """Names in their order, all of text; in JSON, of lists of text where lists stand there.

        Raises:
            InputError: where the file has no header or cannot be decoded.
        """
        if self.format is Format.JSON:
            return self._json_schema()
        try:
            with self._opened(self._bytes()) as reader:
                return pa.schema([(name, pa.string()) for name in reader.schema.names])
        except UnicodeDecodeError as error:
            raise self._unreadable(error) from error

    def batches(self, columns: tuple[str, ...]) -> Iterator[pa.RecordBatch]:
        """Text columns, missing where the value is a null word.

        Raises:
            InputError: where rows and lines differ, or the file is not what its columns say.
        """
        yield from self._json(columns) if self.format is Format.JSON else self._csv(columns)

    def _csv(self, columns: tuple[str, ...]) -> Iterator[pa.RecordBatch]:
        counted = _Lines(self._bytes(), self._null_behind_escape())
        rows = 0
        try:
            with self._opened(counted, columns) as reader:
                for batch in reader:
                    rows += batch.num_rows
                    yield batch
        except (pa.ArrowInvalid, pa.ArrowKeyError, UnicodeDecodeError) as error:
            raise self._unreadable(error) from error
        if not self.csv.newlines_in_values and counted.count != rows + 1:
            self._hold_lines(rows)

    def _opened(self, stream: BinaryIO | _Lines, columns: tuple[str, ...] | None = None) -> pacsv.CSVStreamingReader:
        tabs = self.format is Format.TSV
        quote = self.csv.quotes(tabs)
        parse = pacsv.ParseOptions(
            delimiter=self.csv.separates(tabs),
            quote_char=quote or False,
            escape_char=self.csv.escape or False,
            newlines_in_values=self.csv.newlines_in_values,
        )
        convert = pacsv.ConvertOptions(
            column_types={name: pa.string() for name in columns or ()},
            include_columns=list(columns or ()),
            null_values=list(self.csv.null),
            strings_can_be_null=True,
            quoted_strings_can_be_null=False,
        )
        read = pacsv.ReadOptions(block_size=_BLOCK_BYTES, encoding=self.csv.encoding, use_threads=False)
        try:
            return pacsv.open_csv(stream, read_options=read, parse_options=parse, convert_options=convert)
        except (pa.ArrowInvalid, pa.ArrowKeyError, UnicodeDecodeError) as error:
            raise self._unreadable(error) from error

    def _null_behind_escape(self) -> tuple[bytes, bytes, bytes] | None:
        """Separator, a null word that begins with the escape, and another null word that does not."""
        escape = self.csv.escape
        words = [word for word in self.csv.null if escape and word.startswith(escape)]
        others = [word for word in self.csv.null if word not in words]
        if not words or not others:
            return None
        separator = self.csv.separates(self.format is Format.TSV)
        encoded = [text.encode(self.csv.encoding) for text in (separator, words[0], others[0])]
        return encoded[0], encoded[1], encoded[2]

    def _hold_lines(self, rows: int) -> None:
        """Count again, without empty lines, and name the line that opens a quote where there are more than rows."""
        quote, lines, opened = self.csv.quotes(self.format is Format.TSV), -1, ""
        with io.TextIOWrapper(self._bytes(), self.csv.encoding, newline=None) as text:
            for number, line in enumerate(text, 1):
                lines += bool(line.strip("\r\n"))
                if quote and not opened and line.count(quote) % 2:
                    opened = f"; line {number} opens a quote that it does not close"
        if lines != rows:
            hint = "csv: {quote: null} where quotes are text, {newlines_in_values: true} where values span lines"
            must = f"{self.name} must have a line a row"
            raise InputError([Mistake(self.position, must, f"{rows:,} rows in {lines:,} lines{opened}", hint)])

    def _json_schema(self) -> pa.Schema:
        kinds: dict[str, pa.DataType] = {}
        for row in islice(self._objects(), _JSON_LOOK):
            for name, value in row.items():
                if kinds.get(name, pa.null()) == pa.null() and value is not None:
                    kinds[name] = pa.list_(pa.string()) if isinstance(value, list) else pa.string()
                kinds.setdefault(name, pa.null())
        return pa.schema([(name, pa.string() if kind == pa.null() else kind) for name, kind in kinds.items()])

    def _json(self, columns: tuple[str, ...]) -> Iterator[pa.RecordBatch]:
        told = self._json_schema()
        schema = pa.schema([told.field(name) for name in columns])
        reads = {name: self._text if told.field(name).type == pa.string() else self._list for name in columns}
        held: list[dict[str, object]] = []
        for row in self._objects():
            held.append({name: read(row.get(name), name) for name, read in reads.items()})
            if len(held) == _JSON_LINES:
                yield pa.RecordBatch.from_pylist(held, schema)
                held = []
        if held:
            yield pa.RecordBatch.from_pylist(held, schema)

    def _text(self, value: object, name: str) -> str | None:
        if value is None or isinstance(value, str):
            return value
        if isinstance(value, bool):
            return "true" if value else "false"
        raise self._misfit(value, name, "one value a row")

    def _list(self, value: object, name: str) -> list[str | None] | None:
        if value is not None and not isinstance(value, list):
            raise self._misfit(value, name, "a list in every row")
        return None if value is None else [self._text(one, name) for one in value]

    def _misfit(self, value: object, name: str, must: str) -> InputError:
        return InputError([Mistake(self.position, f"{name} of {self.name} must hold {must}", json.dumps(value))])

    def _objects(self) -> Iterator[dict[str, object]]:
        """Numbers as the text that stands there."""
        decoder = json.JSONDecoder(parse_int=str, parse_float=str, parse_constant=str)
        with io.TextIOWrapper(self._bytes(), self.csv.encoding) as text:
            for number, line in self._numbered(text):
                if not line.strip():
                    continue
                try:
                    row = decoder.decode(line)
                except (ValueError, RecursionError):
                    row = None
                if not isinstance(row, dict):
                    must = f"{self.name} must hold one JSON object a line"
                    raise InputError([Mistake(self.position, must, f"{line.strip()[:40]} in line {number}")])
                yield row

    def _numbered(self, text: io.TextIOWrapper) -> Iterator[tuple[int, str]]:
        try:
            yield from enumerate(text, 1)
        except UnicodeDecodeError as error:
            raise self._unreadable(error) from error

    def _bytes(self) -> BinaryIO:
        stream: BinaryIO = decoded(self.filesystem, self.path, self.codec)
        return stream

    def _unreadable(self, error: Exception) -> InputError:
        found = first_line(error)
        hint = ""
        if isinstance(error, UnicodeDecodeError) or "UTF8" in found:
            hint = "csv: {encoding: ...} where it is not UTF-8"
        elif "Expected" in found:
            hint = "csv: {separator: ..., quote: ...} where it is written in another way"
        return InputError([Mistake(self.position, f"{self.name} must be readable", found, hint)])


class _Lines(io.RawIOBase):
    """Bytes that are counted by line as they are read; a last line needs no end.

    `null`: a word and what stands for it instead, where it is a whole value: \\N must not lose its backslash as an
    escape.
    """

    def __init__(self, stream: BinaryIO, null: tuple[bytes, bytes, bytes] | None = None) -> None:
        self._stream, self._ends, self._open = stream, 0, False
        self._word: re.Pattern[bytes] | None = None
        self._held, self._ready, self._instead = b"", b"", b""
        if null is not None:
            separator, word, self._instead = null
            edge = re.escape(separator)
            self._word = re.compile(rb"(?:(?<=" + edge + rb")|^)" + re.escape(word) + rb"(?=" + edge + rb"|\r?$)", re.M)

    @property
    def count(self) -> int:
        """Lines that were read."""
        return self._ends + self._open

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        part = self._stream.read(size) if self._word is None else self._replaced(self._word, size)
        self._ends += part.count(b"\n")
        if part:
            self._open = part[-1:] != b"\n"
        return part

    def _replaced(self, word: re.Pattern[bytes], size: int) -> bytes:
        """Whole lines at a time, with the word replaced."""
        while size < 0 or len(self._ready) < size:
            more = self._stream.read(size)
            lines, end, rest = (self._held + more).rpartition(b"\n") if more else (self._held, b"", b"")
            self._ready += word.sub(self._instead, lines + end) if lines or end else b""
            self._held = rest
            if not more:
                break
        part, self._ready = (self._ready, b"") if size < 0 else (self._ready[:size], self._ready[size:])
        return part

    def close(self) -> None:
        self._stream.close()
        super().close()
