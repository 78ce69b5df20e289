"""What a run asks of its machine: what is free, and for the record, what it ran on."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

PACKAGES = ("ranking-automl", "ray", "optuna", "lightgbm", "torch", "numpy", "pandas", "pyarrow")


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
