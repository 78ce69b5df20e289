"""A small stream on disk with two students, and an oracle that joins with loops."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from automl.data.columns.times import NEVER
from automl.data.store.stream import Window
from automl.exfm.das.ticks import Tick
from experiments.das_stream import HOUR_NS, DiskStream, write_disk

VMS = ("small", "all")


def make_stream(folder: Path, *, rows: int = 600) -> DiskStream:
    """Eight hours; conversions come up to three hours later, and a few rows twice."""
    return write_disk(folder, rows=rows, hours=8, seed=0, fields=3, dense=2, ids=50, delay_hours=3, twice=rows // 50)


def windows_of(stream: DiskStream, hours: int = 8, every: int = 4) -> list[Window]:
    found = []
    for start in range(0, hours, every):
        first, last = np.searchsorted(stream.times_N, [start * HOUR_NS, (start + every) * HOUR_NS])
        name = f"1970-01-01 {start:02d}:00"
        found.append(Window(name, slice(int(first), int(last)), start * HOUR_NS, (start + every) * HOUR_NS))
    return found


def members_of(stream: DiskStream) -> NDArray[np.bool_]:
    """`small` has a third of the rows, `all` all but those with id 0 in the first field."""
    first = np.asarray(stream.ids_NF[:, 0])
    return np.stack([(first % 3 == 1), first != 0], 1)


Label = tuple[int, int, int]  # example, task, tick in which it is joined


def joined_by_loops(stream: DiskStream, members: NDArray[np.bool_], ticks: tuple[Tick, ...]) -> set[Label]:
    """What must be joined when: one example, one label, one tick after the other."""
    seen: set[int] = set()
    found = set()
    for tick in ticks:
        for row in range(tick.rows.start, tick.rows.stop):
            example = int(stream.examples_N[row])
            if not members[row].any() or example in seen:
                continue
            seen.add(example)
            for task in range(stream.labels_NT.shape[1]):
                if np.isnan(stream.labels_NT[row, task]) or stream.arrivals_NT[row, task] == NEVER:
                    continue
                for later in ticks[tick.index :]:
                    if stream.arrivals_NT[row, task] < later.end_ns:
                        found.add((example, task, later.index))
                        break
    return found
