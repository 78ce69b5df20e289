"""Processes and scratch folders that a killed run leaves behind, and who ends them.

All that a run starts inherits two marks, as variables of its environment. By its folder's, the next run over that
folder ends them. By its driver's own, which spares a restart, they are ended at once: a small watcher outlives the
driver and reads a pipe that only the driver holds; the pipe's end is the driver's end, however that came.

Ray's own processes end within seconds of a killed driver, but for two agents that stay most of a minute.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

FOLDER, OWNER = "AUTOML_RUN_FOLDER", "AUTOML_RUN_OWNER"
_DONE = b"done"
_LOOK_SECONDS = 20.0  # a process that was just being started may show up late
_CALM_SECONDS = 2.0


def marked(mark: str, value: str) -> list[psutil.Process]:
    """Processes other than this one that carry a mark and are alive."""
    return [
        process for process in psutil.process_iter() if process.pid != os.getpid() and carries(process, mark, value)
    ]


def reap(folder: Path) -> int:
    """End processes that a run over this folder has left; how many.

    Never called while such a run is alive: the folder is locked.
    """
    found = marked(FOLDER, str(folder.absolute()))
    kill(found)
    psutil.wait_procs(found, timeout=5)
    return len(found)


@contextmanager
def scratch_folder() -> Iterator[Path]:
    """An empty folder for the length of the block, in the system's place for temporary files. Within a cluster's block
    those that killed runs over the same folder have left go first."""
    run = os.environ.get(FOLDER)
    start = "automl-tune-" if run is None else f"automl-tune-{hashlib.sha256(os.fsencode(run)).hexdigest()[:12]}-"
    if run is not None:
        for left in Path(tempfile.gettempdir()).glob(f"{start}*"):
            shutil.rmtree(left, ignore_errors=True)
    scratch = Path(tempfile.mkdtemp(prefix=start))
    try:
        yield scratch
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


@contextmanager
def watched() -> Iterator[None]:
    """A watcher for the length of the block; to be entered before Ray is started."""
    owner = uuid.uuid4().hex
    before = os.environ.get(OWNER)
    watcher = subprocess.Popen(  # noqa: S603
        [sys.executable, "-m", __name__, owner],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    os.environ[OWNER] = owner
    try:
        yield
    finally:
        if before is None:
            os.environ.pop(OWNER, None)
        else:
            os.environ[OWNER] = before
        watcher.communicate(_DONE)


def _end_all_of(owner: str) -> None:
    """End what a driver has started, and what that starts while it ends."""
    start = calm = time.monotonic()
    while time.monotonic() - start < _LOOK_SECONDS and time.monotonic() - calm < _CALM_SECONDS:
        found = marked(OWNER, owner)
        kill(found)
        calm = time.monotonic() if found else calm
        time.sleep(0.1)


def kill(processes: Iterable[psutil.Process]) -> None:
    """End processes at once; one that is gone already does not matter."""
    for process in processes:
        try:
            process.kill()
        except psutil.NoSuchProcess:
            continue


def carries(process: psutil.Process, mark: str, value: str) -> bool:
    """Whether a process is alive and has inherited a mark."""
    try:
        return process.status() != psutil.STATUS_ZOMBIE and process.environ().get(mark) == value
    except (psutil.Error, OSError):
        return False


def main() -> None:
    """Wait for the driver's end; it says so where it ends in order."""
    if sys.stdin.buffer.read() != _DONE:
        _end_all_of(sys.argv[1])


if __name__ == "__main__":
    main()
