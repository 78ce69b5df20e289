"""Quantiles of encoded numbers over the rows that encoders fit: what buckets and bins of a model are cut by.

N rows, B of which are read, D numbers.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from search_spaces.inputs import QUANTILES, Quantiles

BLOCKS, BLOCK_ROWS = 256, 256  # that are read, evenly over the rows; all rows where there are fewer


def quantiles_of(dense_ND: NDArray[np.float32], windows: Sequence[slice], plain: int) -> tuple[Quantiles, ...]:
    """Of each of the plain numbers, from its lowest value in the rows that are read to its highest; each is a value
    that stands there. Missing values (0) do not count; of a number that has none but those there are none."""
    blocks = _blocks(windows) or [slice(0, 0)]
    return tuple(_quantiles(np.concatenate([dense_ND[rows, k] for rows in blocks])) for k in range(plain))


def _quantiles(values_B: NDArray[np.float32]) -> Quantiles:
    known_B = np.sort(values_B[values_B != 0])
    if not len(known_B):
        return ()
    places = np.arange(QUANTILES + 1) * (len(known_B) - 1) // QUANTILES
    return tuple(known_B[places].tolist())


def _blocks(windows: Sequence[slice]) -> list[slice]:
    """Neighbouring rows, block by block."""
    total = sum(rows.stop - rows.start for rows in windows)
    if total <= BLOCKS * BLOCK_ROWS:
        return list(windows)
    found, before = [], 0
    for rows in windows:
        count = rows.stop - rows.start
        starts = {k * total // BLOCKS - before for k in range(BLOCKS)}
        for start in sorted(start for start in starts if 0 <= start < count):
            found.append(slice(rows.start + start, min(rows.start + start + BLOCK_ROWS, rows.stop)))
        before += count
    return found
