"""Helpers: what they do is what is done without them."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pyarrow as pa
import pytest

from automl.data.describe.tables import DataConfig
from automl.data.encode import crew as crews
from automl.data.encode.crew import crew, hands
from automl.data.encode.log import encode_log
from search_spaces.errors import InputError, Position

Describe = Callable[..., DataConfig]
Write = Callable[..., Path]
ORPHAN = """
import time
from automl.data.encode.crew import crew
with crew(1) as helpers:
    ((_, helper),) = helpers.each(eval, ["__import__('os').getpid()"])
    print(helper, flush=True)
    time.sleep(60)
"""


def half(task: int) -> float:
    """A work that fails in three ways."""
    if task < 0:
        raise InputError.of("here", f"must not be {task}")
    if task == 99:
        os._exit(3)
    return 1 / (task - 5)


def test_results_are_told_by_the_number_of_their_task() -> None:
    tasks = [7, 9, 13, 6]
    with crew(0) as none, crew(2) as two:
        for workers in (none, two):
            assert sorted(workers.each(half, tasks)) == [(0, 0.5), (1, 0.25), (2, 0.125), (3, 1.0)]
        with pytest.raises(InputError, match="must not be -1"):
            list(two.each(half, [7, -1, -2, 9]))
        with pytest.raises(RuntimeError, match="ZeroDivisionError"):
            list(two.each(half, [5]))
        with pytest.raises(RuntimeError, match="ended with code 3"):
            list(two.each(half, [99]))


def test_a_parent_that_is_killed_leaves_none() -> None:
    parent = subprocess.Popen([sys.executable, "-c", ORPHAN], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    helper = psutil.Process(int(parent.stdout.readline()))
    parent.kill()
    parent.wait()
    parent.stdout.close()
    helper.wait(timeout=20)


def test_small_logs_have_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {0, 1, 2, 3})
    assert hands(1_000_000, 10) == 0
    assert hands(20_000_000, 40) == crews.MOST
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {0})
    assert hands(20_000_000, 40) == 0


def test_a_log_is_the_same_with_helpers_and_mistakes_have_their_places(
    tmp_path: Path, columns: dict[str, Any], write: Write, describe: Describe, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("automl.data.encode.reading.PIECE_ROWS", 100)
    write(columns, row_group_size=50)
    users = np.unique(columns["user"])[:-3]
    write({"user": users, "city": [f"c{user % 7}" for user in users], "age": users % 50 + 0.5}, "users.parquet")
    features = {"categorical": {"user": {}, "city": {}, "word": {}}, "dense": {"price": {}, "age": {}}}
    config = describe(features=features, cluster="word", join=[{"path": "users.parquet", "on": "user"}])
    alone = encode_log(config, tmp_path, tmp_path / "alone")
    monkeypatch.setattr(crews, "LEAST_CELLS", 0)
    helped = encode_log(config, tmp_path, tmp_path / "helped")
    assert alone.notes == helped.notes
    for name in ("ids_NF", "dense_ND", "labels_N", "clusters_N", "times_N"):
        np.testing.assert_array_equal(getattr(alone, name), getattr(helped, name))

    columns["click"][70] = 3
    write(columns, row_group_size=50)
    with pytest.raises(InputError) as told:
        encode_log(config, tmp_path, tmp_path / "wrong", where=lambda *path: Position("study.yaml", len(path), 7))
    assert str(told.value) == "study.yaml:2:7: click must be 0 or 1, but found 3 (1 row)"
    columns["click"][70] = 1
    columns["user"] = pa.array(["x", *map(str, columns["user"][1:])])
    write(columns, row_group_size=50)
    with pytest.raises(InputError) as told:
        encode_log(config, tmp_path, tmp_path / "wrong", where=lambda *path: Position("study.yaml", len(path), 7))
    assert str(told.value).startswith("study.yaml:3:7: user must be of one kind in log.parquet and users.parquet")
