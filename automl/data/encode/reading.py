"""A log read to disk piece by piece. What a killed run has read of it is not read again."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from filelock import FileLock, Timeout

from automl.data.describe.tables import TablesConfig
from automl.data.encode.crew import Crew
from automl.data.encode.pieces import PIECE_ROWS, Piece, pieces_of
from automl.data.encode.rows import SEEN, RowReader
from automl.data.encode.scan import Scan
from automl.data.encode.seen import Seen
from automl.data.encode.uniting import Spilled, unite
from automl.data.tables.sources import Tables
from automl.data.tables.windows import Locate
from automl.files.passed import Passed, unheard
from automl.files.whole import sweep, whole_file, whole_folder
from search_spaces.errors import InputError, Mistake, Position

_FORM = 1  # of the files of a piece
_PATH = "\0path "


class ReadPieces:
    """Reads pieces of a log to a folder: here, or where it is unpickled."""

    def __init__(self, reader: RowReader, folder: Path) -> None:
        self._reader, self._folder = reader, folder

    def __call__(self, piece: Piece) -> None:
        with whole_folder(self._folder / piece.name) as part:
            self._reader.read(piece, part)

    def __reduce__(self) -> tuple[Callable[..., ReadPieces], tuple[object, ...]]:
        reader = self._reader
        return _read_elsewhere, (type(reader), replace(reader.tables, at=at_path), reader.scan, self._folder)


def _read_elsewhere(
    kind: Callable[[Tables[TablesConfig], Scan], RowReader], tables: Tables[TablesConfig], scan: Scan, folder: Path
) -> ReadPieces:
    return ReadPieces(kind(tables, scan), folder)


def at_path(*path: str | int) -> Position:
    """A position that stands for a part of the description, where its file is not known."""
    return Position(_PATH + json.dumps(path))


def spilled(reader: RowReader, folder: Path, crew: Crew, passed: Passed = unheard) -> Spilled:
    """All rows of a log, on disk, sorted as they are read. Who reads a piece, and when, makes no difference.

    Raises:
        InputError: with what was wrong with them.
    """
    pieces = pieces_of(reader.tables.log, reader.scan.counts, PIECE_ROWS)
    what = [_FORM, reader.record.descr, [[name, repr(reader.buckets(name))] for name in reader.spans], repr(pieces)]
    _begin(folder, json.dumps(what))
    left = [piece for piece in pieces if not (folder / piece.name).exists()]
    total = sum(piece.rows for piece in pieces)
    done = total - sum(piece.rows for piece in left)
    try:
        for number, _ in crew.each(ReadPieces(reader, folder), left):
            done += left[number].rows
            passed("rows read", done, total)
    except InputError as error:
        raise InputError(_placed(mistake, reader.tables.at) for mistake in error.mistakes) from None
    folders = [folder / piece.name for piece in pieces]
    reader.take_over(pieces, [Seen.of_json((of_piece / SEEN).read_text()) for of_piece in folders])
    return unite(reader, folders, folder / "codes", reader.tables.config.drop_duplicates, passed)


def _placed(mistake: Mistake, at: Locate) -> Mistake:
    file = mistake.position.file
    return replace(mistake, position=at(*json.loads(file.removeprefix(_PATH)))) if file.startswith(_PATH) else mistake


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
    for left in (*folder.parent.glob("*.rows"), *folder.parent.glob("*.part")):
        if left.is_dir() and left.stem != folder.stem:
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
