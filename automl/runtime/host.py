"""What a run asks of its machine: the lock of its folder, and for the record, what it ran on."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import filelock

from search_spaces.errors import InputError

PACKAGES = ("ranking-automl", "ray", "optuna", "lightgbm", "torch", "numpy", "pandas", "pyarrow")


@contextmanager
def hold(folder: Path) -> Iterator[None]:
    """One driver a folder: nobody else writes there for the length of the block. See `locked`."""
    lock = locked(folder)
    try:
        yield
    finally:
        lock.release()


def locked(folder: Path) -> filelock.BaseFileLock:
    """The lock of a folder, held until it is released or this process ends.

    Raises:
        InputError: where another run holds it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    lock = filelock.FileLock(folder / ".lock", timeout=0)
    try:
        lock.acquire()
    except filelock.Timeout:
        raise InputError.of(
            str(folder), "must not be in use", "another run that holds it", "wait for it, or stop it"
        ) from None
    return lock


def versions() -> dict[str, str]:
    """Installed versions of what the numbers depend on."""
    found = {}
    for name in PACKAGES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            found[name] = "not installed"
    return found


def machine() -> str:
    """The machine in words."""
    return f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores, Python {sys.version.split()[0]}"
