"""Files and folders that are whole or not there: written beside their place, and moved there at the end.

A file is written as NAME.XXXXXXXX.part, which is its writer's own and locked by it: of two who write one NAME at once
each has it whole, and the last one's stays. A folder is written as NAME.part: two that may write one NAME at once hold
a lock. Where writing fails the part is removed, and where that was for want of room or rights the error names the file.
A process that is killed leaves it; whoever writes NAME next removes it. A power cut is not provided for: nothing is
synced.
"""

from __future__ import annotations

import fcntl
import glob
import os
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from automl.files.failures import writing
from search_spaces.errors import InputError


def need_folder(path: Path) -> None:
    """Before what takes long, whether a file can be written in the end.

    Raises:
        InputError: where the folder that it is to lie in is not there.
    """
    if not path.parent.is_dir():
        raise InputError.of(str(path), "must lie in a folder that exists", f"no {path.parent}")


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """Where to write the file; it takes the place of `path` at the end of the block, and an older file's place.

    Raises:
        WriteError: where there is no room, or no right to write there.
    """
    with writing(path):
        _remove_left(path)
        with _own_part(path) as part:
            yield part
            part.replace(path)


@contextmanager
def _own_part(path: Path) -> Iterator[Path]:
    """An empty file beside `path` that nobody else writes, locked until the end of the block: then it is gone."""
    part, held = _locked_part(path)
    try:
        yield part
    finally:
        with suppress(OSError):
            part.unlink(missing_ok=True)
        os.close(held)


def _locked_part(path: Path) -> tuple[Path, int]:
    while True:
        part = path.with_name(f"{path.name}.{uuid.uuid4().hex[:8]}.part")
        held = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
        with suppress(OSError):  # a disk that knows no locks: nobody can take the part for one that was left either
            fcntl.flock(held, fcntl.LOCK_SH)
        if part.exists():  # else it was taken for one that was left before it was locked
            return part, held
        os.close(held)


def _remove_left(path: Path) -> None:
    """Remove the parts of a file that nobody writes any more."""
    for left in path.parent.glob(f"{glob.escape(path.name)}.????????.part"):
        with suppress(OSError):  # somebody writes it, or has just removed it, or it is not ours
            held = os.open(left, os.O_RDONLY)
            try:
                fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
                left.unlink()
            finally:
                os.close(held)


@contextmanager
def whole_folder(path: Path) -> Iterator[Path]:
    """An empty folder to write into; it takes the place of `path` at the end of the block, and an older folder's.

    Raises:
        WriteError: where there is no room, or no right to write there.
    """
    part = _part_of(path)
    shutil.rmtree(part, ignore_errors=True)
    try:
        with writing(path):
            part.mkdir(parents=True)
            yield part
            shutil.rmtree(path, ignore_errors=True)
            part.rename(path)
    finally:
        shutil.rmtree(part, ignore_errors=True)


@contextmanager
def whole_files(folder: Path, last: str) -> Iterator[Path]:
    """An empty folder to write files into, which lie in `folder` after the block: at once where that is not there yet,
    else one by one, beside what lies there, `last` at last.

    Raises:
        WriteError: where there is no room, or no right to write there.
    """
    part = folder / "new.part" if folder.exists() else _part_of(folder.absolute())  # in the same file system
    shutil.rmtree(part, ignore_errors=True)
    try:
        with writing(folder):
            part.mkdir(parents=True)
            yield part
            if folder.exists():
                for file in sorted(part.iterdir(), key=lambda file: (file.name == last, file.name)):
                    file.replace(folder / file.name)
            else:
                part.rename(folder)
    finally:
        shutil.rmtree(part, ignore_errors=True)


def sweep(folder: Path) -> None:
    """Remove all that killed processes were writing into a folder; for whoever is its only writer."""
    for left in folder.glob("*.part"):
        if left.is_dir():
            shutil.rmtree(left)
        else:
            left.unlink()


def _part_of(path: Path) -> Path:
    return path.with_name(f"{path.name}.part")
