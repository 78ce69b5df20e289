"""Tables on disk, as pyarrow datasets: Parquet and CSV; a file, a directory, a glob, hive partitions, or an address.

Files are listed by us and sorted by path, so that the order of the rows does not depend on a file system.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.dataset as ds
import pyarrow.fs as pafs

from search_spaces.errors import InputError, Mistake, Position

BATCH_ROWS = 1 << 16
_FORMATS = {"parquet": "parquet", "pq": "parquet", "csv": "csv", "tsv": "tsv"}
_SUFFIX = re.compile(r"\.(parquet|pq|csv|tsv)(?:\.(?:gz|bz2|zst))?$", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Table:
    """One table: `name` as the study file writes it, its files in the order of their rows."""

    name: str
    dataset: ds.Dataset
    filesystem: pafs.FileSystem
    prefix: str
    files: tuple[str, ...]
    position: Position

    @property
    def relative(self) -> tuple[str, ...]:
        return tuple(name[len(self.prefix) :] for name in self.files)

    @property
    def columns(self) -> tuple[str, ...]:
        return tuple(self.dataset.schema.names)

    def type_of(self, column: str) -> pa.DataType:
        return self.dataset.schema.field(column).type

    def batches(self, columns: Sequence[str], rows: int = BATCH_ROWS) -> Iterator[pa.RecordBatch]:
        """The table in order, a batch at a time; one row group is held at most, so that memory stays flat.

        Raises:
            InputError: where a file cannot be read as the table's schema says.
        """
        try:
            for piece in self._pieces():
                yield from piece.to_batches(
                    schema=self.dataset.schema, columns=list(columns), batch_size=rows, cache_metadata=False
                )
        except (pa.ArrowInvalid, pa.ArrowTypeError, OSError) as error:
            raise self._unreadable(error) from error

    def _pieces(self) -> Iterator[ds.Fragment]:
        """Files, Parquet ones by row group: a scanner over all of them runs ahead of a slow reader by far."""
        for fragment in self.dataset.get_fragments():
            if isinstance(fragment, ds.ParquetFileFragment):
                yield from fragment.split_by_row_group()
            else:
                yield fragment

    def read(self, columns: Sequence[str]) -> pa.Table:
        """These columns of the whole table, in memory: for side tables."""
        try:
            return self.dataset.to_table(columns=list(columns))
        except (pa.ArrowInvalid, pa.ArrowTypeError, OSError) as error:
            raise self._unreadable(error) from error

    def _unreadable(self, error: Exception) -> InputError:
        return InputError([Mistake(self.position, f"{self.name} must be readable", _first_line(error))])


def open_table(path: str, base: Path, position: Position) -> Table:
    """Open a table by a path relative to `base`, or by an address like s3://bucket/log.

    Raises:
        InputError: where nothing is there, or it is neither Parquet nor CSV.
    """
    filesystem, root = _filesystem(path, base, position)
    prefix, files = _list(filesystem, root)
    if not files:
        raise InputError([Mistake(position, f"{path} must exist", f"nothing at {root}")])
    known = [(name, match[1].lower()) for name in files if (match := _SUFFIX.search(name))]
    formats = sorted({_FORMATS[suffix] for _, suffix in known})
    if len(formats) != 1:
        found = " and ".join(formats) if formats else f"{files[0]}"
        raise InputError([Mistake(position, f"{path} must hold Parquet files (.parquet) or CSV files (.csv)", found)])
    names = [name for name, _ in known]
    try:
        dataset = ds.dataset(
            names,
            filesystem=filesystem,
            format=_format(formats[0]),
            partitioning=ds.partitioning(flavor="hive"),
            partition_base_dir=prefix,
        )
    except (pa.ArrowInvalid, pa.ArrowTypeError, OSError) as error:
        raise InputError([Mistake(position, f"{path} must be readable", _first_line(error))]) from error
    twice = sorted({name for name in dataset.schema.names if dataset.schema.names.count(name) > 1})
    if twice:
        raise InputError([Mistake(position, f"{path} must name a column once", f"{', '.join(twice)} more than once")])
    return Table(path, dataset, filesystem, prefix, tuple(names), position)


def _filesystem(path: str, base: Path, position: Position) -> tuple[pafs.FileSystem, str]:
    if "://" not in path:
        return pafs.LocalFileSystem(), (base / Path(path).expanduser()).absolute().as_posix()
    try:
        filesystem, root = pafs.FileSystem.from_uri(path)
        return filesystem, root.rstrip("/")
    except (pa.ArrowInvalid, OSError, ValueError):
        pass  # not an address that pyarrow opens by itself: fsspec knows more of them
    try:
        import fsspec  # type: ignore[import-untyped]

        handler, root = fsspec.core.url_to_fs(path)
    except (ImportError, ValueError, OSError) as error:
        must = f"{path} must be an address that pyarrow or fsspec opens"
        raise InputError([Mistake(position, must, _first_line(error))]) from error
    return pafs.PyFileSystem(pafs.FSSpecHandler(handler)), str(root).rstrip("/")


def _list(filesystem: pafs.FileSystem, root: str) -> tuple[str, list[str]]:
    """Prefix of the partitions, and the files below or equal to `root` in order; hidden ones are left out."""
    parts = root.split("/")
    magic = next((i for i, part in enumerate(parts) if re.search(r"[*?\[]", part)), None)
    prefix = "/".join(parts[:magic]) or "/"
    info = filesystem.get_file_info(prefix)
    if info.type == pafs.FileType.File:
        return prefix.rpartition("/")[0], [prefix]
    if info.type != pafs.FileType.Directory:
        return prefix, []
    pattern = None if magic is None else _glob(root)
    listed = filesystem.get_file_info(pafs.FileSelector(prefix, recursive=True))
    names = sorted(entry.path for entry in listed if entry.type == pafs.FileType.File)
    shown = [name for name in names if not _hidden(name[len(prefix) :])]
    return prefix, [name for name in shown if pattern is None or pattern.fullmatch(name)]


def _hidden(relative: str) -> bool:
    return any(part[:1] in ("_", ".") and "=" not in part for part in relative.split("/") if part)


def _glob(root: str) -> re.Pattern[str]:
    """Shell pattern to a regular expression; `*` stays within a folder, `**` does not, a folder means all below it."""
    tokens = re.findall(r"\*\*/|\*\*|\*|\?|\[[^\]]+\]|.", root, re.DOTALL)
    words = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}
    text = "".join(words.get(t) or (t.replace("[!", "[^") if len(t) > 1 else re.escape(t)) for t in tokens)
    return re.compile(f"{text}(?:/.*)?", re.DOTALL)


def _format(name: str) -> ds.FileFormat:
    if name == "parquet":
        lean = ds.ParquetFragmentScanOptions(use_buffered_stream=True, pre_buffer=False)
        return ds.ParquetFileFormat(default_fragment_scan_options=lean)
    convert = pacsv.ConvertOptions(strings_can_be_null=True)
    parse = pacsv.ParseOptions(delimiter="\t" if name == "tsv" else ",")
    return ds.CsvFileFormat(parse_options=parse, convert_options=convert)


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:300]
