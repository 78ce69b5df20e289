"""Which files a path means: a file, a folder, a glob or an address; sorted by path, and what was left out told.

Files are listed by us, so that the order of the rows does not depend on a file system.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.fs as pafs

from search_spaces.errors import InputError, Mistake, Position, first_line


@dataclass(frozen=True, slots=True)
class Listing:
    """Files in order. Partitions begin after `prefix`; `hidden` are files below it that were passed over."""

    filesystem: pafs.FileSystem
    prefix: str
    files: tuple[str, ...]
    hidden: tuple[str, ...] = ()

    def relative(self, file: str) -> str:
        """Path of a file below the prefix."""
        return file[len(self.prefix) :].lstrip("/")


def list_files(path: str, base: Path, position: Position) -> Listing:
    """The files of a path relative to `base`, or of an address like s3://bucket/log.

    A path that is there as it is written is taken so, whatever brackets it has; a glob is one that is not.

    Raises:
        InputError: where nothing is there, or an address cannot be opened.
    """
    filesystem, root = _filesystem(path, base, position)
    listing = _listed(filesystem, root)
    if not listing.files:
        raise InputError([Mistake(position, f"{path} must exist", f"nothing at {root}")])
    return listing


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
        raise InputError([Mistake(position, must, first_line(error))]) from error
    return pafs.PyFileSystem(pafs.FSSpecHandler(handler)), str(root).rstrip("/")


def _listed(filesystem: pafs.FileSystem, root: str) -> Listing:
    parts = root.split("/")
    magic = next((i for i, part in enumerate(parts) if re.search(r"[*?\[]", part)), None)
    there = filesystem.get_file_info(root).type
    if magic is not None and there != pafs.FileType.NotFound:
        magic = None
    prefix = "/".join(parts[:magic]) or "/"
    kind = filesystem.get_file_info(prefix).type
    if kind == pafs.FileType.File:
        return Listing(filesystem, prefix.rpartition("/")[0], (prefix,))
    if kind != pafs.FileType.Directory:
        return Listing(filesystem, prefix, ())
    pattern = None if magic is None else _glob(root)
    listed = filesystem.get_file_info(pafs.FileSelector(prefix, recursive=True))
    names = sorted(entry.path for entry in listed if entry.type == pafs.FileType.File)
    wanted = [name for name in names if pattern is None or pattern.fullmatch(name)]
    hidden = [name for name in wanted if _hidden(name[len(prefix) :])]
    return Listing(filesystem, prefix, tuple(name for name in wanted if name not in set(hidden)), tuple(hidden))


def _hidden(relative: str) -> bool:
    return any(part[:1] in ("_", ".") and "=" not in part for part in relative.split("/") if part)


def _glob(root: str) -> re.Pattern[str]:
    """Shell pattern to a regular expression; `*` stays within a folder, `**` does not, a folder means all below it."""
    tokens = re.findall(r"\*\*/|\*\*|\*|\?|\[[^\]]+\]|.", root, re.DOTALL)
    words = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}
    text = "".join(words.get(t) or (t.replace("[!", "[^") if len(t) > 1 else re.escape(t)) for t in tokens)
    return re.compile(f"{text}(?:/.*)?", re.DOTALL)
