"""An external sort: rows go to buckets by key as they stream, and each bucket is sorted in memory on its own.

A bucket is a span of keys within a window, so that buckets in order are the windows in order, each sorted by key.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

_BUCKET_BYTES = 16 << 20
_MAX_SLOTS = 4096

Rows = NDArray[np.void]  # of record_type()


def record_type(fields: int, dense: int, labels: int = 0, vectors: int = 0) -> np.dtype[np.void]:
    """One row on its way: key sorts, hash tells duplicates, ids are codes of a Numbering, dense raw (NaN: missing).

    `vectors` are the numbers of all vectors, one after the other.
    `labels` are those of a stream or of counters (NaN: not defined), each with the time at which it arrives; `example`
    is the hash of a stream's example id.
    """
    of_vectors = [("vectors", "f4", (vectors,))] if vectors else []
    several = [("labels", "f4", (labels,)), ("arrivals", "i8", (labels,)), ("example", "i8", ())]
    return np.dtype(
        [
            ("key", "i8"), ("time", "i8"), ("hash", "u8"), ("label", "f4"), ("weight", "f4"), ("cluster", "i4"),
            ("ids", "i4", (fields,)), ("dense", "f8", (dense,)), *of_vectors,
            *(several if labels else []),
        ]
    )  # fmt: skip


class Spill:
    """Buckets of rows in a folder of their own."""

    def __init__(self, folder: Path, record: np.dtype[np.void], keys: tuple[int, int], rows: int) -> None:
        self.record = record
        self._folder = folder
        self._low, self._span = keys[0], max(1, keys[1] - keys[0] + 1)
        self._slots = int(np.clip(rows * record.itemsize // _BUCKET_BYTES + 1, 1, _MAX_SLOTS))
        folder.mkdir()

    def add(self, rows: Rows, window: NDArray[np.int8]) -> None:
        """Append rows to their buckets, in the order given."""
        part = (rows["key"] - self._low).astype(np.float64) / self._span  # monotone in the key, and no overflow
        slot = np.clip((part * self._slots).astype(np.int64), 0, self._slots - 1)
        bucket = window.astype(np.int64) * self._slots + slot
        order = np.argsort(bucket, kind="stable")
        rows, bucket = rows[order], bucket[order]
        starts = np.flatnonzero(np.diff(bucket, prepend=-1))  # none where no row of a batch lies in a window
        for start, end in pairwise([*starts, len(bucket)]):
            with (self._folder / f"{bucket[start]:08d}").open("ab") as file:
                file.write(rows[start:end].data)

    def sort(self, drop_duplicates: bool) -> Iterator[tuple[int, Rows]]:
        """Sort every bucket on disk; yields (window, rows) in order. Rows of equal key keep the order they came in."""
        for path in sorted(self._folder.iterdir()):
            rows = np.fromfile(path, self.record)
            if drop_duplicates:
                rows = rows[np.lexsort((rows["hash"], rows["key"]))]
                again = (rows["key"][1:] == rows["key"][:-1]) & (rows["hash"][1:] == rows["hash"][:-1])
                rows = rows[np.concatenate([[True], ~again])]
            else:
                rows = rows[np.argsort(rows["key"], kind="stable")]
            rows.tofile(path)
            yield int(path.name) // self._slots, rows

    def sorted(self) -> Iterator[Rows]:
        """The rows again, after sort() has gone through all of them."""
        for path in sorted(self._folder.iterdir()):
            yield np.fromfile(path, self.record)

    def rows(self, start: int, stop: int) -> Rows:
        """Rows of that span of all sorted rows, after sort() has gone through all of them."""
        parts, done = [np.empty(0, self.record)], 0
        for path in sorted(self._folder.iterdir()):
            count = path.stat().st_size // self.record.itemsize
            first, last = max(start - done, 0), min(stop - done, count)
            if first < last:
                parts.append(np.fromfile(path, self.record, last - first, offset=first * self.record.itemsize))
            done += count
        return np.concatenate(parts)
