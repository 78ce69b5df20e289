"""The record of a study as one SQLite file, whatever its folder is called, and however long somebody else holds it.

A transaction takes its lock when it begins, so that what waits for another process has done nothing yet, and can wait
as long as it takes: a reader takes the shared lock, a writer the reserved one. What SQLite itself waits for is short,
since nothing is heard meanwhile.
"""

from __future__ import annotations

import errno
import os
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self, TypeVar

import optuna
import sqlalchemy

from automl.files.failures import write_error
from automl.study.drivers import Waiting, not_for_long
from automl.study.places import RECORD
from search_spaces.errors import InputError, first_line

_COUNT_AT = 24  # in the header of a file: how many transactions have changed it
_WAIT_S = 0.2
_ERRORS = {
    sqlite3.SQLITE_FULL: errno.ENOSPC,
    sqlite3.SQLITE_READONLY: errno.EACCES,
    sqlite3.SQLITE_CANTOPEN: errno.EACCES,
    sqlite3.SQLITE_IOERR: errno.EIO,
}
Version = tuple[int, int, bytes]
T = TypeVar("T")


def sqlite_storage(
    folder: Path, *, writes: bool = False, only_read: bool = False, waiting: Waiting = not_for_long
) -> optuna.storages.RDBStorage:
    """The storage in a folder's study.db, which is made where it is not there.

    `waiting` hears, again and again while another process holds the file, for how many seconds it has; it may raise.
    `only_read`: the file stays as it is, whatever is done. What a writer that died has left half done is put back.

    Raises:
        WriteError: from this and from what is done with it, where there is no room for the file or no right to write.
        optuna.exceptions.StorageInternalError, sqlalchemy.exc.DBAPIError: from these, where it is no record or damaged,
            or where it is to be read only and something would be written.
    """
    file = (folder / RECORD).absolute()
    way = _Way(file, waiting, only_read=only_read and not _half_done(file))
    # The URL names no file: what it would make of `?`, `%41` or `{` in a folder's name is not the folder's name.
    engine: dict[str, Any] = {"creator": lambda: Patient(way), "poolclass": sqlalchemy.pool.QueuePool}
    storage = optuna.storages.RDBStorage("sqlite://", engine, skip_table_creation=only_read)
    way.lock = "BEGIN IMMEDIATE" if writes else "BEGIN"
    return storage


def version_of(folder: Path) -> Version | None:
    """What changes with every transaction that is written to a folder's study.db; None where there is no such file."""
    try:
        with (folder / RECORD).open("rb") as file:
            file.seek(_COUNT_AT)
            found = os.fstat(file.fileno())
            return found.st_ino, found.st_mtime_ns, file.read(4)
    except FileNotFoundError:
        return None


@contextmanager
def reading(folder: Path) -> Iterator[None]:
    """A block that reads the record of a folder, whatever lies there.

    Raises:
        InputError: in the place of what libraries say of a file that is no record, is damaged or cannot be read.
    """
    try:
        yield
    except InputError:
        raise
    except OSError as error:
        raise _unreadable(folder, error.strerror or first_line(error)) from error
    except (sqlite3.Error, sqlalchemy.exc.DBAPIError, optuna.exceptions.StorageInternalError) as error:
        raise _unreadable(folder, _deepest(error)) from error
    except (ValueError, LookupError, TypeError, AttributeError, AssertionError) as error:  # JSON, cut or changed
        raise _unreadable(folder, f"damaged ({type(error).__name__}: {first_line(error)})") from error


def _unreadable(folder: Path, found: str) -> InputError:
    return InputError.of(str(folder), "must hold a record (study.db) that can be read", found)


def _deepest(error: BaseException) -> str:
    """What the database itself says, without the statement that it was asked."""
    while error.__cause__ is not None or isinstance(getattr(error, "orig", None), Exception):
        error = error.__cause__ or error.orig  # type: ignore[attr-defined]
    return first_line(error) if isinstance(error, Exception) else str(error)


@dataclass(slots=True)
class _Way:
    """How a file is used. `lock` begins a transaction; while tables are made and looked at each statement is one."""

    file: Path
    waiting: Waiting
    lock: str | None = None
    only_read: bool = False


class Patient(sqlite3.Connection):
    """A connection that waits for as long as another process holds the file."""

    def __init__(self, way: _Way) -> None:
        self._way = way
        at: str | Path = _only_read(way.file) if way.only_read else way.file
        with _Telling(way):
            super().__init__(at, timeout=_WAIT_S, isolation_level=None, check_same_thread=False, uri=way.only_read)

    def cursor(self, factory: object = None) -> sqlite3.Cursor:  # type: ignore[override]  # it is always ours
        """One whose first statement begins a transaction."""
        return super().cursor(_Cursor)

    def commit(self) -> None:
        """What is to be written waits for all that read."""
        self.patiently(super().commit)

    def begin(self) -> None:
        """Begin a transaction, if none has begun: with its lock, or wait for it."""
        if self._way.lock is not None and not self.in_transaction:
            self.patiently(self._begin)

    def patiently(self, work: Callable[[], T]) -> T:
        """What can be done again where another process holds the file: until it does not."""
        start = time.monotonic()
        while True:
            try:
                with _Telling(self._way):
                    return work()
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY:
                    raise
            self._way.waiting(self._way.file, time.monotonic() - start)

    def _begin(self) -> None:
        plain = sqlite3.Cursor(self)
        plain.execute(str(self._way.lock))
        try:
            plain.execute("SELECT count(*) FROM sqlite_master").fetchall()
        except sqlite3.Error:
            plain.execute("ROLLBACK")
            raise


class _Cursor(sqlite3.Cursor):
    connection: Patient

    def execute(self, sql: str, parameters: Any = ()) -> Self:
        self.connection.begin()
        return self.connection.patiently(lambda: super(_Cursor, self).execute(sql, parameters))

    def executemany(self, sql: str, parameters: Any) -> Self:
        self.connection.begin()
        return self.connection.patiently(lambda: super(_Cursor, self).executemany(sql, parameters))


def _only_read(file: Path) -> str:
    """As SQLite is told of a file that it must not write."""
    return f"{file.as_uri()}?mode=ro"


def _half_done(file: Path) -> bool:
    """Whether a writer died in the middle of a transaction: nobody can read before it is put back."""
    try:
        with closing(sqlite3.connect(_only_read(file), uri=True, timeout=_WAIT_S)) as connection:
            connection.execute("SELECT count(*) FROM sqlite_master").fetchall()
    except sqlite3.Error as error:
        return getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_READONLY
    return False


class _Telling:
    """Where the file cannot be written within the block, the error says which, why and what to do. What is only read
    has errors of its own."""

    def __init__(self, way: _Way) -> None:
        self._file, self._only_read = way.file, way.only_read

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        if isinstance(error, sqlite3.OperationalError) and not self._only_read:
            code = _ERRORS.get(error.sqlite_errorcode & 0xFF)
            if error.sqlite_errorcode == sqlite3.SQLITE_READONLY_DBMOVED or not self._file.parent.exists():
                code = errno.ENOENT
            if code is not None:
                raise write_error(self._file, code) from error
