"""What is told where a file cannot be written: which, why, and what to do about it."""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_AGAIN = "and run the same command again: it goes on"
_HINTS = {
    errno.ENOSPC: f"make room there, {_AGAIN}",
    errno.EDQUOT: f"make room within the quota, {_AGAIN}",
    errno.EFBIG: f"let files be larger (ulimit -f), {_AGAIN}",
    errno.EROFS: "it lies on a disk that can only be read: write elsewhere",
    errno.EACCES: "get the right to write there, or write elsewhere",
    errno.EPERM: "get the right to write there, or write elsewhere",
    errno.ENOENT: f"it, or its folder, was moved or deleted: put it back, or name the folder of now by --out, {_AGAIN}",
}
_RIGHTS = (errno.EACCES, errno.EPERM)  # they are missed in reading too
# NumPy and torch do not say why what they wrote is not all there.
_SHORT = re.compile(r"\d+ requested and \d+ written|inline_container|PytorchStreamWriter")
_NUMBER = re.compile(r"(?:os error|\[errno) (\d+)", re.IGNORECASE)


class WriteError(OSError):
    """A file could not be written; the text says which, why, and what to do."""


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Within the block `path` is written: where there is no room for it, or no right to, that is told with its name.

    Raises:
        WriteError: in the place of what the library that writes raises.
    """
    try:
        yield
    except WriteError:
        raise
    except Exception as error:
        code = _code(error)
        if code == errno.ENOENT and path.parent.exists():
            raise
        if code not in _HINTS or (code in _RIGHTS and not _is_of(error, path)):
            raise
        raise write_error(path, code) from error


def write_error(path: Path, code: int) -> WriteError:
    """What is told of a file by the number of its error."""
    hint = _HINTS.get(code)
    return WriteError(f"cannot write {path}: {os.strerror(code)}{'; ' if hint else ''}{hint or ''}")


def _code(error: Exception) -> int | None:
    """The number of an error, which some libraries tell among their words."""
    if isinstance(error, OSError) and error.errno is not None:
        return error.errno
    if _SHORT.search(str(error)):
        return errno.ENOSPC
    told = _NUMBER.search(str(error))
    return int(told[1]) if told else None


def _is_of(error: Exception, path: Path) -> bool:
    """Whether an error is about a file, what lies in that folder or beside it, or a folder that it lies in."""
    name = error.filename if isinstance(error, OSError) else None
    return isinstance(name, str) and (Path(name).is_relative_to(path.parent) or path.is_relative_to(name))
