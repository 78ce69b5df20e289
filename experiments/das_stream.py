"""A stream of random columns on disk, and a teacher that is arithmetic: what the augmentation system is tried on.

N rows, B batch, F id fields, D dense features, T tasks, V students.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from automl.data.columns.times import NEVER
from automl.data.store.history import History
from automl.exfm.das.scorer import Snapshot, Stream
from automl.exfm.das.ticks import Tick

TASKS = ("click", "convert")
FIELDS, DENSE, IDS = 26, 16, 20_000
HOUR_NS = 3_600_000_000_000
_COLUMNS = ("ids_NF", "dense_ND", "labels_NT", "times_N", "arrivals_NT", "examples_N")


@dataclass(frozen=True, eq=False)
class DiskStream:
    """Columns as files, pickled by their folder."""

    folder: Path
    fingerprint: str
    ids_NF: NDArray[np.int32]
    dense_ND: NDArray[np.float32]
    labels_NT: NDArray[np.float32]
    times_N: NDArray[np.int64]
    arrivals_NT: NDArray[np.int64]
    examples_N: NDArray[np.int64]
    histories: tuple[History, ...] = ()

    def __reduce__(self) -> tuple[Callable[[Path], DiskStream], tuple[Path]]:
        return open_disk, (self.folder,)


def open_disk(folder: Path) -> DiskStream:
    """Map the files of a stream."""
    columns = {name: np.load(folder / f"{name}.npy", mmap_mode="r") for name in _COLUMNS}
    return DiskStream(folder, folder.name, **columns)


def write_disk(
    folder: Path,
    *,
    rows: int,
    hours: int,
    seed: int,
    fields: int = FIELDS,
    dense: int = DENSE,
    ids: int = IDS,
    delay_hours: int = 2,
    twice: int = 0,
) -> DiskStream:
    """Rows spread evenly over hours; clicks at once, conversions of clicks after up to `delay_hours`, a tenth never.

    `twice` rows more are delivered again.
    """
    rng = np.random.default_rng(seed)
    times = np.sort(rng.integers(0, hours * HOUR_NS, rows))
    click = (rng.random(rows) < 0.4).astype(np.float32)
    later = times + rng.integers(0, delay_hours * HOUR_NS, rows)
    later[rng.random(rows) < 0.1] = NEVER
    columns: dict[str, NDArray[Any]] = {
        "ids_NF": rng.integers(0, ids, (rows, fields)).astype(np.int32),
        "dense_ND": rng.normal(size=(rows, dense)).astype(np.float32),
        "labels_NT": np.stack([click, np.where(click == 1, rng.random(rows) < 0.3, np.nan)], 1).astype(np.float32),
        "times_N": times,
        "arrivals_NT": np.stack([times, np.where(click == 1, later, NEVER)], 1),
        "examples_N": rng.permutation(rows).astype(np.int64),
    }
    order = np.sort(np.concatenate([np.arange(rows), rng.choice(rows - 1, twice, replace=False)]))
    folder.mkdir(parents=True, exist_ok=True)
    for name, column in columns.items():
        np.save(folder / f"{name}.npy", column[order])
    return open_disk(folder)


@dataclass(frozen=True)
class PlainScorer:
    """Logits in NumPy that tell the row and the snapshot, after a while if asked to."""

    shift: float
    seconds: float = 0.0

    def logits(self, stream: Stream, rows: slice | NDArray[np.int64]) -> NDArray[np.float32]:
        """Logits (B, T)."""
        time.sleep(self.seconds)
        ids_BF, dense_BD = stream.ids_NF[rows], stream.dense_ND[rows]
        return np.stack([ids_BF.sum(1) / 50 + self.shift, dense_BD.sum(1) - self.shift], 1).astype(np.float32)


def load_plain(folder: Path) -> PlainScorer:
    """The scorer with the shift that the folder's name ends with."""
    return PlainScorer(float(folder.name.rpartition("-")[2]))


def load_slow(folder: Path) -> PlainScorer:
    """The same, which takes its time, so that a kill meets it at work."""
    return PlainScorer(load_plain(folder).shift, seconds=0.03)


def snapshot_of(folder: Path, tick: Tick) -> Snapshot:
    """The snapshot that is the newest when a tick starts; these teachers need no file of it."""
    return Snapshot(f"snapshot-{tick.index}", folder / f"snapshot-{tick.index}", tick.start_ns - 1, tick.start_ns)


def members_of(rows: int, students: int, seed: int) -> NDArray[np.bool_]:
    """Students that each see a random half of the traffic."""
    return np.random.default_rng(seed).random((rows, students)) < 0.5


def ticks_of_rows(stream: DiskStream, size: int, count: int) -> list[Tick]:
    """Ticks of equal numbers of rows."""
    edges = [stream.times_N[min(k * size, len(stream.times_N) - 1)] for k in range(count + 1)]
    return [
        Tick(k, k, f"rows {k * size}", slice(k * size, (k + 1) * size), int(edges[k]), int(edges[k + 1]))
        for k in range(count)
    ]
