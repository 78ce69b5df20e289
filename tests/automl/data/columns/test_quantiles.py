"""Quantiles of encoded numbers: values that stand in the fit windows, evenly over the rows, missing ones left out."""

from __future__ import annotations

import numpy as np
import pytest

from automl.data.columns.quantiles import BLOCK_ROWS, BLOCKS, quantiles_of
from search_spaces.inputs import QUANTILES


def test_they_are_values_from_the_lowest_to_the_highest() -> None:
    values = np.random.default_rng(0).permutation(np.arange(1, QUANTILES * 3 + 2)).astype(np.float32)[:, None]
    (found,) = quantiles_of(values, [slice(0, len(values))], 1)
    assert found == tuple(range(1, QUANTILES * 3 + 2, 3))


def test_only_rows_of_the_windows_and_known_values_count() -> None:
    dense_ND = np.array([[9, 9], [1, 0], [0, 0], [2, 0], [9, 9], [3, 0], [9, 9]], np.float32)
    known, none = quantiles_of(dense_ND, [slice(1, 4), slice(5, 6)], 2)
    assert sorted(set(known)) == [1, 2, 3]
    assert (known[0], known[-1], len(known)) == (1, 3, QUANTILES + 1)
    assert none == ()


def test_vectors_have_none_and_a_log_may_have_no_numbers() -> None:
    dense_ND = np.ones((5, 3), np.float32)
    assert len(quantiles_of(dense_ND, [slice(0, 5)], 1)) == 1
    assert quantiles_of(dense_ND, [slice(0, 5)], 0) == ()
    assert quantiles_of(dense_ND, [], 2) == ((), ())
    assert quantiles_of(dense_ND, [slice(2, 2)], 2) == ((), ())


@pytest.mark.parametrize("windows", [[slice(7, 300_007)], [slice(7, 100_000), slice(120_000, 320_007)]])
def test_of_many_rows_blocks_are_read_that_stand_evenly(windows: list[slice]) -> None:
    """A number that grows with the row: what is left of it lies near the quantiles of all rows."""
    grows_N1 = np.arange(1, 400_001, dtype=np.float32)[:, None]
    (found,) = quantiles_of(grows_N1, windows, 1)
    whole = np.concatenate([grows_N1[rows, 0] for rows in windows])
    ranks = np.searchsorted(whole, found) / len(whole)
    assert np.abs(ranks - np.linspace(0, 1, QUANTILES + 1)).max() < 2 / BLOCKS
    assert set(found) <= set(whole.tolist())
    assert len(whole) > BLOCKS * BLOCK_ROWS
