"""Processes of a run that somebody has stopped (SIGSTOP) and forgotten: a run would wait for them for ever, and they
cannot keep their own limits. The driver wakes them."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil

from automl.runtime.leftovers import FOLDER, carries

LOOK_EVERY_S = 2.0
PATIENCE_S = 10.0  # a debugger, or whoever looks at a process, is done by then


@contextmanager
def woken(folder: Path, every_s: float = LOOK_EVERY_S, patience_s: float = PATIENCE_S) -> Iterator[None]:
    """Within the block no process of the run over `folder` stays stopped, but for this one and with it all others.

    From a thread: a stopped part of Ray may hold up the caller itself.
    """
    done = threading.Event()

    def look() -> None:
        seconds: Mapping[int, float] = {}
        while not done.wait(every_s):
            seconds = {pid: seconds.get(pid, 0.0) + every_s for pid in stopped(folder)}
            for pid in (pid for pid, passed in seconds.items() if passed >= patience_s):
                with suppress(OSError):
                    os.kill(pid, signal.SIGCONT)

    thread = threading.Thread(target=look, daemon=True, name="frozen")
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def stopped(folder: Path) -> list[int]:
    """Processes of a run over that folder that are stopped."""
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            if process.status() == psutil.STATUS_STOPPED and carries(process, FOLDER, str(folder.absolute())):
                found.append(process.pid)
    return found
