"""Processes that carry the mark of a run, and stay until they are ended."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import psutil

from automl.runtime.leftovers import FOLDER

PATIENCE_S = 600.0  # with a process that should end; none that is healthy comes near it, however busy the machine is
SLEEP = "import time; print('up', flush=True); time.sleep(600)"


@contextmanager
def sleeper(mark: str | None) -> Iterator[subprocess.Popen[str]]:
    """A process that would stay for ten minutes; up when the block begins."""
    environment = {name: value for name, value in os.environ.items() if name != FOLDER}
    if mark is not None:
        environment[FOLDER] = mark
    process = subprocess.Popen([sys.executable, "-c", SLEEP], env=environment, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        assert process.stdout.readline() == "up\n"
        yield process
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def is_gone(process: subprocess.Popen[str]) -> bool:
    """Ended, and no zombie."""
    process.wait(timeout=PATIENCE_S)
    return not psutil.pid_exists(process.pid)
