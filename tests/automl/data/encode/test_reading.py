"""What a killed run has read of a log is not read again."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from filelock import FileLock

from automl.data.describe.tables import DataConfig
from automl.data.encode.log import encode_log
from automl.data.encode.pieces import Piece
from automl.data.encode.rows import RowReader
from automl.data.store.log import EncodedLog
from search_spaces.errors import InputError

Describe = Callable[..., DataConfig]
Write = Callable[..., Path]
GROUP = 50  # rows of a row group, and of a piece


class Killed(BaseException):
    """Stops a run as a signal does."""


class Reads:
    """The pieces that are read, and after how many of them the run is killed."""

    def __init__(self) -> None:
        self.pieces: list[int] = []
        self.left = 1000


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> Reads:
    monkeypatch.setattr("automl.data.encode.reading.PIECE_ROWS", GROUP)
    reads, read = Reads(), RowReader.read

    def watched(self: RowReader, piece: Piece, folder: Path) -> None:
        if not reads.left:
            raise Killed
        reads.left -= 1
        read(self, piece, folder)
        reads.pieces.append(piece.number)

    monkeypatch.setattr(RowReader, "read", watched)
    return reads


def same(one: EncodedLog, other: EncodedLog) -> bool:
    names = ("ids_NF", "dense_ND", "labels_N", "weights_N", "clusters_N", "times_N")
    return one.notes == other.notes and all(np.array_equal(getattr(one, name), getattr(other, name)) for name in names)


def folders(cache: Path) -> list[str]:
    return sorted(path.name for path in cache.iterdir() if path.is_dir())


def test_a_killed_run_goes_on_where_it_was(
    tmp_path: Path, columns: dict[str, Any], write: Write, describe: Describe, reads: Reads
) -> None:
    write(columns, row_group_size=GROUP)
    config = describe(cluster="user", drop_duplicates=True)
    expected = encode_log(config, tmp_path, tmp_path / "other")
    assert reads.pieces == list(range(12))
    reads.pieces, reads.left = [], 7
    with pytest.raises(Killed):
        encode_log(config, tmp_path, tmp_path / "cache")
    reads.left = 1000
    log = encode_log(config, tmp_path, tmp_path / "cache")
    assert reads.pieces == list(range(12)), "none is read twice, or left out"
    assert same(log, expected)
    assert folders(tmp_path / "cache") == [log.fingerprint]


def test_what_was_left_in_another_form_is_read_anew(
    tmp_path: Path, columns: dict[str, Any], write: Write, describe: Describe, reads: Reads
) -> None:
    write(columns, row_group_size=GROUP)
    reads.left = 5
    with pytest.raises(Killed):
        encode_log(describe(), tmp_path, tmp_path / "cache")
    (left,) = (tmp_path / "cache").glob("*.rows")
    (left / "form.json").write_text("[0]")
    reads.pieces, reads.left = [], 1000
    encode_log(describe(), tmp_path, tmp_path / "cache")
    assert reads.pieces == list(range(12))


def test_rows_of_a_wrong_log_are_not_kept(
    tmp_path: Path, columns: dict[str, Any], write: Write, describe: Describe
) -> None:
    columns["click"][3] = 7
    write(columns)
    with pytest.raises(InputError):
        encode_log(describe(), tmp_path, tmp_path / "cache")
    assert not folders(tmp_path / "cache")


def test_what_others_left_goes_unless_they_are_at_it(
    tmp_path: Path, columns: dict[str, Any], write: Write, describe: Describe
) -> None:
    write(columns)
    cache = tmp_path / "cache"
    for name in ("left", "busy"):
        (cache / f"{name}.rows").mkdir(parents=True)
        (cache / f"{name}.part").mkdir()
    with FileLock(cache / "busy.lock"):
        log = encode_log(describe(), tmp_path, cache)
    assert folders(cache) == sorted([log.fingerprint, "busy.part", "busy.rows"])


def test_a_random_split_is_the_same_whatever_the_pieces(
    tmp_path: Path, columns: dict[str, Any], write: Write, describe: Describe, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(columns, row_group_size=GROUP)
    config = describe(split={"random": {"train": 0.6, "validate": 0.2, "test": 0.2, "seed": 3}}, time=None)
    logs = []
    for rows in (GROUP, 1000):
        monkeypatch.setattr("automl.data.encode.reading.PIECE_ROWS", rows)
        logs.append(encode_log(config, tmp_path, tmp_path / str(rows)))
    assert logs[0].windows == logs[1].windows
    assert same(*logs)
