from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from automl.ranking import batches
from automl.ranking.batches import chunk_rows, chunks, even_bounds
from tests.worlds.models import planted


@given(st.integers(0, 5000), st.integers(1, 700))
def test_bounds_part_evenly(count: int, most: int) -> None:
    sizes = np.diff(even_bounds(count, most))
    assert sizes.sum() == count
    if count:
        assert sizes.max() <= most
        assert sizes.max() - sizes.min() <= 1
        assert len(sizes) == -(-count // most)


@given(st.integers(0, 50), st.integers(1, 400), st.booleans(), st.integers(0, 5))
@settings(max_examples=50)
def test_every_row_comes_once(start: int, count: int, shuffled: bool, seed: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(batches, "BLOCK_ROWS", 16)
        patch.setattr(batches, "CHUNK_BLOCKS", 4)
        parts = list(chunk_rows(slice(start, start + count), shuffled=shuffled, rng=np.random.default_rng(seed)))
    seen = np.concatenate(parts)
    assert max(len(part) for part in parts) <= 64
    assert sorted(seen.tolist()) == list(range(start, start + count))
    if not shuffled:
        assert seen.tolist() == sorted(seen.tolist())


def test_a_window_of_one_chunk_is_permuted_as_a_whole() -> None:
    (rows,) = chunk_rows(slice(0, 10_000), shuffled=True, rng=np.random.default_rng(0))
    assert np.corrcoef(rows, np.arange(10_000))[0, 1] == pytest.approx(0, abs=0.05)


def test_a_chunk_holds_its_rows_side_by_side() -> None:
    log = planted(100)
    log.weights_N[3] = 2
    (chunk,) = chunks(log, slice(0, 100), shuffled=True, rng=np.random.default_rng(1))
    (rows,) = chunk_rows(slice(0, 100), shuffled=True, rng=np.random.default_rng(1))
    assert chunk.features.ids_BF.tolist() == log.ids_NF[rows].tolist()
    assert chunk.features.dense_BD.tolist() == log.dense_ND[rows].tolist()
    assert chunk.lesson is None
    assert chunk.labels.tolist() == log.labels_N[rows].tolist()
    assert chunk.weights_C is not None
    assert chunk.weights_C.tolist() == log.weights_N[rows].tolist()
    (chunk,) = chunks(log, slice(4, 100), shuffled=True, rng=np.random.default_rng(1))
    assert chunk.weights_C is None
