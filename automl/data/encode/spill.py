"""An external sort: rows go to disk in runs, each ordered by bucket, and each bucket is sorted in memory on its own.

A bucket is a span of keys within a window, so that buckets in order are the windows in order, each sorted by key. A
piece of a log has a folder of its own with all its runs; a run numbers its ids by itself.

n rows, K coded columns, R runs.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

_BUCKET_BYTES = 16 << 20
_MAX_SLOTS = 4096
_NEAR = 4096

Rows = NDArray[np.void]  # of record_type()
Ints = NDArray[np.int64]
Codes = NDArray[np.int32]


def record_type(
    fields: int, dense: int, labels: int = 0, vectors: int = 0, lists: int = 0, events: int = 0, *, tasks: int = 1
) -> np.dtype[np.void]:
    """One row on its way: key sorts, hash tells duplicates, ids are codes of a numbering, dense raw (NaN: missing).

    `vectors` are the numbers of all vectors, one after the other; `label` has a number for each of several `tasks`
    (NaN: not defined). `labels` are those of a stream or of counters (NaN: not defined), each with the time at which it
    arrives; `example` is the hash of a stream's example id. `lists` stand elsewhere: of each where its first event is
    (`at`, in the run) and how many there are. `events` are the sequences that are built of the rows: bit k of one is
    its k-th action.
    """
    of_vectors = [("vectors", "f4", (vectors,))] if vectors else []
    of_lists = [("at", "i8", (lists,)), ("count", "i4", (lists,))] if lists else []
    of_events = [("events", "u1", (events,))] if events else []
    several = [("labels", "f4", (labels,)), ("arrivals", "i8", (labels,)), ("example", "i8", ())]
    return np.dtype(
        [
            ("key", "i8"), ("time", "i8"), ("hash", "u8"),
            ("label", "f4", () if tasks == 1 else (tasks,)), ("weight", "f4"), ("cluster", "i4"),
            ("ids", "i4", (fields,)), ("dense", "f8", (dense,)), *of_vectors, *of_lists, *of_events,
            *(several if labels else []),
        ]
    )  # fmt: skip


def labels_of(rows: Rows) -> NDArray[np.float32]:
    """(n, T): the label, or each of several."""
    labels: NDArray[np.float32] = rows["label"]
    return labels if labels.ndim == 2 else labels[:, None]


@dataclass(frozen=True, slots=True)
class Buckets:
    """Spans of keys, as many of each window."""

    low: int
    span: int
    slots: int

    @classmethod
    def over(cls, keys: tuple[int, int], rows: int, record: np.dtype[np.void]) -> Self:
        """So many that a bucket of rows that are spread evenly is small."""
        slots = int(np.clip(rows * record.itemsize // _BUCKET_BYTES + 1, 1, _MAX_SLOTS))
        return cls(keys[0], max(1, keys[1] - keys[0] + 1), slots)

    def of(self, keys: Ints, window: NDArray[np.int8]) -> Ints:
        """The bucket of each row."""
        part = (keys - self.low).astype(np.float64) / self.span  # monotone in the key, and no overflow
        slot = np.clip((part * self.slots).astype(np.int64), 0, self.slots - 1)
        return np.asarray(window.astype(np.int64) * self.slots + slot)


@dataclass(frozen=True, slots=True)
class Run:
    """Rows of a log in their order, with their windows; of each column that the run itself numbers, its values, and
    after them the events of its lists."""

    rows: Rows
    window: NDArray[np.int8]
    values: Sequence[pa.Array]


class RunWriter:
    """The runs of a piece, in files of its folder that begin with `name`."""

    def __init__(self, folder: Path, name: str, buckets: Buckets) -> None:
        self._folder, self._name, self._buckets = folder, name, buckets
        self._file = (folder / f"{name}.rows").open("wb")
        self._spans: list[tuple[int, int, int, int]] = []  # run, bucket, first row in the file, rows
        self._runs = self._rows = 0

    def add(self, run: Run) -> None:
        bucket = self._buckets.of(run.rows["key"], run.window)
        rows = run.rows
        if (bucket[1:] < bucket[:-1]).any():  # most logs are written in the order of time
            order = np.argsort(bucket, kind="stable")
            rows, bucket = rows[order], bucket[order]
        self._file.write(rows.data)
        starts = np.flatnonzero(np.diff(bucket, prepend=-1))  # none where no row lies in a window
        for start, end in pairwise([*starts.tolist(), len(bucket)]):
            self._spans.append((self._runs, int(bucket[start]), self._rows + start, end - start))
        write_values(self._folder / f"{self._name}-{self._runs:05d}.values", run.values)
        self._runs, self._rows = self._runs + 1, self._rows + len(bucket)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()
        np.save(self._folder / f"{self._name}.npy", np.array(self._spans, np.int64).reshape(-1, 4))


def write_values(path: Path, values: Sequence[pa.Array]) -> None:
    """Columns of different lengths as one Arrow file, to be mapped."""
    lists = [pa.ListArray.from_arrays(pa.array([0, len(column)], pa.int32()), column) for column in values]
    batch = pa.RecordBatch.from_arrays(lists, [str(k) for k in range(len(lists))])
    with pa.OSFile(str(path), "wb") as file, pa.ipc.new_file(file, batch.schema) as writer:
        writer.write_batch(batch)


def read_values(path: Path, k: int) -> pa.Array:
    """One of the columns of `write_values`."""
    with pa.memory_map(str(path)) as file:
        return pa.ipc.open_file(file).get_batch(0).column(k).flatten()


@dataclass(frozen=True, slots=True)
class Recode:
    """From the codes of runs to those of the whole log: of column k a run's code c is codes[k][starts[k][run] + c].

    The columns are places among the coded ones; the one after them is the cluster. `lists` are those whose events
    stand in runs, each with the place of a run's first event among all.
    """

    columns: Sequence[int]
    starts: Sequence[Ints]
    codes: Sequence[Codes]
    lists: Sequence[tuple[int, Ints]] = ()

    def apply(self, rows: Rows, run_n: Ints) -> None:
        """To rows of several runs, in place."""
        for part in near(len(rows)):
            here, run = rows[part], run_n[part]
            ids, cluster, fields = here["ids"], here["cluster"], here["ids"].shape[1]
            for column, starts_R, codes in zip(self.columns, self.starts, self.codes, strict=True):
                of_rows = ids[:, column] if column < fields else cluster
                of_rows[:] = codes[starts_R[run] + of_rows]
            for place, firsts_R in self.lists:
                here["at"][:, place] += firsts_R[run]


def near(rows: int) -> Iterator[slice]:
    """Neighbouring rows, so few that records of them stay in a processor's cache while their columns are gone through
    one by one."""
    for start in range(0, rows, _NEAR):
        yield slice(start, start + _NEAR)


def fill(to_nK: NDArray[np.generic], columns: Sequence[NDArray[np.generic]]) -> None:
    """Columns into a field of records."""
    for part in near(len(to_nK)):
        here = to_nK[part]
        for k, column in enumerate(columns):
            here[:, k] = column[part]


class Spill:
    """The runs of all pieces as one sorted log; nothing but what is asked for is read, and sorted, at a time.

    `folders` are those of the pieces in the order of the log; `first` is the number of a piece's first run.
    """

    def __init__(
        self, folders: Sequence[Path], first: Sequence[int], name: str, record: np.dtype[np.void], slots: int,
        recode: Recode, drop_duplicates: bool,
    ) -> None:  # fmt: skip
        self.record = record
        self._slots, self._recode, self._drop = slots, recode, drop_duplicates
        self._files = [folder / f"{name}.rows" for folder in folders]
        spans = [np.load(folder / f"{name}.npy") for folder in folders]
        piece = np.repeat(np.arange(len(spans)), [len(part) for part in spans])
        spans_S4 = np.concatenate([np.zeros((0, 4), np.int64), *spans])
        spans_S4[:, 0] += np.asarray(first, np.int64)[piece]
        order = np.lexsort((spans_S4[:, 0], spans_S4[:, 1]))  # by bucket, in it by run
        self._spans_S5 = np.concatenate([piece[:, None], spans_S4], 1)[order]
        self._counts: dict[int, int] = {}

    def __len__(self) -> int:
        """Rows on disk; what is dropped as a duplicate is one of them."""
        return int(self._spans_S5[:, 4].sum())

    @cached_property
    def _buckets(self) -> list[tuple[int, slice]]:
        """The buckets that hold rows, in order, each with its spans."""
        found, starts = np.unique(self._spans_S5[:, 2], return_index=True)
        ends = np.append(starts[1:], len(self._spans_S5))[: len(starts)]
        return [(int(b), slice(int(start), int(end))) for b, start, end in zip(found, starts, ends, strict=True)]

    def by_window(self) -> Iterator[tuple[int, Rows]]:
        """All rows, bucket by bucket, each with its window. Rows of equal key keep the order of the log."""
        for bucket, spans in self._buckets:
            rows = self._read(spans)
            self._counts[bucket] = len(rows)
            yield bucket // self._slots, rows

    def sorted(self) -> Iterator[Rows]:
        """All rows, bucket by bucket."""
        for _, rows in self.by_window():
            yield rows

    def rows(self, start: int, stop: int) -> Rows:
        """Rows of that span of all sorted rows, after they have been gone through."""
        parts, done = [np.empty(0, self.record)], 0
        for bucket, spans in self._buckets:
            first, last = max(start - done, 0), min(stop - done, self._counts[bucket])
            if first < last:
                parts.append(self._read(spans)[first:last])
            done += self._counts[bucket]
        return np.concatenate(parts)

    def _read(self, spans: slice) -> Rows:
        """A bucket, sorted."""
        spans_S5 = self._spans_S5[spans]
        size = self.record.itemsize
        parts = [
            np.fromfile(self._files[piece], self.record, count, offset=start * size)
            for piece, _, _, start, count in spans_S5.tolist()
        ]
        rows = parts[0] if len(parts) == 1 else np.concatenate(parts)
        self._recode.apply(rows, np.repeat(spans_S5[:, 1], spans_S5[:, 4]))
        key = np.ascontiguousarray(rows["key"])
        if self._drop:
            rows = rows[np.lexsort((rows["hash"], key))]
            again = (rows["key"][1:] == rows["key"][:-1]) & (rows["hash"][1:] == rows["hash"][:-1])
            return np.asarray(rows[np.concatenate([[True], ~again])])
        return np.asarray(rows[np.argsort(key, kind="stable")]) if (key[1:] < key[:-1]).any() else rows
