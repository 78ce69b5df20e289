"""kill -9 at random moments of a run of the augmentation system: of an actor, of the driver, in the middle of a write.

A killed driver is started again at once; a killed actor is the pool's own affair. The write is struck by an alarm that
the kernel sends without a handler, some random part of a write after its begin. At the end the tables are held against
those of a run that nobody disturbed: no example lost, none scored twice, every label joined once, manifests whole.

python -m experiments.das_kill [--moments 50] [--quick]
"""

from __future__ import annotations

import argparse
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pyarrow as pa
from deltalake import DeltaTable
from numpy.typing import NDArray

from automl.data.columns.times import NEVER
from automl.exfm.das import tables
from automl.exfm.das.pool import PoolSize, ScoringPool
from automl.exfm.das.scorer import LocalPool, Pool
from automl.exfm.das.system import Das
from automl.exfm.das.ticks import Tick
from automl.runtime.cluster import cluster
from automl.runtime.leftovers import FOLDER, marked, watched
from experiments.das_stream import (
    TASKS,
    DiskStream,
    load_plain,
    load_slow,
    open_disk,
    snapshot_of,
    ticks_of_rows,
    write_disk,
)
from experiments.das_stream import members_of as random_members
from experiments.record import write_result

ROWS, TICK_ROWS = 90_000, 150
KINDS = ("actor", "driver", "write")
NAMES = ("a", "b")
WRITE_SECONDS = 0.012  # about what a commit takes: an alarm within it strikes before, in or just behind the write


def work_of(home: Path) -> tuple[DiskStream, NDArray[np.bool_], list[Tick]]:
    """The stream, its students and its ticks."""
    stream = open_disk(home / "stream")
    return stream, random_members(ROWS, len(NAMES), seed=3), ticks_of_rows(stream, TICK_ROWS, ROWS // TICK_ROWS)


def drive(home: Path, run: str, engine: str, strike: int, delay: float) -> None:
    """Run the ticks that are left; with `strike` end in that write, `delay` seconds after its begin."""
    stream, members, ticks = work_of(home)
    if strike:
        _strike_at(strike, delay)
    with ExitStack() as stack:
        pool: Pool = LocalPool(stream, load_plain)
        if engine == "ray":
            stack.enter_context(watched())
            stack.enter_context(cluster(home / run, 1))
            pool = stack.enter_context(ScoringPool(stream, load_slow, PoolSize(chunk_rows=50)))
        das = stack.enter_context(Das(home / run, stream, members, NAMES, TASKS, "each tick", pool))
        for tick in ticks[das.committed :]:
            das.advance(tick, snapshot_of(home, tick))
            print(tick.index, flush=True)


def _strike_at(number: int, delay: float) -> None:
    append, begun = tables.TickTable.append, [0]

    def struck(table: tables.TickTable, *arguments: Any) -> None:
        begun[0] += 1
        if begun[0] == number:
            signal.setitimer(signal.ITIMER_REAL, delay)  # the default action ends the process, with no clean-up
        append(table, *arguments)

    tables.TickTable.append = struck  # type: ignore[method-assign,assignment]


def start(home: Path, run: str, engine: str, strike: int = 0, delay: float = 0.0) -> subprocess.Popen[str]:
    """A driver in a process of its own."""
    words = ["--drive", str(home), "--run", run, "--engine", engine, "--strike", str(strike), "--delay", str(delay)]
    return subprocess.Popen([sys.executable, "-m", "experiments.das_kill", *words], stdout=subprocess.PIPE, text=True)


def torment(home: Path, moments: int, rng: random.Random) -> Counter[str]:
    """Kill as often as asked, then let the run end; how often each kind was killed."""
    done: Counter[str] = Counter()
    plan = [KINDS[k % len(KINDS)] for k in range(moments)]
    rng.shuffle(plan)
    while plan:
        kind = plan[0]
        if kind == "write":
            driver = start(home, "killed", "local", rng.randint(1, 9), rng.uniform(0.0002, WRITE_SECONDS))
            for _ in driver.stdout or ():
                pass
            if driver.wait() != -signal.SIGALRM:
                raise SystemExit(f"a driver must run until it is killed, but ended with {driver.returncode}")
            done[plan.pop(0)] += 1
        else:
            driver = start(home, "killed", "ray")
            _first_line(driver)
            while plan and plan[0] == "actor":
                time.sleep(rng.uniform(0.0, 0.5))
                _kill_actor(driver)
                _first_line(driver)  # it goes on
                done[plan.pop(0)] += 1
            time.sleep(rng.uniform(0.0, 0.5))
            driver.kill()
            driver.wait()
            if plan and plan[0] == "driver":
                done[plan.pop(0)] += 1
            else:
                done["driver between"] += 1
        print(dict(done), flush=True)
        if driver.stdout is not None:
            driver.stdout.close()
    last = start(home, "killed", "local")
    last.communicate()
    if last.returncode:
        raise SystemExit("the last run must reach its end")
    return done


def _first_line(driver: subprocess.Popen[str]) -> None:
    """Two ticks on: the first line may have been waiting in the pipe."""
    for _ in range(2):
        if driver.stdout is None or not driver.stdout.readline():
            raise SystemExit(f"a driver must go on, but ended with {driver.wait()}")


def _kill_actor(driver: subprocess.Popen[str]) -> None:
    end = time.monotonic() + 60
    while time.monotonic() < end:
        for process in psutil.Process(driver.pid).children(recursive=True):
            if "ScoringActor" in " ".join(process.cmdline()):
                process.kill()
                return
        time.sleep(0.05)
    raise SystemExit("there must be an actor")


def verdict(home: Path) -> dict[str, int]:
    """The killed run against the stream and against the undisturbed run."""
    stream, members, ticks = work_of(home)
    rows = np.flatnonzero(members.any(1))
    scored, augmented = (_table(home / "killed" / "das" / name) for name in ("scored", "augmented"))
    times = Counter(scored["example_id"].to_pylist())
    wanted = stream.examples_N[rows]
    joined: Counter[tuple[int, int]] = Counter()
    due = 0
    for task, name in enumerate(TASKS):
        found = augmented.filter(augmented[f"label_{name}"].is_valid())
        joined.update((int(example), task) for example in found["example_id"].to_pylist())
        arrivals = stream.arrivals_NT[rows, task]
        due += int(((arrivals < ticks[-1].end_ns) & (arrivals != NEVER)).sum())
    return {
        "examples": len(wanted),
        "lost": sum(times[int(example)] == 0 for example in wanted),
        "double_scored": sum(count > 1 for count in times.values()),
        "labels": due,
        "labels_lost": due - len(joined),
        "double_joined": sum(count > 1 for count in joined.values()),
        "tables_that_differ": sum(
            not _table(home / "killed" / "das" / name).equals(_table(home / "whole" / "das" / name))
            for name in ("scored", "augmented")
        ),
        "files_without_commit": sum(_loose(home / "killed" / "das" / name) for name in ("scored", "augmented")),
        "processes_left": len(marked(FOLDER, str((home / "killed").absolute()))),
    }


def _table(folder: Path) -> pa.Table:
    return DeltaTable(str(folder)).to_pyarrow_table().sort_by([("tick", "ascending"), ("row", "ascending")])


def _loose(folder: Path) -> int:
    """Data files that no commit names, less those that a commit names and that are not there."""
    there = {str(path) for path in folder.rglob("*.parquet*") if "_delta_log" not in path.parts}
    named = {str(Path(uri)) for uri in _decoded(DeltaTable(str(folder)))}
    return len(there ^ named)


def _decoded(table: DeltaTable) -> list[str]:
    return [uri.removeprefix("file://") for uri in table.file_uris()]


def main() -> None:
    """Kill, compare, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--moments", type=int, default=50)
    parser.add_argument("--quick", action="store_true", help="six moments")
    parser.add_argument("--drive", type=Path, help=argparse.SUPPRESS)
    for name, kind in (("run", str), ("engine", str), ("strike", int), ("delay", float)):
        parser.add_argument(f"--{name}", type=kind, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.drive:
        drive(arguments.drive, arguments.run, arguments.engine, arguments.strike, arguments.delay)
        return
    moments = 6 if arguments.quick else arguments.moments
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        write_disk(home / "stream", rows=ROWS, hours=24, seed=0)
        start(home, "whole", "local").communicate()
        begin = time.monotonic()
        killed = torment(home, moments, random.Random(0))
        time.sleep(25)  # whatever a killed driver left has ended by then
        figures = verdict(home)
    print(figures)
    write_result(
        "das_kill",
        settings={"moments": moments, "rows": ROWS, "ticks": ROWS // TICK_ROWS},
        figures={"killed": dict(killed), "seconds": time.monotonic() - begin, **figures},
        headline={name: figures[name] for name in figures if name not in ("examples", "labels")},
    )


if __name__ == "__main__":
    main()
