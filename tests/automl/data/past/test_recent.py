"""What is recent against a naive double loop."""

from __future__ import annotations

import math

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from automl.data.past.recent import recent

MS = 10**6


def naive(codes: list[int], times_ms: list[int], within_s: float) -> NDArray[np.float64]:
    out = np.full((2, len(codes)), np.nan)
    for row, (code, now) in enumerate(zip(codes, times_ms, strict=True)):
        if code:
            past = [t for c, t in zip(codes, times_ms, strict=True) if c == code and now - within_s * 1000 <= t < now]
            since = (now - max(past)) / 1000 if past else within_s
            out[:, row] = math.log1p(since), math.log1p(len(past))
    return out


@settings(deadline=None, max_examples=80)
@given(
    st.lists(st.tuples(st.integers(0, 4), st.integers(0, 5_000)), min_size=1, max_size=40),
    st.sampled_from([0.5, 1.0, 60.0]),
    st.sampled_from([0, 1_700_000_000_000, -5_000]),
)
def test_it_is_what_a_double_loop_finds(rows: list[tuple[int, int]], within_s: float, start: int) -> None:
    rows = sorted(rows, key=lambda row: row[1])
    codes, times = [code for code, _ in rows], [start + time for _, time in rows]
    found = np.stack(list(recent(np.array(codes, np.int32), np.array(times, np.int64) * MS, within_s)))
    np.testing.assert_allclose(found, naive(codes, times, within_s), rtol=1e-6)
