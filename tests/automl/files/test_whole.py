from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from automl.files.whole import sweep, whole_file, whole_files, whole_folder


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_file_is_there_when_it_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "found.json"
    with whole_file(path) as part:
        part.write_text("one")
        assert not path.exists()
    assert path.read_text() == "one"
    with whole_file(path) as part:
        part.write_text("two")
        assert path.read_text() == "one"
    assert path.read_text() == "two"
    assert names(tmp_path) == ["found.json"]


def test_a_folder_is_there_when_it_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "lessons" / "clicks"
    with whole_folder(path) as part:
        (part / "old.npy").write_text("one")
        assert not path.exists()
    with whole_folder(path) as part:
        (part / "new.npy").write_text("two")
        assert names(path) == ["old.npy"]
    assert names(path) == ["new.npy"]
    assert names(path.parent) == ["clicks"]


def test_what_fails_leaves_nothing_and_takes_nothing(tmp_path: Path) -> None:
    file, folder = tmp_path / "found.json", tmp_path / "clicks"
    for path, write in ((file, whole_file), (folder, whole_folder)):
        with pytest.raises(FileNotFoundError), write(path) as part:  # noqa: PT012
            (part if path is file else part / "x").write_text("half")
            (tmp_path / "nothing").read_text()
        assert not names(tmp_path)
    file.write_text("old")
    with pytest.raises(FileNotFoundError), whole_file(file):
        (tmp_path / "nothing").read_text()
    assert file.read_text() == "old"


def test_of_two_who_write_one_file_each_has_it_whole(tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    with whole_file(path) as slow:
        slow.write_text("slow")
        with whole_file(path) as fast:
            fast.write_text("fast")
        assert path.read_text() == "fast"
        with slow.open("a") as more:
            more.write(" and whole")
        assert path.read_text() == "fast"
    assert path.read_text() == "slow and whole", "the last one's stays"
    assert names(tmp_path) == ["report.html"]


_KILLED = """
import os, sys
from pathlib import Path
from automl.files.whole import whole_file
with whole_file(Path(sys.argv[1])) as part:
    part.write_text("half of something long")
    os._exit(9)
"""


def test_what_a_killed_process_left_is_removed_and_begun_anew(tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-c", _KILLED, str(tmp_path / "found.json")], check=False)
    assert [name.endswith(".part") for name in names(tmp_path)] == [True]
    (tmp_path / "clicks.part").mkdir()
    (tmp_path / "clicks.part" / "half.npy").write_text("half")
    with whole_file(tmp_path / "found.json") as part:
        part.write_text("whole")
    with whole_folder(tmp_path / "clicks") as part:
        assert not names(part)
    assert names(tmp_path) == ["clicks", "found.json"]
    assert (tmp_path / "found.json").read_text() == "whole"


def test_a_folder_is_swept_of_all_that_was_being_written(tmp_path: Path) -> None:
    (tmp_path / "found.json.part").write_text("half")
    (tmp_path / "clicks.part").mkdir()
    (tmp_path / "kept").mkdir()
    sweep(tmp_path)
    assert names(tmp_path) == ["kept"]


def test_files_lie_there_all_at_once_or_beside_what_was_there(tmp_path: Path) -> None:
    folder = tmp_path / "log"
    (tmp_path / "log.part").mkdir()
    (tmp_path / "log.part" / "half.parquet").write_text("of a killed process")
    with whole_files(folder, "b") as part:
        (part / "a").write_text("one")
        assert not folder.exists()
    with whole_files(folder, "b") as part:
        (part / "b").write_text("two")
        (part / "c").write_text("three")
        assert not (folder / "b").exists()
    assert names(folder) == ["a", "b", "c"]
    assert names(tmp_path) == ["log"]
    with pytest.raises(FileNotFoundError), whole_files(folder, "b") as part:  # noqa: PT012
        (part / "a").write_text("half")
        (tmp_path / "nothing").read_text()
    assert (folder / "a").read_text() == "one"
    assert names(folder) == ["a", "b", "c"]
