"""What a file is, told by its first bytes: Parquet, Arrow, or text, perhaps compressed; its name tells CSV from TSV."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

import pyarrow as pa
import pyarrow.fs as pafs

_CODECS = ((b"\x1f\x8b", "gzip"), (b"\x28\xb5\x2f\xfd", "zstd"), (b"BZh", "bz2"), (b"\x04\x22\x4d\x18", "lz4"))
_BINARY_NAMES = re.compile(r"\.(?:parquet|pq|arrow|feather|ipc)(?:\.|$)", re.IGNORECASE)
_PACKED = ("gz", "gzip", "bz2", "zst", "zstd", "lz4", "snappy")
_COPIES = ("bak", "backup", "old", "orig", "tmp", "temp", "part", "partial", "swp", "crdownload", "inprogress")
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


_TEXT_NAMES = {
    "csv": Format.CSV,
    **dict.fromkeys(("tsv", "tab"), Format.TSV),
    **dict.fromkeys(("json", "jsonl", "ndjson"), Format.JSON),
}


@dataclass(frozen=True, slots=True)
class Told:
    """A format and, of text, how it is compressed; or why a file is none of them."""

    format: Format | None
    codec: str | None = None
    reason: str = ""


def format_of(filesystem: pafs.FileSystem, file: str, any_text: bool, alone: bool) -> Told:
    """Look at the first bytes of a file. `any_text`: text of any name is CSV, since the study says how it is written.
    One that is not `alone` is left out where its name says that it is a copy, or not whole yet.

    Raises:
        pa.ArrowInvalid, OSError: where the file cannot be opened.
    """
    with filesystem.open_input_stream(file, compression=None) as stream:
        head = stream.read(8)
    name = file.rpartition("/")[2]
    words = [word.lower() for word in _SUFFIXES.findall(name)]
    last = next((word for word in reversed(words) if word not in _PACKED), "")
    if not alone and (name.endswith("~") or last in _COPIES):
        return Told(None, reason="a copy, or not whole yet, by its name")
    if not alone and not head.strip():
        return Told(None, reason="empty")
    if head[:4] == b"PAR1":
        return Told(Format.PARQUET)
    if head[:6] == b"ARROW1":
        return Told(Format.ARROW)
    codec = next((name for magic, name in _CODECS if head.startswith(magic)), None)
    if _BINARY_NAMES.search(name):
        return Told(None, reason="its first bytes are neither Parquet nor Arrow")
    if last in _TEXT_NAMES:
        return Told(_TEXT_NAMES[last], codec)
    if any_text and b"\0" not in head:
        return Told(Format.CSV, codec)
    return Told(None, reason="neither Parquet, Arrow, CSV, TSV nor JSON lines")


def decoded(filesystem: pafs.FileSystem, file: str, codec: str | None) -> pa.NativeFile:
    """The bytes of a file, decompressed."""
    return filesystem.open_input_stream(file, compression=codec)
