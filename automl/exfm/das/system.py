"""The data augmentation system: tick by tick, score what was seen, then join what has arrived.

N rows of the stream, V students (VMs), T tasks. Two commits a tick, each atomic, numbered by the tick: a crash loses
nothing that was committed, and the next call with the same tick finishes what is missing.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from scipy.special import expit

from automl.data.columns.times import NEVER
from automl.exfm.das.causality import check_snapshot
from automl.exfm.das.counts import Counts, ages_of
from automl.exfm.das.join import Waiting, due_of, join, wait_for
from automl.exfm.das.reader import Augmented, DasReader
from automl.exfm.das.scorer import Pool, Scores, Snapshot, Stream
from automl.exfm.das.tables import TickTable, augmented_schema, scored_schema
from automl.exfm.das.ticks import Tick
from automl.runtime.lock import locked

MAX_VMS = 63  # bits of a column


class Das:
    """One writer of the tables under `folder`/das. A tick is advanced once, in order; whoever wants to reads.

    Args:
        members_NV: which rows are of which student; rows of none are not scored.
        policy: what decides which snapshot scores a tick, in words; a folder holds one policy.
        pool: what scores, or None to only read and to advance without a teacher.
        horizon_ns: labels that come later than this after their impression are counted as late, and not joined.

    Raises:
        InputError: where the folder holds another stream, policy, tasks or students, or has a writer.
    """

    def __init__(
        self,
        folder: Path,
        stream: Stream,
        members_NV: NDArray[np.bool_],
        vms: Sequence[str],
        tasks: Sequence[str],
        policy: str,
        pool: Pool | None,
        *,
        horizon_ns: int | None = None,
        timer: Callable[[], float] = time.perf_counter,
    ) -> None:
        if not 1 <= len(vms) <= MAX_VMS or members_NV.shape != (len(stream.examples_N), len(vms)):
            raise ValueError(f"members must be (rows, 1 to {MAX_VMS} students), but got {members_NV.shape}")
        self.folder, self.stream, self.tasks, self.policy = folder, stream, tuple(tasks), policy
        self._pool, self._horizon_ns, self._timer = pool, horizon_ns, timer
        self._bits_N = members_NV @ (np.int64(1) << np.arange(len(vms), dtype=np.int64))
        self._rows_N, self._repeated_N = _first_of_each(stream, self._bits_N)
        facts = {
            "policy": policy,
            "stream": stream.fingerprint,
            "tasks": json.dumps(list(tasks)),
            "vms": json.dumps(list(vms)),
            "members": hashlib.sha256(self._bits_N.tobytes()).hexdigest()[:16],
            "horizon_ns": str(horizon_ns),
        }
        home = folder / "das"
        self._lock = locked(home)
        try:
            self._scored = TickTable(home / "scored", scored_schema(tasks), facts)
            self._augmented = TickTable(home / "augmented", augmented_schema(tasks), facts)
            for table in (self._scored, self._augmented):
                table.clean()
            self._waiting = self._restore()
            self.reader = DasReader(folder, stream)
        except BaseException:
            self._lock.release()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let another writer in."""
        self._lock.release()

    @property
    def committed(self) -> int:
        """Ticks that are done."""
        return self._augmented.ticks

    @property
    def counts(self) -> Counts:
        """Of all ticks that are done."""
        return self._scored.counts + self._augmented.counts

    @property
    def waiting(self) -> int:
        """(example, task) pairs that were scored, and whose labels are still to come."""
        return self._waiting.labels

    def advance(self, tick: Tick, snapshot: Snapshot | None) -> None:
        """Do a tick, or what a crash has left to do of it; nothing where it is done.

        Raises:
            CausalityError: where the snapshot may not score this tick; nothing is written.
            ValueError: where the ticks before are not done.
        """
        if tick.index < self.committed:
            return
        if tick.index > self.committed:
            raise ValueError(f"tick {self.committed} must be next, but got {tick.index}")
        rows_N = self._rows_of(tick)
        if self._scored.ticks == tick.index:
            scored = self._score(tick, rows_N, snapshot)
        else:
            scored = self._scored_rows(pc.field("tick") == tick.index, [tick.window_name])
        due_NT, missed = due_of(self.stream, rows_N, self._horizon_ns)
        rows, waiting = join(wait_for(self._waiting, scored, due_NT), tick, self.stream, self.tasks)
        joined = sum(rows.num_rows - rows[f"label_{task}"].null_count for task in self.tasks)
        counts = self._augmented.counts + missed + Counts(labels=joined)
        self._augmented.append(tick.index, tick.end_ns, rows, counts)
        self._waiting = waiting

    def read(self, part: Tick | str, vm: str | None = None, tasks: Sequence[str] | None = None) -> Augmented:
        """What was joined in a tick, or in a window by its name; see DasReader.read."""
        return self.reader.read(part, vm, tasks)

    def _score(self, tick: Tick, rows_N: NDArray[np.int64], snapshot: Snapshot | None) -> pa.Table:
        start = self._timer()
        scores = None
        if snapshot is not None:
            check_snapshot(snapshot, tick, rows_N, self.stream)
            if len(rows_N):
                if self._pool is None:
                    raise ValueError("a snapshot needs a pool that scores with it")
                scores = self._pool.score(rows_N, snapshot)
        table = self._scored_table(tick, rows_N, snapshot, scores)
        counts = Counts(examples=len(rows_N), duplicates=_between(self._repeated_N, tick.rows))
        if snapshot is not None and scores is not None:
            counts += Counts(
                scored=int(np.isfinite(scores.logits_NT).all(1).sum()),
                calls=scores.calls,
                ages=ages_of(self.stream.times_N[rows_N], snapshot.trained_to_ns),
                seconds=self._timer() - start,
                core_seconds=scores.core_seconds,
            )
        self._scored.append(tick.index, tick.end_ns, table, self._scored.counts + counts)
        return table

    def _scored_table(
        self, tick: Tick, rows_N: NDArray[np.int64], snapshot: Snapshot | None, scores: Scores | None
    ) -> pa.Table:
        count = len(rows_N)
        columns: dict[str, pa.Array] = {
            "tick": pa.array(np.full(count, tick.index, np.int32)),
            "window": pa.repeat(tick.window_name, count),
            "example_id": pa.array(self.stream.examples_N[rows_N]),
            "row": pa.array(rows_N),
            "time": pa.array(self.stream.times_N[rows_N]),
            "vms": pa.array(self._bits_N[rows_N]),
        }
        for k, task in enumerate(self.tasks):
            logits_N = None if scores is None else scores.logits_NT[:, k].astype(np.float32)
            columns[f"fm_logit_{task}"] = _floats(logits_N, count)
            columns[f"fm_prediction_{task}"] = _floats(None if logits_N is None else expit(logits_N), count)
        told = snapshot if scores is not None else None
        for name, value, kind in (
            ("fm_snapshot", told and told.name, pa.string()),
            ("fm_trained_to", told and told.trained_to_ns, pa.int64()),
            ("fm_published", told and told.published_ns, pa.int64()),
        ):
            columns[name] = pa.repeat(pa.scalar(value, kind), count)
        return pa.table(columns, scored_schema(self.tasks))

    def _rows_of(self, tick: Tick) -> NDArray[np.int64]:
        start, stop = np.searchsorted(self._rows_N, [tick.rows.start, tick.rows.stop])
        return self._rows_N[start:stop]

    def _restore(self) -> Waiting:
        """What waited at the end of the last tick: rows that are scored, with labels that arrive from then on."""
        nothing = Waiting(scored_schema(self.tasks).empty_table(), np.empty((0, len(self.tasks)), np.int64))
        end_ns, done = self._augmented.end_ns, self._augmented.ticks
        if end_ns is None:
            return nothing
        seen = int(np.searchsorted(self.stream.times_N[self._rows_N], end_ns, side="right"))
        rows_N = self._rows_N[:seen]  # and those of that very time, which may be of a tick to come
        due_NT, _ = due_of(self.stream, rows_N, self._horizon_ns)
        due_NT[due_NT < end_ns] = NEVER
        late_N = (due_NT != NEVER).any(1)
        if not late_N.any():
            return nothing
        candidates = pa.array(rows_N[late_N])
        rows = self._scored_rows((pc.field("tick") < done) & pc.field("row").isin(candidates), None)
        return Waiting(rows, due_NT[np.searchsorted(rows_N, rows["row"].to_numpy())])

    def _scored_rows(self, where: pc.Expression, windows: Sequence[str] | None) -> pa.Table:
        schema = scored_schema(self.tasks)
        return self._scored.read(schema.names, where, windows).sort_by("row").cast(schema).combine_chunks()


def _first_of_each(stream: Stream, bits_N: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Rows that are of a student: the first of each example, and the repeated ones."""
    rows_N = np.flatnonzero(bits_N)
    _, first = np.unique(stream.examples_N[rows_N], return_index=True)
    is_first_N = np.zeros(len(rows_N), bool)
    is_first_N[first] = True
    return rows_N[is_first_N], rows_N[~is_first_N]


def _between(rows_N: NDArray[np.int64], part: slice) -> int:
    start, stop = np.searchsorted(rows_N, [part.start, part.stop])
    return int(stop - start)


def _floats(values_N: NDArray[np.float32] | None, count: int) -> pa.Array:
    return pa.nulls(count, pa.float32()) if values_N is None else pa.array(values_N)
