"""On a machine that is not the driver's: what a job reads is fetched once for the machine, what it writes is brought.

Copies lie in a folder of this machine, named by what they are of, whole or not there. They stay for the next run, and
are removed when none has used them for a day.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import fields, replace
from pathlib import Path
from typing import Any, TypeVar

from filelock import FileLock, Timeout

from automl.files.whole import whole_folder
from automl.runtime.depot import PIECE_BYTES, Pieces
from automl.runtime.resumed import checkpoint_of

UNUSED_S = 86400.0
HOME = "AUTOML_CARRIED"  # a variable of the environment: the folder for copies, if not in that for temporary files
_OUT = "out-"  # before the folders that jobs write into
_USED = ".used"  # beside a copy: its time is the last use, its lock is held by all processes that use it

Payload = TypeVar("Payload")


def home_of_copies() -> Path:
    """Where this machine keeps what was carried to it."""
    default = Path(tempfile.gettempdir()) / f"automl-carried-{os.getuid()}"
    return Path(os.environ.get(HOME) or default)


def notes_folder(run: str) -> Path:
    """Where the workers of a run on this machine leave their last words."""
    return home_of_copies() / "notes" / run


class Carrier:
    """Fetches and brings; one for each worker process."""

    def __init__(self, depot: Pieces, home: Path | None = None) -> None:
        self._depot, self._home = depot, home or home_of_copies()
        self._home.mkdir(parents=True, exist_ok=True)
        self._copies: dict[str, Path] = {}  # by the driver's path
        self._held: list[int] = []  # open files, by their numbers: they stay so until this process ends

    def copy(self, path: str) -> Path:
        """This machine's copy of a file or folder of the driver's, fetched where it is not there yet."""
        if path not in self._copies:
            key, files = self._depot.listing(path)
            folder = self._home / key
            with FileLock(self._home / f"{key}.lock"):
                if not folder.exists():
                    prune(self._home)
                    with whole_folder(folder) as part:
                        self._fetch(path, files, part)
                self._hold(folder)
            self._copies[path] = folder / Path(path).name
        return self._copies[path]

    def close(self) -> None:
        """Say that this process uses no copy any more."""
        while self._held:
            os.close(self._held.pop())
        self._copies = {}

    @contextmanager
    def brought(self, payload: Payload) -> Iterator[Payload]:
        """The payload with paths of this machine in place of the driver's; at the end of the block what it has written
        is at the driver. A payload tells its paths as `reads` and `writes`; one that has neither stays as it is. Its
        `checkpoint` is here if it is at the driver, and stays here.
        """
        reads, writes = (tuple(getattr(payload, name, ())) for name in ("reads", "writes"))
        with tempfile.TemporaryDirectory(prefix=_OUT, dir=self._home) as out:
            here = {path: str(self.copy(path)) for path in reads}
            here |= {path: str(Path(out) / f"{number}{Path(path).suffix}") for number, path in enumerate(writes)}
            checkpoint = checkpoint_of(payload)
            if checkpoint is not None:
                here[checkpoint] = str(self._as_it_is(checkpoint, Path(out)))
            yield _with_paths(payload, here)
            for path in writes:
                if Path(here[path]).exists():
                    self.bring(Path(here[path]), path)

    def _as_it_is(self, path: str, to: Path) -> Path:
        """A file of the driver's that need not be there, and may be replaced at any time."""
        with suppress(FileNotFoundError):
            key, files = self._depot.listing(path)
            self._fetch(path, files, to)
            if self._depot.listing(path)[0] != key:
                (to / Path(path).name).unlink()
        return to / Path(path).name

    def _fetch(self, path: str, files: list[tuple[str, int]], to: Path) -> None:
        for name, size in files:
            file = to / name
            file.parent.mkdir(parents=True, exist_ok=True)
            with file.open("wb") as out:
                while out.tell() < size:
                    piece = self._depot.piece(path, name, out.tell())
                    if not piece:
                        raise OSError(f"{path} must stay as it is while a job reads it, but {name} has become shorter")
                    out.write(piece)
        with (self._home / "fetched.log").open("a") as log:
            log.write(f"{sum(size for _, size in files)} {path}\n")

    def _hold(self, folder: Path) -> None:
        used = os.open(folder / _USED, os.O_RDWR | os.O_CREAT)
        fcntl.flock(used, fcntl.LOCK_SH)
        os.utime(folder / _USED)
        self._held.append(used)

    def bring(self, file: Path, path: str) -> None:
        """A file of this machine to the driver's path."""
        sender, size = uuid.uuid4().hex[:8], file.stat().st_size
        with file.open("rb") as data:
            for start in range(0, max(size, 1), PIECE_BYTES):
                self._depot.take(path, sender, start, data.read(PIECE_BYTES), start + PIECE_BYTES >= size)


def prune(home: Path, now: float | None = None) -> None:
    """Remove copies that no process uses and none has used for a day, and what killed jobs left of such age."""
    before = (time.time() if now is None else now) - UNUSED_S
    for used in home.glob(f"*/{_USED}"):
        folder = used.parent
        with suppress(OSError, Timeout), FileLock(home / f"{folder.name}.lock", timeout=0), used.open("ab") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if used.stat().st_mtime < before:
                shutil.rmtree(folder, ignore_errors=True)
    for left in (*(home / "notes").glob("*"), *home.glob(f"{_OUT}*")):
        if left.stat().st_mtime < before:
            shutil.rmtree(left, ignore_errors=True)


def _with_paths(payload: Payload, here: dict[str, str]) -> Payload:
    kept: Any = payload
    values = {field.name: getattr(kept, field.name) for field in fields(kept) if field.init}
    changed = {name: here[value] for name, value in values.items() if isinstance(value, str) and value in here}
    changed_payload: Payload = replace(kept, **changed)
    return changed_payload
