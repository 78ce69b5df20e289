"""A small finished run: a simulated stream, scored by arithmetic in place of a teacher, two students.

B batch, F id fields.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from automl.data.simulated.stream import simulate_stream
from automl.exfm.das.scorer import LocalPool, Snapshot, Stream
from automl.exfm.das.system import Das
from automl.exfm.das.ticks import Tick, ticks_of
from automl.exfm.problem import ExfmProblem, load_exfm

HOUR = 3_600 * 10**9
MODEL = "embedding: {dim: 4, lr: 0.1, min_count: 1}\ndeep: [{mlp: {width: 8}}]\ntrain: {batch_size: 64}\n"
FILE = """\
name: tiny
data:
  path: log/log.parquet
  time: {column: time_ms, unit: ms, timezone: UTC}
  labels:
    click: {column: click, arrives: label_time_ms}
    convert: {column: convert, given: click, arrives: label_time_ms}
  cluster: user_id
  features:
    categorical: {user_id: {}, item_id: {}, domain: {}, tab: {}, "@hour": {}}
teacher: {model: model.yaml, snapshot_every: 6h}
students:
  clicks: {model: model.yaml, label: click, where: {domain: {not: 0}}, negatives_kept: 0.5}
  conversions: {model: model.yaml, label: convert, features: [item_id, tab]}
"""


@dataclass(frozen=True)
class Arithmetic:
    """Logits that tell the snapshot and the row."""

    shift: float

    def logits(self, stream: Stream, rows: slice | NDArray[np.int64]) -> NDArray[np.float32]:
        ids_BF = stream.ids_NF[rows]
        return np.stack([ids_BF.sum(1) / 500 + self.shift, ids_BF[:, 0] / 100 - self.shift], 1).astype(np.float32)


def load(folder: Path) -> Arithmetic:
    return Arithmetic(float(folder.name))


def ticks(problem: ExfmProblem) -> tuple[Tick, ...]:
    return ticks_of(problem.stream.times_N, problem.stream.windows, 6 * HOUR)


def make_run(folder: Path, *, until: int | None = None) -> ExfmProblem:
    """The first `until` ticks of the run; the first tick has no snapshot."""
    if not (folder / "exfm.yaml").exists():
        simulate_stream(
            folder / "log", rows=3000, users=150, items=60, days=4, delay_hours=3.0, never=0.05, domains=3, seed=3
        )
        (folder / "model.yaml").write_text(MODEL)
        (folder / "exfm.yaml").write_text(FILE)
    problem = load_exfm(folder / "exfm.yaml")
    stream = problem.stream
    names = [student.name for student in problem.students]
    pool = LocalPool(stream, load)
    with Das(problem.folder, stream, problem.members_NV, names, stream.tasks, "six hours", pool) as das:
        for tick in ticks(problem)[das.committed : until]:
            home = folder / "snapshots" / str(tick.index)
            das.advance(tick, Snapshot(home.name, home, tick.start_ns - 1, tick.start_ns) if tick.index else None)
    return problem
