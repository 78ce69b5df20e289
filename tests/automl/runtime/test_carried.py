"""What a job reads is fetched once for a machine, what it writes is at the driver when it ends."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

from automl.runtime import carried, depot
from automl.runtime.carried import UNUSED_S, Carrier, home_of_copies, notes_folder, prune
from automl.runtime.depot import Depot
from automl.runtime.jobs import TrainModel


class Counting(Depot):
    """A depot that counts what is fetched from it."""

    def __init__(self) -> None:
        self.bytes = 0

    def piece(self, path: str, name: str, start: int) -> bytes:
        found = super().piece(path, name, start)
        self.bytes += len(found)
        return found


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (carried, depot):
        monkeypatch.setattr(module, "PIECE_BYTES", 1000)


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """A folder of the driver's: files in pieces, an empty one, one in a folder."""
    folder = tmp_path / "driver" / "0f3a"
    (folder / "deep").mkdir(parents=True)
    (folder / "ids.npy").write_bytes(os.urandom(2500))
    (folder / "none.npy").write_bytes(b"")
    (folder / "deep" / "facts.json").write_text("{}")
    return folder


def content(folder: Path) -> dict[str, bytes]:
    return {str(file.relative_to(folder)): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


def test_a_folder_is_fetched_once_for_a_machine(tmp_path: Path, log: Path) -> None:
    counting, home = Counting(), tmp_path / "machine"
    copies = [Carrier(counting, home).copy(str(log)) for _ in range(3)]
    assert len(set(copies)) == 1
    assert copies[0].name == log.name
    assert content(copies[0]) == content(log)
    assert counting.bytes == 2502
    Carrier(counting, tmp_path / "another").copy(str(log))
    assert counting.bytes == 2 * 2502


def test_a_folder_that_is_another_by_now_is_fetched_anew(tmp_path: Path, log: Path) -> None:
    first = Carrier(Depot(), tmp_path / "machine").copy(str(log))
    (log / "ids.npy").write_bytes(b"other")
    second = Carrier(Depot(), tmp_path / "machine").copy(str(log))
    assert first != second
    assert (second / "ids.npy").read_bytes() == b"other"


def test_a_copy_is_whole_or_not_there(tmp_path: Path, log: Path) -> None:
    class Failing(Depot):
        def piece(self, path: str, name: str, start: int) -> bytes:
            if start:
                raise OSError("no space left")
            return super().piece(path, name, start)

    with pytest.raises(OSError, match="no space left"):
        Carrier(Failing(), tmp_path / "machine").copy(str(log))
    assert content(Carrier(Depot(), tmp_path / "machine").copy(str(log))) == content(log)


def test_what_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="gone"):
        Carrier(Depot(), tmp_path / "machine").copy(str(tmp_path / "gone"))


def test_a_job_has_paths_of_its_machine_and_what_it_writes_comes_back(tmp_path: Path, log: Path) -> None:
    asked = TrainModel(model={"a": 1}, log=str(log), predictions=str(tmp_path / "driver" / "finals" / "p.npy"))
    with Carrier(Depot(), tmp_path / "machine").brought(asked) as here:
        assert content(Path(here.log)) == content(log)
        assert str(tmp_path / "driver") not in f"{here.log} {here.predictions}"
        assert (here.model, here.weights, here.score) == (asked.model, None, asked.score)
        assert here.predictions is not None
        Path(here.predictions).write_bytes(bytes(3000))
        assert not (tmp_path / "driver" / "finals").exists()
    assert [file.name for file in (tmp_path / "driver" / "finals").iterdir()] == ["p.npy"]
    assert (tmp_path / "driver" / "finals" / "p.npy").read_bytes() == bytes(3000)
    assert not Path(here.predictions).exists()


def test_a_job_that_fails_brings_nothing(tmp_path: Path, log: Path) -> None:
    asked = TrainModel(model={}, log=str(log), weights=str(tmp_path / "w.pt"))

    def work() -> None:
        with Carrier(Depot(), tmp_path / "machine").brought(asked) as here:
            Path(str(here.weights)).write_bytes(b"half")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        work()
    assert not (tmp_path / "w.pt").exists()


def test_a_checkpoint_is_fetched_if_it_is_there_and_brought_when_it_is_written(tmp_path: Path, log: Path) -> None:
    there = tmp_path / "driver" / "one.pt"
    asked = TrainModel(model={}, log=str(log), checkpoint=str(there))
    carrier = Carrier(Depot(), tmp_path / "machine")
    with carrier.brought(asked) as here:
        assert here.checkpoint is not None
        assert not Path(here.checkpoint).exists()
        Path(here.checkpoint).write_bytes(b"so far")
        carrier.bring(Path(here.checkpoint), str(there))
        assert there.read_bytes() == b"so far"
        there.unlink()
    assert not there.exists(), "what is over needs none"
    there.write_bytes(b"from another machine")
    with carrier.brought(asked) as here:
        assert here.checkpoint != str(there)
        assert Path(str(here.checkpoint)).read_bytes() == b"from another machine"


def test_a_checkpoint_that_is_replaced_while_it_is_fetched_is_none(tmp_path: Path, log: Path) -> None:
    there = tmp_path / "one.pt"

    class Slow(Depot):
        def piece(self, path: str, name: str, start: int) -> bytes:
            found = super().piece(path, name, start)
            if path == str(there):
                os.utime(there, ns=(1, 1))
            return found

    there.write_bytes(b"so far")
    with Carrier(Slow(), tmp_path / "machine").brought(
        TrainModel(model={}, log=str(log), checkpoint=str(there))
    ) as here:
        assert not Path(str(here.checkpoint)).exists()


def test_a_payload_that_names_no_paths_stays_as_it_is(tmp_path: Path) -> None:
    @dataclass(frozen=True, slots=True)
    class Plain:
        work: str = "a:b"

    with Carrier(Depot(), tmp_path / "machine").brought(Plain()) as here:
        assert here == Plain()


def test_copies_that_nobody_uses_go_after_a_day(tmp_path: Path, log: Path) -> None:
    home = tmp_path / "machine"
    held = Carrier(Depot(), home)
    copy = held.copy(str(log))
    (home / "notes" / "run").mkdir(parents=True)
    prune(home, now=time.time() + 2 * UNUSED_S)
    assert copy.exists(), "one that is used stays"
    assert not (home / "notes" / "run").exists()
    held.close()
    prune(home)
    assert copy.exists()
    prune(home, now=time.time() + 2 * UNUSED_S)
    assert not copy.exists()


def test_the_folder_of_copies_may_be_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv(carried.HOME, str(tmp_path))
    assert home_of_copies() == tmp_path
    assert notes_folder("r") == tmp_path / "notes" / "r"
    monkeypatch.delenv(carried.HOME)
    assert str(os.getuid()) in home_of_copies().name
