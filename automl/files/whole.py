"""Files and folders that are whole or not there: written beside their place as NAME.part, and moved there at the end.

Where writing fails, NAME.part is removed, and where that was for want of room or rights the error names the file. A
process that is killed leaves it; whoever writes NAME next begins anew in its place. Two that may write one NAME at once
hold a lock. A power cut is not provided for: nothing is synced.
"""

from __future__ import annotations

import shutil
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
    part = _part_of(path)
    try:
        with writing(path):
            yield part
            part.replace(path)
    finally:
        with suppress(OSError):  # the folder can only be read: then there is none
            part.unlink(missing_ok=True)


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
