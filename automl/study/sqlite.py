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
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self, TypeVar

import optuna
import sqlalchemy

from automl.files.failures import write_error
from automl.study.drivers import Waiting, not_for_long
from automl.study.places import RECORD

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
    folder: Path, *, writes: bool = False, waiting: Waiting = not_for_long
) -> optuna.storages.RDBStorage:
    """The storage in a folder's study.db, which is made where it is not there.

    `waiting` hears, again and again while another process holds the file, for how many seconds it has; it may raise.

    Raises:
        WriteError: from this and from what is done with it, where there is no room for the file or no right to write.
    """
    way = _Way((folder / RECORD).absolute(), waiting)
    # The URL names no file: what it would make of `?`, `%41` or `{` in a folder's name is not the folder's name.
    engine: dict[str, Any] = {"creator": lambda: Patient(way), "poolclass": sqlalchemy.pool.QueuePool}
    storage = optuna.storages.RDBStorage("sqlite://", engine)
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


@dataclass(slots=True)
class _Way:
    """How a file is used. `lock` begins a transaction; while tables are made and looked at each statement is one."""

    file: Path
    waiting: Waiting
    lock: str | None = None


class Patient(sqlite3.Connection):
    """A connection that waits for as long as another process holds the file."""

    def __init__(self, way: _Way) -> None:
        self._way = way
        with _Telling(way.file):
            super().__init__(way.file, timeout=_WAIT_S, isolation_level=None, check_same_thread=False)

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
                with _Telling(self._way.file):
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


class _Telling:
    """Where the file cannot be written within the block, the error says which, why and what to do."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        if isinstance(error, sqlite3.OperationalError):
            code = _ERRORS.get(error.sqlite_errorcode & 0xFF)
            if error.sqlite_errorcode == sqlite3.SQLITE_READONLY_DBMOVED or not self._file.parent.exists():
                code = errno.ENOENT
            if code is not None:
                raise write_error(self._file, code) from error
