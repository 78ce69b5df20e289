"""A log cut into pieces: every row of it once, in order."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as pq
import pytest

from automl.data.encode.pieces import pieces_of
from automl.data.tables.table import open_table
from search_spaces.errors import Position


@pytest.mark.parametrize("least", [1, 10, 25, 40, 1000])
@pytest.mark.parametrize("text", [False, True])
def test_pieces_are_the_table_cut_between_files_and_row_groups(tmp_path: Path, least: int, text: bool) -> None:
    (tmp_path / "log").mkdir()
    counts, done = (33, 0, 5, 40), 0
    for k, count in enumerate(counts):
        rows = pa.table({"row": np.arange(done, done + count)})
        done += count
        if text:
            pacsv.write_csv(rows, tmp_path / "log" / f"{k}.csv")
        else:
            pq.write_table(rows, tmp_path / "log" / f"{k}.parquet", row_group_size=10)
    table = open_table("log", tmp_path, Position("study"))
    pieces = pieces_of(table, counts, least)
    assert [piece.number for piece in pieces] == list(range(len(pieces)))
    assert all(piece.rows >= least for piece in pieces[:-1])
    found = []
    for piece in pieces:
        parts = [batch.column(0).to_pylist() for _, batch in table.by_file(["row"], shares=piece.shares)]
        rows = [int(value) for part in parts for value in part]
        assert (piece.start, piece.rows) == (rows[0], len(rows))
        found += rows
    assert found == list(range(done))
