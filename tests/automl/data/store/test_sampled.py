"""Parts of the rows: one of each run, at no place that the runs share."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from automl.data.store.sampled import one_in


@given(st.integers(0, 100), st.integers(0, 2000), st.sampled_from([2, 4, 8, 16]), st.integers(0, 9))
def test_of_each_run_one_row(start: int, count: int, every: int, seed: int) -> None:
    rows = one_in(slice(start, start + count), every, seed)
    assert list((rows - start) // every) == list(range(count // every))
    np.testing.assert_array_equal(rows, one_in(slice(start, start + count), every, seed))


def test_every_position_of_lists_is_as_likely() -> None:
    """Lists of eight rows, one after the other: every n-th row would be the same position of all of them."""
    counts = np.bincount(one_in(slice(0, 80_000), 8, 1) % 8, minlength=8)
    assert counts.min() > 1_100
    assert counts.max() < 1_400
