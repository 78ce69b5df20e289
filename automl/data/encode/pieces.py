"""A log cut into pieces that are read apart: by whom and in which order makes no difference to what is read."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import pyarrow as pa

from automl.data.tables.table import Share, Table

PIECE_ROWS = 1 << 18  # what is lost of a piece when a run is killed in its middle


@dataclass(frozen=True, slots=True)
class Piece:
    """Rows `start` to `start + rows` of a log: whole files, or row groups of them."""

    number: int
    start: int
    rows: int
    shares: tuple[Share, ...]

    @property
    def name(self) -> str:
        return f"{self.number:06d}"


def pieces_of(table: Table, counts: Sequence[int], least: int) -> tuple[Piece, ...]:
    """Pieces of at least so many rows, but for the last; `counts` are the rows of each file."""
    pieces: list[Piece] = []
    held: list[tuple[int, int | None]] = []
    start = rows = 0
    for file, group, count in _units(table, counts):
        held.append((file, group))
        rows += count
        if rows >= least:
            pieces.append(Piece(len(pieces), start, rows, _shares(held)))
            held, start, rows = [], start + rows, 0
    if rows:
        pieces.append(Piece(len(pieces), start, rows, _shares(held)))
    return tuple(pieces)


def _units(table: Table, counts: Sequence[int]) -> Iterator[tuple[int, int | None, int]]:
    """The smallest parts that can be read apart: file, row group, rows."""
    for file, (part, count) in enumerate(zip(table.parts, counts, strict=True)):
        groups = part.group_rows()
        if groups is None:
            yield file, None, count
        else:
            yield from ((file, group, rows) for group, rows in enumerate(groups))


def _shares(units: Sequence[tuple[int, int | None]]) -> tuple[Share, ...]:
    of_files: dict[int, list[int] | None] = {}
    for file, group in units:
        if group is None:
            of_files[file] = None
        else:
            groups = of_files.setdefault(file, [])
            assert groups is not None
            groups.append(group)
    return tuple(Share(file, None if groups is None else tuple(groups)) for file, groups in of_files.items())


def gathered(batches: Iterable[tuple[str, pa.RecordBatch]], least: int) -> Iterator[pa.RecordBatch]:
    """Small batches together, so that there are few runs: each has at least so many rows, but for the last."""
    held: list[pa.RecordBatch] = []
    rows = 0
    for _, batch in batches:
        if batch.num_rows:
            held.append(batch)
            rows += batch.num_rows
        if rows >= least:
            yield _joined(held)
            held, rows = [], 0
    if held:
        yield _joined(held)


def _joined(held: Sequence[pa.RecordBatch]) -> pa.RecordBatch:
    return held[0] if len(held) == 1 else pa.concat_batches(held)
