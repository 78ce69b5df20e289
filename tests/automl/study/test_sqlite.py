from __future__ import annotations

import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import optuna
import pytest

from automl.commands.status import read_screen
from automl.files.failures import WriteError
from automl.study.drivers import not_for_long
from automl.study.history import Origin, Proposal
from automl.study.places import RECORD
from automl.study.sqlite import sqlite_storage, version_of
from automl.study.storage import load_newest, open_study
from search_spaces.errors import InputError
from tests.worlds.folders import WORST
from tests.worlds.studies import begun_study, complete, proposals, small_space, study_facts


def test_the_record_lies_in_its_folder_whatever_that_is_called(tmp_path: Path) -> None:
    names = ["a", "a?b", "a%41", "{SCHEMA_VERSION}", WORST]
    for name in names:
        open_study(tmp_path / name, f"of {name}", small_space())
    assert [load_newest(tmp_path / name).user_attrs["name"] for name in names] == [f"of {name}" for name in names]
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(names)
    assert all({path.name for path in (tmp_path / name).iterdir()} == {RECORD} for name in names)


def holder(folder: Path, begin: str) -> sqlite3.Connection:
    """Another program that holds the record."""
    connection = sqlite3.connect(folder / RECORD, isolation_level=None, check_same_thread=False)
    connection.execute(begin)
    if begin == "BEGIN":
        connection.execute("SELECT count(*) FROM studies").fetchall()
    return connection


def freeing(connection: sqlite3.Connection, after: int) -> tuple[Callable[[Path, float], None], list[float]]:
    """Hears of waiting, and ends the other's transaction when it has heard so often."""
    heard: list[float] = []

    def waiting(file: Path, seconds: float) -> None:
        heard.append(seconds)
        if len(heard) == after:
            connection.execute("ROLLBACK")

    return waiting, heard


@pytest.mark.parametrize("begin", ["BEGIN", "BEGIN EXCLUSIVE"])
def test_a_record_that_another_program_holds_is_waited_for(tmp_path: Path, begin: str) -> None:
    heard: list[float] = []
    free: list[sqlite3.Connection] = []

    def waiting(file: Path, seconds: float) -> None:
        heard.append(seconds)
        if len(heard) == 3:
            free[0].execute("ROLLBACK")

    study = open_study(tmp_path, "ads", small_space(), waiting=waiting)
    free.append(holder(tmp_path, begin))
    (trial,) = study.begin([Proposal(small_space().default(), Origin.DEFAULT)], 1)
    assert len(heard) == 3
    assert heard == sorted(heard)
    (known,) = open_study(tmp_path, "ads", small_space()).trials
    assert known.candidate == trial.candidate
    free[0].close()


def test_a_record_that_is_held_can_be_opened_later(tmp_path: Path) -> None:
    open_study(tmp_path, "ads", small_space())
    other = holder(tmp_path, "BEGIN EXCLUSIVE")
    waiting, heard = freeing(other, 2)
    assert open_study(tmp_path, "ads", small_space(), waiting=waiting).trials == ()
    assert len(heard) == 2
    other.close()


def test_what_waits_can_be_given_up_and_has_written_nothing(tmp_path: Path) -> None:
    def given_up(file: Path, seconds: float) -> None:
        raise KeyboardInterrupt

    study = open_study(tmp_path, "ads", small_space(), waiting=given_up)
    other = holder(tmp_path, "BEGIN IMMEDIATE")
    with pytest.raises(KeyboardInterrupt):
        study.begin([Proposal(small_space().default(), Origin.DEFAULT)], 1)
    other.close()
    assert open_study(tmp_path, "ads", small_space()).trials == ()


def test_who_reads_is_not_kept_from_it_by_a_search_and_does_not_wait_for_ever(tmp_path: Path) -> None:
    open_study(tmp_path, "ads", small_space())
    other = holder(tmp_path, "BEGIN IMMEDIATE")  # as a search that is about to write
    assert load_newest(tmp_path).user_attrs["name"] == "ads"
    other.close()
    with pytest.raises(InputError, match="must be free to be read, but found a process that has held it for 31 s"):
        not_for_long(tmp_path / RECORD, 31.0)


def test_two_threads_write_one_record(tmp_path: Path) -> None:
    storage = sqlite_storage(tmp_path, writes=True, waiting=lambda file, seconds: None)
    study = optuna.create_study(storage=storage)

    def write(k: int) -> None:
        for n in range(5):
            study.set_user_attr(f"{k}-{n}", n)

    threads = [threading.Thread(target=write, args=(k,)) for k in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(optuna.load_study(study_name=study.study_name, storage=sqlite_storage(tmp_path)).user_attrs) == 15


def test_a_record_without_room_names_its_file_and_goes_on_later(tmp_path: Path) -> None:
    storage = sqlite_storage(tmp_path, writes=True)
    connection = storage.engine.raw_connection()
    full = connection.cursor()
    (pages,) = full.execute("PRAGMA page_count").fetchone()
    full.execute(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(WriteError, match=rf"cannot write {tmp_path}/study.db: No space left on device; make room"):
        full.execute("INSERT INTO studies VALUES (1, ?)", ("x" * 100_000,))
    connection.close()
    again = open_study(tmp_path, "ads", small_space())
    again.begin([Proposal(small_space().default(), Origin.DEFAULT)], 1)
    assert len(open_study(tmp_path, "ads", small_space()).trials) == 1


@pytest.mark.parametrize("what", ["folder", "file"])
def test_a_record_that_was_moved_away_is_told_as_such(tmp_path: Path, what: str) -> None:
    folder = tmp_path / "study"
    study = open_study(folder, "ads", small_space())
    study.begin([Proposal(small_space().default(), Origin.DEFAULT)], 1)
    moved = folder if what == "folder" else folder / RECORD
    moved.rename(tmp_path / "elsewhere")
    with pytest.raises(WriteError, match=r"cannot write .*study\.db: No such file .* moved or deleted: .* by --out"):
        study.begin([Proposal(small_space().default(), Origin.DEFAULT)], 2)
    (tmp_path / "elsewhere").rename(moved)
    assert len(open_study(folder, "ads", small_space()).trials) == 1


@pytest.mark.parametrize(
    "kind", ["nothing", "no record", "other tables", "half of it", "changed", "a folder", "no room"]
)
def test_what_is_no_record_is_told_and_stays_as_it_is(kind: str, tmp_path: Path) -> None:
    folder = tmp_path / ("n" * 300 if kind == "no room" else "study")
    if kind not in ("no room", "half of it", "changed"):
        folder.mkdir()
    file = folder / RECORD
    match kind:
        case "nothing":
            file.touch()
        case "no record":
            file.write_bytes(b"What is this? " * 1000)
        case "other tables":
            with closing(sqlite3.connect(file)) as other:
                other.execute("CREATE TABLE clicks (n INTEGER)")
        case "half of it" | "changed":
            open_study(folder, "ads", small_space()).note(study_facts())
            whole = file.read_bytes()
            cut = whole[: len(whole) // 2]
            file.write_bytes(cut if kind == "half of it" else cut + b"\xff" * (len(whole) - len(cut)))
        case "a folder":
            file.mkdir()
    before = file.read_bytes() if kind not in ("a folder", "no room") else None
    with pytest.raises(InputError) as caught:
        read_screen(folder)
    (told,) = caught.value.mistakes
    assert told.position.file == str(folder)
    assert told.must in ("must hold a study (study.db)", "must hold a record (study.db) that can be read")
    assert "SELECT" not in str(told)
    assert before is None or file.read_bytes() == before
    assert folder.name == "n" * 300 or [path.name for path in folder.iterdir()] == [RECORD]


def test_an_outcome_that_was_damaged_is_told(tmp_path: Path) -> None:
    study = begun_study(tmp_path)
    (trial,) = study.begin(proposals(1), 1)
    study.end(complete(trial))
    with closing(sqlite3.connect(tmp_path / RECORD)) as record:
        record.execute("UPDATE trial_user_attributes SET value_json = '\"{}\"' WHERE key = 'outcome'")
        record.commit()
    with pytest.raises(InputError, match=r"must hold a record .* that can be read, but found damaged \(KeyError: "):
        read_screen(tmp_path)


def test_what_a_dead_writer_has_left_half_done_is_put_back(tmp_path: Path) -> None:
    open_study(tmp_path, "ads", small_space())
    code = """
import os, sqlite3, sys
record = sqlite3.connect(sys.argv[1], isolation_level=None)
record.execute("PRAGMA cache_size = 1")
record.execute("BEGIN IMMEDIATE")
record.execute("DELETE FROM study_user_attributes")
rows = [(n, "x" * 3000 + str(n)) for n in range(99)]
record.executemany("INSERT INTO study_user_attributes VALUES (?, 1, ?, '1')", rows)
os._exit(9)
"""
    assert subprocess.run([sys.executable, "-c", code, tmp_path / RECORD]).returncode == 9
    assert (tmp_path / f"{RECORD}-journal").stat().st_size > 0
    assert load_newest(tmp_path, only_read=True).user_attrs["name"] == "ads"


def test_every_transaction_makes_another_version_of_the_record_and_reading_makes_none(tmp_path: Path) -> None:
    assert version_of(tmp_path) is None
    study = open_study(tmp_path, "ads", small_space())
    seen = {version_of(tmp_path)}
    load_newest(tmp_path)
    assert version_of(tmp_path) in seen
    for number in range(1, 4):
        study.begin([Proposal(small_space().default(), Origin.DEFAULT)], number)
        seen.add(version_of(tmp_path))
    assert len(seen) == 4
