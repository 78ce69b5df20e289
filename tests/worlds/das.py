"""A small stream on disk, a scorer in NumPy, snapshots of it, and an oracle that joins with loops.

N rows, B batch, F id fields, D dense features, T tasks, V students.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from automl.exfm.das.scorer import NEVER, Snapshot, Stream
from automl.exfm.das.ticks import Tick

TASKS = ("click", "convert")
VMS = ("small", "all")
HOUR = 3_600_000_000_000


@dataclass(frozen=True)
class Window:
    name: str
    rows: slice
    start_ns: int
    end_ns: int


@dataclass(frozen=True, eq=False)
class FakeStream:
    """Columns as files, pickled by their folder."""

    folder: Path
    fingerprint: str
    ids_NF: NDArray[np.int32]
    dense_ND: NDArray[np.float32]
    labels_NT: NDArray[np.float32]
    times_N: NDArray[np.int64]
    arrivals_NT: NDArray[np.int64]
    examples_N: NDArray[np.int64]

    def __reduce__(self) -> tuple[Any, ...]:
        return open_fake, (self.folder,)


COLUMNS = ("ids_NF", "dense_ND", "labels_NT", "times_N", "arrivals_NT", "examples_N")


def open_fake(folder: Path) -> FakeStream:
    columns = {name: np.load(folder / f"{name}.npy", mmap_mode="r") for name in COLUMNS}
    return FakeStream(folder, folder.name, **columns)


def make_stream(folder: Path, *, rows: int = 600, hours: int = 8, seed: int = 0) -> FakeStream:
    """Clicks come at once, conversions up to three hours later or never, and only where there was a click.

    A few rows are delivered twice.
    """
    rng = np.random.default_rng(seed)
    times = np.sort(rng.integers(0, hours * HOUR, rows))
    examples = rng.permutation(rows).astype(np.int64)
    click = (rng.random(rows) < 0.4).astype(np.float32)
    convert = np.where(click == 1, (rng.random(rows) < 0.5).astype(np.float32), np.nan).astype(np.float32)
    later = times + rng.integers(0, 3 * HOUR, rows)
    later[rng.random(rows) < 0.1] = NEVER
    arrivals = np.stack([times, np.where(click == 1, later, NEVER)], 1)
    columns: dict[str, NDArray[Any]] = {
        "ids_NF": rng.integers(0, 50, (rows, 3)).astype(np.int32),
        "dense_ND": rng.normal(size=(rows, 2)).astype(np.float32),
        "labels_NT": np.stack([click, convert], 1),
        "times_N": times,
        "arrivals_NT": arrivals,
        "examples_N": examples,
    }
    again = rng.choice(rows - 1, rows // 50, replace=False)
    order = np.sort(np.concatenate([np.arange(rows), again]))
    folder.mkdir(parents=True, exist_ok=True)
    for name, column in columns.items():
        np.save(folder / f"{name}.npy", column[order])
    return open_fake(folder)


def windows_of(stream: FakeStream, hours: int = 8, every: int = 4) -> list[Window]:
    found = []
    for start in range(0, hours, every):
        first, last = np.searchsorted(stream.times_N, [start * HOUR, (start + every) * HOUR])
        name = f"1970-01-01 {start:02d}:00"
        found.append(Window(name, slice(int(first), int(last)), start * HOUR, (start + every) * HOUR))
    return found


def members_of(stream: FakeStream) -> NDArray[np.bool_]:
    """`small` has a third of the rows, `all` all but those with id 0 in the first field."""
    first = np.asarray(stream.ids_NF[:, 0])
    return np.stack([(first % 3 == 1), first != 0], 1)


@dataclass(frozen=True)
class NumpyScorer:
    """Logits that tell which snapshot made them, of which row."""

    shift: float

    def logits(self, stream: Stream, rows: slice | NDArray[np.int64]) -> NDArray[np.float32]:
        ids_BF, dense_BD = stream.ids_NF[rows], stream.dense_ND[rows]
        out = np.stack([ids_BF.sum(1) / 50 + self.shift, dense_BD.sum(1) - self.shift], 1)
        return out.astype(np.float32)


def load(folder: Path) -> NumpyScorer:
    return NumpyScorer(float((folder / "shift").read_text()))


def snapshot_at(folder: Path, tick: Tick, *, trained_to: int | None = None) -> Snapshot:
    """The snapshot that is the newest when a tick starts."""
    home = folder / f"snapshot-{tick.index}"
    home.mkdir(parents=True, exist_ok=True)
    (home / "shift").write_text(str(tick.index))
    seen = tick.start_ns - 1 if trained_to is None else trained_to
    return Snapshot(home.name, home, seen, tick.start_ns)


Label = tuple[int, int, int]  # example, task, tick in which it is joined


def joined_by_loops(stream: FakeStream, members: NDArray[np.bool_], ticks: tuple[Tick, ...]) -> set[Label]:
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


@dataclass(frozen=True)
class SlowScorer:
    """The same logits, after a while."""

    inner: NumpyScorer
    seconds: float

    def logits(self, stream: Stream, rows: slice | NDArray[np.int64]) -> NDArray[np.float32]:
        time.sleep(self.seconds)
        return self.inner.logits(stream, rows)


def load_slow(folder: Path) -> SlowScorer:
    return SlowScorer(load(folder), 0.05)
