"""What the system asks of others: a stream to score, a snapshot of the teacher, and how to load it.

N rows of the stream, B batch, T tasks.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from automl.data.store.history import History


class Stream(Protocol):
    """Columns of a log in the order of time. Pickled to the scoring processes, so best by the name of its folder.

    Times are nanoseconds. labels_NT is NaN where a label is not defined; arrivals_NT is NEVER where it does not come.
    Rows with equal examples_N are one example that was delivered more than once: the first row stands for it.
    """

    @property
    def fingerprint(self) -> str: ...

    @property
    def ids_NF(self) -> NDArray[np.int32]: ...  # noqa: N802

    @property
    def dense_ND(self) -> NDArray[np.float32]: ...  # noqa: N802

    @property
    def histories(self) -> tuple[History, ...]: ...

    @property
    def labels_NT(self) -> NDArray[np.float32]: ...  # noqa: N802

    @property
    def times_N(self) -> NDArray[np.int64]: ...  # noqa: N802

    @property
    def arrivals_NT(self) -> NDArray[np.int64]: ...  # noqa: N802

    @property
    def examples_N(self) -> NDArray[np.int64]: ...  # noqa: N802

    def __reduce__(self) -> str | tuple[Any, ...]: ...


class Scorer(Protocol):
    """A model that is ready to score."""

    def logits(self, stream: Stream, rows: slice | NDArray[np.int64]) -> NDArray[np.float32]:
        """Logits (B, T) of rows of the stream, of which it reads what it needs."""
        ...


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A teacher as it was at one moment.

    trained_to_ns is the newest ARRIVAL of a label that it has seen; published_ns when the scorers may use it.
    """

    name: str
    folder: Path
    trained_to_ns: int
    published_ns: int


Load = Callable[[Path], Scorer]  # picklable: runs in the scoring process, which it may set up (threads)


@dataclass(frozen=True, slots=True)
class Scores:
    """Logits of rows, and what they cost. `calls` counts rows given to a model, again where a process was lost."""

    logits_NT: NDArray[np.float32]
    calls: int
    core_seconds: float


class Pool(Protocol):
    """Whatever scores rows of the stream with a snapshot."""

    def score(self, rows_N: NDArray[np.int64], snapshot: Snapshot) -> Scores: ...


def score_rows(scorer: Scorer, stream: Stream, rows: slice | NDArray[np.int64], batch_rows: int) -> NDArray[np.float32]:
    """Logits (N, T) of rows, batch by batch."""
    count = rows.stop - rows.start if isinstance(rows, slice) else len(rows)
    parts = []
    for start in range(0, count, batch_rows):
        stop = min(start + batch_rows, count)
        part = slice(rows.start + start, rows.start + stop) if isinstance(rows, slice) else rows[start:stop]
        parts.append(np.asarray(scorer.logits(stream, part), np.float32))
    return np.concatenate(parts)


class LocalPool:
    """Scores in this process: the same interface without Ray, for small streams and as the bare rate."""

    def __init__(self, stream: Stream, load: Load, *, batch_rows: int = 4096) -> None:
        self._stream, self._load, self._batch_rows = stream, load, batch_rows
        self._loaded: tuple[Snapshot, Scorer] | None = None

    def score(self, rows_N: NDArray[np.int64], snapshot: Snapshot) -> Scores:
        start = time.process_time()
        if self._loaded is None or self._loaded[0] != snapshot:
            self._loaded = (snapshot, self._load(snapshot.folder))
        logits_NT = score_rows(self._loaded[1], self._stream, compact(rows_N), self._batch_rows)
        return Scores(logits_NT, len(rows_N), time.process_time() - start)


def compact(rows_N: NDArray[np.int64]) -> slice | NDArray[np.int64]:
    """Neighbouring rows as a slice, which maps files instead of copying from them."""
    first, last = int(rows_N[0]), int(rows_N[-1])
    return slice(first, last + 1) if last - first + 1 == len(rows_N) else rows_N
