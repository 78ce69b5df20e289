"""One driver a folder: a second is told who the first is, and one that is gone is no hindrance."""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path

import filelock
import pytest

from automl.runtime import lock as module
from automl.runtime.lock import GONE_S, HOLDER, Holder, hold, locked, read_holder
from search_spaces.errors import InputError
from tests.worlds.processes import PATIENCE_S

HOLDS = """
import sys
from pathlib import Path
from automl.runtime.lock import locked
held = locked(Path(sys.argv[1]))
print("held", flush=True)
sys.stdin.read()
"""


def left_by(folder: Path, holder: Holder, silent_s: float = 0.0) -> None:
    """As a driver leaves it that has been killed, or whose lock does not reach this machine."""
    (folder / HOLDER).write_text(json.dumps(asdict(holder)))
    then = time.time() - silent_s
    os.utime(folder / HOLDER, (then, then))


def test_a_folder_has_one_driver(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    with hold(folder):
        with pytest.raises(InputError, match="must not be in use, but found process"):
            locked(folder)
        with hold(tmp_path / "other"):
            pass
    assert not (folder / HOLDER).exists()
    locked(folder).release()


def test_the_second_is_told_who_the_first_is_and_takes_over_when_that_is_killed(tmp_path: Path) -> None:
    words = [sys.executable, "-c", HOLDS, str(tmp_path)]
    first = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert first.stdin is not None
    assert first.stdout is not None
    with first.stdin, first.stdout as out:
        assert out.readline() == "held\n"
        with pytest.raises(InputError) as raised:
            locked(tmp_path)
        told = str(raised.value)
        assert f"process {first.pid} on {socket.gethostname()}, since 20" in told
        assert f"-c {tmp_path}" in told, "its command"
        assert f"kill -INT {first.pid}" in told
        first.kill()
        first.wait(PATIENCE_S)
    assert read_holder(tmp_path / HOLDER) is not None
    locked(tmp_path).release()


def test_a_process_of_another_birth_does_not_stand_for_a_dead_driver(tmp_path: Path) -> None:
    here = Holder.here(tmp_path)
    left_by(tmp_path, replace(here, born=here.born - 100.0))
    locked(tmp_path).release()


def test_a_driver_of_this_machine_is_seen_where_the_file_system_has_no_locks(tmp_path: Path) -> None:
    left_by(tmp_path, Holder.here(tmp_path), silent_s=2 * GONE_S)
    with pytest.raises(InputError, match=f"process {os.getpid()} on "):
        locked(tmp_path)
    with filelock.FileLock(tmp_path / ".lock", timeout=0):
        pass


def test_a_copy_of_a_folder_that_is_driven_is_nobody_s_and_a_moved_one_is_its_driver_s(tmp_path: Path) -> None:
    folder, copy, moved = (tmp_path / name for name in ("run", "copy", "moved"))
    with hold(folder):
        shutil.copytree(folder, copy)
        assert read_holder(copy / HOLDER) is not None
        with hold(copy), pytest.raises(InputError, match="must not be in use"):
            locked(copy)
        folder.rename(moved)
        with pytest.raises(InputError, match=f"kill -INT {os.getpid()}"):
            locked(moved)


def test_who_holds_a_copy_is_not_told_by_the_name_that_was_copied(tmp_path: Path) -> None:
    folder, copy = tmp_path / "run", tmp_path / "copy"
    with hold(folder):
        shutil.copytree(folder, copy)
    with filelock.FileLock(copy / ".lock", timeout=0), pytest.raises(InputError) as raised:
        locked(copy)
    assert "another run that holds it" in str(raised.value)
    assert "kill" not in str(raised.value)


def test_a_driver_of_another_machine_counts_until_it_gives_no_sign_of_life(tmp_path: Path) -> None:
    elsewhere = replace(Holder.here(tmp_path), host="node-7", pid=1, command="automl search study.yaml")
    left_by(tmp_path, elsewhere, silent_s=20)
    with pytest.raises(InputError) as raised:
        locked(tmp_path)
    told = " ".join(str(raised.value).split())
    assert "process 1 on node-7, since" in told
    assert "UTC: automl search study.yaml" in told
    assert re.search(r"its last sign of life was (19|2\d) s ago, and after 60 s without one the folder is free", told)
    left_by(tmp_path, elsewhere, silent_s=GONE_S + 5)
    with hold(tmp_path):
        assert read_holder(tmp_path / HOLDER) != elsewhere
    assert [path.name for path in tmp_path.iterdir()] == [".lock"]


def test_a_sign_of_life_is_given_and_a_folder_that_was_taken_over_is_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    interrupted = threading.Event()
    monkeypatch.setattr(module, "BEAT_S", 0.01)
    monkeypatch.setattr(module, "_thread", type("Threads", (), {"interrupt_main": staticmethod(interrupted.set)}))
    held = locked(tmp_path)
    os.utime(tmp_path / HOLDER, (0, 0))
    wait_for(lambda: (tmp_path / HOLDER).stat().st_mtime > 0)
    other = replace(Holder.here(tmp_path), host="node-8")
    module_file = tmp_path / "other.json"
    module_file.write_text(json.dumps(asdict(other)))
    module_file.replace(tmp_path / HOLDER)
    assert interrupted.wait(PATIENCE_S)
    assert "on node-8" in capsys.readouterr().err
    held.release()
    assert read_holder(tmp_path / HOLDER) == other, "what is another's is left to it"


def wait_for(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_a_folder_that_became_read_only_hides_no_reason_and_is_let_go(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(path: Path, missing_ok: bool = False) -> None:
        raise PermissionError(1, "Operation not permitted", str(path))

    with monkeypatch.context() as read_only, pytest.raises(RuntimeError, match="the record"), hold(tmp_path):  # noqa: PT012
        read_only.setattr(Path, "unlink", refuse)
        raise RuntimeError("cannot write the record")
    assert read_holder(tmp_path / HOLDER) is not None
    with monkeypatch.context() as later:
        later.setattr(Holder, "alive", property(lambda holder: False))  # it was this process
        locked(tmp_path).release()
    assert read_holder(tmp_path / HOLDER) is None
