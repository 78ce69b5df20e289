"""Rows that are equal, and no others, have one hash."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from automl.data.columns.row_hashes import hash_rows, mixed, unit_of_hash


def batch(**columns: object) -> pa.RecordBatch:
    return pa.RecordBatch.from_pydict(columns)


def test_equal_rows_have_equal_hashes_and_others_do_not() -> None:
    rows = batch(user=[1, 2, 1, None, 0], word=["a", "a", "a", "a", "a"], price=[0.5, 0.5, 0.5, 0.5, 0.5])
    found = hash_rows(rows).tolist()
    assert found[0] == found[2]
    assert len(set(found)) == 4, "missing is not 0"
    as_dictionary = rows.set_column(1, "word", rows.column("word").dictionary_encode())
    assert hash_rows(as_dictionary).tolist() == found
    assert hash_rows(rows.slice(2)).tolist() == found[2:]
    assert hash_rows(batch(a=[1], b=[2])) != hash_rows(batch(a=[2], b=[1]))


def test_draws_are_even_and_of_the_seed() -> None:
    hashes = hash_rows(batch(row=np.arange(20_000)))
    draws = unit_of_hash(hashes, 3)
    np.testing.assert_array_equal(draws, unit_of_hash(hashes, 3))
    share, _ = np.histogram(draws, 10, (0, 1))
    assert abs(share / len(draws) - 0.1).max() < 0.01
    assert abs(np.corrcoef(draws, unit_of_hash(hashes, 4))[0, 1]) < 0.03
    assert len(np.unique(mixed(hashes, np.ones(len(hashes), np.uint64)))) == len(hashes)
