"""What a run asks of its machine: the lock of its folder, what is free, and for the record, what it ran on."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Room:
    """What a run may use: cores, and bytes that are free."""

    cores: int
    memory_bytes: int
    disk_bytes: int


def room(folder: Path) -> Room:
    """What this machine has for a run in that folder, which need not be there yet."""
    there = next(parent for parent in (folder.absolute(), *folder.absolute().parents) if parent.exists())
    return Room(cores=cores(), memory_bytes=free_memory(), disk_bytes=shutil.disk_usage(there).free)


def cores() -> int:
    """Cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def free_memory(group: Path = Path("/sys/fs/cgroup")) -> int:
    """Bytes that the system could still give, or that are left to this control group where that is less."""
    told = dict(line.split(":", 1) for line in Path("/proc/meminfo").read_text().splitlines())
    free = int(told["MemAvailable"].split()[0]) * 1024
    try:
        most, held = (int((group / name).read_text()) for name in ("memory.max", "memory.current"))
        parts = dict(line.split() for line in (group / "memory.stat").read_text().splitlines())
        left = most - held + int(parts["inactive_file"])  # pages of files make room where it is asked for
    except (OSError, ValueError, KeyError):
        return free
    return max(0, min(free, left))
