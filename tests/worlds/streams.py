"""A small simulated stream whose truth is known, teachers that say what a test wants, and students of them.

N rows, T tasks.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray

from automl.data.describe.streams import StreamDataConfig
from automl.data.encode.stream import encode_stream
from automl.data.simulated.stream import simulate_stream
from automl.data.store.stream import EncodedStream
from automl.exfm.columns import Columns
from automl.exfm.das.scorer import Scores, Snapshot
from automl.exfm.das.system import Das
from automl.exfm.das.ticks import Tick, ticks_of
from automl.exfm.student.recipes import recipe_of
from automl.exfm.student.run import Assignment
from search_spaces.model import ModelSpec
from tests.worlds.models import spec

HOUR = 3_600 * 10**9
SMALL = spec(interaction=[], deep=[{"mlp": {"width": 8}}], train={"batch_size": 64, "dense_lr": 0.01})
DATA = {
    "path": "log.parquet",
    "join": [{"path": "users.parquet", "on": "user_id"}, {"path": "items.parquet", "on": "item_id"}],
    "time": {"column": "time_ms", "unit": "ms", "timezone": "UTC"},
    "labels": {
        "click": {"column": "click", "arrives": "label_time_ms"},
        "convert": {"column": "convert", "given": "click", "arrives": "label_time_ms"},
    },
    "cluster": "user_id",
    "features": {
        "categorical": {"user_id": {}, "item_id": {}, "domain": {}, "tab": {}},
        "dense": {"price": {"transform": "log"}},
    },
}


@dataclass(frozen=True)
class World:
    """A stream on disk and the true logits (N, T) of its rows."""

    folder: Path
    stream: EncodedStream
    truth_NT: NDArray[np.float32]

    @property
    def ticks(self) -> tuple[Tick, ...]:
        return ticks_of(self.stream.times_N, self.stream.windows, None)


def make_world(folder: Path, *, rows: int = 4000, days: int = 6, delay_hours: float = 3.0) -> World:
    simulate_stream(folder, rows=rows, users=200, items=80, days=days, seed=3, delay_hours=delay_hours, never=0.02)
    stream = encode_stream(StreamDataConfig.model_validate(DATA), folder, folder / "data")
    truth = pq.read_table(folder / "truth.parquet")
    p_NT = np.stack([truth["p_click"].to_numpy(), truth["p_convert_given_click"].to_numpy()], 1)
    order = np.argsort(pq.read_table(folder / "log.parquet")["time_ms"].to_numpy(), kind="stable")
    return World(folder, stream, np.log(p_NT / (1 - p_NT)).astype(np.float32)[order])


@dataclass(frozen=True)
class Planted:
    """A pool that says what was planted."""

    logits_NT: NDArray[np.float32]

    def score(self, rows_N: NDArray[np.int64], snapshot: Snapshot) -> Scores:
        return Scores(self.logits_NT[rows_N], len(rows_N), 0.0)


def said(world: World, run: Path, logits_NT: NDArray[np.float32], stream: EncodedStream | None = None) -> Path:
    """A run's folder in which a teacher has said these logits, from the second window on."""
    stream = stream or world.stream
    members = np.ones((len(stream), 1), bool)
    with Das(run, stream, members, ["vm"], stream.tasks, "planted", Planted(logits_NT)) as das:
        for tick in world.ticks:
            snapshot = Snapshot(f"s-{tick.index}", run / f"s-{tick.index}", tick.start_ns - 1, tick.start_ns)
            das.advance(tick, snapshot if tick.index else None)
    return run


def task(world: World, run: Path, recipe: Any = "auto", **changes: Any) -> Assignment:
    stream = world.stream
    settings: dict[str, Any] = {
        "student": "vm",
        "recipe": recipe_of(recipe),
        "spec": SMALL,
        "columns": Columns.of(stream.columns(), stream.dense_columns()),
        "members_N": np.ones(len(stream), bool),
        "task": 0,
        "negatives_kept": None,
        "seed": 0,
        "stream": stream.folder,
        "run": run,
        "out": run / "student",
    }
    return Assignment(**{**settings, **changes})


def model(**parts: object) -> ModelSpec:
    """The teacher's."""
    return spec(**{"deep": [{"mlp": {"width": 16, "dropout": 0.1}}], **parts})
