"""Rows a second of the augmentation system against bare batch inference of the same model, on the same core.

Both are run in turns, window by window, and compared as pairs. `wall` is the time of a whole tick: score, write, join,
write. `core` is the same in CPU seconds of driver and actor. Ray Data (map_batches with an actor class, one execution a
window) scores the same windows. Then the cost of 1, 2, 4 and 8 students that each see half of the traffic.

python -m experiments.das_rate [--quick]
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from automl.exfm.das.pool import PoolSize, ScoringPool
from automl.exfm.das.scorer import LocalPool, Scores, Snapshot, score_rows
from automl.exfm.das.system import Das
from automl.exfm.das.ticks import Tick
from automl.runtime.cluster import cluster
from automl.runtime.leftovers import watched
from experiments.das_stream import HOUR_NS, TASKS, DiskStream, members_of, snapshot_of, ticks_of_rows, write_disk
from experiments.das_teacher import load_teacher
from experiments.record import write_result

BATCH_ROWS = 4096
SIZES = (1024, 4096, 16384, 65536)
STUDENTS = (1, 2, 4, 8)


class Remembered:
    """A pool that sums what its scores cost."""

    def __init__(self, pool: ScoringPool) -> None:
        self._pool, self.core_seconds = pool, 0.0

    def score(self, rows_N: NDArray[np.int64], snapshot: Snapshot) -> Scores:
        """As the pool does."""
        found = self._pool.score(rows_N, snapshot)
        self.core_seconds += found.core_seconds
        return found


def timed(work: Callable[[], object]) -> tuple[float, float]:
    """Wall and CPU seconds of this process."""
    wall, core = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - wall, time.process_time() - core


def compare(home: Path, stream: DiskStream, size: int, count: int) -> dict[str, float]:
    """The system against bare inference, in turns, over windows of a size."""
    ticks = ticks_of_rows(stream, size, count)
    everything = np.ones((len(stream.times_N), 1), bool)
    bare = load_teacher(home / "snapshot-0")
    one = Snapshot("snapshot-0", home / "snapshot-0", -1, -1)
    walls, cores, rates = [], [], []
    with ScoringPool(stream, load_teacher, PoolSize(batch_rows=BATCH_ROWS)) as actors:
        pool = Remembered(actors)
        with Das(home / f"das-{size}", stream, everything, ["all"], TASKS, "one", pool) as das:
            for tick in ticks:

                def alone(rows: slice = tick.rows) -> object:
                    return score_rows(bare, stream, rows, BATCH_ROWS)

                def whole(tick: Tick = tick) -> object:
                    return das.advance(tick, one)

                pool.core_seconds = 0.0
                found = [timed(work) for work in ((alone, whole) if tick.index % 2 else (whole, alone))]
                (bare_wall, bare_core), (wall, core) = found if tick.index % 2 else found[::-1]
                if tick.index >= 2:  # the actor and the files are warm
                    walls.append(bare_wall / wall)
                    cores.append(bare_core / (core + pool.core_seconds))
                    rates.append(size / bare_wall)
    return {
        "wall_ratio": float(np.median(walls)),
        "wall_ratio_low": float(np.quantile(walls, 0.25)),
        "wall_ratio_high": float(np.quantile(walls, 0.75)),
        "core_ratio": float(np.median(cores)),
        "bare_rows_per_second": float(np.median(rates)),
        "windows": len(walls),
    }


class RayDataScorer:
    """The actor class of Ray Data's map_batches."""

    def __init__(self, stream: DiskStream, folder: Path) -> None:
        self._stream, self._scorer = stream, load_teacher(folder)

    def __call__(self, batch: dict[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        rows_B = batch["id"]
        logits = self._scorer.logits(self._stream, rows_B)
        return {"row": rows_B, **{task: logits[:, k] for k, task in enumerate(TASKS)}}


def scoring_rates(home: Path, stream: DiskStream, size: int, count: int) -> dict[str, float]:
    """Seconds that a window's scoring takes: the pool's, and Ray Data's."""
    import ray

    one = Snapshot("snapshot-0", home / "snapshot-0", -1, -1)
    ours, theirs = [], []
    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = False
    context.print_on_execution_start = False
    for k in range(count):
        rows = np.arange(k * size, (k + 1) * size)
        with ScoringPool(stream, load_teacher, PoolSize(batch_rows=BATCH_ROWS)) as pool:
            pool.score(rows[:1], one)
            ours.append(timed(lambda: pool.score(rows, one))[0])  # noqa: B023

        def execute(size: int = size) -> object:
            return (
                ray.data.range(size, override_num_blocks=max(1, size // 16384))
                .map_batches(
                    RayDataScorer,
                    fn_constructor_args=(stream, home / "snapshot-0"),
                    batch_size=BATCH_ROWS,
                    compute=ray.data.ActorPoolStrategy(size=1),
                    num_cpus=1,
                )
                .to_numpy_refs()
            )

        theirs.append(timed(lambda: ray.get(execute()))[0])
    return {"pool_s": float(np.median(ours)), "ray_data_s": float(np.median(theirs)), "executions": count}


def share(home: Path, stream: DiskStream, students: int, size: int) -> dict[str, float]:
    """One teacher for many students: what scoring costs each of them."""
    ticks = ticks_of_rows(stream, size, 4)
    rows = ticks[-1].rows.stop
    members = members_of(len(stream.times_N), students, seed=1)
    members[rows:] = False
    names = [f"vm{k}" for k in range(students)]
    with Das(
        home / f"share-{students}", stream, members, names, TASKS, "hourly", LocalPool(stream, load_teacher)
    ) as das:
        for tick in ticks:
            das.advance(tick, snapshot_of(home, tick))
        counts = das.counts
    asked = int(members.sum())
    return {
        "rows_of_students": asked,
        "scored": counts.scored,
        "calls_per_row_asked": counts.calls / asked,
        "core_seconds_per_student": counts.core_seconds / students,
    }


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a few windows of each size")
    quick = parser.parse_args().quick
    core = min(os.sched_getaffinity(0))
    os.sched_setaffinity(0, {core})  # Ray's processes inherit it: all of it shares one core with the bare model
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        rows = 65536 * (5 if quick else 9)
        stream = write_disk(home / "stream", rows=rows, hours=24, seed=0)
        with watched(), cluster(home, 4):  # in name: Ray Data wants one for its actor and one to read
            sizes = {}
            for size in SIZES:
                sizes[size] = compare(home, stream, size, min(rows // size, 8 if quick else 16))
                print(size, sizes[size], flush=True)
            engines = {}
            for size in (16384, 65536):
                engines[size] = scoring_rates(home, stream, size, 1 if quick else 2)
                print(size, engines[size], flush=True)
        students = {}
        for count in STUDENTS:
            students[count] = share(home, stream, count, 16384)
            print(count, students[count], flush=True)
    enough = [size for size in SIZES if min(sizes[size]["wall_ratio"], sizes[size]["core_ratio"]) >= 0.8]
    write_result(
        "das_rate",
        settings={"rows": rows, "hour_ns": HOUR_NS, "batch_rows": BATCH_ROWS, "cores": 1},
        figures={"window_rows": sizes, "engines": engines, "students": students},
        headline={
            "rate_vs_bare": round(sizes[SIZES[-1]]["core_ratio"], 3),
            "rate_vs_bare_wall": round(sizes[SIZES[-1]]["wall_ratio"], 3),
            "window_rows_for_80_percent": min(enough, default=None),
            "core_seconds_1_student": round(students[1]["core_seconds_per_student"], 3),
            "core_seconds_8_students": round(students[8]["core_seconds_per_student"], 3),
        },
    )


if __name__ == "__main__":
    main()
