"""Checkpoints as the driver sees them: files that jobs leave while they run. A payload names one as `checkpoint`."""

from __future__ import annotations

import glob
from contextlib import suppress
from pathlib import Path


def stamp(payload: object) -> int:
    """When the checkpoint of a payload was written, in nanoseconds since the epoch; 0 where there is none."""
    file = checkpoint_of(payload)
    if file is not None:
        with suppress(OSError):
            return Path(file).stat().st_mtime_ns
    return 0


def remove(payload: object) -> None:
    """A job has ended: nothing goes on from its checkpoint, nor from what was being written when its process died. With
    the last one goes the folder."""
    told = checkpoint_of(payload)
    if told is not None:
        file = Path(told)
        with suppress(OSError):
            for left in (file, *file.parent.glob(f"{glob.escape(file.name)}.*.part")):
                left.unlink(missing_ok=True)
            file.parent.rmdir()


def clear(folder: Path) -> None:
    """No job of a study runs or is to go on: checkpoints of those that were dropped go, with their folder."""
    with suppress(OSError):
        for left in (*folder.glob("*.pt"), *folder.glob("*.pt.*.part")):
            left.unlink(missing_ok=True)
        folder.rmdir()


def checkpoint_of(payload: object) -> str | None:
    """The file of a payload that has such a thing."""
    file: str | None = getattr(payload, "checkpoint", None)
    return file
