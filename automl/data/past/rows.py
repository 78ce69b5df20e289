"""Rows as their past is counted: when, which keys, which labels and when these are known; sorted by time, on disk.

N rows, K key columns, L labels.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

Scalar = TypeVar("Scalar", bound=np.generic)


@dataclass(frozen=True, eq=False, slots=True)
class PastRows:
    """Times in nanoseconds UTC, codes of the key columns (0 is missing), labels (NaN where one is not defined) and when
    they arrive (NEVER: they do not)."""

    times_N: NDArray[np.int64]
    codes_KN: NDArray[np.int32]
    labels_NL: NDArray[np.float32]
    arrivals_NL: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.times_N)

    @classmethod
    def none(cls, columns: int, labels: int) -> PastRows:
        return cls(
            np.zeros(0, np.int64),
            np.zeros((columns, 0), np.int32),
            np.zeros((0, labels), np.float32),
            np.zeros((0, labels), np.int64),
        )


class Gathered:
    """Rows of which memory holds a part at a time: times and labels by time, codes as they came.

    order_N: place of each row, by time, among those that came; rows of one time keep their order.
    """

    def __init__(self, columns: int, labels: int, rows: int, folder: Path) -> None:
        self._codes_KN = scratch(folder / "codes.npy", (columns, rows), np.int32)
        self.times_N = scratch(folder / "times.npy", (rows,), np.int64)
        self.labels_NL = scratch(folder / "labels.npy", (rows, labels), np.float32)
        self.arrivals_NL = scratch(folder / "arrivals.npy", (rows, labels), np.int64)
        self.order_N = np.arange(rows)

    def fill(self, parts: Iterable[PastRows]) -> None:
        """Take rows in, and sort them by time where they are not yet."""
        done = 0
        for part in parts:
            span = slice(done, done + len(part))
            self._codes_KN[:, span] = part.codes_KN
            self.times_N[span] = part.times_N
            self.labels_NL[span] = part.labels_NL
            self.arrivals_NL[span] = part.arrivals_NL
            done += len(part)
        if (np.diff(self.times_N) < 0).any():
            self.order_N = np.argsort(self.times_N, kind="stable")
            for column in (self.times_N, self.labels_NL, self.arrivals_NL):
                column[:] = column[self.order_N]

    def codes(self, column: int) -> NDArray[np.int32]:
        """Of a key column, in the order of time."""
        codes_N: NDArray[np.int32] = self._codes_KN[column][self.order_N]
        return codes_N

    def some(self, kept_N: NDArray[np.bool_]) -> PastRows:
        """Rows in the order of time, in memory."""
        columns = range(len(self._codes_KN))
        codes = [self.codes(column)[kept_N] for column in columns]
        return PastRows(
            np.asarray(self.times_N[kept_N]),
            np.stack(codes) if codes else np.zeros((0, int(kept_N.sum())), np.int32),
            np.asarray(self.labels_NL[kept_N]),
            np.asarray(self.arrivals_NL[kept_N]),
        )


def scratch(path: Path, shape: Sequence[int], kind: type[Scalar]) -> NDArray[Scalar]:
    """An array on disk, mapped; one without values is in memory."""
    if 0 in shape:
        return np.zeros(tuple(shape), kind)
    return np.lib.format.open_memmap(path, "w+", kind, tuple(shape))
