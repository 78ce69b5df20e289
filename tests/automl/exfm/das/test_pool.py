"""Actors score what one process would, swap models, are replaced when they are killed, and leave nothing behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st

from automl.exfm.das.pool import PoolSize, ScoringPool, wanted_actors
from automl.exfm.das.scorer import LocalPool
from automl.exfm.das.ticks import ticks_of
from automl.runtime.cluster import cluster
from automl.runtime.errors import RunError
from automl.runtime.leftovers import FOLDER, marked, watched
from experiments.das_stream import HOUR_NS, DiskStream, load_plain, load_slow, snapshot_of
from tests.worlds.das import make_stream, windows_of
from tests.worlds.processes import PATIENCE_S

ROOT = Path(__file__).parents[4]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("pool")
    with watched(), cluster(folder, 4):
        yield folder


@pytest.fixture(scope="module")
def stream(home: Path) -> DiskStream:
    return make_stream(home / "stream", rows=1000)


def actor_processes() -> list[psutil.Process]:
    children = psutil.Process().children(recursive=True)
    return [child for child in children if "ScoringActor" in " ".join(child.cmdline())]


def test_actors_score_what_one_process_would_and_swap_models(home: Path, stream: DiskStream) -> None:
    ticks = ticks_of(stream.times_N, windows_of(stream), HOUR_NS)
    alone = LocalPool(stream, load_plain)
    size = PoolSize(min_actors=2, max_actors=2, chunk_rows=100, batch_rows=30)
    with ScoringPool(stream, load_plain, size) as pool:
        for rows in (np.arange(1000), np.flatnonzero(stream.ids_NF[:, 0] % 3), np.array([7])):
            for tick in ticks[:2]:
                snapshot = snapshot_of(home, tick)
                found = pool.score(rows, snapshot)
                np.testing.assert_array_equal(found.logits_NT, alone.score(rows, snapshot).logits_NT)
                assert found.calls == len(rows)


def test_a_killed_actor_is_replaced_and_its_rows_are_scored_again(home: Path, stream: DiskStream) -> None:
    snapshot = snapshot_of(home, ticks_of(stream.times_N, windows_of(stream), HOUR_NS)[1])
    rows = np.arange(1000)
    size = PoolSize(min_actors=2, max_actors=2, chunk_rows=100, batch_rows=50)
    with ScoringPool(stream, load_slow, size) as pool:
        pool.score(rows, snapshot)
        killed = actor_processes()[0]
        threading.Timer(0.15, killed.kill).start()
        found = pool.score(rows, snapshot)
        np.testing.assert_array_equal(found.logits_NT, LocalPool(stream, load_plain).score(rows, snapshot).logits_NT)
        assert 1000 < found.calls <= 1200, "what the killed actor had in hand, and no more"
        assert pool.actors == 2


def test_a_pool_that_has_no_room_is_refused(stream: DiskStream) -> None:
    with pytest.raises(RunError, match="9 scoring actors need 1 CPU each, but the cluster has 4"):
        ScoringPool(stream, load_plain, PoolSize(min_actors=9, max_actors=9))


@given(st.integers(1, 8), st.integers(0, 10000), st.floats(0, 100), st.integers(1, 4), st.integers(0, 4))
def test_a_pool_grows_with_work_and_shrinks_slowly(
    now: int, chunks: int, seconds: float, least: int, more: int
) -> None:
    size = PoolSize(min_actors=least, max_actors=least + more)
    wanted = wanted_actors(now, chunks, seconds, size)
    assert least <= wanted <= least + more
    assert wanted >= min(now - 1, least + more)
    assert wanted_actors(now, chunks + 1, seconds, size) >= wanted
    if seconds == 0:
        assert wanted <= max(least, now - 1)


@pytest.mark.parametrize("bad", [{"min_actors": 0}, {"min_actors": 3, "max_actors": 2}, {"chunk_rows": 0}])
def test_sizes_make_sense(bad: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="must"):
        PoolSize(**bad)


DRIVER = """
import sys, time
from pathlib import Path
import numpy as np
from automl.runtime.leftovers import watched
from automl.exfm.das.pool import PoolSize, ScoringPool
from automl.runtime.cluster import cluster
from experiments.das_stream import HOUR_NS, load_plain, snapshot_of
from tests.worlds.das import make_stream, windows_of
from automl.exfm.das.ticks import ticks_of
home = Path(sys.argv[1])
with watched(), cluster(home, 1):
    stream = make_stream(home / "stream", rows=1000)
    snapshot = snapshot_of(home, ticks_of(stream.times_N, windows_of(stream), HOUR_NS)[1])
    with ScoringPool(stream, load_plain, PoolSize()) as pool:
        pool.score(np.arange(1000), snapshot)
        print("up", flush=True)
        time.sleep(float(sys.argv[2]))
"""


def test_a_killed_driver_leaves_no_process_and_a_restart_works_at_once(tmp_path: Path) -> None:
    def start(seconds: float) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-c", DRIVER, str(tmp_path), str(seconds)], cwd=ROOT, stdout=subprocess.PIPE, text=True
        )

    first = start(600)
    assert first.stdout is not None
    assert first.stdout.readline() == "up\n"
    os.kill(first.pid, signal.SIGKILL)
    first.wait()
    first.stdout.close()
    second = start(0)
    out, _ = second.communicate(timeout=PATIENCE_S)
    assert (second.returncode, out) == (0, "up\n")
    deadline = time.monotonic() + PATIENCE_S
    while (left := marked(FOLDER, str(tmp_path))) and time.monotonic() < deadline:
        time.sleep(0.2)
    assert left == []
