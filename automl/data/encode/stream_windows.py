"""Windows of a stream: local days, local hours, or so many rows."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from itertools import pairwise
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from automl.data.columns.times import edges_of
from automl.data.describe.streams import WINDOW_SECONDS, RowsWindow, Step
from automl.data.store.stream import Window


def windows_of(kind: Step | RowsWindow, times_N: NDArray[np.int64], timezone: str) -> tuple[Window, ...]:
    """Windows of sorted rows, one after the other; spans without rows are left out."""
    if isinstance(kind, RowsWindow):
        return tuple(_by_rows(kind.rows, times_N))
    edges = edges_of(int(times_N[0]), int(times_N[-1]), WINDOW_SECONDS[kind], timezone)
    cuts = np.searchsorted(times_N, edges).tolist()
    spans = zip(pairwise(edges.tolist()), pairwise(cuts), strict=True)
    return tuple(
        Window(_name(start, kind, timezone), slice(a, b), start, end) for (start, end), (a, b) in spans if a < b
    )


def _name(start: int, kind: Step, timezone: str) -> str:
    local = dt.datetime.fromtimestamp(start // 10**9, ZoneInfo(timezone))
    if kind == "day":
        return str(local.date())
    return f"{local:%Y-%m-%d %H:%M}" + (f" {local:%z}" if local.fold else "")  # an hour that comes twice


def _by_rows(rows: int, times_N: NDArray[np.int64]) -> Iterator[Window]:
    start = 0
    while start < len(times_N):
        last = min(start + rows, len(times_N)) - 1
        stop = int(np.searchsorted(times_N, times_N[last], side="right"))  # rows of one time stay together
        end = int(times_N[stop]) if stop < len(times_N) else int(times_N[-1]) + 1
        yield Window(f"rows {start}-{stop}", slice(start, stop), int(times_N[start]), end)
        start = stop
