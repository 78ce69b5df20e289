"""A stream of random columns on disk, and a teacher in torch over it: what the experiments of the DAS run on.

N rows, F id fields, D dense features, T tasks, V students.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from automl.exfm.das.scorer import NEVER, Snapshot, Stream
from automl.exfm.das.ticks import Tick
from automl.ranking.features import read
from automl.ranking.model import RankingModel, build_model
from automl.ranking.place import fetch
from automl.ranking.process import prepare_process
from automl.ranking.scoring import logits_of
from search_spaces.model import InputShape, ModelSpec

TASKS = ("click", "convert")
FIELDS, DENSE, IDS = 26, 16, 20_000
HOUR_NS = 3_600_000_000_000
TEACHER = {
    "embedding": {"dim": 16, "lr": 0.05},
    "interaction": [{"cross": {"rank": 64}}, {"cross": {"rank": 64}}],
    "deep": [{"mlp": {"width": 512}}, {"mlp": {"width": 256}}],
    "train": {"batch_size": 1024, "dense_lr": 1e-3},
}
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

    def __reduce__(self) -> tuple[Any, ...]:
        return open_disk, (self.folder,)


def open_disk(folder: Path) -> DiskStream:
    """Map the files of a stream."""
    columns = {name: np.load(folder / f"{name}.npy", mmap_mode="r") for name in _COLUMNS}
    return DiskStream(folder, folder.name, **columns)


def write_disk(folder: Path, *, rows: int, hours: int, seed: int) -> DiskStream:
    """Rows spread evenly over hours; clicks at once, conversions of clicks within two hours, a tenth of them never."""
    rng = np.random.default_rng(seed)
    times = np.sort(rng.integers(0, hours * HOUR_NS, rows))
    click = (rng.random(rows) < 0.4).astype(np.float32)
    later = times + rng.integers(0, 2 * HOUR_NS, rows)
    later[rng.random(rows) < 0.1] = NEVER
    columns: dict[str, NDArray[Any]] = {
        "ids_NF": rng.integers(1, IDS, (rows, FIELDS)).astype(np.int32),
        "dense_ND": rng.normal(size=(rows, DENSE)).astype(np.float32),
        "labels_NT": np.stack([click, np.where(click == 1, rng.random(rows) < 0.3, np.nan)], 1).astype(np.float32),
        "times_N": times,
        "arrivals_NT": np.stack([times, np.where(click == 1, later, NEVER)], 1),
        "examples_N": rng.permutation(rows).astype(np.int64),
    }
    folder.mkdir(parents=True, exist_ok=True)
    for name, column in columns.items():
        np.save(folder / f"{name}.npy", column)
    return open_disk(folder)


@dataclass(frozen=True)
class TorchScorer:
    """A ranking model of several tasks."""

    model: RankingModel

    def logits(self, stream: Stream, rows: slice | NDArray[np.int64]) -> NDArray[np.float32]:
        """Logits (B, T)."""
        return fetch(logits_of(self.model, [read(stream, rows)]))


def load_teacher(folder: Path) -> TorchScorer:
    """The teacher with the weights of the seed that the folder's name ends with."""
    prepare_process()
    inputs = InputShape(tuple((2,) * IDS for _ in range(FIELDS)), DENSE, 100_000)
    seed = int(folder.name.rpartition("-")[2])
    return TorchScorer(build_model(ModelSpec.from_tree(TEACHER), inputs, seed=seed, tasks=len(TASKS)).eval())


@dataclass(frozen=True)
class PlainScorer:
    """Logits from ids and dense features alone, in NumPy."""

    shift: float

    def logits(self, stream: Stream, rows: slice | NDArray[np.int64]) -> NDArray[np.float32]:
        """Logits (B, T)."""
        ids_BF, dense_BD = stream.ids_NF[rows], stream.dense_ND[rows]
        return np.stack([ids_BF.sum(1) / IDS + self.shift, dense_BD.sum(1)], 1).astype(np.float32)


def load_plain(folder: Path) -> PlainScorer:
    """The scorer with the shift that the folder's name ends with."""
    return PlainScorer(float(folder.name.rpartition("-")[2]))


def snapshot_of(folder: Path, tick: Tick) -> Snapshot:
    """The snapshot that is the newest when a tick starts."""
    return Snapshot(f"snapshot-{tick.index}", folder / f"snapshot-{tick.index}", tick.start_ns - 1, tick.start_ns)


def members_of(rows: int, students: int, seed: int) -> NDArray[np.bool_]:
    """Students that each see a random half of the traffic."""
    return np.random.default_rng(seed).random((rows, students)) < 0.5
