"""Rows on disk in runs that number their ids by themselves, as one sorted log."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from automl.data.columns.vocabulary import numbered, united
from automl.data.encode.spill import (
    Buckets,
    Recode,
    Run,
    RunWriter,
    Spill,
    read_values,
    record_type,
    write_values,
)

ROW = st.tuples(st.integers(-50, 50), st.integers(0, 2), st.sampled_from(["a", "b", "c", None]))
PIECES = st.lists(st.lists(st.lists(ROW, max_size=6), max_size=3), min_size=1, max_size=4)


@settings(deadline=None)
@given(PIECES, st.booleans())
def test_a_log_is_sorted_by_window_and_key_whatever_its_runs(pieces: list[list[list[Any]]], drop: bool) -> None:
    record = record_type(1, 0)
    rows = [row for piece in pieces for run in piece for row in run]
    keys = [key for key, _, _ in rows] or [0]
    buckets = Buckets(min(keys), max(keys) - min(keys) + 1, 3)
    with tempfile.TemporaryDirectory() as place:
        folders, values = [], []
        for number, piece in enumerate(pieces):
            folders.append(Path(place) / str(number))
            folders[-1].mkdir()
            with RunWriter(folders[-1], "examples", buckets) as writer:
                for run in piece:
                    records = np.zeros(len(run), record)
                    records["key"] = [key for key, _, _ in run]
                    records["hash"] = [hash(row) % 2**64 for row in run]
                    records["ids"][:, 0], own = numbered(pa.array([word for _, _, word in run], pa.string()))
                    writer.add(Run(records, np.array([window for _, window, _ in run], np.int8), [own]))
            values += [read_values(path, 0) for path in sorted(folders[-1].glob("examples-*"))]
        words, flat = united(values, pa.string())
        lengths = np.array([len(own) for own in values], np.int64)
        starts = np.cumsum(lengths + 1) - lengths - 1
        codes = np.insert(flat, np.cumsum(lengths) - lengths, 0).astype(np.int32)
        first = np.cumsum([0, *map(len, pieces)])[:-1].tolist()
        recode = Recode([0], [starts], [codes])
        spill = Spill(folders, first, "examples", record, buckets.slots, recode, drop)
        found = [
            (key, window, None if code == 0 else words[int(code) - 1].as_py())
            for window, part in spill.by_window()
            for key, code in zip(part["key"].tolist(), part["ids"][:, 0].tolist(), strict=True)
        ]
        span = spill.rows(1, 4)
    if drop:
        assert sorted(found, key=repr) == sorted(set(rows), key=repr)
        assert [(window, key) for key, window, _ in found] == sorted((window, key) for key, window, _ in found)
    else:
        assert found == sorted(rows, key=lambda row: (row[1], row[0]))
    assert span["key"].tolist() == [key for key, _, _ in found[1:4]]


def test_values_of_runs_are_read_a_column_at_a_time(tmp_path: Path) -> None:
    columns = [pa.array(["a", "b"]), pa.array([], pa.int64()), pa.nulls(0), pa.array([True])]
    write_values(tmp_path / "values", columns)
    assert [read_values(tmp_path / "values", k) for k in range(4)] == columns
