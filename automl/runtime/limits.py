"""Hard limits of a trial, kept where they cannot be missed: in the worker itself. A worker that breaks one ends.

Time: faulthandler's watchdog is a C thread, so that it ends even a trial that hangs in C code with the GIL held.
Memory: a thread that looks at the process's anonymous memory, so that mapped data does not count.
"""

from __future__ import annotations

import faulthandler
import json
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
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


def anonymous_bytes() -> int:
    """Memory of this process that no file backs."""
    for line in Path("/proc/self/status").read_text().splitlines():
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
        self._base, self._limit, self._notes = anonymous_bytes(), limit, note

    def end(self) -> None:
        self._notes = None

    def _look(self) -> None:
        while True:
            time.sleep(_LOOK_EVERY_S)
            note = self._notes
            if note is None:
                continue
            held = anonymous_bytes() - self._base
            if held > self._limit:
                write_note(
                    note,
                    Failure("memory", f"held {held / 2**20:.0f} MiB, above its limit of {self._limit / 2**20:.0f} MiB"),
                )
                os._exit(_EXIT_CODE)


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
