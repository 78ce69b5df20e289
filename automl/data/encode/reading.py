"""A log read to disk piece by piece. What a killed run has read of it is not read again."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from automl.data.encode.pieces import PIECE_ROWS, pieces_of
from automl.data.encode.rows import SEEN, RowReader
from automl.data.encode.seen import Seen
from automl.data.encode.uniting import Spilled, unite
from automl.files.whole import sweep, whole_file, whole_folder

_FORM = 1  # of the files of a piece


def spilled(reader: RowReader, folder: Path) -> Spilled:
    """All rows of a log, on disk, sorted as they are read.

    Raises:
        InputError: with what was wrong with them.
    """
    pieces = pieces_of(reader.tables.log, reader.scan.counts, PIECE_ROWS)
    what = [_FORM, reader.record.descr, [[name, repr(reader.buckets(name))] for name in reader.spans], repr(pieces)]
    _begin(folder, json.dumps(what))
    for piece in pieces:
        if not (folder / piece.name).exists():
            with whole_folder(folder / piece.name) as part:
                reader.read(piece, part)
    folders = [folder / piece.name for piece in pieces]
    reader.take_over(Seen.of_json((of_piece / SEEN).read_text()) for of_piece in folders)
    return unite(reader, folders, folder / "codes", reader.tables.config.drop_duplicates)


def _begin(folder: Path, form: str) -> None:
    """Keep what a killed run has left there, where it is of this form."""
    file = folder / "form.json"
    if not file.exists() or file.read_text() != form:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        with whole_file(file) as part:
            part.write_text(form)
    sweep(folder)


@contextmanager
def rows_folder(made: Path) -> Iterator[Path]:
    """Where the rows lie while a folder is made of them. It goes when that is done, or cannot be done; where the
    process is stopped it stays for the next one. What others left beside it, and nobody works on, goes first."""
    folder = made.with_suffix(".rows")
    for left in folder.parent.glob("*.rows"):
        if left != folder:
            _remove_left(left)
    try:
        yield folder
    except Exception:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    shutil.rmtree(folder)


def _remove_left(folder: Path) -> None:
    try:
        with FileLock(folder.with_suffix(".lock"), timeout=0):
            shutil.rmtree(folder, ignore_errors=True)
    except Timeout:
        pass  # someone is at it
