"""One driver a folder, on one machine or on several that share it.

The system's lock on a file decides, and ends with its process. Some shared file systems do not carry it from machine to
machine, so the holder also leaves its name in the folder and a sign of life every few seconds. Times are the file
system's own, so that clocks need not agree.
"""

from __future__ import annotations

import _thread
import json
import os
import shlex
import socket
import sys
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

import filelock
import psutil

from automl.files.failures import writing
from automl.files.whole import whole_file
from search_spaces.errors import InputError

BEAT_S = 10.0
GONE_S = 60.0  # without a sign of life, a holder on another machine is gone
HOLDER = ".driver.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Holder:
    """Who drives a run: `born` and `since` in seconds since the epoch, by the clock of its machine. `inode` is of the
    folder, so that a copy of it is known as one."""

    host: str
    pid: int
    born: float
    since: float
    command: str
    token: str
    inode: int

    @classmethod
    def here(cls, folder: Path) -> Holder:
        """This process, that drives the run of a folder."""
        return cls(
            host=socket.gethostname(),
            pid=os.getpid(),
            born=psutil.Process().create_time(),
            since=time.time(),
            command=shlex.join([Path(sys.argv[0]).name, *sys.argv[1:]]),
            token=uuid.uuid4().hex,
            inode=folder.stat().st_ino,
        )

    @property
    def alive(self) -> bool:
        """Whether the process is there; to be asked on its own machine."""
        try:
            return abs(psutil.Process(self.pid).create_time() - self.born) < 1.0
        except psutil.NoSuchProcess:
            return False

    def __str__(self) -> str:
        since = datetime.fromtimestamp(self.since, UTC)
        return f"process {self.pid} on {self.host}, since {since:%Y-%m-%d %H:%M:%S} UTC: {self.command}"


class FolderLock:
    """A folder that is held; until it is released, or this process ends."""

    def __init__(self, folder: Path, lock: filelock.BaseFileLock, holder: Holder) -> None:
        self._file, self._lock, self._holder = folder / HOLDER, lock, holder
        self._released = threading.Event()
        with whole_file(self._file) as part:
            part.write_text(json.dumps(asdict(holder)))
        threading.Thread(target=self._live, name="sign of life", daemon=True).start()

    def release(self) -> None:
        """Let the next one in. Where the holder's name cannot be removed any more it stays: a name of one that is gone
        holds nobody up, and why the run ended is told instead."""
        self._released.set()
        try:
            if read_holder(self._file) == self._holder:
                with suppress(OSError):
                    self._file.unlink(missing_ok=True)
        finally:
            self._lock.release()

    def _live(self) -> None:
        while not self._released.wait(BEAT_S):
            other = read_holder(self._file)
            if other == self._holder:
                with suppress(OSError):  # the folder can only be read for a while
                    os.utime(self._file)
            elif other is not None:
                sys.stderr.write(f"\nthis run is stopped: it gave no sign of life for a while, and now is of {other}\n")
                _thread.interrupt_main()
                return


@contextmanager
def hold(folder: Path) -> Iterator[None]:
    """One driver a folder: nobody else writes there for the length of the block. See `locked`."""
    lock = locked(folder)
    try:
        yield
    finally:
        lock.release()


def locked(folder: Path) -> FolderLock:
    """The lock of a folder, taken over where its holder is gone.

    Raises:
        InputError: where another run holds it, or did so on another machine a moment ago.
        WriteError: where nothing can be written there.
    """
    lock = filelock.FileLock(folder / ".lock", timeout=0)
    try:
        with writing(folder / ".lock"):
            folder.mkdir(parents=True, exist_ok=True)
            lock.acquire()
    except filelock.Timeout:
        raise _in_use(folder, _holder_of(folder)) from None
    holder = _holder_of(folder)
    if holder is not None and not _is_gone(folder, holder):
        lock.release()
        raise _in_use(folder, holder)
    return FolderLock(folder, lock, Holder.here(folder))


def read_holder(file: Path) -> Holder | None:
    """Who holds the folder of this file, or did and was killed; None where it was let go."""
    try:
        return Holder(**json.loads(file.read_text()))
    except (OSError, ValueError, TypeError):
        return None


def _holder_of(folder: Path) -> Holder | None:
    """Who holds a folder, or did. A holder that was copied with the folder holds the one that was copied: on this
    machine that is told by the inode. Another may number inodes otherwise; from there no sign of life reaches a copy.
    """
    holder = read_holder(folder / HOLDER)
    if holder is not None and holder.host == socket.gethostname() and holder.inode != folder.stat().st_ino:
        return None
    return holder


def _is_gone(folder: Path, holder: Holder) -> bool:
    return not holder.alive if holder.host == socket.gethostname() else _silent_s(folder) > GONE_S


def _silent_s(folder: Path) -> float:
    """Seconds since the holder's last sign of life."""
    now = folder / f".now-{os.getpid()}"
    now.touch()
    try:
        with (folder / HOLDER).open() as file:  # opened, so that a network's file system asks its server
            return now.stat().st_mtime - os.fstat(file.fileno()).st_mtime
    except OSError:
        return 0.0
    finally:
        now.unlink(missing_ok=True)


def _in_use(folder: Path, holder: Holder | None) -> InputError:
    must = "must not be in use"
    if holder is None:
        return InputError.of(str(folder), must, "another run that holds it", "wait for it, or stop it")
    if holder.host == socket.gethostname():
        return InputError.of(str(folder), must, str(holder), f"wait for it, or stop it: kill -INT {holder.pid}")
    silent = _silent_s(folder)
    hint = (
        f"wait for it, or stop it there; its last sign of life was {silent:.0f} s ago, and "
        f"after {GONE_S:.0f} s without one the folder is free"
    )
    return InputError.of(str(folder), must, str(holder), hint)
