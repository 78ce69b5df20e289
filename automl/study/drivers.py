"""Several drivers of one study, each on its machine with a folder of its own, and one record in PostgreSQL.

What a driver must know of the others is held by them as advisory locks of the database, on a connection that does
nothing else: such a lock ends with the process or the machine that holds it. So nothing of a dead driver is left to be
cleaned up, its work is free at once, and no clocks are compared.
"""

from __future__ import annotations

import os
import secrets
import socket
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from search_spaces.errors import InputError, Mistake, Position, first_line

if TYPE_CHECKING:
    import psycopg

Waiting = Callable[[Path | str, float], None]  # what is held by somebody else, and for how many seconds
STORAGE = Position("storage")
_READ_WITHIN_S = 30.0
_WAIT_MS = 200  # for a turn, until it is told that one waits
_SILENT_S, _ASKED_S, _ASKED = 30, 10, 3  # a machine that answers nothing for a minute is gone


def not_for_long(file: Path | str, seconds: float) -> None:
    """Waits as whoever only reads does.

    Raises:
        InputError: after half a minute.
    """
    if seconds > _READ_WITHIN_S:
        must, found = "must be free to be read", f"a process that has held it for {seconds:.0f} s"
        raise InputError.of(str(file), must, found, "a shell in a transaction, or a backup: end it, or try again later")


class Claim(StrEnum):
    """What one driver at a time may do, or says of itself."""

    TURN = "turn"  # to write: short
    DRIVER = "driver"  # to be alive, by its number
    BASELINE = "baseline"  # to train and tune the baseline
    PROPOSALS = "proposals"  # to propose: two would propose the same
    REPEAT = "repeat"  # to train a trial again, by its number
    FINALS = "finals"  # to ask the test window


class Drivers(Protocol):
    """Who drives a study."""

    @property
    def number(self) -> int | None:
        """Which of them this process is; None where there can be no other."""

    def turn(self) -> AbstractContextManager[None]:
        """A block in which no other driver writes."""

    def claim(self, what: Claim, of: int = 0) -> bool:
        """Have it for this driver; False where another has it."""

    def release(self, what: Claim, of: int = 0) -> None:
        """Let another have what this driver has."""

    def claimed(self, what: Claim) -> frozenset[int]:
        """Of what somebody has it now, this driver's own among them."""


class Alone:
    """The only driver, by the lock on its folder."""

    number: int | None = None

    def turn(self) -> AbstractContextManager[None]:
        return nullcontext()

    def claim(self, what: Claim, of: int = 0) -> bool:
        return True

    def release(self, what: Claim, of: int = 0) -> None:
        pass

    def claimed(self, what: Claim) -> frozenset[int]:
        return frozenset()


ALONE = Alone()


def others(drivers: Drivers) -> frozenset[int]:
    """The other drivers that are alive."""
    return drivers.claimed(Claim.DRIVER) - {drivers.number}


class Together:
    """One of several drivers of the study of a name in a PostgreSQL database, until it is closed."""

    def __init__(self, url: str, name: str, waiting: Waiting) -> None:
        """`waiting` hears, again and again while another driver has its turn, for how many seconds; it may raise.

        Raises:
            InputError: see connected.
        """
        self.number = 1 + secrets.randbelow(2**31 - 1)
        self._url, self._name, self._waiting = url, name, waiting
        self._depth = 0
        self._connection = connected(url)

    def join(self) -> None:
        """Be one of those that are alive."""
        self.claim(Claim.DRIVER, self.number)

    def close(self) -> None:
        """Leave: what this driver had claimed is free."""
        import psycopg

        with suppress(psycopg.Error):  # of a connection that is lost all is free
            self._ask("SELECT pg_advisory_unlock_all()")
        self._connection.close()

    @contextmanager
    def turn(self) -> Iterator[None]:
        if not self._depth:
            self._wait_for_turn()
        self._depth += 1
        try:
            yield
        finally:
            self._depth -= 1
            if not self._depth:
                self.release(Claim.TURN)

    def claim(self, what: Claim, of: int = 0) -> bool:
        return bool(self._ask("SELECT pg_try_advisory_lock(%s, %s)", _key(self._name, what), of)[0][0])

    def release(self, what: Claim, of: int = 0) -> None:
        import psycopg

        with suppress(psycopg.Error):  # a connection that is lost has let go
            self._ask("SELECT pg_advisory_unlock(%s, %s)", _key(self._name, what), of)

    def claimed(self, what: Claim) -> frozenset[int]:
        rows = self._ask(
            "SELECT objid::bigint FROM pg_locks WHERE locktype = 'advisory' AND granted AND objsubid = 2"
            " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
            " AND classid::bigint = %s",
            _key(self._name, what) % 2**32,
        )
        return frozenset(int(of) for (of,) in rows)

    def _wait_for_turn(self) -> None:
        from psycopg.errors import LockNotAvailable

        start = time.monotonic()
        while True:
            with suppress(LockNotAvailable):
                self._ask("SELECT pg_advisory_lock(%s, %s)", _key(self._name, Claim.TURN), 0)
                return
            self._waiting(f"the record of {self._name} ({self._url})", time.monotonic() - start)

    def _ask(self, sql: str, *values: int) -> list[tuple[Any, ...]]:
        return self._connection.execute(sql.encode(), values).fetchall()


def connected(url: str, at: Position = STORAGE) -> psycopg.Connection[tuple[Any, ...]]:
    """A connection that ends with its process or machine. `at` is where the database is named.

    Raises:
        InputError: where the driver of the database is not installed, or the database cannot be reached.
    """
    try:
        import psycopg
    except ImportError:
        hint = "pip install 'ranking-automl[postgres]'"
        raise InputError([Mistake(at, "must have its driver installed", "no package psycopg", hint)]) from None
    try:
        connection = psycopg.connect(
            url,
            autocommit=True,
            connect_timeout=_SILENT_S,
            application_name=f"automl, process {os.getpid()} on {socket.gethostname()}",
            keepalives_idle=_SILENT_S,
            keepalives_interval=_ASKED_S,
            keepalives_count=_ASKED,
        )
    except psycopg.Error as error:
        hint = "a password comes from PGPASSWORD or ~/.pgpass; is the server up, is the database there?"
        found = f"{url}: {first_line(error)}"
        raise InputError([Mistake(at, "must be a database that can be reached", found, hint)]) from None
    # What the server itself asks of a machine that is silent: its locks end with the connection.
    for name, value in (("idle", _SILENT_S), ("interval", _ASKED_S), ("count", _ASKED)):
        connection.execute(f"SET tcp_keepalives_{name} = {value}".encode())
    connection.execute(f"SET lock_timeout = {_WAIT_MS}".encode())
    return connection


def _key(name: str, what: Claim) -> int:
    """The first key of a lock: a signed number of 32 bits."""
    key = zlib.crc32(f"automl {what} {name}".encode())
    return key - 2**32 if key >= 2**31 else key
