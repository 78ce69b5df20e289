"""Rows as their past is counted: when, which keys, which labels and when these are known; sorted by time, on disk.

N rows, K key columns, L labels, S sequences.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, TypeVar

import numpy as np
from numpy.typing import NDArray

TIMELESS = -(1 << 62)  # + its time is that of a label that comes without its row, counted before: before all others
Scalar = TypeVar("Scalar", bound=np.generic)


@dataclass(frozen=True, eq=False, slots=True)
class PastRows:
    """Times in nanoseconds UTC, codes of the key columns (0 is missing), labels (NaN where one is not defined) and when
    they arrive (NEVER: they do not). events_SN: of each sequence bits of the row's actions; 0: the row is no event."""

    times_N: NDArray[np.int64]
    codes_KN: NDArray[np.int32]
    labels_NL: NDArray[np.float32]
    arrivals_NL: NDArray[np.int64]
    events_SN: NDArray[np.uint8] = field(default_factory=lambda: np.zeros((0, 0), np.uint8))

    def __len__(self) -> int:
        return len(self.times_N)

    @classmethod
    def none(cls, columns: int, labels: int, sequences: int = 0) -> PastRows:
        return cls(
            np.zeros(0, np.int64),
            np.zeros((columns, 0), np.int32),
            np.zeros((0, labels), np.float32),
            np.zeros((0, labels), np.int64),
            np.zeros((sequences, 0), np.uint8),
        )


class Gathered:
    """Rows of which memory holds a part at a time: times and labels by time, codes as they came.

    order_N: place of each row, by time, among those that came; rows of one time keep their order.
    """

    def __init__(self, columns: int, labels: int, folder: Path, parts: Iterable[PastRows], sequences: int = 0) -> None:
        """`folder` holds them, in files of their own."""
        many = [*(f"codes{k:03d}" for k in range(columns)), *(f"events{s:03d}" for s in range(sequences))]
        paths = [folder / name for name in ("times", "labels", "arrivals", *many)]
        rows = 0
        with ExitStack() as stack:
            times, of_labels, arrivals, *others = [stack.enter_context(path.open("wb")) for path in paths]
            for part in parts:
                rows += len(part)
                _append(times, part.times_N)
                _append(of_labels, part.labels_NL)
                _append(arrivals, part.arrivals_NL)
                for file, values in zip(others, (*part.codes_KN, *part.events_SN), strict=True):
                    _append(file, values)
        self.times_N = _mapped(paths[0], (rows,), np.int64)
        self.labels_NL = _mapped(paths[1], (rows, labels), np.float32)
        self.arrivals_NL = _mapped(paths[2], (rows, labels), np.int64)
        self._codes_N = [_mapped(path, (rows,), np.int32) for path in paths[3 : 3 + columns]]
        self._events_N = [_mapped(path, (rows,), np.uint8) for path in paths[3 + columns :]]
        self.order_N = np.arange(rows)
        if (np.diff(self.times_N) < 0).any():
            self.order_N = np.argsort(self.times_N, kind="stable")
            for column in (self.times_N, self.labels_NL, self.arrivals_NL):
                column[:] = column[self.order_N]

    def __len__(self) -> int:
        return len(self.order_N)

    def drop_again(self, hashes_N: NDArray[np.uint64]) -> NDArray[np.int64]:
        """Leave out rows that have the time and the hash of an earlier one; rows of one time have the order of their
        hashes then, as in a log. Hashes are those of the rows as they came; so is what is returned: of each row the
        place of the one that stands for it."""
        hashes_N = hashes_N[self.order_N]
        alike = np.lexsort((hashes_N, self.times_N))  # rows that are alike follow one another, the first one first
        again = np.zeros(len(alike), bool)
        ranked, times = hashes_N[alike], self.times_N[alike]
        again[1:] = (ranked[1:] == ranked[:-1]) & (times[1:] == times[:-1])
        stands = alike[np.maximum.accumulate(np.where(again, 0, np.arange(len(alike))))]
        places = np.empty(len(alike), np.int64)
        places[self.order_N[alike]] = self.order_N[stands]
        kept = alike[~again]
        if not np.array_equal(kept, np.arange(len(self))):
            self.order_N, self.times_N = self.order_N[kept], self.times_N[kept]
            self.labels_NL, self.arrivals_NL = self.labels_NL[kept], self.arrivals_NL[kept]
        return places

    def codes(self, column: int) -> NDArray[np.int32]:
        """Of a key column, in the order of time."""
        return np.asarray(self._codes_N[column][self.order_N])

    def events(self, sequence: int) -> NDArray[np.uint8]:
        """Of a sequence, in the order of time."""
        return np.asarray(self._events_N[sequence][self.order_N])

    def some(self, kept_N: NDArray[np.bool_]) -> PastRows:
        """Rows in the order of time, in memory; as what is told of them once, they are no events any more."""
        columns = range(len(self._codes_N))
        codes = [self.codes(column)[kept_N] for column in columns]
        return PastRows(
            np.asarray(self.times_N[kept_N]),
            np.stack(codes) if codes else np.zeros((0, int(kept_N.sum())), np.int32),
            np.asarray(self.labels_NL[kept_N]),
            np.asarray(self.arrivals_NL[kept_N]),
            np.zeros((len(self._events_N), int(kept_N.sum())), np.uint8),
        )


def _append(file: IO[bytes], values: NDArray[np.generic]) -> None:
    file.write(np.ascontiguousarray(values).data if values.size else b"")


def _mapped(path: Path, shape: tuple[int, ...], kind: type[Scalar]) -> NDArray[Scalar]:
    """One without values is in memory."""
    return np.zeros(shape, kind) if 0 in shape else np.memmap(path, kind, "r+", shape=shape)
