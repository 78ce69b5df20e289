"""How long ago a key was last seen, and how often lately: told from earlier rows only, whatever their labels.

N rows in the order of time.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from automl.data.columns.times import MS


def recent(codes_N: NDArray[np.int32], times_N: NDArray[np.int64], within_s: float) -> Iterator[NDArray[np.float32]]:
    """log(1 + seconds since the last row of the key), then log(1 + its rows), of the last `within_s` seconds.

    A key that was not seen within them was last seen `within_s` ago, 0 times. Rows of one time are not each other's
    past. NaN where a key is missing (code 0).
    """
    ms_N = times_N // MS
    ms_N -= ms_N[0] if len(ms_N) else 0
    within = max(round(within_s * 1000), 1)
    far = int(ms_N[-1]) + within + 1 if len(ms_N) else 1  # no row of another key is within reach
    _, key_N = np.unique(codes_N, return_inverse=True)
    order = np.argsort(key_N, kind="stable")
    place_N = (key_N * far + ms_N)[order]  # sorted: by key, then by time
    before_N = np.searchsorted(place_N, place_N, "left")  # rows of the key, and of keys before it, that are earlier
    first_N = np.searchsorted(place_N, place_N - within, "left")
    seen_N = before_N - first_N
    last_N = place_N[np.maximum(before_N - 1, 0)]
    since_N = np.where(seen_N > 0, (place_N - last_N) / 1000, within / 1000)
    missing_N = codes_N == 0
    for found_N in (since_N, seen_N):
        out_N = np.empty(len(codes_N), np.float32)
        out_N[order] = np.log1p(found_N)
        out_N[missing_N] = np.nan
        yield out_N
