"""Segments of a stream's rows, told from what had been seen by the start of a window or in it: new, heavy.

N rows in the order of time.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

Rows = NDArray[np.bool_]
HEAVY = 0.1  # share of the entities seen before that are heavy, at most


def segments_of(entity: str, codes_N: NDArray[np.int32], windows: Sequence[slice]) -> Iterator[tuple[str, Rows]]:
    """`new X`: X was not seen before this window. `heavy X`: X is among the tenth with most rows in earlier windows.

    A missing X (0) is neither. Where many are equal at the edge of the tenth, none of those is heavy.
    """
    counts = np.zeros(int(codes_N.max(initial=0)) + 1, np.int64)
    new, heavy = np.zeros(len(codes_N), bool), np.zeros(len(codes_N), bool)
    for rows in windows:
        codes = codes_N[rows]
        known = codes > 0
        new[rows] = known & (counts[codes] == 0)
        heavy[rows] = known & (counts[codes] >= _least_of_the_heavy(counts[1:]))
        counts += np.bincount(codes, minlength=len(counts))
    yield f"new {entity}", new
    yield f"heavy {entity}", heavy


def _least_of_the_heavy(counts: NDArray[np.int64]) -> float:
    """The smallest count that at most a tenth of those seen reach; infinite where there is none."""
    seen = np.sort(counts[counts > 0])[::-1]
    room = int(HEAVY * len(seen))
    if room == 0:
        return np.inf
    least = float(seen[room - 1])
    return least if len(seen) == room or seen[room] < least else least + 1
