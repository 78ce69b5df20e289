"""The clock of the stream in steps: a tick is the interval of the teacher's snapshots, a window or a part of one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray


class Window(Protocol):
    """What is evaluated: neighbouring rows, half-open in rows and in time."""

    @property
    def name(self) -> str: ...
    @property
    def rows(self) -> slice: ...
    @property
    def start_ns(self) -> int: ...
    @property
    def end_ns(self) -> int: ...


@dataclass(frozen=True, slots=True)
class Tick:
    """An interval [start_ns, end_ns) of the stream, and the rows seen in it; `window` is the number of its window."""

    index: int
    window: int
    window_name: str
    rows: slice
    start_ns: int
    end_ns: int


def ticks_of(times_N: NDArray[np.int64], windows: Sequence[Window], every_ns: int | None) -> tuple[Tick, ...]:
    """Windows cut every `every_ns` from their start; None: a tick is a window. Empty ticks stay: labels arrive in them.

    Raises:
        ValueError: where the interval is not positive.
    """
    if every_ns is not None and every_ns <= 0:
        raise ValueError(f"every_ns must be positive, but got {every_ns}")
    ticks: list[Tick] = []
    for number, window in enumerate(windows):
        starts = range(window.start_ns, window.end_ns, every_ns or max(window.end_ns - window.start_ns, 1))
        times = times_N[window.rows]
        inner = np.searchsorted(times, list(starts)[1:], side="left") + window.rows.start
        edges = [window.rows.start, *inner.tolist(), window.rows.stop]
        for k, start in enumerate(starts):
            end = starts[k + 1] if k + 1 < len(starts) else window.end_ns
            ticks.append(Tick(len(ticks), number, window.name, slice(edges[k], edges[k + 1]), start, end))
    return tuple(ticks)
