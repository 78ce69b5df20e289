"""Which files a path means: a file, a folder, a glob or an address; sorted by path, and what was left out told.

Files are listed by us, so that the order of the rows does not depend on a file system.
"""

from __future__ import annotations

import os
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

    The folder that a path is relative to is no pattern, whatever its name; nor is any folder that is there as it is
    written, or the whole path. What comes after them is a glob where it has the marks of one.

    Raises:
        InputError: where nothing is there, or an address cannot be opened.
    """
    filesystem, given, root = _filesystem(path, base, position)
    listing = _listed(filesystem, given, root)
    if not listing.files:
        raise InputError([Mistake(position, f"{path} must exist", f"nothing at {root}")])
    return listing


def _filesystem(path: str, base: Path, position: Position) -> tuple[pafs.FileSystem, str, str]:
    """Where to look, what was given of the path by others than its writer, and the whole path."""
    if "://" not in path:
        there, written = base.absolute().as_posix(), Path(os.path.expanduser(path))  # noqa: PTH111  # ./~ is a name
        return pafs.LocalFileSystem(), "" if written.is_absolute() else there, (there / written).as_posix()
    try:
        filesystem, root = pafs.FileSystem.from_uri(path)
        return filesystem, "", root.rstrip("/")
    except (pa.ArrowInvalid, OSError, ValueError):
        pass  # not an address that pyarrow opens by itself: fsspec knows more of them
    try:
        import fsspec  # type: ignore[import-untyped]

        handler, root = fsspec.core.url_to_fs(path)
    except (ImportError, ValueError, OSError) as error:
        must = f"{path} must be an address that pyarrow or fsspec opens"
        raise InputError([Mistake(position, must, first_line(error))]) from error
    return pafs.PyFileSystem(pafs.FSSpecHandler(handler)), "", str(root).rstrip("/")


def _listed(filesystem: pafs.FileSystem, given: str, root: str) -> Listing:
    prefix, glob = _parted(filesystem, given, root)
    kind = filesystem.get_file_info(prefix).type
    if kind == pafs.FileType.File:
        return Listing(filesystem, prefix.rpartition("/")[0], (prefix,))
    if kind != pafs.FileType.Directory:
        return Listing(filesystem, prefix, ())
    pattern = re.compile(re.escape(prefix.rstrip("/")) + "/" + _glob(glob), re.DOTALL) if glob else None
    listed = filesystem.get_file_info(pafs.FileSelector(prefix, recursive=True))
    names = sorted(entry.path for entry in listed if entry.type == pafs.FileType.File)
    wanted = [name for name in names if pattern is None or pattern.fullmatch(name)]
    hidden = [name for name in wanted if _hidden(name[len(prefix) :])]
    return Listing(filesystem, prefix, tuple(name for name in wanted if name not in set(hidden)), tuple(hidden))


def _parted(filesystem: pafs.FileSystem, given: str, root: str) -> tuple[str, str]:
    """The part of a path that is taken as it is written, and what comes after it, a pattern."""
    parts = root.split("/")
    for i in range(len(given.rstrip("/").split("/")) if given else 0, len(parts)):
        there = "/".join(parts[: i + 1])
        if re.search(r"[*?\[]", parts[i]) and filesystem.get_file_info(there).type == pafs.FileType.NotFound:
            return "/".join(parts[:i]) or "/", "/".join(parts[i:])
    return root, ""


def _hidden(relative: str) -> bool:
    return any(part[:1] in ("_", ".") and "=" not in part for part in relative.split("/") if part)


def _glob(pattern: str) -> str:
    """Shell pattern to a regular expression; `*` stays within a folder, `**` does not, a folder means all below it."""
    tokens = re.findall(r"\*\*/|\*\*|\*|\?|\[[^\]]+\]|.", pattern, re.DOTALL)
    words = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}
    text = "".join(words.get(t) or (_one_of(t[1:-1]) if len(t) > 1 else re.escape(t)) for t in tokens)
    return f"{text}(?:/.*)?"


def _one_of(marks: str) -> str:
    """Any of some marks and ranges of them, after ! any other; a range that is none matches nothing, as in a shell."""
    negated = marks[0] in "!^" and len(marks) > 1
    inside = re.sub(r"([\\\[\]^&~|])", r"\\\1", marks[negated:])
    try:
        return re.compile(f"(?!/)[{'^' if negated else ''}{inside}]").pattern
    except re.error:
        return "(?!)"
