"""A run that is killed leaves no process behind: a small watcher outlives its driver, and ends what the driver started.

Ray's own processes end within seconds of a killed driver, but for two agents that stay most of a minute.
The watcher reads a pipe that only the driver holds: its end is the driver's end, however that came.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager

import psutil

_OWNER = "AUTOML_RUN_OWNER"  # inherited by all that the driver starts; one driver's own, so that a restart is spared
_DONE = b"done"
_LOOK_SECONDS = 20.0  # a process that was just being started may show up late
_CALM_SECONDS = 2.0


@contextmanager
def watched() -> Iterator[None]:
    """A watcher for the length of the block; to be entered before Ray is started."""
    owner = uuid.uuid4().hex
    before = os.environ.get(_OWNER)
    watcher = subprocess.Popen(  # noqa: S603
        [sys.executable, "-m", "automl.exfm.das.orphans", owner],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    os.environ[_OWNER] = owner
    try:
        yield
    finally:
        if before is None:
            os.environ.pop(_OWNER, None)
        else:
            os.environ[_OWNER] = before
        watcher.communicate(_DONE)


def end_processes_of(owner: str) -> int:
    """End what a driver has started, and what that starts while it ends; how many."""
    ended = 0
    start = calm = time.monotonic()
    while time.monotonic() - start < _LOOK_SECONDS and time.monotonic() - calm < _CALM_SECONDS:
        for process in psutil.process_iter():
            if process.pid != os.getpid() and _owned(process, owner):
                try:
                    process.kill()
                except psutil.NoSuchProcess:
                    continue
                ended += 1
                calm = time.monotonic()
        time.sleep(0.1)
    return ended


def _owned(process: psutil.Process, owner: str) -> bool:
    try:
        return process.status() != psutil.STATUS_ZOMBIE and process.environ().get(_OWNER) == owner
    except (psutil.Error, OSError):
        return False


def main() -> None:
    """Wait for the driver's end; it says so where it ends in order."""
    if sys.stdin.buffer.read() != _DONE:
        end_processes_of(sys.argv[1])


if __name__ == "__main__":
    main()
