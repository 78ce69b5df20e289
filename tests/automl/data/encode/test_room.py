"""What encoding takes of the disk, told before it begins."""

from __future__ import annotations

import shutil
from collections import namedtuple
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from automl.data.describe.tables import DataConfig
from automl.data.encode import reading, room
from automl.data.encode.log import encode_plan
from automl.data.encode.plan import Plan, make_plan
from automl.data.encode.room import kept_bytes, room_words, spill_bytes

Describe = Callable[..., DataConfig]
Write = Callable[..., Path]
Usage = namedtuple("Usage", "total used free")
COLUMNS = ("ids", "dense", "labels", "weights", "clusters", "times")


@pytest.fixture
def plan(tmp_path: Path, columns: dict[str, Any], write: Write, describe: Describe) -> Plan:
    write(columns)
    return make_plan(describe(), tmp_path)


def with_free(monkeypatch: pytest.MonkeyPatch, free: int) -> None:
    monkeypatch.setattr(room.shutil, "disk_usage", lambda folder: Usage(free, 0, free))


def test_what_is_kept_is_told_to_the_byte_and_what_is_spilled_from_above(
    plan: Plan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spilled: list[int] = []
    rmtree = shutil.rmtree

    def weighed(folder: Path, **options: Any) -> None:
        spilled.append(sum(file.stat().st_size for file in folder.rglob("*") if file.is_file()))
        rmtree(folder, **options)

    monkeypatch.setattr(reading.shutil, "rmtree", weighed)
    log = encode_plan(plan, tmp_path / "cache", fit=("train",))
    header = 128  # of a .npy file
    kept = sum((log.folder / f"{name}.npy").stat().st_size - header for name in COLUMNS)
    assert kept == kept_bytes(plan, len(log))
    headers = 8 << 10
    assert 0 < max(spilled) <= spill_bytes(plan, len(log)) + headers


def test_little_is_not_told(plan: Plan, tmp_path: Path) -> None:
    assert room_words(plan, 1000, tmp_path) is None


def test_much_is_told_with_what_is_free_where_that_is_less(
    plan: Plan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = 200_000_000
    most = (kept_bytes(plan, rows) + spill_bytes(plan, rows)) / 2**30
    with_free(monkeypatch, 1 << 50)
    told = room_words(plan, rows, tmp_path)
    assert told is not None
    assert told.startswith(f"encoding 200,000,000 rows takes up to {most:.1f} GiB of disk while it lasts, ")
    assert told.endswith(" after it")
    with_free(monkeypatch, 3 << 30)
    assert room_words(plan, rows, tmp_path) == f"{told}: only 3.0 GiB are free"


def test_it_is_told_before_anything_is_written_and_once(
    plan: Plan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_free(monkeypatch, 1)
    heard: list[str] = []
    encode_plan(plan, tmp_path / "cache", fit=("train",), told=heard.append)
    encode_plan(plan, tmp_path / "cache", fit=("train",), told=heard.append)
    assert len(heard) == 1
    assert heard[0].endswith("only 0 MiB are free")
