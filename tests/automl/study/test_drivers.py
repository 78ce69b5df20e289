"""Several drivers of one study: what one has, no other has, until it lets go or dies."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from pathlib import Path

import psycopg
import pytest

from automl.study.drivers import ALONE, Claim, Drivers, Together, connected, not_for_long, others
from automl.study.history import State
from automl.study.record import Study
from automl.study.shared import Shared, finals_claimed, note_shared, study_file_of
from automl.study.storage import load_newest, open_study, storage_of
from experiments.postgres import missing, server
from search_spaces.errors import InputError, Position
from tests.worlds.studies import add_baseline, complete, proposals, small_space, study_facts

pytestmark = pytest.mark.skipif(missing() is not None, reason=missing() or "")

HOLDS = """\
import sys, time
from automl.study.drivers import Claim, Together, not_for_long
drivers = Together(sys.argv[1], "ads", not_for_long)
drivers.join()
with drivers.turn():
    print(drivers.number, flush=True)
    time.sleep(600)
"""


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with server() as one:
        yield one.url


@pytest.fixture
def two(url: str) -> Iterator[tuple[Together, Together]]:
    with ExitStack() as stack:
        first, second = (stack.enter_context(closing(Together(url, "ads", not_for_long))) for _ in range(2))
        first.join()
        second.join()
        yield first, second


def shared_study(folder: Path, url: str, name: str, drivers: Drivers) -> Study:
    folder.mkdir()
    note_shared(folder, url, name, "study.yaml")
    return open_study(folder, name, small_space(), drivers=drivers)


def test_what_one_has_no_other_has(two: tuple[Together, Together]) -> None:
    first, second = two
    assert first.claim(Claim.REPEAT, 7)
    assert not second.claim(Claim.REPEAT, 7)
    assert second.claim(Claim.REPEAT, 8)
    assert first.claimed(Claim.REPEAT) == second.claimed(Claim.REPEAT) == {7, 8}
    first.release(Claim.REPEAT, 7)
    assert second.claim(Claim.REPEAT, 7)


def test_studies_do_not_meet(url: str, two: tuple[Together, Together]) -> None:
    with closing(Together(url, "feed", not_for_long)) as other:
        assert two[0].claim(Claim.PROPOSALS)
        assert other.claim(Claim.PROPOSALS)
        assert others(other) == set()


def test_each_knows_the_others_until_they_leave(two: tuple[Together, Together]) -> None:
    first, second = two
    assert others(first) == {second.number}
    second.close()
    assert others(first) == set()


def test_who_is_alone_may_do_everything() -> None:
    with ALONE.turn(), ALONE.turn():
        assert ALONE.claim(Claim.PROPOSALS)
        assert ALONE.claimed(Claim.PROPOSALS) == others(ALONE) == frozenset()


def test_a_turn_waits_and_a_dead_driver_holds_nobody_up(url: str) -> None:
    waited: list[float] = []
    holder = subprocess.Popen([sys.executable, "-c", HOLDS, url], stdout=subprocess.PIPE, text=True)
    assert holder.stdout is not None
    number = int(holder.stdout.readline())

    def hears(what: Path | str, seconds: float) -> None:
        waited.append(seconds)
        assert others(drivers) == {number}
        holder.kill()
        holder.wait()

    with closing(Together(url, "ads", hears)) as drivers:
        drivers.join()
        with drivers.turn(), drivers.turn():
            pass
        assert waited, "the other's turn was waited for"
        assert others(drivers) == set()
    holder.stdout.close()


def test_a_driver_whose_connection_is_lost_writes_nothing(url: str, two: tuple[Together, Together]) -> None:
    with psycopg.connect(url, autocommit=True) as admin:
        admin.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'automl%'")
    with pytest.raises(psycopg.Error), two[0].turn():
        raise AssertionError("this is not its turn")


# ---------------------------------------------------------------- the record


def test_trials_of_a_driver_that_died_are_taken_by_another_once(tmp_path: Path, url: str) -> None:
    with closing(Together(url, "left", not_for_long)) as second:
        with closing(Together(url, "left", not_for_long)) as first:
            first.join()
            second.join()
            mine = shared_study(tmp_path / "1", url, "left", first)
            mine.note(study_facts())
            add_baseline(mine)
            yours = shared_study(tmp_path / "2", url, "left", second)
            with mine.turn():
                begun = mine.begin(proposals(3), 1)
                mine.end(complete(begun[0], ne=0.89))
            with yours.turn():
                assert yours.left_meanwhile() == ()
                assert yours.with_others() == {2, 3}
                assert [trial.state for trial in yours.trials] == [State.COMPLETE, State.RUNNING, State.RUNNING]
                yours.begin(proposals(5, seed=3)[3:], 2)
            with mine.turn():
                assert [trial.number for trial in mine.trials] == [1, 2, 3, 4, 5]
        with yours.turn():
            assert [trial.number for trial in yours.left_meanwhile()] == [2, 3]
            assert yours.left_meanwhile() == ()
            assert yours.orphans() == yours.with_others() == set()


def test_folders_with_one_record_read_it(tmp_path: Path, url: str) -> None:
    for number in ("1", "2"):
        study = shared_study(tmp_path / number, url, "read", ALONE)
        if number == "1":
            study.note(study_facts())
    assert load_newest(tmp_path / "1").study_name == load_newest(tmp_path / "2").study_name
    assert not list(tmp_path.rglob("study.db"))


def test_tables_are_made_once(tmp_path: Path) -> None:
    with server() as fresh, ThreadPoolExecutor(4) as pool:
        folders = [tmp_path / name for name in "abcd"]
        for folder in folders:
            folder.mkdir()
            note_shared(folder, fresh.url, "ads", "study.yaml")
        assert all(storage.get_all_studies() == [] for storage in pool.map(storage_of, folders))


def test_an_edited_space_waits_for_the_other_drivers(tmp_path: Path, url: str, two: tuple[Together, Together]) -> None:
    first, second = two
    shared_study(tmp_path / "1", url, "ads", first)
    with pytest.raises(InputError, match="must be the space that other drivers search at this moment"):
        open_study(tmp_path / "1", "ads", small_space().with_where(("params <= 10000000",)), drivers=second)


# ---------------------------------------------------------------- words


def test_a_record_stays_where_it_is(tmp_path: Path, url: str) -> None:
    assert note_shared(tmp_path / "own", None, "ads", "study.yaml") is None
    open_study(tmp_path / "own", "ads", small_space())
    with pytest.raises(InputError, match=r"but found its own study\.db"):
        note_shared(tmp_path / "own", url, "ads", "study.yaml")
    (tmp_path / "shared").mkdir()
    assert note_shared(tmp_path / "shared", url, "ads", "study.yaml") == Shared.of(tmp_path / "shared")
    for asked, name in ((None, "ads"), (url, "feed"), (url + "2", "ads")):
        with pytest.raises(InputError, match="must have its record where `storage` of the study file says"):
            note_shared(tmp_path / "shared", asked, name, "study.yaml")


def test_finals_of_two_folders_do_not_run_at_once(tmp_path: Path, url: str) -> None:
    for number in ("1", "2"):
        (tmp_path / number).mkdir()
        note_shared(tmp_path / number, url, "ads", f"../{number}.yaml")
    study = shared_study(tmp_path / "3", url, "ads", ALONE)
    study.note(study_facts())
    assert [study_file_of(study.facts, tmp_path / number) for number in ("1", "2")] == ["../1.yaml", "../2.yaml"]
    with finals_claimed(tmp_path / "1"):
        with closing(Together(url, "ads", not_for_long)) as drivers:
            edited = small_space().with_where(("params <= 10000000",))
            with pytest.raises(InputError, match="must be the space whose finals run at this moment"):
                open_study(tmp_path / "3", "ads", edited, drivers=drivers)
        with pytest.raises(InputError, match="finals that run from another folder"), finals_claimed(tmp_path / "2"):
            pass
        with finals_claimed(tmp_path):
            pass  # a record of its own


def test_a_database_that_is_not_there_is_told_at_its_place() -> None:
    with pytest.raises(InputError) as error:
        connected("postgresql://nobody@/none?host=/nowhere", Position("study.yaml", 2, 10))
    told = str(error.value)
    assert told.startswith(
        "study.yaml:2:10: must be a database that can be reached, but found postgresql://nobody@/none"
    )
    assert len(told.splitlines()) == 2, told
