from __future__ import annotations

import errno
import os
import resource
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as pq
import pytest

from automl.files.failures import WriteError, writing
from automl.files.whole import whole_file, whole_folder
from tests.worlds.folders import WORST

NOISE = np.random.default_rng(0).random(50_000)


def save(path: Path) -> None:
    with path.open("wb") as file:
        np.save(file, NOISE)


WRITERS: dict[str, Callable[[Path], object]] = {
    "text": lambda path: path.write_text("x" * 200_000),
    "numpy": lambda path: save(path),
    "parquet": lambda path: pq.write_table(pa.table({"x": NOISE}), path),
    "csv": lambda path: pacsv.write_csv(pa.table({"x": NOISE}), path),
}


@pytest.fixture
def small_disk() -> Iterator[None]:
    """No file may be larger than 50 kB: what is written beyond that fails as on a disk that is full."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, limits[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, limits)


@pytest.mark.parametrize("writer", WRITERS)
def test_a_disk_that_is_full_names_the_file_and_leaves_nothing(tmp_path: Path, small_disk: None, writer: str) -> None:
    home = tmp_path / WORST
    home.mkdir()
    for write in (whole_file, whole_folder):
        with pytest.raises(WriteError) as told, write(home / "made") as part:
            WRITERS[writer](part if write is whole_file else part / "x")
        assert str(told.value).startswith(f"cannot write {home / 'made'}: ")
        assert str(told.value).endswith("run the same command again: it goes on")
        assert not list(home.iterdir())


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS])
def test_what_to_do_is_told(tmp_path: Path, code: int) -> None:
    with pytest.raises(WriteError, match=f"cannot write {tmp_path}/x: {os.strerror(code)}; "), writing(tmp_path / "x"):
        raise OSError(code, os.strerror(code))


def test_words_of_a_library_tell_it_too(tmp_path: Path) -> None:
    for words in (
        "[enforce fail at inline_container.cc:672] . unexpected pos 576 vs 534",
        "Generic LocalFileSystem error: No space (os error 28)",
        "a helper: OSError: [Errno 28] No space",
    ):
        with pytest.raises(WriteError, match="No space left on device"), writing(tmp_path / "x"):
            raise RuntimeError(words)


def test_a_folder_that_was_moved_away_is_told_as_such(tmp_path: Path) -> None:
    for write in (whole_file, whole_folder):
        home = tmp_path / "home"
        home.mkdir()
        told = f"cannot write {home}/made: No such file or directory; it, or its folder, was moved or deleted: put it"
        with pytest.raises(WriteError, match=told), write(home / "made") as part:  # noqa: PT012
            for left in home.iterdir():
                left.unlink() if left.is_file() else left.rmdir()
            home.rmdir()
            (part / "x" if write is whole_folder else part).write_text("x")


def test_what_has_nothing_to_do_with_writing_is_left_alone(tmp_path: Path) -> None:
    for error in (ValueError("no"), FileNotFoundError(2, "none", "x"), PermissionError(13, "no", "/elsewhere/log")):
        with pytest.raises(type(error)) as told, writing(tmp_path / "x"):
            raise error
        assert told.value is error
    for name in (tmp_path / "x.part", tmp_path, tmp_path.parent):
        with pytest.raises(WriteError, match="get the right to write there"), writing(tmp_path / "x"):
            raise PermissionError(13, "no", str(name))
