"""What a file is, told by its first bytes: Parquet, Arrow, or text, perhaps compressed; its name tells CSV from TSV."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

import pyarrow as pa
import pyarrow.fs as pafs

_CODECS = ((b"\x1f\x8b", "gzip"), (b"\x28\xb5\x2f\xfd", "zstd"), (b"BZh", "bz2"), (b"\x04\x22\x4d\x18", "lz4"))
_TEXT_NAMES = {
    "csv": "csv",
    "tsv": "tsv",
    "tab": "tsv",
    "json": "json",
    "jsonl": "json",
    "ndjson": "json",
}
_BINARY_NAMES = re.compile(r"\.(?:parquet|pq|arrow|feather|ipc)(?:\.|$)", re.IGNORECASE)
_SUFFIXES = re.compile(r"\.([a-z0-9]+)", re.IGNORECASE)


class Format(StrEnum):
    """Of a table's file."""

    PARQUET = "Parquet"
    ARROW = "Arrow"
    CSV = "CSV"
    TSV = "TSV"
    JSON = "JSON lines"

    @property
    def text(self) -> bool:
        """Whether its values have no types of their own."""
        return self in (Format.CSV, Format.TSV, Format.JSON)


@dataclass(frozen=True, slots=True)
class Told:
    """A format and, of text, how it is compressed; or why a file is none of them."""

    format: Format | None
    codec: str | None = None
    reason: str = ""


def format_of(filesystem: pafs.FileSystem, file: str, any_text: bool) -> Told:
    """Look at the first bytes of a file. `any_text`: text of any name is CSV, since the study says how it is written.

    Raises:
        pa.ArrowInvalid, OSError: where the file cannot be opened.
    """
    with filesystem.open_input_stream(file, compression=None) as stream:
        head = stream.read(8)
    if head[:4] == b"PAR1":
        return Told(Format.PARQUET)
    if head[:6] == b"ARROW1":
        return Told(Format.ARROW)
    codec = next((name for magic, name in _CODECS if head.startswith(magic)), None)
    name = file.rpartition("/")[2]
    if _BINARY_NAMES.search(name):
        return Told(None, reason="its first bytes are neither Parquet nor Arrow")
    kinds = [_TEXT_NAMES[word.lower()] for word in _SUFFIXES.findall(name) if word.lower() in _TEXT_NAMES]
    if kinds:
        return Told({"csv": Format.CSV, "tsv": Format.TSV, "json": Format.JSON}[kinds[-1]], codec)
    if any_text and b"\0" not in head:
        return Told(Format.CSV, codec)
    return Told(None, reason="neither Parquet, Arrow, CSV, TSV nor JSON lines")


def decoded(filesystem: pafs.FileSystem, file: str, codec: str | None) -> pa.NativeFile:
    """The bytes of a file, decompressed."""
    return filesystem.open_input_stream(file, compression=codec)
