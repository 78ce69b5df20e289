"""Hard limits of a trial, kept where they cannot be missed: in the worker itself. A worker that breaks one ends.

Time: faulthandler's watchdog is a C thread, so that it ends even a trial that hangs in C code with the GIL held.
Memory: a thread that looks at the process's anonymous memory, so that mapped data does not count. It cannot look while
C code holds the GIL: so it says where it is, and the driver, where that is on the same machine, looks too.
"""

from __future__ import annotations

import faulthandler
import json
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from automl.study.history import Failure

_LOOK_EVERY_S = 0.05
_EXIT_CODE = 1


@contextmanager
def time_limit(seconds: float, traceback: Path) -> Iterator[None]:
    """End this process if the block takes longer; the stacks of all threads are left in `traceback`."""
    with traceback.open("w") as file:
        faulthandler.dump_traceback_later(max(seconds, 0.001), exit=True, file=file)
        try:
            yield
        finally:
            faulthandler.cancel_dump_traceback_later()


def anonymous_bytes(process: int | None = None) -> int:
    """Memory of a process, this one if none is named, that no file backs."""
    for line in Path(f"/proc/{process or 'self'}/status").read_text().splitlines():
        if line.startswith("RssAnon:"):
            return int(line.split()[1]) * 1024
    raise OSError("this system does not tell a process's anonymous memory")


class MemoryWatch:
    """Ends this process when it holds more than `limit` bytes above what it held when the job began."""

    def __init__(self) -> None:
        self._limit = 0
        self._base = 0
        self._notes: Path | None = None
        threading.Thread(target=self._look, daemon=True).start()

    def begin(self, limit: int, note: Path) -> None:
        """Look from now on; the last words go into `note`."""
        self._base, self._limit, self._notes = anonymous_bytes(), limit, note
        with suppress(OSError):  # no room: the driver does not look
            _beside(note).write_text(json.dumps([os.getpid(), self._base]))

    def end(self) -> None:
        """Look no more."""
        if self._notes is not None:
            _beside(self._notes).unlink(missing_ok=True)
        self._notes = None

    def _look(self) -> None:
        while True:
            time.sleep(_LOOK_EVERY_S)
            note = self._notes
            if note is None:
                continue
            held = anonymous_bytes() - self._base
            if held > self._limit:
                write_note(note, too_much(held, self._limit))
                os._exit(_EXIT_CODE)


def too_much(held: int, limit: int) -> Failure:
    """What is told of a job that held more bytes than it may."""
    return Failure("memory", f"held {held / 2**20:.0f} MiB, above its limit of {limit / 2**20:.0f} MiB")


def held_bytes(folder: Path, job: str) -> int:
    """What a job that runs on this machine holds above what its process held when it began; 0 where that is not known:
    it runs elsewhere, or is over. `folder` is that of its worker's last words."""
    try:
        process, base = json.loads(_beside(folder / f"{job}.json").read_text())
        return anonymous_bytes(process) - int(base)
    except (OSError, ValueError):
        return 0


def forget(folder: Path, job: str) -> None:
    """A job was lost with its worker: where that was says nothing any more."""
    _beside(folder / f"{job}.json").unlink(missing_ok=True)


def _beside(note: Path) -> Path:
    """Says which process a job runs in, and what that held when it began."""
    return note.with_suffix(".memory")


def write_note(path: Path, failure: Failure) -> None:
    """A worker's last words."""
    path.write_text(json.dumps([failure.kind, failure.reason]))


@dataclass(frozen=True, slots=True)
class Words:
    """What a worker left that ended without telling its end: a note, or the stacks at its limit of time."""

    note: Failure | None
    timeout: bool


def read_words(folder: Path, job: str) -> Words:
    """The last words of the worker that ran a job."""
    stack = folder / f"{job}.stack"
    return Words(read_note(folder / f"{job}.json"), stack.exists() and "Timeout (" in stack.read_text(errors="replace"))


def read_note(path: Path) -> Failure | None:
    """The last words of a worker, if it had any."""
    try:
        kind, reason = json.loads(path.read_text())
    except (OSError, ValueError):
        return None
    return Failure(kind, reason)
